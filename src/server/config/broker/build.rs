//! From the options to the broker itself.

use super::super::Config;
use super::super::error::ConfigError;
use super::super::setting::{Problem, Text};
use super::super::settings as s;
use super::super::value::BrokerKind;
use super::shown_url;
use crate::broker::{Broker, BrokerUrlError, RedisBroker};
use crate::secret::Secret;

/// The broker that reaches other nodes, if one is configured. Nothing is connected, resolved or read.
///
/// # Errors
/// A URL or a name that the broker itself refuses.
pub(in crate::server) fn build(config: &Config) -> Result<Option<Box<dyn Broker>>, ConfigError> {
    Ok(match config.broker {
        BrokerKind::Memory | BrokerKind::Mesh | BrokerKind::Nats => None,
        BrokerKind::Redis => Some(Box::new(redis(config)?)),
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
            format!("{:?}", redis(&none).unwrap()),
            r#"RedisBroker { channel: "via:broadcast", tls: false, .. }"#
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
    }
}
