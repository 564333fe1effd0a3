//! Which descriptor tables the shards have.
//!
//! One table for all is cheaper to hand a socket over in, and values of the app that own a descriptor may
//! cross threads. One per shard holds as many connections as there are shards times the limit.

use std::io;
use std::net::TcpListener;

use super::StartError;
use super::config::settings::DESCRIPTOR_TABLES;
use super::config::{Config, DescriptorTables};
use super::seat::OwnTable;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::tables::{Parting, may_part};

/// A limit of open files from here on is taken for enough for all shards together.
const ROOMY_OPEN_FILES: u64 = 65_536;

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    Shared,
    PerShard,
}

impl Tables {
    /// By the option, the number of shards, and the limit of open files.
    pub fn choose(config: &Config, open_files: u64) -> Result<Self, StartError> {
        match config.descriptor_tables {
            DescriptorTables::Shared => Ok(Self::Shared),
            DescriptorTables::PerShard => match may_part() {
                Ok(()) => Ok(Self::PerShard),
                Err(error) => Err(StartError::Machine(format!(
                    "--{} per-shard: a thread may not have a descriptor table of its own here ({error}): allow unshare(CLONE_FILES) in the sandbox, or use shared or auto",
                    DESCRIPTOR_TABLES.name
                ))),
            },
            DescriptorTables::Auto => Ok(Self::by_itself(config.shards, open_files)),
        }
    }

    /// What `auto` means on this machine.
    pub fn by_itself(shards: usize, open_files: u64) -> Self {
        if shards > 1 && open_files < ROOMY_OPEN_FILES && may_part().is_ok() {
            Self::PerShard
        } else {
            Self::Shared
        }
    }

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::PerShard => "per-shard",
        }
    }
}

/// Where connections come in, and which tables they go into.
pub(super) struct Doors {
    pub listeners: Vec<TcpListener>,
    pub tables: Tables,
}

impl Doors {
    /// What each shard needs to have a table of its own, if it is to have one, for `members` threads.
    pub fn own_tables(
        &self,
        members: usize,
    ) -> io::Result<(Option<Parting>, Vec<Option<OwnTable>>)> {
        if self.tables == Tables::Shared {
            let none = self.listeners.iter().map(|_| None).collect();
            return Ok((None, none));
        }
        let parting = Parting::new(members, &self.listeners);
        let tables = Mailbox::for_all(self.listeners.len())?
            .into_iter()
            .map(|mailbox| {
                let parting = parting.clone();
                Some(OwnTable { parting, mailbox })
            })
            .collect();
        Ok((Some(parting), tables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_gets_a_table_where_one_is_small() {
        assert_eq!(Tables::by_itself(1, 1024), Tables::Shared);
        assert_eq!(Tables::by_itself(2, 65_536), Tables::Shared);
        assert_eq!(Tables::by_itself(2, 20_000), Tables::PerShard);
    }
}
