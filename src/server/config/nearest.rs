//! "Did you mean": the known name that a mistyped one was probably meant to be.

/// The candidate nearest to `name`, if one is near enough to be worth a suggestion.
///
/// Case, `_` and `-` don't count, since flags, variables and keys differ in just these.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = plain(name);
    let allowed = (wanted.chars().count() / 3).max(2);
    candidates
        .map(|candidate| {
            let plain = plain(candidate);
            let mut distance = strsim::damerau_levenshtein(&wanted, &plain);
            let part = wanted.len() >= 4 && plain.len() >= 4;
            if part && (plain.starts_with(&wanted) || wanted.starts_with(&plain)) {
                distance = distance.min(allowed);
            }
            (distance, candidate)
        })
        .filter(|(distance, candidate)| {
            *distance <= allowed && *distance < plain(candidate).chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const NAMES: [&str; 5] = [
        "port",
        "host",
        "body-bytes",
        "header-bytes",
        "heartbeat-seconds",
    ];

    #[test]
    fn a_slip_finds_its_name() {
        for (typed, meant) in [
            ("prot", "port"),
            ("prt", "port"),
            ("PORT", "port"),
            ("hots", "host"),
            ("body_bytes", "body-bytes"),
            ("body-byte", "body-bytes"),
            ("heartbeat", "heartbeat-seconds"),
        ] {
            assert_eq!(nearest(typed, NAMES.into_iter()), Some(meant), "{typed}");
        }
    }

    #[test]
    fn something_else_finds_nothing() {
        for typed in ["database", "x", "", "workers"] {
            assert_eq!(nearest(typed, NAMES.into_iter()), None, "{typed}");
        }
    }
}
