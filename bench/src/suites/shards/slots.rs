//! Values by key, shared by all threads: the slot table beside maps that others use for this.
//!
//! A read copies the value to the caller and keeps nothing locked. An update makes all bytes of the new value from
//! the old one. Keys, their number and the hash (SipHash-1-3, as strangers may choose keys) are the same for all.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

use autovia_shards::{Row, SlotTable};
use dashmap::DashMap;

use super::time::{against, alone, together};
use super::{Case, Cores};

const KEYS: usize = 1024;

pub(super) const EXPLANATION: &str = "1,024 keys of 16 bytes. A read copies the value out and leaves nothing locked; an \
    update makes all bytes of the new value from the old ones, in place where the peer can. With one thread, and with each \
    its own keys, a thread goes over many. All hash by SipHash-1-3 under a secret key. The targets, for values of 64 bytes, \
    are 50 ns for a read and 200 ns for an update while two threads contend.";

pub(super) fn cases(value_bytes: usize) -> Vec<Case> {
    [
        ("read, one thread", Scene::Read),
        ("read, both the same key", Scene::ReadBoth),
        ("read, the other updates the key", Scene::ReadUpdated),
        ("update, one thread", Scene::Update),
        ("update, each its own keys", Scene::UpdateApart),
        ("update, both the same key", Scene::UpdateBoth),
    ]
    .map(|(name, scene)| {
        Case::new(name)
            .with(
                "slot table, by key",
                measure::<SlotTable>(scene, value_bytes),
            )
            .with(
                "slot table, by handle",
                measure::<ByHandle>(scene, value_bytes),
            )
            .with(
                "Mutex<HashMap>",
                measure::<Mutex<HashMap<Key, Vec<u8>>>>(scene, value_bytes),
            )
            .with(
                "DashMap",
                measure::<DashMap<Key, Vec<u8>>>(scene, value_bytes),
            )
            .with(
                "papaya",
                measure::<papaya::HashMap<Key, Vec<u8>>>(scene, value_bytes),
            )
            .with(
                "scc",
                measure::<scc::HashMap<Key, Vec<u8>>>(scene, value_bytes),
            )
    })
    .into()
}

/// Who does what.
#[derive(Clone, Copy)]
enum Scene {
    Read,
    ReadBoth,
    ReadUpdated,
    Update,
    UpdateApart,
    UpdateBoth,
}

fn measure<S: Store>(scene: Scene, value_bytes: usize) -> impl Fn(Cores) -> f64 {
    move |cores| {
        let store = S::with(value_bytes);
        let handles: Vec<S::Handle> = (0..KEYS)
            .map(|number| store.insert(key(number), vec![0; value_bytes]))
            .collect();
        let (store, handles) = (&store, &handles);
        let reader = |mut places: Places| {
            let mut out = Vec::with_capacity(value_bytes);
            move |operations: u64| {
                for _ in 0..operations {
                    store.read(handles[places.next()], &mut out);
                    assert_eq!(out.len(), value_bytes, "a read gives the value");
                    black_box(&mut out);
                }
            }
        };
        let writer = |mut places: Places| {
            move |operations: u64| {
                for _ in 0..operations {
                    store.update(handles[places.next()]);
                }
            }
        };
        match scene {
            Scene::Read => alone(cores, reader(Places::all())),
            Scene::ReadBoth => together(cores, reader(Places::one()), reader(Places::one())),
            Scene::ReadUpdated => {
                let mut other = writer(Places::one());
                against(cores, reader(Places::one()), move || other(16))
            }
            Scene::Update => alone(cores, writer(Places::all())),
            Scene::UpdateApart => together(cores, writer(Places::even()), writer(Places::odd())),
            Scene::UpdateBoth => together(cores, writer(Places::one()), writer(Places::one())),
        }
    }
}

/// The places of the keys that a thread uses, one after another, in steps of many lines.
#[derive(Clone, Copy)]
struct Places {
    at: usize,
    stride: usize,
}

impl Places {
    fn all() -> Places {
        Places { at: 0, stride: 367 }
    }

    fn even() -> Places {
        Places { at: 0, stride: 366 }
    }

    fn odd() -> Places {
        Places { at: 1, stride: 366 }
    }

    fn one() -> Places {
        Places { at: 7, stride: 0 }
    }

    fn next(&mut self) -> usize {
        self.at = (self.at + self.stride) % KEYS;
        self.at
    }
}

type Key = [u8; 16];

fn key(number: usize) -> Key {
    let mut key = *b"room:           ";
    let digits = number.to_string();
    key[5..5 + digits.len()].copy_from_slice(digits.as_bytes());
    key
}

/// A value after `old`: its first eight bytes count up, the others are set to the lowest byte of the count.
fn fill_next(value: &mut [u8]) {
    let (count, rest) = value.split_at_mut(8);
    let next = u64::from_le_bytes(count.try_into().expect("eight bytes")) + 1;
    count.copy_from_slice(&next.to_le_bytes());
    rest.fill(next.to_le_bytes()[0]);
}

fn next_of(old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    fill_next(&mut new);
    new
}

/// Values by key; after the first time by whatever finds them again.
trait Store: Sync {
    type Handle: Copy + Send + Sync;
    fn with(value_bytes: usize) -> Self;
    fn insert(&self, key: Key, value: Vec<u8>) -> Self::Handle;
    fn read(&self, handle: Self::Handle, out: &mut Vec<u8>);
    fn update(&self, handle: Self::Handle);
}

