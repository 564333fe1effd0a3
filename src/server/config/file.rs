//! The TOML file: flat, its keys are the options' names, each value remembered with its line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::layers::shown_of;
use super::nearest::nearest;
use super::setting::Problem;
use super::settings::{CONFIG, SETTINGS};
use super::value::shown;

/// A configuration file whose keys are all known.
pub(super) struct File {
    pub(super) path: PathBuf,
    entries: BTreeMap<&'static str, Entry>,
}

/// One key's value.
pub(super) struct Entry {
    pub(super) line: usize,
    /// The value as it is written in the file, shortened.
    pub(super) written: String,
    value: Value,
}

enum Value {
    Integer(String),
    Text(String),
    Switch(bool),
    Texts(Vec<String>),
    Other,
}

impl Entry {
    /// The value as text for the parser of a number.
    pub(super) fn number(&self) -> Result<&str, Problem> {
        match &self.value {
            Value::Integer(digits) => Ok(digits),
            Value::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => Err(Problem(
                "not a number but a text; leave off the quotes".into(),
            )),
            _ => Err(Problem("not a whole number".into())),
        }
    }

    /// The value as text for the parser of a path or a name.
    pub(super) fn text(&self) -> Result<&str, Problem> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(Problem("not a text; put it in quotes".into())),
        }
    }

    /// The value of a switch.
    pub(super) fn switch(&self) -> Result<bool, Problem> {
        match &self.value {
            Value::Switch(on) => Ok(*on),
            _ => Err(Problem("not true or false (without quotes)".into())),
        }
    }

    /// The value as a list of texts; a lone text is a list of one.
    pub(super) fn texts(&self) -> Result<Vec<&str>, Problem> {
        match &self.value {
            Value::Text(text) => Ok(vec![text]),
            Value::Texts(texts) => Ok(texts.iter().map(String::as_str).collect()),
            _ => Err(Problem(
                "not a list of texts, as in [\"https://a.example\", \"https://b.example\"]".into(),
            )),
        }
    }
}

impl File {
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let (line, column) = position(text, start);
            ConfigError::Syntax {
                path: path.to_owned(),
                line,
                column,
                message: error.message().trim().replace('\n', ", "),
            }
        })?;
        let mut pairs: Vec<_> = document.get_ref().iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let mut entries = BTreeMap::new();
        for (key, value) in pairs {
            let line = position(text, key.span().start).0;
            let known = SETTINGS
                .iter()
                .map(|setting| setting.name())
                .find(|name| *name == key.get_ref().as_ref() && *name != CONFIG.name);
            let Some(name) = known else {
                return Err(ConfigError::UnknownKey {
                    path: path.to_owned(),
                    key: shown(key.get_ref()),
                    line,
                    hint: hint(key.get_ref(), value.get_ref()),
                });
            };
            entries.insert(
                name,
                Entry {
                    line,
                    written: shown_of(name, text.get(value.span()).unwrap_or_default()),
                    value: read(value.get_ref()),
                },
            );
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }
}

fn read(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other, |number| Value::Integer(number.to_string())),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or(Value::Other, Value::Texts),
        _ => Value::Other,
    }
}

fn hint(key: &str, value: &DeValue<'_>) -> String {
    if key == CONFIG.name {
        return "; a configuration file can't name another one".to_owned();
    }
    if value.is_table() {
        return "; the file has no tables: put each option on a line of its own, as in port = 3000"
            .to_owned();
    }
    let names = SETTINGS
        .iter()
        .map(|setting| setting.name())
        .filter(|name| *name != CONFIG.name);
    nearest(key, names).map_or_else(
        || "; `--help` lists all options: a key is a flag without its dashes in front".to_owned(),
        |name| format!("; did you mean `{name}`?"),
    )
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |start| start.chars().count())
        + 1;
    (line, column)
}
