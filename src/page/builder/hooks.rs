//! What runs by itself: periods, and the turns in a page's life.

use std::rc::Rc;
use std::time::Duration;

use super::Page;
use crate::page::ctx::Ctx;
use crate::page::definition::{EveryDef, Handler};
use crate::page::error::Outcome;

/// A page's ticks are swept, not timed one by one.
const MIN_PERIOD: Duration = Duration::from_millis(10);

impl Page {
    /// Runs `run` once per `period` for each page that is present.
    pub fn every<F, R>(&mut self, period: Duration, run: F)
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        if period < MIN_PERIOD {
            self.mistakes.push(format!(
                "a page's period is {period:?}, at least {MIN_PERIOD:?} is allowed"
            ));
        }
        self.def.everys.push(EveryDef {
            period,
            run: handler(run),
        });
    }

    /// Runs when a page's first stream opens, and again when it comes back from being parked.
    pub fn on_connect<F, R>(&mut self, run: F)
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        self.def.hooks.connect.push(handler(run));
    }

    /// Runs when a page is no longer present: its last stream ended `--away-seconds` ago, or 5 s
    /// ago if the tab was closed.
    pub fn on_disconnect<F, R>(&mut self, run: F)
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        self.def.hooks.disconnect.push(handler(run));
    }

    /// Runs once, when a page is gone for good.
    pub fn on_cleanup<F, R>(&mut self, run: F)
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        self.def.hooks.cleanup.push(handler(run));
    }
}

pub(in crate::page) fn handler<F, R>(run: F) -> Handler
where
    F: AsyncFn(&Ctx) -> R + 'static,
    R: Outcome,
{
    let run = Rc::new(run);
    Rc::new(move |ctx: Ctx| {
        let run = Rc::clone(&run);
        Box::pin(async move { run(&ctx).await.into_result() })
    })
}
