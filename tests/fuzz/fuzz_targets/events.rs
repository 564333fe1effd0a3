//! Any text in every field of an event: the independent decoder sees one event with that text.
#![no_main]

use autovia_fuzz::wire::sse::decode::Decoder;
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

        let mut decoder = Decoder::new();
        let events = decoder.feed(&out);
        assert!(decoder.is_between_events());
        let [elements, signals, script] = events.as_slice() else {
            panic!("{} events instead of 3", events.len());
        };
        let last = id.map(|id| id.to_string()).unwrap_or_default();
        assert!(events.iter().all(|event| event.id == last));
        assert_eq!(decoder.retry_ms(), Some(5));
        assert_eq!(decoder.take_comments().join("\n"), seen(text));
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
