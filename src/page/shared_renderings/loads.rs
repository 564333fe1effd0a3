//! What pages load: made and shared as a shard does it, and compared with what each would load alone.

use std::cell::RefCell;
use std::rc::Rc;

use futures_lite::future::{block_on, poll_once};

use super::world::World;
use crate::page::context::{ALL_VIEWS, dirty};
use crate::page::ctx::Reader;
use crate::page::load::{LoadResult, LoadTable};
use crate::page::reads::{Read, Tracked, signature};
use crate::page::{Context, Ctx};

impl World {
    /// As a shard does: results of an equal context are taken, others are made.
    fn load(&self, context: &Rc<Context>, table: &LoadTable) {
        let mut key = Vec::new();
        let equal = |result: &&Rc<LoadResult>| {
            signature(&result.reads, &self.engine, context, &mut key);
            key == result.signature
        };
        let known = table.results.borrow().iter().find(equal).cloned();
        let result = known.unwrap_or_else(|| {
            let result = Rc::new(self.run_load(context, table));
            table.results.borrow_mut().push(Rc::clone(&result));
            result
        });
        let alone = self.run_load(context, table);
        assert_eq!(
            result.value.downcast_ref::<String>().expect("a text"),
            alone.value.downcast_ref::<String>().expect("a text"),
            "a load that was shared by {:?} is not what it would be alone",
            result.reads
        );
        context.loads.borrow_mut()[usize::from(table.load)] = Some(result);
    }

    fn run_load(&self, context: &Rc<Context>, table: &LoadTable) -> LoadResult {
        let page = self.engine.page(context.page);
        let (ctx, reads) = Ctx::tracked(&self.engine, context);
        let value = (page.loads[usize::from(table.load)].run)(ctx);
        let value = block_on(poll_once(value)).expect("it waits for nothing");
        let (reads, signature) = reads.take().into_parts();
        LoadResult {
            id: self.engine.next_load_id(),
            value: value.unwrap_or_else(|error| panic!("a load failed: {error}")),
            reads,
            signature,
            epoch: table.epoch.get(),
        }
    }

    pub(super) fn load_missing(&self, context: &Rc<Context>) {
        for index in 0..self.engine.page(context.page).loads.len() {
            let is_missing = context.loads.borrow()[index].is_none();
            let index = u16::try_from(index).expect("few loads");
            let table = self.engine.load_table(context, index);
            if let Some(table) = table.filter(|_| is_missing) {
                self.load(context, &table);
            }
        }
    }

    pub(super) fn refresh(&self) {
        for refresh in self.engine.take_refreshes() {
            let table = refresh.table;
            for context in self.engine.members_on_page(refresh.scope, table.page) {
                if context.is_open() {
                    self.load(&context, &table);
                    self.engine.list_views(&context, ALL_VIEWS);
                } else {
                    context.add_dirty(dirty::FULL);
                    context.forget_load(table.load);
                }
            }
        }
    }
}

/// The first viewer's load, which has read the first shared value and has not ended yet.
pub(super) struct Waiting(Rc<RefCell<Tracked>>);

/// What it has read.
pub(super) struct Ended {
    reads: Vec<Read>,
    signature: Vec<u8>,
}

impl Waiting {
    pub(super) fn start(world: &World) -> Self {
        let context = world.pick(0).expect("there is a viewer");
        let (ctx, tracked) = Ctx::tracked(&world.engine, &context);
        ctx.note(Read::Shared(0));
        Self(tracked)
    }

    pub(super) fn end(self) -> Ended {
        let (reads, signature) = self.0.take().into_parts();
        Ended { reads, signature }
    }
}

impl Ended {
    /// As the shard decides whether a result is given to another viewer.
    pub(super) fn is_for(&self, world: &World, viewer: usize) -> bool {
        let context = world.pick(viewer).expect("there is a viewer");
        let mut now = Vec::new();
        signature(&self.reads, &world.engine, &context, &mut now);
        now == self.signature
    }
}
