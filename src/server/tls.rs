//! Certificate and key of a running server: looked at every two seconds, and at once on SIGHUP.
//!
//! Invariant: new handshakes use the newest pair of files that was good; what is open stays. Files
//! that are no pair change nothing. They are told once, and only when they were still the same at
//! a second look: between the writing of one file and of the other there is always such a moment.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::StartError;
use super::config::{Config, Surroundings, ThisProcess};
use crate::http::tls::{Keys, Pair, server_config};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads certificate and key, and watches them from now on; `None` without TLS.
pub(super) fn start(config: &Config) -> Result<Option<Arc<ServerConfig>>, StartError> {
    let Some(files) = Files::of(config) else {
        return Ok(None);
    };
    let machine =
        |what: &str, error: &dyn std::fmt::Display| StartError::Machine(format!("{what}: {error}"));
    let texts = files.read();
    let pair = texts
        .parse()
        .map_err(|reason| machine("the certificate changed while the server started", &reason))?;
    let keys = Keys::new(pair);
    let made = server_config(Arc::clone(&keys), config.http2)
        .map_err(|error| machine("no TLS", &error))?;
    let (wake, hang_up) =
        UnixStream::pair().map_err(|error| machine("SIGHUP can't be watched", &error))?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, hang_up)
        .map_err(|error| machine("SIGHUP can't be watched", &error))?;
    wake.set_read_timeout(Some(LOOK_EVERY))
        .map_err(|error| machine("SIGHUP can't be watched", &error))?;
    let mut watch = Watch {
        files,
        keys,
        used: texts,
        seen: None,
        told: false,
    };
    std::thread::Builder::new()
        .name("tls-files".to_owned())
        .spawn(move || {
            loop {
                // A signal, or the time between two looks.
                let _ = (&wake).read(&mut [0; 16]);
                watch.look();
            }
        })
        .map_err(|error| machine("no thread for the certificate", &error))?;
    Ok(Some(made))
}

/// Certificate and key as they are now, or why they can't be used; `None` without TLS.
pub(super) fn read(config: &Config) -> Option<Result<Pair, String>> {
    Files::of(config).map(|files| files.read().parse())
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(config: &Config) -> Option<Self> {
        Some(Self {
            cert: config.tls_cert.clone()?,
            key: config.tls_key.clone()?,
        })
    }

    fn read(&self) -> Texts {
        let read = |path| {
            ThisProcess
                .read_file(path)
                .map_err(|error: std::io::Error| error.to_string())
        };
        Texts {
            cert: read(&self.cert),
            key: read(&self.key),
        }
    }
}

/// What both files hold, or why they can't be read.
#[derive(PartialEq, Eq)]
struct Texts {
    cert: Result<String, String>,
    key: Result<String, String>,
}

impl Texts {
    fn parse(&self) -> Result<Pair, String> {
        let cert = self.cert.as_ref();
        let cert = cert.map_err(|error| format!("the certificate can't be read: {error}"))?;
        let key = self.key.as_ref();
        let key = key.map_err(|error| format!("the key can't be read: {error}"))?;
        Pair::parse(cert, key).map_err(|error| error.to_string())
    }
}

struct Watch {
    files: Files,
    keys: Arc<Keys>,
    /// What new handshakes use.
    used: Texts,
    /// What was there at the last look and is no pair.
    seen: Option<Texts>,
    /// That was told.
    told: bool,
}

impl Watch {
    fn look(&mut self) {
        let texts = self.files.read();
        if texts == self.used {
            self.seen = None;
            return;
        }
        match texts.parse() {
            Ok(pair) => {
                let doubt = pair.doubt();
                self.keys.replace(pair);
                self.used = texts;
                self.seen = None;
                tracing::info!("new handshakes use the new certificate; what is open stays");
                if let Some(doubt) = doubt {
                    tracing::warn!("{doubt}: renew it");
                }
            }
            Err(_) if self.seen.as_ref() != Some(&texts) => {
                self.seen = Some(texts);
                self.told = false;
            }
            Err(reason) => {
                if !std::mem::replace(&mut self.told, true) {
                    tracing::warn!(
                        reason,
                        "the new certificate and key can't be used: the old ones stay in use"
                    );
                }
            }
        }
    }
}
