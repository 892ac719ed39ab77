//! Whole decodes on a device, step by step beside the same requests on the host: masks, tokens, log-probabilities,
//! statuses, slots' lines and levels, tokens taken back, draft tokens judged, forced bytes.

use std::sync::Arc;

use bytemuck::Zeroable;

use super::bits::{all_ones, difference, some_bit};
use super::host::{Host, Live, Outcome};
use super::random::{self, Random, Row};
use super::rig::{DeviceWorld, Rig, RigSize};
use super::worlds::World;
use super::{differs, download, upload};
use crate::device::adjust;
use crate::device::advance::{self, SlotRows, verdict};
use crate::device::draft::{self, Draft};
use crate::device::driver::Driver;
use crate::device::layout::{INACTIVE, RowResult, Slot, TOP_MAX, TopToken, row_status};
use crate::device::masks;
use crate::device::sample::{DeviceLogits, Format, Spread};
use crate::error::Result;
use crate::sampling::{Logits, LogitsBatch, TokenCounts};

/// Tokens that slots can take back.
const KEEP: usize = 6;
/// Bytes of forced text that are asked for.
const FORCED: usize = 48;
/// Draft tokens of a row.
const DRAFT: usize = 5;

/// How much a round does.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Most rows.
    pub rows: usize,
    /// Steps.
    pub steps: usize,
}

struct Decode<'a> {
    device: &'a dyn Driver,
    random: &'a mut Random,
    host: Host,
    rig: Rig,
    live: Vec<Live>,
    /// For each row the slot, [`INACTIVE`] for none.
    rows: Vec<u32>,
    width: usize,
    steps: usize,
}

/// Decodes a random batch for `size.steps` steps; the number of rows compared.
///
/// # Errors
/// The first difference, or what the driver reports.
pub fn round(
    device: &dyn Driver,
    world: &World,
    uploaded: &Arc<DeviceWorld>,
    random: &mut Random,
    size: Size,
) -> Result<u64> {
    let slots = 1 + random.below(size.rows);
    let multiprocessors = device.description().multiprocessors;
    let rig_size = RigSize {
        slots,
        rows: slots + 2,
        keep: KEEP,
        walk_blocks: random.pick(&[1, 3, multiprocessors, 2 * multiprocessors]),
        walk_pool: random.pick(&[3, 64, 1024]),
        tops: true,
    };
    let mut decode = Decode {
        device,
        host: Host::new(world, slots)?,
        rig: Rig::new(device, uploaded.clone(), rig_size)?,
        live: Vec::new(),
        rows: Vec::new(),
        width: world.vocab.width(),
        steps: size.steps,
        random,
    };
    for index in 0..slots {
        let live = decode.admit(world, index)?;
        decode.live.push(live);
    }
    let mut compared = 0;
    for _ in 0..size.steps {
        decode.deal_rows()?;
        match decode.random.below(10) {
            0 => decode.advance()?,
            1 => decode.rollback()?,
            2 => decode.draft()?,
            3 => decode.forced()?,
            n => {
                decode.masks()?;
                decode.step(n == 9)?;
            }
        }
        decode.lines()?;
        compared += decode.rows.len() as u64;
        for index in 0..slots {
            if decode.live[index].finish.is_some() && decode.random.chance(60) {
                decode.host.retire(&decode.live[index])?;
                decode.live[index] = decode.admit(world, index)?;
            }
        }
    }
    Ok(compared)
}

