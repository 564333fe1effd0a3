//! The server side of one open page: a compact set of values, no closures, no names.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use smallvec::SmallVec;

use super::clicks::Clicks;
use super::load::LoadResult;
use super::value::Encoded;
use crate::wire::id::ContextId;

/// Bytes of scripts that may wait for a context without a stream.
pub(crate) const SCRIPTS_MAX_BYTES: usize = 64 * 1024;

/// Where a context is in its life; the table is in `docs/life-of-a-page.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// The page was answered, no stream was opened yet.
    Rendered,
    /// At least one stream is open.
    Streaming,
    /// Its last stream ended a short time ago: still present.
    Away,
    /// Its last stream ended long ago: no longer present, but it can come back.
    Parked,
    /// Cleaned up.
    Gone,
}

/// What a context has to be told; bits of `Context::dirty`.
pub(crate) mod dirty {
    /// Values of the context itself.
    pub const TAB: u8 = 1;
    /// Values that it shares.
    pub const SHARED: u8 = 2;
    /// Its views.
    pub const VIEW: u8 = 4;
    /// Scripts.
    pub const SCRIPT: u8 = 8;
    /// An error of one of its actions.
    pub const ERROR: u8 = 16;
    /// All, since something was missed.
    pub const FULL: u8 = 32;
    /// Its own values wait for their time; it stands in the list again then, or before if
    /// something else has to be told.
    pub const PUT_OFF: u8 = 64;
    /// It stands in the shard's list.
    pub const LISTED: u8 = 128;
}

/// One membership: the scope's entry on this shard, and the place among its members.
#[derive(Clone, Copy)]
pub(crate) struct Membership {
    pub scope: autovia_shards::NameId,
    pub position: u32,
}

/// What waits to be told to the browser besides views and values.
#[derive(Default)]
pub(crate) struct Waiting {
    pub scripts: VecDeque<String>,
    pub script_bytes: usize,
    /// `_via_error` objects, the newest last.
    pub errors: Vec<String>,
    /// What the user should know of this page's connection.
    pub hint: Option<&'static str>,
    /// Inputs to be emptied where they are still what they were: the slot, and what it was.
    pub taken: Vec<(u16, Encoded)>,
}

/// An input that the server wrote: with which event it was told.
pub(crate) struct Written {
    pub slot: u16,
    pub event: u64,
    /// What it was, if it was taken rather than set.
    pub was: Option<Encoded>,
}

/// Few pages have any, so a context has room for none.
#[derive(Default)]
struct WrittenInputs(Vec<Written>);

pub(crate) struct Context {
    pub id: ContextId,
    pub key: u32,
    pub page: u16,
    serial: u64,
    session_hash: [u8; 16],
    path: Rc<str>,
    params: Box<[Box<str>]>,
    pub life: Cell<Life>,
    /// When the life table moves it on, in the shard's milliseconds; 0 is never.
    pub deadline_ms: Cell<u64>,
    /// Its key in the shard's order of parked contexts; 0 is not parked.
    pub parked_ms: Cell<u64>,
    pub connected: Cell<bool>,
    /// When its browser said that it leaves the page; 0 is never.
    pub closed_ms: Cell<u64>,
    pub memberships: RefCell<SmallVec<[Membership; 4]>>,
    /// The values that differ from the page's initial ones, by slot.
    pub values: RefCell<Vec<(u16, Encoded)>>,
    pub dirty: Cell<u8>,
    /// Slots to be sent; slot 63 and above share the last bit.
    pub dirty_slots: Cell<u64>,
    /// Views to be rendered; view 63 and above share the last bit.
    pub dirty_views: Cell<u64>,
    /// No patch for its own values before this, in the shard's milliseconds.
    pub next_patch_ms: Cell<u64>,
    /// The id of the event sent last.
    pub last_event: Cell<u64>,
    /// Hash of the HTML sent last, per view; 0 is none.
    pub sent: RefCell<SmallVec<[u64; 1]>>,
    pub loads: RefCell<Box<[Option<Rc<LoadResult>>]>>,
    /// Its missing loads are on their way.
    pub loading: Cell<bool>,
    pub waiting: RefCell<Option<Box<Waiting>>>,
    /// Inputs that the server wrote and the browser has not sent since.
    written: RefCell<Option<Box<WrittenInputs>>>,
    /// Its open streams, by the keys of the shard's table.
    pub streams: RefCell<SmallVec<[u32; 2]>>,
    pub clicks: Cell<Clicks>,
}

