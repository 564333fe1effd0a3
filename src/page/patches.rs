//! What a context is told: the difference since it was told last, or all of it.

use std::rc::Rc;

use super::context::{ALL_VIEWS, Context, dirty, slot_bit};
use super::definition::PageDef;
use super::engine::{Deferred, Engine};
use super::render::{FAILED_HASH, RenderedHtml, encode_event};
use super::value::Encoded;
use super::values::write_member;
use crate::wire::sse;

/// One encoded event, shared by all streams that get it.
pub(crate) type Patch = Rc<[u8]>;

impl Engine {
    /// Tells `false` when the context's own values were sent too short a time ago: it is put off.
    pub fn may_send(&self, context: &Context, now_ms: u64) -> bool {
        let only_own = !context.has(dirty::SHARED | dirty::FULL | dirty::SCRIPT | dirty::ERROR);
        if only_own && context.has(dirty::TAB) && now_ms < context.next_patch_ms.get() {
            let bits = context.dirty.get();
            // It leaves the list: a shared value that changes meanwhile is told in its own turn.
            context.dirty.set(bits & !dirty::LISTED | dirty::PUT_OFF);
            if bits & dirty::PUT_OFF == 0 {
                self.defer(context.next_patch_ms.get(), Deferred::Context(context.key));
            }
            return false;
        }
        true
    }

    /// Appends what `context` has to be told and marks it told. All of a turn are told one after another at its end,
    /// while nothing of this shard changes; what other threads change meanwhile comes with an invalidation of its own.
    pub fn patches(self: &Rc<Self>, context: &Rc<Context>, now_ms: u64, out: &mut Vec<Patch>) {
        let bits = context.dirty.get();
        let full = bits & dirty::FULL != 0;
        if bits & dirty::SCRIPT != 0 {
            self.scripts(context, out);
        }
        if full || bits & dirty::VIEW != 0 {
            self.elements(context, full, out);
        }
        if full {
            self.all_values(context, out);
        } else {
            if bits & dirty::TAB != 0 {
                self.own_values(context, out);
            }
            if bits & dirty::SHARED != 0 {
                self.shared_values(context, out);
            }
        }
        if bits & dirty::TAB != 0 || full {
            context.next_patch_ms.set(now_ms + self.interval_ms);
        }
        // A view that failed just now has told an error, which goes with this batch.
        if context.has(dirty::ERROR) {
            self.errors(context, out);
        }
        context.be_told();
        if context
            .waiting
            .borrow()
            .as_ref()
            .is_some_and(|w| w.scripts.is_empty() && w.errors.is_empty() && w.taken.is_empty())
        {
            context.waiting.replace(None);
        }
    }

    fn scripts(&self, context: &Context, out: &mut Vec<Patch>) {
        let scripts = context.with_waiting(|waiting| {
            waiting.script_bytes = 0;
            std::mem::take(&mut waiting.scripts)
        });
        for script in scripts {
            let id = self.told(context);
            let mut event = Vec::new();
            sse::script(&mut event, Some(id), &script);
            out.push(event.into());
        }
    }

    fn elements(self: &Rc<Self>, context: &Rc<Context>, full: bool, out: &mut Vec<Patch>) {
        let page = self.page(context.page);
        let count = page.views.len();
        if context.sent.borrow().len() != count {
            context.sent.borrow_mut().resize(count, 0);
        }
        let views = if full {
            ALL_VIEWS
        } else {
            context.dirty_views.get()
        };
        let mut filled = Vec::new();
        let placed = match count {
            1 => Vec::new(),
            _ => self.placed(&page, context),
        };
        for view in 0..count {
            let bit = slot_bit(u16::try_from(view).expect("views fit 16 bits"));
            let elsewhere = view > 0 && !placed.contains(&view);
            // A component whose page was sent whole came with it.
            let came = filled.iter().any(|(other, _)| *other == view);
            if views & bit != 0 && !elsewhere && !came {
                self.element(&page, context, view, full, &mut filled, out);
            }
        }
    }

    /// One view, unless it is what was sent last.
    fn element(
        self: &Rc<Self>,
        page: &PageDef,
        context: &Rc<Context>,
        view: usize,
        full: bool,
        filled: &mut Vec<(usize, u64)>,
        out: &mut Vec<Patch>,
    ) {
        let rendered = self.render_update(page, context, view);
        let hash = rendered.hash;
        let sent = self.note_sent(context, view, hash);
        if hash == FAILED_HASH {
            return;
        }
        if hash == sent && !full {
            return;
        }
        match &rendered.html {
            RenderedHtml::Blank | RenderedHtml::Failed => {}
            RenderedHtml::Event(event, _) => {
                context.last_event.set(rendered.event_id);
                out.push(Rc::clone(event));
            }
            RenderedHtml::WithComponents(html) => {
                let html = self.fill(page, context, html.as_str(), filled);
                for (component, hash) in &*filled {
                    self.note_sent(context, *component, *hash);
                }
                out.push(encode_event(self.told(context), &html));
            }
        }
    }

    /// Notes what a context has of a view, and tells it once where that failed; what it had before.
    fn note_sent(&self, context: &Context, view: usize, hash: u64) -> u64 {
        let sent = std::mem::replace(&mut context.sent.borrow_mut()[view], hash);
        if hash == FAILED_HASH && sent != FAILED_HASH {
            self.tell_error(
                context,
                "",
                None,
                "A part of this page could not be brought up to date. What you see may be old.",
            );
        }
        sent
    }

