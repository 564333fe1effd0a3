//! Broker addresses as URLs: `scheme://[user[:password]@]host[:port][,host[:port]…][/path]`.
//!
//! Invariant: no error repeats any part of the URL, since it may hold a password.
#![forbid(unsafe_code)]

use std::net::Ipv6Addr;

use crate::secret::Secret;
use crate::wire::percent::decode_segment;

/// The longest URL, in bytes.
const URL_MAX_BYTES: usize = 4096;

/// Servers that one URL may name.
const SERVERS_MAX: usize = 32;

/// Why a broker's URL can't be used. It repeats nothing of the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerUrlError {
    /// Another scheme, or none.
    #[error("a broker's URL begins with one of {allowed}")]
    Scheme {
        /// Those that this broker takes.
        allowed: &'static str,
    },
    /// The URL is too long.
    #[error("a broker's URL has at most {URL_MAX_BYTES} bytes; shorten it")]
    TooLong,
    /// No host, a malformed one, or too many.
    #[error(
        "the {number}. server of the broker's URL has no valid host: write host:port, several with commas between, an IPv6 address as [::1]:port, {SERVERS_MAX} servers at most"
    )]
    Host {
        /// Which of the servers, from 1.
        number: usize,
    },
    /// A port that is no number from 1 to 65535.
    #[error("the {number}. server of the broker's URL has no valid port: it is 1 to 65535")]
    Port {
        /// Which of the servers, from 1.
        number: usize,
    },
    /// The user name, password or path is not percent-encoded well.
    #[error(
        "the {part} in the broker's URL is not percent-encoded UTF-8: write a % as %25, a @ as %40, a : as %3A, a / as %2F"
    )]
    Encoding {
        /// Which part it is.
        part: &'static str,
    },
    /// A part that this kind of URL doesn't have, or lacks.
    #[error("{0}")]
    Shape(&'static str),
}

/// A URL, taken apart.
#[derive(Debug)]
pub(crate) struct BrokerUrl {
    /// One of the schemes that were asked for.
    pub scheme: &'static str,
    /// What stands before the `:` or the `@`.
    pub user: Option<Secret<String>>,
    pub password: Option<Secret<String>>,
    /// At least one.
    pub servers: Vec<(String, Option<u16>)>,
    /// What follows the `/`, when it isn't empty.
    pub path: Option<String>,
}

/// Takes `url` apart; `schemes` are those that the broker knows, `allowed` is how they are told.
pub(crate) fn parse(
    url: &str,
    schemes: &[&'static str],
    allowed: &'static str,
) -> Result<BrokerUrl, BrokerUrlError> {
    if url.len() > URL_MAX_BYTES {
        return Err(BrokerUrlError::TooLong);
    }
    let (scheme, rest) = url
        .split_once("://")
        .ok_or(BrokerUrlError::Scheme { allowed })?;
    let scheme = *schemes
        .iter()
        .find(|known| scheme.eq_ignore_ascii_case(known))
        .ok_or(BrokerUrlError::Scheme { allowed })?;
    if rest.contains(['?', '#']) {
        return Err(BrokerUrlError::Shape(
            "a broker's URL has no ? and no #: leave options out of it, and write them inside a password as %3F and %23",
        ));
    }
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, path),
        None => (rest, ""),
    };
    let (user_info, servers) = match authority.rsplit_once('@') {
        Some((user_info, servers)) => (Some(user_info), servers),
        None => (None, authority),
    };
    let (mut user, mut password) = (None, None);
    if let Some(user_info) = user_info {
        let (name, word) = match user_info.split_once(':') {
            Some((name, word)) => (name, Some(word)),
            None => (user_info, None),
        };
        user = decoded(name, "user name")?.map(Secret::new);
        password = word.map_or(Ok(None), |word| decoded(word, "password"))?;
    }
    let path = decoded(path, "path")?;
    let servers = parse_servers(servers)?;
    Ok(BrokerUrl {
        scheme,
        user,
        password: password.map(Secret::new),
        servers,
        path,
    })
}

fn decoded(text: &str, part: &'static str) -> Result<Option<String>, BrokerUrlError> {
    let plain = decode_segment(text).map_err(|_| BrokerUrlError::Encoding { part })?;
    Ok(Some(plain.into_owned()).filter(|plain| !plain.is_empty()))
}

