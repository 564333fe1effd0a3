//! Frames of the brokers' protocols, found in the bytes that pass a proxy.

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};

use autovia_testkit::{Cut, DEADLINE, Direction, Proxy};

use crate::stage::Kind;

/// The frame of a message to a subscriber that holds `text`.
fn message_with(kind: Kind, bytes: &[u8], text: &[u8]) -> Option<Range<usize>> {
    let at = find(bytes, text)?;
    let starts: &[&[u8]] = match kind {
        Kind::Redis => &[b">3\r\n", b"*3\r\n"],
        Kind::Nats => &[b"MSG "],
    };
    let start = starts
        .iter()
        .filter_map(|start| find_last(&bytes[..at], start))
        .max()?;
    // A payload has no line ends.
    let end = at + find(&bytes[at..], b"\r\n")? + 2;
    Some(start..end)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn find_last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .rposition(|window| window == wanted)
}

/// How often something was done to a frame.
#[derive(Clone, Default)]
pub struct Done(Arc<(Mutex<usize>, Condvar)>);

impl Done {
    fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    fn add(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    /// Waits until it was done.
    pub fn wait(&self) {
        let (count, changed) = &*self.0;
        let count = count.lock().unwrap();
        let waited = changed.wait_timeout_while(count, DEADLINE, |count| *count == 0);
        assert!(
            !waited.unwrap().1.timed_out(),
            "waited in vain for a frame with that text"
        );
    }
}

/// Takes the next message with `text` out of what the broker sends to this node, and no other.
pub fn lose_next_message(proxy: &Proxy, kind: Kind, text: &str) -> Done {
    let (done, text) = (Done::default(), text.as_bytes().to_vec());
    let lost = done.clone();
    proxy.edit(Direction::ToClient, move |bytes| {
        if done.count() == 0
            && let Some(frame) = message_with(kind, bytes, &text)
        {
            bytes.drain(frame);
            done.add();
        }
        None
    });
    lost
}

/// Cuts the connection in the middle of the next message with `text` to this node.
pub fn cut_in_next_message(proxy: &Proxy, kind: Kind, text: &str, cut: Cut) -> Done {
    let (done, text) = (Done::default(), text.as_bytes().to_vec());
    let was_cut = done.clone();
    proxy.edit(Direction::ToClient, move |bytes| {
        let frame = message_with(kind, bytes, &text).filter(|_| done.count() == 0)?;
        bytes.truncate((frame.start + frame.end) / 2);
        done.add();
        Some(cut)
    });
    was_cut
}

#[test]
fn a_frame_is_found_among_others() {
    let redis = b"+OK\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\none\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\ntwo\r\n";
    let frame = message_with(Kind::Redis, redis, b"one").expect("it is there");
    assert_eq!(
        &redis[frame],
        b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\none\r\n"
    );
    let nats = b"PING\r\nMSG s 1 3\r\none\r\nMSG s 1 3\r\ntwo\r\n";
    let frame = message_with(Kind::Nats, nats, b"two").expect("it is there");
    assert_eq!(&nats[frame], b"MSG s 1 3\r\ntwo\r\n");
    assert_eq!(message_with(Kind::Nats, b"MSG s 1 3\r\non", b"on"), None);
}
