//! An app whose views and loads read what a test case says.

use std::cell::Cell;
use std::rc::Rc;

use super::TEXTS;
use crate::page::{App, Component, Ctx, Html, Load, Page, ScopeOf, Signal, View};
use crate::scope::Scope;

/// Own values of a page.
pub const SLOTS: usize = 3;

/// Keys of the state of the process.
pub const GLOBALS: [&str; 2] = ["k", "kk"];

/// One thing that can be read.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Tab(usize),
    /// In the order of [`super::Shared`].
    Shared(usize),
    Global(usize),
    Room,
    RoomName,
    Path,
    Session,
    /// The number of the tab.
    Tabs,
}

/// A read, and another where the first gave a text of odd length.
#[derive(Clone, Debug)]
pub struct Look {
    pub what: What,
    pub then: Option<What>,
}

#[derive(Clone, Debug, Default)]
pub struct ViewSpec {
    pub looks: Vec<Look>,
    /// The loads of the page that it shows.
    pub loads: Vec<usize>,
    /// It shows something that it doesn't read, and says so.
    pub each: bool,
    /// As a component, it is on the page only where this gives a text of odd length.
    pub shown_if: Option<What>,
}

#[derive(Clone, Debug, Default)]
pub struct PageSpec {
    /// The page's own, then its components'.
    pub views: Vec<ViewSpec>,
    /// The second component is in the first, not beside it.
    pub nested: bool,
    /// What the loads of the room and of all read.
    pub loads: [Vec<Look>; 2],
}

/// What is on a page.
#[derive(Clone, Copy)]
struct Handles {
    tabs: [Signal<String>; SLOTS],
    shared: [crate::page::Shared<String>; 3],
    loads: [Load<String>; 2],
    room: ScopeOf,
}

/// Defines a page; `chance` is what views may show without reading it.
pub fn define(app: &mut App, pattern: &str, spec: PageSpec, chance: &Rc<Cell<u32>>) {
    app.page(pattern, |page| {
        let room = page.join(|ctx| crate::scope!("room:{}", ctx.param("room")));
        let none = String::new;
        let tabs = ["a", "b", "c"].map(|name| page.signal(name, none()));
        let shared = [
            page.shared(Scope::GLOBAL, "all", none),
            page.shared(Scope::SESSION, "mine", none),
            page.shared(room, "ours", none),
        ];
        let [of_room, of_all] = spec.loads.clone();
        let loads = [
            load(page, room, tabs, shared, of_room),
            load(page, Scope::GLOBAL, tabs, shared, of_all),
        ];
        let handles = Handles {
            tabs,
            shared,
            loads,
            room,
        };
        let mut views = spec.views.clone().into_iter();
        let own = views.next().unwrap_or_default();
        let [first, second] = [views.next(), views.next()];
        let nested = spec.nested && first.is_some();
        let (inner, beside) = if nested {
            (second, None)
        } else {
            (None, second)
        };
        let placed: Vec<_> = [(first, inner), (beside, None)]
            .into_iter()
            .zip(["x", "y"])
            .filter_map(|((view, inner), name)| Some((name, view?, inner)))
            .map(|(name, view, inner)| component(page, name, view, inner, handles, chance))
            .collect();
        show(page, Some("main"), own, placed, handles, chance);
    });
}

/// A component, with what says whether it is there.
type Placed = (Component, Option<What>);

fn component(
    page: &mut Page,
    name: &str,
    spec: ViewSpec,
    inner: Option<ViewSpec>,
    handles: Handles,
    chance: &Rc<Cell<u32>>,
) -> Placed {
    let shown_if = spec.shown_if;
    let component = page.component(name, |page| {
        let inner = inner.map(|inner| component(page, "in", inner, None, handles, chance));
        show(
            page,
            None,
            spec,
            inner.into_iter().collect(),
            handles,
            chance,
        );
    });
    (component, shown_if)
}

fn show(
    page: &mut Page,
    root: Option<&'static str>,
    spec: ViewSpec,
    components: Vec<Placed>,
    handles: Handles,
    chance: &Rc<Cell<u32>>,
) {
    let (each, chance) = (spec.each, Rc::clone(chance));
    let view = move |view: &View| {
        let mut html = String::new();
        for look in &spec.looks {
            let first = handles.in_view(view, look.what);
            let then = look.then.filter(|_| is_odd(&first));
            let then = then.map(|what| handles.in_view(view, what));
            for text in std::iter::once(first).chain(then) {
                html += &format!("<i>{}</i>", Html::text(&text));
            }
        }
        for &load in &spec.loads {
            html += &format!("<b>{}</b>", Html::text(&handles.loads[load].get(view)));
        }
        if spec.each {
            html += &format!("<u>{} {}</u>", chance.get(), view.context().serial());
        }
        for (component, shown_if) in &components {
            if shown_if.is_none_or(|what| is_odd(&handles.in_view(view, what))) {
                html += component.html(view).as_str();
            }
        }
        Html::trusted(match root {
            Some(id) => format!("<main id=\"{id}\">{html}</main>"),
            None => html,
        })
    };
    if each {
        page.view_each(view);
    } else {
        page.view(view);
    }
}

fn load(
    page: &mut Page,
    scope: impl crate::page::PageScope,
    tabs: [Signal<String>; SLOTS],
    shared: [crate::page::Shared<String>; 3],
    looks: Vec<Look>,
) -> Load<String> {
    page.load(scope, async move |ctx: &Ctx| {
        let look = |what: What| match what {
            What::Tab(slot) => tabs[slot].get(ctx),
            What::Shared(index) => shared[index].get(ctx),
            // An app that loads what can change broadcasts the load's scope then; this one doesn't.
            What::Global(_) => String::new(),
            What::Room | What::RoomName => ctx.param("room"),
            What::Path => ctx.path().to_owned(),
            What::Session => ctx.session(),
            What::Tabs => ctx.tab().to_string(),
        };
        let mut texts = Vec::new();
        for step in &looks {
            texts.push(look(step.what));
        }
        Ok(texts.join("|"))
    })
}

impl Handles {
    fn in_view(&self, view: &View, what: What) -> String {
        match what {
            What::Tab(slot) => self.tabs[slot].get(view),
            What::Shared(index) => self.shared[index].get(view),
            What::Global(key) => view
                .global::<String>(GLOBALS[key])
                .expect("a text")
                .unwrap_or_default(),
            What::Room => view.param("room"),
            What::RoomName => self.room.of(view).as_str().to_owned(),
            What::Path => view.path().to_owned(),
            What::Session => view.session(),
            What::Tabs => view.tab().to_string(),
        }
    }
}

fn is_odd(text: &str) -> bool {
    text.len() % 2 == 1
}

/// The parameter of a room.
pub fn room(index: usize) -> &'static str {
    TEXTS[1 + index]
}
