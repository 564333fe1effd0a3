//! The check that a request path is safe to route.
//!
//! Invariant: a path that passes has no segment that any later decoding could read as `.` or `..`;
//! so nothing behind this check has to normalise a path, and none is ever changed: `//` stays.

use super::percent::{PercentError, decode_segment};

/// Why a path is refused. All of them are a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It doesn't start with `/`.
    #[error("the path does not start with a slash; ask for an absolute path")]
    NotAbsolute,
    /// `.` or `..`, also percent-encoded or between encoded slashes.
    #[error("the path holds a . or .. segment; ask for the path that it leads to")]
    DotSegment,
    /// A backslash, also percent-encoded: some clients and file systems read it as `/`.
    #[error("the path holds a backslash, which is never allowed")]
    Backslash,
    /// A segment that can't be decoded.
    #[error(transparent)]
    Percent(#[from] PercentError),
}

impl PathError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        400
    }
}

/// Checks a raw (still percent-encoded) path without its query.
///
/// # Errors
/// [`PathError`]
pub fn check(path: &str) -> Result<(), PathError> {
    let segments = path.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    for segment in segments.split('/') {
        let decoded = decode_segment(segment)?;
        if decoded.contains('\\') {
            return Err(PathError::Backslash);
        }
        if decoded.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(PathError::DotSegment);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        for (path, result) in [
            ("/", Ok(())),
            ("//", Ok(())),
            ("/a//b/", Ok(())),
            ("/a.b/...", Ok(())),
            ("/.well-known/x", Ok(())),
            ("/%E4%BD%A0", Ok(())),
            ("/a%2Fb", Ok(())),
            ("", Err(PathError::NotAbsolute)),
            ("*", Err(PathError::NotAbsolute)),
            ("a/b", Err(PathError::NotAbsolute)),
            ("/.", Err(PathError::DotSegment)),
            ("/a/../b", Err(PathError::DotSegment)),
            ("/a/..", Err(PathError::DotSegment)),
            ("/%2e%2E/b", Err(PathError::DotSegment)),
            ("/.%2e/b", Err(PathError::DotSegment)),
            ("/a%2F..%2fb", Err(PathError::DotSegment)),
            ("/..\\b", Err(PathError::Backslash)),
            ("/a%5c..", Err(PathError::Backslash)),
            ("/a%", Err(PathError::Percent(PercentError::Escape))),
            ("/a%00", Err(PathError::Percent(PercentError::Nul))),
            ("/%ff", Err(PathError::Percent(PercentError::NotUtf8))),
        ] {
            assert_eq!(check(path), result, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_the_root(path in "(/|%2[ef]|%2[EF]|\\.|[a-c]|%5c){0,12}") {
            if check(&path).is_ok() {
                let decoded = decode_segment(&path).unwrap();
                prop_assert!(decoded.split(['/', '\\']).all(|part| part != ".." && part != "."));
            }
        }
    }
}
