//! What the structures take from the allocator, and what they give back, by the allocator's own count.

mod counting;

use autovia_shards::{Invalidation, MeshConfig, Names, SlotTable, mesh};
use counting::live;

/// A parcel of 16 bytes: a boxed trait object, or a tag and a box.
type Parcel = (u64, Box<u64>);

/// Bytes of a mesh, quiet and with every pending set as full as it gets.
fn mesh_bytes(members: usize) -> (usize, usize) {
    let config = MeshConfig::default();
    let before = live();
    let wakes = (0..members).map(|_| Box::new(|| ()) as Box<_>).collect();
    let mut ends = mesh::<Parcel>(wakes, config);
    let quiet = live() - before;
    let mut worst = quiet;
    // How the pending entries are spread over receivers changes how full their tables are.
    for scopes in [14, 29, 113, 2_000].map(|scopes| scopes.min(3_000 / members as u64)) {
        for end in &mut ends {
            for scope in 0..scopes + 64 {
                end.invalidate_others(Invalidation { kind: 0, scope });
            }
        }
        worst = worst.max(live() - before);
        while {
            for end in &mut ends {
                end.receive(|_, _| ());
            }
            ends.iter_mut().fold(false, |left, end| !end.flush() | left)
        } {}
        for end in &mut ends {
            end.receive(|_, _| ());
        }
    }
    let after = live() - before;
    assert_eq!(after, quiet, "all of the pending sets is given back");
    (quiet, worst)
}

#[test]
fn memory_is_bounded_and_given_back() {
    for (members, limit_kib) in [(2, 256), (17, 4 << 10), (65, 16 << 10), (129, 64 << 10)] {
        let (quiet, worst) = mesh_bytes(members);
        println!(
            "mesh of {members}: {} KiB, {} KiB with all lanes full",
            quiet >> 10,
            worst >> 10
        );
        assert!(
            worst < limit_kib << 10,
            "{members} members take {worst} bytes"
        );
    }

    let mut names = Names::new();
    let before = live();
    for i in 0..200_000 {
        let id = names.acquire(&format!("room:{i}"));
        names.release(id);
    }
    let ids: Vec<_> = (0..100_000)
        .map(|i| names.acquire(&format!("room:{i}")))
        .collect();
    let peak = live() - before;
    for id in ids {
        names.release(id);
    }
    let after = live() - before;
    println!(
        "names: {} KiB for 100,000, {after} bytes afterwards",
        peak >> 10
    );
    assert!(after < 8 << 10, "{after} bytes stay behind");

    let before = live();
    let table = SlotTable::new(65_536, 256, [1, 2]);
    let bytes = live() - before;
    for key in 0..1_000u64 {
        table.set(&key.to_le_bytes(), b"value").unwrap();
    }
    // Looked at before anything is printed: the harness keeps what is printed.
    let after = live() - before;
    println!("slot table of 65,536 × 256 bytes: {} KiB", bytes >> 10);
    assert_eq!(after, bytes, "a table never grows");
}
