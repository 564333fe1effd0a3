//! Rendering, shared by what was read: one run per turn for all contexts that would see the same.

use std::cell::{Cell, RefCell};
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use std::collections::HashMap;

use super::context::{Context, slot_bit};
use super::definition::PageDef;
use super::engine::Engine;
use super::html::Html;
use super::reads::{Read, are_same, signature};
use super::view::View;
use crate::wire::sse;

pub(crate) type ViewFn = Box<dyn Fn(&View) -> Result<Html, String>>;

/// Sets of reads that are remembered per view; a view with more is rendered for each context.
const SHAPES_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct ViewDef {
    pub render: Option<ViewFn>,
    /// Depends on more than it reads.
    pub each: bool,
    /// The id of a component's wrapper.
    pub wrapper: Option<String>,
}

/// One rendering as it goes out.
pub(crate) struct Rendered {
    /// Of the HTML, without that of the components in it; never 0.
    pub hash: u64,
    pub html: RenderedHtml,
    pub event_id: u64,
}

pub(crate) enum RenderedHtml {
    /// The view gave nothing: nothing is sent.
    Blank,
    /// The view failed: what is shown stays.
    Failed,
    /// Encoded once for all that share it; a component's HTML too, for when its page is sent whole.
    Event(Rc<[u8]>, Option<Html>),
    /// Has the places of components in it, which are filled for each context.
    WithComponents(Html),
}

/// In updates a component's place is a mark, so that its page's HTML does not change with it.
/// No HTML holds this character: parsers drop it.
const MARK: char = '\u{1}';

struct Shape {
    reads: Rc<[Read]>,
    rendered: HashMap<Box<[u8]>, Rc<Rendered>>,
}

/// The rendering that a context got last, for the next one, which most often reads the same.
struct Latest {
    /// The context's key, which nobody else gets before the turn is over.
    context: u32,
    reads: Rc<[Read]>,
    rendered: Rc<Rendered>,
}

/// The renderings of one view in this turn, by what they read and what that gave.
#[derive(Default)]
pub(crate) struct RenderCache {
    turn: Cell<u64>,
    latest: RefCell<Option<Latest>>,
    shapes: RefCell<Vec<Shape>>,
    /// Slots that some rendering read by `get`, as bits.
    pub slots_read: Cell<u64>,
    /// Shared signals that some rendering read by `get`, as bits.
    pub shared_read: Cell<u64>,
    /// How often the view ran for an update.
    pub runs: Cell<u64>,
}

impl RenderCache {
    fn note_latest(&self, context: &Context, reads: &Rc<[Read]>, rendered: &Rc<Rendered>) {
        self.latest.replace(Some(Latest {
            context: context.key,
            reads: Rc::clone(reads),
            rendered: Rc::clone(rendered),
        }));
    }
}

impl Engine {
    /// The update of one view for `context`, from this turn's cache where it may be shared.
    pub(crate) fn render_update(
        self: &Rc<Self>,
        page: &PageDef,
        context: &Rc<Context>,
        view: usize,
    ) -> Rc<Rendered> {
        let (def, cache) = (&page.views[view], &page.caches[view]);
        let turn = self.turn();
        if cache.turn.replace(turn) != turn {
            for shape in cache.shapes.borrow_mut().iter_mut() {
                shape.rendered.clear();
                shape.rendered.shrink_to(64);
            }
            cache.latest.replace(None);
        }
        if !def.each {
            if let Some(rendered) = self.latest(page, cache, context) {
                return rendered;
            }
            let mut key = self.scratch();
            for shape in cache
                .shapes
                .borrow()
                .iter()
                .filter(|shape| !shape.rendered.is_empty())
            {
                signature(&shape.reads, self, context, &mut key);
                if let Some(rendered) = shape.rendered.get(key.as_slice()) {
                    cache.note_latest(context, &shape.reads, rendered);
                    return Rc::clone(rendered);
                }
            }
        }
        cache.runs.set(cache.runs.get() + 1);
        let scene = View::new(self, context, true);
        let html = run_view(def, &scene);
        let reads = scene.reads();
        self.note_reads(cache, &reads);
        let rendered = Rc::new(self.encode_elements(context, def, html));
        if !def.each {
            self.keep(cache, reads, context, &rendered);
        }
        rendered
    }

    /// What the context before `context` in this turn got, if both read the same.
    fn latest(
        &self,
        page: &PageDef,
        cache: &RenderCache,
        context: &Context,
    ) -> Option<Rc<Rendered>> {
        let latest = cache.latest.borrow();
        let latest = latest.as_ref()?;
        let contexts = self.contexts.borrow();
        let other = contexts.get(latest.context as usize)?;
        are_same(&latest.reads, self, page, other, context).then(|| Rc::clone(&latest.rendered))
    }

    fn keep(
        &self,
        cache: &RenderCache,
        reads: Vec<Read>,
        context: &Context,
        rendered: &Rc<Rendered>,
    ) {
        let mut shapes = cache.shapes.borrow_mut();
        let known = shapes.iter().position(|shape| *shape.reads == *reads);
        let index = match known {
            Some(index) => index,
            None if shapes.len() < SHAPES_MAX => {
                shapes.push(Shape {
                    reads: reads.into(),
                    rendered: HashMap::new(),
                });
                shapes.len() - 1
            }
            None => return,
        };
        let mut key = self.scratch();
        signature(&shapes[index].reads, self, context, &mut key);
        shapes[index]
            .rendered
            .insert(key.as_slice().into(), Rc::clone(rendered));
        cache.note_latest(context, &shapes[index].reads, rendered);
    }

