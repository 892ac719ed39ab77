//! Requests kept on a device: every step is sampled and followed there.
//!
//! The host keeps each output's tokens and how it ended, which results tell, and asks the device for the rest.
//! Logits that are in the host's memory are copied first; who has them on the device uses
//! [`crate::device::Session`] directly.

use std::sync::Arc;

use super::batch::{Finish, Slots, Step};
use super::slot::{self, Request};
use crate::device::advance::verdict;
use crate::device::layout::{INACTIVE, RowResult, row_status, slot_status};
use crate::device::sample::{DeviceLogits, Format};
use crate::device::{Buffer, Driver, Session, SessionOptions, SlotRequest, draft};
use crate::error::{Error, ErrorKind, Result};
use crate::reference::{Configuration, Level};
use crate::sampling::{Logits, LogitsBatch, SamplingParams, TokenCounts, no_legal_token, stream};
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// A request as it was admitted, and what has come of it.
#[derive(Clone)]
struct Kept {
    grammar: Option<Arc<Grammar>>,
    params: SamplingParams,
    prompt: TokenCounts,
    prompt_len: u64,
    max_tokens: Option<u32>,
    stream: u32,
    tokens: Vec<u32>,
    finish: Option<Finish>,
}

impl Kept {
    fn request(&self) -> SlotRequest<'_> {
        SlotRequest {
            grammar: self.grammar.as_ref(),
            params: &self.params,
            counts: &self.prompt,
            prompt_len: self.prompt_len,
            max_tokens: self.max_tokens,
            stream: self.stream,
        }
    }
}

/// Requests by index, in a session with one slot more, for trials.
pub(super) struct DeviceSlots {
    vocab: Arc<Vocabulary>,
    session: Session,
    kept: Vec<Option<Kept>>,
    trial: usize,
    /// The batch's logits; grows.
    logits: Buffer,
    packed: Vec<u8>,
}

impl DeviceSlots {
    pub fn new(vocab: Arc<Vocabulary>, driver: Arc<dyn Driver>, slots: usize) -> Result<Self> {
        let options = SessionOptions { slots: slots + 1, ..SessionOptions::default() };
        let logits = driver.alloc(0)?;
        let session = Session::new(driver, &vocab, &options)?;
        Ok(DeviceSlots { vocab, session, kept: Vec::new(), trial: slots, logits, packed: Vec::new() })
    }

    fn kept(&self, index: u32) -> &Kept {
        self.kept[index as usize].as_ref().expect("indices are of admitted requests")
    }

    fn kept_mut(&mut self, index: u32) -> &mut Kept {
        self.kept[index as usize].as_mut().expect("indices are of admitted requests")
    }

    fn put(&mut self, index: u32, kept: Kept) {
        if self.kept.len() <= index as usize {
            self.kept.resize_with(index as usize + 1, || None);
        }
        self.kept[index as usize] = Some(kept);
    }

    /// Copies the rows' logits to the device, one after the other.
    fn upload(&mut self, logits: &LogitsBatch<'_>, first: usize, rows: usize) -> Result<DeviceLogits> {
        let mut format = Format::F32;
        self.packed.clear();
        for row in first..first + rows {
            match logits.row(row).expect("rows were counted by the caller") {
                Logits::F32(row) => self.packed.extend_from_slice(bytemuck::cast_slice(row)),
                Logits::F16(row) => {
                    format = Format::F16;
                    self.packed.extend_from_slice(bytemuck::cast_slice(row));
                }
                Logits::Bf16(row) => {
                    format = Format::Bf16;
                    self.packed.extend_from_slice(bytemuck::cast_slice(row));
                }
            }
        }
        let driver = self.session.driver().clone();
        if self.logits.len() < self.packed.len() {
            self.logits = driver.alloc(self.packed.len())?;
        }
        driver.upload(&self.logits, 0, &self.packed)?;
        let (width, elements) = (logits.width(), self.packed.len() / format.bytes());
        // SAFETY: the buffer holds as many elements, and stays until after the step, whose results are waited for.
        unsafe { DeviceLogits::new(self.logits.address(), elements, format, rows, width, width) }
    }

