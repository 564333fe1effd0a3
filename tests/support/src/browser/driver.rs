//! The WebDriver protocol: one session of one chromedriver.
//!
//! Invariant: a command that is meant for a window runs while that window is the session's current
//! one; `in_window` holds the lock over both.

use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};

use crate::deadline::DEADLINE;
use crate::http::Client;
use crate::process::{Process, ends_within};

/// A browser that starts while eight compilers run needs a while.
const PATIENCE: Duration = Duration::from_secs(90);

const STARTED_TEXT: &str = "started successfully on port ";

/// What chromedriver says when it refuses a command.
#[derive(Debug)]
pub(super) struct Refused {
    /// The WebDriver error code, `no such element` for one.
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) struct Session {
    client: Client,
    path: String,
    current: Mutex<Option<String>>,
    console_errors: Mutex<Vec<String>>,
    browser: Option<OwnedFd>,
    /// Last, so that it outlives what talks to it.
    _chromedriver: Process,
}

impl Session {
    pub(super) fn start(chromedriver: Command, arguments: Vec<String>) -> Self {
        let chromedriver = Process::spawn(chromedriver);
        let port = chromedriver.wait_said(PATIENCE, "its port", |said| {
            said.stdout.iter().find_map(|line| {
                line.split_once(STARTED_TEXT)?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
        });
        let client = Client::without_cookies(port).with_patience(PATIENCE);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "unhandledPromptBehavior": "accept",
            "timeouts": { "script": 60_000, "pageLoad": 60_000 },
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments },
        } } });
        let session = call(&client, "POST", "/session", Some(&wanted))
            .unwrap_or_else(|refused| panic!("Chromium doesn't start: {}", refused.message));
        let id = session["sessionId"].as_str().expect("a session has an id");
        let pid = session["capabilities"]["goog:processID"].as_i64();
        let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Self {
            path: format!("/session/{id}"),
            current: Mutex::new(None),
            console_errors: Mutex::default(),
            browser: pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            client,
            _chromedriver: chromedriver,
        }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Refused> {
        call(&self.client, "GET", &format!("{}{path}", self.path), None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        call(
            &self.client,
            "POST",
            &format!("{}{path}", self.path),
            Some(body),
        )
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Refused> {
        call(
            &self.client,
            "DELETE",
            &format!("{}{path}", self.path),
            None,
        )
    }

    /// Makes a window the current one and runs commands there.
    pub(super) fn in_window<T>(
        &self,
        handle: &str,
        commands: impl FnOnce(&Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut current = lock(&self.current);
        if current.as_deref() != Some(handle) {
            *current = None;
            self.post("/window", &json!({ "handle": handle }))?;
            *current = Some(handle.to_owned());
        }
        commands(self)
    }

    /// After a window is closed none is current.
    pub(super) fn forget_current(&self) {
        *lock(&self.current) = None;
    }

    pub(super) fn console_errors(&self) -> Vec<String> {
        // Reading takes the entries away from chromedriver, so they are kept here.
        let mut errors = lock(&self.console_errors);
        let entries = self
            .post("/se/log", &json!({ "type": "browser" }))
            .expect("the browser lives");
        for entry in entries.as_array().into_iter().flatten() {
            if entry["level"] == "SEVERE" {
                errors.push(entry["message"].as_str().unwrap_or_default().to_owned());
            }
        }
        errors.clone()
    }

    pub(super) fn forget_console_errors(&self) {
        self.console_errors();
        lock(&self.console_errors).clear();
    }

    /// Ends the browser; chromedriver ends with this value.
    pub(super) fn end(&self) {
        let _ = self.delete("");
        if let Some(browser) = &self.browser
            && !ends_within(browser, DEADLINE)
        {
            let _ = pidfd_send_signal(browser, Signal::KILL);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn call(client: &Client, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
    let headers = [("Content-Type", "application/json; charset=utf-8")];
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let response = client
        .try_request(method, path, &headers, bytes.as_bytes())
        .map_err(|error| Refused {
            code: "no answer".to_owned(),
            message: format!("chromedriver didn't answer {method} {path}: {error}"),
        })?;
    let mut answer = response.json();
    let value = answer["value"].take();
    if response.status == 200 {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Refused {
        code: text("error"),
        message: text("message"),
    })
}

/// Decodes base64 with padding, which is how WebDriver sends pictures.
pub(super) fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.bytes().take_while(|&character| character != b'=') {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            other => panic!("{other} is no base64"),
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode_base64;

    #[test]
    fn base64_of_every_remainder() {
        assert_eq!(decode_base64("AP+/fw=="), [0, 255, 191, 127]);
        assert_eq!(decode_base64("YWI="), b"ab");
        assert_eq!(decode_base64("YWJj"), b"abc");
        assert_eq!(decode_base64(""), b"");
    }
}
