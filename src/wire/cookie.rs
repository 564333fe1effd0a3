//! The session cookie: finding it in a `Cookie` header and writing its `Set-Cookie` value.
//!
//! A browser may send several cookies of one name (other paths, other subdomains), in an order that
//! nobody promises; so the reader gives all of them and the caller takes the first that verifies.

use super::session::SessionId;

/// The cookie's name without `--secure-cookie`.
pub const NAME: &str = "via_session_id";
/// The cookie's name with `--secure-cookie`: browsers take it only from https, for this host and path `/`.
pub const HOST_NAME: &str = "__Host-via_session_id";
/// 30 days.
pub const MAX_AGE_SECONDS: u32 = 2_592_000;
/// Pairs of one header that are looked at; browsers keep at most 180 cookies per site.
pub const MAX_PAIRS: usize = 256;

/// The values of every cookie called `name`, in the order of the header, from its first
/// [`MAX_PAIRS`] pairs. Names are compared exactly; a pair without `=` is skipped.
pub fn values<'a>(header: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    header.split(';').take(MAX_PAIRS).filter_map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim_matches([' ', '\t']) == name).then(|| value.trim_matches([' ', '\t']))
    })
}

/// The first value of the cookie called `name`.
#[must_use]
pub fn find<'a>(header: &'a str, name: &'a str) -> Option<&'a str> {
    values(header, name).next()
}

/// The values that may hold this server's session id. With `secure` only the `__Host-` cookie
/// counts: a plain one could have been planted by another host of the domain.
pub fn session_values(header: &str, secure: bool) -> impl Iterator<Item = &str> {
    values(header, if secure { HOST_NAME } else { NAME })
}

/// The value of the `Set-Cookie` header for this session.
#[must_use]
pub fn set_session(id: &SessionId, secure: bool) -> String {
    let (name, end) = if secure {
        (HOST_NAME, "; Secure")
    } else {
        (NAME, "")
    };
    let value = id.cookie_value();
    format!("{name}={value}; Path=/; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax{end}")
}

#[cfg(test)]
mod tests {
    use super::super::session::SessionKeys;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cookies_are_found_by_their_exact_name() {
        for (header, found) in [
            ("via_session_id=a", Some("a")),
            ("x=1; via_session_id=a; y=2", Some("a")),
            ("x=1;via_session_id = a ;y=2", Some("a")),
            ("via_session_id=a; via_session_id=b", Some("a")),
            ("via_session_id=a=b", Some("a=b")),
            ("via_session_id=", Some("")),
            ("via_session_id", None),
            ("VIA_SESSION_ID=a", None),
            ("xvia_session_id=a; via_session_idx=b", None),
            ("x=via_session_id=a", None),
            ("x=\"; via_session_id=a\"", Some("a\"")),
            ("", None),
            (";;;=;=;", None),
        ] {
            assert_eq!(find(header, NAME), found, "{header}");
        }
    }

    #[test]
    fn every_value_of_the_one_name_is_offered() {
        let header = "via_session_id=a; __Host-via_session_id=b; via_session_id=c";
        assert_eq!(session_values(header, true).collect::<Vec<_>>(), ["b"]);
        assert_eq!(
            session_values(header, false).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }

    #[test]
    fn a_flood_of_pairs_is_cut() {
        let near = format!("{}via_session_id=a", "x=1;".repeat(MAX_PAIRS - 1));
        let far = format!("{}via_session_id=a", "x=1;".repeat(MAX_PAIRS));
        assert_eq!(find(&near, NAME), Some("a"));
        assert_eq!(find(&far, NAME), None);
    }

    #[test]
    fn the_attributes_are_complete() {
        let id = SessionKeys::new(vec![[7; 32]]).unwrap().sign([1; 8]);
        let value = id.cookie_value();
        assert_eq!(
            set_session(&id, false),
            format!("via_session_id={value}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax")
        );
        assert_eq!(
            set_session(&id, true),
            format!(
                "__Host-via_session_id={value}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"
            )
        );
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_found(before in "([a-z]{1,5}=[!-:<-~]{0,9}; ){0,20}", value in "[!-:<-~]{0,40}") {
            let header = format!("{before}via_session_id={value}; z=1");
            prop_assert_eq!(find(&header, NAME), Some(value.as_str()));
        }

        #[test]
        fn any_text_is_harmless(header: String) {
            for value in session_values(&header, true) {
                prop_assert!(!value.contains(';'));
            }
        }
    }
}
