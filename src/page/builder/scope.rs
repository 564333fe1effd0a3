//! What may stand for a scope in a page's definition.

use super::Page;
use crate::page::definition::{GLOBAL, ROUTE, SESSION};
use crate::page::handles::ScopeOf;
use crate::scope::{OwnScope, Scope};

/// A scope that a shared value or a load can live in: [`Scope::GLOBAL`], [`Scope::ROUTE`],
/// [`Scope::SESSION`], a name, or what [`Page::join`] gave.
pub trait PageScope {
    #[doc(hidden)]
    fn membership(self, page: &mut Page) -> u16;
}

impl PageScope for OwnScope {
    fn membership(self, _: &mut Page) -> u16 {
        match self {
            Self::Route => ROUTE,
            Self::Session => SESSION,
        }
    }
}

impl PageScope for ScopeOf {
    fn membership(self, page: &mut Page) -> u16 {
        if self.page != page.def.index {
            page.mistakes
                .push("a scope that another page joined was used".to_owned());
        }
        self.membership
    }
}

impl PageScope for Scope {
    fn membership(self, page: &mut Page) -> u16 {
        if self == Self::GLOBAL {
            GLOBAL
        } else {
            page.join(move |_| self.clone()).membership
        }
    }
}
