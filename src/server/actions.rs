//! Actions, hooks and ticks of a context: one after another, each to its end, whoever waits.

use std::collections::VecDeque;
use std::rc::Rc;

use tracing::Instrument;

use super::counters::{ACTIONS, CONTEXTS};
use super::failure::Failure;
use super::parcel::ActionRequest;
use super::shard::Shard;
use crate::http::Response;
use crate::page::{Arrival, Context, Ctx, Ended, Handler};
use crate::runtime::{local, spawn};

/// What waits for a context's turn.
pub(crate) enum Job {
    Action(Box<Click>),
    Hook(Handler),
    /// A period's turn; one that still waits stands for those that come meanwhile.
    Tick(Handler),
    /// The last job of a context: it is taken out of everything.
    Remove,
}

/// One click, with those who wait for its outcome.
pub(crate) struct Click {
    index: u16,
    key: Option<u64>,
    wait_key: WaitKey,
    request: ActionRequest,
}

/// The jobs of one context.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: VecDeque<Job>,
    /// How many of the jobs are clicks.
    clicks: usize,
    running: bool,
    /// Who waits for which click.
    waiting: Vec<(WaitKey, local::Sender<u16>)>,
    next_anonymous: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitKey {
    Click(u64),
    Anonymous(u64),
}