struct ByHandle(SlotTable);

impl Store for ByHandle {
    type Handle = Row;

    fn with(value_bytes: usize) -> Self {
        ByHandle(<SlotTable as Store>::with(value_bytes))
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Row {
        self.0.set(&key, &value).expect("it fits");
        self.0.find(&key).expect("a short key").expect(THERE)
    }

    fn read(&self, row: Row, out: &mut Vec<u8>) {
        self.0.read_row(row, out).expect(THERE);
    }

    fn update(&self, row: Row) {
        let updated = self.0.update_row(row, |old| Some(next_of(old)));
        updated.expect(THERE);
    }
}

impl Store for SlotTable {
    type Handle = Key;

    fn with(value_bytes: usize) -> Self {
        SlotTable::new(KEYS, value_bytes, [0x5eed, 0xbeef])
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Key {
        self.set(&key, &value).expect("it fits");
        key
    }

    fn read(&self, key: Key, out: &mut Vec<u8>) {
        SlotTable::read(self, &key, out).expect(THERE);
    }

    fn update(&self, key: Key) {
        let updated = SlotTable::update(self, &key, |old| old.map(next_of));
        updated.expect(THERE);
    }
}

impl Store for Mutex<HashMap<Key, Vec<u8>>> {
    type Handle = Key;

    fn with(_: usize) -> Self {
        Mutex::new(HashMap::with_capacity(KEYS))
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Key {
        self.lock().expect(UNHARMED).insert(key, value);
        key
    }

    fn read(&self, key: Key, out: &mut Vec<u8>) {
        copy(self.lock().expect(UNHARMED).get(&key).expect(THERE), out);
    }

    fn update(&self, key: Key) {
        fill_next(self.lock().expect(UNHARMED).get_mut(&key).expect(THERE));
    }
}

impl Store for DashMap<Key, Vec<u8>> {
    type Handle = Key;

    fn with(_: usize) -> Self {
        DashMap::with_capacity(KEYS)
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Key {
        DashMap::insert(self, key, value);
        key
    }

    fn read(&self, key: Key, out: &mut Vec<u8>) {
        copy(&self.get(&key).expect(THERE), out);
    }

    fn update(&self, key: Key) {
        fill_next(&mut self.get_mut(&key).expect(THERE));
    }
}

impl Store for papaya::HashMap<Key, Vec<u8>> {
    type Handle = Key;

    fn with(_: usize) -> Self {
        papaya::HashMap::with_capacity(KEYS)
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Key {
        self.pin().insert(key, value);
        key
    }

    fn read(&self, key: Key, out: &mut Vec<u8>) {
        copy(self.pin().get(&key).expect(THERE), out);
    }

    fn update(&self, key: Key) {
        let map = self.pin();
        map.update(key, |old| next_of(old)).expect(THERE);
    }
}

impl Store for scc::HashMap<Key, Vec<u8>> {
    type Handle = Key;

    fn with(_: usize) -> Self {
        scc::HashMap::with_capacity(KEYS)
    }

    fn insert(&self, key: Key, value: Vec<u8>) -> Key {
        self.upsert_sync(key, value);
        key
    }

    fn read(&self, key: Key, out: &mut Vec<u8>) {
        self.read_sync(&key, |_, value| copy(value, out))
            .expect(THERE);
    }

    fn update(&self, key: Key) {
        self.update_sync(&key, |_, value| fill_next(value))
            .expect(THERE);
    }
}

const THERE: &str = "the key was inserted at the start and is never removed";
const UNHARMED: &str = "no thread panics with the lock held";

fn copy(value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_all_updates<S: Store>() {
        let store = S::with(64);
        let handle = store.insert(key(7), vec![0; 64]);
        store.insert(key(8), vec![0; 64]);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..1000).for_each(|_| store.update(handle)));
            }
        });
        let mut out = Vec::new();
        store.read(handle, &mut out);
        assert_eq!(out[..8], 2000_u64.to_le_bytes());
        assert_eq!(out[8..], [2000_u64.to_le_bytes()[0]; 56]);
    }

    #[test]
    fn every_peer_does_the_same_work() {
        keeps_all_updates::<ByHandle>();
        keeps_all_updates::<SlotTable>();
        keeps_all_updates::<Mutex<HashMap<Key, Vec<u8>>>>();
        keeps_all_updates::<DashMap<Key, Vec<u8>>>();
        keeps_all_updates::<papaya::HashMap<Key, Vec<u8>>>();
        keeps_all_updates::<scc::HashMap<Key, Vec<u8>>>();
    }

    #[test]
    fn places_cover_what_they_say() {
        let visited = |mut places: Places| {
            let mut visited: Vec<usize> = (0..KEYS).map(|_| places.next()).collect();
            visited.sort_unstable();
            visited.dedup();
            visited
        };
        assert_eq!(visited(Places::all()).len(), KEYS);
        assert!(visited(Places::even()).iter().all(|place| place % 2 == 0));
        assert!(visited(Places::odd()).iter().all(|place| place % 2 == 1));
        assert_eq!(visited(Places::odd()).len(), KEYS / 2);
        assert_eq!(visited(Places::one()), [7]);
    }
}
