//! One TLS session, without I/O and without buffers of its own while it is idle.
//!
//! Invariants:
//! - [`Session::take_in`] is given what was left of the last record and what came since, in one
//!   piece; what is left of it again is kept in `partial`, and nothing else is.
//! - `plain` holds decrypted bytes that nobody has read; no more is taken in before they are.
//! - Bytes leave in the order in which they were made: whoever seals has sent `unsent` before, or
//!   appends to it.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

/// How much is encrypted at once: two records. What a full socket did not take of it is kept per
/// connection.
pub(crate) const SEAL_MAX_BYTES: usize = 32 * 1024;

/// What each record costs beside its content, at most.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The content of one record, at most (RFC 8446, 5.1).
const RECORD_CONTENT_BYTES: usize = 16 * 1024;

/// What may wait of an unfinished record, or of a handshake message in several: rustls takes
/// messages of 64 KiB, and one more record may have begun.
const PARTIAL_MAX_BYTES: usize = 64 * 1024 + RECORD_CONTENT_BYTES + 1024;

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{0}")]
    Protocol(#[from] rustls::Error),
    #[error("the peer sent a message of more than {PARTIAL_MAX_BYTES} bytes")]
    TooLong,
    #[error("the session is over: nothing can be encrypted any more")]
    Over,
}

/// What is kept while bytes wait; absent while none do.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many of them are done with.
    done: usize,
}

impl Waiting {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    fn is_empty(&self) -> bool {
        self.done >= self.bytes.len()
    }

    fn advance(&mut self, count: usize) {
        self.done += count;
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

/// The server's side of one TLS connection.
pub(crate) struct Session {
    tls: UnbufferedServerConnection,
    partial: Vec<u8>,
    plain: Waiting,
    unsent: Waiting,
    /// Where its next bytes lie in the shard's scratch while a batch is sent.
    sealed: (u32, u32),
    /// The peer has said that nothing more comes.
    ended: bool,
    /// It broke the rules: rustls must not be asked again.
    failed: bool,
}

impl Session {
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self {
            tls: UnbufferedServerConnection::new(config)?,
            partial: Vec::new(),
            plain: Waiting::default(),
            unsent: Waiting::default(),
            sealed: (0, 0),
            ended: false,
            failed: false,
        })
    }

    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// The protocol that both sides chose.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// What is left of the last record: it goes before the next bytes.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes what came, decrypts what is whole, and answers what TLS itself asks for.
    ///
    /// # Errors
    /// [`TlsError`]; the alert that tells the peer why is among the unsent bytes then.
    pub fn take_in(&mut self, bytes: &mut [u8]) -> Result<(), TlsError> {
        debug_assert!(bytes.starts_with(&self.partial));
        if self.failed {
            return Err(TlsError::Over);
        }
        let (plain, out) = (&mut self.plain.bytes, &mut self.unsent.bytes);
        let used = drive(&mut self.tls, bytes, plain, out, &mut self.ended, |_, _| {
            Ok(())
        });
        self.failed = used.is_err();
        let used = used?;
        let rest = &bytes[used..];
        if rest.len() > PARTIAL_MAX_BYTES {
            self.failed = true;
            return Err(TlsError::TooLong);
        }
        if rest.is_empty() {
            self.partial = Vec::new();
        } else {
            self.partial.clear();
            self.partial.extend_from_slice(rest);
        }
        Ok(())
    }

    /// There is something to read, or an end.
    pub fn has_plain(&self) -> bool {
        !self.plain.is_empty() || self.ended
    }

