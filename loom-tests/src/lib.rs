//! Loom models of `autovia-shards`: each file of `tests/` holds those of one structure.
//!
//! They are empty without `--cfg loom`:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p loom-tests --release
//! ```
//!
//! A model states how many preemptions loom may try: all ([`every_schedule`]), or at most so many
//! ([`with_preemptions`]) where all would take hours. What loom says about memory orderings within a
//! schedule (which stores a load may read) is exhaustive in both.

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
pub use models::{Sleep, every_schedule, with_preemptions};
