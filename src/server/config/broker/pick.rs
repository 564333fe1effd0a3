//! From what was said about the broker to its kind and its options. Files are tried here, so that
//! a wrong path ends the start and is not tried again for ever; the broker reads them anew for each
//! connection.

use std::path::{Path, PathBuf};

use super::super::args::ServerArgs;
use super::super::error::ConfigError;
use super::super::layers::Layers;
use super::super::origin::Origin;
use super::super::setting::{Problem, Text};
use super::super::settings as s;
use super::super::value::{BrokerKind, parse_choice};
use super::checks::Checks;
use super::url::{Shape, is_public, shown_url};
use super::{BrokerOptions, parse_channel, parse_subject, parse_username};
use crate::broker::SecretSource;
use crate::secret::Secret;

/// What a file must hold.
#[derive(Clone, Copy)]
struct Content {
    what: &'static str,
    /// A piece that each such file has.
    mark: &'static str,
    secret: bool,
}

const PASSWORD: Content = Content::secret("the file of the broker's password", "");
const TOKEN: Content = Content::secret("the file of the broker's token", "");
const CREDS: Content = Content::secret("the credentials file", "-----BEGIN NATS USER JWT-----");
const NKEY: Content = Content::secret("the file of the nkey's seed", "");
const KEY: Content = Content::secret("the key file", "PRIVATE KEY-----");
const CERTIFICATES: Content = Content {
    what: "the file of certificates",
    mark: "-----BEGIN CERTIFICATE-----",
    secret: false,
};

impl Content {
    const fn secret(what: &'static str, mark: &'static str) -> Self {
        Self {
            what,
            mark,
            secret: true,
        }
    }
}

/// Picks the broker and its options; `unsaid` is the broker when nobody says anything.
pub(in super::super) fn pick(
    layers: &mut Layers<'_>,
    a: &mut ServerArgs,
    unsaid: BrokerKind,
    warnings: &mut Vec<String>,
) -> Result<(BrokerKind, BrokerOptions), ConfigError> {
    let said = layers.pick(s::BROKER.name, a.broker.take(), |said| {
        parse_choice(said.text()?)
    })?;
    let url = layers.pick(s::BROKER_URL.name, a.broker_url.take(), |said| {
        Ok(Secret::new(said.text()?.to_owned()))
    })?;
    let shape = url.as_ref().map(|url| check_url(layers, url)).transpose()?;
    let kind = said.or(shape.map(|shape| shape.kind)).unwrap_or(unsaid);
    let mut files = Files { layers, warnings };
    let password_file = files.pick(
        &s::BROKER_PASSWORD_FILE,
        a.broker_password_file.take(),
        PASSWORD,
    )?;
    let token_file = files.pick(&s::BROKER_TOKEN_FILE, a.broker_token_file.take(), TOKEN)?;
    let creds_file = files.pick(&s::BROKER_CREDS_FILE, a.broker_creds_file.take(), CREDS)?;
    let nkey_file = files.pick(&s::BROKER_NKEY_FILE, a.broker_nkey_file.take(), NKEY)?;
    let ca_file = files.pick(&s::BROKER_CA_FILE, a.broker_ca_file.take(), CERTIFICATES)?;
    let cert_file = files.pick(
        &s::BROKER_CERT_FILE,
        a.broker_cert_file.take(),
        CERTIFICATES,
    )?;
    let key_file = files.pick(&s::BROKER_KEY_FILE, a.broker_key_file.take(), KEY)?;
    let password = layers.secret(&s::BROKER_PASSWORD)?;
    let token = layers.secret(&s::BROKER_TOKEN)?;
    let source = |value: Option<Secret<String>>, file: Option<PathBuf>| {
        let file = file.map(SecretSource::File);
        value.map(SecretSource::Value).or(file)
    };
    let options = BrokerOptions {
        channel: layers.text(&s::BROKER_CHANNEL, a.broker_channel.take(), parse_channel)?,
        subject: layers.text(&s::BROKER_SUBJECT, a.broker_subject.take(), parse_subject)?,
        username: layers.text(
            &s::BROKER_USERNAME,
            a.broker_username.take(),
            parse_username,
        )?,
        password: source(password, password_file),
        token: source(token, token_file),
        creds_file,
        nkey_seed: nkey_file.map(SecretSource::File),
        tls: layers.pick(s::BROKER_TLS.name, a.broker_tls, |said| said.switch())?,
        tls_first: layers.switch(s::BROKER_TLS_FIRST.name, a.broker_tls_first)?,
        ca_file,
        client_certificate: cert_file.zip(key_file),
        url,
    };
    Checks {
        layers,
        said,
        kind,
        shape,
        options: &options,
    }
    .all()?;
    warn_of_open_file(layers, shape, warnings);
    Ok((kind, options))
}

fn check_url(layers: &Layers<'_>, url: &Secret<String>) -> Result<Shape, ConfigError> {
    let origin = layers.origin(s::BROKER_URL.name);
    if matches!(origin, Origin::Flag(_)) && !is_public(url.expose()) {
        return Err(ConfigError::SecretInCommandLine);
    }
    Shape::of(url.expose()).map_err(|problem| ConfigError::Value {
        value: shown_url(url.expose()),
        origin: Box::new(origin),
        problem,
    })
}

/// A configuration file with a secret in it is itself a secret.
fn warn_of_open_file(layers: &Layers<'_>, shape: Option<Shape>, warnings: &mut Vec<String>) {
    let in_url = shape.is_some_and(|shape| shape.password || shape.token);
    let holders = [
        (s::BROKER_PASSWORD.name, true),
        (s::BROKER_TOKEN.name, true),
        (s::BROKER_URL.name, in_url),
    ];
    for (name, secret) in holders {
        if let Origin::File { path, .. } = layers.origin(name)
            && secret
            && layers.world.everybody_reads(&path)
        {
            warnings.push(format!(
                "every user of this machine can read {name} in {}: chmod 600 it",
                path.display()
            ));
        }
    }
}

struct Files<'a, 'b> {
    layers: &'a mut Layers<'b>,
    warnings: &'a mut Vec<String>,
}

impl Files<'_, '_> {
    fn pick(
        &mut self,
        setting: &Text,
        flag: Option<PathBuf>,
        content: Content,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let path = self.layers.path(setting.name, flag)?;
        if let Some(path) = &path {
            self.check(setting, path, content)?;
        }
        Ok(path)
    }

    fn check(&mut self, setting: &Text, path: &Path, content: Content) -> Result<(), ConfigError> {
        let origin = || Box::new(self.layers.origin(setting.name));
        let text = self.layers.world.read_file(path);
        let text = text.map_err(|error| ConfigError::Unreadable {
            what: content.what,
            path: path.to_owned(),
            origin: origin(),
            reason: error.to_string(),
            remedy: "Correct the path, or let this user read the file",
        })?;
        let problem = if text.trim().is_empty() {
            Some(format!("not {}: it is empty", content.what))
        } else if !text.contains(content.mark) {
            let mark = content.mark;
            Some(format!("not {}: it has no line with {mark}", content.what))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(ConfigError::Value {
                value: path.display().to_string(),
                origin: origin(),
                problem: Problem(problem),
            });
        }
        if content.secret && self.layers.world.everybody_reads(path) {
            self.warnings.push(format!(
                "every user of this machine can read {}: chmod 600 {}",
                content.what,
                path.display()
            ));
        }
        Ok(())
    }
}