    /// Steps some rows of the batch, at most as many as a launch takes.
    fn step_part(
        &mut self,
        rows: &[Option<u32>],
        logits: &LogitsBatch<'_>,
        first: usize,
    ) -> Result<Vec<Option<Result<Step>>>> {
        let slots: Vec<u32> = rows.iter().map(|row| row.unwrap_or(INACTIVE)).collect();
        self.session.place_rows(&slots)?;
        let logits = self.upload(logits, first, rows.len())?;
        self.session.legal()?;
        self.session.step(&logits)?;
        let results = self.session.results(rows.len())?;
        let taken = rows.iter().zip(results).enumerate();
        Ok(taken.map(|(row, (index, result))| index.map(|index| self.take(index, row, result))).collect())
    }

    /// Takes note of a row's result.
    fn take(&mut self, index: u32, row: usize, result: RowResult) -> Result<Step> {
        let token = result.token;
        match result.status {
            row_status::OK => {}
            row_status::NO_LEGAL_TOKEN => return Err(no_legal_token()),
            row_status::NOT_RUNNING => return Err(slot::finished()),
            other => {
                let message = format!("the device reports status {other} for token {token} of slot {index}");
                return Err(Error::new(ErrorKind::Device, message));
            }
        }
        let is_stop = self.vocab.is_stop(token);
        let kept = self.kept_mut(index);
        if !is_stop {
            kept.tokens.push(token);
        }
        kept.finish = finish_of(result.finish);
        let (finish, wants, tops) = (kept.finish, kept.params.logprobs, kept.params.top_logprobs);
        // The token is written, whatever becomes of the others' log-probabilities.
        let top = if tops == 0 { Vec::new() } else { self.session.tops(row)? };
        Ok(Step {
            token,
            logprob: wants.then_some(result.logprob),
            top: top.into_iter().map(|top| (top.token, top.logprob)).collect(),
            finish,
        })
    }

    /// Takes the request up again from its first `keep` tokens, reading them one by one.
    fn restart(&mut self, index: u32, keep: usize) -> Result<()> {
        let kept = self.kept(index).clone();
        self.session.admit(index as usize, &kept.request())?;
        for &token in &kept.tokens[..keep] {
            let verdicts = self.session.advance(&[index], &[token])?;
            if verdicts != [verdict::OK] {
                let message = format!("the device refuses token {token}, which it took before");
                return Err(Error::new(ErrorKind::Device, message));
            }
        }
        Ok(())
    }
}

fn finish_of(status: u32) -> Option<Finish> {
    match status {
        slot_status::STOPPED | slot_status::COMPLETE => Some(Finish::Stop),
        slot_status::LENGTH => Some(Finish::Length),
        _ => None,
    }
}

impl Slots for DeviceSlots {
    fn admit(&mut self, index: u32, request: Request<'_>) -> Result<()> {
        slot::check(&request, &self.vocab)?;
        let kept = Kept {
            prompt: TokenCounts::from_prompt(request.prompt),
            prompt_len: request.prompt.len() as u64,
            stream: stream(request.choice, false),
            grammar: request.grammar,
            params: request.params,
            max_tokens: request.max_tokens,
            tokens: Vec::new(),
            finish: None,
        };
        self.session.admit(index as usize, &kept.request())?;
        self.put(index, kept);
        Ok(())
    }

    fn retire(&mut self, index: u32) {
        self.kept[index as usize] = None;
        if let Err(error) = self.session.retire(index as usize) {
            // Whatever comes next on the device fails as well, and says so to somebody who can act on it.
            tracing::error!("retiring slot {index}: {error}");
        }
    }

    fn copy(&mut self, from: u32, to: u32) -> Result<()> {
        self.session.copy(from as usize, to as usize)?;
        let kept = self.kept(from).clone();
        self.put(to, kept);
        Ok(())
    }

