//! Sampling parameters: as a request states them, and as a row uses them.

use bytemuck::{Pod, Zeroable};

use super::tile::MAX_WIDTH;
use super::weight::log2_unit;
use crate::error::{Error, ErrorKind, Result};

/// How to sample the tokens of one request.
///
/// The default samples from the model's distribution as it is: temperature 1, everything else off.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// 0 is greedy, otherwise at least [`MIN_TEMPERATURE`](Self::MIN_TEMPERATURE).
    pub temperature: f32,
    /// Keep only the k likeliest tokens; 0 = off.
    pub top_k: u32,
    /// Keep only the likeliest tokens that together reach this probability, 0 … 1; 1 = off.
    pub top_p: f32,
    /// Keep only tokens at least this many times as likely as the likeliest, 0 … 1; 0 = off.
    pub min_p: f32,
    /// Divides positive and multiplies other logits of tokens seen in prompt or output; > 0, 1 = off.
    pub repetition_penalty: f32,
    /// Subtracted for every occurrence in the output; finite, 0 = off.
    pub frequency_penalty: f32,
    /// Subtracted once if the token is in the output; finite, 0 = off.
    pub presence_penalty: f32,
    /// (id, bias) added to logits; finite, or −∞ to forbid the token; each id at most once.
    pub logit_bias: Vec<(u32, f32)>,
    /// Key of the random numbers.
    pub seed: u64,
    /// Report the log-probability of the chosen token.
    pub logprobs: bool,
    /// Also report this many of the likeliest tokens, 0 … 20; needs `logprobs`.
    pub top_logprobs: u8,
}

impl Default for SamplingParams {
    fn default() -> Self {
        SamplingParams {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: Vec::new(),
            seed: 0,
            logprobs: false,
            top_logprobs: 0,
        }
    }
}

/// [`RowParams::top_p`] when top-p is off.
pub const TOP_P_OFF: u32 = u32::MAX;

/// What a row's kernel needs of the parameters, computed once on the host: 32 bytes.
///
/// The division for `scale` is IEEE and the logarithm for `min_p` is the shared polynomial, so two
/// hosts agree to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct RowParams {
    /// s = f32(log2(e) / T), at T = 1 for a greedy row.
    pub scale: f32,
    /// log2(min_p), −∞ if off.
    pub min_p_log2: f32,
    /// ⌊2^32 · top_p⌋, [`TOP_P_OFF`] if off.
    pub top_p: u32,
    /// Tokens kept by top-k, [`u32::MAX`] if off.
    pub top_k: u32,
    /// Repetition penalty, 1 if off.
    pub repetition: f32,
    /// Frequency penalty, 0 if off.
    pub frequency: f32,
    /// Presence penalty, 0 if off.
    pub presence: f32,
    /// 1 if the row takes its likeliest token, else 0.
    pub greedy: u32,
}

impl RowParams {
    /// Whether the counts of past tokens matter.
    pub fn has_penalties(&self) -> bool {
        self.repetition != 1.0 || self.frequency != 0.0 || self.presence != 0.0
    }

    /// Whether a row is truncated at all.
    pub fn has_truncation(&self) -> bool {
        self.top_k != u32::MAX || self.top_p != TOP_P_OFF || self.min_p_log2 > f32::NEG_INFINITY
    }
}

impl SamplingParams {
    /// Least temperature other than 0.
    pub const MIN_TEMPERATURE: f32 = 1e-4;

    /// Most tokens that `top_logprobs` can report.
    pub const MAX_TOP_LOGPROBS: u8 = 20;

    /// Checks every parameter for rows of `width` logits.
    ///
    /// # Errors
    ///
    /// The first parameter out of range, with its name, value and range.
    pub fn validate(&self, width: usize) -> Result<()> {
        if width == 0 || width > MAX_WIDTH {
            return refuse("the width of the logits", width, "1 to 2^23");
        }
        let t = self.temperature;
        if !(t == 0.0 || (t >= Self::MIN_TEMPERATURE && t.is_finite())) {
            return refuse("temperature", t, "0, or 0.0001 and above");
        }
        if !(0.0..=1.0).contains(&self.top_p) {
            return refuse("top_p", self.top_p, "0 to 1");
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return refuse("min_p", self.min_p, "0 to 1");
        }
        let r = self.repetition_penalty;
        if !(r > 0.0 && r.is_finite()) {
            return refuse("repetition_penalty", r, "finite and above 0");
        }
        if !self.frequency_penalty.is_finite() {
            return refuse("frequency_penalty", self.frequency_penalty, "finite");
        }
        if !self.presence_penalty.is_finite() {
            return refuse("presence_penalty", self.presence_penalty, "finite");
        }
        if self.top_logprobs > Self::MAX_TOP_LOGPROBS {
            return refuse("top_logprobs", self.top_logprobs, "0 to 20");
        }
        if self.top_logprobs > 0 && !self.logprobs {
            return refuse("top_logprobs", self.top_logprobs, "0 unless logprobs is set");
        }
        let mut ids: Vec<u32> = Vec::with_capacity(self.logit_bias.len());
        for &(id, bias) in &self.logit_bias {
            if id as usize >= width {
                return refuse("a token id in logit_bias", id, &format!("below {width}"));
            }
            if bias.is_nan() || bias == f32::INFINITY {
                let name = format!("logit_bias of token {id}");
                return refuse(&name, bias, "finite, or -inf to forbid the token");
            }
            ids.push(id);
        }
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse("a token id in logit_bias", pair[0], "given only once");
        }
        Ok(())
    }

    /// The parameters as a row's kernel uses them. They must be valid.
    pub fn row_params(&self) -> RowParams {
        let greedy = self.temperature == 0.0;
        let temperature = if greedy { 1.0 } else { f64::from(self.temperature) };
        RowParams {
            scale: (std::f64::consts::LOG2_E / temperature) as f32,
            min_p_log2: if self.min_p >= f32::MIN_POSITIVE {
                log2_unit(self.min_p)
            } else {
                f32::NEG_INFINITY
            },
            top_p: if self.top_p < 1.0 {
                (f64::from(self.top_p) * 4_294_967_296.0) as u32
            } else {
                TOP_P_OFF
            },
            top_k: if self.top_k == 0 { u32::MAX } else { self.top_k },
            repetition: self.repetition_penalty,
            frequency: self.frequency_penalty,
            presence: self.presence_penalty,
            greedy: u32::from(greedy),
        }
    }
}

