//! The values that are no numbers, each parsed once into a type that can't be wrong afterwards.

use super::nearest::nearest;
use super::setting::Problem;

/// Longest piece of a bad value that an error repeats, in characters.
const SHOWN_MAX_CHARS: usize = 80;

/// Longest trusted origin, in bytes; a host name has at most 253.
const ORIGIN_MAX_BYTES: usize = 300;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One line of text per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What carries broadcasts between shards and nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum BrokerKind {
    /// One shard, nothing to carry.
    Memory,
    /// Rings between the shards of this process.
    Mesh,
    /// Redis between processes, the rings within each.
    Redis,
    /// NATS between processes, the rings within each.
    Nats,
}

/// When `/_ready` says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[non_exhaustive]
pub enum ReadyWhen {
    /// As long as the pages of this process work, with or without its link.
    #[default]
    Serving,
    /// Only while the link to the other nodes works too.
    Link,
}

/// How many descriptor tables there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[non_exhaustive]
pub enum DescriptorTables {
    /// One per shard where one for all would be small.
    #[default]
    Auto,
    /// One for all shards.
    Shared,
    /// One per shard.
    PerShard,
}

/// What is logged: a level, or `tracing` directives; known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl Default for LogFilter {
    fn default() -> Self {
        Self(super::settings::LOG_LEVEL.default.to_owned())
    }
}

impl LogFilter {
    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a filter.
    ///
    /// A lone word must be a level, though `tracing` would take any word for a module to be
    /// logged in full: `inof` would then log nothing, in silence.
    ///
    /// # Errors
    /// A word that is no level, or a directive that `tracing` refuses.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let problem = |hint: String| {
            Problem(format!(
                "not a log level: use {}, or directives as in info,autovia=debug{hint}",
                LEVELS.join(", ")
            ))
        };
        for directive in top_level_parts(text) {
            let (target, level) = match directive.rsplit_once('=') {
                Some((target, level)) if !level.ends_with([']', '}']) => (target, level),
                _ if directive.contains('[') => continue,
                _ => ("", directive),
            };
            if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
                continue;
            }
            let hint = if let Some(near) = nearest(level, LEVELS.into_iter()) {
                let prefix = if target.is_empty() {
                    String::new()
                } else {
                    format!("{target}=")
                };
                format!(" (did you mean {prefix}{near}?)")
            } else if target.is_empty() && !level.is_empty() {
                format!(" (to see all of a module, write {}=trace)", shown(level))
            } else {
                String::new()
            };
            return Err(problem(hint));
        }
        let plain = top_level_parts(text).collect::<Vec<_>>().join(",");
        match tracing_subscriber::EnvFilter::builder().parse(&plain) {
            Ok(_) => Ok(Self(plain)),
            Err(_) => Err(problem(String::new())),
        }
    }
}

/// Splits at the commas that stand outside of brackets, as in `[span{a=1,b=2}]=info,warn`.
fn top_level_parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |char| {
        match char {
            '[' | '{' => depth = depth.saturating_add(1),
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        char == ',' && depth == 0
    })
    .map(str::trim)
}

/// An origin as browsers send it: `scheme://host[:port]`, in lower case, the scheme's own port
/// left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedOrigin(String);

impl TrustedOrigin {
    /// The text to compare an `Origin` header with, byte by byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads an origin.
    ///
    /// # Errors
    /// Anything that a browser would never send as an `Origin`: a path, a wildcard, a user, a
    /// missing scheme.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let problem = |hint: &str| {
            Problem(format!(
                "not an origin: write scheme://host[:port], as in https://example.com{hint}"
            ))
        };
        let lower = text.to_ascii_lowercase();
        if lower.len() > ORIGIN_MAX_BYTES || !lower.is_ascii() {
            return Err(problem(
                "; a name with other letters goes in its xn-- form, as browsers send it",
            ));
        }
        let Some((scheme, rest)) = lower.split_once("://") else {
            let hint = if is_host(&lower) {
                format!(" (did you mean https://{lower}?)")
            } else {
                String::new()
            };
            return Err(problem(&hint));
        };
        if !is_scheme(scheme) {
            return Err(problem(""));
        }
        if let Some((host, _)) = rest.split_once(['/', '?', '#']) {
            return Err(problem(&format!(
                "; without a path (did you mean {scheme}://{host}?)"
            )));
        }
        if rest.contains('*') {
            return Err(problem("; no wildcards: name each origin"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        if !is_host(host) {
            return Err(problem(""));
        }
        let port = match port {
            None => None,
            Some(port) => match port.parse::<u16>() {
                Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Some(number)
                }
                _ => return Err(problem("; a port is a number from 1 to 65535")),
            },
        };
        let own_port = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Ok(Self(match port {
            Some(port) if Some(port) != own_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        return address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    !text.is_empty()
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        })
}

/// Reads a switch; the spellings are those that people write in environment files.
pub(super) fn parse_switch(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Problem("not true or false".to_owned())),
    }
}

