//! Whole generations on a device beside the engine's, token by token.

use std::sync::Arc;

use bytemuck::{Zeroable, cast_slice};

use super::random::{self, Random, Row};
use super::{differs, download, upload};
use crate::device::driver::{Buffer, Driver};
use crate::device::layout::{
    FLAG_LOGPROB, FLAG_TOP_SHIFT, INACTIVE, NO_LIMIT, RowResult, Slot, TOP_MAX, TopToken, row_status,
    slot_status,
};
use crate::device::legal::{DEFAULT_POOL, LegalSets, WalkMemory, legal};
use crate::device::sample::{DeviceLogits, Format, Spread};
use crate::device::slots::SlotMemory;
use crate::device::step::{StepMemory, StepSlots, step, step_whole};
use crate::device::vocabulary::DeviceVocabulary;
use crate::device::{adjust, advance};
use crate::engine::{Backend, Finish, Request, SlotId};
use crate::error::{ErrorKind, Result};
use crate::sampling::{Logits, LogitsBatch, SamplingParams, TokenCounts, stream};
use crate::table::Grammar;
use crate::vocab::Vocabulary;
use crate::{Engine, EngineOptions};

/// What to generate.
#[derive(Clone, Default)]
pub struct Case {
    /// `None` for free text.
    pub grammar: Option<Arc<Grammar>>,
    /// How to sample.
    pub params: SamplingParams,
    /// What came before.
    pub prompt: Vec<u32>,
    /// As in [`Request`].
    pub max_tokens: Option<u32>,
}

/// How to go about it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The engine's backend to compare with.
    pub backend: Backend,
    /// Whether legal sets are made in the step's launch.
    pub whole: bool,
    /// Most steps.
    pub steps: usize,
    /// Tokens that can be taken back.
    pub keep: usize,
}

/// Device memory of a batch.
struct Memory {
    vocab: DeviceVocabulary,
    slots: SlotMemory,
    sets: LegalSets,
    walks: WalkMemory,
    step: StepMemory,
    _blocks: Vec<Buffer>,
}

/// Admits the cases: case i has slot `order[i]`.
fn admit(
    device: &dyn Driver,
    vocab: &Vocabulary,
    cases: &[Case],
    order: &[u32],
    plan: &Plan,
) -> Result<Memory> {
    let levels =
        cases.iter().filter_map(|c| c.grammar.as_ref()).map(|g| g.max_depth()).max().unwrap_or(1).max(1);
    let memory = Memory {
        vocab: DeviceVocabulary::new(device, vocab)?,
        slots: SlotMemory::new(device, order.len(), levels, plan.keep)?,
        sets: LegalSets::new(device, order.len(), &DeviceVocabulary::new(device, vocab)?)?,
        walks: WalkMemory::new(device, 3, DEFAULT_POOL, levels)?,
        step: StepMemory::new(device, order.len(), vocab.width(), true)?,
        _blocks: Vec::new(),
    };
    let mut blocks = Vec::new();
    for (case, &at) in cases.iter().zip(order) {
        let mut slot = Slot {
            seed: case.params.seed,
            position: case.prompt.len() as u64,
            budget: case.max_tokens.unwrap_or(NO_LIMIT),
            stream: stream(0, false),
            status: slot_status::RUNNING,
            params: case.params.row_params(),
            flags: u32::from(case.params.top_logprobs) << FLAG_TOP_SHIFT,
            ..Slot::zeroed()
        };
        if case.params.logprobs {
            slot.flags |= FLAG_LOGPROB;
        }
        if let Some(grammar) = &case.grammar {
            let block = upload(device, grammar.as_bytes())?;
            (slot.grammar, slot.state) = (block.address(), grammar.header().start);
            blocks.push(block);
        }
        if adjust::is_needed(&case.params) {
            let counts = TokenCounts::from_prompt(&case.prompt);
            let block = adjust::block(&case.params, &counts, vocab.width(), plan.steps)?;
            let block = upload(device, &block)?;
            slot.adjust = block.address();
            blocks.push(block);
        }
        // SAFETY: the blocks were made for this vocabulary and outlive the slots' use; the state is the grammar's first.
        unsafe { memory.slots.write(device, at as usize, &slot, &[]) }?;
    }
    Ok(Memory { _blocks: blocks, ..memory })
}

