//! A real headless Chromium, driven through chromedriver.
//!
//! WebDriver is JSON over HTTP/1.1, which the kit speaks already. The ready-made clients were left
//! aside because they need an async runtime and switch on cargo features of crates that the server
//! uses (`serde_json/preserve_order`): the binary under test would not be the one that ships.

mod driver;
mod screen;
mod window;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

pub use window::{Key, Window};

use driver::Session;

/// The flags of a Chromium that stays on this machine: without a sandbox (tests may run as root),
/// without a graphics card, without anything that looks for its maker's hosts.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // `http://NAME.test:PORT` is a page without a secure context, as on a phone in the LAN.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
];

static STARTED: Mutex<u32> = Mutex::new(0);

/// One browser: a cookie jar and its windows. Dropping it ends the browser.
pub struct Browser {
    session: Arc<Session>,
    first: Window,
    user_data: PathBuf,
}

impl Browser {
    /// Starts a browser with an empty profile; panics when it doesn't come up.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a browser with more command-line flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let number = {
            let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
            *started += 1;
            *started
        };
        let name = format!("autovia-browser-{}-{number}", std::process::id());
        let user_data = std::env::temp_dir().join(name);
        let mut arguments: Vec<String> = FLAGS
            .iter()
            .chain(flags)
            .map(|&flag| flag.to_owned())
            .collect();
        arguments.push(format!("--user-data-dir={}", user_data.display()));
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let session = Arc::new(Session::start(command, arguments));
        let handle = session.get("/window").expect("a new browser has a window");
        let first = Window::new(Arc::clone(&session), text_of(&handle));
        Self {
            session,
            first,
            user_data,
        }
    }

    /// The window that the browser started with.
    pub fn window(&self) -> &Window {
        &self.first
    }

    /// Another window with the same cookies. All windows are visible at once until hidden.
    pub fn new_window(&self) -> Window {
        self.open("window")
    }

    /// Another tab with the same cookies, in front of the others: a tab is hidden while another one
    /// of its window is used. Two pages that are to be seen at once need two windows.
    pub fn new_tab(&self) -> Window {
        self.open("tab")
    }

    /// A second window with the same page, as by "duplicate tab": the same address, and a copy of
    /// the page's sessionStorage.
    pub fn duplicate(&self, window: &Window) -> Window {
        let before = self.handles();
        window.run("window.open(location.href, '_blank', 'popup');", json!([]));
        let handle = window.wait("the second window", |_| {
            self.handles()
                .into_iter()
                .find(|handle| !before.contains(handle))
        });
        let copy = Window::new(Arc::clone(&self.session), handle);
        copy.wait_true("location.href !== 'about:blank' && document.readyState === 'complete'");
        copy
    }

    /// How many windows and tabs are open.
    pub fn window_count(&self) -> usize {
        self.handles().len()
    }

    /// Every error on any console of this browser so far: thrown by scripts, written by scripts,
    /// requests that failed.
    pub fn console_errors(&self) -> Vec<String> {
        self.session.console_errors()
    }

    /// Panics when a console holds an error, whatever the page.
    pub fn assert_no_console_errors(&self) {
        self.assert_only_console_errors(&[]);
    }

    /// Panics when a console holds an error without any of these texts: a test that cuts the
    /// network knows which requests fail.
    pub fn assert_only_console_errors(&self, expected: &[&str]) {
        let mut errors = self.console_errors();
        errors.retain(|error| !expected.iter().any(|text| error.contains(text)));
        assert!(errors.is_empty(), "errors on the console: {errors:#?}");
    }

    /// Forgets the errors so far.
    pub fn forget_console_errors(&self) {
        self.session.forget_console_errors();
    }

    fn handles(&self) -> Vec<String> {
        let handles = self
            .session
            .get("/window/handles")
            .expect("the browser lives");
        handles
            .as_array()
            .into_iter()
            .flatten()
            .map(text_of)
            .collect()
    }

    fn open(&self, kind: &str) -> Window {
        let window = self
            .session
            .post("/window/new", &json!({ "type": kind }))
            .expect("a window can be opened");
        Window::new(Arc::clone(&self.session), text_of(&window["handle"]))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session.end();
        // The browser may write its last file a moment after its end was noticed; a folder that
        // stays behind in the system's temporary folder fails no test.
        let _ = std::fs::remove_dir_all(&self.user_data);
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("chromedriver gave no text: {value}"))
        .to_owned()
}
