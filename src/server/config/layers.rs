//! The layers of a configuration: what was said by flag, environment and file, and by whom.
//!
//! Every layer is checked, also where a stronger one hides it: an unknown key or variable is an
//! error even if nothing would have read it, since it means that somebody believes in a setting
//! that isn't there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::broker::shown_url;
use super::error::ConfigError;
use super::file::{Entry, File};
use super::nearest::nearest;
use super::origin::Origin;
use super::setting::{ENV_PREFIX, Number, Problem, Text, env_name};
use super::settings as s;
use super::surroundings::Surroundings;
use super::value::{TrustedOrigin, parse_switch, shown};
use crate::secret::Secret;

const KUBERNETES_HINT: &str = "Kubernetes sets it for a Service that is named autovia: \
     put `enableServiceLinks: false` into the pod's spec, or give the Service another name";

/// What was said, weakest layers first read; flags are handed in one by one.
pub(super) struct Layers<'a> {
    environment: BTreeMap<&'static str, String>,
    file: Option<File>,
    pub(super) world: &'a dyn Surroundings,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

/// One value of a layer below the flags, before it is parsed.
#[derive(Clone, Copy)]
pub(super) enum Said<'a> {
    Env(&'a str),
    File(&'a Entry),
}

impl<'a> Said<'a> {
    fn number(self) -> Result<&'a str, Problem> {
        match self {
            Self::Env(text) => Ok(text),
            Self::File(entry) => entry.number(),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Problem> {
        match self {
            Self::Env(text) => Ok(text),
            Self::File(entry) => entry.text(),
        }
    }

    pub(super) fn switch(self) -> Result<bool, Problem> {
        match self {
            Self::Env(text) => parse_switch(text),
            Self::File(entry) => entry.switch(),
        }
    }

    fn texts(self) -> Result<Vec<&'a str>, Problem> {
        match self {
            Self::Env(text) => Ok(text.split(',').map(str::trim).collect()),
            Self::File(entry) => entry.texts(),
        }
    }
}

impl<'a> Layers<'a> {
    /// Reads the environment; [`Layers::read_file`] adds the file.
    pub(super) fn new(world: &'a dyn Surroundings) -> Result<Self, ConfigError> {
        Ok(Self {
            environment: read_environment(world)?,
            file: None,
            world,
            origins: BTreeMap::new(),
        })
    }

    /// Adds the configuration file.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = self
            .world
            .read_file(path)
            .map_err(|error| ConfigError::Unreadable {
                what: "the configuration file",
                path: path.to_owned(),
                origin: Box::new(self.origin(s::CONFIG.name)),
                reason: error.to_string(),
                remedy: "Correct the path, or leave it out: without a file, the defaults hold",
            })?;
        self.file = Some(File::parse(path, &text)?);
        Ok(())
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        self.origins.get(name).cloned().unwrap_or(Origin::Default)
    }

    /// The value of the strongest layer that says something about `name`.
    pub(super) fn pick<T>(
        &mut self,
        name: &'static str,
        flag: Option<T>,
        parse: impl Fn(Said<'_>) -> Result<T, Problem>,
    ) -> Result<Option<T>, ConfigError> {
        let (shown_value, origin, parsed) = if let Some(value) = flag {
            (String::new(), Origin::Flag(name), Ok(value))
        } else if let Some(value) = self.environment.get(name) {
            (
                shown_of(name, value),
                Origin::Env(name),
                parse(Said::Env(value)),
            )
        } else if let Some(file) = &self.file
            && let Some(entry) = file.get(name)
        {
            let origin = Origin::File {
                path: file.path.clone(),
                key: name,
                line: entry.line,
            };
            (entry.written.clone(), origin, parse(Said::File(entry)))
        } else {
            return Ok(None);
        };
        match parsed {
            Ok(value) => {
                self.origins.insert(name, origin);
                Ok(Some(value))
            }
            Err(problem) => Err(ConfigError::Value {
                value: shown_value,
                origin: Box::new(origin),
                problem,
            }),
        }
    }

    /// A number, if anybody said one. Flags are checked too: an app may have filled them in code.
    pub(super) fn number(
        &mut self,
        number: &Number,
        flag: Option<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        if let Some(value) = flag {
            number.check(value).map_err(|problem| ConfigError::Value {
                value: value.to_string(),
                origin: Box::new(Origin::Flag(number.name)),
                problem,
            })?;
        }
        self.pick(number.name, flag, |said| {
            number.parse(said.number()?).map_err(|problem| match said {
                Said::Env(text) if text.starts_with("tcp://") => {
                    Problem(format!("{problem}. {KUBERNETES_HINT}"))
                }
                _ => problem,
            })
        })
    }

    pub(super) fn number_or_default(
        &mut self,
        number: &Number,
        flag: Option<u64>,
    ) -> Result<u64, ConfigError> {
        Ok(self.number(number, flag)?.unwrap_or(number.default))
    }

    pub(super) fn size(
        &mut self,
        number: &Number,
        flag: Option<u64>,
    ) -> Result<usize, ConfigError> {
        self.number_or_default(number, flag).map(to_size)
    }

    pub(super) fn time(
        &mut self,
        number: &Number,
        flag: Option<u64>,
    ) -> Result<Duration, ConfigError> {
        self.number_or_default(number, flag)
            .map(Duration::from_secs)
    }

    pub(super) fn switch(
        &mut self,
        name: &'static str,
        flag: Option<bool>,
    ) -> Result<bool, ConfigError> {
        self.switch_or(name, flag, false)
    }

    /// A switch whose default depends.
    pub(super) fn switch_or(
        &mut self,
        name: &'static str,
        flag: Option<bool>,
        default: bool,
    ) -> Result<bool, ConfigError> {
        Ok(self
            .pick(name, flag, |said| said.switch())?
            .unwrap_or(default))
    }

    /// A text that `check` lets through. Flags are checked too: an app may have filled them in.
    pub(super) fn text(
        &mut self,
        text: &Text,
        flag: Option<String>,
        check: fn(&str) -> Result<String, Problem>,
    ) -> Result<Option<String>, ConfigError> {
        if let Some(value) = &flag {
            check(value).map_err(|problem| ConfigError::Value {
                value: shown(value),
                origin: Box::new(Origin::Flag(text.name)),
                problem,
            })?;
        }
        self.pick(text.name, flag, |said| check(said.text()?))
    }

    /// A secret, which has no flag. A line end belongs to whoever wrote it, not to the secret.
    pub(super) fn secret(&mut self, text: &Text) -> Result<Option<Secret<String>>, ConfigError> {
        self.pick(text.name, None, |said| {
            let secret = said.text()?.trim_end_matches(['\r', '\n']);
            if secret.is_empty() {
                return Err(Problem("not a secret but empty".to_owned()));
            }
            Ok(Secret::new(secret.to_owned()))
        })
    }

    /// A path; one from the file is meant from the file's own folder.
    pub(super) fn path(
        &mut self,
        name: &'static str,
        flag: Option<PathBuf>,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let folder = self
            .file
            .as_ref()
            .and_then(|file| file.path.parent())
            .map(Path::to_owned)
            .unwrap_or_default();
        self.pick(name, flag, |said| {
            let path = said.text()?;
            if path.is_empty() {
                return Err(Problem("not a path but empty".to_owned()));
            }
            Ok(match said {
                Said::Env(_) => PathBuf::from(path),
                Said::File(_) => folder.join(path),
            })
        })
    }

    pub(super) fn trusted_origins(
        &mut self,
        flags: Vec<TrustedOrigin>,
    ) -> Result<Vec<TrustedOrigin>, ConfigError> {
        let flags = (!flags.is_empty()).then_some(flags);
        let picked = self.pick(s::TRUSTED_ORIGIN.name, flags, |said| {
            said.texts()?
                .into_iter()
                .map(|text| {
                    TrustedOrigin::parse(text)
                        .map_err(|problem| Problem(format!("{problem} (here: `{}`)", shown(text))))
                })
                .collect()
        })?;
        Ok(picked.unwrap_or_default())
    }
}

/// A value as an error may repeat it.
pub(super) fn shown_of(name: &str, value: &str) -> String {
    let secret =
        |setting: &s::Setting| matches!(setting, s::Setting::Secret(text) if text.name == name);
    if name == s::BROKER_URL.name {
        shown_url(value)
    } else if s::SETTINGS.iter().any(secret) {
        "…".to_owned()
    } else {
        shown(value)
    }
}

/// A number of the table as a size; all bounds of the table fit.
pub(super) fn to_size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn read_environment(
    world: &dyn Surroundings,
) -> Result<BTreeMap<&'static str, String>, ConfigError> {
    let mut found = BTreeMap::new();
    let mut variables = world.environment();
    variables.sort();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if !name.starts_with(ENV_PREFIX) {
            continue;
        }
        let known = s::SETTINGS
            .iter()
            .map(s::Setting::name)
            .find(|setting| env_name(setting) == name);
        let Some(setting) = known else {
            return Err(ConfigError::UnknownVariable {
                hint: variable_hint(&name),
                name: shown(&name),
            });
        };
        let value = value
            .into_string()
            .map_err(|_| ConfigError::NotText { name: shown(&name) })?;
        // An empty variable is how compose files and shells say "not set".
        if !value.is_empty() {
            found.insert(setting, value);
        }
    }
    Ok(found)
}

fn variable_hint(name: &str) -> String {
    let rest = &name[ENV_PREFIX.len()..];
    let by_kubernetes = rest.starts_with("SERVICE_")
        || rest
            .strip_prefix("PORT_")
            .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
    if by_kubernetes {
        return format!("; {KUBERNETES_HINT}");
    }
    let names: Vec<String> = s::SETTINGS
        .iter()
        .map(|setting| env_name(setting.name()))
        .collect();
    let short = names.iter().map(|name| &name[ENV_PREFIX.len()..]);
    nearest(rest, short).map_or_else(
        || {
            "; `--help` lists all; take it away, or give it another prefix if it is not autovia's"
                .into()
        },
        |near| format!("; did you mean {ENV_PREFIX}{near}?"),
    )
}