/// One device step of rows that stand for `order`; the results.
fn device_step(
    device: &dyn Driver,
    memory: &Memory,
    rows: &[u32],
    row_bytes: &[u8],
    format: Format,
    plan: &Plan,
) -> Result<Vec<RowResult>> {
    let width = memory.vocab.width();
    let logits = upload(device, row_bytes)?;
    let elements = rows.len() * width;
    // SAFETY: `logits` outlives the launches, which `download` waits for.
    let batch = unsafe { DeviceLogits::new(logits.address(), elements, format, rows.len(), width, width) }?;
    let map = upload(device, rows)?;
    let slots = StepSlots { slots: &memory.slots, vocab: &memory.vocab, sets: &memory.sets, rows: &map };
    if plan.whole {
        step_whole(device, &batch, slots, &memory.walks, &memory.step)?;
    } else {
        legal(device, &memory.slots, &memory.vocab, &memory.sets, &memory.walks, 4)?;
        step(device, &batch, slots, &memory.step, Spread { blocks: 4, group: 1 })?;
    }
    download(device, memory.step.results(), rows.len())
}

/// What the engine's slot and the device's must agree on.
fn compare_slot(
    device: &dyn Driver,
    memory: &Memory,
    at: usize,
    engine: &Engine,
    id: SlotId,
    case: &Case,
) -> Result<()> {
    let (slot, _) = memory.slots.read(device, at)?;
    let written = engine.tokens(id)?.len();
    let finish = match slot.status {
        slot_status::RUNNING => None,
        slot_status::STOPPED | slot_status::COMPLETE => Some(Finish::Stop),
        slot_status::LENGTH => Some(Finish::Length),
        other => return Err(differs(format!("slot {at} has status {other}"))),
    };
    let budget = case.max_tokens.map_or(NO_LIMIT, |max| max - written as u32);
    let expected = (written as u32, (case.prompt.len() + written) as u64, budget, engine.finish(id)?);
    let got = (slot.output, slot.position, slot.budget, finish);
    if got != expected {
        return Err(differs(format!(
            "slot {at} has (output, position, budget, finish) {got:?}, not {expected:?}"
        )));
    }
    Ok(())
}

