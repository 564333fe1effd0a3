//! One window of a browser: what a person does in it and sees in it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::driver::{Refused, Session, decode_base64};
use crate::deadline::{DEADLINE, ask_within};
use crate::http::Client;
use crate::page::Page;

/// What a server's session is called in a browser.
const SESSION_COOKIE: &str = "via_session_id";

/// The name of an element reference in WebDriver's JSON.
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Answers of chromedriver that mean "not now": nothing was done yet, the page is still changing.
const NOT_NOW: [&str; 4] = [
    "no such element",
    "stale element reference",
    "element not interactable",
    "element click intercepted",
];

/// A window with a page in it.
pub struct Window {
    session: Arc<Session>,
    handle: String,
}

/// Keys that are no characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Enter.
    Enter,
    /// Tab.
    Tab,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
}

impl Window {
    pub(super) fn new(session: Arc<Session>, handle: String) -> Self {
        Self { session, handle }
    }

    /// Opens an address and waits until the page is loaded.
    pub fn goto(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Begins to open an address and doesn't wait: for pages that are opened at once.
    pub fn begin_goto(&self, url: &str) {
        self.run(
            "const [url] = arguments; setTimeout(() => { location.href = url; }, 0);",
            json!([url]),
        );
    }

    /// Opens an address whose page lives on this shard, and waits for its stream. All pages of a
    /// session live on one shard, so a browser without a session for this host gets one that is at
    /// home there, found without a page that anybody looks at; with another one this panics.
    pub fn goto_on_shard(&self, url: &str, shard: u16) {
        let known = self.cdp("Network.getCookies", &json!({ "urls": [url] }));
        let known = known["cookies"].as_array().into_iter().flatten();
        if !known
            .into_iter()
            .any(|cookie| cookie["name"] == SESSION_COOKIE)
        {
            let (port, path) = port_and_path(url);
            let found = Page::open_on(&Client::new(port), path, shard);
            let session = found.client.cookie(SESSION_COOKIE).unwrap_or_default();
            self.cdp(
                "Network.setCookie",
                &json!({ "name": SESSION_COOKIE, "value": session, "url": url, "httpOnly": true, "sameSite": "Lax" }),
            );
        }
        self.goto(url);
        assert_eq!(
            self.shard(),
            shard,
            "the session of {url} is at home elsewhere"
        );
        self.wait_streaming();
    }

    /// The shard that serves this page, as its footer says.
    pub fn shard(&self) -> u16 {
        let text = self.text("#shard");
        text.parse()
            .unwrap_or_else(|_| panic!("#shard holds {text:?}, no number"))
    }

    /// Waits until the page's stream is open.
    pub fn wait_streaming(&self) {
        self.wait_true("document.documentElement.dataset.viaStream === 'open'");
    }

    /// Loads the page again.
    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// The back button.
    pub fn back(&self) {
        self.post("/back", &json!({}));
    }

    /// The forward button.
    pub fn forward(&self) {
        self.post("/forward", &json!({}));
    }

    /// The address.
    pub fn url(&self) -> String {
        self.eval("location.href")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The value of a JavaScript expression; a promise is awaited. Panics when it throws.
    pub fn eval(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression});"), json!([]))
    }

    /// Runs JavaScript statements with `arguments` and gives what they return.
    pub fn run(&self, statements: &str, arguments: Value) -> Value {
        self.post(
            "/execute/sync",
            &json!({ "script": statements, "args": arguments }),
        )
    }

    /// How many elements match.
    pub fn count(&self, css: &str) -> u64 {
        let count = self.run(
            "return document.querySelectorAll(arguments[0]).length;",
            json!([css]),
        );
        count.as_u64().unwrap_or_default()
    }

    /// The text of the first match, trimmed; panics when there is none.
    pub fn text(&self, css: &str) -> String {
        self.try_text(css)
            .unwrap_or_else(|| panic!("nothing matches {css} in {}", self.html()))
    }

    /// The text of the first match, trimmed.
    pub fn try_text(&self, css: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.textContent.trim() ?? null;";
        self.run(script, json!([css])).as_str().map(str::to_owned)
    }

    /// What a field holds.
    pub fn value(&self, css: &str) -> String {
        let value = self.run(
            "return document.querySelector(arguments[0])?.value ?? null;",
            json!([css]),
        );
        let value = value.as_str().map(str::to_owned);
        value.unwrap_or_else(|| panic!("no field matches {css} in {}", self.html()))
    }

    /// Whether the first match is there and takes up room on the screen.
    pub fn is_visible(&self, css: &str) -> bool {
        let script = "return document.querySelector(arguments[0])?.checkVisibility({ opacityProperty: true, \
                      visibilityProperty: true }) ?? false;";
        self.run(script, json!([css])) == true
    }

    /// The page's HTML as it is now.
    pub fn html(&self) -> String {
        self.eval("document.documentElement.outerHTML")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until the first match has exactly this text.
    pub fn wait_text(&self, css: &str, expected: &str) {
        let mut text = None;
        let reads = ask_within(DEADLINE, || {
            text = self.try_text(css);
            (text.as_deref() == Some(expected)).then_some(())
        });
        assert!(
            reads.is_some(),
            "{css} should read {expected:?}, but reads {text:?} in {}",
            self.html()
        );
    }

    /// Waits until something is there; `what` is shown with the page when it never is.
    pub fn wait<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        ask_within(DEADLINE, || look(self))
            .unwrap_or_else(|| panic!("waited in vain for {what} in {}", self.html()))
    }

