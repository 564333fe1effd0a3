//! The configuration as its users meet it, in a world of the test's making.

mod broker;
mod broker_secrets;
mod precedence;
mod table;
mod texts;
mod tls;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::Parser;

use super::*;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// An app's own binary, with an option of its own.
#[derive(Parser)]
struct App {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long, default_value = "app.db")]
    database: String,
}

#[derive(Default)]
struct World {
    environment: Vec<(OsString, OsString)>,
    files: BTreeMap<&'static str, String>,
    folders: Vec<&'static str>,
    open_files: Vec<&'static str>,
    cpus: usize,
}

impl World {
    fn new() -> Self {
        Self {
            cpus: 2,
            ..Self::default()
        }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn file(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }
}

impl Surroundings for World {
    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.environment.clone()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let path = path.to_str().unwrap();
        let missing = || io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn check_folder(&self, path: &Path) -> io::Result<()> {
        let missing = || io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
        let known = self.folders.iter().any(|folder| Path::new(folder) == path);
        known.then_some(()).ok_or_else(missing)
    }

    fn everybody_reads(&self, path: &Path) -> bool {
        self.open_files.iter().any(|file| Path::new(file) == path)
    }

    fn cpus(&self) -> Cpus {
        Cpus {
            allowed: (0..self.cpus).collect(),
            usable: self.cpus,
        }
    }
}

fn args(flags: &[&str]) -> ServerArgs {
    App::try_parse_from(["app"].iter().chain(flags))
        .unwrap_or_else(|error| panic!("{error}"))
        .server
}

fn resolve(flags: &[&str], world: &World) -> Result<Config, ConfigError> {
    args(flags).resolve_with(world)
}

fn error(flags: &[&str], world: &World) -> String {
    let error = resolve(flags, world).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    text
}
