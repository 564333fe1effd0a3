//! One connection from greeting to end: what may be said when, and what it means.
//!
//! ```text
//! Greeting ── INFO ──▶ Greeted ── login() ──▶ LoggingIn ── PONG ──▶ Ready
//! ```
//! `Ready` means that the server has taken the login *and* the subscription, since it answers in the
//! order in which it is asked and both were asked before the ping: a refused login never looks like
//! a link. After an error the session is over.

use super::frame::{Decoder, Frame, FrameError};
use super::info::ServerInfo;
use super::login::Login;
use super::refusal::Refusal;
use super::subject::Subject;

/// The number of the only subscription.
const SID: u64 = 1;

/// How many answers to pings may wait to be sent.
const PONGS_MAX: usize = 64;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server told about itself: once first, then when its cluster changes.
    Info(ServerInfo),
    /// Login and subscription are taken.
    Ready,
    /// A message came.
    Payload(Vec<u8>),
    /// A message came that is longer than is kept.
    PayloadLeftOut {
        /// Its length, in bytes.
        bytes: u64,
    },
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Something came that must not come now.
    #[error("out of turn: {0}")]
    OutOfTurn(&'static str),
    /// `INFO` without the JSON of one.
    #[error("an INFO that is no JSON object of the known form")]
    Info,
    /// A message of a subscription that nobody made.
    #[error("a message of a subscription that nobody made")]
    Subscription,
    /// More pings than answers can be sent.
    #[error("more than {PONGS_MAX} pings without taking an answer")]
    Pings,
    /// A key is to sign, but there is nothing to sign.
    #[error(
        "the server sent no nonce: it knows no nkeys and no JWTs; use its token or user and password"
    )]
    NoNonce,
    /// A payload is longer than the server takes.
    #[error(
        "a payload of {bytes} bytes is longer than the server's max_payload ({max}): raise it to 65536"
    )]
    PayloadTooLong {
        /// Its length.
        bytes: usize,
        /// What the server takes.
        max: u64,
    },
    /// The server said `-ERR`.
    #[error("the server refuses: {0:?}")]
    Refused(Refusal),
    /// The server is in lame duck mode.
    #[error("the server is in lame duck mode")]
    LameDuck,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Greeted,
    LoggingIn,
    Ready,
}

/// One connection.
pub struct Session {
    decoder: Decoder,
    subject: Subject,
    phase: Phase,
    max_payload: u64,
    nonce: Option<String>,
    leaving: bool,
    output: Vec<u8>,
    pongs: usize,
}

impl Session {
    /// A session that waits for the server's greeting.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            decoder: Decoder::default(),
            subject,
            phase: Phase::Greeting,
            max_payload: 0,
            nonce: None,
            leaving: false,
            output: Vec::new(),
            pongs: 0,
        }
    }

    /// Takes what came. Call [`Session::next_event`] until it has nothing before the next call.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// The bytes that are held of frames that are not whole yet.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    /// What happened next; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the server breaks the protocol, refuses or leaves. The session is over then.
    pub fn next_event(&mut self) -> Result<Option<Event>, SessionError> {
        if self.leaving {
            return Err(SessionError::LameDuck);
        }
        while let Some(frame) = self.decoder.next_frame()? {
            if let Some(event) = self.take(frame)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Event>, SessionError> {
        let early = matches!(self.phase, Phase::Greeting | Phase::Greeted);
        match frame {
            Frame::Info(json) => {
                let info = ServerInfo::parse(&json).ok_or(SessionError::Info)?;
                if self.phase == Phase::Greeting {
                    self.phase = Phase::Greeted;
                }
                self.max_payload = info.max_payload;
                self.nonce.clone_from(&info.nonce);
                self.leaving = info.leaving;
                Ok(Some(Event::Info(info)))
            }
            // A server that is full says so before it says who it is.
            Frame::Error(text) => Err(SessionError::Refused(Refusal::of(&text))),
            Frame::Ok if !early => Ok(None),
            Frame::Ping if !early => {
                self.pongs += 1;
                if self.pongs > PONGS_MAX {
                    return Err(SessionError::Pings);
                }
                self.output.extend_from_slice(b"PONG\r\n");
                Ok(None)
            }
            Frame::Pong if self.phase == Phase::LoggingIn => {
                self.phase = Phase::Ready;
                Ok(Some(Event::Ready))
            }
            Frame::Message { sid, .. } | Frame::Passed { sid, .. } if !early && sid != SID => {
                Err(SessionError::Subscription)
            }
            // An empty one says nothing to anybody.
            Frame::Message { payload, .. } if !early => {
                Ok((!payload.is_empty()).then_some(Event::Payload(payload)))
            }
            Frame::Passed { bytes, .. } if !early => Ok(Some(Event::PayloadLeftOut { bytes })),
            Frame::Ok => Err(SessionError::OutOfTurn("+OK before the login")),
            Frame::Ping => Err(SessionError::OutOfTurn("PING before the login")),
            Frame::Pong => Err(SessionError::OutOfTurn("PONG without a ping")),
            Frame::Message { .. } | Frame::Passed { .. } => {
                Err(SessionError::OutOfTurn("a message before the subscription"))
            }
        }
    }

    /// Checks that nothing came after the greeting: what follows must be TLS, and bytes that were
    /// sent in the clear must never be taken for bytes that came through it.
    ///
    /// # Errors
    /// When there was no greeting, or something came after it.
    pub fn ready_for_tls(&self) -> Result<(), SessionError> {
        if self.phase != Phase::Greeted {
            return Err(SessionError::OutOfTurn("TLS is for after the greeting"));
        }
        if !self.decoder.is_between_frames() {
            return Err(SessionError::OutOfTurn(
                "bytes between the greeting and TLS",
            ));
        }
        Ok(())
    }

    /// Says who this is, subscribes, and asks for a sign that both are done. `name` is what the
    /// server's lists of clients show; `tls` says whether this connection is under TLS.
    ///
    /// # Errors
    /// When there was no greeting, or it lacks what the login needs.
    pub fn login(&mut self, login: &Login, name: &str, tls: bool) -> Result<(), SessionError> {
        if self.phase != Phase::Greeted {
            return Err(SessionError::OutOfTurn("a login is for after the greeting"));
        }
        let line = login.line(name, tls, self.nonce.as_deref())?;
        self.output.extend_from_slice(&line);
        let subscription = format!("SUB {} {SID}\r\nPING\r\n", self.subject.as_str());
        self.output.extend_from_slice(subscription.as_bytes());
        self.phase = Phase::LoggingIn;
        Ok(())
    }

    /// Publishes `payloads`; nothing of them when one is too long.
    ///
    /// # Errors
    /// When a payload is longer than the server takes, or the session is not ready.
    pub fn publish(&mut self, payloads: &[Vec<u8>]) -> Result<(), SessionError> {
        if self.phase != Phase::Ready {
            return Err(SessionError::OutOfTurn("publishing is for after the login"));
        }
        if let Some(payload) = payloads.iter().find(|p| p.len() as u64 > self.max_payload) {
            return Err(SessionError::PayloadTooLong {
                bytes: payload.len(),
                max: self.max_payload,
            });
        }
        for payload in payloads {
            let head = format!("PUB {} {}\r\n", self.subject.as_str(), payload.len());
            self.output.extend_from_slice(head.as_bytes());
            self.output.extend_from_slice(payload);
            self.output.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Whether there is something to send.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// What is to be sent, whole frames; call it when what it gave before has been sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.pongs = 0;
        std::mem::take(&mut self.output)
    }
}
