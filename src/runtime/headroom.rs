//! How much of a descriptor table is kept free, so that who is full still works.
//!
//! A new descriptor has the lowest free number, so a number near the limit says that the table is nearly
//! full. Connections stop first; what is left is for sockets from other shards, then for files of the app.

use std::os::fd::{AsRawFd, RawFd};

use rustix::process::{Resource, getrlimit};

/// Numbers that accepted connections leave free.
const KEPT_FROM_ACCEPT: u64 = 128;

/// Of a small table only a part is kept: one in so many.
const KEPT_PART: u64 = 8;

/// From which numbers on a table is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    accept_end: u64,
    hand_end: u64,
}

impl Headroom {
    /// By the soft limit of open files that holds now.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    fn of(limit: u64) -> Self {
        let kept = KEPT_FROM_ACCEPT.min(limit / KEPT_PART);
        Self {
            accept_end: limit - kept,
            hand_end: limit - kept / 2,
        }
    }

    /// A connection with this descriptor is one too many.
    #[must_use]
    pub fn is_too_many(&self, fd: &impl AsRawFd) -> bool {
        number(fd.as_raw_fd()) >= self.accept_end
    }

    /// A socket from another shard with this descriptor is one too many.
    #[must_use]
    pub fn is_too_many_handed(&self, fd: &impl AsRawFd) -> bool {
        number(fd.as_raw_fd()) >= self.hand_end
    }
}

fn number(fd: RawFd) -> u64 {
    u64::try_from(fd).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_sockets_and_those_for_files() {
        for (limit, accept_end, hand_end) in [
            (20_000, 19_872, 19_936),
            (256, 224, 240),
            (u64::MAX, u64::MAX - 128, u64::MAX - 64),
        ] {
            let headroom = Headroom::of(limit);
            assert_eq!(
                headroom,
                Headroom {
                    accept_end,
                    hand_end
                }
            );
            assert!(!headroom.is_too_many(&0));
        }
        let small = Headroom::of(256);
        assert!(!small.is_too_many(&223) && small.is_too_many(&224));
        assert!(!small.is_too_many_handed(&239) && small.is_too_many_handed(&240));
    }
}
