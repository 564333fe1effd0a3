//! Reading and writing a context's own values and those that it shares.

use std::borrow::Cow;

use super::context::{Context, SCRIPTS_MAX_BYTES, dirty, slot_bit};
use super::engine::Engine;
use super::error::{BadInput, Error, Result};
use super::scopes::{SharedRow, stale};
use super::value::Encoded;
use crate::state::StateError;
use crate::wire::number::browser_json;

impl Engine {
    /// A value of the context: its own, or the page's initial one.
    pub fn with_tab<T>(&self, context: &Context, slot: u16, read: impl FnOnce(&[u8]) -> T) -> T {
        let values = context.values.borrow();
        if let Some((_, json)) = values.iter().find(|(other, _)| *other == slot) {
            return read(json);
        }
        drop(values);
        read(&self.page(context.page).slots[usize::from(slot)].initial)
    }

    /// Stores a value; tells whether it differs from the one before.
    fn store_tab(&self, context: &Context, slot: u16, json: Encoded) -> bool {
        if self.with_tab(context, slot, |old| *old == *json) {
            return false;
        }
        let initial = *self.page(context.page).slots[usize::from(slot)].initial == *json;
        let mut values = context.values.borrow_mut();
        match values.iter().position(|(other, _)| *other == slot) {
            Some(index) if initial => {
                values.swap_remove(index);
            }
            Some(index) => values[index].1 = json,
            None => values.push((slot, json)),
        }
        true
    }

    /// The views of the page that have read this slot by `get` are stale.
    fn list_viewers(&self, context: &Context, slot: u16) {
        let bit = slot_bit(slot);
        let page = self.page(context.page);
        self.list_views(
            context,
            page.views_where(|cache| cache.slots_read.get() & bit != 0),
        );
    }

    pub(super) fn set_tab(&self, context: &Context, slot: u16, json: Encoded) {
        let changed = self.store_tab(context, slot, json);
        let input = self.page(context.page).slots[usize::from(slot)]
            .check
            .is_some();
        // An input may hold something else in the browser than was last sent from there.
        if changed || input {
            context.mark_slot(slot);
            self.list(context, dirty::TAB);
        }
        if changed {
            self.list_viewers(context, slot);
        }
    }

    /// Puts an input's initial value in the place of the present one; the browser does so only
    /// where nothing else has been typed since.
    pub(super) fn take_tab(&self, context: &Context, slot: u16) {
        let initial = self.page(context.page).slots[usize::from(slot)]
            .initial
            .clone();
        let was = self.with_tab(context, slot, |json| Encoded::from(json));
        if self.store_tab(context, slot, initial) {
            context.with_waiting(|waiting| {
                waiting.taken.retain(|(other, ..)| *other != slot);
                waiting.taken.push((slot, was));
            });
            self.list(context, dirty::TAB);
            self.list_viewers(context, slot);
        }
    }