    /// Waits until a JavaScript expression is true.
    pub fn wait_true(&self, expression: &str) {
        self.wait(expression, |window| {
            (window.eval(expression) == true).then_some(())
        });
    }

    /// A click of the mouse in the middle of the first match, once it can be clicked.
    pub fn click(&self, css: &str) {
        self.on_element(css, |session, element| {
            session.post(&format!("/element/{element}/click"), &json!({}))
        });
    }

    /// A tap of a finger in the middle of the first match, wherever the page is scrolled.
    pub fn tap(&self, css: &str) {
        let middle = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' });";
        self.on_element(css, |session, element| {
            let it = json!({ ELEMENT_KEY: element });
            session.post("/execute/sync", &json!({ "script": middle, "args": [it] }))?;
            let touch = json!([
                { "type": "pointerMove", "origin": it, "x": 0, "y": 0 },
                { "type": "pointerDown", "button": 0 },
                { "type": "pointerUp", "button": 0 },
            ]);
            session.post(
                "/actions",
                &json!({ "actions": [{ "type": "pointer", "id": "finger",
                    "parameters": { "pointerType": "touch" }, "actions": touch }] }),
            )
        });
    }

    /// Two clicks `milliseconds` apart, made inside the page, where no protocol slows them; 0 makes
    /// both in one turn of the page.
    pub fn double_click_within(&self, css: &str, milliseconds: u32) {
        let script = "const [css, pause] = arguments;
            const element = document.querySelector(css);
            element.click();
            if (pause === 0) { element.click(); return; }
            return new Promise((done) => setTimeout(() => { element.click(); done(); }, pause));";
        self.run(script, json!([css, milliseconds]));
    }

    /// Types at the end of what a field holds, key by key, and leaves the focus there.
    pub fn type_text(&self, css: &str, text: &str) {
        self.on_element(css, |session, element| {
            session.post(
                &format!("/element/{element}/value"),
                &json!({ "text": text }),
            )
        });
    }

    /// Empties a field.
    pub fn clear(&self, css: &str) {
        self.on_element(css, |session, element| {
            session.post(&format!("/element/{element}/clear"), &json!({}))
        });
    }

    /// Chooses an option of a select as a user does: with its events.
    pub fn choose(&self, css: &str, value: &str) {
        let script = "const [css, value] = arguments;
            const element = document.querySelector(css);
            element.value = value;
            element.dispatchEvent(new Event('input', { bubbles: true }));
            element.dispatchEvent(new Event('change', { bubbles: true }));";
        self.run(script, json!([css, value]));
    }

    /// Presses a key where the focus is.
    pub fn press(&self, key: Key) {
        let code = match key {
            Key::Enter => "\u{E007}",
            Key::Tab => "\u{E004}",
            Key::Escape => "\u{E00C}",
            Key::Backspace => "\u{E003}",
        };
        let strokes =
            json!([{ "type": "keyDown", "value": code }, { "type": "keyUp", "value": code }]);
        self.post(
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }),
        );
    }

    /// Every error on any console of this window's browser so far.
    pub fn console_errors(&self) -> Vec<String> {
        self.session.console_errors()
    }

    /// Writes a picture of what is on the screen, as PNG.
    pub fn screenshot(&self, path: impl AsRef<Path>) {
        let picture = self.do_in(|session| session.get("/screenshot"));
        let bytes = decode_base64(picture.as_str().unwrap_or_default());
        std::fs::write(&path, bytes)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.as_ref().display()));
    }

    /// Closes the window, as a person does: the page is told.
    pub fn close(self) {
        self.do_in(|session| session.delete("/window"));
        self.session.forget_current();
    }

    /// A command of the Chrome DevTools Protocol.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    fn on_element(&self, css: &str, act: impl Fn(&Session, &str) -> Result<Value, Refused>) {
        let mut not_now = None;
        let done = ask_within(DEADLINE, || {
            let done = self.session.in_window(&self.handle, |session| {
                let found = session.post(
                    "/element",
                    &json!({ "using": "css selector", "value": css }),
                )?;
                act(session, found[ELEMENT_KEY].as_str().unwrap_or_default())
            });
            match done {
                Err(refused) if NOT_NOW.contains(&refused.code.as_str()) => {
                    not_now = Some(refused);
                    None
                }
                done => Some(done.err()),
            }
        });
        if let Some(refused) = done.unwrap_or(not_now) {
            panic!("{css}: {}\nin {}", refused.message, self.html());
        }
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.do_in(|session| session.post(path, body))
    }

    fn do_in(&self, command: impl FnOnce(&Session) -> Result<Value, Refused>) -> Value {
        self.session
            .in_window(&self.handle, command)
            .unwrap_or_else(|refused| {
                panic!(
                    "the browser refused: {} ({})",
                    refused.message, refused.code
                )
            })
    }
}

/// The port and the path of `http://HOST:PORT/PATH`.
fn port_and_path(url: &str) -> (u16, &str) {
    let split = || {
        let rest = url.strip_prefix("http://")?;
        let (host, _) = rest.split_once('/')?;
        let (_, port) = host.rsplit_once(':')?;
        Some((port.parse().ok()?, &rest[host.len()..]))
    };
    split().unwrap_or_else(|| panic!("{url} is no http://HOST:PORT/PATH"))
}
