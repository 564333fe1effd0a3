//! Logs: `tracing` events, as text or JSON, one line each, on standard error.
//!
//! A shard must never wait for a log: it formats its line and hands it to a bounded queue; a
//! thread of its own writes. When the queue is full because nobody reads standard error fast
//! enough, lines are dropped and counted, and the count is logged as soon as there is room.

#![forbid(unsafe_code)]

mod line;
mod queue;

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use self::queue::{Flusher, QueueWriter};
use super::config::{Config, LogFilter, LogFormat};

/// Keeps the log going; dropping it writes out what still waits, for at most two seconds.
///
/// `std::process::exit` drops nothing: call [`LogGuard::flush`] before it.
#[derive(Debug)]
#[must_use = "the end of the log is lost without its guard"]
pub struct LogGuard {
    flusher: Option<Flusher>,
}

impl LogGuard {
    /// Waits until all lines so far are written, for at most two seconds.
    pub fn flush(&self) {
        if let Some(flusher) = &self.flusher {
            flusher.flush();
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// From now on a panic on one of the server's threads is one line of the log, with its place and
/// the spans in which it happened: the usual several lines on standard error are no JSON, and a
/// shard would wait until they are written.
pub(crate) fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let ours = thread
            .name()
            .is_some_and(|name| name.starts_with("shard-") || name.starts_with("blocking-"));
        if !ours {
            return before(panic);
        }
        let text = panic.payload_as_str().unwrap_or("a panic without a text");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = text, place, "a panic");
    }));
}

/// Starts logging to standard error. Call it once, before the shards start.
///
/// An app that has set a `tracing` subscriber of its own keeps it; then this does nothing.
///
/// # Errors
/// The system has no thread left for the writer.
pub fn init(config: &Config) -> io::Result<LogGuard> {
    let ansi = config.log_format == LogFormat::Text
        && io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (writer, flusher) = queue::start(io::stderr(), config.log_format)?;
    let subscriber = subscriber(&config.log_level, config.log_format, ansi, writer);
    Ok(LogGuard {
        flusher: tracing::subscriber::set_global_default(subscriber)
            .is_ok()
            .then_some(flusher),
    })
}

fn subscriber(
    filter: &LogFilter,
    format: LogFormat,
    ansi: bool,
    writer: QueueWriter,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = fmt()
        .with_env_filter(EnvFilter::new(filter.as_str()))
        .with_thread_names(true)
        .with_ansi(ansi)
        .with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .finish(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Standard error of a test.
    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, log: impl FnOnce()) -> String {
        let output = Output::default();
        let (writer, flusher) = queue::start(output.clone(), format).unwrap();
        let filter = LogFilter::parse(filter).unwrap();
        let subscriber = subscriber(&filter, format, false, writer);
        tracing::subscriber::with_default(subscriber, log);
        drop(LogGuard {
            flusher: Some(flusher),
        });
        let bytes = output.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn dropping_the_guard_writes_out_what_waits() {
        let text = logged("info", LogFormat::Text, || {
            for number in 0..1000 {
                tracing::info!(number, "counted");
            }
            tracing::debug!("too fine");
        });
        assert_eq!(text.lines().count(), 1000);
        assert!(text.lines().last().unwrap().ends_with("counted number=999"));
        assert!(!text.contains("too fine"));
    }

    #[test]
    fn directives_choose_by_module() {
        let text = logged("warn,chosen=trace", LogFormat::Text, || {
            tracing::trace!(target: "chosen", "seen");
            tracing::info!(target: "other", "unseen");
        });
        assert!(text.contains("seen") && !text.contains("unseen"), "{text}");
    }

    #[test]
    fn json_is_one_object_per_line_with_its_span() {
        let text = logged("info", LogFormat::Json, || {
            let span = tracing::info_span!("request", shard = 1);
            span.in_scope(|| tracing::error!(action = "add", "it failed\nbadly"));
        });
        let object: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(object["level"], "ERROR");
        assert_eq!(object["message"], "it failed\nbadly");
        assert_eq!(object["action"], "add");
        assert_eq!(object["span"]["name"], "request");
        assert_eq!(object["span"]["shard"], 1);
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_message_cannot_forge_a_line() {
        let text = logged("info", LogFormat::Text, || {
            tracing::warn!("name is {}", "x\r\n2026-01-01T00:00:00Z ERROR all is lost");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ERROR all is lost"), "{text}");
    }
}
