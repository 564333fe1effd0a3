//! minijinja templates, compiled once per shard.

use std::path::Path;
use std::rc::Rc;

use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error, ErrorKind, State};

use super::engine::Engine;
use super::expression::call;
use super::html::{Html, escape};
use super::view::View;

/// Instructions that one rendering may take: a loop without an end must not hold the shard.
const FUEL: u64 = 50_000_000;

/// The values that `text('name')` shows in a first render; no template uses this name.
const VALUES: &str = "_via_values";

pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_function("text", text);
    environment.add_function("bind", |name: &str| -> Result<Value, Error> {
        Ok(Value::from_safe_string(format!(
            "data-bind=\"{}\"",
            checked(name)?
        )))
    });
    environment.add_function("act", act);
    environment
}

/// Adds every file below `folder` under its relative name.
pub(crate) fn add_folder(
    environment: &mut Environment<'static>,
    folder: &Path,
) -> Result<(), String> {
    add_below(environment, folder, folder)
}

fn add_below(
    environment: &mut Environment<'static>,
    root: &Path,
    folder: &Path,
) -> Result<(), String> {
    let told = |path: &Path, error: &dyn std::fmt::Display| {
        format!("the template {} can't be used: {error}", path.display())
    };
    for entry in std::fs::read_dir(folder).map_err(|error| told(folder, &error))? {
        let path = entry.map_err(|error| told(folder, &error))?.path();
        if path.is_dir() {
            add_below(environment, root, &path)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            let source = std::fs::read_to_string(&path).map_err(|error| told(&path, &error))?;
            environment
                .add_template_owned(name.to_owned(), source)
                .map_err(|error| told(&path, &error))?;
        }
    }
    Ok(())
}

fn text(state: &State<'_, '_>, name: &str) -> Result<Value, Error> {
    let name = checked(name)?;
    let mut html = format!("<span data-text=\"${name}\">");
    if let Some(values) = state.lookup(VALUES)
        && let Ok(value) = values.get_attr(name)
        && !value.is_undefined()
        && !value.is_none()
    {
        escape(&value.to_string(), &mut html);
    }
    html.push_str("</span>");
    Ok(Value::from_safe_string(html))
}

fn act(name: &str, arguments: Rest<Value>) -> Result<Value, Error> {
    let encoded: Result<Vec<_>, _> = arguments
        .iter()
        .map(|value| serde_json::to_vec(value).map(Vec::into_boxed_slice))
        .collect();
    let encoded = encoded.map_err(|error| {
        Error::new(
            ErrorKind::BadSerialization,
            "an argument of act() has no JSON form",
        )
        .with_source(error)
    })?;
    Ok(Value::from_safe_string(call(checked(name)?, &encoded)))
}

fn checked(name: &str) -> Result<&str, Error> {
    if !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    {
        return Ok(name);
    }
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("`{name}` is no name of a signal or action"),
    ))
}

impl Engine {
    /// Renders the template `file`, or only its `block`.
    pub(crate) fn render_template(
        self: &Rc<Self>,
        file: &str,
        block: Option<&str>,
        values: Value,
        view: &View,
    ) -> Result<Html, String> {
        let environment = self.templates();
        let told = |error: Error| format!("the template {file} failed: {error:#}");
        let template = environment.get_template(file).map_err(told)?;
        let signals = if view.is_update() {
            Value::UNDEFINED
        } else {
            self.signals_value(view.context())
        };
        let values =
            minijinja::context! { ..values, .. minijinja::context! { _via_values => signals } };
        let html = match block {
            None => template.render(values).map_err(told)?,
            Some(block) => template
                .render_captured(values)
                .and_then(|mut captured| captured.with_state_mut(|state| state.render_block(block)))
                .map_err(told)?,
        };
        Ok(Html::trusted(html))
    }
}