fn parse_servers(text: &str) -> Result<Vec<(String, Option<u16>)>, BrokerUrlError> {
    let mut servers = Vec::new();
    for (index, server) in text.split(',').enumerate() {
        let number = index + 1;
        if number > SERVERS_MAX {
            return Err(BrokerUrlError::Host { number });
        }
        let (host, port) = match server.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest
                    .split_once(']')
                    .ok_or(BrokerUrlError::Host { number })?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err(BrokerUrlError::Host { number });
                }
                match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if port.is_empty() => (host, None),
                    None => return Err(BrokerUrlError::Port { number }),
                }
            }
            None => match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            },
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_literal = server.starts_with('[');
        if host.is_empty() || host.len() > 253 || !(is_literal || host.bytes().all(is_name)) {
            return Err(BrokerUrlError::Host { number });
        }
        let port = match port {
            None => None,
            // `parse` alone would take `+6379`.
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                let port = digits.parse().ok().filter(|&port: &u16| port != 0);
                Some(port.ok_or(BrokerUrlError::Port { number })?)
            }
            Some(_) => return Err(BrokerUrlError::Port { number }),
        };
        servers.push((host.to_owned(), port));
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEMES: [&str; 2] = ["redis", "rediss"];
    const ALLOWED: &str = "redis:// and rediss://";

    fn parsed(url: &str) -> Result<BrokerUrl, BrokerUrlError> {
        parse(url, &SCHEMES, ALLOWED)
    }

    fn text(secret: Option<&Secret<String>>) -> Option<&str> {
        secret.map(|secret| secret.expose().as_str())
    }

    #[test]
    fn good_urls() {
        type Server = (&'static str, Option<u16>);
        type Text = Option<&'static str>;
        let cases: [(&str, Text, Text, &[Server], Text); 8] = [
            ("redis://h", None, None, &[("h", None)], None),
            ("REDISS://h:1/", None, None, &[("h", Some(1))], None),
            ("redis://u@h", Some("u"), None, &[("h", None)], None),
            ("redis://:p@h", None, Some("p"), &[("h", None)], None),
            ("redis://@h", None, None, &[("h", None)], None),
            (
                "redis://a%40b:p%3a%2F@h:65535",
                Some("a@b"),
                Some("p:/"),
                &[("h", Some(65535))],
                None,
            ),
            ("redis://[::1]:7", None, None, &[("::1", Some(7))], None),
            (
                "redis://u:p@q@a-1.b_c,[::2],10.0.0.1:9/the%20master",
                Some("u"),
                Some("p@q"),
                &[("a-1.b_c", None), ("::2", None), ("10.0.0.1", Some(9))],
                Some("the master"),
            ),
        ];
        for (url, user, password, servers, path) in cases {
            let parsed = parsed(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(text(parsed.user.as_ref()), user, "{url}");
            assert_eq!(text(parsed.password.as_ref()), password, "{url}");
            let found: Vec<(&str, Option<u16>)> = parsed
                .servers
                .iter()
                .map(|(host, port)| (host.as_str(), *port))
                .collect();
            assert_eq!(found, servers, "{url}");
            assert_eq!(parsed.path.as_deref(), path, "{url}");
        }
    }

    #[test]
    fn bad_urls_say_what_is_wrong() {
        use BrokerUrlError::{Encoding, Host, Port, Scheme, Shape, TooLong};
        let scheme = Scheme { allowed: ALLOWED };
        for (url, error) in [
            ("", scheme.clone()),
            ("h:6379", scheme.clone()),
            ("nats://h", scheme.clone()),
            ("redis:h", scheme),
            ("redis://", Host { number: 1 }),
            ("redis://h,", Host { number: 2 }),
            ("redis://h h", Host { number: 1 }),
            ("redis://[::1", Host { number: 1 }),
            ("redis://[h]:1", Host { number: 1 }),
            ("redis://::1", Host { number: 1 }),
            ("redis://[::1]1", Port { number: 1 }),
            ("redis://h:", Port { number: 1 }),
            ("redis://h:0", Port { number: 1 }),
            ("redis://h:+1", Port { number: 1 }),
            ("redis://h:65536", Port { number: 1 }),
            ("redis://%zz@h", Encoding { part: "user name" }),
            ("redis://u:%ff@h", Encoding { part: "password" }),
            ("redis://h/%00", Encoding { part: "path" }),
        ] {
            assert_eq!(parsed(url).map(|_| ()), Err(error), "{url}");
        }
        let many = format!("redis://{}h", "h,".repeat(SERVERS_MAX));
        assert_eq!(parsed(&many).map(|_| ()), Err(Host { number: 33 }));
        let long = format!("redis://{}", "h".repeat(URL_MAX_BYTES));
        assert_eq!(parsed(&long).map(|_| ()), Err(TooLong));
        let query = parsed("redis://h?a=b").map(|_| ());
        assert!(matches!(query, Err(Shape(_))), "{query:?}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let parsed = parsed("redis://geheim1:geheim2@h").expect("it is good");
        assert!(!format!("{parsed:?}").contains("geheim"), "{parsed:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_harmless_and_no_error_repeats_it(rest in "[ -~]{0,60}") {
            let url = format!("redis://geheim:geheim@{rest}");
            if let Err(error) = parsed(&url) {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains("geheim"));
            }
        }

        #[test]
        fn any_user_and_password_come_back(user in "[^\0]{1,20}", password in "[^\0]{1,20}") {
            let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
            let url = format!("redis://{}:{}@h:1", encode(&user), encode(&password));
            let parsed = parsed(&url).unwrap();
            prop_assert_eq!(text(parsed.user.as_ref()), Some(user.as_str()));
            prop_assert_eq!(text(parsed.password.as_ref()), Some(password.as_str()));
        }
    }
}
