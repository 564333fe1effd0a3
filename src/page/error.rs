//! What a handler returns.

use std::fmt::{self, Debug, Display};

/// The result of an action, a load or a hook.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Any error of a handler: `?` makes it from whatever the app's own code returns.
///
/// Its text is shown to the user who clicked and written to the log, so an error that holds a
/// secret must be given another text first ([`Error::new`]).
pub struct Error(Box<dyn std::error::Error>);

impl Error {
    /// An error with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The request asks for something that it may not, or that makes no sense: the browser gets a
    /// 422, the user is told `text`, and the log has it as no fault of the server.
    #[must_use]
    pub fn refused(text: impl Into<String>) -> Self {
        BadInput { text: text.into() }.into()
    }

    /// The error that it was made from, when it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// What a handler may return: nothing, or [`Result`].
pub trait Outcome: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result;
}

impl Outcome for () {
    fn into_result(self) -> Result {
        Ok(())
    }
}

impl Outcome for Result {
    fn into_result(self) -> Result {
        self
    }
}

/// What went wrong while a client's request was applied to a page: the client's own fault.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct BadInput {
    pub text: String,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Result {}
}
