//! Any bytes as a request head. What passes must read the same to a plain second reader.
#![no_main]

use autovia_fuzz::wire::head::{find_end, find_end_from, parse, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = find_end(bytes);
    let half = bytes.len() / 2;
    match find_end(&bytes[..half]) {
        Some(early) => assert_eq!(Some(early), end),
        None => assert_eq!(find_end_from(bytes, half), end),
    }
    let Some(end) = end else { return };
    let raw = &bytes[..end];
    let scanned = scan(raw);
    let parsed = parse(raw);
    assert_eq!(
        scanned.err(),
        parsed.as_ref().err().copied(),
        "httparse and the scan disagree"
    );
    let Ok(head) = parsed else { return };

    let text: Vec<&[u8]> = raw
        .strip_prefix(b"\r\n")
        .unwrap_or(raw)
        .split(|&byte| byte == b'\n')
        .collect();
    let lines: Vec<&[u8]> = text[..text.len() - 1]
        .iter()
        .map(|line| line.strip_suffix(b"\r").expect("CR LF"))
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| !line.iter().any(|byte| matches!(byte, 0 | b'\r')))
    );
    assert_eq!(head.headers().count(), lines.len() - 2);
    let mut lengths = 0;
    for (line, (name, value)) in lines[1..].iter().zip(head.headers()) {
        let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
        assert_eq!(line[..colon].to_ascii_lowercase(), name.as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&line[colon + 1..]).trim_matches([' ', '\t']),
            value
        );
        lengths += usize::from(matches!(name, "content-length" | "transfer-encoding"));
    }
    assert!(lengths <= 1);
});
