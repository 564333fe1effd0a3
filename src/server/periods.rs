//! What happens by itself: the periods of pages and of the app.

use std::rc::Rc;
use std::time::Instant;

use super::shard::Shard;
use crate::page::Context;
use crate::runtime::spawn;

impl Shard {
    /// Runs what each present page of a period has to do.
    pub fn start_periods(self: &Rc<Self>) {
        for page in self.engine.pages() {
            for every in &page.everys {
                let (shard, page, run, period) = (
                    Rc::clone(self),
                    page.index,
                    Rc::clone(&every.run),
                    every.period,
                );
                spawn(async move {
                    let mut next = Instant::now() + period;
                    loop {
                        shard.timers.sleep_until(next).await;
                        // Ticks that were missed, while the machine slept say, are not made up for.
                        next = (next + period).max(Instant::now());
                        for context in shard.present_on(page) {
                            shard.enqueue_tick(&context, &run);
                        }
                    }
                });
            }
        }
        if self.id == 0 {
            let ticks = self.engine.with_extras(|extras| extras.ticks.clone());
            for (period, run) in ticks {
                let shard = Rc::clone(self);
                spawn(async move {
                    let mut next = Instant::now() + period;
                    loop {
                        shard.timers.sleep_until(next).await;
                        next = (next + period).max(Instant::now());
                        let app = crate::page::App::of(&shard.engine);
                        if let Err(failure) =
                            shard.guard(run(app), shard.config().action_timeout).await
                        {
                            failure.log();
                        }
                    }
                });
            }
        }
    }

    fn present_on(&self, page: u16) -> Vec<Rc<Context>> {
        if self.engine.page(page).population.get() == 0 {
            return Vec::new();
        }
        let mut contexts = self.engine.all_contexts();
        contexts.retain(|context| context.page == page && context.is_present());
        contexts
    }
}
