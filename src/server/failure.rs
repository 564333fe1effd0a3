//! How handlers fail, and who is told what of it.

use std::time::{Duration, Instant};

use super::shard::Shard;
use crate::page::{BadInput, Error};
use crate::runtime::guarded;

/// What a user is told of a failure that is ours.
pub(super) const OUR_FAULT: &str =
    "This did not work: the server had a problem with it. Nothing else is affected; try again.";

impl Shard {
    /// Runs a handler within a time limit; a panic in it is its failure alone.
    pub async fn guard<T>(
        &self,
        future: impl Future<Output = crate::page::Result<T>>,
        limit: Duration,
    ) -> Result<T, Failure> {
        match self
            .timers
            .within(Instant::now() + limit, guarded(future))
            .await
        {
            None => Err(Failure::TooLong(limit)),
            Some(Err(unwound)) => Err(Failure::Panic(unwound.text)),
            Some(Ok(Err(error))) => Err(match error.downcast_ref::<BadInput>() {
                Some(input) => Failure::Input(input.to_string()),
                None => Failure::Error(error),
            }),
            Some(Ok(Ok(value))) => Ok(value),
        }
    }
}

/// How a handler failed.
pub(crate) enum Failure {
    /// The client's own fault.
    Input(String),
    Error(Error),
    Panic(String),
    TooLong(Duration),
}

impl Failure {
    /// What the user is told; no internals.
    pub fn text(&self) -> String {
        match self {
            Self::Input(text) => text.clone(),
            Self::Error(error) => error.to_string(),
            Self::Panic(_) => OUR_FAULT.to_owned(),
            Self::TooLong(limit) => format!(
                "This took longer than {} s and was stopped. Nothing else is affected.",
                limit.as_secs()
            ),
        }
    }

    pub fn log(&self) {
        match self {
            Self::Input(text) => tracing::info!(reason = %text, "refused input"),
            Self::Error(error) => tracing::warn!(%error, "failed"),
            Self::Panic(text) => tracing::error!(panic = %text, "panicked"),
            Self::TooLong(limit) => tracing::warn!(
                seconds = limit.as_secs(),
                "took too long and was stopped (--action-timeout, --load-timeout)"
            ),
        }
    }
}
