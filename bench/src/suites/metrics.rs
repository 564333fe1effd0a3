//! What an autovia server counts, from its `/_metrics`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The counter `name` of each shard.
pub fn per_shard(server: SocketAddr, name: &str) -> io::Result<Vec<u64>> {
    let mut socket = TcpStream::connect(server)?;
    write!(
        socket,
        "GET /_metrics HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let found = samples(&answer, name);
    if found.is_empty() {
        let text = format!("/_metrics has no {name}: {answer}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(found)
}

fn samples(text: &str, name: &str) -> Vec<u64> {
    text.lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix("{shard="))
        .filter_map(|sample| sample.rsplit(' ').next()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::samples;

    #[test]
    fn each_shard_has_its_own_and_longer_names_are_others() {
        let text = "# TYPE a gauge\na{shard=\"0\"} 3\na{shard=\"1\"} 4\na_total{shard=\"0\"} 9\n";
        assert_eq!(samples(text, "a"), [3, 4]);
        assert_eq!(samples(text, "a_total"), [9]);
        assert_eq!(samples(text, "b"), [0; 0]);
    }
}
