//! Raising what a process may raise by itself: soft limits up to the hard ones.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a soft limit is after raising, and its hard limit; `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// What holds now.
    pub got: u64,
    /// What an administrator allows at most.
    pub hard: u64,
}

/// Raises the soft limit of open files to the hard one; each open page needs a descriptor.
///
/// Call it before the shards start. A system that refuses leaves the limit as it was.
pub fn raise_open_files() -> Raised {
    raise(Resource::Nofile)
}

/// Raises the soft limit of locked memory to the hard one; io_uring counts its rings there.
///
/// Call it before the shards start. A system that refuses leaves the limit as it was.
pub fn raise_locked_memory() -> Raised {
    raise(Resource::Memlock)
}

fn raise(resource: Resource) -> Raised {
    let Rlimit { current, maximum } = getrlimit(resource);
    let hard = maximum.unwrap_or(u64::MAX);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let got = match setrlimit(resource, raised) {
        Ok(()) => hard,
        Err(_) => current.unwrap_or(u64::MAX),
    };
    Raised { got, hard }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the child that runs under the lowered limit.
    const CHILD: &str = "DOCTOR_LIMITS_CHILD";

    /// Limits belong to the process, so this runs in a child of its own: a shell lowers the soft
    /// limit and starts the test again.
    #[test]
    fn the_soft_limit_of_open_files_rises_to_the_hard_one() {
        if std::env::var_os(CHILD).is_some() {
            assert_eq!(getrlimit(Resource::Nofile).current, Some(256));
            assert_eq!(
                raise_open_files(),
                Raised {
                    got: 512,
                    hard: 512
                }
            );
            assert_eq!(getrlimit(Resource::Nofile).current, Some(512));
            return;
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let status = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 512; ulimit -S -n 256; exec \"$0\" --exact \"$1\"",
            ])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
    }
}
