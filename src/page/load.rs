//! Data beside the view: run before the first render and at each broadcast of its scope, shared
//! by what it read.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ctx::Ctx;
use super::definition::LocalFuture;
use super::error::Result;
use super::reads::Read;

pub(crate) type LoadFn = Rc<dyn Fn(Ctx) -> LocalFuture<Result<Rc<dyn Any>>>>;

pub(crate) struct LoadDef {
    pub membership: u16,
    pub run: LoadFn,
}

/// What one run gave. Never changed: a new run makes a new one with a new id.
pub(crate) struct LoadResult {
    pub id: u64,
    pub value: Rc<dyn Any>,
    pub reads: Vec<Read>,
    pub signature: Vec<u8>,
    /// The table's epoch in which it was made.
    pub epoch: u64,
}

/// The results of one load of one page in one scope, on this shard.
pub(crate) struct LoadTable {
    pub page: u16,
    pub load: u16,
    /// Counts the broadcasts: a result of an older epoch is stale.
    pub epoch: Cell<u64>,
    pub results: RefCell<Vec<Rc<LoadResult>>>,
    /// A refresh is on its way.
    pub refreshing: Cell<bool>,
    /// The last run read something that few contexts have in common: nobody waits for it.
    pub own: Cell<bool>,
    /// Somebody runs it for the first time: others who may share wait.
    pub busy: Cell<bool>,
    pub waiters: RefCell<Vec<std::task::Waker>>,
}

impl LoadTable {
    pub fn new(page: u16, load: u16) -> Self {
        Self {
            page,
            load,
            epoch: Cell::new(1),
            results: RefCell::default(),
            refreshing: Cell::new(false),
            own: Cell::new(false),
            busy: Cell::new(false),
            waiters: RefCell::default(),
        }
    }

    /// Everything that was loaded is stale from now on.
    pub fn invalidate(&self) {
        self.epoch.set(self.epoch.get() + 1);
        self.results.borrow_mut().clear();
    }

    /// Waits until nobody else loads, then says "somebody does" until the guard is dropped.
    pub async fn lock(self: Rc<Self>) -> LoadLock {
        std::future::poll_fn(|cx| {
            if self.busy.get() {
                self.waiters.borrow_mut().push(cx.waker().clone());
                return std::task::Poll::Pending;
            }
            self.busy.set(true);
            std::task::Poll::Ready(())
        })
        .await;
        LoadLock(self)
    }
}

/// Held while one loads for all.
pub(crate) struct LoadLock(Rc<LoadTable>);

impl Drop for LoadLock {
    fn drop(&mut self) {
        self.0.busy.set(false);
        for waker in self.0.waiters.take() {
            waker.wake();
        }
    }
}