    /// What a first render read counts too: its changes must reach the page.
    pub(crate) fn note_reads(&self, cache: &RenderCache, reads: &[Read]) {
        for read in reads {
            match read {
                Read::Tab(slot) => cache
                    .slots_read
                    .set(cache.slots_read.get() | slot_bit(*slot)),
                Read::Shared(index) => cache
                    .shared_read
                    .set(cache.shared_read.get() | slot_bit(*index)),
                _ => {}
            }
        }
    }

    fn encode_elements(
        &self,
        context: &Context,
        def: &ViewDef,
        html: Result<Html, String>,
    ) -> Rendered {
        let event_id = self.next_event_id();
        let html = match html {
            Ok(html) => html,
            Err(reason) => {
                self.log_view_failure(context, &reason);
                return Rendered {
                    hash: FAILED_HASH,
                    html: RenderedHtml::Failed,
                    event_id,
                };
            }
        };
        let html = wrap(def, html);
        let hash = self.hasher().hash_one(html.as_str()).max(FAILED_HASH + 1);
        let html = if html.as_str().trim().is_empty() {
            RenderedHtml::Blank
        } else if html.as_str().contains(MARK) {
            RenderedHtml::WithComponents(html)
        } else {
            let event = encode_event(event_id, html.as_str());
            RenderedHtml::Event(event, def.wrapper.is_some().then_some(html))
        };
        Rendered {
            hash,
            html,
            event_id,
        }
    }

    /// A component's place in an update, or its HTML in a first render.
    pub(crate) fn component_html(self: &Rc<Self>, page: u16, index: usize, view: &View) -> Html {
        assert!(
            view.context().page == page,
            "a component belongs to the page that mounted it"
        );
        if view.is_update() {
            return Html::trusted(format!("{MARK}{index}{MARK}"));
        }
        let page = self.page(page);
        let def = &page.views[index];
        if view.is_around() {
            page.around.borrow_mut().insert(index);
        }
        // What it reads is its own: the page around it need not run again for that.
        let inner = View::new(self, view.context(), false);
        let html = run_view(def, &inner);
        self.note_reads(&page.caches[index], &inner.reads());
        match html {
            Ok(html) => wrap(def, html),
            Err(reason) => panic!("{reason}"),
        }
    }

    /// The components that are on the page now: one that is nowhere has nothing to patch.
    pub(crate) fn placed(self: &Rc<Self>, page: &PageDef, context: &Rc<Context>) -> Vec<usize> {
        // What a layout placed stays there: it is never patched as a whole.
        let mut placed: Vec<usize> = page.around.borrow().iter().copied().collect();
        let mut open = placed.clone();
        open.push(0);
        while let Some(view) = open.pop() {
            if let RenderedHtml::WithComponents(html) =
                &self.render_update(page, context, view).html
            {
                for mark in html.as_str().split(MARK).skip(1).step_by(2) {
                    if let Ok(component) = mark.parse()
                        && !placed.contains(&component)
                    {
                        placed.push(component);
                        open.push(component);
                    }
                }
            }
        }
        placed
    }

    /// Fills the places of components with their own renderings; tells which they were.
    pub(crate) fn fill(
        self: &Rc<Self>,
        page: &PageDef,
        context: &Rc<Context>,
        html: &str,
        filled: &mut Vec<(usize, u64)>,
    ) -> String {
        let mut out = String::with_capacity(html.len() * 2);
        for (index, part) in html.split(MARK).enumerate() {
            if index % 2 == 0 {
                out.push_str(part);
                continue;
            }
            let Ok(view) = part.parse::<usize>() else {
                continue;
            };
            let rendered = self.render_update(page, context, view);
            filled.push((view, rendered.hash));
            match &rendered.html {
                RenderedHtml::Event(_, html) => {
                    out.push_str(html.as_ref().map_or("", Html::as_str))
                }
                RenderedHtml::WithComponents(inner) => {
                    out.push_str(&self.fill(page, context, inner.as_str(), filled))
                }
                // Its place is kept, or what is sent of it later would have none.
                RenderedHtml::Blank | RenderedHtml::Failed => {
                    out.push_str(wrap(&page.views[view], Html::trusted(String::new())).as_str())
                }
            }
        }
        out
    }
}

/// The hash of a rendering that failed.
pub(crate) const FAILED_HASH: u64 = 1;

pub(crate) fn encode_event(id: u64, html: &str) -> Rc<[u8]> {
    let mut event = Vec::with_capacity(html.len() + 128);
    sse::patch_elements(
        &mut event,
        &sse::Elements {
            id: Some(id),
            html,
            ..sse::Elements::default()
        },
    );
    event.into()
}

fn wrap(def: &ViewDef, html: Html) -> Html {
    match &def.wrapper {
        None => html,
        Some(id) => Html::trusted(format!("<div id=\"{id}\">{}</div>", html.as_str())),
    }
}

/// Runs a view; a panic in it is an error of this rendering alone.
pub(crate) fn run_view(def: &ViewDef, view: &View) -> Result<Html, String> {
    let render = def.render.as_ref().ok_or("this page has no view")?;
    catch_unwind(AssertUnwindSafe(|| render(view))).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Err(format!(
            "a view panicked: {}",
            text.as_deref().unwrap_or("without a text")
        ))
    })
}
