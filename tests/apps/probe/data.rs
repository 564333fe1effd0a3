//! What the probe notes, for all shards: how often something ran.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use autovia::prelude::*;
use maud::html;

/// Counts by name.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<BTreeMap<String, u64>>>);

impl Log {
    pub fn note(&self, what: impl Into<String>) {
        *self
            .0
            .lock()
            .expect("nobody panics while noting")
            .entry(what.into())
            .or_default() += 1;
    }

    pub fn count(&self, what: &str) -> u64 {
        self.0
            .lock()
            .expect("nobody panics while noting")
            .get(what)
            .copied()
            .unwrap_or(0)
    }
}

/// Where an action waits until the test lets it go on.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn wait(&self) {
        let (open, opened) = &*self.0;
        let mut open = open.lock().expect("nobody panics at the gate");
        while !*open {
            open = opened.wait(open).expect("nobody panics at the gate");
        }
    }

    pub fn open(&self) {
        let (open, opened) = &*self.0;
        *open.lock().expect("nobody panics at the gate") = true;
        opened.notify_all();
    }
}

/// `/log`: everything noted so far, one line each: `name=count`.
pub fn log_page(page: &mut Page) {
    page.view_each(|view| {
        let log: &Log = view.data();
        let all = log.0.lock().expect("nobody panics while noting");
        let text: String = all
            .iter()
            .map(|(what, count)| format!("{what}={count}\n"))
            .collect();
        html! { pre #log { (text) } }
    });
}
