//! Streams that go to another shard: how their sockets leave this one, and arrive.
//!
//! Where all shards share a descriptor table, the descriptor travels in the parcel. Where each has its own, the
//! descriptor goes ahead through the other's mailbox and the parcel carries its ticket, so that whoever opens
//! the parcel finds it there. A full mailbox holds the parcel back, as a full lane does: nothing is lost.

use std::rc::Rc;

use super::parcel::{HandedSocket, HandedStream, Parcel};
use super::shard::Shard;
use crate::http::Channel;
use crate::http::tls::Session;
use crate::runtime::Socket;
use crate::runtime::mailbox::NotSent;

/// What became of a parcel before it went into its lane.
enum Sealed {
    Ready(Parcel),
    /// There is no room for its socket yet.
    NotYet(Parcel),
    /// Its socket can't be sent; it was closed, so its browser comes back.
    Lost,
}

impl Shard {
    /// Puts a parcel into its lane, its socket ahead of it.
    ///
    /// # Errors
    /// The parcel, when there is no room.
    pub(super) fn try_send(&self, to: usize, parcel: Parcel) -> Result<(), Parcel> {
        match self.seal(to, parcel) {
            Sealed::Ready(parcel) => self.endpoint.borrow_mut().send(to, parcel),
            Sealed::NotYet(parcel) => Err(parcel),
            Sealed::Lost => Ok(()),
        }
    }

    fn seal(&self, to: usize, parcel: Parcel) -> Sealed {
        let Some(mailbox) = &self.mailbox else {
            return Sealed::Ready(parcel);
        };
        let Parcel::Stream(mut open, tls) = parcel else {
            return Sealed::Ready(parcel);
        };
        let HandedSocket::Own(fd) = open.socket else {
            return Sealed::Ready(Parcel::Stream(open, tls));
        };
        match mailbox.borrow_mut().send(to, fd) {
            Ok(ticket) => {
                open.socket = HandedSocket::Sent(ticket);
                Sealed::Ready(Parcel::Stream(open, tls))
            }
            Err(NotSent::Later(fd)) => {
                open.socket = HandedSocket::Own(fd);
                Sealed::NotYet(Parcel::Stream(open, tls))
            }
            Err(NotSent::Never(error)) => {
                tracing::error!(shard = self.id, to, %error, "a stream could not be handed over");
                Sealed::Lost
            }
        }
    }

    /// Opens a stream that another shard handed over.
    pub(super) fn unpack_stream(self: &Rc<Self>, handed: HandedStream, tls: Option<Box<Session>>) {
        let fd = match (handed.socket, &self.mailbox) {
            (HandedSocket::Own(fd), _) => fd,
            (HandedSocket::Sent(ticket), Some(mailbox)) => {
                match mailbox.borrow_mut().take(ticket) {
                    Ok(fd) => fd,
                    Err(error) => {
                        tracing::warn!(shard = self.id, %error, "a stream that was handed over is lost");
                        return;
                    }
                }
            }
            (HandedSocket::Sent(_), None) => {
                unreachable!("only a shard with mailboxes sends through one")
            }
        };
        let full = (self.mailbox.as_ref()).is_some_and(|mailbox| mailbox.borrow().is_too_many(&fd));
        let socket = match Socket::adopt(fd) {
            Ok(socket) => Channel::new(socket, tls),
            Err(error) => {
                tracing::warn!(shard = self.id, %error, "a stream that was handed over could not be taken");
                return;
            }
        };
        if full {
            self.turned_away();
            self.refuse_stream(
                socket,
                503,
                "this server has no descriptor left: try again in a moment",
            );
            return;
        }
        self.open_stream(socket, handed.target);
    }
}
