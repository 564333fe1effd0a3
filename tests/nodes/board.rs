//! Pages on every shard of every node, and who writes what they show.
//!
//! Each node has a room of its own, to which only it posts, and every shard of every node shows all
//! rooms. So a page learns of a post on another node by that node's message alone: nothing that its
//! own node says renders it.

use std::time::Instant;

use autovia_testkit::{Event, Frame, Page, Stream, element_text};
use serde_json::{Value, json};

use crate::stage::{Group, Node, RECONNECT_DEADLINE, SHARDS};

/// An open page, and what it shows.
pub struct Watcher {
    pub page: Page,
    pub stream: Stream,
    shown: String,
}

impl Watcher {
    pub fn open(page: Page) -> Self {
        Self {
            stream: page.stream(),
            shown: page.text("shown"),
            page,
        }
    }

    /// One on each shard of a node.
    pub fn on(node: &Node, path: &str) -> Vec<Self> {
        Page::one_per_shard(node.server.port(), path, SHARDS)
            .into_iter()
            .map(Self::open)
            .collect()
    }

    /// Reads on until the page shows `text`.
    pub fn wait_shows(&mut self, text: &str) {
        let start = Instant::now();
        while self.shown != text {
            match self.stream.next_frame() {
                Some(Frame::Event(event)) => {
                    self.shown = shown_by(&event).unwrap_or(std::mem::take(&mut self.shown));
                }
                Some(Frame::Comment(_)) => {}
                None => panic!("the stream ended, and the page shows {:?}", self.shown),
            }
            assert!(
                start.elapsed() < RECONNECT_DEADLINE,
                "{text:?} was waited for in vain, the page shows {:?}",
                self.shown
            );
        }
    }

    /// Proves that nothing was shown before `text`.
    pub fn shows_next(&mut self, text: &str) {
        loop {
            let event = self.stream.next_event();
            if let Some(shown) = shown_by(&event) {
                let before = std::mem::replace(&mut self.shown, shown);
                // The first events of a stream repeat what the page came with.
                if self.shown != before {
                    assert_eq!(self.shown, text, "something was shown in between");
                    return;
                }
            }
        }
    }

    pub fn act(&self, action: &str, argument: impl Into<Value>) {
        let response = self.page.act(action, json!([argument.into()]), Value::Null);
        assert!(
            matches!(response.status, 200 | 204),
            "{action}: {response:?}"
        );
    }
}

/// What an update shows.
pub fn shown_by(event: &Event) -> Option<String> {
    let html = event.is_elements().then(|| event.elements())?;
    element_text(&html, "shown")
}

struct Seat {
    node: usize,
    room: usize,
    watcher: Watcher,
}

/// All rooms on all shards of all nodes.
pub struct Board {
    seats: Vec<Seat>,
    newest: Vec<String>,
    posts: u64,
}

impl Board {
    pub fn open(group: &Group) -> Self {
        let mut board = Self {
            seats: Vec::new(),
            newest: vec!["nothing".to_owned(); group.nodes.len()],
            posts: 0,
        };
        for node in 0..group.nodes.len() {
            board.open_on(group, node);
        }
        board
    }

    /// Opens the pages of a node, anew if it had some in an earlier life.
    pub fn open_on(&mut self, group: &Group, node: usize) {
        self.seats.retain(|seat| seat.node != node);
        for room in 0..self.newest.len() {
            let watchers = Watcher::on(&group.nodes[node], &format!("/board/{room}"));
            let seats = watchers.into_iter().map(|watcher| Seat {
                node,
                room,
                watcher,
            });
            self.seats.extend(seats);
        }
    }

    /// Posts something new on a node, and tells nobody else.
    pub fn post(&mut self, node: usize) {
        self.posts += 1;
        let text = format!("post {} of {node}", self.posts);
        let seat = self
            .seats
            .iter()
            .find(|seat| seat.node == node && seat.room == node)
            .expect("each node has its room");
        seat.watcher.act("post", text.as_str());
        self.newest[node] = text;
    }

    pub fn post_everywhere(&mut self) {
        for node in 0..self.newest.len() {
            self.post(node);
        }
    }

    /// What was posted last on a node.
    pub fn newest(&self, node: usize) -> &str {
        &self.newest[node]
    }

    /// What a node's own pages show of its own posts, whatever its link does.
    pub fn wait_own(&mut self, node: usize) {
        self.wait(|seat| seat.node == node && seat.room == node);
    }

    /// Every page on every node shows the newest of all.
    pub fn wait_newest(&mut self) {
        self.wait(|_| true);
    }

    fn wait(&mut self, which: impl Fn(&Seat) -> bool) {
        for seat in self.seats.iter_mut().filter(|seat| which(seat)) {
            seat.watcher.wait_shows(&self.newest[seat.room]);
        }
    }
}
