//! What the configuration has to know about a broker's URL before the broker reads it: which
//! broker it means, whether it encrypts, what it says about the login, and how it may be shown.
//!
//! No text that is made here holds anything that could be part of a user name or a password.

use super::super::nearest::nearest;
use super::super::setting::Problem;
use super::super::value::{BrokerKind, shown};

/// Longest unknown scheme that an error repeats, in bytes; a longer one is something else.
const SCHEME_SHOWN_MAX_BYTES: usize = 16;

const SCHEMES: [(&str, BrokerKind, bool); 8] = [
    ("redis", BrokerKind::Redis, false),
    ("rediss", BrokerKind::Redis, true),
    ("redis-sentinel", BrokerKind::Redis, false),
    ("rediss-sentinel", BrokerKind::Redis, true),
    ("redis-cluster", BrokerKind::Redis, false),
    ("rediss-cluster", BrokerKind::Redis, true),
    ("nats", BrokerKind::Nats, false),
    ("tls", BrokerKind::Nats, true),
];

/// What a URL says beside its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) scheme: &'static str,
    pub(super) kind: BrokerKind,
    /// Whether the scheme encrypts.
    pub(super) tls: bool,
    pub(super) username: bool,
    pub(super) password: bool,
    /// A login of nats without a `:` is a token.
    pub(super) token: bool,
}

impl Shape {
    /// Reads what stands before the servers; they are the broker's own business.
    pub(super) fn of(url: &str) -> Result<Self, Problem> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let known = SCHEMES
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(scheme));
        let Some(&(scheme, kind, tls)) = known else {
            return Err(unknown_scheme(scheme));
        };
        let authority = rest
            .split_once('/')
            .map_or(rest, |(authority, _)| authority);
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        if login.contains('@') {
            return Err(Problem(
                "not a broker's URL: a @ in a user name or password is written %40, and the login \
                 stands once, before the first server"
                    .to_owned(),
            ));
        }
        let (name, password) = match login.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (login, None),
        };
        let token = kind == BrokerKind::Nats && password.is_none() && !name.is_empty();
        Ok(Self {
            scheme,
            kind,
            tls,
            username: !token && !name.is_empty(),
            password: password.is_some_and(|password| !password.is_empty()),
            token,
        })
    }
}

/// Whether a URL may be where everybody can read it: it names nothing but servers, or also a user
/// of redis. A login that is malformed may be anything.
pub(super) fn is_public(url: &str) -> bool {
    if !url.contains('@') {
        return true;
    }
    let after_path = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .is_some_and(|(_, path)| path.contains('@'));
    !after_path && Shape::of(url).is_ok_and(|shape| !shape.password && !shape.token)
}

/// The schemes of a broker, for texts.
pub(super) const fn schemes(kind: BrokerKind) -> &'static str {
    match kind {
        BrokerKind::Redis => {
            "redis://, redis-sentinel://, redis-cluster:// or the same with rediss"
        }
        BrokerKind::Nats => "nats:// or tls://",
        BrokerKind::Memory | BrokerKind::Mesh => "none",
    }
}

/// A URL as an error may repeat it: without its login and its path, and without its servers where
/// they are not surely servers.
pub(in super::super) fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "…".to_owned();
    };
    let authority = rest
        .split_once('/')
        .map_or(rest, |(authority, _)| authority);
    let (login, servers) = authority.rsplit_once('@').unwrap_or(("", authority));
    let scheme = shown_scheme(scheme).unwrap_or("…");
    // A `/` or `@` in a password moves the borders, so that any part may belong to it.
    let clear = !login.contains('@') && !rest[authority.len()..].contains('@');
    if clear && servers.split(',').all(is_server) {
        shown(&format!("{scheme}://{servers}"))
    } else {
        format!("{scheme}://…")
    }
}

fn is_server(text: &str) -> bool {
    let name = |host: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !host.is_empty() && host.bytes().all(plain)
    };
    let address = |host: &str| {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.bytes().all(plain))
    };
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            port.parse::<u32>().is_ok() && (name(host) || address(host))
        }
        _ => name(text) || address(text),
    }
}

fn shown_scheme(scheme: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    (scheme.len() <= SCHEME_SHOWN_MAX_BYTES && scheme.bytes().all(plain)).then_some(scheme)
}

