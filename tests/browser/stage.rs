//! A server with two shards and a browser in front of it.
//!
//! A browser keeps cookies per host: a window on `127.0.0.1` and one on `app.test` have nothing
//! in common, as two browsers have, at half the price. `app.test` is no secure context either, so
//! everything that is shown there works without one.

use std::cell::RefCell;
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
    /// Parts of what the consoles may say.
    known_errors: RefCell<Vec<&'static str>>,
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

    /// The showcase with more arguments.
    pub fn showcase_with(arguments: &[&str]) -> Self {
        let chat = new_chat_file();
        let server = autovia().arg("--chat-db").arg(&chat);
        let server = server.args(arguments.iter().copied());
        Self::start(server, Browser::start(), Some(chat))
    }

    /// The showcase in a browser that was started otherwise, with more arguments.
    pub fn showcase_by_tls(browser: Browser, arguments: &[&str]) -> Self {
        let chat = new_chat_file();
        let server = autovia().arg("--chat-db").arg(&chat);
        Self::start(server.args(arguments.iter().copied()), browser, Some(chat))
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
            known_errors: RefCell::default(),
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
        let here = self.here(path);
        here.replacen("127.0.0.1", "app.test", 1)
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
    }

    /// What Chromium's console says of requests that this test makes fail. Anything else on a
    /// console fails the test at its end.
    pub fn expect_errors(&self, texts: &[&'static str]) {
        self.known_errors.borrow_mut().extend(texts);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let known = self.known_errors.borrow();
            self.browser.assert_only_console_errors(&known);
        }
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

/// Waits until the page was loaded anew since it was marked, and its stream is open.
pub fn wait_reloaded(window: &Window) {
    window.wait_true("window.marked !== true && document.readyState === 'complete'");
    window.wait_streaming();
}

/// Counts how often this window's page is loaded from now on.
pub fn count_loads(window: &Window) {
    on_each_load(
        window,
        "sessionStorage.loads = Number(sessionStorage.loads || 0) + 1;",
    );
}

/// How often it was.
pub fn loads(window: &Window) -> u64 {
    let loads = window.eval("Number(sessionStorage.loads || 0)");
    loads.as_u64().expect("loads are a number")
}

/// Runs a script at the start of each page that this window loads from now on.
pub fn on_each_load(window: &Window, script: &str) {
    window.cdp(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({ "source": script }),
    );
}

/// Scrolls the desk's containers, the inner one both ways.
pub fn scroll_inside(window: &Window) {
    let script = "const [outer, inner] = [document.querySelector('#outer'), document.querySelector('#outer section')];
        outer.scrollTo({ top: 150, behavior: 'instant' });
        inner.scrollTo({ top: 90, left: 210, behavior: 'instant' });";
    window.run(script, json!([]));
}

/// How far they are scrolled.
pub fn scrolled_inside(window: &Window) -> Value {
    window.eval("['#outer', '#outer section'].map((css) => document.querySelector(css)).map((it) => [it.scrollTop, it.scrollLeft])")
}

/// Notes cover neither each other, nor the banner, nor what can be clicked or typed into; at the
/// foot of the window they cover what can be scrolled to.
pub fn assert_notes_cover_nothing(window: &Window) {
    let script = "const box = (el) => [el, el.getBoundingClientRect()];
        const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        const notes = [...document.querySelectorAll('.via-note')].map(box);
        const beside = notes.filter(([el]) => !el.matches('.via-loose'));
        const loose = notes.filter(([el]) => el.matches('.via-loose'));
        const fixed = [...document.querySelectorAll('#via-banner:not([hidden])')].map(box);
        const controls = [...document.querySelectorAll('a[href], button, input, select, textarea')]
            .filter((el) => !el.closest('#via-notes, #via-status') && el.checkVisibility()).map(box);
        const among = (some, others) => some.flatMap(([a, x]) => others.filter(([b, y]) => a !== b && meet(x, y)).map(([b]) => [a, b]));
        const bad = [...among(beside, beside), ...among(beside, controls), ...among([...loose, ...fixed], [...loose, ...fixed])];
        const out = notes.filter(([, it]) => it.left < 0 || it.right > innerWidth);
        return [...bad, ...out].map((pair) => pair.map((el) => el.outerHTML ?? '').join(' over '));";
    // A note that has just appeared moves to its place.
    window.wait("notes that cover nothing", |window| {
        let bad = window.run(script, json!([]));
        (bad == json!([])).then_some(())
    });
}

/// Everything that can be touched is large enough for a finger. Links within a sentence are left
/// to its line height.
pub fn assert_touchable(window: &Window) {
    let script = "return [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
        .filter((el) => el.checkVisibility() && !el.matches('p a, .notice a, .skip'))
        .map((el) => [el, el.getBoundingClientRect()])
        .filter(([el, it]) => (it.width < 44 || it.height < 44) && !(el.closest('label')?.getBoundingClientRect().height >= 44))
        .map(([el, it]) => `${Math.round(it.width)} × ${Math.round(it.height)}: ${el.outerHTML.slice(0, 120)}`);";
    let small = window.run(script, json!([]));
    assert_eq!(small, json!([]), "{}", window.url());
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
