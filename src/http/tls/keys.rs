//! The key that new handshakes use: it can be changed while the server runs.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Pair;

/// HTTP/2 as ALPN has it.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// HTTP/1.1 as ALPN has it.
pub(crate) const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificate and key of the moment, for all shards.
#[derive(Debug)]
pub(crate) struct Keys(RwLock<Pair>);

impl Keys {
    pub fn new(pair: Pair) -> Arc<Self> {
        Arc::new(Self(RwLock::new(pair)))
    }

    /// New handshakes use this pair from now on.
    pub fn replace(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&pair.0))
    }
}

/// What all handshakes of a process are made with: TLS 1.2 and 1.3, tickets that hold their own
/// state and that every shard accepts, no early data.
///
/// # Errors
/// When there is no randomness for the tickets' keys.
pub(crate) fn server_config(
    keys: Arc<Keys>,
    http2: bool,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(keys);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    if http2 {
        config.alpn_protocols.insert(0, HTTP_2.to_vec());
    }
    Ok(Arc::new(config))
}
