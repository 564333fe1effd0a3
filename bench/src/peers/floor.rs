//! The floor: one thread, one epoll instance, one buffer, and nothing that a real server needs.
//!
//! `GET /sse` makes the connection a stream, `POST /tick` sends the next event to all streams and answers when
//! the kernel has them. No timers, no backlog: a stream whose socket takes less than the whole event is closed,
//! which the generator reports.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{SendFlags, send};

use super::sabotage::Sabotage;
use crate::event;

const LISTENER: u64 = 0;
const PARENT: u64 = 1;
const FIRST_CONNECTION: u64 = 2;
const REQUEST_MAX_BYTES: usize = 8 * 1024;

const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nconnection: close\r\n\r\n";
const TICKED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// A connection that has become a stream.
#[derive(Debug)]
pub struct Subscriber {
    /// Its key in the epoll instance.
    pub token: u64,
    /// Non-blocking, without Nagle.
    pub socket: TcpStream,
}

/// A way to give one event to many sockets.
pub trait Fanout {
    /// Sends `event` to all of `streams`; leaves out those that failed or took only a part.
    fn send(&mut self, streams: &mut Vec<Subscriber>, event: &[u8]) -> io::Result<()>;
}

/// One `send(2)` per stream.
#[derive(Debug)]
pub struct OneByOne;

impl Fanout for OneByOne {
    fn send(&mut self, streams: &mut Vec<Subscriber>, event: &[u8]) -> io::Result<()> {
        streams.retain(|stream| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            send(&stream.socket, event, flags) == Ok(event.len())
        });
        Ok(())
    }
}

impl Fanout for Sabotage {
    fn send(&mut self, streams: &mut Vec<Subscriber>, event: &[u8]) -> io::Result<()> {
        streams.retain_mut(|stream| {
            stream
                .socket
                .write_all(&self.bytes_for(stream.token, event))
                .is_ok()
        });
        Ok(())
    }
}

/// Serves on `listener` until `parent` (the pipe from the process that started this one) is closed.
pub fn serve(listener: TcpListener, parent: impl AsFd, fanout: &mut dyn Fanout) -> io::Result<()> {
    let mut floor = Floor::new(listener, &parent)?;
    let mut ready = Vec::with_capacity(1024);
    loop {
        ready.clear();
        epoll::wait(&floor.epoll, spare_capacity(&mut ready), None)?;
        for event in &ready {
            match event.data.u64() {
                LISTENER => floor.accept()?,
                PARENT => return Ok(()),
                token => floor.readable(token, fanout)?,
            }
        }
    }
}

struct Floor {
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    /// Connections that may still send a request, with what has arrived of it.
    clients: HashMap<u64, (TcpStream, Vec<u8>)>,
    streams: Vec<Subscriber>,
    next_token: u64,
    seq: u64,
}

enum Outcome {
    KeepReading,
    Subscribe,
    Close,
}

impl Floor {
    fn new(listener: TcpListener, parent: &impl AsFd) -> io::Result<Floor> {
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        epoll::add(&epoll, parent, EventData::new_u64(PARENT), EventFlags::IN)?;
        let (clients, streams) = (HashMap::new(), Vec::new());
        Ok(Floor {
            epoll,
            listener,
            clients,
            streams,
            next_token: FIRST_CONNECTION,
            seq: 0,
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let token = self.next_token;
            self.next_token += 1;
            epoll::add(
                &self.epoll,
                &socket,
                EventData::new_u64(token),
                EventFlags::IN,
            )?;
            self.clients.insert(token, (socket, Vec::new()));
        }
    }

    fn readable(&mut self, token: u64, fanout: &mut dyn Fanout) -> io::Result<()> {
        let Some((mut socket, mut request)) = self.clients.remove(&token) else {
            // A stream has nothing to say: it is readable when its client has gone.
            self.streams.retain(|stream| stream.token != token);
            return Ok(());
        };
        let mut buffer = [0; 2048];
        let outcome = match socket.read(&mut buffer) {
            Ok(0) => Outcome::Close,
            Ok(count) => {
                request.extend_from_slice(&buffer[..count]);
                self.answer(&mut socket, &mut request, fanout)?
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::KeepReading,
            Err(_) => Outcome::Close,
        };
        match outcome {
            Outcome::KeepReading => drop(self.clients.insert(token, (socket, request))),
            Outcome::Subscribe => self.streams.push(Subscriber { token, socket }),
            Outcome::Close => {}
        }
        Ok(())
    }

    fn answer(
        &mut self,
        socket: &mut TcpStream,
        request: &mut Vec<u8>,
        fanout: &mut dyn Fanout,
    ) -> io::Result<Outcome> {
        if !request.ends_with(b"\r\n\r\n") {
            let close = request.len() > REQUEST_MAX_BYTES;
            return Ok(if close {
                Outcome::Close
            } else {
                Outcome::KeepReading
            });
        }
        let (reply, outcome) = if request.starts_with(b"GET /sse ") {
            (STREAM_HEAD, Outcome::Subscribe)
        } else if request.starts_with(b"POST /tick ") {
            self.seq += 1;
            fanout.send(&mut self.streams, &event::encode(self.seq))?;
            (TICKED, Outcome::KeepReading)
        } else {
            (NOT_FOUND, Outcome::KeepReading)
        };
        request.clear();
        Ok(if socket.write_all(reply).is_ok() {
            outcome
        } else {
            Outcome::Close
        })
    }
}
