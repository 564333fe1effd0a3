//! The queue between the threads that log and the one that writes.
//!
//! Invariant: a thread that logs never waits, neither for room nor for a lock. A line that finds
//! no room is counted in its thread, and the count moves to the shared one as soon as that lock
//! is free at once. The queue was full then, so the writer still has lines before it, and looks
//! at the shared count after each batch: a count is told, though its thread may never log again.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tracing_subscriber::fmt::MakeWriter;

use super::line;
use crate::server::config::LogFormat;

/// Lines that may wait for the writer.
const QUEUE_LINES: usize = 4096;

/// Lines that are written by one system call, if so many wait.
const BATCH_LINES: usize = 256;

/// Longest wait for the writer at the end of the process.
const FLUSH_MAX: Duration = Duration::from_secs(2);

thread_local! {
    /// Lines that this thread dropped and that the shared count doesn't have yet.
    static DROPPED: Cell<u64> = const { Cell::new(0) };
}

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Hands lines to the queue; what `tracing` writes to.
#[derive(Clone)]
pub(super) struct QueueWriter {
    queue: Sender<Message>,
    dropped: Arc<Mutex<u64>>,
    format: LogFormat,
}

/// Waits for the writer.
#[derive(Debug)]
pub(super) struct Flusher {
    queue: Sender<Message>,
}

/// Starts the thread that writes to `output`; it ends with the last sender.
pub(super) fn start(
    output: impl Write + Send + 'static,
    format: LogFormat,
) -> io::Result<(QueueWriter, Flusher)> {
    start_with(output, format, QUEUE_LINES)
}

fn start_with(
    output: impl Write + Send + 'static,
    format: LogFormat,
    lines: usize,
) -> io::Result<(QueueWriter, Flusher)> {
    let (queue, waiting) = bounded(lines);
    let dropped = Arc::new(Mutex::new(0));
    let writer = Writer {
        waiting,
        dropped: dropped.clone(),
        format,
        output,
        batch: Vec::new(),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run())?;
    let flusher = Flusher {
        queue: queue.clone(),
    };
    let handle = QueueWriter {
        queue,
        dropped,
        format,
    };
    Ok((handle, flusher))
}

impl QueueWriter {
    fn send(&self, event: &[u8]) {
        let message = Message::Line(line::bounded(event, self.format));
        if let Err(TrySendError::Full(_)) = self.queue.try_send(message) {
            DROPPED.set(DROPPED.get() + 1);
        }
        if DROPPED.get() > 0
            && let Ok(mut dropped) = self.dropped.try_lock()
        {
            *dropped += DROPPED.take();
        }
    }
}

impl<'a> MakeWriter<'a> for QueueWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

/// One event's writer: `tracing` writes each event by a single call.
pub(super) struct LineWriter<'a>(&'a QueueWriter);

impl Write for LineWriter<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.send(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Flusher {
    /// Waits until all lines so far are written, or for [`FLUSH_MAX`].
    pub(super) fn flush(&self) {
        let (done, wait) = bounded(1);
        let asked = self.queue.send_timeout(Message::Flush(done), FLUSH_MAX);
        if asked.is_ok() {
            let _ = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

struct Writer<W> {
    waiting: Receiver<Message>,
    dropped: Arc<Mutex<u64>>,
    format: LogFormat,
    output: W,
    batch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let mut flushed = Vec::new();
            let waiting = self.waiting.clone();
            let more = waiting.try_iter().take(BATCH_LINES - 1);
            for message in std::iter::once(first).chain(more) {
                match message {
                    Message::Line(event) => self.add(&event),
                    Message::Flush(done) => flushed.push(done),
                }
            }
            self.write_batch();
            self.tell_dropped();
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    fn add(&mut self, event: &[u8]) {
        match self.format {
            LogFormat::Text => line::flatten(event, &mut self.batch),
            LogFormat::Json => self.batch.extend_from_slice(event),
        }
    }

    fn write_batch(&mut self) {
        // Whoever closed standard error has no use for a complaint about it.
        let _ = self.output.write_all(&self.batch);
        let _ = self.output.flush();
        self.batch.clear();
    }

    fn tell_dropped(&mut self) {
        let dropped =
            std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        if dropped == 0 {
            return;
        }
        let notice = line::notice(
            self.format,
            &format!(
                "{dropped} log lines were dropped: standard error is read too slowly. \
                 Raise --log-level, or read it faster"
            ),
        );
        self.batch.extend_from_slice(&notice);
        self.write_batch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that tells when it is written to, and waits until it may go on.
    struct Stuck {
        reached: Sender<()>,
        go_on: Receiver<()>,
        written: Arc<Mutex<String>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.reached.send(());
            // A dropped sender lets everything pass.
            let _ = self.go_on.recv();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            self.written.lock().unwrap().push_str(&text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// As [`Flusher::flush`], but for as long as it takes: it returns only if the writer lives.
    fn wait_for(flusher: &Flusher) {
        let (done, wait) = bounded(1);
        flusher.queue.send(Message::Flush(done)).unwrap();
        assert_eq!(wait.recv(), Ok(()));
    }

    #[test]
    fn a_stuck_output_costs_lines_never_time_and_the_count_is_told() {
        let (reached, is_reached) = bounded(64);
        let (release, go_on) = bounded::<()>(0);
        let written = Arc::new(Mutex::new(String::new()));
        let output = Stuck {
            reached,
            go_on,
            written: written.clone(),
        };
        let (queue, flusher) = start_with(output, LogFormat::Text, 3).unwrap();

        queue.send(b"first\n");
        is_reached.recv().unwrap();
        for number in 0..8 {
            queue.send(format!("line {number}\n").as_bytes());
        }
        drop(release);
        wait_for(&flusher);

        let written = written.lock().unwrap().clone();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 5, "{written}");
        assert_eq!(lines[0], "first");
        assert!(lines[1].contains("5 log lines were dropped"), "{written}");
        assert_eq!(lines[2..], ["line 0", "line 1", "line 2"]);
    }

    #[test]
    fn an_output_that_fails_is_no_reason_to_stop() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let (queue, flusher) = start(Closed, LogFormat::Json).unwrap();
        for _ in 0..2 {
            queue.send(b"{}\n");
            wait_for(&flusher);
        }
    }
}
