//! A certificate chain and its key, read from PEM and known to belong together.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::CertificateError;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

/// Why two files are no certificate with its key. No text repeats a byte of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// The file of the certificate has none.
    #[error(
        "the certificate file holds no certificate: give it the chain in PEM (-----BEGIN CERTIFICATE-----), the server's own first"
    )]
    NoCertificate,
    /// It has one that nobody could read.
    #[error(
        "the certificate file holds a certificate that can't be read: give it the chain in PEM"
    )]
    BadCertificate,
    /// The file of the key has none.
    #[error(
        "the key file holds no private key: give it the key in PEM (-----BEGIN PRIVATE KEY-----), without a passphrase"
    )]
    NoKey,
    /// A key of a kind that can't be used.
    #[error(
        "the key file holds a key that can't be used: make one of ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits"
    )]
    BadKey,
    /// Each is good, but not together.
    #[error(
        "the certificate is for another key: the first certificate of the chain must be the one that was made for this key"
    )]
    Mismatch,
}

/// A certificate chain and its key.
#[derive(Clone, Debug)]
pub(crate) struct Pair(pub(super) Arc<CertifiedKey>);

impl Pair {
    /// Reads both texts.
    ///
    /// # Errors
    /// [`PairError`]
    pub fn parse(certificate: &str, key: &str) -> Result<Self, PairError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|_| PairError::BadCertificate)?;
        if chain.is_empty() {
            return Err(PairError::NoCertificate);
        }
        if chain
            .iter()
            .any(|certificate| ParsedCertificate::try_from(certificate).is_err())
        {
            return Err(PairError::BadCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| PairError::NoKey)?;
        match CertifiedKey::from_der(chain, key, &default_provider()) {
            Ok(pair) => Ok(Self(Arc::new(pair))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(PairError::Mismatch),
            Err(_) => Err(PairError::BadKey),
        }
    }

    /// When the first certificate of the chain stops to be valid.
    pub fn valid_until(&self) -> Option<SystemTime> {
        // Asked whether it is still good at the end of time, the verifier tells until when it was.
        let end = UnixTime::since_unix_epoch(Duration::from_secs(END_OF_TIME_SECONDS));
        match self.judge(end)? {
            CertificateError::ExpiredContext { not_after, .. } => {
                Some(UNIX_EPOCH + Duration::from_secs(not_after.as_secs()))
            }
            _ => None,
        }
    }

    /// Its time has not come yet.
    pub fn is_early(&self) -> bool {
        matches!(
            self.judge(UnixTime::now()),
            Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
        )
    }

    /// Why browsers will not take it, as far as that can be seen here: its time.
    pub fn doubt(&self) -> Option<String> {
        if self.is_early() {
            return Some("the certificate is not valid yet".to_owned());
        }
        let end = self.valid_until()?;
        (end <= SystemTime::now()).then(|| {
            let end = httpdate::fmt_http_date(end);
            format!("the certificate is not valid any more since {end}")
        })
    }

    /// What is wrong with it at a time, its issuer left aside.
    fn judge(&self, at: UnixTime) -> Option<CertificateError> {
        let (own, rest) = self.0.cert.split_first()?;
        let own = ParsedCertificate::try_from(own).ok()?;
        let known = default_provider().signature_verification_algorithms;
        let nobody = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(&own, &nobody, rest, at, known.all) {
            Err(rustls::Error::InvalidCertificate(error)) => Some(error),
            _ => None,
        }
    }
}

/// The last second of the year 9999, which certificates without an end have as theirs.
const END_OF_TIME_SECONDS: u64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;

    use autovia_testkit::{Authority, Certificate};

    use super::*;

    fn texts(certificate: &Certificate) -> (String, String) {
        let read = |path| read_to_string(path).expect("a file");
        (read(&certificate.chain_file), read(&certificate.key_file))
    }

    #[test]
    fn a_pair_is_a_pair_and_nothing_else_is() {
        let authority = Authority::new();
        let (chain, key) = texts(&authority.issue(&["a.test"]));
        let (_, other) = texts(&authority.issue(&["b.test"]));
        assert!(Pair::parse(&chain, &key).is_ok());
        let error = |chain: &str, key: &str| Pair::parse(chain, key).map(drop).unwrap_err();
        assert_eq!(error(&chain, &other), PairError::Mismatch);
        assert_eq!(error("", &key), PairError::NoCertificate);
        assert_eq!(error(&key, &key), PairError::NoCertificate);
        assert_eq!(error(&chain, ""), PairError::NoKey);
        assert_eq!(error(&chain, &chain), PairError::NoKey);
        let torn = chain.replacen("MII", "AII", 1);
        assert_eq!(error(&torn, &key), PairError::BadCertificate);
        let unknown = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(error(&chain, unknown), PairError::BadKey);
    }

    #[test]
    fn the_time_of_a_certificate_is_known() {
        let authority = Authority::new();
        let pair = |certificate: &Certificate| {
            let (chain, key) = texts(certificate);
            Pair::parse(&chain, &key).expect("a pair")
        };
        let good = pair(&authority.issue(&["a.test"]));
        assert!(!good.is_early() && good.valid_until() > Some(SystemTime::now()));
        let expired = pair(&authority.issue_expired(&["a.test"]));
        let end = expired.valid_until().map(httpdate::fmt_http_date);
        assert_eq!(end.as_deref(), Some("Tue, 01 Jan 2002 00:00:00 GMT"));
        assert!(pair(&authority.issue_early(&["a.test"])).is_early());
    }
}
