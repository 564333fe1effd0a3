//! Commands as arrays of bulk strings, the one form that servers of all versions take.

/// Appends one command.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    header(out, b'*', words.len());
    for word in words {
        header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(count.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_any_bytes() {
        let mut out = Vec::new();
        command(&mut out, &[b"PING", b"", b"a\r\n*1"]);
        assert_eq!(out, b"*3\r\n$4\r\nPING\r\n$0\r\n\r\n$5\r\na\r\n*1\r\n");
    }
}
