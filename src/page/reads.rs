//! What a view or a load read: the key under which its result may be shared.
//!
//! A rendering may be shown to a second context only when every value that its making read is
//! equal there. The values themselves are compared, byte by byte, never their hashes: no text
//! that a client chooses can make two contexts look alike.

use std::rc::Rc;

use super::context::Context;
use super::definition::PageDef;
use super::engine::Engine;

/// One thing that was read.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A value of the context itself, by slot.
    Tab(u16),
    /// A shared signal, by its place in the page's table.
    Shared(u16),
    /// A path parameter, by place.
    Param(u16),
    /// A joined scope's name, by membership.
    ScopeName(u16),
    /// Something of the session.
    Session,
    /// The concrete path.
    Path,
    /// A load's result, by place.
    Load(u16),
    /// A key of GlobalState.
    Global(Rc<str>),
    /// The context's own identity.
    Identity,
}

/// All that was read, in order, each once.
#[derive(Default)]
pub(crate) struct Reads(Vec<Read>);

impl Reads {
    /// Tells whether it is the first of its kind.
    pub fn note(&mut self, read: Read) -> bool {
        let is_new = !self.0.contains(&read);
        if is_new {
            self.0.push(read);
        }
        is_new
    }

    pub fn into_vec(self) -> Vec<Read> {
        self.0
    }
}

impl Read {
    /// Appends what this read gives in `context`; the length goes first, so that two reads can't
    /// run into each other.
    pub(crate) fn append(&self, engine: &Engine, context: &Context, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Tab(slot) => engine.with_tab(context, *slot, |json| out.extend_from_slice(json)),
            Self::Shared(index) => engine.append_shared(context, *index, out),
            Self::Param(index) => out.extend_from_slice(context.param_at(*index).as_bytes()),
            Self::ScopeName(membership) => {
                out.extend_from_slice(engine.scope_name(context, *membership).as_bytes())
            }
            Self::Session => out.extend_from_slice(&context.session_hash()),
            Self::Path => out.extend_from_slice(context.path().as_bytes()),
            Self::Load(index) => out.extend_from_slice(&context.load_id(*index).to_le_bytes()),
            Self::Global(key) => match engine.globals().read(key) {
                Some(json) => out.extend_from_slice(&json),
                None => out.push(0),
            },
            Self::Identity => out.extend_from_slice(&context.serial().to_le_bytes()),
        }
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Whether this read gives the same in two contexts of one page, seen without reading what
    /// both share; `false` where that can't be seen. Holds for those who are told in one turn.
    fn is_same(&self, engine: &Engine, page: &PageDef, one: &Context, other: &Context) -> bool {
        let same_scope = |membership: u16| {
            let scope_of = |context: &Context| {
                let memberships = context.memberships.borrow();
                memberships.get(usize::from(membership)).map(|m| m.scope)
            };
            scope_of(one) == scope_of(other)
        };
        match self {
            Self::Tab(slot) => engine.with_tab(one, *slot, |json| {
                engine.with_tab(other, *slot, |others| json == others)
            }),
            Self::Shared(index) => same_scope(page.shared[usize::from(*index)].membership),
            Self::Param(index) => one.param_at(*index) == other.param_at(*index),
            Self::ScopeName(membership) => same_scope(*membership),
            Self::Session => one.session_hash() == other.session_hash(),
            Self::Path => one.path() == other.path(),
            Self::Load(index) => one.load_id(*index) == other.load_id(*index),
            Self::Global(_) => true,
            Self::Identity => one.serial() == other.serial(),
        }
    }
}

/// Whether all of `reads` give the same in both, as far as [`Read::is_same`] can see.
pub(crate) fn are_same(
    reads: &[Read],
    engine: &Engine,
    page: &PageDef,
    one: &Context,
    other: &Context,
) -> bool {
    reads
        .iter()
        .all(|read| read.is_same(engine, page, one, other))
}

/// What a load has read, and what that gave when it was read: while the load waits, it may change.
#[derive(Default)]
pub(crate) struct Tracked {
    reads: Reads,
    signature: Vec<u8>,
}

impl Tracked {
    pub fn note(&mut self, read: Read, engine: &Engine, context: &Context) {
        if self.reads.note(read.clone()) {
            read.append(engine, context, &mut self.signature);
        }
    }

    /// The reads, and what [`signature`] would have given of them at the time of each.
    pub fn into_parts(self) -> (Vec<Read>, Vec<u8>) {
        (self.reads.into_vec(), self.signature)
    }
}

/// What all of `reads` give in `context`.
pub(crate) fn signature(reads: &[Read], engine: &Engine, context: &Context, out: &mut Vec<u8>) {
    out.clear();
    for read in reads {
        read.append(engine, context, out);
    }
}
