//! Errors on purpose: what the generator must find out, or its zeros are worth nothing.

use std::collections::HashMap;
use std::num::NonZeroU64;

/// Which of all sends (counted from 1, over all streams) go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Faults {
    /// Leave out each n-th event.
    #[arg(long, value_name = "N")]
    pub drop_every: Option<NonZeroU64>,
    /// Send each n-th event twice.
    #[arg(long, value_name = "N")]
    pub double_every: Option<NonZeroU64>,
    /// Send each n-th event only after the next one of its stream.
    #[arg(long, value_name = "N")]
    pub swap_every: Option<NonZeroU64>,
}

/// Faults under way.
#[derive(Debug)]
pub struct Sabotage {
    faults: Faults,
    sends: u64,
    held: HashMap<u64, Vec<u8>>,
}

impl Sabotage {
    /// Starts to count; none if nothing shall go wrong.
    pub fn new(faults: Faults) -> Option<Sabotage> {
        (faults != Faults::default()).then(|| Sabotage {
            faults,
            sends: 0,
            held: HashMap::new(),
        })
    }

    /// What stream `token` gets instead of `event`.
    pub fn bytes_for(&mut self, token: u64, event: &[u8]) -> Vec<u8> {
        self.sends += 1;
        let hits = |every: Option<NonZeroU64>| {
            every.is_some_and(|every| self.sends.is_multiple_of(every.get()))
        };
        if hits(self.faults.drop_every) {
            return Vec::new();
        }
        if hits(self.faults.double_every) {
            return event.repeat(2);
        }
        if let Some(held) = self.held.remove(&token) {
            return [event, &held].concat();
        }
        if hits(self.faults.swap_every) {
            self.held.insert(token, event.to_vec());
            return Vec::new();
        }
        event.to_vec()
    }
}