fn refuse(name: &str, value: impl std::fmt::Display, range: &str) -> Result<()> {
    Err(Error::new(ErrorKind::InvalidParameter, format!("{name} is {value}; it must be {range}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(change: impl FnOnce(&mut SamplingParams)) -> String {
        let mut params = SamplingParams::default();
        change(&mut params);
        match params.validate(100) {
            Ok(()) => String::new(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidParameter);
                error.message().to_owned()
            }
        }
    }

    #[test]
    fn refusals_name_the_parameter_and_its_range() {
        type Change = fn(&mut SamplingParams);
        let cases: [(&str, Change); 16] = [
            ("temperature is -1; it must be 0, or", |p| p.temperature = -1.0),
            ("temperature is NaN", |p| p.temperature = f32::NAN),
            ("temperature is inf", |p| p.temperature = f32::INFINITY),
            ("temperature is 0.00001", |p| p.temperature = 1e-5),
            ("top_p is NaN", |p| p.top_p = f32::NAN),
            ("top_p is 1.5; it must be 0 to 1", |p| p.top_p = 1.5),
            ("min_p is -0.1", |p| p.min_p = -0.1),
            ("repetition_penalty is 0", |p| p.repetition_penalty = 0.0),
            ("frequency_penalty is NaN", |p| p.frequency_penalty = f32::NAN),
            ("presence_penalty is inf", |p| p.presence_penalty = f32::INFINITY),
            ("top_logprobs is 21", |p| p.top_logprobs = 21),
            ("top_logprobs is 2; it must be 0 unless", |p| p.top_logprobs = 2),
            ("a token id in logit_bias is 100; it must be below 100", |p| {
                p.logit_bias = vec![(100, 1.0)];
            }),
            ("logit_bias of token 3 is NaN", |p| p.logit_bias = vec![(3, f32::NAN)]),
            ("logit_bias of token 3 is inf", |p| p.logit_bias = vec![(3, f32::INFINITY)]),
            ("a token id in logit_bias is 3; it must be given only once", |p| {
                p.logit_bias = vec![(3, 1.0), (2, 1.0), (3, 0.0)];
            }),
        ];
        for (start, change) in cases {
            let message = message(change);
            assert!(message.starts_with(start), "{message:?} for {start:?}");
        }
        assert_eq!(message(|p| p.temperature = 0.0), "");
        assert_eq!(message(|p| p.temperature = 1e-4), "");
        assert_eq!(message(|p| p.logit_bias = vec![(99, f32::NEG_INFINITY)]), "");
        assert!(SamplingParams::default().validate(0).is_err());
        assert!(SamplingParams::default().validate(MAX_WIDTH + 1).is_err());
    }

    #[test]
    fn row_params_of_the_default_are_off() {
        let row = SamplingParams::default().row_params();
        assert!(!row.has_penalties() && !row.has_truncation() && row.greedy == 0);
        assert_eq!(row.scale, std::f32::consts::LOG2_E);
        let row = SamplingParams {
            temperature: 0.0,
            top_p: 0.5,
            min_p: 0.125,
            top_k: 7,
            ..SamplingParams::default()
        }
        .row_params();
        assert_eq!(row.scale, std::f32::consts::LOG2_E);
        assert_eq!((row.top_p, row.top_k, row.greedy), (1 << 31, 7, 1));
        assert_eq!(row.min_p_log2, -3.0);
        let least = SamplingParams { top_p: 1.0 - f32::EPSILON / 2.0, ..SamplingParams::default() };
        assert!(least.row_params().top_p < TOP_P_OFF && least.row_params().has_truncation());
    }
}
