//! The event that every server sends: one Datastar patch of about 200 bytes with a sequence number.
//!
//! The generator reads `seq=<n>` and nothing else; the padding makes the events of all servers alike in size,
//! whatever the digits of the number are.

/// Bytes of the event as the floor and axum write it, HTTP framing apart.
pub const EVENT_BYTES: usize = 200;

/// Bytes of the element on the page for slow readers.
pub const LARGE_BYTES: usize = 4096;

const HTML_BYTES: usize = 135;

/// The patched element: a number in a fixed amount of text.
///
/// ```
/// assert!(autovia_bench::event::html(7).contains("seq=7 "));
/// assert_eq!(autovia_bench::event::html(7).len(), autovia_bench::event::html(12_345).len());
/// ```
pub fn html(seq: u64) -> String {
    element(&text(seq), HTML_BYTES)
}

/// The same in the size of a whole page's content.
pub fn large(seq: u64) -> String {
    element(&text(seq), LARGE_BYTES)
}

/// The same with the viewer's number, so that no two viewers see the same.
pub fn own(seq: u64, viewer: u64) -> String {
    element(&format!("{}viewer={viewer} ", text(seq)), HTML_BYTES)
}

fn element(text: &str, bytes: usize) -> String {
    let (open, close) = ("<p id=\"bench\">", "</p>");
    let width = bytes - open.len() - close.len();
    format!("{open}{text:.<width$}{close}")
}

/// The text inside the element: the number, followed by a space.
pub fn text(seq: u64) -> String {
    format!("seq={seq} ")
}

/// The whole event, ready for the socket.
pub fn encode(seq: u64) -> Vec<u8> {
    let head = format!("event: datastar-patch-elements\nid: {seq:012}\ndata: elements ");
    let mut event = head.into_bytes();
    event.extend_from_slice(html(seq).as_bytes());
    event.extend_from_slice(b"\n\n");
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_the_same_size() {
        for seq in [0, 9, 10, 1_000_000] {
            assert_eq!(encode(seq).len(), EVENT_BYTES, "seq {seq}");
        }
    }
}
