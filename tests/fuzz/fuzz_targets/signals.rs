//! Any bytes as an action's body and as a stream's query: what passes is what a second JSON reader
//! sees, and goes into an attribute and back unchanged.
#![no_main]

use autovia_fuzz::wire::body::{ARGS_MEMBER, ActionBody, CONTEXT_MEMBER, MAX_DEPTH, stream_query};
use autovia_fuzz::wire::number::{browser_json, json_for_attribute};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(query) = std::str::from_utf8(bytes) {
        let _ = stream_query(query, 4096);
        let _ = stream_query(&format!("datastar={query}"), 4096);
    }
    let Ok(body) = ActionBody::parse(bytes, MAX_DEPTH, 4096) else {
        return;
    };
    assert!(bytes.len() <= 4096);
    let args = body.args.len();
    for (name, value) in &body.inputs {
        assert!(name != CONTEXT_MEMBER && name != ARGS_MEMBER);
        let sent = browser_json(value.get().as_bytes());
        let mut attribute = String::new();
        json_for_attribute(&sent, &mut attribute);
        assert!(!attribute.contains(['"', '<', '>', '\'']));
    }
    // A lone surrogate passes as raw JSON and fails where the value is used.
    if let Ok(whole) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(whole[CONTEXT_MEMBER].as_str(), Some(body.context.as_str()));
        assert_eq!(whole[ARGS_MEMBER].as_array().map_or(0, Vec::len), args);
        let others = whole.as_object().expect("an object").len() - 1;
        assert_eq!(
            others - usize::from(whole.get(ARGS_MEMBER).is_some()),
            body.inputs.len()
        );
    }
});
