//! A broker's connection, plain or TLS, which both halves of a link share.
//!
//! Invariants:
//! - [`Wire::write_all`] queues its bytes whole before it waits for the first time, so what two
//!   callers write never mixes, and dropping the future in the middle leaves no half frame: the next
//!   call sends the rest.
//! - Both halves are polled by the one task of the link: a socket wakes one task per direction.
//! - A certificate is always checked, against the name that was dialled. There is no switch.
//! - Nothing of a host, an address or a certificate gets into an error.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};

use super::{BrokerError, LinkContext};
use crate::runtime::Socket;

/// Bytes that may wait to be sent; more means that the peer does not read.
const UNSENT_MAX_BYTES: usize = 512 * 1024;

/// The longest file of certificates or keys, in bytes.
const PEM_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Room for what one read takes off the socket, in bytes.
const RECORD_BYTES: usize = 16 * 1024;

/// How a broker is trusted, and how this node shows who it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsOptions {
    /// Certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl TlsOptions {
    /// Reads the certificates: for each attempt anew, so that they can be changed while running.
    ///
    /// # Errors
    /// `Secret` for a file that can't be read, `Tls` for one that can't be used.
    pub(crate) async fn load(
        &self,
        context: &LinkContext,
    ) -> Result<Arc<ClientConfig>, BrokerError> {
        let options = self.clone();
        context.blocking(move || options.read()).await?
    }

    fn read(&self) -> Result<Arc<ClientConfig>, BrokerError> {
        let mut roots = RootCertStore::empty();
        let certificates = match &self.ca_file {
            Some(path) => read_certificates(path, "CA file")?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        // Roots of the system that rustls can't read are passed over, as everywhere.
        let (taken, _) = roots.add_parsable_certificates(certificates);
        if taken == 0 {
            return Err(failed(
                "there is no certificate to trust: give a CA file, or install the system's CA bundle",
            ));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| reason_of(&error))?
            .with_root_certificates(roots);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = read_certificates(chain, "client certificate")?;
                let key = PrivateKeyDer::from_pem_slice(&read_pem(key, "client key")?)
                    .map_err(|_| failed("the client key is no PEM file with a private key"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| failed("the client certificate and the client key don't match"))?
            }
        };
        Ok(Arc::new(config))
    }
}

fn read_pem(path: &Path, what: &'static str) -> Result<Vec<u8>, BrokerError> {
    let error = |kind| BrokerError::Secret { what, kind };
    let file = std::fs::File::open(path).map_err(|e| error(e.kind()))?;
    let mut bytes = Vec::new();
    file.take(PEM_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| error(e.kind()))?;
    if bytes.len() as u64 > PEM_MAX_BYTES {
        return Err(error(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

fn read_certificates(
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
    let bytes = read_pem(path, what)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(BrokerError::Tls {
            reason: format!("the {what} is no PEM file with certificates"),
        }),
    }
}

fn failed(reason: &str) -> BrokerError {
    BrokerError::Tls {
        reason: reason.to_owned(),
    }
}

/// What is wrong, in words; rustls' own texts name hosts.
fn reason_of(error: &rustls::Error) -> BrokerError {
    use CertificateError as Bad;
    let reason = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "the broker's certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the broker's certificate is not valid yet: check this machine's clock"
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the broker's certificate is for another name than the one that was dialled"
            }
            // A bad signature: another CA of the same name.
            Bad::UnknownIssuer | Bad::BadSignature => {
                "the broker's certificate is not signed by a CA that is trusted here: check the CA file"
            }
            Bad::Revoked => "the broker's certificate is revoked",
            _ => "the broker's certificate is not acceptable",
        },
        rustls::Error::AlertReceived(alert) => {
            return BrokerError::Tls {
                reason: format!(
                    "the broker refused with the alert {alert:?}: check the client certificate, if it asks for one"
                ),
            };
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            "the broker's answer is not TLS: check the port, and whether the broker has TLS on it"
        }
        rustls::Error::PeerIncompatible(_) => {
            "the broker has no version or cipher in common with this node"
        }
        rustls::Error::PeerMisbehaved(_) => "the broker broke the rules of TLS",
        _ => "the handshake or a record failed",
    };
    failed(reason)
}

fn broken(error: &io::Error) -> BrokerError {
    BrokerError::Broken { kind: error.kind() }
}

struct State {
    /// Absent on a plain connection.
    tls: Option<Box<ClientConnection>>,
    /// Bytes for the socket, encrypted already.
    unsent: Vec<u8>,
    /// How many of them are sent.
    sent: usize,
    /// Encrypted bytes of one read, and which of them rustls has not taken yet: it takes no more
    /// while decrypted ones wait to be read.
    record: Vec<u8>,
    untaken: Range<usize>,
}

/// An open connection to a broker.
pub(crate) struct Wire {
    socket: Socket,
    state: RefCell<State>,
}

impl Wire {
    /// A connection without TLS.
    pub(crate) fn plain(socket: Socket) -> Self {
        let state = State {
            tls: None,
            unsent: Vec::new(),
            sent: 0,
            record: Vec::new(),
            untaken: 0..0,
        };
        Self {
            socket,
            state: RefCell::new(state),
        }
    }

