//! Certificate and key of this server: both or neither, and they belong together.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::layers::Layers;
use super::settings as s;
use crate::http::tls::Pair;

/// The two paths, whose files were read and tried.
pub(super) fn pick(
    layers: &mut Layers<'_>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    warnings: &mut Vec<String>,
) -> Result<(Option<PathBuf>, Option<PathBuf>), ConfigError> {
    let cert = layers.path(s::TLS_CERT.name, cert)?;
    let key = layers.path(s::TLS_KEY.name, key)?;
    match (&cert, &key) {
        (Some(cert), Some(key)) => check(layers, cert, key, warnings)?,
        (None, None) => {}
        (Some(_), None) => return Err(alone(layers, s::TLS_CERT.name, s::TLS_KEY.name)),
        (None, Some(_)) => return Err(alone(layers, s::TLS_KEY.name, s::TLS_CERT.name)),
    }
    Ok((cert, key))
}

fn alone(layers: &Layers<'_>, one: &'static str, other: &str) -> ConfigError {
    ConfigError::Combination(format!(
        "{one} ({}) without {other}: TLS needs both, give {other} too or leave {one} out",
        layers.origin(one)
    ))
}

fn check(
    layers: &Layers<'_>,
    cert: &Path,
    key: &Path,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let read = |what, path: &Path, name, remedy| {
        layers
            .world
            .read_file(path)
            .map_err(|error| ConfigError::Unreadable {
                what,
                path: path.to_owned(),
                origin: Box::new(layers.origin(name)),
                reason: error.to_string(),
                remedy,
            })
    };
    let cert_text = read(
        "the certificate",
        cert,
        s::TLS_CERT.name,
        "Name a PEM file that this user may read",
    )?;
    let key_text = read(
        "the key",
        key,
        s::TLS_KEY.name,
        "Name a PEM file that this user may read, and nobody else",
    )?;
    let pair = Pair::parse(&cert_text, &key_text).map_err(|problem| ConfigError::Pair {
        cert: cert.to_owned(),
        cert_origin: Box::new(layers.origin(s::TLS_CERT.name)),
        key: key.to_owned(),
        key_origin: Box::new(layers.origin(s::TLS_KEY.name)),
        problem,
    })?;
    if let Some(doubt) = pair.doubt() {
        warnings.push(format!("{doubt}: renew {}", cert.display()));
    }
    if layers.world.everybody_reads(key) {
        warnings.push(format!(
            "every user of this machine can read the key of the certificate: chmod 600 {}",
            key.display()
        ));
    }
    Ok(())
}