    fn own_values(&self, context: &Context, out: &mut Vec<Patch>) {
        let bits = context.dirty_slots.get();
        let mut json = vec![b'{'];
        for (index, slot) in (0..).zip(&self.page(context.page).slots) {
            if bits & slot_bit(index) != 0 {
                self.with_tab(context, index, |value| {
                    write_member(&mut json, slot.name, value);
                });
            }
        }
        self.push_own(context, json, out);
    }

    fn all_values(&self, context: &Context, out: &mut Vec<Patch>) {
        let bits = context.dirty_slots.get();
        let mut json = vec![b'{'];
        self.write_values(context, &mut json, |slot| bits & slot_bit(slot) != 0);
        self.push_own(context, json, out);
    }

    fn push_own(&self, context: &Context, mut json: Vec<u8>, out: &mut Vec<Patch>) {
        let taken = context
            .waiting
            .borrow_mut()
            .as_mut()
            .map(|waiting| std::mem::take(&mut waiting.taken))
            .unwrap_or_default();
        self.write_taken(context, &taken, &mut json);
        self.push_values(context, json, out);
        let (bits, event) = (context.dirty_slots.get(), context.last_event.get());
        for (index, slot) in (0..).zip(&self.page(context.page).slots) {
            if slot.check.is_some() && bits & slot_bit(index) != 0 {
                context.note_written(index, event, None);
            }
        }
        for (slot, was) in taken {
            context.note_written(slot, event, Some(was));
        }
    }

    /// Inputs that were taken: the shell clears them where nothing was typed since.
    fn write_taken(&self, context: &Context, taken: &[(u16, Encoded)], json: &mut Vec<u8>) {
        if taken.is_empty() {
            return;
        }
        let page = self.page(context.page);
        let mut object = vec![b'{'];
        for (slot, was) in taken {
            let def = &page.slots[usize::from(*slot)];
            let mut pair = b"{".to_vec();
            write_member(&mut pair, "was", was);
            write_member(&mut pair, "now", &def.initial);
            pair.push(b'}');
            write_member(&mut object, def.name, &pair);
        }
        object.push(b'}');
        write_member(json, "_via_take", &object);
    }

    fn push_values(&self, context: &Context, mut json: Vec<u8>, out: &mut Vec<Patch>) {
        if json == b"{" {
            return;
        }
        json.push(b'}');
        let mut event = Vec::with_capacity(json.len() + 64);
        sse::patch_signals(&mut event, Some(self.told(context)), false, &json);
        out.push(event.into());
    }

    /// One event per scope, page and join for all its contexts.
    fn shared_values(&self, context: &Context, out: &mut Vec<Patch>) {
        let turn = self.turn();
        let memberships = context.memberships.borrow();
        for (index, membership) in memberships.iter().enumerate() {
            let mut scopes = self.scopes.borrow_mut();
            let Some(entry) = scopes.entries.get_mut(&membership.scope) else {
                continue;
            };
            if !entry.shared.iter().any(|row| row.changed_in == turn) {
                continue;
            }
            // Members that belong to it by the same join of the same page show the same of its values.
            let key = (membership.scope, context.page, index);
            if let Some((id, patch)) = self.shared_patches.borrow().get(&key) {
                context.last_event.set(*id);
                out.push(Rc::clone(patch));
                continue;
            }
            let page = self.page(context.page);
            let mut json = vec![b'{'];
            for def in page
                .shared
                .iter()
                .filter(|def| usize::from(def.membership) == index)
            {
                let row = entry
                    .shared
                    .iter()
                    .find(|row| row.name == def.name && row.changed_in == turn);
                let mut value = Vec::new();
                if let Some(row) = row.and_then(|row| row.row)
                    && self.shared.read(row, &mut value).is_some()
                {
                    write_member(&mut json, def.name, &value);
                }
            }
            if json == b"{" {
                continue;
            }
            json.push(b'}');
            let id = self.told(context);
            let mut event = Vec::with_capacity(json.len() + 64);
            sse::patch_signals(&mut event, Some(id), false, &json);
            let patch: Patch = event.into();
            let kept = (id, Rc::clone(&patch));
            self.shared_patches.borrow_mut().insert(key, kept);
            out.push(patch);
        }
    }

    fn errors(&self, context: &Context, out: &mut Vec<Patch>) {
        for error in context.with_waiting(|waiting| std::mem::take(&mut waiting.errors)) {
            let mut json = vec![b'{'];
            write_member(&mut json, "_via_error", error.as_bytes());
            self.push_values(context, json, out);
        }
        if let Some(hint) = context.with_waiting(|waiting| waiting.hint.take()) {
            let mut json = vec![b'{'];
            let hint = serde_json::Value::from(hint).to_string();
            write_member(&mut json, "_via_hint", hint.as_bytes());
            self.push_values(context, json, out);
        }
    }

    /// The id of a new event, which is the newest that `context` got.
    fn told(&self, context: &Context) -> u64 {
        let id = self.next_event_id();
        context.last_event.set(id);
        id
    }
}