fn unknown_scheme(scheme: &str) -> Problem {
    let names = SCHEMES.iter().map(|(known, ..)| *known);
    let hint = shown_scheme(scheme)
        .and_then(|scheme| nearest(scheme, names))
        .map_or_else(String::new, |near| format!(" (did you mean {near}://?)"));
    Problem(format!(
        "not a broker's URL: it begins with {} for redis, with {} for nats{hint}",
        schemes(BrokerKind::Redis),
        schemes(BrokerKind::Nats)
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(url: &str) -> (bool, bool, bool) {
        let shape = Shape::of(url).unwrap_or_else(|problem| panic!("{url}: {problem}"));
        (shape.username, shape.password, shape.token)
    }

    #[test]
    fn the_scheme_tells_the_broker_and_whether_it_encrypts() {
        for (url, kind, tls) in [
            ("redis://h", BrokerKind::Redis, false),
            ("REDISS://h", BrokerKind::Redis, true),
            ("redis-sentinel://h/m", BrokerKind::Redis, false),
            ("rediss-sentinel://h/m", BrokerKind::Redis, true),
            ("redis-cluster://h,i", BrokerKind::Redis, false),
            ("rediss-cluster://h,i", BrokerKind::Redis, true),
            ("nats://h", BrokerKind::Nats, false),
            ("tls://h", BrokerKind::Nats, true),
        ] {
            let shape = Shape::of(url).unwrap();
            assert_eq!((shape.kind, shape.tls), (kind, tls), "{url}");
        }
        for (url, hint) in [
            ("", "for nats"),
            ("redis.internal:6379", "for nats"),
            ("reds://h", "for nats (did you mean redis://?)"),
            ("http://h", "for nats"),
        ] {
            let problem = Shape::of(url).unwrap_err().to_string();
            assert!(problem.ends_with(hint), "{url}: {problem}");
        }
    }

    #[test]
    fn the_login_is_told_apart() {
        assert_eq!(login("redis://h"), (false, false, false));
        assert_eq!(login("redis://u@h"), (true, false, false));
        assert_eq!(login("redis://u:p@h"), (true, true, false));
        assert_eq!(login("redis://:p@h"), (false, true, false));
        assert_eq!(login("nats://t@h"), (false, false, true));
        assert_eq!(login("nats://u:p@h,i"), (true, true, false));
        assert_eq!(login("nats://@h"), (false, false, false));
        assert!(Shape::of("nats://u:p@h,u:p@i").is_err());
    }

    #[test]
    fn what_may_be_a_secret_is_not_public() {
        for url in ["redis://h:6379", "redis://u@h", "redis-sentinel://h/m", "x"] {
            assert!(is_public(url), "{url}");
        }
        for url in [
            "redis://u:p@h",
            "redis://:p@h",
            "redis://u:a/b@h",
            "redis://u:a@b@h",
            "redis://u/a@h",
            "nats://t@h",
            "reds://u:p@h",
            "u:p@h",
        ] {
            assert!(!is_public(url), "{url}");
        }
    }

    #[test]
    fn a_url_is_shown_without_its_login() {
        for (url, text) in [
            ("redis://h:1", "redis://h:1"),
            ("redis://u:p@h:1,[::1]:2/m", "redis://h:1,[::1]:2"),
            ("redis://h:99999", "redis://h:99999"),
            ("redis://:p", "redis://…"),
            ("redis://u:p", "redis://…"),
            ("redis://u:a/b@h", "redis://…"),
            ("redis://u:a@b@h", "redis://…"),
            ("redis://h?password=p", "redis://…"),
            ("Geheim://h", "…://h"),
            ("geheim", "…"),
        ] {
            assert_eq!(shown_url(url), text, "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_password_is_ever_shown(before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
            let url = format!("nats://user:{before}GEHEIM{after}@h:4222");
            prop_assert!(!is_public(&url));
            prop_assert!(!shown_url(&url).contains("GEHEIM"), "{}", shown_url(&url));
            if let Err(problem) = Shape::of(&url) {
                prop_assert!(!problem.to_string().contains("GEHEIM"), "{}", problem);
            }
        }
    }
}
