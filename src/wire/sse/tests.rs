//! The encoder against an independent decoder, against the official encoder, and byte by byte.

use proptest::prelude::*;

use super::decode::{Decoder, Event};
use super::*;

/// What the browser makes of a text: every line end is an LF.
fn seen(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn decode(bytes: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::new();
    let events = decoder.feed(bytes);
    assert!(decoder.is_between_events(), "a half event is left");
    events
}

/// Text in which the pieces that could forge an event are frequent.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("event: x".to_owned()),
        Just("data: elements <i>".to_owned()),
        Just("id: 9".to_owned()),
        Just("retry: 1".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{85}".to_owned()),
        Just("</script>".to_owned()),
        Just("<!--".to_owned()),
        any::<String>(),
        "[a-z<>/]{0,5}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn mode() -> impl Strategy<Value = Mode> {
    use Mode::*;
    prop::sample::select(vec![
        Outer, Inner, Replace, Prepend, Append, Before, After, Remove,
    ])
}

#[test]
fn the_bytes_of_each_event() {
    let mut out = Vec::new();
    patch_elements(
        &mut out,
        &Elements {
            html: "<p id=\"a\">\nx</p>",
            ..Elements::default()
        },
    );
    patch_elements(
        &mut out,
        &Elements {
            id: Some(7),
            retry_ms: Some(1500),
            selector: Some("#c"),
            mode: Mode::Inner,
            namespace: Some(Namespace::Svg),
            view_transition: true,
            html: "<g/>",
        },
    );
    patch_elements(
        &mut out,
        &Elements {
            selector: Some("#c"),
            mode: Mode::Remove,
            ..Elements::default()
        },
    );
    patch_signals(&mut out, Some(u64::MAX), false, b"{\"n\":3}");
    patch_signals(&mut out, None, true, b"{}");
    script(&mut out, None, "go()");
    comment(&mut out, "");
    retry(&mut out, 250);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "event: datastar-patch-elements\ndata: elements <p id=\"a\">\ndata: elements x</p>\n\n\
         event: datastar-patch-elements\ndata: selector #c\ndata: mode inner\ndata: namespace svg\n\
         data: useViewTransition true\ndata: elements <g/>\nretry: 1500\nid: 7\n\n\
         event: datastar-patch-elements\ndata: selector #c\ndata: mode remove\n\n\
         event: datastar-patch-signals\ndata: signals {\"n\":3}\nid: 18446744073709551615\n\n\
         event: datastar-patch-signals\ndata: onlyIfMissing true\ndata: signals {}\n\n\
         event: datastar-patch-elements\ndata: selector body\ndata: mode append\n\
         data: elements <script data-effect=\"el.remove()\">go()</script>\n\n\
         : \n\nretry: 250\n\n"
    );
}

#[test]
fn forgeries_stay_text() {
    let forged = "a\r\n\r\nevent: datastar-patch-signals\rdata: signals {}\n\nid: 666\n\n";
    let mut out = Vec::new();
    let patch = Elements {
        id: Some(1),
        selector: Some(forged),
        html: forged,
        ..Elements::default()
    };
    patch_elements(&mut out, &patch);
    let events = decode(&out);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].id, "1");
    assert_eq!(events[0].argument("elements"), Some(seen(forged)));
    assert_eq!(events[0].argument("selector"), Some(seen(forged)));
}

#[test]
fn scripts_cannot_be_left() {
    for (js, sent) in [
        ("a('</script>')", "a('\\x3C/script>')"),
        ("a('</SCRIPT\n>')", "a('\\x3C/SCRIPT\n>')"),
        ("a('<!-- <script>')", "a('\\x3C!-- <script>')"),
        (
            "a('</body></Head></html>')",
            "a('\\x3C/body>\\x3C/Head>\\x3C/html>')",
        ),
        ("a('</bo<svg></svg>dy>')", "a('</bo<svg>\\x3C/svg>dy>')"),
        (
            "if (a<b && c</d/.e) f('</p>')",
            "if (a<b && c</d/.e) f('</p>')",
        ),
        ("'<'", "'<'"),
        ("<", "<"),
        ("<</script", "<\\x3C/script"),
        ("ä<ö", "ä<ö"),
    ] {
        let mut out = Vec::new();
        script(&mut out, None, js);
        let html = decode(&out)[0].argument("elements").unwrap();
        assert_eq!(
            html,
            format!("<script data-effect=\"el.remove()\">{sent}</script>")
        );
    }
}

