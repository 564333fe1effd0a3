//! A certificate authority of a test, and certificates of all kinds, good and bad.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::folder::Folder;

/// A certificate and its key, as PEM files. They are there as long as their [`Authority`] is.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub chain_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// A certificate authority that nobody but the test knows.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
    ca_file: PathBuf,
}

impl Authority {
    /// A new authority; two are strangers to each other.
    #[allow(clippy::new_without_default, reason = "it makes keys and files")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "a CA of a test");
        let key = KeyPair::generate().expect("ring makes keys");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("it signs itself");
        let folder = Folder::new("ca");
        let ca_file = folder.write("ca.pem", issuer.pem());
        Self {
            issuer,
            folder,
            ca_file,
        }
    }

    /// The PEM file to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.ca_file.clone()
    }

    /// A client's TLS that trusts this authority and nobody else.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.client_config_with(rustls::DEFAULT_VERSIONS)
    }

    /// The same with one version of TLS.
    pub fn client_config_for(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        self.client_config_with(&[version])
    }

    fn client_config_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.issuer.der().clone())
            .expect("a CA is a root");
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A certificate for a server with these names and addresses, or for a client.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.sign("good", names, |_| {})
    }

    /// One whose time was over long ago.
    pub fn issue_expired(&self, names: &[&str]) -> Certificate {
        self.sign("expired", names, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    /// One whose time is still to come.
    pub fn issue_early(&self, names: &[&str]) -> Certificate {
        self.sign("early", names, |params| {
            params.not_before = date_time_ymd(2999, 1, 1);
            params.not_after = date_time_ymd(3000, 1, 1);
        })
    }

    fn sign(
        &self,
        kind: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let label = format!("{kind}-{}", names.join("-").replace([':', '*'], "_"));
        let mut params = CertificateParams::new(names).expect("names and addresses");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params.signed_by(&key, &self.issuer).expect("the CA signs");
        Certificate {
            chain_file: self
                .folder
                .write(&format!("{label}.pem"), certificate.pem()),
            key_file: self
                .folder
                .write(&format!("{label}.key"), key.serialize_pem()),
        }
    }
}
