//! One thread of the test: its sessions, its pages, its connections, and its part of the model.
//!
//! A session belongs to one driver, which waits for each answer; so the model of what is a page's
//! or a session's own is sequential. What drivers share (rooms, totals) is counted, and sums agree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use autovia_testkit::{Client, Connection, Response};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::marks::{self, Owner};
use crate::stream::Live;
use crate::tab::{Tab, stream_path};

/// Rooms, few enough that each has many pages.
pub const ROOMS: u64 = 6;

/// Open pages and sessions of one driver.
const TABS: usize = 24;
const SESSIONS: usize = 8;

/// Kept connections of one driver: several clicks of one page can be on their way at once.
const LANES: usize = 3;

/// What all drivers know: whose contexts there are, and which sessions.
#[derive(Default)]
pub struct Registry {
    contexts: Mutex<Vec<(String, u64)>>,
    cookies: Mutex<BTreeSet<String>>,
}

/// A browser.
pub struct Session {
    pub number: u64,
    pub client: Client,
    pub badge: String,
    made: u64,
}

/// What one driver did, for the sums at the end.
#[derive(Default)]
pub struct Tally {
    pub pages: u64,
    pub gone: u64,
    pub posts: BTreeMap<u64, u64>,
    pub totals: BTreeMap<u64, u64>,
    pub all: u64,
    pub events: usize,
    /// Clicks by page number: at least, at most.
    pub clicks: BTreeMap<u64, (u64, u64)>,
    /// How often each operation was done.
    pub done: BTreeMap<&'static str, u64>,
}

pub struct Driver<'a> {
    pub chance: Chance,
    port: u16,
    registry: &'a Registry,
    first_number: u64,
    lanes: Vec<Connection>,
    pub sessions: Vec<Session>,
    pub tabs: Vec<Tab>,
    pub tally: Tally,
    rounds: usize,
}

