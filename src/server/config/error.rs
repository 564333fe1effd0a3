//! What can be wrong with a configuration. Each text is one line that says what was wrong, where
//! it came from, what is allowed, and what to change.

use std::path::PathBuf;

use super::origin::Origin;
use super::session_keys::KeyFileError;
use super::setting::Problem;
use crate::http::tls::PairError;

/// Exit code for a command line or a configuration that can't be used.
pub const USAGE_EXIT_CODE: i32 = 2;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that its option doesn't allow.
    #[error("`{value}` {origin} is {problem}")]
    Value {
        /// The value, shortened.
        value: String,
        /// Where it came from.
        origin: Box<Origin>,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A key of the file that no option has.
    #[error("{} has an unknown key `{key}` in line {line}{hint}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key, shortened.
        key: String,
        /// Number of the line, from 1.
        line: usize,
        /// What was probably meant.
        hint: String,
    },
    /// A variable that begins as ours do, but that no option has.
    #[error("the environment has an unknown variable {name}{hint}")]
    UnknownVariable {
        /// Its name, shortened.
        name: String,
        /// What was probably meant.
        hint: String,
    },
    /// A variable whose value is no text.
    #[error("{name} in the environment is not valid UTF-8; write its value again, as plain text")]
    NotText {
        /// Its name, as far as it can be shown.
        name: String,
    },
    /// A file that an option names can't be read.
    #[error("can't read {what} `{}` {origin}: {reason}. {remedy}", path.display())]
    Unreadable {
        /// Which file this is.
        what: &'static str,
        /// Its path as it was tried.
        path: PathBuf,
        /// Where the path came from.
        origin: Box<Origin>,
        /// What the system said.
        reason: String,
        /// What to change.
        remedy: &'static str,
    },
    /// The configuration file is no TOML.
    #[error("{} is not valid TOML: line {line}, column {column}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Number of the character in the line, from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// The file of session keys has a bad line.
    #[error("the session key file `{}` {origin}: {problem}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Where its path came from.
        origin: Box<Origin>,
        /// What is wrong with it.
        problem: KeyFileError,
    },
    /// Certificate and key of this server can't be used.
    #[error(
        "the certificate `{}` {cert_origin} with the key `{}` {key_origin}: {problem}",
        cert.display(),
        key.display()
    )]
    Pair {
        /// The file of the certificate.
        cert: PathBuf,
        /// Where its path came from.
        cert_origin: Box<Origin>,
        /// The file of the key.
        key: PathBuf,
        /// Where its path came from.
        key_origin: Box<Origin>,
        /// What is wrong with them.
        problem: PairError,
    },
    /// A secret where everybody can read it.
    #[error(
        "the URL from --broker-url holds a password or a token, and everybody on this machine can \
         read a command line: leave it out there and set AUTOVIA_BROKER_PASSWORD or \
         --broker-password-file (for a token AUTOVIA_BROKER_TOKEN or --broker-token-file), or put \
         the whole URL into AUTOVIA_BROKER_URL"
    )]
    SecretInCommandLine,
    /// Values that are each allowed, but not together.
    #[error("{0}")]
    Combination(String),
}

impl ConfigError {
    /// The exit code of a process that can't start for this reason: 2, as for a wrong flag.
    pub const fn exit_code(&self) -> i32 {
        USAGE_EXIT_CODE
    }
}
