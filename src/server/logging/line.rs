//! What a line may be: one line, of bounded length.

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::server::config::LogFormat;

/// Longest line that is written whole, in bytes. It bounds the memory of the queue.
pub(super) const LINE_MAX_BYTES: usize = 16 * 1024;

/// Where a line of the log about itself comes from.
const TARGET: &str = "autovia::log";

/// The event as it goes into the queue: a copy, cut where it is too long.
pub(super) fn bounded(event: &[u8], format: LogFormat) -> Vec<u8> {
    if event.len() <= LINE_MAX_BYTES {
        return event.to_vec();
    }
    match format {
        LogFormat::Text => {
            let mut end = LINE_MAX_BYTES;
            while end > 0 && event[end] & 0b1100_0000 == 0b1000_0000 {
                end -= 1;
            }
            let mut line = event[..end].to_vec();
            line.extend_from_slice(format!("… (cut, {} bytes in all)\n", event.len()).as_bytes());
            line
        }
        LogFormat::Json => notice(
            format,
            &format!(
                "a line of {} bytes was left out, {LINE_MAX_BYTES} are allowed",
                event.len()
            ),
        ),
    }
}

/// Takes the line breaks out of an event, but for the one at its end, so that text of a user in
/// a message can't look like another event. JSON has escaped them already.
pub(super) fn flatten(event: &[u8], out: &mut Vec<u8>) {
    let content = event.strip_suffix(b"\n").unwrap_or(event);
    for byte in content {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => out.push(*byte),
        }
    }
    out.push(b'\n');
}

/// A line of the log about itself.
pub(super) fn notice(format: LogFormat, message: &str) -> Vec<u8> {
    let mut time = String::new();
    // Without a time the notice is still worth its line.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    match format {
        LogFormat::Text => format!("{time}  WARN {TARGET}: {message}\n"),
        LogFormat::Json => {
            let object = serde_json::json!({
                "timestamp": time,
                "level": "WARN",
                "message": message,
                "target": TARGET,
            });
            format!("{object}\n")
        }
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = "ä".repeat(LINE_MAX_BYTES);
        for start in ["", "x"] {
            let event = format!("{start}{long}\n");
            let line = String::from_utf8(bounded(event.as_bytes(), LogFormat::Text)).unwrap();
            assert!(line.ends_with(&format!("ä… (cut, {} bytes in all)\n", event.len())));
            assert!(line.len() < LINE_MAX_BYTES + 64);
        }
    }

    #[test]
    fn a_long_json_line_becomes_a_notice_that_is_json() {
        let event = format!("{{\"message\":\"{}\"}}\n", "x".repeat(LINE_MAX_BYTES));
        let line = bounded(event.as_bytes(), LogFormat::Json);
        let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let message = object["message"].as_str().unwrap();
        assert!(message.contains(&event.len().to_string()), "{message}");
        assert_eq!(object["level"], "WARN");
    }

    #[test]
    fn only_the_last_break_stays() {
        let mut out = Vec::new();
        flatten(b"a\nb\r\n\n", &mut out);
        assert_eq!(out, b"a\\nb\\r\\n\n");
    }
}
