//! The shard around the engine: turns, loads, and the comparison after each turn.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::rc::Rc;
use std::sync::Arc;

use autovia_shards::SlotTable;
use futures_lite::future::block_on;
use serde_json::{Map, Value};

use super::TEXTS;
use super::app::{GLOBALS, PageSpec, define, room};
use super::viewer::Viewer;
use crate::page::context::dirty;
use crate::page::definition::PageDef;
use crate::page::host::{BlockingJob, Host};
use crate::page::render::run_view;
use crate::page::{App, Context, Engine, EngineParts, Lane, Life, LocalFuture, NewContext, View};
use crate::peers::Peers;
use crate::scope::{Crossing, Scope};
use crate::wire::id::ContextId;

/// What marks a component's place in an update.
const MARK: char = '\u{1}';

#[derive(Clone, Debug)]
pub enum Operation {
    Open {
        page: usize,
        session: u8,
        room: usize,
    },
    Set {
        viewer: usize,
        slot: usize,
        text: usize,
    },
    Share {
        viewer: usize,
        shared: Shared,
        text: usize,
    },
    /// Sets a value of the process, tells all, and changes what `each` views show.
    SetGlobal {
        key: usize,
        text: usize,
    },
    Broadcast {
        viewer: usize,
        stale: Stale,
    },
    Hide {
        viewer: usize,
    },
    Show {
        viewer: usize,
    },
    Leave {
        viewer: usize,
    },
}

/// A shared value of a page, in the order of its definition.
#[derive(Clone, Copy, Debug)]
pub enum Shared {
    All,
    Session,
    Room,
}

/// A scope of a viewer.
#[derive(Clone, Copy, Debug)]
pub enum Stale {
    All,
    Route,
    Session,
    Room,
    EveryRoom,
}

pub struct World {
    pub(super) engine: Rc<Engine>,
    clock: Rc<Clock>,
    viewers: RefCell<Vec<Viewer>>,
    chance: Rc<Cell<u32>>,
    opened: Cell<u32>,
}

/// The shard, of which the engine needs the time alone.
struct Clock(Cell<u64>);

impl Host for Clock {
    fn now_ms(&self) -> u64 {
        self.0.get()
    }

    fn nudge(&self) {}

    fn blocking(&self, _: BlockingJob) -> LocalFuture<Result<Box<dyn Any + Send>, String>> {
        unreachable!("nothing blocks here")
    }

    fn lanes(&self) -> Vec<Lane> {
        Vec::new()
    }

    fn peers(&self) -> Arc<Peers> {
        unreachable!("no view looks at other nodes")
    }
}

impl World {
    pub fn new(pages: [PageSpec; 2]) -> Self {
        let table = || Arc::new(SlotTable::new(256, 256, [1, 2]));
        let engine = Engine::new(EngineParts {
            shard: 0,
            shards: 1,
            node: 0,
            scope_rate: 0,
            crossing: Crossing::Nothing,
            hasher: RandomState::new(),
            globals: table(),
            shared: table(),
        });
        let (clock, chance) = (Rc::new(Clock(Cell::new(1))), Rc::default());
        engine.attach(Rc::clone(&clock) as Rc<dyn Host>);
        let mut app = App::of(&engine);
        for (index, spec) in pages.into_iter().enumerate() {
            define(&mut app, &format!("/{index}/{{room}}"), spec, &chance);
        }
        engine.with_extras(|extras| assert_eq!(extras.mistakes, Vec::<String>::new()));
        Self {
            engine,
            clock,
            viewers: RefCell::default(),
            chance,
            opened: Cell::new(0),
        }
    }

    /// How often the view of a page ran for an update.
    pub fn runs(&self, page: u16) -> u64 {
        self.engine.page(page).caches[0].runs.get()
    }

    /// One turn of a shard, and the comparison.
    pub fn turn(&mut self, operations: &[Operation]) {
        self.clock.0.set(self.clock.0.get() + 1);
        self.engine.begin_turn();
        for operation in operations {
            self.run(operation);
        }
        self.engine.sweep();
        self.refresh();
        self.tell();
        for viewer in self.viewers.borrow().iter() {
            if viewer.context.is_open() {
                self.compare(viewer);
            }
        }
    }

