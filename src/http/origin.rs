//! Who may ask for effects: the same host, or an origin that is trusted by name.

use crate::wire::head::Head;

/// The rule of one server.
#[derive(Clone, Default)]
pub(crate) struct OriginRule {
    /// Replaces the same-host rule when not empty.
    pub trusted: Vec<String>,
    /// A missing `Origin` is let through.
    pub dev: bool,
    /// This server speaks TLS alone: no page of its own has another scheme.
    pub https: bool,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OriginError {
    #[error("forbidden: this origin is not trusted here (see --trusted-origin)")]
    Foreign,
    #[error("forbidden: the request has no Origin header (only --dev lets that through)")]
    Missing,
}

impl OriginRule {
    /// `required`: the request has an effect, so it must say where it comes from.
    pub fn check(&self, head: &Head, required: bool) -> Result<(), OriginError> {
        let Some(origin) = head.get("origin") else {
            return if required && !self.dev {
                Err(OriginError::Missing)
            } else {
                Ok(())
            };
        };
        let trusted = if self.trusted.is_empty() {
            let plain = origin.strip_prefix("http://").filter(|_| !self.https);
            let host = plain.or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(|host| {
                head.get("host")
                    .is_some_and(|own| own.eq_ignore_ascii_case(host))
            })
        } else {
            self.trusted.iter().any(|trusted| trusted == origin)
        };
        if trusted {
            Ok(())
        } else {
            Err(OriginError::Foreign)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::head::parse;

    fn head(lines: &str) -> Head {
        parse(format!("POST / HTTP/1.1\r\nHost: a.test:3000\r\n{lines}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn the_same_host_may_and_nobody_else() {
        let rule = OriginRule::default();
        assert_eq!(
            rule.check(&head("Origin: http://a.test:3000\r\n"), true),
            Ok(())
        );
        assert_eq!(
            rule.check(&head("Origin: https://A.TEST:3000\r\n"), true),
            Ok(())
        );
        for foreign in [
            "http://a.test",
            "http://b.test:3000",
            "null",
            "a.test:3000",
            "ftp://a.test:3000",
        ] {
            let head = head(&format!("Origin: {foreign}\r\n"));
            assert_eq!(
                rule.check(&head, true),
                Err(OriginError::Foreign),
                "{foreign}"
            );
            assert_eq!(
                rule.check(&head, false),
                Err(OriginError::Foreign),
                "{foreign}"
            );
        }
    }

    #[test]
    fn a_missing_origin_passes_only_in_dev_or_where_nothing_is_changed() {
        let (strict, dev) = (
            OriginRule::default(),
            OriginRule {
                dev: true,
                ..OriginRule::default()
            },
        );
        assert_eq!(strict.check(&head(""), true), Err(OriginError::Missing));
        assert_eq!(strict.check(&head(""), false), Ok(()));
        assert_eq!(dev.check(&head(""), true), Ok(()));
        assert_eq!(
            dev.check(&head("Origin: http://b.test\r\n"), true),
            Err(OriginError::Foreign)
        );
    }

    #[test]
    fn with_tls_a_plain_page_is_a_foreign_one() {
        let rule = OriginRule {
            https: true,
            ..OriginRule::default()
        };
        let check = |origin: &str| rule.check(&head(&format!("Origin: {origin}\r\n")), true);
        assert_eq!(check("https://a.test:3000"), Ok(()));
        assert_eq!(check("http://a.test:3000"), Err(OriginError::Foreign));
    }

    #[test]
    fn trusted_origins_replace_the_rule() {
        let rule = OriginRule {
            trusted: vec!["https://app.test".into()],
            ..OriginRule::default()
        };
        assert_eq!(
            rule.check(&head("Origin: https://app.test\r\n"), true),
            Ok(())
        );
        assert_eq!(
            rule.check(&head("Origin: http://a.test:3000\r\n"), true),
            Err(OriginError::Foreign)
        );
    }
}
