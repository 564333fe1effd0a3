//! The subject of all messages: one name without wildcards.

/// The longest subject, in bytes: it has to fit a server's line of 4 KiB by far.
pub const SUBJECT_MAX_BYTES: usize = 255;

/// A subject that can be published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

/// Why a text is no subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Nothing, or too much.
    #[error("a NATS subject has 1 to {SUBJECT_MAX_BYTES} bytes; the default is via.broadcast")]
    Length,
    /// Blanks, control characters or others that are not printable ASCII.
    #[error("a NATS subject is made of printable ASCII without blanks, as in myapp.broadcast")]
    Character,
    /// `a..b`, `.a`, `a.`.
    #[error(
        "a NATS subject has no empty part: remove the dots that start it, end it or follow another"
    )]
    EmptyPart,
    /// `*` or `>` as a part.
    #[error("a NATS subject to publish to has no wildcard: replace the part that is * or >")]
    Wildcard,
}

impl Subject {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is no subject that can be published to.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        if text.is_empty() || text.len() > SUBJECT_MAX_BYTES {
            return Err(SubjectError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SubjectError::Character);
        }
        for part in text.split('.') {
            match part {
                "" => return Err(SubjectError::EmptyPart),
                "*" | ">" => return Err(SubjectError::Wildcard),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
