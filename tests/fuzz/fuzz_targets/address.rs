//! Any text as a path, a segment and a context id.
#![no_main]

use autovia_fuzz::wire::id::ContextId;
use autovia_fuzz::wire::{path, percent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if path::check(text).is_ok() {
        for segment in text.split('/') {
            let decoded = percent::decode_segment(segment).expect("checked");
            assert!(!decoded.contains(['\0', '\\']));
            assert!(decoded.split('/').all(|part| part != "." && part != ".."));
        }
    }
    if let Ok(decoded) = percent::decode_query(text) {
        assert!(decoded.len() <= text.len() && !decoded.contains('\0'));
    }
    if let Ok(id) = ContextId::decode(text) {
        assert_eq!(id.encode(), text);
    }
});