/// Generates all cases on the device and on the engine with random logits, now and then taking tokens back; the number
/// of row-steps.
///
/// # Errors
///
/// The first difference, or what the driver or the engine reports.
pub fn compare(
    device: &dyn Driver,
    random: &mut Random,
    vocab: &Arc<Vocabulary>,
    cases: &[Case],
    plan: &Plan,
) -> Result<usize> {
    let (n, width) = (cases.len(), vocab.width());
    let options = EngineOptions { slots: n, backend: plan.backend, ..EngineOptions::default() };
    let mut engine = Engine::new(vocab.clone(), options)?;
    let mut ids = Vec::new();
    for case in cases {
        let request = Request {
            grammar: case.grammar.clone(),
            params: case.params.clone(),
            prompt: &case.prompt,
            max_tokens: case.max_tokens,
            choice: 0,
        };
        ids.push(engine.admit(request)?);
    }
    let mut order: Vec<u32> = (0..n as u32 + 2).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let memory = admit(device, vocab, cases, &order, plan)?;

    let mut row_steps = 0;
    for number in 0..plan.steps {
        let format = random.below(3);
        let formats = [Format::F32, Format::F16, Format::Bf16];
        let values: Vec<Vec<f32>> = (0..n).map(|_| random::values(random, width)).collect();
        let all = Row::of(values.concat(), format);
        let (bytes, data): (&[u8], Logits<'_>) = match &all {
            Row::F32(row) => (cast_slice(row), Logits::F32(row)),
            Row::F16(row) => (cast_slice(row), Logits::F16(row)),
            Row::Bf16(row) => (cast_slice(row), Logits::Bf16(row)),
        };
        let batch = LogitsBatch::new(data, n, width, width)?;
        // Some rows sit a step out.
        let out: Vec<bool> = (0..n).map(|_| random.chance(5)).collect();
        let rows: Vec<u32> = (0..n).map(|i| if out[i] { INACTIVE } else { order[i] }).collect();
        let results = device_step(device, &memory, &rows, bytes, formats[format], plan)?;
        let tops = memory.step.tops().expect("tops were asked for");
        let tops = download::<TopToken>(device, tops, n * TOP_MAX)?;
        for (i, &id) in ids.iter().enumerate() {
            let what = |text: String| {
                differs(format!("step {number}, row {i}, {plan:?}, {:?}: {text}", cases[i].params))
            };
            let result = results[i];
            if out[i] || engine.finish(id)?.is_some() {
                let expected = if out[i] { row_status::INACTIVE } else { row_status::NOT_RUNNING };
                if result.status != expected {
                    return Err(what(format!("{result:?}, not status {expected}")));
                }
                continue;
            }
            row_steps += 1;
            let row = batch.row(i).expect("a row for each case");
            let single = LogitsBatch::new(row, 1, width, width)?;
            let stepped = engine.step(&[id], &single).pop().expect("a result for each row");
            let got = (result.token, result.logprob.to_bits(), result.status, result.finish != 0);
            let expected = match &stepped {
                Ok(s) => {
                    (s.token, s.logprob.unwrap_or_default().to_bits(), row_status::OK, s.finish.is_some())
                }
                Err(error) if error.kind() == ErrorKind::NoLegalToken => {
                    (0, 0, row_status::NO_LEGAL_TOKEN, false)
                }
                Err(error) => return Err(what(format!("the engine says {error}"))),
            };
            if got != expected {
                return Err(what(format!("{got:?}, not {expected:?}")));
            }
            if let Ok(stepped) = stepped {
                let listed = tops[i * TOP_MAX..][..TOP_MAX].iter().take(stepped.top.len());
                let listed: Vec<(u32, u32)> = listed.map(|t| (t.token, t.logprob.to_bits())).collect();
                let wanted: Vec<(u32, u32)> = stepped.top.iter().map(|t| (t.0, t.1.to_bits())).collect();
                if listed != wanted {
                    return Err(what(format!("likeliest {listed:?}, not {wanted:?}")));
                }
            }
            compare_slot(device, &memory, order[i] as usize, &engine, id, &cases[i])
                .map_err(|e| what(e.to_string()))?;
        }
        if random.chance(10) {
            take_back(device, random, &memory, &mut engine, &ids, &order, plan)?;
        }
    }
    Ok(row_steps)
}

/// Takes some tokens back from every slot, on both sides.
fn take_back(
    device: &dyn Driver,
    random: &mut Random,
    memory: &Memory,
    engine: &mut Engine,
    ids: &[SlotId],
    order: &[u32],
    plan: &Plan,
) -> Result<()> {
    let mut counts = Vec::new();
    for &id in ids {
        counts.push(random.below(engine.tokens(id)?.len().min(plan.keep).min(4) + 1) as u32);
    }
    // A slot of which nothing is taken back stays finished.
    let rows: Vec<u32> =
        order.iter().zip(&counts).map(|(&at, &n)| if n > 0 { at } else { INACTIVE }).collect();
    let (rows, numbers) = (upload(device, &rows)?, upload(device, &counts)?);
    let verdicts = device.alloc(ids.len() * 4)?;
    let slot_rows =
        advance::SlotRows { slots: &memory.slots, vocab: &memory.vocab, rows: &rows, count: ids.len() };
    advance::rollback(device, slot_rows, &numbers, &verdicts)?;
    let verdicts = download::<u32>(device, &verdicts, ids.len())?;
    for (i, &id) in ids.iter().enumerate() {
        let (slot, _) = memory.slots.read(device, order[i] as usize)?;
        // The history is a ring, which taking back shortens for good.
        if verdicts[i] == advance::verdict::OK {
            engine.rollback(id, counts[i] as usize)?;
        }
        if slot.output as usize != engine.tokens(id)?.len() {
            return Err(differs(format!(
                "slot {} has {} tokens after {} were taken back",
                order[i], slot.output, counts[i]
            )));
        }
    }
    Ok(())
}
