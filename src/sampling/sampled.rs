//! What sampling a row gives.

use crate::error::{Error, ErrorKind};

/// The outcome of sampling one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampled {
    /// The chosen id.
    pub token: u32,
    /// Its natural log-probability, if log-probabilities were asked for.
    pub logprob: Option<f32>,
    /// The most likely legal ids with their log-probabilities, at most `top_logprobs`, best first.
    pub top: Vec<(u32, f32)>,
}

/// The error of a row in which no legal token has a usable logit.
pub fn no_legal_token() -> Error {
    Error::new(
        ErrorKind::NoLegalToken,
        "every legal logit is NaN or -inf, or the legal set is empty; \
         check the model's output and logit_bias",
    )
}
