//! Names that a broker knows: a channel of redis, a subject of nats, a user.

use super::super::setting::Problem;

/// Longest channel, subject or user name, in bytes.
const NAME_MAX_BYTES: usize = 256;

/// Reads a channel of redis.
pub(in super::super) fn parse_channel(text: &str) -> Result<String, Problem> {
    if is_printable(text) {
        Ok(text.to_owned())
    } else {
        Err(Problem(format!(
            "not a channel: 1 to {NAME_MAX_BYTES} bytes, without spaces and control characters, \
             as in myapp:broadcast"
        )))
    }
}

/// Reads a subject of nats that can be published to.
pub(in super::super) fn parse_subject(text: &str) -> Result<String, Problem> {
    let reason = if !is_printable(text) {
        format!("1 to {NAME_MAX_BYTES} bytes, without spaces and control characters")
    } else if text.contains(['*', '>']) {
        "without the wildcards * and >, since nothing can be published to them".to_owned()
    } else if text.split('.').any(str::is_empty) {
        "its words have single dots between them".to_owned()
    } else if text.starts_with('$') {
        "those with a $ in front belong to the nats server".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(Problem(format!(
        "not a subject: {reason}; as in myapp.broadcast"
    )))
}

/// Reads the name of a user.
pub(in super::super) fn parse_username(text: &str) -> Result<String, Problem> {
    if is_printable(text) {
        Ok(text.to_owned())
    } else {
        Err(Problem(format!(
            "not a user name: 1 to {NAME_MAX_BYTES} bytes, without spaces and control characters"
        )))
    }
}

fn is_printable(text: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&text.len())
        && !text.contains(|char: char| char.is_whitespace() || char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_stay_as_they_are() {
        for text in ["via:broadcast", "a", "bücher:1", &"x".repeat(256)] {
            assert_eq!(parse_channel(text).unwrap(), text);
        }
        for text in ["via.broadcast", "a", "a.b-c_d.e:f", "a.$b"] {
            assert_eq!(parse_subject(text).unwrap(), text);
        }
        assert_eq!(parse_username("via").unwrap(), "via");
    }

    #[test]
    fn bad_names_say_why() {
        for text in ["", "a b", "a\n", "\u{7f}", "a\u{a0}b", &"x".repeat(257)] {
            assert!(parse_channel(text).is_err(), "{text:?}");
            assert!(parse_subject(text).is_err(), "{text:?}");
            assert!(parse_username(text).is_err(), "{text:?}");
        }
        for (text, reason) in [
            ("via.*", "wildcards"),
            (">", "wildcards"),
            ("via..x", "single dots"),
            (".via", "single dots"),
            ("via.", "single dots"),
            ("$SYS.x", "belong to the nats server"),
        ] {
            let problem = parse_subject(text).unwrap_err().to_string();
            assert!(problem.contains(reason), "{text}: {problem}");
        }
    }
}
