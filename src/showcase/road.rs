//! The motorway: one lane per shard, drawn from what the shards count.
//!
//! One timer of the process looks four times a second; it broadcasts only when something moved.
//! The picture itself is read under a lock that is held for a copy.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autovia::prelude::*;
use autovia::{Component, View};
use maud::{Markup, html};

use super::frame::{grouped, tint};
use super::traffic::{Kind, LaneView, Mark, Traffic};

/// Steps of the picture: at most so many patches a second as fit.
const STEP: Duration = Duration::from_millis(250);

/// Height of a lane, which the stylesheet knows too (`@keyframes shift`).
const LANE: usize = 56;
const FOOT: usize = 40;

/// Lanes whose own events are counted; the picture of more would be too high to see.
const LANES_MAX: usize = 256;

/// The picture, shared by all shards.
pub struct Road {
    traffic: Mutex<Traffic>,
    /// Events that only showed the picture, by lane.
    own_events: Mutex<[u64; LANES_MAX]>,
}

impl Default for Road {
    fn default() -> Self {
        Self {
            traffic: Mutex::default(),
            own_events: Mutex::new([0; LANES_MAX]),
        }
    }
}

impl Road {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        // Every write of it is whole: what a panic left behind is a picture.
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, app: &App) -> bool {
        // In this order: an event that is counted has been noted as own before.
        let lanes = app.lanes();
        let own = *self.own_events();
        let own = &own[..lanes.len().min(LANES_MAX)];
        self.traffic().record(&lanes, own, app.shard())
    }

    fn own_events(&self) -> MutexGuard<'_, [u64; LANES_MAX]> {
        self.own_events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the picture up to date.
pub fn watch(app: &mut App, road: &Arc<Road>) {
    let road = Arc::clone(road);
    app.every(STEP, async move |app| {
        if road.step(app) {
            // The picture is of this process: other nodes have their own.
            app.broadcast_here(scope!("site:road"))?;
        }
        Ok(())
    });
}

/// The road as a component of `page`, patched by itself, and one that shows nothing and counts
/// who is shown the road; the page places both.
pub fn show(page: &mut Page, road: &Arc<Road>) -> (Component, Component) {
    page.join(|_| scope!("site:road"));
    let drawn = Rc::new(Cell::new(0));
    let (draws, picture_of) = (Rc::clone(&drawn), Arc::clone(road));
    let picture = page.component("road", |page| {
        page.view(move |view| picture(view, &picture_of, &draws));
    });

    let seen = Rc::new(RefCell::new(HashMap::new()));
    let (sees, road) = (Rc::clone(&seen), Arc::clone(road));
    page.on_cleanup(async move |ctx| {
        seen.borrow_mut().remove(&ctx.tab());
    });
    // Runs for each page and after the road: a picture is one event for each page that sees it.
    let count = page.component("watch", |page| {
        page.view_each(move |view| {
            let (tab, picture) = (view.tab(), drawn.get());
            if view.is_update()
                && sees.borrow_mut().insert(tab, picture) != Some(picture)
                && let Some(own) = road.own_events().get_mut(view.shard())
            {
                *own += 1;
            }
            Html::default()
        });
    });
    (picture, count)
}

fn picture(view: &View, road: &Road, drawn: &Cell<u64>) -> Markup {
    let (mut lanes, marks, crossings) = {
        let traffic = road.traffic();
        if view.is_update() {
            drawn.set(traffic.version);
        }
        (
            traffic.lanes.clone(),
            traffic.marks.clone(),
            traffic.crossings,
        )
    };
    if lanes.is_empty() {
        lanes.resize(view.lanes().len(), LaneView::default());
    }
    let foot = lanes.len() * LANE;
    html! {
        div.road #road role="img" aria-label=(in_words(view.shard(), &lanes, crossings)) {
            svg #motorway width="100%" height=(foot + FOOT) aria-hidden="true" {
                @for number in 0..lanes.len() { (bed(number, number == view.shard())) }
                // A page that has just been loaded has not seen what the marks show.
                @if view.is_update() {
                    @for mark in &marks { (moving(mark)) }
                }
                @for (number, lane) in lanes.iter().enumerate() {
                    (label(number, lane, number == view.shard()))
                }
                text x="16" y=(foot + 25) { (plural(crossings, "lane change")) }
                text.aside.wide-only x="100%" dx="-16" y=(foot + 25) { "this picture’s own patches are not counted" }
            }
        }
    }
}

fn bed(number: usize, own: bool) -> Markup {
    let top = number * LANE;
    html! {
        g class={ (tint(number)) @if own { " own" } } {
            rect.bed y=(top) width="100%" height=(LANE) {}
            @if number > 0 { line.dash x2="100%" y1=(top) y2=(top) {} }
            @if own { rect.beam y=(top) width="5" height=(LANE) {} }
        }
    }
}

fn label(number: usize, lane: &LaneView, own: bool) -> Markup {
    let top = number * LANE;
    html! {
        g class={ (tint(number)) @if own { " own" } } {
            rect.shield x="16" y=(top + 13) width="30" height="30" rx="8" {}
            text.no x="31" y=(top + 34) { (number) }
            @if own { text.you x="58" y=(top + 33) { "this tab" } }
            text.say x="100%" dx="-16" y=(top + 33) {
                (lane.open) " open" tspan { " · " (plural(lane.events, "event")) }
            }
        }
    }
}

fn moving(mark: &Mark) -> Markup {
    let id = format!("m{}", mark.number);
    let middle = |lane: usize| lane * LANE + LANE / 2;
    let wave = format!("w{}", mark.wave);
    html! {
        @match mark.kind {
            Kind::Event { lane } => {
                circle.mark.run.(tint(lane)).(wave) id=(id) r="6" cy=(middle(lane)) {}
            }
            Kind::Crossing { from, to } => {
                g.mark.run.(tint(from)).(wave) id=(id) {
                    rect.shift.(shift(from, to)) x="-9" y=(middle(from) - 6) width="18" height="12" rx="3" {}
                }
            }
        }
    }
}

/// The class that moves a mark over so many lanes; the stylesheet knows seven each way.
fn shift(from: usize, to: usize) -> String {
    let (word, lanes) = if to > from {
        ("down", to - from)
    } else {
        ("up", from - to)
    };
    format!("{word}{}", lanes.min(7))
}

fn in_words(own: usize, lanes: &[LaneView], crossings: u64) -> String {
    let each = lanes.iter().enumerate().map(|(number, lane)| {
        let this = if number == own {
            ", this tab’s own"
        } else {
            ""
        };
        let (open, events) = (plural(lane.open, "page"), plural(lane.events, "event"));
        format!("Lane {number}{this}: {open} open, {events} delivered.")
    });
    format!(
        "Motorway, {}. {} {} so far.",
        plural(lanes.len() as u64, "lane"),
        each.collect::<Vec<_>>().join(" "),
        plural(crossings, "lane change")
    )
}

fn plural(count: u64, thing: &str) -> String {
    format!(
        "{} {thing}{}",
        grouped(count),
        if count == 1 { "" } else { "s" }
    )
}
