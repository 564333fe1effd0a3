//! How a descriptor crosses from one table to another: in a message to its new owner's mailbox.
//!
//! Each shard has one mailbox, a pair of Unix sockets: all write to one end, the owner reads the other. A
//! ticket names the descriptor in whatever tells the new owner what it is for. Whoever sends the descriptor
//! first and the ticket second may rely on it: when the ticket arrives, the descriptor is there.

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::headroom::Headroom;

/// Bytes that may wait in a mailbox, its bookkeeping included; the kernel allows less by default.
const WAITING_MAX_BYTES: usize = 1 << 20;

/// The name of one descriptor on its way: who sent it, and as which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    from: u32,
    number: u32,
}

const TICKET_BYTES: usize = 8;

impl Ticket {
    fn encode(self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(&self.from.to_le_bytes());
        bytes[4..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    fn decode(bytes: [u8; TICKET_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            from: u32::from_le_bytes([a, b, c, d]),
            number: u32::from_le_bytes([e, f, g, h]),
        }
    }
}

/// Why a descriptor was not sent.
#[derive(Debug)]
pub enum NotSent {
    /// The mailbox is full, or too many descriptors are on their way: try again later.
    Later(OwnedFd),
    /// It can't be sent at all, and was closed.
    Never(io::Error),
}

/// Why a ticket names nothing.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The message lost its descriptor on the way.
    #[error(
        "this shard's descriptor table was full when the socket arrived: raise the open-files limit, or run more shards"
    )]
    NoRoom,
    /// Nothing with that ticket came.
    #[error("no socket came with its ticket")]
    NeverCame,
    /// The mailbox can't be read.
    #[error("the mailbox can't be read: {0}")]
    Unreadable(io::Error),
}

/// A shard's own mailbox, and its way to those of the others.
pub struct Mailbox {
    from: u32,
    next: u32,
    own: OwnedFd,
    all: Arc<[OwnedFd]>,
    headroom: Headroom,
    /// Came earlier than their tickets; without a descriptor where the table was full.
    early: HashMap<Ticket, Option<OwnedFd>>,
}

impl Mailbox {
    /// One mailbox for each of `count` shards. Call it before their tables part.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn for_all(count: usize) -> io::Result<Vec<Self>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let mut reading = Vec::with_capacity(count);
        let mut writing = Vec::with_capacity(count);
        for _ in 0..count {
            let (read, write) =
                rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
            rustix::net::sockopt::set_socket_send_buffer_size(&write, WAITING_MAX_BYTES)?;
            reading.push(read);
            writing.push(write);
        }
        let all: Arc<[OwnedFd]> = writing.into();
        Ok((0..)
            .zip(reading)
            .map(|(from, own)| Self {
                from,
                next: 0,
                own,
                all: Arc::clone(&all),
                headroom: Headroom::of_this_process(),
                early: HashMap::new(),
            })
            .collect())
    }

    /// Puts `fd` into the mailbox of shard `to` and closes it here.
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn send(&mut self, to: usize, fd: OwnedFd) -> Result<Ticket, NotSent> {
        let ticket = Ticket {
            from: self.from,
            number: self.next,
        };
        let sent = loop {
            let fds = [fd.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fits = control.push(SendAncillaryMessage::ScmRights(&fds));
            debug_assert!(fits, "the space is for one descriptor");
            let sent = rustix::net::sendmsg(
                &self.all[to],
                &[IoSlice::new(&ticket.encode())],
                &mut control,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            );
            if sent != Err(Errno::INTR) {
                break sent;
            }
        };
        match sent {
            Ok(_) => {
                self.next = self.next.wrapping_add(1);
                Ok(ticket)
            }
            Err(Errno::AGAIN | Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM) => {
                Err(NotSent::Later(fd))
            }
            Err(error) => Err(NotSent::Never(error.into())),
        }
    }

    /// Takes out what `ticket` names.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn take(&mut self, ticket: Ticket) -> Result<OwnedFd, Missing> {
        if let Some(early) = self.early.remove(&ticket) {
            return early.ok_or(Missing::NoRoom);
        }
        loop {
            let (found, fd) = self.receive()?;
            if found == ticket {
                return fd.ok_or(Missing::NoRoom);
            }
            self.early.insert(found, fd);
        }
    }

    /// Whether this table has no room for `fd`, which came out of it.
    #[must_use]
    pub fn is_too_many(&self, fd: &OwnedFd) -> bool {
        self.headroom.is_too_many_handed(fd)
    }

    fn receive(&self) -> Result<(Ticket, Option<OwnedFd>), Missing> {
        let mut bytes = [0; TICKET_BYTES];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let received = rustix::net::recvmsg(
                &self.own,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
            );
            match received {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Err(Missing::NeverCame),
                Err(error) => return Err(Missing::Unreadable(error.into())),
                Ok(_) => {}
            }
            let fd = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                _ => None,
            });
            return Ok((Ticket::decode(bytes), fd));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn each_ticket_gives_its_own_descriptor_in_whatever_order() {
        let [mut here, mut there] = two();
        let (mut kept, tickets): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| {
                let (kept, given) = UnixStream::pair().unwrap();
                (kept, here.send(1, given.into()).unwrap())
            })
            .unzip();
        for index in [2, 0, 1] {
            let mut taken = UnixStream::from(there.take(tickets[index]).unwrap());
            taken.write_all(&[index as u8]).unwrap();
            drop(taken);
            // Both the byte and the end: no copy was left behind.
            let mut all = Vec::new();
            kept[index].read_to_end(&mut all).unwrap();
            assert_eq!(all, [index as u8]);
        }
        assert!(matches!(there.take(tickets[0]), Err(Missing::NeverCame)));
    }

    #[test]
    fn a_full_mailbox_gives_the_descriptor_back_and_takes_it_when_there_is_room() {
        let [mut here, mut there] = two();
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let mut tickets = Vec::new();
        let held = loop {
            match here.send(1, null()) {
                Ok(ticket) => tickets.push(ticket),
                Err(NotSent::Later(fd)) => break fd,
                Err(NotSent::Never(error)) => panic!("{error}"),
            }
        };
        assert!(tickets.len() > 100, "{}", tickets.len());
        // A full mailbox lets nobody else's in, but a taken one makes room.
        for ticket in &tickets {
            there.take(*ticket).unwrap();
        }
        let ticket = here.send(1, held).unwrap();
        there.take(ticket).unwrap();
    }

    fn two() -> [Mailbox; 2] {
        let all = Mailbox::for_all(2).unwrap();
        all.try_into()
            .unwrap_or_else(|_| panic!("two were asked for"))
    }
}