    /// Applies what the browser sent; names that are no inputs of the page are left alone.
    pub fn apply_inputs<'a>(
        &self,
        context: &Context,
        inputs: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> std::result::Result<(), String> {
        let page = self.page(context.page);
        let mut own = Vec::new();
        let mut shared = Vec::new();
        // All are checked before the first is stored: a request counts whole or not at all.
        for (name, json) in inputs {
            if let Some(index) = page.slots.iter().position(|slot| slot.name == name) {
                if let Some(check) = page.slots[index].check {
                    own.push((
                        index,
                        check(json).map_err(|reason| wrong_type(name, &reason))?,
                    ));
                }
            } else if let Some(index) = page.shared.iter().position(|shared| shared.name == name)
                && let Some(check) = page.shared[index].check
            {
                shared.push((
                    index,
                    check(json).map_err(|reason| wrong_type(name, &reason))?,
                ));
            }
        }
        for (index, json) in own {
            let slot = u16::try_from(index).expect("slots fit 16 bits");
            context.forget_written(slot);
            if self.store_tab(context, slot, json) {
                self.list_viewers(context, slot);
            }
        }
        for (index, json) in shared {
            let index = u16::try_from(index).expect("shared signals fit 16 bits");
            self.change_shared(context, index, |_| Some(json.to_vec()))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn with_shared_row<T>(
        &self,
        context: &Context,
        index: u16,
        read: impl FnOnce(&SharedRow) -> T,
    ) -> Option<T> {
        let page = self.page(context.page);
        let def = &page.shared[usize::from(index)];
        let id = context
            .memberships
            .borrow()
            .get(usize::from(def.membership))?
            .scope;
        let scopes = self.scopes.borrow();
        let entry = scopes.entries.get(&id)?;
        entry
            .shared
            .iter()
            .find(|row| row.name == def.name)
            .map(read)
    }

    /// A shared value; the initial one where the table had no row for it.
    pub(super) fn shared_json(&self, context: &Context, index: u16) -> Vec<u8> {
        let mut json = Vec::new();
        let row = self
            .with_shared_row(context, index, |row| row.row)
            .flatten();
        if row.is_some_and(|row| self.shared.read(row, &mut json).is_some()) {
            return json;
        }
        (self.page(context.page).shared[usize::from(index)].init)()
    }

    pub(super) fn append_shared(&self, context: &Context, index: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.shared_json(context, index));
    }

    pub(super) fn change_shared(
        &self,
        context: &Context,
        index: u16,
        change: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> std::result::Result<bool, StateError> {
        let name = self.page(context.page).shared[usize::from(index)].name;
        let Some(row) = self.with_shared_row(context, index, |row| row.row) else {
            return Err(StateError::Gone {
                key: name.to_owned(),
            });
        };
        let Some(row) = row else {
            return Err(self.shared.full(name));
        };
        let changed = self.shared.update(row, name, change)?;
        if changed {
            let membership = self.page(context.page).shared[usize::from(index)].membership;
            if let Some(membership) = context.memberships.borrow().get(usize::from(membership)) {
                self.mark(membership.scope, stale::VALUES);
                let hash = {
                    let scopes = self.scopes.borrow();
                    scopes.hash(scopes.names.name(membership.scope))
                };
                self.tell_others(|outgoing| {
                    outgoing.invalidations.insert((stale::VALUES, hash));
                });
            }
        }
        Ok(changed)
    }

    /// All values of the page as one JSON object's members, for the first HTML or a full sync.
    /// Inputs are left out where `inputs` says no: what is typed in the browser is newer.
    pub(super) fn write_values(
        &self,
        context: &Context,
        out: &mut Vec<u8>,
        inputs: impl Fn(u16) -> bool,
    ) {
        let page = self.page(context.page);
        for (index, slot) in page.slots.iter().enumerate() {
            let index = u16::try_from(index).expect("slots fit 16 bits");
            if slot.check.is_none() || inputs(index) {
                self.with_tab(context, index, |json| write_member(out, slot.name, json));
            }
        }
        for (index, shared) in page.shared.iter().enumerate() {
            let index = u16::try_from(index).expect("shared signals fit 16 bits");
            write_member(out, shared.name, &self.shared_json(context, index));
        }
    }

    /// The same as a value for templates.
    pub(super) fn signals_value(&self, context: &Context) -> minijinja::Value {
        let mut json = vec![b'{'];
        self.write_values(context, &mut json, |_| true);
        json.push(b'}');
        let values: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
        minijinja::Value::from(minijinja::value::Serde(values))
    }

    pub(super) fn queue_script(&self, context: &Context, script: &str) -> Result {
        let fits = context.with_waiting(|waiting| {
            let fits = waiting.script_bytes + script.len() <= SCRIPTS_MAX_BYTES;
            if fits {
                waiting.script_bytes += script.len();
                waiting.scripts.push_back(script.to_owned());
            }
            fits
        });
        if !fits {
            return Err(Error::new(format!(
                "more than {SCRIPTS_MAX_BYTES} bytes of scripts wait for this page: send fewer while it is away"
            )));
        }
        self.list(context, dirty::SCRIPT);
        Ok(())
    }

    /// Tells the user something that no click was about, once.
    pub fn tell_hint(&self, context: &Context, text: &'static str) {
        context.with_waiting(|waiting| waiting.hint = Some(text));
        self.list(context, dirty::ERROR);
    }

    /// Tells the page that one of its actions failed.
    pub fn tell_error(&self, context: &Context, action: &str, click: Option<u64>, text: &str) {
        let error =
            serde_json::json!({ "action": action, "click": click, "text": text }).to_string();
        context.with_waiting(|waiting| {
            // The newest are seen; a page that is away for long needs no history of failures.
            if waiting.errors.len() >= 8 {
                waiting.errors.remove(0);
            }
            waiting.errors.push(error);
        });
        self.list(context, dirty::ERROR);
    }
}

fn wrong_type(name: &str, reason: &str) -> String {
    BadInput {
        text: format!("the input `{name}` is of the wrong type: {reason}"),
    }
    .to_string()
}

/// `"name":value`, with a comma before it where one is needed.
pub(super) fn write_member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    if !matches!(out.last(), None | Some(b'{')) {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    let json: Cow<'_, [u8]> = browser_json(json);
    out.extend_from_slice(&json);
}
