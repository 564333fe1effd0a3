//! Descriptor tables: one that all threads share, or one per shard.
//!
//! A thread that has parted sees, under their old numbers, copies of every descriptor that was open when it
//! parted, and none that another thread opens later. Three rules keep that sound:
//!
//! - **What threads share is open before the first of them parts, and is never closed**: doorbells, mailboxes,
//!   the pipes of signals, the log, and each executor's own descriptors, which wakers write to. So all meet
//!   before any parts.
//! - **Nothing is opened until all have parted**: a copy of a connection would keep it up after its owner has
//!   closed it.
//! - **A descriptor that is opened later stays on its thread.** What has to cross goes through a
//!   [`Mailbox`](super::mailbox::Mailbox), and values of the app that own a descriptor must not cross at all.
//!
//! A copy keeps its file open. For most that costs a number; a listener's copy would go on accepting
//! connections that nobody takes, so each table closes those of the others.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Barrier};

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Whether this process may give its threads tables of their own: sandboxes can forbid it.
///
/// # Errors
/// What the kernel answers.
pub fn may_part() -> io::Result<()> {
    // A thread of its own: a table can't be shared again.
    std::thread::Builder::new()
        .name("may-part".to_owned())
        .spawn(unshare)?
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that tried it panicked")))
}

fn unshare() -> io::Result<()> {
    // SAFETY: what is opened from here on stays on this thread, by the rules above.
    Ok(unsafe { unshare_unsafe(UnshareFlags::FILES) }?)
}

/// Where the threads of one process meet, and then part.
#[derive(Clone)]
pub struct Parting {
    all: Arc<Barrier>,
    listeners: Arc<[RawFd]>,
}

impl Parting {
    /// A meeting of `members` threads; each of `listeners` is to be left to one of them.
    #[must_use]
    pub fn new(members: usize, listeners: &[TcpListener]) -> Self {
        Self {
            all: Arc::new(Barrier::new(members)),
            listeners: listeners.iter().map(AsRawFd::as_raw_fd).collect(),
        }
    }

    /// Waits until all have opened what others may use, and then until all have parted, so that what is
    /// opened next is in no copy. For a member that keeps the process's table.
    pub fn meet(&self) {
        self.all.wait();
        self.all.wait();
    }

    /// Meets the others, then gives this thread a table of its own, where only the listener `own` is open.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn part(&self, own: RawFd) -> io::Result<()> {
        self.all.wait();
        let parted = unshare();
        // The others go on whatever came of it.
        self.all.wait();
        parted?;
        self.close_all_but(Some(own));
        Ok(())
    }

    /// Closes the copies in the process's table. Once, after every member that parts has parted.
    pub fn close_rest(&self) {
        self.close_all_but(None);
    }

    fn close_all_but(&self, own: Option<RawFd>) {
        for listener in self.listeners.iter().filter(|fd| Some(**fd) != own) {
            // SAFETY: in this table the number still names the copy of a listener: it was open when the
            // table was made, and its owner, who lives in another table, closes it only there.
            unsafe { rustix::io::close(*listener) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A thread that parts takes copies of what other tests have open: one at a time.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

    #[test]
    fn a_table_has_what_was_open_before_and_not_what_others_open_later() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut kept, write) = UnixStream::pair().unwrap();
        let parting = Parting::new(2, &[]);
        let there = parting.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel();
        // Given a thread with a table of its own,
        let thread = std::thread::spawn(move || {
            there.part(-1).unwrap();
            tell.send(()).unwrap();
            let later: RawFd = gone.recv().unwrap();
            // SAFETY: the number is only asked about.
            let flags = unsafe { libc::fcntl(later, libc::F_GETFD) };
            (&write).write_all(b"x").unwrap();
            flags
        });
        parting.meet();
        told.recv().unwrap();
        // when another opens a descriptor, under a number that no earlier one has,
        let later = std::fs::File::open("/dev/null").unwrap();
        let far = rustix::io::fcntl_dupfd_cloexec(&later, 9000).unwrap();
        go.send(far.as_raw_fd()).unwrap();
        // then that number names nothing there, while what was open before still works.
        assert_eq!(thread.join().unwrap(), -1);
        let mut byte = [0];
        io::Read::read_exact(&mut kept, &mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn what_is_opened_after_the_meeting_is_in_no_copy() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..50 {
            // Given one that parts and lives on, and one that keeps the process's table,
            let parting = Parting::new(2, &[]);
            let there = parting.clone();
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::spawn(move || {
                there.part(-1).unwrap();
                ended.recv().ok();
            });
            parting.meet();
            // when the second opens a connection at once, and closes it,
            let (near, mut far) = UnixStream::pair().unwrap();
            drop(near);
            // then it has ended.
            far.set_read_timeout(Some(std::time::Duration::from_secs(20)))
                .unwrap();
            assert_eq!(io::Read::read(&mut far, &mut [0]).unwrap(), 0);
            drop(end);
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_listener_ends_with_its_owner_though_other_tables_had_copies() {
        let _alone = ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let parting = Parting::new(2, std::slice::from_ref(&listener));
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        // Given two threads that part, one with the listener, one without,
        let owner = parting.clone();
        let with = std::thread::spawn(move || {
            owner.part(listener.as_raw_fd()).unwrap();
            drop(listener);
        });
        let other = parting.clone();
        let without = std::thread::spawn(move || {
            other.part(-1).unwrap();
            tell.send(()).unwrap();
            ended.recv().ok();
        });
        // when its owner has closed it while the other lives,
        told.recv().unwrap();
        with.join().unwrap();
        parting.close_rest();
        // then nobody listens.
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(end);
        without.join().unwrap();
    }
}
