//! The server's own certificate: until when it is valid.

use std::time::{Duration, SystemTime};

use super::super::config::Config;
use super::super::tls;
use super::Finding;

/// A certificate that ends within so many days is worth a word: most are renewed a month before.
const SOON_DAYS: u64 = 14;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Looks at the certificate of a server with these options; nothing without TLS.
pub(super) fn look(config: &Config) -> Option<Finding> {
    let pair = match tls::read(config)? {
        Ok(pair) => pair,
        Err(reason) => {
            let change = "name a certificate and its key, both in PEM".to_owned();
            return Some(Finding::fail("certificate", reason, change));
        }
    };
    Some(judge(pair.doubt(), pair.valid_until(), SystemTime::now()))
}

fn judge(doubt: Option<String>, end: Option<SystemTime>, now: SystemTime) -> Finding {
    let renew = "renew it: the server takes the new files without a restart".to_owned();
    if let Some(doubt) = doubt {
        return Finding::warn("certificate", doubt, renew);
    }
    let Some(end) = end else {
        return Finding::ok("certificate", "it belongs to its key".to_owned());
    };
    let left = end.duration_since(now).unwrap_or_default().as_secs() / DAY.as_secs();
    let found = format!("valid until {} ({left} days)", httpdate::fmt_http_date(end));
    if left < SOON_DAYS {
        Finding::warn("certificate", found, renew)
    } else {
        Finding::ok("certificate", found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_is_worth_a_word() {
        let now = SystemTime::UNIX_EPOCH;
        let state = |days: u32| judge(None, Some(now + days * DAY), now).state;
        assert_eq!(state(13), State::Warn);
        assert_eq!(state(14), State::Ok);
        let over = judge(Some("it is over".to_owned()), Some(now), now);
        assert_eq!(
            (over.state, over.found.as_str()),
            (State::Warn, "it is over")
        );
        let found = judge(None, Some(now + 20 * DAY), now).found;
        assert_eq!(found, "valid until Wed, 21 Jan 1970 00:00:00 GMT (20 days)");
    }
}