impl Context {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        id: ContextId,
        key: u32,
        page: u16,
        serial: u64,
        session_hash: [u8; 16],
        path: Rc<str>,
        params: Box<[Box<str>]>,
        loads: usize,
    ) -> Self {
        Self {
            id,
            key,
            page,
            serial,
            session_hash,
            path,
            params,
            life: Cell::new(Life::Rendered),
            deadline_ms: Cell::new(0),
            parked_ms: Cell::new(0),
            connected: Cell::new(false),
            closed_ms: Cell::new(0),
            memberships: RefCell::default(),
            values: RefCell::default(),
            dirty: Cell::new(0),
            dirty_slots: Cell::new(0),
            dirty_views: Cell::new(0),
            next_patch_ms: Cell::new(0),
            last_event: Cell::new(0),
            sent: RefCell::default(),
            loads: RefCell::new(vec![None; loads].into()),
            loading: Cell::new(false),
            waiting: RefCell::default(),
            written: RefCell::default(),
            streams: RefCell::default(),
            clicks: Cell::default(),
        }
    }

    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub fn session_hash(&self) -> [u8; 16] {
        self.session_hash
    }

    /// Its path, to be shared by others on the same one.
    pub fn shared_path(&self) -> &Rc<str> {
        &self.path
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn param_at(&self, index: u16) -> &str {
        self.params
            .get(usize::from(index))
            .map_or("", |param| param)
    }

    pub fn load_id(&self, index: u16) -> u64 {
        let loads = self.loads.borrow();
        loads
            .get(usize::from(index))
            .and_then(Option::as_ref)
            .map_or(0, |result| result.id)
    }

    /// What was loaded is stale and nobody looks: it is loaded again when somebody does.
    pub fn forget_load(&self, index: u16) {
        if let Some(place) = self.loads.borrow_mut().get_mut(usize::from(index)) {
            *place = None;
        }
    }

    pub fn lacks_loads(&self) -> bool {
        self.loads.borrow().iter().any(Option::is_none)
    }

    pub fn has(&self, bits: u8) -> bool {
        self.dirty.get() & bits != 0
    }

    pub fn add_dirty(&self, bits: u8) {
        self.dirty.set(self.dirty.get() | bits);
    }

    pub fn mark_slot(&self, slot: u16) {
        self.dirty_slots
            .set(self.dirty_slots.get() | slot_bit(slot));
    }

    pub fn mark_views(&self, views: u64) {
        self.dirty_views.set(self.dirty_views.get() | views);
    }

    /// The browser has seen nothing after `last`: inputs that were written since are told again.
    pub fn retell_inputs(&self, last: u64) {
        let values = self.values.borrow();
        let all = self.written.borrow();
        let all = all.iter().flat_map(|all| &all.0);
        for written in all.filter(|written| written.event > last) {
            match &written.was {
                None => self.mark_slot(written.slot),
                // What it has become is the initial value, unless it was written again since.
                Some(was) if !values.iter().any(|(slot, _)| *slot == written.slot) => {
                    self.with_waiting(|waiting| waiting.taken.push((written.slot, was.clone())));
                }
                Some(_) => {}
            }
        }
    }

    pub fn note_written(&self, slot: u16, event: u64, was: Option<Encoded>) {
        let mut all = self.written.borrow_mut();
        let all = &mut all.get_or_insert_default().0;
        all.retain(|written| written.slot != slot);
        all.push(Written { slot, event, was });
    }

    /// The browser has sent this input since it was told.
    pub fn forget_written(&self, slot: u16) {
        let mut all = self.written.borrow_mut();
        if let Some(written) = all.as_mut() {
            written.0.retain(|written| written.slot != slot);
            if written.0.is_empty() {
                *all = None;
            }
        }
    }

    /// Nothing is left that it has to be told.
    pub fn be_told(&self) {
        self.dirty.set(0);
        self.dirty_slots.set(0);
        self.dirty_views.set(0);
    }

    /// Gives back what a context needs only while it is shown.
    pub fn shrink(&self) {
        self.sent.take();
        self.values.borrow_mut().shrink_to_fit();
    }

    pub fn is_open(&self) -> bool {
        self.life.get() == Life::Streaming
    }

    pub fn is_gone(&self) -> bool {
        self.life.get() == Life::Gone
    }

    /// Counted as present: streaming, or away for a short time.
    pub fn is_present(&self) -> bool {
        matches!(self.life.get(), Life::Streaming | Life::Away)
    }

    pub fn with_waiting<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(self.waiting.borrow_mut().get_or_insert_default())
    }
}

/// All views of a page, as bits.
pub(crate) const ALL_VIEWS: u64 = u64::MAX;

pub(crate) fn slot_bit(slot: u16) -> u64 {
    1 << slot.min(63)
}