    /// Decrypted bytes wait.
    pub fn has_unread(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Moves decrypted bytes to `buffer`; `Some(0)` is the end, `None` that nothing is there.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let rest = self.plain.rest();
        if rest.is_empty() {
            return self.ended.then_some(0);
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.plain.advance(count);
        Some(count)
    }

    /// Appends `plain` to `out`, encrypted; nothing may be unsent but what `out` begins with.
    ///
    /// # Errors
    /// When the session is over, or its keys are used up.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(out, |mut traffic, out| {
            let records = plain.len().div_ceil(RECORD_CONTENT_BYTES);
            let most = plain.len() + records * RECORD_OVERHEAD_BYTES;
            append(out, most, |room| traffic.encrypt(plain, room))
        })
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// When the session is over.
    pub fn say_goodbye(&mut self) -> Result<(), TlsError> {
        let mut out = Vec::new();
        let said = self.write(&mut out, |mut traffic, out| {
            append(out, RECORD_OVERHEAD_BYTES, |room| {
                traffic.queue_close_notify(room)
            })
        });
        self.unsent.bytes.extend_from_slice(&out);
        said
    }

    fn write(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnMut(Traffic<'_>, &mut Vec<u8>) -> Result<(), TlsError>,
    ) -> Result<(), TlsError> {
        if self.failed || self.tls.is_handshaking() {
            return Err(TlsError::Over);
        }
        let plain = &mut self.plain.bytes;
        // What waits of a record stays where it is: it is no record yet.
        let partial = &mut self.partial;
        let written = drive(&mut self.tls, partial, plain, out, &mut self.ended, write);
        self.failed = written.is_err();
        written.map(drop)
    }

    /// Encrypted bytes that have not left.
    pub fn unsent(&self) -> &[u8] {
        self.unsent.rest()
    }

    pub fn is_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// So many of the unsent bytes have left.
    pub fn sent(&mut self, count: usize) {
        self.unsent.advance(count);
    }

    /// Keeps encrypted bytes that a full socket did not take.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.unsent.bytes.extend_from_slice(bytes);
    }

    /// Remembers where the next bytes lie in the scratch of a batch.
    pub fn lies_at(&mut self, range: std::ops::Range<usize>) {
        let end = |at: usize| u32::try_from(at).expect("a batch's scratch is small");
        self.sealed = (end(range.start), end(range.end));
    }

    /// Where they lie.
    pub fn sealed(&self) -> std::ops::Range<usize> {
        self.sealed.0 as usize..self.sealed.1 as usize
    }
}

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

/// Runs rustls until it wants more input, or may write: then `write` has its turn, once. Gives how
/// much of `input` is done with.
fn drive(
    tls: &mut UnbufferedServerConnection,
    input: &mut [u8],
    plain: &mut Vec<u8>,
    out: &mut Vec<u8>,
    ended: &mut bool,
    mut write: impl FnMut(Traffic<'_>, &mut Vec<u8>) -> Result<(), TlsError>,
) -> Result<usize, TlsError> {
    let mut used = 0;
    loop {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut input[used..]);
        used += discard;
        match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    used += record.discard;
                    plain.extend_from_slice(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(message)) => encode(message, out)?,
            // It was taken over by `out`, which leaves in order.
            Ok(ConnectionState::TransmitTlsData(message)) => message.done(),
            Ok(ConnectionState::PeerClosed) => *ended = true,
            Ok(ConnectionState::Closed) => {
                *ended = true;
                return Ok(used);
            }
            Ok(ConnectionState::WriteTraffic(traffic)) => {
                write(traffic, out)?;
                return Ok(used);
            }
            // Early data is not accepted, so rustls never has any.
            Ok(_) => return Ok(used),
            Err(error) => {
                last_words(tls, out)?;
                return Err(error.into());
            }
        }
    }
}

/// The alert that tells the peer why. It is asked for only while it is there: rustls must not see
/// another byte of a peer that broke the rules.
fn last_words(tls: &mut UnbufferedServerConnection, out: &mut Vec<u8>) -> Result<(), TlsError> {
    while tls.wants_write() {
        match tls.process_tls_records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(message)) => encode(message, out)?,
            // What came before the fault is not read any more.
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while traffic.next_record().is_some() {}
            }
            _ => break,
        }
    }
    Ok(())
}

fn encode(
    mut message: EncodeTlsData<'_, ServerConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), TlsError> {
    let size = match message.encode(&mut []) {
        Ok(_) => return Ok(()),
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        Err(EncodeError::AlreadyEncoded) => return Err(TlsError::Over),
    };
    let start = out.len();
    out.resize(start + size, 0);
    message
        .encode(&mut out[start..])
        .map(drop)
        .map_err(|_| TlsError::Over)
}

/// Appends what `write` makes, which needs about `most` bytes of room.
fn append(
    out: &mut Vec<u8>,
    most: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), TlsError> {
    let start = out.len();
    let mut room = most;
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(count) => {
                out.truncate(start + count);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => {
                out.truncate(start);
                return Err(TlsError::Over);
            }
        }
    }
}
