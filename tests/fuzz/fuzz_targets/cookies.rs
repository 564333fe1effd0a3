//! Any text as a Cookie header: nothing but a signed value becomes a session.
#![no_main]

use std::sync::LazyLock;

use autovia_fuzz::wire::cookie::{self, NAME};
use autovia_fuzz::wire::session::SessionKeys;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<SessionKeys> =
    LazyLock::new(|| SessionKeys::new([[1; 32], [2; 32]]).expect("keys"));

fuzz_target!(|header: &str| {
    for value in cookie::session_values(header, true) {
        assert!(header.contains(value) && !value.contains(';'));
        if let Some(id) = KEYS.verify(value) {
            assert_eq!(id, KEYS.sign(id_random(value)));
        }
    }
    let id = KEYS.sign([7; 8]);
    let joined = format!("{NAME}={}; {header}", id.cookie_value());
    let found = cookie::find(&joined, NAME).and_then(|value| KEYS.verify(value));
    assert_eq!(found, Some(id));
});

fn id_random(value: &str) -> [u8; 8] {
    let number = u64::from_str_radix(&value[..16], 16).expect("hex");
    number.to_be_bytes()
}
