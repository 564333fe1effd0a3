//! More streams than one descriptor table holds: several generators, each on a thread with a table of its own.
//!
//! Invariant: what a generator opens is opened and closed on its thread, and every generator expects a tick before
//! one of them asks for it.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use autovia::bench_support::Parting;

use super::{Audience, Dialect, Load, LoadError, Report, Tick};

type Job = Box<dyn FnOnce(&mut Option<Load>) + Send>;

/// Generators that act as one. Dropped: all their streams are closed.
pub struct Crowd {
    workers: Vec<Worker>,
    asked: u64,
    reached: usize,
}

struct Worker {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// `threads` generators without a stream, at most 250: each has a block of source addresses.
    pub fn connect(
        server: SocketAddr,
        dialect: Dialect,
        threads: usize,
    ) -> Result<Crowd, LoadError> {
        let workers = (0..threads).map(|_| Worker::start());
        let crowd = Crowd {
            workers: workers.collect::<Result<_, _>>()?,
            asked: 0,
            reached: 0,
        };
        let connect = move |index: usize, load: &mut Option<Load>| {
            let block = u8::try_from(index).unwrap_or(u8::MAX);
            *load = Some(Load::connect(server, dialect, block)?);
            Ok(())
        };
        crowd.raw(connect)?;
        Ok(crowd)
    }

    /// How many streams are open.
    pub fn live(&self) -> Result<usize, LoadError> {
        Ok(self.each(|_, load| Ok(load.live()))?.into_iter().sum())
    }

    /// Opens `more` streams, as many on each thread as on the others; returns when all are live.
    pub fn grow(&self, more: usize) -> Result<(), LoadError> {
        let threads = self.workers.len();
        self.each(move |index, load| load.grow(share(more, threads, index)))
            .map(drop)
    }

    /// Closes `tabs` tabs and opens new ones in their place. The tab that makes the ticks stays.
    pub fn replace(&self, tabs: usize) -> Result<(), LoadError> {
        let threads = self.workers.len();
        self.each(move |index, load| {
            let streams = load.live();
            let from = streams.saturating_sub(share(tabs, threads, index)).max(1);
            load.replace(from..streams)
        })
        .map(drop)
    }

    /// Reads what comes until `end`.
    pub fn listen(&self, end: Instant) -> Result<(), LoadError> {
        self.each(move |_, load| load.listen(end)).map(drop)
    }

    /// Closes all tabs while the server lives, and the books.
    pub fn leave(self) -> Result<Report, LoadError> {
        self.close(|load| Ok(load.leave()))
    }

    fn close(
        &self,
        end: impl Fn(Load) -> Result<Report, LoadError> + Clone + Send + 'static,
    ) -> Result<Report, LoadError> {
        let reports = self.raw(move |_, load| load.take().map_or(Ok(Report::default()), &end))?;
        let mut all = Report::default();
        for report in reports {
            all += report;
        }
        Ok(all)
    }

    /// Has each generator do `job`, all at once, and waits for all.
    fn each<T: Send + 'static>(
        &self,
        job: impl Fn(usize, &mut Load) -> Result<T, LoadError> + Clone + Send + 'static,
    ) -> Result<Vec<T>, LoadError> {
        self.raw(move |index, load| match load {
            Some(load) => job(index, load),
            None => Err(LoadError::Thread("it has no generator".to_owned())),
        })
    }

    fn raw<T: Send + 'static>(
        &self,
        job: impl Fn(usize, &mut Option<Load>) -> Result<T, LoadError> + Clone + Send + 'static,
    ) -> Result<Vec<T>, LoadError> {
        let answers: Vec<_> = (self.workers.iter().enumerate())
            .map(|(index, worker)| {
                let job = job.clone();
                worker.give(move |load| job(index, load))
            })
            .collect();
        // All are waited for, whatever one of them says.
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.recv()).collect();
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|_| Err(gone())))
            .collect()
    }
}

impl Audience for Crowd {
    fn tick(&mut self, limit: Duration) -> Result<Tick, LoadError> {
        self.asked += 1;
        let asked = self.asked;
        let expecting = self.each(move |_, load| {
            load.expect(asked);
            Ok(load.reached())
        })?;
        self.reached = expecting.into_iter().sum();
        let reached = self.each(move |index, load| {
            let start = match index {
                0 => Some(load.ask_for_tick()?),
                _ => None,
            };
            let limit = start.unwrap_or_else(Instant::now) + limit;
            Ok((start, load.reach(limit)?))
        })?;
        let start = reached.iter().find_map(|(start, _)| *start);
        let start = start.unwrap_or_else(Instant::now);
        let last: Option<Vec<Instant>> = reached.iter().map(|(_, last)| *last).collect();
        let end = last.as_ref().and_then(|last| last.iter().max().copied());
        Ok(Tick {
            elapsed: end
                .unwrap_or_else(Instant::now)
                .saturating_duration_since(start),
            complete: end.is_some(),
        })
    }

    fn reached(&self) -> usize {
        self.reached
    }

    fn finish(self) -> Result<Report, LoadError> {
        self.close(Load::finish)
    }
}

impl Worker {
    fn start() -> Result<Worker, LoadError> {
        let (jobs, orders) = channel::<Job>();
        let life = move || {
            // Each opens nothing but in its own table, so none has to wait for the others.
            if Parting::new(1, &[]).part(-1).is_err() {
                // Whoever gives it a job sees that it is gone.
                return;
            }
            let mut load = None;
            for job in orders {
                job(&mut load);
            }
        };
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(life)
            .map_err(|error| LoadError::Thread(error.to_string()))?;
        Ok(Worker {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    fn give<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Option<Load>) -> T + Send + 'static,
    ) -> Receiver<T> {
        let (answer, answers) = channel();
        let job: Job = Box::new(move |load| {
            // Nobody waits any more where the run was given up.
            answer.send(job(load)).ok();
        });
        if let Some(jobs) = &self.jobs {
            // A thread that is gone drops the job, and its answer's sender with it.
            jobs.send(job).ok();
        }
        answers
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been told by its message.
            thread.join().ok();
        }
    }
}

fn gone() -> LoadError {
    LoadError::Thread(
        "it has ended, or may not have a descriptor table of its own (unshare(CLONE_FILES))"
            .to_owned(),
    )
}

/// What worker number `index` of `workers` takes of `all`.
fn share(all: usize, workers: usize, index: usize) -> usize {
    all / workers + usize::from(index < all % workers)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_differ_by_one_and_add_up() {
        let shares: Vec<usize> = (0..6).map(|index| share(100_000, 6, index)).collect();
        assert_eq!(shares, [16667, 16667, 16667, 16667, 16666, 16666]);
        assert_eq!((0..3).map(|index| share(2, 3, index)).sum::<usize>(), 2);
    }
}
