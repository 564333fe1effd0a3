//! What the page sends: the JSON body of an action and the query of a stream request.
//!
//! Invariant: nothing is kept of a text that is too large, nested too deep, no JSON object, or
//! without a `via_ctx` text. Values stay raw JSON, checked for syntax only; their types are checked
//! where they are used, since only the page knows them.

use std::collections::HashSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::percent::{PercentError, decode_query};

/// The member that names the context.
pub const CONTEXT_MEMBER: &str = "via_ctx";
/// The member that holds an action's arguments.
pub const ARGS_MEMBER: &str = "_args";
/// The parameter of a stream request.
pub const STREAM_PARAMETER: &str = "datastar";
/// Nesting of objects and lists, the outermost included.
pub const MAX_DEPTH: usize = 32;

/// Why a body or query is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Too many bytes.
    #[error("the JSON sent is longer than {max} bytes; send less or raise the server's limit")]
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// Nested too deep.
    #[error("the JSON sent is nested deeper than {max} levels; flatten it")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// No JSON, or not UTF-8.
    #[error("what was sent is not JSON (line {line}, column {column})")]
    NotJson {
        /// Counted from 1; 0 when unknown.
        line: usize,
        /// Counted from 1; 0 when unknown.
        column: usize,
    },
    /// JSON, but no object.
    #[error("the JSON sent is no object; send an object whose members are the inputs")]
    NotObject,
    /// Two members of one name.
    #[error("the JSON sent has two members of one name; send each once")]
    Repeated,
    /// No `via_ctx`.
    #[error("via_ctx is missing; it names the page: reload it")]
    NoContext,
    /// `via_ctx` is no text.
    #[error("via_ctx is no text; it names the page: reload it")]
    ContextNotText,
    /// `_args` is no list.
    #[error("_args is no list; send the arguments as a JSON list")]
    ArgsNotList,
    /// Two `datastar` parameters.
    #[error("the parameter datastar occurs twice; send it once")]
    RepeatedParameter,
    /// The parameter can't be decoded.
    #[error(transparent)]
    Percent(#[from] PercentError),
}

impl BodyError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            _ => 400,
        }
    }

    fn not_json(error: &serde_json::Error) -> Self {
        Self::NotJson {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// The body of `POST /_action/<name>`.
#[derive(Clone, Debug)]
pub struct ActionBody {
    /// `via_ctx` as sent; decode it with [`ContextId::decode`](super::id::ContextId::decode).
    pub context: String,
    /// `_args`; empty when absent.
    pub args: Vec<Box<RawValue>>,
    /// The other members, in the order sent; no name occurs twice.
    pub inputs: Vec<(String, Box<RawValue>)>,
}

impl ActionBody {
    /// Reads a body of at most `max_bytes`, nested at most `max_depth` deep.
    ///
    /// # Errors
    /// [`BodyError`]
    pub fn parse(json: &[u8], max_depth: usize, max_bytes: usize) -> Result<Self, BodyError> {
        let mut inputs = read_members(json, max_depth, max_bytes)?;
        let context = take(&mut inputs, CONTEXT_MEMBER);
        let args = take(&mut inputs, ARGS_MEMBER);
        Ok(Self {
            context: read_context(context.as_deref())?,
            args: match args {
                Some(args) => {
                    serde_json::from_str(args.get()).map_err(|_| BodyError::ArgsNotList)?
                }
                None => Vec::new(),
            },
            inputs,
        })
    }

    /// The raw JSON of one input.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&RawValue> {
        self.inputs
            .iter()
            .find_map(|(key, value)| (key == name).then_some(&**value))
    }
}

/// The `via_ctx` of a stream request's query, `datastar=<percent-encoded JSON object>` among other
/// parameters. `max_bytes` bounds the parameter as sent.
///
/// # Errors
/// [`BodyError`]
pub fn stream_query(query: &str, max_bytes: usize) -> Result<String, BodyError> {
    let mut found = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| (name == STREAM_PARAMETER).then_some(value));
    let value = found.next().ok_or(BodyError::NoContext)?;
    if found.next().is_some() {
        return Err(BodyError::RepeatedParameter);
    }
    if value.len() > max_bytes {
        return Err(BodyError::TooLarge { max: max_bytes });
    }
    let json = decode_query(value)?;
    let mut members = read_members(json.as_bytes(), MAX_DEPTH, max_bytes)?;
    read_context(take(&mut members, CONTEXT_MEMBER).as_deref())
}

fn read_context(value: Option<&RawValue>) -> Result<String, BodyError> {
    let value = value.ok_or(BodyError::NoContext)?;
    serde_json::from_str(value.get()).map_err(|_| BodyError::ContextNotText)
}

fn take(members: &mut Vec<(String, Box<RawValue>)>, name: &str) -> Option<Box<RawValue>> {
    let at = members.iter().position(|(key, _)| key == name)?;
    Some(members.remove(at).1)
}

fn read_members(
    json: &[u8],
    max_depth: usize,
    max_bytes: usize,
) -> Result<Vec<(String, Box<RawValue>)>, BodyError> {
    if json.len() > max_bytes {
        return Err(BodyError::TooLarge { max: max_bytes });
    }
    if !is_within_depth(json, max_depth) {
        return Err(BodyError::TooDeep { max: max_depth });
    }
    let text = std::str::from_utf8(json).map_err(|_| BodyError::NotJson { line: 0, column: 0 })?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => BodyError::NotObject,
            Err(error) => BodyError::not_json(&error),
        });
    }
    let Members(members) =
        serde_json::from_str(text).map_err(|error| BodyError::not_json(&error))?;
    let mut names = HashSet::with_capacity(members.len());
    if members.iter().all(|(name, _)| names.insert(name.as_str())) {
        Ok(members)
    } else {
        Err(BodyError::Repeated)
    }
}

/// Counts brackets outside of strings. Of a text that is no JSON it may say anything: the parser,
/// which runs afterwards and never deeper than this allows, refuses that.
fn is_within_depth(json: &[u8], max: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// An object's members in order, repeated ones included.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests;
