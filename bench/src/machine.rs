//! Where and when a run happened: the facts that stand above each table.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Facts about this machine and this moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// UTC, `YYYY-MM-DD`.
    pub date: String,
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Load average of the last minute before the run: above 0.5 somebody else was at work too.
    pub load_before: String,
    /// Short commit of the source tree, where git knows one.
    pub revision: Option<String>,
}

impl Facts {
    /// Reads them now.
    pub fn read() -> Facts {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Facts {
            date: date(seconds / 86_400),
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            load_before: load.split(' ').next().unwrap_or("?").to_owned(),
            revision: revision(),
        }
    }
}

impl Facts {
    /// The day, and the source that was measured.
    pub fn when(&self) -> String {
        match &self.revision {
            Some(revision) => format!("{}, revision {revision}", self.date),
            None => self.date.clone(),
        }
    }

    /// The line above each table; `pinning` says who ran where.
    pub fn line(&self, pinning: &str) -> String {
        format!(
            "{}. {}, {} cores, Linux {}, {pinning}; load average before the run {}.",
            self.when(),
            self.processor,
            self.cores,
            self.kernel,
            self.load_before
        )
    }
}

fn processor(cpuinfo: &str) -> String {
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim())
        .to_owned()
}

fn revision() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit} with changes")
    })
}

/// The Gregorian date of a day counted from 1970-01-01.
fn date(mut day: u64) -> String {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(19_722), "2023-12-31");
        assert_eq!(date(19_723), "2024-01-01");
    }

    #[test]
    fn the_processor_is_named() {
        assert_eq!(
            processor("flags\t: a\nmodel name\t: AMD EPYC\n"),
            "AMD EPYC"
        );
        assert_eq!(processor(""), "unknown processor");
    }
}