impl Shard {
    /// Runs a click, or finds out how it ended; the answer comes when it has ended.
    pub async fn act(self: Rc<Self>, request: ActionRequest) -> Response {
        let found = self
            .engine
            .find(&request.id)
            .filter(|context| Some(context.session_hash()) == request.session);
        let Some(context) = found.filter(|context| !context.is_gone()) else {
            return Response::line(410, "this page is gone: load it again");
        };
        let page = self.engine.page(context.page);
        let Some(index) = page.action_names.get(request.name.as_str()).copied() else {
            return Response::line(
                404,
                format!(
                    "this page has no action `{}`",
                    request.name.escape_default()
                ),
            );
        };
        let key = request.key;
        if let Some(key) = key {
            match context.clicks.get().look(key) {
                Arrival::New => {}
                Arrival::Running => return self.wait(&context, WaitKey::Click(key)).await,
                // Behind a long queue a click that runs may have left the window.
                Arrival::TooOld if self.is_awaited(&context, key) => {
                    return self.wait(&context, WaitKey::Click(key)).await;
                }
                Arrival::Finished(ended) => return answer(status_of(ended)),
                Arrival::TooOld => {
                    return Response::line(
                        409,
                        "this click is too old to be told from a new one: click again",
                    );
                }
            }
        }
        let parallel = page.actions[usize::from(index)].parallel;
        let limit = self.config().action_queue;
        let waiting = self
            .queues
            .borrow()
            .get(&context.key)
            .map_or(0, |queue| queue.clicks);
        if !parallel && waiting >= limit {
            return Response::line(
                429,
                format!(
                    "{waiting} actions of this page wait already (the limit is --action-queue)"
                ),
            )
            .with("Retry-After", "1");
        }
        if let Some(key) = key {
            let mut clicks = context.clicks.get();
            clicks.start(key);
            context.clicks.set(clicks);
        }
        let wait_key = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(context.key).or_default();
            queue.next_anonymous += 1;
            key.map_or(WaitKey::Anonymous(queue.next_anonymous), WaitKey::Click)
        };
        let click = Box::new(Click {
            index,
            key,
            wait_key,
            request,
        });
        let waited = self.wait(&context, wait_key);
        if parallel {
            let (shard, context) = (Rc::clone(&self), Rc::clone(&context));
            spawn(async move {
                let status = shard.run_click(&context, *click).await;
                shard.settle(&context, wait_key, status);
                shard.drop_idle_queue(context.key);
            });
        } else {
            self.enqueue_click(&context, click);
        }
        waited.await
    }

    /// A click with this key has not ended.
    fn is_awaited(&self, context: &Context, key: u64) -> bool {
        let queues = self.queues.borrow();
        let queue = queues.get(&context.key);
        queue.is_some_and(|queue| {
            let mut waiting = queue.waiting.iter();
            waiting.any(|(other, _)| *other == WaitKey::Click(key))
        })
    }

    fn wait(
        self: &Rc<Self>,
        context: &Context,
        key: WaitKey,
    ) -> impl Future<Output = Response> + use<> {
        let (sender, receiver) = local::oneshot();
        self.queues
            .borrow_mut()
            .entry(context.key)
            .or_default()
            .waiting
            .push((key, sender));
        async move { answer(receiver.receive().await.unwrap_or(500)) }
    }

    fn settle(&self, context: &Context, key: WaitKey, status: u16) {
        let done: Vec<local::Sender<u16>> = {
            let mut queues = self.queues.borrow_mut();
            let Some(queue) = queues.get_mut(&context.key) else {
                return;
            };
            let (done, waiting) = std::mem::take(&mut queue.waiting)
                .into_iter()
                .partition(|(other, _)| *other == key);
            queue.waiting = waiting;
            let done: Vec<(WaitKey, _)> = done;
            done.into_iter().map(|(_, sender)| sender).collect()
        };
        for sender in done {
            sender.send(status);
        }
    }

    fn enqueue_click(self: &Rc<Self>, context: &Rc<Context>, click: Box<Click>) {
        let mut queues = self.queues.borrow_mut();
        queues.entry(context.key).or_default().clicks += 1;
        drop(queues);
        self.enqueue(context, Job::Action(click));
    }

    /// Runs hooks in the context's order of things.
    pub fn run_hooks(self: &Rc<Self>, context: &Rc<Context>, hooks: Vec<Handler>) {
        for hook in hooks {
            self.enqueue(context, Job::Hook(hook));
        }
    }

    /// Runs the clean-up hooks, then takes the context out of everything.
    pub fn clean_up(self: &Rc<Self>, context: &Rc<Context>) {
        let hooks = self.engine.page(context.page).hooks.cleanup.clone();
        self.run_hooks(context, hooks);
        self.enqueue(context, Job::Remove);
    }

    fn enqueue(self: &Rc<Self>, context: &Rc<Context>, job: Job) {
        let start = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(context.key).or_default();
            queue.jobs.push_back(job);
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            let (shard, context) = (Rc::clone(self), Rc::clone(context));
            spawn(async move { shard.run_queue(&context).await });
        }
    }

    pub fn enqueue_tick(self: &Rc<Self>, context: &Rc<Context>, run: &Handler) {
        let waits = self.queues.borrow().get(&context.key).is_some_and(|queue| {
            let mut jobs = queue.jobs.iter();
            jobs.any(|job| matches!(job, Job::Tick(other) if Rc::ptr_eq(other, run)))
        });
        if !waits {
            self.enqueue(context, Job::Tick(Rc::clone(run)));
        }
    }

    async fn run_queue(self: &Rc<Self>, context: &Rc<Context>) {
        loop {
            let job = {
                let mut queues = self.queues.borrow_mut();
                let Some(queue) = queues.get_mut(&context.key) else {
                    return;
                };
                let job = queue.jobs.pop_front();
                queue.running = job.is_some();
                job
            };
            match job {
                Some(Job::Action(click)) => {
                    let wait_key = click.wait_key;
                    // It runs now: only those behind it wait.
                    if let Some(queue) = self.queues.borrow_mut().get_mut(&context.key) {
                        queue.clicks -= 1;
                    }
                    let status = self.run_click(context, *click).await;
                    self.settle(context, wait_key, status);
                }
                Some(Job::Hook(hook) | Job::Tick(hook)) => self.run_hook(context, &hook).await,
                Some(Job::Remove) => {
                    self.queues.borrow_mut().remove(&context.key);
                    self.engine.remove(context);
                    self.count(CONTEXTS, -1);
                    return;
                }
                None => {
                    self.drop_idle_queue(context.key);
                    return;
                }
            }
        }
    }

    fn drop_idle_queue(&self, key: u32) {
        let mut queues = self.queues.borrow_mut();
        if queues.get(&key).is_some_and(|queue| {
            !queue.running && queue.jobs.is_empty() && queue.waiting.is_empty()
        }) {
            queues.remove(&key);
        }
    }

    /// One click from its inputs to its outcome: the status that its senders get.
    async fn run_click(self: &Rc<Self>, context: &Rc<Context>, click: Click) -> u16 {
        let page = self.engine.page(context.page);
        let action = &page.actions[usize::from(click.index)];
        let span = tracing::error_span!("action", name = action.name, page = %page.pattern, shard = self.id, click = click.key);
        self.count(ACTIONS, 1);
        let inputs = click
            .request
            .inputs
            .iter()
            .map(|(name, json)| (name.as_str(), json.get().as_bytes()));
        let outcome = match self.engine.apply_inputs(context, inputs) {
            Err(text) => Err(Failure::Input(text)),
            Ok(()) => {
                let mut ctx = Ctx::new(&self.engine, context);
                ctx.arguments = click.request.arguments.into();
                ctx.click = click.key;
                let limit = self.config().action_timeout;
                self.guard(action.run.as_ref()(ctx), limit)
                    .instrument(span.clone())
                    .await
            }
        };
        let _entered = span.enter();
        let (ended, status) = match &outcome {
            Ok(()) => (Ended::Done, 200),
            Err(Failure::Input(_)) => (Ended::WrongType, 422),
            Err(_) => (Ended::Failed, 500),
        };
        if let Some(key) = click.key {
            let mut clicks = context.clicks.get();
            clicks.finish(key, ended);
            context.clicks.set(clicks);
        }
        if let Err(failure) = outcome {
            failure.log();
            self.engine
                .tell_error(context, action.name, click.key, &failure.text());
        }
        status
    }

    async fn run_hook(self: &Rc<Self>, context: &Rc<Context>, hook: &Handler) {
        let page = self.engine.page(context.page);
        let span = tracing::error_span!("hook", page = %page.pattern, shard = self.id);
        let ctx = Ctx::new(&self.engine, context);
        let outcome = self
            .guard(hook(ctx), self.config().action_timeout)
            .instrument(span.clone())
            .await;
        let _entered = span.enter();
        if let Err(failure) = outcome {
            failure.log();
        }
    }

    /// No action, hook or clean-up is running or waiting.
    pub fn is_idle(&self) -> bool {
        self.queues.borrow().is_empty()
    }
}

fn status_of(ended: Ended) -> u16 {
    match ended {
        Ended::Done => 200,
        Ended::WrongType => 422,
        Ended::Failed => 500,
    }
}

fn answer(status: u16) -> Response {
    let line = match status {
        200 => {
            return Response {
                status,
                headers: vec![("Cache-Control", "no-cache".to_owned())],
                body: std::borrow::Cow::Borrowed(b""),
            };
        }
        422 => "the action refused what was sent; the page shows why",
        _ => "the action failed; the page shows why",
    };
    Response::line(status, line)
}
