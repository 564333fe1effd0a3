//! Loom models of `autovia-shards`: each file of `tests/` holds those of one structure.
//!
//! They are empty without `--cfg loom`:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p loom-tests --release
//! ```
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
    use loom::sync::{Arc, Condvar, Mutex};

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

#[cfg(loom)]
pub use models::{Sleep, every_schedule, race, with_preemptions};
