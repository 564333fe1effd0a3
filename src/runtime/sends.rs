//! Many small sends in one system call: an io_uring of the shard's own.
//!
//! Every send carries `MSG_DONTWAIT`, so it completes while it is submitted; the bytes are
//! borrowed only for the call, which returns after the last completion.

use std::io;
use std::os::fd::RawFd;

use io_uring::{IoUring, opcode, types};

/// Below this many sends, plain calls are cheaper than a submission.
const BATCH_MIN: usize = 4;

/// Sends per submission.
const RING_ENTRIES: u32 = 1024;

/// One send: where to, and what.
#[derive(Clone, Copy)]
pub struct Send<'a> {
    /// A connected, non-blocking socket of this process.
    pub fd: RawFd,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The ring for batched sends.
pub struct Sends {
    ring: IoUring,
}

const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl Sends {
    /// Sets the ring up; call it on the shard's thread.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .build(RING_ENTRIES)?;
        Ok(Self { ring })
    }

    /// Sends each; `results[i]` is the number of bytes taken, or a negative errno.
    ///
    /// # Errors
    /// When the kernel refuses a submission.
    pub fn send(&mut self, batch: &[Send<'_>], results: &mut Vec<i32>) -> io::Result<()> {
        results.clear();
        results.resize(batch.len(), 0);
        if batch.len() < BATCH_MIN {
            for (send, result) in batch.iter().zip(results.iter_mut()) {
                *result = send_one(send);
            }
            return Ok(());
        }
        for (chunk, results) in batch
            .chunks(RING_ENTRIES as usize)
            .zip(results.chunks_mut(RING_ENTRIES as usize))
        {
            self.submit(chunk, results)?;
        }
        Ok(())
    }

    fn submit(&mut self, chunk: &[Send<'_>], results: &mut [i32]) -> io::Result<()> {
        for (index, send) in chunk.iter().enumerate() {
            let length = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(types::Fd(send.fd), send.bytes.as_ptr(), length)
                .flags(FLAGS)
                .build()
                .user_data(index as u64);
            // SAFETY: the bytes outlive this call, and the call ends after every completion, so
            // the kernel never reads them later.
            unsafe { self.ring.submission().push(&entry) }
                .expect("a chunk is no longer than the ring");
        }
        let mut open = chunk.len();
        while open > 0 {
            match self.ring.submit_and_wait(open) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    other?;
                }
            }
            for completion in self.ring.completion() {
                results[completion.user_data() as usize] = completion.result();
                open -= 1;
            }
        }
        Ok(())
    }
}

fn send_one(send: &Send<'_>) -> i32 {
    loop {
        // SAFETY: the pointer and the length are those of a live slice.
        let sent =
            unsafe { libc::send(send.fd, send.bytes.as_ptr().cast(), send.bytes.len(), FLAGS) };
        if sent >= 0 {
            return i32::try_from(sent).unwrap_or(i32::MAX);
        }
        let errno = io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO);
        if errno != libc::EINTR {
            return -errno;
        }
    }
}