#[test]
fn an_id_counts_only_once_its_event_is_whole() {
    let mut out = Vec::new();
    patch_signals(&mut out, Some(1), false, b"{}");
    let first = out.len();
    patch_signals(&mut out, Some(2), false, b"{}");
    // Datastar takes an id at its line, the standard at the empty line: before the last line nothing
    // of the second event may be known.
    let id_line = first
        + out[first..]
            .windows(4)
            .position(|window| window == b"id: ")
            .unwrap();
    assert_eq!(&out[id_line..], b"id: 2\n\n");
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(&out[..out.len() - 1]).len(), 1);
    assert_eq!(decoder.last_id(), "1");
    assert_eq!(decoder.feed(&out[out.len() - 1..]).len(), 1);
    assert_eq!(decoder.last_id(), "2");
}

#[test]
fn the_decoder_follows_the_standard() {
    let mut decoder = Decoder::new();
    let stream = "\u{feff}: hi\ndata\ndata:  two\rdata:three\r\n\nevent: e\n\nid: 4\n\nretry: 5x\nretry: 9\nid: a\0\nfoo: x\ndata: last\n\ndata: cut";
    let events = decoder.feed(stream.as_bytes());
    assert_eq!(
        events,
        [
            Event {
                kind: String::new(),
                id: String::new(),
                data: "\n two\nthree".into()
            },
            Event {
                kind: String::new(),
                id: "4".into(),
                data: "last".into()
            },
        ]
    );
    assert_eq!(decoder.take_comments(), ["hi"]);
    assert_eq!(decoder.retry_ms(), Some(9));
    assert!(!decoder.is_between_events());
}

