//! The connection that makes the ticks.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::LoadError;
use super::http::Response;

/// A kept-alive connection with at most one request under way.
#[derive(Debug)]
pub(super) struct Control {
    pub socket: TcpStream,
    response: Response,
    body: Vec<u8>,
    gone: bool,
    /// A request is under way.
    asking: bool,
}

impl Control {
    /// Connects.
    pub fn dial(server: SocketAddr) -> io::Result<Control> {
        let socket = TcpStream::connect(server)?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Control {
            socket,
            response: Response::default(),
            body: Vec::new(),
            gone: false,
            asking: false,
        })
    }

    /// Sends a request; the one before must have been answered.
    pub fn ask(&mut self, request: &str) -> io::Result<()> {
        self.response = Response::default();
        self.body.clear();
        self.asking = true;
        self.socket.write_all(request.as_bytes())
    }

    /// Reads once. True once the answer is complete.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<bool, LoadError> {
        let count = match self.socket.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(LoadError::Control(error)),
        };
        if count == 0 && !self.asking {
            self.gone = true;
            return Ok(true);
        }
        if count == 0 {
            return Err(LoadError::Control(io::ErrorKind::UnexpectedEof.into()));
        }
        let body = &mut self.body;
        self.response
            .feed(&buffer[..count], &mut |piece| body.extend_from_slice(piece))?;
        match self.response.head() {
            Some(head) if self.response.is_done() && !(200..300).contains(&head.status) => {
                let text = String::from_utf8_lossy(&self.body).into_owned();
                Err(LoadError::TickRefused {
                    status: head.status,
                    text,
                })
            }
            _ => {
                self.asking &= !self.response.is_done();
                Ok(!self.asking)
            }
        }
    }

    /// Whether the next request needs a new connection.
    pub fn is_closing(&self) -> bool {
        self.gone || self.response.head().is_some_and(|head| head.closes)
    }

    /// Whether the server has closed it.
    pub fn is_gone(&self) -> bool {
        self.gone
    }
}