impl<'a> Driver<'a> {
    pub fn new(port: u16, seed: u64, number: u64, registry: &'a Registry) -> Self {
        let mut driver = Self {
            chance: Chance::new(seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F)),
            port,
            registry,
            first_number: (number + 1) * 10_000_000,
            lanes: (0..LANES).map(|_| connect(port)).collect(),
            sessions: Vec::new(),
            tabs: Vec::new(),
            tally: Tally::default(),
            rounds: 0,
        };
        // A page in each room stays, so that no room loses its last member and with it its total.
        for room in 0..ROOMS {
            driver.open(room, room);
            let tab = driver.tabs.len() - 1;
            driver.open_stream(tab, None);
        }
        driver
    }

    /// Opens a page, in a new browser or in one that is there.
    pub fn open(&mut self, room: u64, other: u64) {
        let index = if self.sessions.len() < SESSIONS {
            let number = self.first_number + self.sessions.len() as u64;
            let client = Client::new(self.port);
            self.sessions.push(Session {
                number,
                client,
                badge: String::new(),
                made: 0,
            });
            self.sessions.len() - 1
        } else {
            self.chance.below(SESSIONS)
        };
        let session = &self.sessions[index];
        let before = session.client.cookie("via_session_id");
        let asked = Instant::now();
        let path = format!("/model/{room}/{other}");
        let response = session.client.get(&path);
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let cookie = session.client.cookie("via_session_id");
        match before {
            Some(_) => assert_eq!(cookie, before, "a session was exchanged"),
            None => {
                let cookie = cookie.expect("a first visit gets a session");
                let mut cookies = lock(&self.registry.cookies);
                assert!(cookies.insert(cookie), "two browsers have one session");
            }
        }
        self.tally.pages += 1;
        let owner = Owner {
            page: self.first_number + self.tally.pages,
            session: session.number,
            rooms: [room, other],
        };
        let tab = Tab::new(owner, response.text(), asked);
        assert_eq!(
            (&tab.shown["badge"], tab.shown["mine"].as_str()),
            (&session.badge, "")
        );
        lock(&self.registry.contexts).push((tab.context.clone(), session.number));
        self.tabs.push(tab);
    }

    pub fn is_full(&self) -> bool {
        self.tabs.len() >= TABS
    }

    /// A tab that may be closed or left.
    pub fn any_tab(&mut self) -> usize {
        self.chance.below(self.tabs.len())
    }

    pub fn is_anchor(&self, tab: usize) -> bool {
        self.tabs[tab].owner.page <= self.first_number + ROOMS
    }

    pub fn session(&mut self, tab: usize) -> &mut Session {
        let number = self.tabs[tab].owner.session;
        let mut sessions = self.sessions.iter_mut();
        sessions
            .find(|session| session.number == number)
            .expect("a driver has the sessions of its pages")
    }

    /// The bytes of a click of `tab`.
    pub fn click_bytes(
        &mut self,
        tab: usize,
        action: &str,
        arguments: &Value,
        draft: &str,
        key: Option<&str>,
    ) -> Vec<u8> {
        let (path, body) = self.tabs[tab].click(action, arguments, draft);
        let client = &self.session(tab).client;
        bytes_of(client, &path, key, &body)
    }

    /// Sends bytes on a lane and leaves the answer for later.
    pub fn send(&mut self, lane: usize, bytes: &[u8]) {
        self.lanes[lane].write(bytes).expect("the server reads");
    }

    pub fn answer(&mut self, lane: usize) -> Response {
        self.lanes[lane]
            .response(false)
            .expect("the server answers")
    }

    /// Sends bytes on a connection of their own and breaks it before the answer.
    pub fn abort(&mut self, bytes: &[u8]) {
        let mut connection = connect(self.port);
        connection.write(bytes).expect("the server reads");
        if self.chance.one_in(2) {
            connection.reset();
        }
    }

    /// Clicks and gives the status; `None` when the page is gone and was taken out of the model.
    pub fn act(&mut self, tab: usize, action: &str, arguments: &Value, draft: &str) -> Option<u16> {
        let key = self.tabs[tab].key();
        self.act_with(tab, action, arguments, draft, key)
    }

    pub fn act_with(
        &mut self,
        tab: usize,
        action: &str,
        arguments: &Value,
        draft: &str,
        key: u64,
    ) -> Option<u16> {
        let bytes = self.click_bytes(tab, action, arguments, draft, Some(&key.to_string()));
        let lane = self.chance.below(LANES);
        self.send(lane, &bytes);
        let status = self.answer(lane).status;
        if status == 410 {
            self.lost(tab);
            return None;
        }
        self.tabs[tab].end(key, status);
        Some(status)
    }

    /// Clicks where a 200 is the only right answer; tells whether the page was there.
    pub fn act_well(&mut self, tab: usize, action: &str, arguments: &Value, draft: &str) -> bool {
        match self.act(tab, action, arguments, draft) {
            Some(status) => {
                assert_eq!(status, 200, "{action} on {:?}", self.tabs[tab].owner);
                true
            }
            None => false,
        }
    }

    /// The next mark of a session, as its badge.
    pub fn new_badge(&mut self, tab: usize) -> String {
        let session = self.session(tab);
        session.made += 1;
        marks::of_session(session.number, session.made)
    }

    pub fn open_stream(&mut self, tab: usize, last_id: Option<&str>) {
        let number = self.tabs[tab].owner.session;
        let client = &self
            .sessions
            .iter()
            .find(|session| session.number == number)
            .expect("a driver has the sessions of its pages")
            .client;
        match self.tabs[tab].open_stream(client, last_id) {
            Ok(()) => {}
            Err(410) => self.lost(tab),
            Err(status) => panic!("a stream of {:?}: {status}", self.tabs[tab].owner),
        }
    }

    /// A page of another session, of whatever driver.
    pub fn stranger(&mut self, tab: usize) -> Option<String> {
        let own = self.tabs[tab].owner.session;
        let contexts = lock(&self.registry.contexts);
        // The newest: older ones may be gone for everybody.
        let back = self.chance.below(contexts.len().min(100)) + 1;
        let (context, session) = &contexts[contexts.len() - back];
        (*session != own).then(|| context.clone())
    }

    /// Asks with the session of `tab` for something of another's `context`: all answers are 410.
    pub fn trespass(&mut self, tab: usize, context: &str) {
        let click = self.chance.one_in(2);
        let client = &self.session(tab).client;
        if !click {
            let owner = Owner {
                page: 0,
                session: 0,
                rooms: [ROOMS, ROOMS],
            };
            let path = stream_path(context);
            let refused = Live::open(client, &path, None, Default::default(), &owner).err();
            assert_eq!(refused, Some(410), "a stream of another session's page");
            return;
        }
        let body = json!({ "via_ctx": context, "_args": [1, 1], "draft": "~P.0.0~" });
        let bytes = bytes_of(
            client,
            "/_action/click",
            Some("1"),
            body.to_string().as_bytes(),
        );
        self.send(0, &bytes);
        assert_eq!(self.answer(0).status, 410, "a click on another's page");
    }

    /// What a browser sends when it leaves a page, with the session of `tab`.
    pub fn beacon(&mut self, tab: usize, context: &str) {
        let client = &self.session(tab).client;
        let origin = client.origin();
        let headers = [("Content-Type", "text/plain"), ("Origin", origin.as_str())];
        let bytes = client.encode("POST", "/_session/close", &headers, context.as_bytes());
        self.send(0, &bytes);
        assert_eq!(self.answer(0).status, 200, "a beacon");
    }

    /// The server says that a page is gone; before its time that is a fault.
    pub fn lost(&mut self, tab: usize) {
        assert!(
            self.tabs[tab].may_be_gone(),
            "{:?} is gone too early",
            self.tabs[tab].owner
        );
        self.tally.gone += 1;
        self.forget(tab);
    }

    /// Takes a page out of the model, which keeps its clicks.
    pub fn forget(&mut self, tab: usize) {
        self.tabs[tab].read();
        let mut tab = self.tabs.swap_remove(tab);
        while !tab.streams.is_empty() {
            self.tally.events += tab.streams[0].events;
            tab.close_stream(0, false);
        }
        self.note_clicks(&tab);
    }

    pub fn note_clicks(&mut self, tab: &Tab) {
        let bounds = (tab.count, tab.count + tab.unsure);
        self.tally.clicks.insert(tab.owner.page, bounds);
    }

    /// Reads some of the streams, all of them in a few rounds.
    pub fn read_some(&mut self) {
        for _ in 0..4 {
            self.rounds += 1;
            let index = self.rounds % self.tabs.len();
            self.tabs[index].read();
        }
    }
}

fn connect(port: u16) -> Connection {
    Connection::open(port).expect("the server accepts")
}

fn bytes_of(client: &Client, path: &str, key: Option<&str>, body: &[u8]) -> Vec<u8> {
    let origin = client.origin();
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("Datastar-Request", "true"),
        ("Origin", origin.as_str()),
    ];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    client.encode("POST", path, &headers, body)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
