//! One connection through the proxy: two sockets and the bytes on their way between them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::SockRef;

use super::relay::{Edit, State};
use super::{Cut, Flow};

const READ_BYTES: usize = 16 * 1024;

/// What the proxy holds at most per direction before it stops reading: back-pressure passes through.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// Bytes on their way in one direction.
#[derive(Default)]
pub(super) struct Pipe {
    pub(super) pieces: VecDeque<(Instant, Vec<u8>)>,
    pub(super) held_bytes: usize,
    source_ended: bool,
    end_passed_on: bool,
    /// Follows when all that is held has gone on.
    cut: Option<Cut>,
}

pub(super) struct Link {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    pub(super) to_server: Pipe,
    pub(super) to_client: Pipe,
    pub(super) reply_is_to_be_cut: bool,
    pub(super) dead: bool,
}

/// What a socket is watched for: `reads` is filled from it, `writes` empties into it.
pub(super) fn wanted(reads: &Pipe, writes: &Pipe, write_flow: Flow) -> PollFlags {
    let mut flags = PollFlags::empty();
    if !reads.source_ended && reads.held_bytes < HELD_BYTES_MAX {
        flags |= PollFlags::IN;
    }
    let due = writes
        .pieces
        .front()
        .is_some_and(|(at, _)| *at <= Instant::now());
    if due && write_flow == Flow::Pass {
        flags |= PollFlags::OUT;
    }
    flags
}

impl Link {
    /// Joins two connected sockets.
    pub(super) fn new(client: TcpStream, server: TcpStream) -> io::Result<Self> {
        for socket in [&client, &server] {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
        }
        Ok(Self {
            client,
            server,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            reply_is_to_be_cut: false,
            dead: false,
        })
    }

    /// Moves what can be moved now.
    pub(super) fn pump(&mut self, state: &mut State) {
        let Self {
            client,
            server,
            to_server,
            to_client,
            ..
        } = self;
        let (flow, edit) = (state.to_server, &mut state.edit_to_server);
        let up = to_server.fill(client, flow, state.delay, edit);
        if let (Ok(()), Some(cut)) = (&up, &state.reply_cut) {
            self.reply_is_to_be_cut |= cut.left > 0 && to_server.newest_holds(&cut.request);
        }
        let (flow, edit) = (state.to_client, &mut state.edit_to_client);
        let down = to_client.fill(server, flow, state.delay, edit);
        if self.reply_is_to_be_cut && !to_client.pieces.is_empty() {
            self.reply_is_to_be_cut = false;
            if let Some(cut) = state.reply_cut.as_mut().filter(|cut| cut.left > 0) {
                cut.left -= 1;
                self.cut(Cut::Reset);
                return;
            }
        }
        let up = up.and_then(|()| to_server.empty(server, state.to_server));
        let down = down.and_then(|()| to_client.empty(client, state.to_client));
        let due = to_server.due_cut().or(to_client.due_cut());
        if up.is_err() || down.is_err() {
            self.cut(Cut::Reset);
        } else if let Some(cut) = due {
            self.cut(cut);
        } else if to_server.end_passed_on && to_client.end_passed_on {
            self.dead = true;
        }
    }

    pub(super) fn cut(&mut self, cut: Cut) {
        self.dead = true;
        for socket in [&self.client, &self.server] {
            match cut {
                // The reset goes out when the socket is dropped, right after this turn.
                Cut::Reset => {
                    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
                }
                Cut::Fin => {
                    let _ = socket.shutdown(Shutdown::Write);
                    // Closing with unread input would turn the FIN into a reset.
                    let mut sink = [0; READ_BYTES];
                    while matches!({ socket }.read(&mut sink), Ok(count) if count > 0) {}
                }
            }
        }
    }
}

impl Pipe {
    fn fill(
        &mut self,
        mut from: &TcpStream,
        flow: Flow,
        delay: Duration,
        edit: &mut Option<Edit>,
    ) -> io::Result<()> {
        let mut buffer = [0; READ_BYTES];
        while !self.source_ended && self.held_bytes < HELD_BYTES_MAX && self.cut.is_none() {
            match from.read(&mut buffer) {
                Ok(0) => self.source_ended = true,
                Ok(_) if flow == Flow::Lose => {}
                Ok(count) => {
                    let mut bytes = buffer[..count].to_vec();
                    self.cut = edit.as_mut().and_then(|edit| edit(&mut bytes));
                    self.held_bytes += bytes.len();
                    if !bytes.is_empty() {
                        self.pieces.push_back((Instant::now() + delay, bytes));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn empty(&mut self, mut into: &TcpStream, flow: Flow) -> io::Result<()> {
        if flow == Flow::Hold {
            return Ok(());
        }
        while let Some((at, piece)) = self.pieces.front_mut() {
            if *at > Instant::now() {
                return Ok(());
            }
            match into.write(piece) {
                Ok(count) => {
                    self.held_bytes -= count;
                    piece.drain(..count);
                    if piece.is_empty() {
                        self.pieces.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.source_ended && !self.end_passed_on {
            self.end_passed_on = true;
            // The other side may have closed first; then there is nobody to tell.
            let _ = into.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn due_cut(&self) -> Option<Cut> {
        self.cut.filter(|_| self.pieces.is_empty())
    }

    fn newest_holds(&self, wanted: &[u8]) -> bool {
        self.pieces
            .iter()
            .any(|(_, piece)| piece.windows(wanted.len()).any(|window| window == wanted))
    }
}
