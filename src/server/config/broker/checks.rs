//! What is allowed by itself, but not with this broker or with each other.

use super::super::error::ConfigError;
use super::super::layers::Layers;
use super::super::setting::Text;
use super::super::settings as s;
use super::super::value::BrokerKind;
use super::BrokerOptions;
use super::url::{Shape, schemes, shown_url};

const OF_REDIS: [&Text; 1] = [&s::BROKER_CHANNEL];
const OF_NATS: [&Text; 6] = [
    &s::BROKER_SUBJECT,
    &s::BROKER_TOKEN,
    &s::BROKER_TOKEN_FILE,
    &s::BROKER_CREDS_FILE,
    &s::BROKER_NKEY_FILE,
    &s::BROKER_TLS_FIRST,
];
const OF_BOTH: [&Text; 8] = [
    &s::BROKER_URL,
    &s::BROKER_USERNAME,
    &s::BROKER_PASSWORD,
    &s::BROKER_PASSWORD_FILE,
    &s::BROKER_TLS,
    &s::BROKER_CA_FILE,
    &s::BROKER_CERT_FILE,
    &s::BROKER_KEY_FILE,
];

pub(super) struct Checks<'a> {
    pub(super) layers: &'a Layers<'a>,
    /// The broker that was named, if one was.
    pub(super) said: Option<BrokerKind>,
    pub(super) kind: BrokerKind,
    pub(super) shape: Option<Shape>,
    pub(super) options: &'a BrokerOptions,
}

type Checked<T = ()> = Result<T, ConfigError>;

fn refuse<T>(text: String) -> Checked<T> {
    Err(ConfigError::Combination(text))
}

const fn name_of(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Memory => "memory",
        BrokerKind::Mesh => "mesh",
        BrokerKind::Redis => "redis",
        BrokerKind::Nats => "nats",
    }
}

