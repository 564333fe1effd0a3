//! Values as JSON text: one form in a context, in the slot table and on the wire.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value's JSON text.
pub(crate) type Encoded = Box<[u8]>;

/// # Panics
/// When `T`'s own `Serialize` fails: a mistake of the program, named by `what`.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, what: &str) -> Encoded {
    match serde_json::to_vec(value) {
        Ok(json) => json.into_boxed_slice(),
        Err(error) => panic!("the value of `{what}` has no JSON form: {error}"),
    }
}

/// Reads a value; an integer beyond ± 2^53 may come as text.
pub(crate) fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    match serde_json::from_slice(json) {
        Ok(value) => Ok(value),
        Err(error) => {
            if let Ok(text) = serde_json::from_slice::<String>(json)
                && is_integer(text.as_bytes())
                && let Ok(value) = serde_json::from_str(&text)
            {
                return Ok(value);
            }
            Err(reason(&error))
        }
    }
}

/// Reads a value that came from the browser and gives it back in the server's own form.
pub(crate) fn normalise<T: Serialize + DeserializeOwned>(json: &[u8]) -> Result<Encoded, String> {
    let value: T = decode(json)?;
    serde_json::to_vec(&value)
        .map(Vec::into_boxed_slice)
        .map_err(|error| reason(&error))
}

/// serde's reason without its position, which means nothing to a caller.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line")
        .map_or(text.clone(), |(reason, _)| reason.to_owned())
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.len() <= 39 && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_integers_may_come_as_text() {
        assert_eq!(
            decode::<i64>(b"\"9007199254740993\""),
            Ok(9_007_199_254_740_993)
        );
        assert_eq!(decode::<u8>(b"7"), Ok(7));
        assert!(decode::<i64>(b"\"seven\"").is_err());
        assert!(decode::<u8>(b"300").is_err());
        assert!(decode::<String>(b"[1]").is_err());
    }

    #[test]
    fn normalising_drops_what_the_type_does_not_hold() {
        assert_eq!(&*normalise::<Vec<u8>>(b"[ 1,2 ]").unwrap(), b"[1,2]");
        assert!(normalise::<bool>(b"1").is_err());
    }
}
