//! Sampling on a device against the reference and the CPU, bit for bit.

use super::differs;
use super::random::{self, Random, Row};
use super::sampling_batch;
use crate::cpu::sampler::{self as cpu, SamplerScratch};
use crate::device::driver::Driver;
use crate::device::layout::{LIST_CAP, row_status};
use crate::device::sample::Spread;
use crate::error::{ErrorKind, Result};
use crate::reference::sampler as reference;
use crate::sampling::{Draw, LegalSet, SamplingParams, TileRecord, TokenCounts};

/// What a row's slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes a token.
    Running,
    /// There is none.
    Inactive,
    /// Takes no more tokens.
    Finished,
}

/// One row of a batch.
pub struct RowCase {
    /// Its slot.
    pub kind: Kind,
    /// Its logits.
    pub logits: Row,
    /// Its legal ids, ascending.
    pub ids: Vec<u32>,
    /// How it is sampled.
    pub params: SamplingParams,
    /// What has occurred.
    pub counts: TokenCounts,
    /// Where the token stands.
    pub position: u64,
    /// Philox stream.
    pub stream: u32,
}

/// What a row gives, floats as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The sampled id.
    pub token: u32,
    /// Its log-probability.
    pub logprob: u32,
    /// [`row_status`].
    pub status: u32,
    /// The likeliest tokens.
    pub top: Vec<(u32, u32)>,
}

/// The form in which a legal set is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Everything is legal.
    All,
    /// A list.
    Ids,
    /// A bit per id.
    Bitmap,
}

/// How a batch lies in memory and over blocks.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// 0 f32, 1 f16, 2 bf16.
    pub format: usize,
    /// Logits of a row.
    pub width: usize,
    /// Logits between the end of a row and the start of the next.
    pub gap: usize,
    /// Logits before the first row.
    pub lead: usize,
    /// Blocks.
    pub spread: Spread,
}

impl Shape {
    /// Aligned and misaligned rows, few and many blocks.
    pub fn random(random: &mut Random, format: usize, width: usize) -> Shape {
        let padding = if random.chance(50) { (8 - width % 8) % 8 } else { 0 };
        Shape {
            format,
            width,
            gap: random.pick(&[0, 0, 1, 3, 7, 8, 64]) + padding,
            lead: random.pick(&[0, 0, 0, 1, 3, 4, 6]),
            spread: Spread {
                blocks: 1 + random.below(9) as u32,
                group: random.pick(&[1, 1, 2, 3, 8, 8, 16, 100]),
            },
        }
    }
}

impl RowCase {
    /// Any row of a width; `format` as in [`Shape`].
    pub fn random(random: &mut Random, width: usize, format: usize) -> RowCase {
        RowCase {
            kind: match random.below(40) {
                0 => Kind::Inactive,
                1 => Kind::Finished,
                _ => Kind::Running,
            },
            logits: Row::of(random::values(random, width), format),
            ids: random::legal_ids(random, width),
            params: random::params(random, width),
            counts: random::counts(random, width),
            position: random.next() >> random.below(64),
            stream: random.next() as u32,
        }
    }

    /// The forms its legal set can be given in: not every list is short enough.
    pub fn forms(&self) -> Vec<Form> {
        let mut forms = vec![Form::Bitmap];
        if self.ids.len() <= LIST_CAP {
            forms.push(Form::Ids);
        }
        if self.ids.len() == self.logits.logits().width() {
            forms.push(Form::All);
        }
        forms
    }