impl Checks<'_> {
    pub(super) fn all(&self) -> Checked {
        self.foreign_options()?;
        self.scheme()?;
        self.login()?;
        self.tls()?;
        self.client_certificate()
    }

    fn is_said(&self, setting: &Text) -> bool {
        self.layers.origins.contains_key(setting.name)
    }

    fn told(&self, setting: &Text) -> String {
        format!("{} ({})", setting.name, self.layers.origin(setting.name))
    }

    fn told_url(&self) -> String {
        let url = self.options.url.as_ref();
        let url = url.map_or_else(String::new, |url| shown_url(url.expose()));
        let origin = self.layers.origin(s::BROKER_URL.name);
        format!("broker-url {url} ({origin})")
    }

    fn told_broker(&self) -> String {
        let name = name_of(self.kind);
        if self.said.is_none() && self.shape.is_some() {
            let origin = self.layers.origin(s::BROKER_URL.name);
            return format!("{name} (by the scheme of broker-url {origin})");
        }
        format!("{name} ({})", self.layers.origin(s::BROKER.name))
    }

    fn foreign_options(&self) -> Checked {
        let redis = self.kind == BrokerKind::Redis;
        let nats = self.kind == BrokerKind::Nats;
        for (settings, of, fits) in [
            (&OF_BOTH[..], "redis or nats", redis || nats),
            (&OF_REDIS[..], "redis", redis),
            (&OF_NATS[..], "nats", nats),
        ] {
            let foreign = settings.iter().find(|setting| self.is_said(setting));
            let Some(setting) = foreign.filter(|_| !fits) else {
                continue;
            };
            let (broker, name) = (self.told_broker(), setting.name);
            let instead = match (name, self.kind) {
                (name, BrokerKind::Redis) if name == s::BROKER_SUBJECT.name => {
                    "; redis has broker-channel instead"
                }
                (name, BrokerKind::Nats) if name == s::BROKER_CHANNEL.name => {
                    "; nats has broker-subject instead"
                }
                _ => "",
            };
            return refuse(format!(
                "{} is an option of broker {of}, but the broker is {broker}: set broker to {of}, \
                 or take {name} away{instead}",
                self.told(setting)
            ));
        }
        Ok(())
    }

    fn scheme(&self) -> Checked {
        if self.shape.is_none_or(|shape| shape.kind == self.kind) {
            return Ok(());
        }
        refuse(format!(
            "broker {} and {} contradict each other: a URL of {} begins with {}; change one of \
             them, or leave broker out, since the URL tells it",
            self.told_broker(),
            self.told_url(),
            name_of(self.kind),
            schemes(self.kind)
        ))
    }

    fn login(&self) -> Checked {
        let in_url = |part: fn(Shape) -> bool| self.shape.is_some_and(part);
        let user = self.only(
            "user name",
            &[&s::BROKER_USERNAME],
            in_url(|shape| shape.username),
        )?;
        let password = self.only(
            "password",
            &[&s::BROKER_PASSWORD, &s::BROKER_PASSWORD_FILE],
            in_url(|shape| shape.password),
        )?;
        let token = self.only(
            "token",
            &[&s::BROKER_TOKEN, &s::BROKER_TOKEN_FILE],
            in_url(|shape| shape.token),
        )?;
        let creds = self.only("credentials", &[&s::BROKER_CREDS_FILE], false)?;
        let nkey = self.only("nkey", &[&s::BROKER_NKEY_FILE], false)?;
        let ways: Vec<String> = [password.clone().or(user.clone()), token, creds, nkey]
            .into_iter()
            .flatten()
            .collect();
        if let [first, second, ..] = &ways[..] {
            return refuse(format!(
                "there are two ways to log in to nats, {first} and {second}: keep one of them"
            ));
        }
        match (user, password) {
            (Some(user), None) => refuse(format!(
                "{user} needs a password: set AUTOVIA_BROKER_PASSWORD or broker-password-file"
            )),
            (None, Some(password)) if self.kind == BrokerKind::Nats => refuse(format!(
                "{password} needs a user name with broker nats: set broker-username; a token has \
                 AUTOVIA_BROKER_TOKEN and broker-token-file"
            )),
            _ => Ok(()),
        }
    }

    /// Where a part of the login is said; twice is refused.
    fn only(&self, what: &str, settings: &[&Text], in_url: bool) -> Checked<Option<String>> {
        let mut places: Vec<String> = settings
            .iter()
            .filter(|setting| self.is_said(setting))
            .map(|setting| self.told(setting))
            .collect();
        if in_url {
            let origin = self.layers.origin(s::BROKER_URL.name);
            places.push(format!("the {what} in broker-url ({origin})"));
        }
        if let [first, second, ..] = &places[..] {
            return refuse(format!(
                "the broker's {what} is said twice, by {first} and {second}: keep one of them"
            ));
        }
        Ok(places.pop())
    }

    fn tls(&self) -> Checked {
        let by_scheme = self.shape.is_some_and(|shape| shape.tls);
        if by_scheme && self.options.tls == Some(false) {
            return refuse(format!(
                "broker-tls false ({}) and {} contradict each other: that scheme is TLS; take \
                 broker-tls away or change the scheme",
                self.layers.origin(s::BROKER_TLS.name),
                self.told_url()
            ));
        }
        if self.options.tls.unwrap_or(by_scheme) {
            return Ok(());
        }
        for (setting, counts) in [
            (&s::BROKER_CA_FILE, true),
            (&s::BROKER_CERT_FILE, true),
            (&s::BROKER_KEY_FILE, true),
            (&s::BROKER_TLS_FIRST, self.options.tls_first),
        ] {
            if counts && self.is_said(setting) {
                return refuse(format!(
                    "{} is for TLS, but TLS is off: set broker-tls, or take {} away",
                    self.told(setting),
                    setting.name
                ));
            }
        }
        Ok(())
    }

    fn client_certificate(&self) -> Checked {
        let (cert, key) = (&s::BROKER_CERT_FILE, &s::BROKER_KEY_FILE);
        let (there, missing) = match (self.is_said(cert), self.is_said(key)) {
            (true, false) => (cert, key),
            (false, true) => (key, cert),
            _ => return Ok(()),
        };
        refuse(format!(
            "{} needs {}, since a certificate is shown with its key: set both or none",
            self.told(there),
            missing.name
        ))
    }
}