    /// Shakes hands on a connection; `host` is the name that the certificate must be for.
    ///
    /// # Errors
    /// `Tls`, or what the socket says.
    pub(crate) async fn secure(
        socket: Socket,
        config: Arc<ClientConfig>,
        host: &str,
    ) -> Result<Self, BrokerError> {
        Self::plain(socket).upgrade(config, host).await
    }

    /// Shakes hands on a connection that was plain so far, for protocols that begin so. Whatever was
    /// received must have been read: what follows is the handshake.
    ///
    /// # Errors
    /// `Tls`, or what the socket says.
    pub(crate) async fn upgrade(
        self,
        config: Arc<ClientConfig>,
        host: &str,
    ) -> Result<Self, BrokerError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            failed("the broker's host is neither a name nor an address, so no certificate fits it")
        })?;
        let tls = ClientConnection::new(config, name).map_err(|error| reason_of(&error))?;
        {
            let mut state = self.state.borrow_mut();
            state.tls = Some(Box::new(tls));
            state.record = vec![0; RECORD_BYTES];
        }
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            loop {
                state.collect();
                let flushed = state.poll_flush(cx, &self.socket)?;
                if !state.handshaking() {
                    return flushed.map(Ok);
                }
                if ready!(state.poll_fill(cx, &self.socket))? == 0 {
                    return Poll::Ready(Err(failed(
                        "the broker ended the connection during the handshake: check the port, and whether the broker has TLS on it",
                    )));
                }
            }
        })
        .await?;
        Ok(self)
    }

    /// Reads what is there; `Ok(0)` is the end.
    ///
    /// # Errors
    /// `Broken` or `Tls`.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> Result<usize, BrokerError> {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            loop {
                // What the peer asks for while it is read (a new key), and what a dropped write left.
                let _ = state.poll_flush(cx, &self.socket)?;
                let Some(tls) = &mut state.tls else {
                    let read = ready!(self.socket.poll_read(cx, buffer));
                    return Poll::Ready(read.map_err(|error| broken(&error)));
                };
                match tls.reader().read(buffer) {
                    Ok(read) => return Poll::Ready(Ok(read)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(broken(&error))),
                }
                if ready!(state.poll_fill(cx, &self.socket))? == 0 {
                    // An end without TLS's own goodbye is an end all the same: frames tell whether
                    // something is missing.
                    return Poll::Ready(Ok(0));
                }
                state.collect();
            }
        })
        .await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// `Broken` or `Tls`.
    pub(crate) async fn write_all(&self, bytes: &[u8]) -> Result<(), BrokerError> {
        self.state.borrow_mut().queue(bytes)?;
        poll_fn(|cx| self.state.borrow_mut().poll_flush(cx, &self.socket)).await
    }
}

impl State {
    fn handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    fn queue(&mut self, bytes: &[u8]) -> Result<(), BrokerError> {
        if self.unsent.len() - self.sent + bytes.len() > UNSENT_MAX_BYTES {
            return Err(BrokerError::TimedOut {
                doing: "reading what it is sent",
            });
        }
        let Some(tls) = &mut self.tls else {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        };
        tls.set_buffer_limit(None);
        tls.writer()
            .write_all(bytes)
            .map_err(|error| broken(&error))?;
        self.collect();
        Ok(())
    }

    /// Moves encrypted bytes out of rustls.
    fn collect(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.unsent)
                    .expect("memory takes all bytes");
            }
        }
    }

    fn poll_flush(&mut self, cx: &Context<'_>, socket: &Socket) -> Poll<Result<(), BrokerError>> {
        while self.sent < self.unsent.len() {
            let written = ready!(socket.poll_write(cx, &self.unsent[self.sent..]));
            match written {
                Ok(0) => {
                    let kind = io::ErrorKind::WriteZero;
                    return Poll::Ready(Err(BrokerError::Broken { kind }));
                }
                Ok(count) => self.sent += count,
                Err(error) => return Poll::Ready(Err(broken(&error))),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Gives encrypted bytes to rustls, of the last read or a new one; 0 is the end.
    fn poll_fill(&mut self, cx: &Context<'_>, socket: &Socket) -> Poll<Result<usize, BrokerError>> {
        let tls = self.tls.as_mut().expect("only TLS is filled");
        if self.untaken.is_empty() {
            let count = ready!(socket.poll_read(cx, &mut self.record)).map_err(|e| broken(&e))?;
            self.untaken = 0..count;
        }
        let mut rest = &self.record[self.untaken.clone()];
        let taken = tls.read_tls(&mut rest).map_err(|error| broken(&error))?;
        self.untaken.start += taken;
        if let Err(error) = tls.process_new_packets() {
            // The alert that tells the peer why; it may be gone already.
            self.collect();
            let _ = self.poll_flush(cx, socket);
            return Poll::Ready(Err(reason_of(&error)));
        }
        Poll::Ready(Ok(taken))
    }
}

#[cfg(test)]
mod tests;