impl Decode<'_> {
    fn admit(&mut self, world: &World, index: usize) -> Result<Live> {
        let live = self.host.admit(world, self.random)?;
        let (slot, levels) = self.host.line(&live)?;
        let counts = TokenCounts::from_prompt(&live.prompt);
        let block = adjust::is_needed(&live.params)
            .then(|| adjust::block(&live.params, &counts, self.width, self.steps + 2))
            .transpose()?;
        self.rig.write(self.device, index, live.grammar.as_ref(), &slot, &levels, block.as_deref())?;
        Ok(live)
    }

    /// Rows are slots in some order, a few without one.
    fn deal_rows(&mut self) -> Result<()> {
        let n = self.live.len();
        let mut rows: Vec<u32> = (0..n as u32).filter(|_| self.random.chance(95)).collect();
        for i in (1..rows.len()).rev() {
            rows.swap(i, self.random.below(i + 1));
        }
        for _ in 0..self.random.below(3) {
            let none = self.random.pick(&[INACTIVE, n as u32]);
            rows.insert(self.random.below(rows.len() + 1), none);
        }
        self.device.upload(&self.rig.rows, 0, bytemuck::cast_slice(&rows))?;
        self.rows = rows;
        Ok(())
    }

    /// The request of a row.
    fn of_row(&self, row: usize) -> Option<usize> {
        let slot = self.rows[row] as usize;
        (slot < self.live.len()).then_some(slot)
    }

    fn slot_rows(&self) -> SlotRows<'_> {
        SlotRows {
            slots: &self.rig.slots,
            vocab: &self.rig.world.vocab,
            rows: &self.rig.rows,
            count: self.rows.len(),
        }
    }

    fn make_sets(&mut self) -> Result<()> {
        self.rig.legal(self.device, self.random.pick(&[1, 2, 64]))
    }

    /// Legal sets, written out as masks.
    fn masks(&mut self) -> Result<()> {
        self.make_sets()?;
        let (n, used) = (self.rows.len(), self.width.div_ceil(32));
        let stride = used + self.random.below(3);
        let out = upload(self.device, &vec![0xeeee_eeeeu32; n * stride])?;
        let (rig, device) = (&self.rig, self.device);
        masks::fill_bitmask(device, &rig.world.vocab, &rig.sets, &rig.rows, n, &out, stride)?;
        let words: Vec<u32> = download(device, &out, n * stride)?;
        for row in 0..n {
            let got = &words[row * stride..][..used];
            let expected = match self.of_row(row) {
                None => all_ones(self.width),
                Some(slot) if self.live[slot].finish.is_some() => vec![0; used],
                Some(slot) => self.host.mask(&self.live[slot])?,
            };
            if got != expected {
                let words = self.of_row(row).map_or(String::new(), |slot| self.live[slot].words());
                return Err(differs(format!("mask of row {row}: {}; {words}", difference(got, &expected))));
            }
            if words[row * stride + used..(row + 1) * stride].iter().any(|&w| w != 0xeeee_eeee) {
                return Err(differs(format!("fill_bitmask writes past the mask of row {row}")));
            }
        }
        Ok(())
    }

    /// One step, from sets that are there or in one launch.
    fn step(&mut self, whole: bool) -> Result<()> {
        let (n, width) = (self.rows.len(), self.width);
        if n == 0 {
            return Ok(());
        }
        let format = self.random.below(3);
        let (gap, lead) = (self.random.pick(&[0, 0, 1, 5, 64]), self.random.pick(&[0, 0, 1, 4]));
        let stride = width + gap;
        let elements = lead + (n - 1) * stride + width;
        let mut values = vec![f32::INFINITY; elements];
        for row in 0..n {
            values[lead + row * stride..][..width].copy_from_slice(&random::values(self.random, width));
        }
        let host_rows = Row::of(values, format);
        let bytes = match &host_rows {
            Row::F32(v) => bytemuck::cast_slice::<_, u8>(v),
            Row::F16(v) => bytemuck::cast_slice(v),
            Row::Bf16(v) => bytemuck::cast_slice(v),
        };
        let logits = upload(self.device, bytes)?;
        let format = [Format::F32, Format::F16, Format::Bf16][format];
        let address = logits.address() + (lead * format.bytes()) as u64;
        // SAFETY: the buffer outlives the step, which the download of results waits for.
        let batch = unsafe { DeviceLogits::new(address, elements - lead, format, n, width, stride)? };
        self.device.fill(self.rig.memory.results(), 0, n * size_of::<RowResult>(), 0xee)?;
        if whole {
            self.rig.step_whole(self.device, &batch)?;
        } else {
            let spread = Spread {
                blocks: 1 + self.random.below(2 * self.device.description().multiprocessors as usize) as u32,
                group: self.random.pick(&[1, 3, 8]),
            };
            self.rig.step(self.device, &batch, spread)?;
        }
        let results: Vec<RowResult> = download(self.device, self.rig.memory.results(), n)?;
        let tops: Vec<TopToken> = match self.rig.memory.tops() {
            Some(tops) => download(self.device, tops, n * TOP_MAX)?,
            None => vec![TopToken::zeroed(); n * TOP_MAX],
        };
        let all = match &host_rows {
            Row::F32(v) => Logits::F32(&v[lead..]),
            Row::F16(v) => Logits::F16(&v[lead..]),
            Row::Bf16(v) => Logits::Bf16(&v[lead..]),
        };
        let all = LogitsBatch::new(all, n, stride, width)?;
        for row in 0..n {
            let expected = match self.of_row(row) {
                None => Outcome { result: (0, 0, row_status::INACTIVE, 0), tops: Vec::new() },
                Some(slot) => {
                    let logits = all.row(row).expect("below the number of rows");
                    let one = LogitsBatch::new(logits, 1, width, width)?;
                    self.host.step(&mut self.live[slot], &one, KEEP)?
                }
            };
            let wanted = match self.of_row(row) {
                Some(slot) if results[row].status == row_status::OK => self.live[slot].params.top_logprobs,
                _ => 0,
            };
            let mine = &tops[row * TOP_MAX..][..if wanted > 0 { TOP_MAX } else { 0 }];
            let mine = mine.iter().take_while(|t| t.token != INACTIVE);
            let got = Outcome::of(&results[row], mine.map(|t| (t.token, t.logprob.to_bits())).collect());
            if got != expected {
                let words = self.of_row(row).map_or(String::new(), |slot| self.live[slot].words());
                let how = if whole { "step_whole" } else { "step" };
                return Err(differs(format!(
                    "{how}, row {row} of {n}: {got:?}, not {expected:?}, {format:?}, gap {gap}, lead {lead}; {words}"
                )));
            }
        }
        Ok(())
    }

    /// Tokens from elsewhere, half of them legal.
    fn advance(&mut self) -> Result<()> {
        let n = self.rows.len();
        let mut tokens = Vec::new();
        for row in 0..n {
            let token = match self.of_row(row) {
                Some(slot) if self.live[slot].finish.is_none() && self.random.chance(60) => {
                    let words = self.host.mask(&self.live[slot])?;
                    some_bit(self.random, &words).unwrap_or(0)
                }
                _ => self.random.below(self.width + 3) as u32,
            };
            tokens.push(token);
        }
        let given = upload(self.device, &tokens)?;
        let answers = self.device.alloc(4 * n)?;
        advance::advance(self.device, self.slot_rows(), &given, &answers)?;
        let answers: Vec<u32> = download(self.device, &answers, n)?;
        for row in 0..n {
            let expected = match self.of_row(row) {
                None => verdict::INACTIVE,
                Some(slot) if self.live[slot].finish.is_some() => verdict::NOT_RUNNING,
                Some(slot) => match self.host.advance(&mut self.live[slot], tokens[row], KEEP)? {
                    true => verdict::OK,
                    false => verdict::ILLEGAL,
                },
            };
            self.compare("advance", row, &answers[row], &expected)?;
        }
        Ok(())
    }

    /// Some tokens back, here and there more than there are.
    fn rollback(&mut self) -> Result<()> {
        let n = self.rows.len();
        let counts: Vec<u32> = (0..n).map(|_| self.random.below(KEEP + 1) as u32).collect();
        let given = upload(self.device, &counts)?;
        let answers = self.device.alloc(4 * n)?;
        advance::rollback(self.device, self.slot_rows(), &given, &answers)?;
        let answers: Vec<u32> = download(self.device, &answers, n)?;
        for row in 0..n {
            let expected = match self.of_row(row) {
                None => verdict::INACTIVE,
                Some(slot) if counts[row] as usize > self.live[slot].history => verdict::ILLEGAL,
                Some(slot) => {
                    self.host.rollback(&mut self.live[slot], counts[row] as usize)?;
                    verdict::OK
                }
            };
            self.compare("rollback", row, &answers[row], &expected)?;
        }
        Ok(())
    }

    /// Chains of draft tokens with the sets between them.
    fn draft(&mut self) -> Result<()> {
        let n = self.rows.len();
        let (mut counts, mut tokens, mut expected) = (vec![0u32; n], vec![0u32; n * DRAFT], Vec::new());
        for row in 0..n {
            let mut chain = Vec::new();
            let mut answer = (0, Vec::new());
            if let Some(slot) = self.of_row(row) {
                answer = self.host.draft(&self.live[slot], &[])?;
                for _ in 0..self.random.below(DRAFT + 1) {
                    let last = answer.1.last().filter(|_| self.random.chance(85));
                    let likely = last.and_then(|words| some_bit(self.random, words));
                    chain.push(likely.unwrap_or_else(|| self.random.below(self.width) as u32));
                    answer = self.host.draft(&self.live[slot], &chain)?;
                }
            }
            counts[row] = chain.len() as u32;
            tokens[row * DRAFT..][..chain.len()].copy_from_slice(&chain);
            expected.push(answer);
        }
        let stride = self.rig.world.vocab.stride();
        let device = self.device;
        let (counts, tokens) = (upload(device, &counts)?, upload(device, &tokens)?);
        let verdicts = upload(device, &vec![9u32; n * DRAFT])?;
        let sets = upload(device, &vec![0u32; n * (DRAFT + 1) * stride])?;
        let draft = Draft {
            nodes: DRAFT,
            counts: &counts,
            tokens: &tokens,
            parents: None,
            verdicts: &verdicts,
            sets: Some((&sets, stride)),
        };
        draft::verify_draft(device, self.slot_rows(), &draft, &self.rig.walks)?;
        let verdicts: Vec<u32> = download(device, &verdicts, n * DRAFT)?;
        let words: Vec<u32> = download(device, &sets, n * (DRAFT + 1) * stride)?;
        for (row, (taken, sets)) in expected.iter().enumerate().filter(|&(row, _)| self.of_row(row).is_some())
        {
            let got = verdicts[row * DRAFT..][..DRAFT].iter().take_while(|&&v| v == verdict::OK).count();
            self.compare("verify_draft", row, &got, taken)?;
            for (node, set) in sets.iter().enumerate().take(taken + 1) {
                let got = &words[(row * (DRAFT + 1) + node) * stride..][..set.len()];
                if got != set {
                    let slot = self.of_row(row).expect("filtered");
                    return Err(differs(format!(
                        "verify_draft, row {row}, the set after {node} tokens: {}; {}",
                        difference(got, set),
                        self.live[slot].words()
                    )));
                }
            }
        }
        Ok(())
    }

    fn forced(&mut self) -> Result<()> {
        let n = self.rows.len();
        let bytes = self.device.alloc(n * FORCED)?;
        let lengths = self.device.alloc(4 * n)?;
        advance::forced(self.device, self.slot_rows(), &bytes, &lengths, FORCED)?;
        let bytes: Vec<u8> = download(self.device, &bytes, n * FORCED)?;
        let lengths: Vec<u32> = download(self.device, &lengths, n)?;
        for row in 0..n {
            let mut expected = match self.of_row(row) {
                Some(slot) if self.live[slot].finish.is_none() => self.host.forced(&self.live[slot])?,
                _ => Vec::new(),
            };
            expected.truncate(FORCED);
            let got = bytes[row * FORCED..][..(lengths[row] as usize).min(FORCED)].to_vec();
            self.compare("forced", row, &got, &expected)?;
        }
        Ok(())
    }

    /// Lines and levels of all slots.
    fn lines(&mut self) -> Result<()> {
        for (index, live) in self.live.iter().enumerate() {
            let (mut got, levels) = self.rig.slots.read(self.device, index)?;
            let (expected, expected_levels) = self.host.line(live)?;
            (got.grammar, got.adjust) = (0, 0);
            // Parameters are floats; NaN does not occur in them.
            if got != expected || levels != expected_levels {
                return Err(differs(format!(
                    "slot {index} is {got:?} {levels:?}, not {expected:?} {expected_levels:?}; {}",
                    live.words()
                )));
            }
        }
        debug_assert_eq!(size_of::<Slot>(), 128);
        Ok(())
    }

    fn compare<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        row: usize,
        got: &T,
        expected: &T,
    ) -> Result<()> {
        if got == expected {
            return Ok(());
        }
        let words = self.of_row(row).map_or(String::new(), |slot| self.live[slot].words());
        Err(differs(format!("{what}, row {row} of {}: {got:?}, not {expected:?}; {words}", self.rows.len())))
    }
}
