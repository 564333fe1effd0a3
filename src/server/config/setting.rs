//! What an option is: its name, its meaning, its bounds and its default, in one place.
//!
//! The name gives everything else: `--body-bytes` is `AUTOVIA_BODY_BYTES` in the environment and
//! `body-bytes` in the TOML file. Help, error texts and the table in `docs/configuration.md` are
//! all made from these entries, so they can't disagree.

/// What every environment variable of an option begins with.
pub const ENV_PREFIX: &str = "AUTOVIA_";

/// The environment variable of an option: `body-bytes` is `AUTOVIA_BODY_BYTES`.
pub fn env_name(name: &str) -> String {
    format!("{ENV_PREFIX}{}", name.replace('-', "_").to_uppercase())
}

/// Why a value can't be used, as the rest of a sentence that begins with "`value` is".
///
/// Its text starts with "not", so that it reads well after a flag, a variable and a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub(super) String);

/// A number with its unit, bounds and default; the limits of the server are of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Name of the flag (without `--`) and of the TOML key.
    pub name: &'static str,
    /// What the number counts, for tables: `bytes`, `seconds`, `rows`.
    pub unit: &'static str,
    /// What it means, as half a sentence.
    pub what: &'static str,
    /// Value that holds when nobody says otherwise.
    pub default: u64,
    /// Smallest value allowed.
    pub min: u64,
    /// Largest value allowed.
    pub max: u64,
    /// What zero means, where it is more than a small number.
    pub zero: Option<&'static str>,
    /// How the default is told, where it is found out at start.
    pub default_text: Option<&'static str>,
}

impl Number {
    /// A number of `unit`, checked at compile time to have its default within its bounds.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        default: u64,
        bounds: std::ops::RangeInclusive<u64>,
        what: &'static str,
    ) -> Self {
        let (min, max) = (*bounds.start(), *bounds.end());
        assert!(
            min <= default && default <= max,
            "a default outside its own bounds"
        );
        Self {
            name,
            unit,
            what,
            default,
            min,
            max,
            zero: None,
            default_text: None,
        }
    }

    /// Says what zero means.
    pub const fn zero_means(mut self, meaning: &'static str) -> Self {
        assert!(self.min == 0, "zero is outside the bounds");
        self.zero = Some(meaning);
        self
    }

    /// Says how the default is found at start.
    pub const fn found_at_start(mut self, text: &'static str) -> Self {
        self.default_text = Some(text);
        self
    }

    /// The default as a reader sees it.
    pub fn default_shown(&self) -> String {
        self.default_text
            .map_or_else(|| self.default.to_string(), str::to_owned)
    }

    /// The bounds as a reader sees them: `a whole number from 0 to 65535 (0 = any free port)`.
    pub fn allowed(&self) -> String {
        let zero = self
            .zero
            .map_or_else(String::new, |zero| format!(" (0 = {zero})"));
        format!("a whole number from {} to {}{zero}", self.min, self.max)
    }

    /// Reads the number from text.
    ///
    /// # Errors
    /// Anything but decimal digits within the bounds.
    pub fn parse(&self, text: &str) -> Result<u64, Problem> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(value) if plain => self.check(value),
            _ => Err(self.problem()),
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// A value outside of them.
    pub fn check(&self, value: u64) -> Result<u64, Problem> {
        if (self.min..=self.max).contains(&value) {
            Ok(value)
        } else {
            Err(self.problem())
        }
    }

    /// The tail of an error that somebody met this limit: names flag, value in force, default and
    /// bounds, as in `--body-bytes is 2048 (default 1048576, from 1024 to 1073741824 allowed)`.
    pub fn limit_text(&self, in_force: u64) -> String {
        format!(
            "--{} is {in_force} (default {}, from {} to {} allowed)",
            self.name,
            self.default_shown(),
            self.min,
            self.max
        )
    }

    pub(super) fn parser(
        &'static self,
    ) -> impl Fn(&str) -> Result<u64, Problem> + Clone + Send + Sync + 'static {
        move |text| self.parse(text)
    }

    pub(super) fn help(&self) -> String {
        let zero = self
            .zero
            .map_or_else(String::new, |zero| format!("; 0 = {zero}"));
        help_line(
            self.name,
            &format!("{}{zero}", self.what),
            &self.default_shown(),
        )
    }

    fn problem(&self) -> Problem {
        Problem(format!(
            "not {}; the default is {}",
            self.allowed(),
            self.default_shown()
        ))
    }
}

/// An option that is no number: a path, a name, a switch, a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Name of the flag (without `--`) and of the TOML key.
    pub name: &'static str,
    /// What may stand there, for tables.
    pub allowed: &'static str,
    /// What it means, as half a sentence.
    pub what: &'static str,
    /// Value that holds when nobody says otherwise.
    pub default: &'static str,
}

impl Text {
    /// An option whose default is told as `default`.
    pub const fn new(
        name: &'static str,
        allowed: &'static str,
        default: &'static str,
        what: &'static str,
    ) -> Self {
        Self {
            name,
            allowed,
            what,
            default,
        }
    }

    pub(super) fn help(&self) -> String {
        help_line(self.name, self.what, self.default)
    }
}

/// One row of the table of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// A number with bounds.
    Number(&'static Number),
    /// Anything else.
    Text(&'static Text),
    /// A secret: it has no flag, since everybody can read a command line, and no error shows it.
    Secret(&'static Text),
}

impl Setting {
    /// Name of the flag (without `--`) and of the TOML key.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Number(number) => number.name,
            Self::Text(text) | Self::Secret(text) => text.name,
        }
    }
}

fn help_line(name: &str, what: &str, default: &str) -> String {
    format!("{what} [default: {default}] [env: {}]", env_name(name))
}