/// Reads one of a few names, and suggests the nearest where it is none of them.
pub(super) fn parse_choice<T: clap::ValueEnum>(text: &str) -> Result<T, Problem> {
    T::from_str(text, false).map_err(|_| {
        let names: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
            .collect();
        let hint = nearest(text, names.iter().map(String::as_str))
            .map_or_else(String::new, |name| format!(" (did you mean {name}?)"));
        Problem(format!("not one of {}{hint}", names.join(", ")))
    })
}

/// A value as an error may repeat it: short, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (index, char) in text.chars().enumerate() {
        if index == SHOWN_MAX_CHARS {
            out.push('…');
            break;
        }
        if char.is_control() {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_send_it() {
        for (text, kept) in [
            ("https://example.com", "https://example.com"),
            ("HTTPS://Example.COM:443", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("https://[::1]", "https://[::1]"),
            ("tauri://localhost", "tauri://localhost"),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
            ),
        ] {
            assert_eq!(TrustedOrigin::parse(text).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_a_hint() {
        for (text, hint) in [
            ("", "write scheme://host[:port]"),
            ("*", "write scheme://host[:port]"),
            ("null", "did you mean https://null?"),
            ("example.com", "did you mean https://example.com?"),
            ("https://example.com/", "did you mean https://example.com?"),
            (
                "https://example.com/app",
                "did you mean https://example.com?",
            ),
            ("https://*.example.com", "no wildcards"),
            ("https://me@example.com", "write scheme://host[:port]"),
            ("https://example.com:0", "from 1 to 65535"),
            ("https://example.com:+80", "from 1 to 65535"),
            ("https://example.com:99999", "from 1 to 65535"),
            ("https://exa mple.com", "write scheme://host[:port]"),
            ("https://bücher.example", "xn--"),
            ("1http://example.com", "write scheme://host[:port]"),
            ("https://", "write scheme://host[:port]"),
            ("https://[::1", "write scheme://host[:port]"),
        ] {
            let problem = TrustedOrigin::parse(text).unwrap_err().to_string();
            assert!(problem.starts_with("not an origin"), "{text}: {problem}");
            assert!(problem.contains(hint), "{text}: {problem}");
        }
    }

    #[test]
    fn a_log_level_is_a_level_or_a_directive() {
        for text in [
            "info",
            "WARN",
            "off",
            "info,autovia=debug",
            "autovia::page=trace, warn",
            "[request{id=1}]=debug,error",
            "autovia[request]",
        ] {
            assert_eq!(
                LogFilter::parse(text).unwrap().as_str(),
                text.replace(", ", ",")
            );
        }
    }

    #[test]
    fn a_mistyped_level_is_refused_though_tracing_takes_it_for_a_module() {
        for (text, hint) in [
            ("inof", "did you mean info?"),
            ("debgu", "did you mean debug?"),
            ("info,autovia=debgu", "did you mean autovia=debug?"),
            ("info,hyper", "write hyper=trace"),
            ("", "use error, warn"),
            ("info,", "use error, warn"),
        ] {
            let problem = LogFilter::parse(text).unwrap_err().to_string();
            assert!(problem.starts_with("not a log level"), "{text}: {problem}");
            assert!(problem.contains(hint), "{text}: {problem}");
        }
    }

    #[test]
    fn a_choice_suggests_the_nearest() {
        assert_eq!(parse_choice::<BrokerKind>("mesh"), Ok(BrokerKind::Mesh));
        assert_eq!(
            parse_choice::<BrokerKind>("memroy")
                .unwrap_err()
                .to_string(),
            "not one of memory, mesh, redis, nats (did you mean memory?)"
        );
        assert_eq!(
            parse_choice::<LogFormat>("xml").unwrap_err().to_string(),
            "not one of text, json"
        );
    }

    #[test]
    fn a_shown_value_is_short_and_has_no_control_characters() {
        assert_eq!(shown("a\n\u{1b}[31mb"), "a\\n\\u{1b}[31mb");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN_MAX_CHARS + 1);
    }
}