    fn run(&self, operation: &Operation) {
        match operation {
            Operation::Open {
                page,
                session,
                room,
            } => self.open(*page, *session, *room),
            Operation::SetGlobal { key, text } => {
                block_on(self.engine.globals().set(GLOBALS[*key], TEXTS[*text])).expect("it fits");
                self.chance.set(self.chance.get() + 1);
                self.engine.broadcast(&Scope::GLOBAL);
            }
            Operation::Set { viewer, slot, text } => {
                if let Some(context) = self.pick(*viewer) {
                    let slot = u16::try_from(*slot).expect("few slots");
                    let json = json(*text).as_slice().into();
                    self.engine.set_tab(&context, slot, json);
                }
            }
            Operation::Share {
                viewer,
                shared,
                text,
            } => {
                if let Some(context) = self.pick(*viewer) {
                    let changed = |_: &[u8]| Some(json(*text));
                    let changed = self.engine.change_shared(&context, *shared as u16, changed);
                    changed.expect("it fits");
                }
            }
            Operation::Broadcast { viewer, stale } => {
                if let Some(context) = self.pick(*viewer) {
                    self.engine.broadcast(&match stale {
                        Stale::All => Scope::GLOBAL,
                        Stale::Route => Scope::route(context.path()),
                        Stale::Session => Scope::session(context.session_hash()),
                        Stale::Room => crate::scope!("room:{}", context.param_at(0)),
                        Stale::EveryRoom => Scope::parse("room:*").expect("a wildcard"),
                    });
                }
            }
            Operation::Hide { viewer } => {
                if let Some(context) = self.pick(*viewer) {
                    context.life.set(Life::Away);
                }
            }
            Operation::Show { viewer } => {
                if let Some(context) = self.pick(*viewer)
                    && !context.is_open()
                {
                    self.load_missing(&context);
                    context.life.set(Life::Streaming);
                    self.engine.list(&context, dirty::FULL);
                }
            }
            Operation::Leave { viewer } => {
                let mut viewers = self.viewers.borrow_mut();
                if !viewers.is_empty() {
                    let place = viewer % viewers.len();
                    self.engine.remove(&viewers.swap_remove(place).context);
                }
            }
        }
    }

    /// Any number stands for one of those that are there.
    pub fn pick(&self, viewer: usize) -> Option<Rc<Context>> {
        let viewers = self.viewers.borrow();
        (!viewers.is_empty()).then(|| Rc::clone(&viewers[viewer % viewers.len()].context))
    }

    fn open(&self, page: usize, session: u8, index: usize) {
        let number = self.opened.get();
        self.opened.set(number + 1);
        let mut random = [0; 12];
        random[..4].copy_from_slice(&number.to_le_bytes());
        let context = self.engine.create(NewContext {
            page: u16::try_from(page).expect("two pages"),
            id: ContextId {
                node: 0,
                shard: 0,
                random,
            },
            session_hash: [session; 16],
            path: format!("/{page}/{}", room(index)).into(),
            params: [Box::from(room(index))].into(),
        });
        let context = context.expect("its join works");
        self.load_missing(&context);
        let document = self.engine.document(&context, 0, "").expect("it renders");
        let start = document.find("<main ").expect("a page");
        let end = document.find("</main>").expect("its end") + "</main>".len();
        let html = document[start..end].to_owned();
        let values = self.values(&context);
        context.life.set(Life::Streaming);
        let viewer = Viewer::new(context, html, values);
        self.viewers.borrow_mut().push(viewer);
    }

    fn values(&self, context: &Context) -> Map<String, Value> {
        let mut json = vec![b'{'];
        self.engine.write_values(context, &mut json, |_| true);
        json.push(b'}');
        serde_json::from_slice(&json).expect("values are JSON")
    }

    fn tell(&self) {
        let (listed, now) = (self.engine.take_dirty(), self.clock.0.get());
        let mut viewers = self.viewers.borrow_mut();
        for key in &listed {
            let viewer = viewers.iter_mut().find(|viewer| viewer.context.key == *key);
            let Some(viewer) = viewer.filter(|viewer| viewer.context.has(dirty::LISTED)) else {
                continue;
            };
            if !viewer.context.is_open() {
                viewer.context.dirty.set(dirty::FULL);
                continue;
            }
            assert!(self.engine.may_send(&viewer.context, now));
            let mut patches = Vec::new();
            self.engine.patches(&viewer.context, now, &mut patches);
            for patch in &patches {
                viewer.tell(patch);
            }
        }
        self.engine.reuse_dirty(listed);
    }

    fn compare(&self, viewer: &Viewer) {
        let context = &viewer.context;
        let page = self.engine.page(context.page);
        let alone = self.alone(&page, context, 0);
        assert_eq!(viewer.html, alone, "what {} shows", context.path());
        assert_eq!(viewer.values, self.values(context), "of {}", context.path());
    }

    /// A view as it is rendered for this context, its components too, without any cache.
    fn alone(&self, page: &PageDef, context: &Rc<Context>, view: usize) -> String {
        let def = &page.views[view];
        let html = run_view(def, &View::new(&self.engine, context, true)).expect("it renders");
        let html = html.as_str().split(MARK).enumerate();
        let html: String = html
            .map(|(index, part)| match part.parse() {
                Ok(component) if index % 2 == 1 => self.alone(page, context, component),
                _ => part.to_owned(),
            })
            .collect();
        match &def.wrapper {
            None => html,
            Some(id) => format!("<div id=\"{id}\">{html}</div>"),
        }
    }
}

fn json(text: usize) -> Vec<u8> {
    serde_json::to_vec(TEXTS[text]).expect("a text has a JSON form")
}