proptest! {
    #[test]
    fn any_patch_is_one_event_with_that_text(
        id: Option<u64>,
        retry_ms: Option<u32>,
        selector in prop::option::of(hostile()),
        mode in mode(),
        svg in prop::option::of(any::<bool>()),
        view_transition: bool,
        html in hostile(),
    ) {
        let namespace = svg.map(|svg| if svg { Namespace::Svg } else { Namespace::MathMl });
        let patch = Elements {
            id, retry_ms, selector: selector.as_deref(), mode, namespace, view_transition, html: &html,
        };
        let mut out = Vec::new();
        patch_elements(&mut out, &patch);
        let mut decoder = Decoder::new();
        let events = decoder.feed(&out);
        prop_assert_eq!(events.len(), 1);
        prop_assert!(decoder.is_between_events());
        prop_assert_eq!(decoder.retry_ms(), retry_ms.map(u64::from));
        prop_assert!(decoder.take_comments().is_empty());
        let event = &events[0];
        prop_assert_eq!(&event.kind, "datastar-patch-elements");
        prop_assert_eq!(&event.id, &id.map(|id| id.to_string()).unwrap_or_default());
        let selector = selector.filter(|selector| !selector.is_empty());
        prop_assert_eq!(event.argument("selector"), selector.map(|selector| seen(&selector)));
        let mode_sent = (mode != Mode::Outer).then(|| mode.as_str().to_owned());
        prop_assert_eq!(event.argument("mode"), mode_sent);
        prop_assert_eq!(event.argument("namespace"), namespace.map(|space| space.as_str().to_owned()));
        prop_assert_eq!(event.argument("useViewTransition"), view_transition.then(|| "true".to_owned()));
        let elements = (!html.is_empty() || mode != Mode::Remove).then(|| seen(&html));
        prop_assert_eq!(event.argument("elements"), elements);
        let known = ["selector", "mode", "namespace", "useViewTransition", "elements"];
        prop_assert!(event.arguments().all(|(name, _)| known.contains(&name)));
    }

    #[test]
    fn any_signals_are_one_event_with_that_json(id: Option<u64>, missing: bool, json in hostile()) {
        let mut out = Vec::new();
        patch_signals(&mut out, id, missing, json.as_bytes());
        let events = decode(&out);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(&events[0].kind, "datastar-patch-signals");
        prop_assert_eq!(events[0].argument("signals"), Some(seen(&json)));
        prop_assert_eq!(events[0].argument("onlyIfMissing"), missing.then(|| "true".to_owned()));
    }

    #[test]
    fn any_script_is_one_closed_element(id: Option<u64>, js in hostile()) {
        let mut out = Vec::new();
        script(&mut out, id, &js);
        let events = decode(&out);
        prop_assert_eq!(events.len(), 1);
        let html = events[0].argument("elements").unwrap();
        let text = html
            .strip_prefix("<script data-effect=\"el.remove()\">")
            .and_then(|html| html.strip_suffix("</script>"))
            .unwrap();
        let lower = text.to_ascii_lowercase();
        for end in ["</script", "<!--", "</html", "</head", "</body", "</svg"] {
            prop_assert!(!lower.contains(end), "{}", text);
        }
        prop_assert_eq!(text.replace("\\x3C", "<"), seen(&js).replace("\\x3C", "<"));
    }

    #[test]
    fn comments_and_delays_are_no_events(text in hostile(), ms: u32) {
        let mut out = Vec::new();
        comment(&mut out, &text);
        retry(&mut out, ms);
        let mut decoder = Decoder::new();
        prop_assert!(decoder.feed(&out).is_empty());
        prop_assert!(decoder.is_between_events());
        prop_assert_eq!(decoder.take_comments().join("\n"), seen(&text));
        prop_assert_eq!(decoder.retry_ms(), Some(u64::from(ms)));
        prop_assert_eq!(decoder.last_id(), "");
    }

    #[test]
    fn events_in_a_row_stay_apart_however_the_stream_is_cut(
        texts in proptest::collection::vec(hostile(), 0..6),
        cut in 1usize..30,
    ) {
        let mut out = Vec::new();
        for (id, text) in (0u64..).zip(&texts) {
            match id % 3 {
                0 => patch_elements(&mut out, &Elements { id: Some(id), html: text, ..Elements::default() }),
                1 => patch_signals(&mut out, Some(id), false, text.as_bytes()),
                _ => script(&mut out, Some(id), text),
            }
            comment(&mut out, text);
        }
        let mut decoder = Decoder::new();
        let events: Vec<Event> = out.chunks(cut).flat_map(|bytes| decoder.feed(bytes)).collect();
        prop_assert_eq!(events.len(), texts.len());
        for (id, event) in events.iter().enumerate() {
            prop_assert_eq!(&event.id, &id.to_string());
        }
    }

    #[test]
    fn the_official_encoder_says_the_same_of_text_without_cr(
        selector in "[ -~]{1,12}",
        html in "[^\r]{0,60}",
        json in "[^\r]{1,60}",
        view_transition: bool,
    ) {
        use datastar::consts::ElementPatchMode;
        use datastar::prelude::{PatchElements, PatchSignals};

        // That encoder drops one LF at the end and all of an empty text.
        let html = format!("{html}.");
        let json = format!("{json}.");
        let theirs = PatchElements::new(html.as_str())
            .selector(selector.as_str())
            .mode(ElementPatchMode::Append)
            .use_view_transition(view_transition)
            .id("5")
            .into_datastar_event()
            .to_string();
        let mut ours = Vec::new();
        patch_elements(&mut ours, &Elements {
            id: Some(5), selector: Some(&selector), mode: Mode::Append, view_transition, html: &html,
            ..Elements::default()
        });
        prop_assert_eq!(decode(&ours), decode(theirs.as_bytes()));

        let theirs = PatchSignals::new(json.as_str()).only_if_missing(true).into_datastar_event().to_string();
        let mut ours = Vec::new();
        patch_signals(&mut ours, None, true, json.as_bytes());
        prop_assert_eq!(decode(&ours), decode(theirs.as_bytes()));
    }
}