    /// What the specification says.
    ///
    /// # Errors
    ///
    /// If the CPU's sampler says something else.
    pub fn expected(&self, scratch: &mut SamplerScratch) -> Result<Outcome> {
        let nothing = |status| Outcome { token: 0, logprob: 0, status, top: Vec::new() };
        match self.kind {
            Kind::Running => {}
            Kind::Inactive => return Ok(nothing(row_status::INACTIVE)),
            Kind::Finished => return Ok(nothing(row_status::NOT_RUNNING)),
        }
        let (logits, legal) = (self.logits.logits(), LegalSet::Ids(&self.ids));
        let draw = Draw::new(self.params.seed, self.position, self.stream);
        let of = |sampled: Result<crate::sampling::Sampled>| match sampled {
            Ok(sampled) => Ok(Outcome {
                token: sampled.token,
                logprob: sampled.logprob.unwrap_or_default().to_bits(),
                status: row_status::OK,
                top: sampled.top.iter().map(|&(id, ln)| (id, ln.to_bits())).collect(),
            }),
            Err(error) if error.kind() == ErrorKind::NoLegalToken => Ok(nothing(row_status::NO_LEGAL_TOKEN)),
            Err(error) => Err(error),
        };
        let slow = of(reference::sample(logits, legal, &self.params, &self.counts, draw))?;
        let fast = of(cpu::sample(logits, legal, &self.params, &self.counts, draw, scratch))?;
        if slow != fast {
            return Err(differs(format!("the reference says {slow:?}, the CPU {fast:?}")));
        }
        Ok(slow)
    }

    /// The records of all legal tokens at the row's temperature, if a scan leaves them complete.
    fn records(&self) -> Option<Vec<TileRecord>> {
        let params = self.params.row_params();
        let weighs = self.params.logprobs
            || params.greedy == 0
                && params.top_k as usize >= self.logits.logits().width()
                && params.min_p_log2 == f32::NEG_INFINITY;
        if self.kind == Kind::Inactive || !weighs {
            return None;
        }
        let legal = LegalSet::Ids(&self.ids);
        let z = reference::adjusted(self.logits.logits(), legal, &self.params, &self.counts);
        Some(reference::tile_records(&z, &vec![true; z.len()], params.scale))
    }
}

/// Samples `cases` on `device`, twice over the same memory, in forms drawn from `random`, and compares tokens,
/// log-probabilities, statuses, likeliest tokens and records with the specification.
///
/// # Errors
///
/// The first difference, or what the driver reports.
pub fn compare(
    device: &dyn Driver,
    random: &mut Random,
    cases: &[RowCase],
    shape: &Shape,
    scratch: &mut SamplerScratch,
) -> Result<()> {
    let expected = cases.iter().map(|case| case.expected(scratch)).collect::<Result<Vec<_>>>()?;
    let cases: Vec<&RowCase> = cases.iter().collect();
    compare_with(device, random, &cases, &expected, shape)
}

/// [`compare`], where it is known what to expect.
///
/// # Errors
///
/// As [`compare`].
pub fn compare_with(
    device: &dyn Driver,
    random: &mut Random,
    cases: &[&RowCase],
    expected: &[Outcome],
    shape: &Shape,
) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    let forms: Vec<Form> = cases.iter().map(|case| random.pick(&case.forms())).collect();
    let (outcomes, records) = sampling_batch::sample(device, random, cases, &forms, shape)?;
    for (i, case) in cases.iter().enumerate() {
        let what = || {
            let (form, legal, rows) = (forms[i], case.ids.len(), cases.len());
            format!(
                "row {i} of {rows}, {form:?} of {legal} legal, {shape:?}, {:?} {:?}",
                case.kind, case.params
            )
        };
        if outcomes[i] != expected[i] {
            return Err(differs(format!("got {:?}, not {:?}; {}", outcomes[i], expected[i], what())));
        }
        if forms[i] != Form::Ids
            && let Some(expected) = case.records()
            && records[i] != expected
        {
            let tile = (0..expected.len()).find(|&t| records[i][t] != expected[t]).unwrap_or(0);
            return Err(differs(format!(
                "record {tile} is {:?}, not {:?}; {}",
                records[i][tile],
                expected[tile],
                what()
            )));
        }
    }
    Ok(())
}
