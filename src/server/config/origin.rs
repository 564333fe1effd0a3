//! Where a value came from, as error texts tell it.

use std::path::PathBuf;

use super::setting::env_name;

/// Where the value of an option came from. Its text continues "`value` …": `from AUTOVIA_PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line, or whoever filled the struct in code.
    Flag(&'static str),
    /// An environment variable, here by the option's name.
    Env(&'static str),
    /// The configuration file.
    File {
        /// Path as it was given.
        path: PathBuf,
        /// The key, which is the option's name.
        key: &'static str,
        /// Number of the line, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "from --{name}"),
            Self::Env(name) => write!(formatter, "from {}", env_name(name)),
            Self::File { path, key, line } => {
                write!(
                    formatter,
                    "from {} (key `{key}`, line {line})",
                    path.display()
                )
            }
            Self::Default => formatter.write_str("by default"),
        }
    }
}
