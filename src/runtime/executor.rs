//! A pinned executor per thread, and tasks whose panics end only themselves.
//!
//! glommio only runs the tasks: its timers and rings wait for nothing but its own time slice, and it
//! parks only while a thread has no turns to make (see `wake`). It can park while tasks are
//! runnable; one timer of at most [`PULSE`] in flight bounds such a stall, so [`Executor::run`] keeps
//! one going for as long as the executor lives.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use glommio::timer::Timer;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use super::wake::WakeFd;

/// The longest that a parked executor stays parked.
pub const PULSE: Duration = Duration::from_millis(40);

/// Registered memory per executor: glommio's default would ask for more than a container has.
const IO_MEMORY_BYTES: usize = 65_536;

/// One glommio executor on the calling thread.
pub struct Executor(LocalExecutor);

impl Executor {
    /// Binds the calling thread to `cpu` (a CPU number of the machine) and sets the rings up.
    ///
    /// # Errors
    /// The text of what the kernel refused.
    pub fn pinned(cpu: Option<usize>, name: &str) -> Result<Self, String> {
        let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
        LocalExecutorBuilder::new(placement)
            .name(name)
            .io_memory(IO_MEMORY_BYTES)
            .make()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Runs `future` to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.run(async move {
            spawn(async {
                loop {
                    Timer::new(PULSE).await;
                }
            });
            future.await
        })
    }
}

thread_local! {
    static TASK_POLLS: Cell<u64> = const { Cell::new(0) };
}

/// How often spawned tasks of this thread were polled: who is about to block the thread learns from it
/// whether another task still runs.
pub(super) fn task_polls() -> u64 {
    TASK_POLLS.get()
}

thread_local! {
    static OUTSIDE: RefCell<Option<Outside>> = const { RefCell::new(None) };
}

/// How tasks of this thread are woken from others.
struct Outside {
    bell: WakeFd,
    sender: Sender<Arc<AnyThread>>,
    woken: Receiver<Arc<AnyThread>>,
}

/// Has `bell` rung when another thread wakes a task of this thread, which may sleep in the kernel.
pub fn ring_when_woken_from_outside(bell: WakeFd) {
    let (sender, woken) = crossbeam_channel::unbounded();
    OUTSIDE.set(Some(Outside {
        bell,
        sender,
        woken,
    }));
}

/// Makes the tasks runnable that other threads have woken, after the bell was rung.
pub(super) fn take_woken_from_outside() {
    OUTSIDE.with_borrow(|outside| {
        for task in outside.iter().flat_map(|outside| outside.woken.try_iter()) {
            task.inner.wake_by_ref();
        }
    });
}

/// A task's waker for anybody. From its own thread it is the executor's. From others it comes by a way of
/// ours: the executor would look for it only at the end of its time slice.
struct AnyThread {
    inner: Waker,
    home: ThreadId,
    bell: WakeFd,
    sender: Sender<Arc<AnyThread>>,
}

impl Wake for AnyThread {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if std::thread::current().id() == self.home {
            self.inner.wake_by_ref();
        } else if self.sender.send(Arc::clone(self)).is_ok() {
            self.bell.ring();
        }
    }
}

/// The wrapped waker of one task: the executor gives the same one to each poll.
#[derive(Default)]
struct Wrapped(Option<(Waker, Waker)>);

impl Wrapped {
    fn of(&mut self, inner: &Waker) -> &Waker {
        let known = self.0.take().filter(|(known, _)| known.will_wake(inner));
        let (_, waker) = self.0.insert(known.unwrap_or_else(|| {
            let waker = OUTSIDE.with_borrow(|outside| match outside {
                Some(outside) => Waker::from(Arc::new(AnyThread {
                    inner: inner.clone(),
                    home: std::thread::current().id(),
                    bell: outside.bell.clone(),
                    sender: outside.sender.clone(),
                })),
                None => inner.clone(),
            });
            (inner.clone(), waker)
        }));
        waker
    }
}

/// Runs `future` beside the caller, to its end; a panic in it is logged and ends only it.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    let mut task = Box::pin(async move {
        if let Err(unwound) = guarded(future).await {
            tracing::error!(panic = %unwound.text, "a task panicked");
        }
    });
    let mut wrapped = Wrapped::default();
    let counted = std::future::poll_fn(move |cx| {
        TASK_POLLS.set(TASK_POLLS.get() + 1);
        let waker = wrapped.of(cx.waker());
        task.as_mut().poll(&mut Context::from_waker(waker))
    });
    glommio::spawn_local(counted).detach();
}

/// Lets the other runnable tasks of this executor run.
pub async fn yield_now() {
    futures_lite::future::yield_now().await;
}

/// What a panic said.
#[derive(Debug)]
pub struct Unwound {
    /// The panic's message, if it was text.
    pub text: String,
}

impl Unwound {
    /// Reads the message of a caught panic.
    #[must_use]
    pub fn of(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned());
        Self { text }
    }
}

/// Runs `future`; a panic in it becomes an error.
pub fn guarded<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Unwound>> {
    Guarded(Box::pin(future))
}

struct Guarded<F>(Pin<Box<F>>);

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Unwound>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(Unwound::of(&*payload))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::runtime::Reactor;

    #[test]
    fn a_task_that_another_thread_wakes_ends_the_sleep_and_runs_in_that_turn() {
        let executor = Executor::pinned(None, "woken").unwrap();
        executor.run(async {
            let reactor = Reactor::install().unwrap();
            let bell = WakeFd::new().unwrap();
            reactor.listen_to_wakes(bell.as_fd()).unwrap();
            ring_when_woken_from_outside(bell.clone());
            let done = Rc::new(Cell::new(false));
            let (give, take) = std::sync::mpsc::channel::<Waker>();
            // Given a task that gives its waker to another thread and waits,
            let ran = Rc::clone(&done);
            spawn(async move {
                let mut given = false;
                std::future::poll_fn(|cx| {
                    if std::mem::replace(&mut given, true) {
                        return Poll::Ready(());
                    }
                    give.send(cx.waker().clone()).unwrap();
                    Poll::Pending
                })
                .await;
                ran.set(true);
            });
            yield_now().await;
            assert_eq!(
                reactor.poll(|_, _| {}).unwrap(),
                0,
                "nobody has rung before"
            );
            // when that thread wakes it,
            std::thread::spawn(move || take.recv().unwrap().wake())
                .join()
                .unwrap();
            // then the next look finds the ring, and the task runs before this one goes on.
            assert_eq!(reactor.poll(|_, _| {}).unwrap(), 1);
            yield_now().await;
            assert!(done.get());
        });
    }
}