    fn step(&mut self, rows: &[Option<u32>], logits: &LogitsBatch<'_>) -> Vec<Option<Result<Step>>> {
        let most = self.session.max_rows();
        let mut steps = Vec::with_capacity(rows.len());
        for (part, rows) in rows.chunks(most).enumerate() {
            match self.step_part(rows, logits, part * most) {
                Ok(part) => steps.extend(part),
                Err(e) => steps.extend(
                    rows.iter().map(|row| row.map(|_| Err(Error::new(e.kind(), e.message().to_owned())))),
                ),
            }
        }
        steps
    }

    fn advance(&mut self, index: u32, token: u32) -> Result<()> {
        let verdict = self.session.advance(&[index], &[token])?[0];
        match verdict {
            verdict::OK => {}
            verdict::NOT_RUNNING => return Err(slot::after_the_end(token)),
            verdict::ILLEGAL => return Err(slot::illegal(token, &self.vocab)),
            other => {
                let message = format!("the device reports status {other} for token {token} of slot {index}");
                return Err(Error::new(ErrorKind::Device, message));
            }
        }
        let finish = finish_of(self.session.read(index as usize)?.0.status);
        let is_stop = self.vocab.is_stop(token);
        let kept = self.kept_mut(index);
        if !is_stop {
            kept.tokens.push(token);
        }
        kept.finish = finish;
        Ok(())
    }

    fn fill_mask(&mut self, index: u32, words: &mut [u32]) -> Result<()> {
        self.session.place_rows(&[index])?;
        self.session.legal()?;
        let out = self.session.driver().alloc(words.len() * 4)?;
        self.session.fill_bitmask(1, &out, words.len())?;
        self.session.driver().download(&out, 0, bytemuck::cast_slice_mut(words))
    }

    fn rollback(&mut self, index: u32, n: usize) -> Result<()> {
        let kept = self.kept(index);
        let Some(keep) = kept.tokens.len().checked_sub(n) else {
            return Err(slot::too_few(n, kept.tokens.len()));
        };
        let verdict = self.session.rollback(&[index], &[n as u32])?[0];
        if verdict != verdict::OK {
            // Further back than the device remembers.
            self.restart(index, keep)?;
        }
        let finish = finish_of(self.session.read(index as usize)?.0.status);
        let kept = self.kept_mut(index);
        kept.tokens.truncate(keep);
        kept.finish = finish;
        Ok(())
    }

    fn forced(&mut self, index: u32) -> Result<Vec<u8>> {
        self.session.forced(index)
    }

    fn validate(&mut self, index: u32, tokens: &[u32]) -> Result<usize> {
        if tokens.len() <= draft::MAX_NODES {
            return self.session.validate(index, tokens);
        }
        self.session.copy(index as usize, self.trial)?;
        let trial = self.trial as u32;
        let mut valid = 0;
        for part in tokens.chunks(draft::MAX_NODES) {
            let n = self.session.validate(trial, part)?;
            valid += n;
            if n < part.len() {
                break;
            }
            for &token in part {
                self.session.advance(&[trial], &[token])?;
            }
        }
        self.session.retire(self.trial)?;
        Ok(valid)
    }

    fn is_complete(&self, index: u32) -> Result<bool> {
        let Some(grammar) = &self.kept(index).grammar else { return Ok(true) };
        let (line, levels) = self.session.read(index as usize)?;
        let level = |l: &crate::device::layout::Level| Level {
            site: l.site,
            count: l.count,
            seen: l.seen,
            cost: l.cost,
        };
        let at = Configuration {
            state: line.state,
            count: line.count,
            spaces: line.spaces,
            seen: line.seen,
            stack: levels.iter().map(level).collect(),
        };
        Ok(at.is_complete(grammar))
    }

    fn finish(&self, index: u32) -> Option<Finish> {
        self.kept(index).finish
    }

    fn tokens(&self, index: u32) -> &[u32] {
        &self.kept(index).tokens
    }
}
