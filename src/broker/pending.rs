//! Scopes that wait to be published: each once, in the order of their first mention, bounded.
//!
//! What goes past the bound becomes "everything", so nothing is lost and nothing grows.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// What one message makes stale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stale {
    /// One scope, or all that its `*` matches.
    Scope(Rc<str>),
    /// Every scope that crosses nodes.
    Everything,
}

impl Stale {
    /// The bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Scope(name) => name.len(),
                Self::Everything => 0,
            }
    }
}

/// The bound of what waits, in bytes of names.
pub(super) const PENDING_MAX_BYTES: usize = 256 * 1024;

/// The merged set.
#[derive(Debug, Default)]
pub(super) struct Pending {
    order: VecDeque<Rc<str>>,
    known: HashSet<Rc<str>>,
    bytes: usize,
    everything: bool,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        !self.everything && self.order.is_empty()
    }

    pub fn len(&self) -> usize {
        usize::from(self.everything) + self.order.len()
    }

    pub fn add(&mut self, what: &Stale) {
        match what {
            Stale::Everything => self.add_everything(),
            Stale::Scope(name) => self.add_scope(name),
        }
    }

    pub fn add_scope(&mut self, name: &str) {
        if self.everything || self.known.contains(name) {
            return;
        }
        let cost = name.len() + size_of::<Rc<str>>();
        if self.bytes + cost > PENDING_MAX_BYTES {
            self.add_everything();
            return;
        }
        let name: Rc<str> = name.into();
        self.bytes += cost;
        self.known.insert(Rc::clone(&name));
        self.order.push_back(name);
    }

    /// What is stale as a whole needs no names.
    pub fn add_everything(&mut self) {
        *self = Self {
            everything: true,
            ..Self::default()
        };
    }

    /// Takes the first.
    pub fn take(&mut self) -> Option<Stale> {
        if std::mem::take(&mut self.everything) {
            return Some(Stale::Everything);
        }
        let name = self.order.pop_front()?;
        self.known.remove(&name);
        self.bytes -= name.len() + size_of::<Rc<str>>();
        if self.order.is_empty() {
            // A peak leaves no memory behind.
            *self = Self::default();
        }
        Some(Stale::Scope(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_waits_once_in_the_order_of_its_first_mention() {
        let mut pending = Pending::default();
        for name in ["a", "b", "a", "c", "b"] {
            pending.add_scope(name);
        }
        let taken: Vec<_> = std::iter::from_fn(|| pending.take()).collect();
        assert_eq!(taken, ["a", "b", "c"].map(|name| Stale::Scope(name.into())));
        pending.add_scope("a");
        assert_eq!(pending.len(), 1, "what was taken may wait again");
    }

    #[test]
    fn past_the_bound_everything_is_stale_and_memory_is_given_back() {
        let mut pending = Pending::default();
        let mut names = 0;
        while pending.bytes > 0 || names == 0 {
            pending.add_scope(&format!("room:{names}"));
            names += 1;
            assert!(pending.bytes <= PENDING_MAX_BYTES);
        }
        assert!(names > 1000);
        assert_eq!((pending.len(), pending.order.capacity()), (1, 0));
        pending.add_scope("late");
        assert_eq!(pending.take(), Some(Stale::Everything));
        assert_eq!(pending.take(), None);
    }
}
