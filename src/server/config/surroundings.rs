//! What the configuration reads of the world, behind one trait, so that tests bring their own.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Largest configuration or key file that is read, in bytes; beyond, it is some other file.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// Bits of a file's mode that let somebody else than owner and group read it.
const OTHERS_READ: u32 = 0o004;

/// CPUs of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpus {
    /// Numbers of the CPUs that threads of this process may be pinned to, in rising order.
    pub allowed: Vec<usize>,
    /// How many of them the process may keep busy: less than `allowed` under a CPU quota.
    pub usable: usize,
}

impl Cpus {
    /// Reads the affinity mask of the calling thread and the CPU quota of its control group.
    ///
    /// Call it before threads are pinned: a pinned thread sees just its own CPU.
    pub fn of_this_process() -> Self {
        let usable = std::thread::available_parallelism().map_or(1, usize::from);
        let allowed: Vec<usize> = rustix::thread::sched_getaffinity(None)
            .map(|set| {
                (0..rustix::thread::CpuSet::MAX_CPU)
                    .filter(|cpu| set.is_set(*cpu))
                    .collect()
            })
            .unwrap_or_default();
        if allowed.is_empty() {
            return Self {
                allowed: (0..usable).collect(),
                usable,
            };
        }
        let usable = usable.min(allowed.len());
        Self { allowed, usable }
    }
}

/// The world around a process that is being configured.
pub trait Surroundings {
    /// All environment variables.
    fn environment(&self) -> Vec<(OsString, OsString)>;
    /// Content of a file.
    ///
    /// # Errors
    /// As the system says; a file that is too large or no text.
    fn read_file(&self, path: &Path) -> io::Result<String>;
    /// Whether this is a folder that can be listed.
    ///
    /// # Errors
    /// As the system says.
    fn check_folder(&self, path: &Path) -> io::Result<()>;
    /// Whether every user of the machine can read this file.
    fn everybody_reads(&self, path: &Path) -> bool;
    /// CPUs of this process.
    fn cpus(&self) -> Cpus;
}

/// The real world.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisProcess;

impl Surroundings for ThisProcess {
    fn environment(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(FILE_MAX_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_MAX_BYTES {
            return Err(io::Error::other(format!(
                "it is larger than {FILE_MAX_BYTES} bytes"
            )));
        }
        Ok(text)
    }

    fn check_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::read_dir(path).map(|_| ())
    }

    fn everybody_reads(&self, path: &Path) -> bool {
        std::fs::metadata(path)
            .is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0)
    }

    fn cpus(&self) -> Cpus {
        Cpus::of_this_process()
    }
}

/// No environment, no files, one CPU: what is left are the defaults.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Nothing;

impl Surroundings for Nothing {
    fn environment(&self) -> Vec<(OsString, OsString)> {
        Vec::new()
    }

    fn read_file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn check_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn everybody_reads(&self, _: &Path) -> bool {
        false
    }

    fn cpus(&self) -> Cpus {
        Cpus {
            allowed: vec![0],
            usable: 1,
        }
    }
}
