//! Any text in every field of an event: two decoders, which share nothing with the encoder nor with
//! each other, see one event with that text. And any bytes as a stream: they see the same in it.
#![no_main]

use autovia_fuzz::second_event_parser::{EventParser, Frame};
use autovia_fuzz::wire::sse::decode::{Decoder, Event};
use autovia_fuzz::wire::sse::{
    Elements, Mode, comment, patch_elements, patch_signals, retry, script,
};
use libfuzzer_sys::fuzz_target;

const MODES: [Mode; 8] = [
    Mode::Outer,
    Mode::Inner,
    Mode::Replace,
    Mode::Prepend,
    Mode::Append,
    Mode::Before,
    Mode::After,
    Mode::Remove,
];

fn seen(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn decode(bytes: &[u8]) -> (Decoder, Vec<Event>) {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    // Cut anywhere, CR LF too.
    for piece in bytes.chunks(3) {
        events.extend(decoder.feed(piece));
    }
    (decoder, events)
}

/// The second parser sees the same events and comments. It gives blocks without data too, which
/// no browser sees, and knows no byte order mark.
fn agree(bytes: &[u8], events: &[Event], comments: &[String]) {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let (mut others, mut remarks) = (Vec::new(), Vec::new());
    for frame in EventParser::default().push(bytes) {
        match frame {
            Frame::Event(event) if !event.data.is_empty() => others.push(event),
            Frame::Event(_) => {}
            Frame::Comment(text) => remarks.push(text),
        }
    }
    assert_eq!(remarks, comments);
    assert_eq!(others.len(), events.len());
    for (other, event) in others.iter().zip(events) {
        assert_eq!(other.name, event.kind);
        assert_eq!(other.data.join("\n"), event.data);
    }
}

fuzz_target!(
    |input: (Option<u64>, Option<u32>, Option<&str>, u8, bool, &str)| {
        let (id, retry_ms, selector, mode, view_transition, text) = input;
        let mode = MODES[usize::from(mode) % MODES.len()];
        let mut out = Vec::new();
        patch_elements(
            &mut out,
            &Elements {
                id,
                retry_ms,
                selector,
                mode,
                namespace: None,
                view_transition,
                html: text,
            },
        );
        comment(&mut out, text);
        patch_signals(&mut out, id, view_transition, text.as_bytes());
        retry(&mut out, 5);
        script(&mut out, id, text);

        let (mut decoder, events) = decode(&out);
        assert!(decoder.is_between_events());
        let comments = decoder.take_comments();
        agree(&out, &events, &comments);
        assert_eq!(comments.join("\n"), seen(text));
        let [elements, signals, script] = events.as_slice() else {
            panic!("{} events instead of 3", events.len());
        };
        let last = id.map(|id| id.to_string()).unwrap_or_default();
        assert!(events.iter().all(|event| event.id == last));
        assert_eq!(decoder.retry_ms(), Some(5));
        let (mut noise, found) = decode(text.as_bytes());
        agree(text.as_bytes(), &found, &noise.take_comments());
        assert_eq!(elements.kind, "datastar-patch-elements");
        assert_eq!(
            elements.argument("selector"),
            selector.filter(|text| !text.is_empty()).map(seen)
        );
        assert_eq!(
            elements.argument("elements").unwrap_or_default(),
            seen(text)
        );
        assert_eq!(signals.kind, "datastar-patch-signals");
        assert_eq!(signals.argument("signals"), Some(seen(text)));
        let html = script.argument("elements").expect("a script");
        let inner = html
            .strip_prefix("<script data-effect=\"el.remove()\">")
            .and_then(|html| html.strip_suffix("</script>"))
            .expect("one element");
        let lower = inner.to_ascii_lowercase();
        assert!(!lower.contains("</script") && !lower.contains("<!--"));
    }
);
