//! A server with two shards and a browser in front of it.
//!
//! A browser keeps cookies per host: a window on `127.0.0.1` and one on `app.test` have nothing
//! in common, as two browsers have, at half the price. `app.test` is no secure context either, so
//! everything that is shown there works without one.

use std::path::PathBuf;
use std::sync::Mutex;

use autovia_testkit::{Browser, Running, Server, Window};
use serde_json::{Value, json};

use crate::common::{autovia, probe};

/// A server and a browser.
pub struct Stage {
    pub server: Running,
    pub browser: Browser,
    binary: Server,
    /// The showcase's chat, removed at the end.
    chat: Option<PathBuf>,
}

impl Stage {
    /// The showcase, with a chat that nobody else has.
    pub fn showcase() -> Self {
        Self::showcase_in(Browser::start())
    }

    /// The showcase in a browser that was started otherwise.
    pub fn showcase_in(browser: Browser) -> Self {
        let chat = new_chat_file();
        let server = autovia().arg("--chat-db").arg(&chat);
        Self::start(server, browser, Some(chat))
    }

    /// The probe.
    pub fn probe() -> Self {
        Self::start(probe(), Browser::start(), None)
    }

    /// The probe with more arguments.
    pub fn probe_with(arguments: &[&str]) -> Self {
        let server = probe().args(arguments.iter().copied());
        Self::start(server, Browser::start(), None)
    }

    fn start(binary: Server, browser: Browser, chat: Option<PathBuf>) -> Self {
        let binary = binary.shards(2);
        let server = binary.start();
        Self {
            server,
            browser,
            binary,
            chat,
        }
    }

    /// The next server on the old port, after the first one has ended.
    pub fn restart(&self) -> Running {
        let port = self.server.port().to_string();
        self.binary.clone().args(["--port", &port]).start()
    }

    /// The address of a path, as seen by a window of the first jar of cookies.
    pub fn here(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    /// The same path for a window with other cookies, and without a secure context.
    pub fn there(&self, path: &str) -> String {
        format!("http://app.test:{}{path}", self.server.port())
    }

    /// Two strangers who look at the same page, the first on shard 0, the second on shard 1.
    pub fn two(&self, path: &str) -> (&Window, Window) {
        let first = self.browser.window();
        let second = self.browser.new_window();
        first.goto_on_shard(&self.here(path), 0);
        second.goto_on_shard(&self.there(path), 1);
        assert_eq!(second.eval("isSecureContext"), false);
        for window in [first, &second] {
            mark(window);
        }
        (first, second)
    }

    /// What all pages are held to at the end of a test.
    pub fn assert_calm(&self, windows: &[&Window]) {
        for window in windows {
            assert_calm(window);
        }
        self.browser.assert_no_console_errors();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(chat) = &self.chat else { return };
        for ending in ["", "-wal", "-shm"] {
            // A file that stays behind in cargo's folder for tests fails no test.
            let _ = std::fs::remove_file(format!("{}{ending}", chat.display()));
        }
    }
}

/// A path for a chat that doesn't exist yet.
fn new_chat_file() -> PathBuf {
    static NUMBER: Mutex<u32> = Mutex::new(0);
    let mut number = NUMBER.lock().expect("nobody panics while counting");
    *number += 1;
    let name = format!("chat-{}-{number}.db", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Leaves a mark in the page that a reload would wipe away.
pub fn mark(window: &Window) {
    window.run("window.marked = true;", json!([]));
}

/// Whether the page is still the one that was marked.
pub fn is_marked(window: &Window) -> bool {
    window.eval("window.marked === true") == true
}

/// No banner, no note, nothing that sticks out to the side.
pub fn assert_calm(window: &Window) {
    assert!(!window.is_visible("#via-banner"), "{}", window.html());
    assert_eq!(window.count(".via-note"), 0, "{}", window.html());
    assert_fits(window);
}

/// Nothing sticks out to the side.
pub fn assert_fits(window: &Window) {
    let script = "const wide = document.documentElement.scrollWidth - innerWidth;
        if (wide <= 0) return null;
        const out = [...document.querySelectorAll('body *')].filter((el) => el.getBoundingClientRect().right > innerWidth);
        return `${wide} px: ${out.slice(0, 5).map((el) => el.outerHTML.slice(0, 120)).join(' | ')}`;";
    assert_eq!(
        window.run(script, json!([])),
        json!(null),
        "{}",
        window.url()
    );
}

/// Asserts that the first HTML of this window's page, before any script has run, shows `text`.
pub fn assert_first_html(window: &Window, css: &str, text: &str) {
    let script = "const [css] = arguments;
        return fetch(location.href).then((reply) => reply.text()).then((html) =>
            new DOMParser().parseFromString(html, 'text/html').querySelector(css)?.textContent ?? null);";
    let found = window.run(script, json!([css]));
    let found = found.as_str();
    assert!(
        found.is_some_and(|found| found.contains(text)),
        "{css} should hold {text:?} in the first HTML, but holds {found:?}"
    );
}

/// Notes from now on which events the page gets, by type and text.
pub fn watch_events(window: &Window) {
    let script = "window.events = [];
        addEventListener('datastar-fetch', (event) => {
            const { type, argsRaw } = event.detail;
            if (type.startsWith('datastar')) window.events.push([type, JSON.stringify(argsRaw)]);
        }, true);";
    window.run(script, json!([]));
}

/// The events since then.
pub fn events(window: &Window) -> Vec<(String, String)> {
    let events = window.eval("window.events");
    serde_json::from_value(events).expect("events are pairs of texts")
}

/// Notes from now on each value that a JavaScript expression takes when the page changes.
pub fn watch_values(window: &Window, expression: &str) {
    let script = format!(
        "const look = () => {expression};
        window.values = [look()];
        new MutationObserver(() => {{
            const value = look();
            if (JSON.stringify(value) !== JSON.stringify(window.values.at(-1))) window.values.push(value);
        }}).observe(document.body, {{ subtree: true, childList: true, characterData: true, attributes: true }});"
    );
    window.run(&script, json!([]));
}

/// The values since then.
pub fn values(window: &Window) -> Vec<Value> {
    let values = window.eval("window.values");
    values.as_array().cloned().expect("values are watched")
}

/// Many clicks in one turn of the page: faster than any hand.
pub fn click_many(window: &Window, css: &str, times: u32) {
    let script = "const [css, times] = arguments;
        for (let left = times; left > 0; left -= 1) document.querySelector(css).click();";
    window.run(script, json!([css, times]));
}

/// Where the caret stands and in which field, by id.
pub fn caret(window: &Window) -> Value {
    window.eval("[document.activeElement.id, document.activeElement.selectionStart, document.activeElement.selectionEnd]")
}

/// Puts the caret into the middle of what a field holds.
pub fn put_caret(window: &Window, css: &str, at: u32) {
    let script = "const [css, at] = arguments;
        const field = document.querySelector(css);
        field.focus();
        field.setSelectionRange(at, at);";
    window.run(script, json!([css, at]));
}
