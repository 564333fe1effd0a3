//! Which content coding a client takes (RFC 9110, 12.5.3), and bodies in it.
//!
//! Only what is long enough to gain and is text is compressed. Pages hold nothing that an attacker could
//! guess byte by byte from the length of many answers: a context's id is drawn anew for each page.

use std::borrow::Cow;
use std::io::Write;

use super::Response;
use crate::wire::head::Head;

/// A shorter body fits into one packet anyway.
const MIN_BYTES: usize = 1024;

/// Pages are compressed each time: fast levels. Files once: better ones.
const PAGE: Levels = Levels {
    zstd: 3,
    brotli: 2,
    gzip: 3,
};
const FILE: Levels = Levels {
    zstd: 12,
    brotli: 9,
    gzip: 9,
};

/// Window of brotli: 2^18 bytes are more than a page.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER_BYTES: usize = 4096;

struct Levels {
    zstd: i32,
    brotli: u32,
    gzip: u32,
}

/// A content coding that this server speaks, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The one that the client likes best; of those that it likes equally, the best.
    pub fn pick(head: &Head) -> Option<Self> {
        let liked = Self::ALL
            .into_iter()
            .map(|coding| (coding, weight(head, coding)));
        let best = liked.rev().max_by_key(|(_, weight)| *weight);
        best.filter(|(_, weight)| *weight > 0)
            .map(|(coding, _)| coding)
    }

    /// Whether the client takes this one.
    pub fn is_taken(self, head: &Head) -> bool {
        weight(head, self) > 0
    }

    fn encode(self, body: &[u8], levels: &Levels) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Zstd => zstd::bulk::compress(body, levels.zstd),
            Self::Brotli => {
                let out = Vec::with_capacity(body.len() / 3);
                let mut writer = brotli::CompressorWriter::new(
                    out,
                    BROTLI_BUFFER_BYTES,
                    levels.brotli,
                    BROTLI_WINDOW,
                );
                writer.write_all(body)?;
                Ok(writer.into_inner())
            }
            Self::Gzip => {
                let out = Vec::with_capacity(body.len() / 3);
                let level = flate2::Compression::new(levels.gzip);
                let mut writer = flate2::write::GzEncoder::new(out, level);
                writer.write_all(body)?;
                writer.finish()
            }
        }
    }

    /// A file in this coding, if that makes it shorter.
    pub fn encode_file(self, body: &[u8]) -> Option<Vec<u8>> {
        self.shorter(body, &FILE)
    }

    fn shorter(self, body: &[u8], levels: &Levels) -> Option<Vec<u8>> {
        if body.len() < MIN_BYTES {
            return None;
        }
        match self.encode(body, levels) {
            Ok(encoded) => Some(encoded).filter(|encoded| encoded.len() < body.len()),
            Err(error) => {
                tracing::error!(%error, coding = self.name(), "a body could not be compressed");
                None
            }
        }
    }
}

/// How much the client likes a coding, in thousandths; 0 is not at all.
fn weight(head: &Head, coding: Coding) -> u16 {
    let fields = head
        .headers()
        .filter(|(name, _)| *name == "accept-encoding")
        .flat_map(|(_, value)| value.split(','));
    let mut any = None;
    for field in fields {
        let mut parts = field.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1000, thousandths);
        if name.eq_ignore_ascii_case(coding.name()) {
            return weight;
        }
        if name == "*" {
            any = Some(weight);
        }
    }
    any.unwrap_or(0)
}

/// `0`, `0.5`, `1.000`; what is none of these is as good as 0.
fn thousandths(text: &str) -> u16 {
    let value: f32 = text.parse().unwrap_or(0.0);
    if !(0.0..=1.0).contains(&value) {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1000"
    )]
    let thousandths = (value * 1000.0).round() as u16;
    thousandths
}

/// Compresses a whole answer as the client likes it.
pub(crate) fn compress(response: &mut Response, head: &Head) {
    let header = |wanted: &str| {
        response
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.as_str())
    };
    let is_text = header("Content-Type").is_some_and(|kind| kind.starts_with("text/html"));
    if !is_text || response.body.len() < MIN_BYTES || header("Content-Encoding").is_some() {
        return;
    }
    response
        .headers
        .push(("Vary", "Accept-Encoding".to_owned()));
    let Some(coding) = Coding::pick(head) else {
        return;
    };
    if let Some(encoded) = coding.shorter(&response.body, &PAGE) {
        response
            .headers
            .push(("Content-Encoding", coding.name().to_owned()));
        response.body = Cow::Owned(encoded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::head;

    fn head(accept: &[&str]) -> Head {
        let mut text = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned();
        for accept in accept {
            text += &format!("Accept-Encoding: {accept}\r\n");
        }
        text += "\r\n";
        head::parse(text.as_bytes()).expect("it is a head")
    }

    #[test]
    fn the_client_says_which() {
        for (accept, picked) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["gzip, deflate, br, zstd"], Some(Coding::Zstd)),
            (&["gzip, deflate, br"], Some(Coding::Brotli)),
            (&["GZIP"], Some(Coding::Gzip)),
            (&["gzip;q=1.0, br;q=0.5"], Some(Coding::Gzip)),
            (&["gzip; q=0.1", "br;Q=0.2"], Some(Coding::Brotli)),
            (&["gzip;q=0"], None),
            (&["*"], Some(Coding::Zstd)),
            (&["*;q=0"], None),
            (&["zstd;q=0, *"], Some(Coding::Brotli)),
            (&["gzip;q=x"], None),
            (&["gzip;q=2"], None),
            (&["gzip;q=NaN"], None),
            (&["deflate, x-gzip"], None),
        ] {
            assert_eq!(Coding::pick(&head(accept)), picked, "{accept:?}");
        }
        assert!(Coding::Gzip.is_taken(&head(&["zstd, gzip;q=0.1"])));
        assert!(!Coding::Gzip.is_taken(&head(&["zstd"])));
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let body: Vec<u8> = (0..20_000_u32)
            .flat_map(|number| format!("<p>{}</p>", number % 97).into_bytes())
            .collect();
        for levels in [PAGE, FILE] {
            for coding in Coding::ALL {
                let encoded = coding.shorter(&body, &levels).expect("it is shorter");
                let mut decoded = Vec::new();
                match coding {
                    Coding::Zstd => {
                        decoded = zstd::bulk::decompress(&encoded, body.len()).expect("zstd")
                    }
                    Coding::Brotli => {
                        brotli::BrotliDecompress(&mut &encoded[..], &mut decoded).expect("brotli");
                    }
                    Coding::Gzip => {
                        let mut reader = flate2::read::GzDecoder::new(&encoded[..]);
                        std::io::Read::read_to_end(&mut reader, &mut decoded).expect("gzip");
                    }
                }
                assert!(decoded == body, "{coding:?}");
            }
        }
    }

    #[test]
    fn what_would_not_gain_stays_as_it_is() {
        let noise: Vec<u8> = (0..256)
            .flat_map(|_| crate::runtime::random::bytes::<16>())
            .collect();
        assert_eq!(Coding::Gzip.encode_file(&noise), None);
        assert_eq!(Coding::Gzip.encode_file(&[b'a'; MIN_BYTES - 1]), None);
    }
}
