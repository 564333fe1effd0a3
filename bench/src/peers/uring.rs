//! The floor's sends through io_uring: one submission for many streams.
//!
//! Invariant: [`Batched::send`] returns only after the kernel has answered every entry that it queued, so the
//! event's bytes and the sockets outlive all operations on them, on the error path too (the ring is drained first).
#![expect(
    unsafe_code,
    reason = "an io_uring entry holds a bare pointer; no safe wrapper sends one buffer to many sockets"
)]

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, squeue, types};
use rustix::net::SendFlags;

use super::floor::{Fanout, Subscriber};

/// Sends per submission.
const BATCH: u32 = 1024;

/// A ring and the results of one fan-out.
pub struct Batched {
    ring: IoUring,
    sent: Vec<bool>,
}

impl Batched {
    /// Sets up the ring. Fails where io_uring is forbidden.
    pub fn new() -> io::Result<Batched> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(BATCH)?;
        Ok(Batched {
            ring,
            sent: Vec::new(),
        })
    }

    /// Submits what is queued and takes in answers until none of `pending` is left.
    fn drain(&mut self, mut pending: usize, whole: usize) -> io::Result<()> {
        while pending > 0 {
            match self.ring.submit_and_wait(pending) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Entries may be in flight with pointers into the caller's buffer: returning is not an option.
                Err(error) => {
                    eprintln!("io_uring_enter failed: {error}");
                    std::process::abort();
                }
            }
            for answer in self.ring.completion() {
                pending -= 1;
                let index = usize::try_from(answer.user_data())
                    .expect("an index that this process has set");
                self.sent[index] = usize::try_from(answer.result()) == Ok(whole);
            }
        }
        Ok(())
    }
}

impl Fanout for Batched {
    fn send(&mut self, streams: &mut Vec<Subscriber>, event: &[u8]) -> io::Result<()> {
        let length = u32::try_from(event.len()).expect("an event of a few hundred bytes");
        let flags = (SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            .bits()
            .cast_signed();
        self.sent.clear();
        self.sent.resize(streams.len(), false);
        let mut index = 0;
        for batch in streams.chunks(BATCH as usize) {
            {
                let mut queue = self.ring.submission();
                for stream in batch {
                    let fd = types::Fd(stream.socket.as_raw_fd());
                    let entry: squeue::Entry = opcode::Send::new(fd, event.as_ptr(), length)
                        .flags(flags)
                        .build();
                    // SAFETY: by the module's invariant `event` and the socket outlive the operation: `drain`
                    // below waits for this batch before either borrow ends.
                    unsafe { queue.push(&entry.user_data(index)) }
                        .expect("a batch is as large as the ring");
                    index += 1;
                }
            }
            self.drain(batch.len(), event.len())?;
        }
        let mut sent = self.sent.iter();
        streams.retain(|_| *sent.next().expect("one result per stream"));
        Ok(())
    }
}
