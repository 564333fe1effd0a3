//! From the options to the broker itself.

use super::super::Config;
use super::super::error::ConfigError;
use super::super::setting::{Problem, Text};
use super::super::settings as s;
use super::super::value::BrokerKind;
use super::shown_url;
use crate::broker::{Broker, BrokerUrlError, NatsBroker, RedisBroker};
use crate::secret::Secret;

/// The broker that reaches other nodes, if one is configured. Nothing is connected, resolved or read.
///
/// # Errors
/// A URL or a name that the broker itself refuses.
pub(in crate::server) fn build(config: &Config) -> Result<Option<Box<dyn Broker>>, ConfigError> {
    Ok(match config.broker {
        BrokerKind::Memory | BrokerKind::Mesh => None,
        BrokerKind::Redis => Some(Box::new(redis(config)?)),
        BrokerKind::Nats => Some(Box::new(nats(config)?)),
    })
}

fn redis(config: &Config) -> Result<RedisBroker, ConfigError> {
    let options = &config.broker_options;
    let mut broker = at(config, RedisBroker::from_url)?.unwrap_or_default();
    if let Some(channel) = &options.channel {
        broker = broker.channel(channel.clone());
    }
    if let Some(name) = &options.username {
        broker = broker.username(name.clone());
    }
    if let Some(password) = &options.password {
        broker = broker.password(password.clone());
    }
    if let Some(tls) = options.tls {
        broker = broker.tls(tls);
    }
    if let Some(path) = &options.ca_file {
        broker = broker.ca_file(path);
    }
    if let Some((certificate, key)) = &options.client_certificate {
        broker = broker.client_certificate(certificate, key);
    }
    Ok(broker)
}

fn nats(config: &Config) -> Result<NatsBroker, ConfigError> {
    let options = &config.broker_options;
    let mut broker = at(config, NatsBroker::from_url)?.unwrap_or_default();
    if let Some(subject) = &options.subject {
        broker = broker.subject(subject.clone());
    }
    if let (Some(name), Some(password)) = (&options.username, &options.password) {
        broker = broker.user(name.clone(), password.clone());
    }
    if let Some(token) = &options.token {
        broker = broker.token(token.clone());
    }
    if let Some(path) = &options.creds_file {
        broker = broker.creds_file(path);
    }
    if let Some(seed) = &options.nkey_seed {
        broker = broker.nkey_seed(seed.clone());
    }
    if let Some(tls) = options.tls {
        broker = broker.tls(tls);
    }
    if let Some(path) = &options.ca_file {
        broker = broker.ca_file(path);
    }
    if let Some((certificate, key)) = &options.client_certificate {
        broker = broker.client_certificate(certificate, key);
    }
    let broker = broker.tls_first(options.tls_first);
    match broker.check() {
        Ok(()) => Ok(broker),
        Err(error) => {
            let subject = options.subject.clone().unwrap_or_default();
            let problem = format!("not a subject: {error}");
            Err(refused(config, &s::BROKER_SUBJECT, subject, problem))
        }
    }
}

/// The broker at the configured URL, if there is one.
fn at<B>(
    config: &Config,
    from_url: fn(&str) -> Result<B, BrokerUrlError>,
) -> Result<Option<B>, ConfigError> {
    let url = config.broker_options.url.as_ref().map(Secret::expose);
    let broker = url.map(|url| {
        from_url(url).map_err(|error| {
            let problem = format!("not a broker's URL: {error}");
            refused(config, &s::BROKER_URL, shown_url(url), problem)
        })
    });
    broker.transpose()
}

fn refused(config: &Config, setting: &Text, value: String, problem: String) -> ConfigError {
    ConfigError::Value {
        value,
        origin: Box::new(config.origin(setting.name).clone()),
        problem: Problem(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::super::BrokerOptions;
    use super::*;

    fn config(broker_options: BrokerOptions) -> Config {
        Config {
            broker_options,
            ..Config::defaults()
        }
    }

    fn url(url: &str) -> Option<Secret<String>> {
        Some(Secret::new(url.to_owned()))
    }

    #[test]
    fn what_was_said_beats_the_default_and_adds_to_the_url() {
        let none = config(BrokerOptions::default());
        assert_eq!(
            format!("{:?} {:?}", redis(&none).unwrap(), nats(&none).unwrap()),
            r#"RedisBroker { channel: "via:broadcast", tls: false, .. } NatsBroker { subject: "via.broadcast", tls: false, .. }"#
        );
        let by_scheme = redis(&config(BrokerOptions {
            url: url("rediss://h"),
            channel: Some("a:b".to_owned()),
            ca_file: Some("ca.pem".into()),
            ..BrokerOptions::default()
        }));
        assert_eq!(
            format!("{:?}", by_scheme.unwrap()),
            r#"RedisBroker { channel: "a:b", tls: true, .. }"#
        );
        let by_option = nats(&config(BrokerOptions {
            url: url("nats://h,i"),
            subject: Some("a.b".to_owned()),
            tls: Some(true),
            ..BrokerOptions::default()
        }));
        assert_eq!(
            format!("{:?}", by_option.unwrap()),
            r#"NatsBroker { subject: "a.b", tls: true, .. }"#
        );
    }

    #[test]
    fn what_the_broker_refuses_is_told_without_its_secrets() {
        let port = redis(&config(BrokerOptions {
            url: url("redis://u:geheim@h:0"),
            ..BrokerOptions::default()
        }));
        assert_eq!(
            port.unwrap_err().to_string(),
            "`redis://h:0` by default is not a broker's URL: the 1. server of the broker's URL has \
             no valid port: it is 1 to 65535"
        );
        let subject = nats(&config(BrokerOptions {
            subject: Some("a b".to_owned()),
            ..BrokerOptions::default()
        }));
        let text = subject.unwrap_err().to_string();
        assert!(
            text.starts_with("`a b` by default is not a subject: "),
            "{text}"
        );
    }
}
