//! What callgrind has counted: instructions of a whole run, and of each function by itself.
//!
//! Invariant: a call's inclusive cost is never added to its caller's own, so the functions' own costs add up to the total.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// One run's counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Instructions in user space, all threads.
    pub total: u64,
    /// Instructions of each function without those that it called.
    pub own: HashMap<String, u64>,
}

/// Reads what `--callgrind-out-file` has written. Fails where the run was cut off before its end.
pub fn read(path: &Path) -> io::Result<Profile> {
    let text = fs::read(path)?;
    parse(&String::from_utf8_lossy(&text)).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} has no line `totals:`: the server ended before callgrind could write",
                path.display()
            ),
        )
    })
}

/// The file's format is described in valgrind's manual, "Callgrind Format Specification".
fn parse(text: &str) -> Option<Profile> {
    let mut profile = Profile::default();
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut function = "";
    let mut is_call = false;
    let mut total = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = resolve(&mut names, name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            // Names are given once, where they first occur, and that may be in a call.
            resolve(&mut names, name);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if let Some(sum) = line.strip_prefix("totals: ") {
            total = sum.trim().parse().ok();
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            let is_own = !std::mem::take(&mut is_call);
            if is_own {
                *profile.own.entry(function.to_owned()).or_default() += cost.unwrap_or(0);
            }
        }
    }
    profile.total = total?;
    Some(profile)
}

/// `(12) name` defines number 12, `(12)` alone stands for it.
fn resolve<'a>(names: &mut HashMap<&'a str, &'a str>, text: &'a str) -> &'a str {
    match text.split_once(' ') {
        Some((number, name)) => {
            names.insert(number, name);
            name
        }
        None => names.get(text).copied().unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_costs_leave_out_what_was_called() {
        let text = "events: Ir\n\nfl=(1) a.rs\nfn=(1) outer\n10 5\n+1 2\ncfi=(2) b.rs\ncfn=(2) inner\ncalls=3 20\n\
                    * 300\n-1 1\n\nfl=(2)\nfn=(2)\n20 300\n\nfn=(1)\n* 4\n\ntotals: 312\n";
        let profile = parse(text).unwrap();
        assert_eq!(profile.total, 312);
        assert_eq!(
            profile.own,
            HashMap::from([("outer".to_owned(), 12), ("inner".to_owned(), 300)])
        );
    }

    #[test]
    fn a_file_without_its_end_is_no_profile() {
        assert_eq!(parse("events: Ir\nfn=(1) f\n1 1\n"), None);
    }
}
