//! Models of `autovia-shards`: each file of `tests/` holds those of one structure, for loom;
//! `tests/shuttle.rs` those of four and more threads, for shuttle.
//!
//! They are empty without a `--cfg`:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p loom-tests --release
//! RUSTFLAGS="--cfg shuttle" cargo test -p loom-tests --release
//! ```
//!
//! Shuttle takes schedules at random and knows no orderings: it finds a step that is missing or in the
//! wrong place among many threads. Loom takes every schedule of few.
//!
//! A model states how many preemptions loom may try: all (`every_schedule`), or at most so many
//! (`with_preemptions`) where all would take hours. What loom says about memory orderings within a
//! schedule (which stores a load may read) is exhaustive in both.
//!
//! **A gap of loom that models must know.** It looks for a schedule with two accesses of one atomic
//! swapped only if the earlier one is the *last* access so far. A thread that loads and then writes
//! hides with its own load that another has loaded before; with that other one first, nothing is
//! swapped. So `race` starts its threads in every order: with the writer first, the reader's load is
//! compared with the last *write*, which nothing hides.

#[cfg(loom)]
mod models {
    use loom::sync::Arc;

    /// Runs `model` under every schedule, and prints how many those are (`-- --nocapture`).
    pub fn every_schedule(model: impl Fn() + Send + Sync + 'static) {
        check(None, model);
    }

    /// Runs `model` under every schedule in which at most `preemptions` threads are interrupted where
    /// they could have gone on.
    pub fn with_preemptions(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
        check(Some(preemptions), model);
    }

    /// Runs `threads` at the same time on what `setup` makes, then `after`; once for each order in
    /// which they can be started, with at most `preemptions` as in [`with_preemptions`].
    pub fn race<S: Send + Sync + 'static>(
        preemptions: usize,
        setup: fn() -> S,
        threads: &'static [fn(&S)],
        after: fn(&S),
    ) {
        for order in orders(threads.len()) {
            with_preemptions(preemptions, move || {
                let state = Arc::new(setup());
                let handles: Vec<_> = order
                    .iter()
                    .map(|&i| {
                        let state = Arc::clone(&state);
                        loom::thread::spawn(move || threads[i](&state))
                    })
                    .collect();
                for handle in handles {
                    handle.join().unwrap();
                }
                after(&state);
            });
        }
    }

    /// All orders of `0..count`.
    fn orders(count: usize) -> Vec<Vec<usize>> {
        let Some(last) = count.checked_sub(1) else {
            return vec![Vec::new()];
        };
        let shorter = orders(last);
        let inserted = |order: &Vec<usize>, at: usize| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        };
        shorter
            .iter()
            .flat_map(|order| (0..count).map(move |at| inserted(order, at)))
            .collect()
    }

    fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
        // The standard library's: it counts runs, and is no part of them.
        let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 20_000;
        builder.preemption_bound = preemptions;
        builder.check(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            model();
        });
        let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
        let name = std::thread::current().name().map(str::to_owned);
        println!("{}: {runs} runs", name.as_deref().unwrap_or("model"));
    }
}

#[cfg(any(loom, shuttle))]
mod sleep {
    #[cfg(loom)]
    use loom::sync::{Arc, Condvar, Mutex};
    #[cfg(not(loom))]
    use shuttle::sync::{Arc, Condvar, Mutex};

    /// A thread's sleep that a wake callback ends, like a read of an eventfd: a wake that comes before
    /// the sleep ends it at once. (Loom's `park` forgets such a wake, and its `unpark` also ends a
    /// `join`.)
    #[derive(Clone, Default)]
    pub struct Sleep(Arc<(Mutex<bool>, Condvar)>);

    impl Sleep {
        /// Sleeps until the callback has been called.
        pub fn sleep(&self) {
            let mut called = self.0.0.lock().unwrap();
            while !*called {
                called = self.0.1.wait(called).unwrap();
            }
            *called = false;
        }

        /// What ends the sleep.
        pub fn wake(&self) -> Box<dyn Fn() + Send + Sync> {
            let inner = Arc::clone(&self.0);
            Box::new(move || {
                *inner.0.lock().unwrap() = true;
                inner.1.notify_one();
            })
        }
    }
}

#[cfg(shuttle)]
mod many {
    use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
    use shuttle::{Config, MaxSteps, Runner};

    /// How often PCT takes the thread that runs off its core, besides where that has to wait.
    const PCT_DEPTH: usize = 4;
    /// A run that takes more steps does not end.
    const STEPS_MAX: usize = 200_000;

    /// Runs `model` under so many random schedules, half of them by PCT, which lets one thread run
    /// until it waits and interrupts it in few places. The same ones each time, unless `SHUTTLE_SEED`
    /// (a number) says otherwise.
    pub fn at_random(schedules: usize, model: impl Fn() + Send + Sync + 'static) {
        let seed = std::env::var("SHUTTLE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or(2);
        let model = std::sync::Arc::new(model);
        let half = schedules / 2;
        run(RandomScheduler::new_from_seed(seed, half), &model);
        run(PctScheduler::new_from_seed(seed, PCT_DEPTH, half), &model);
    }

    fn run<M: Fn() + Send + Sync + 'static>(
        scheduler: impl Scheduler + 'static,
        model: &std::sync::Arc<M>,
    ) {
        let mut config = Config::new();
        config.silence_warnings = true;
        config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
        let model = std::sync::Arc::clone(model);
        Runner::new(scheduler, config).run(move || model());
    }
}

#[cfg(shuttle)]
pub use many::at_random;
#[cfg(loom)]
pub use models::{every_schedule, race, with_preemptions};
#[cfg(any(loom, shuttle))]
pub use sleep::Sleep;
