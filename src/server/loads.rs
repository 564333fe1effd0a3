//! Running loads: before the first render, and for the members of a scope that was broadcast.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::shard::Shard;
use crate::page::context::{ALL_VIEWS, dirty};
use crate::page::load::{LoadResult, LoadTable};
use crate::page::reads::{Read, signature};
use crate::page::{Context, Ctx, Refresh};
use crate::runtime::spawn;

impl Shard {
    /// Gives a new context what its page loads, shared where it may be.
    ///
    /// # Errors
    /// How the first load that failed did.
    pub async fn first_loads(self: &Rc<Self>, context: &Rc<Context>) -> Result<(), Failure> {
        // A broadcast while a later load runs makes an earlier one stale again.
        for _ in 0..TRIES {
            self.run_missing(context).await?;
            if !context.lacks_loads() {
                return Ok(());
            }
        }
        Err(Failure::Error(crate::page::Error::new(format!(
            "its data changed {TRIES} times while it was loaded"
        ))))
    }

    async fn run_missing(self: &Rc<Self>, context: &Rc<Context>) -> Result<(), Failure> {
        for index in 0..self.engine.page(context.page).loads.len() {
            let index = u16::try_from(index).expect("loads fit 16 bits");
            let Some(table) = self.engine.load_table(context, index) else {
                continue;
            };
            if self.reuse(&table, context) {
                continue;
            }
            // What nobody else can share needs no queue.
            if table.own.get() {
                self.run_load(&table, context).await?;
                continue;
            }
            let _lock = Rc::clone(&table).lock().await;
            if !self.reuse(&table, context) {
                self.run_load(&table, context).await?;
            }
        }
        Ok(())
    }

    /// Takes a result that was made for an equal context.
    fn reuse(&self, table: &LoadTable, context: &Context) -> bool {
        let mut key = Vec::new();
        let epoch = table.epoch.get();
        let found = table
            .results
            .borrow()
            .iter()
            .find(|result| {
                signature(&result.reads, &self.engine, context, &mut key);
                result.epoch == epoch && key == result.signature
            })
            .cloned();
        let Some(result) = found else { return false };
        give(context, table.load, result);
        true
    }

    async fn run_load(
        self: &Rc<Self>,
        table: &LoadTable,
        context: &Rc<Context>,
    ) -> Result<(), Failure> {
        let run = Rc::clone(&self.engine.page(context.page).loads[usize::from(table.load)].run);
        let epoch = table.epoch.get();
        let (ctx, reads) = Ctx::tracked(&self.engine, context);
        let value = self.guard(run(ctx), self.config().load_timeout).await?;
        let (reads, signature) = reads.take().into_parts();
        table.own.set(
            reads
                .iter()
                .any(|read| matches!(read, Read::Tab(_) | Read::Session | Read::Identity)),
        );
        let result = Rc::new(LoadResult {
            id: self.engine.next_load_id(),
            value,
            reads,
            signature,
            epoch,
        });
        give(context, table.load, Rc::clone(&result));
        let mut results = table.results.borrow_mut();
        results.retain(|other| other.epoch == epoch && Rc::strong_count(other) > 1);
        // What nobody else can share would only be in the way of those who look for theirs.
        if epoch == table.epoch.get() && !table.own.get() {
            results.push(result);
        }
        Ok(())
    }

    /// Runs what broadcasts made stale, one refresh per load and scope at a time.
    pub fn start_refreshes(self: &Rc<Self>) {
        for refresh in self.engine.take_refreshes() {
            if refresh.table.refreshing.replace(true) {
                continue;
            }
            let shard = Rc::clone(self);
            spawn(async move { shard.refresh(refresh).await });
        }
    }

    async fn refresh(self: &Rc<Self>, refresh: Refresh) {
        let Refresh { scope, table } = refresh;
        loop {
            let epoch = table.epoch.get();
            for context in self.engine.members_on_page(scope, table.page) {
                // Nobody looks: it is loaded when somebody does.
                if !context.is_open() {
                    context.add_dirty(dirty::FULL);
                    context.forget_load(table.load);
                    continue;
                }
                if !self.reuse(&table, &context) {
                    let _lock = if table.own.get() {
                        None
                    } else {
                        Some(Rc::clone(&table).lock().await)
                    };
                    if !self.reuse(&table, &context)
                        && let Err(failure) = self.run_load(&table, &context).await
                    {
                        failure.log();
                        self.engine.tell_error(
                            &context,
                            "",
                            None,
                            "New data could not be loaded. What you see may be old.",
                        );
                        continue;
                    }
                }
                self.engine.list_views(&context, ALL_VIEWS);
            }
            if epoch == table.epoch.get() {
                break;
            }
        }
        table.refreshing.set(false);
    }

    /// A page that was away while its data changed loads it before it is told anything.
    pub fn load_missing(self: &Rc<Self>, context: &Rc<Context>) {
        if context.loading.replace(true) {
            return;
        }
        let (shard, context) = (Rc::clone(self), Rc::clone(context));
        spawn(async move {
            if let Err(failure) = shard.first_loads(&context).await {
                failure.log();
                shard.timers.sleep_until(Instant::now() + RETRY).await;
            }
            context.loading.set(false);
            if !context.is_gone() {
                shard.engine.list(&context, dirty::FULL);
            }
        });
    }
}

/// How often the loads of a page are run until none of them is stale.
const TRIES: usize = 8;

/// After a load that failed for a page that came back.
const RETRY: Duration = Duration::from_secs(1);

fn give(context: &Context, load: u16, result: Rc<LoadResult>) {
    if let Some(place) = context.loads.borrow_mut().get_mut(usize::from(load)) {
        *place = Some(result);
    }
}
