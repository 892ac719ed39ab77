//! A batch of rows in a device's memory, and what the sampling kernels make of it.

use bytemuck::{Zeroable, cast_slice};

use super::random::{self, Random, Row};
use super::sampling::{Form, Kind, Outcome, RowCase, Shape};
use super::{differs, download, upload};
use crate::device::adjust;
use crate::device::driver::{Buffer, Driver};
use crate::device::layout::{
    FLAG_LOGPROB, FLAG_TOP_SHIFT, INACTIVE, LIST_CAP, LegalHead, RowResult, Slot, TOP_MAX, TopToken,
    legal_kind, row_status, slot_status,
};
use crate::device::sample::{DeviceLogits, Format, SampleBuffers, sample as launch};
use crate::error::Result;
use crate::sampling::{TILE, TileRecord};

/// A batch as the host lays it out.
struct Layout {
    rows: Vec<u32>,
    slots: Vec<Slot>,
    heads: Vec<LegalHead>,
    ids: Vec<u32>,
    bits: Vec<u32>,
    words: usize,
    /// Adjust blocks, which slots hold the addresses of.
    adjusts: Vec<Buffer>,
}

/// Rows have slots in some order, with slots between that no row has, and garbage where nothing should be read.
fn lay_out(
    device: &dyn Driver,
    random: &mut Random,
    cases: &[&RowCase],
    forms: &[Form],
    width: usize,
) -> Result<Layout> {
    let n = cases.len() + 3;
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, random.below(i + 1));
    }
    let words = width.div_ceil(32) + random.below(3);
    let mut all = Layout {
        rows: Vec::new(),
        slots: vec![Slot::zeroed(); n],
        heads: vec![LegalHead { kind: legal_kind::LIST, count: 0 }; n],
        ids: vec![0xdead_beef; n * LIST_CAP],
        bits: vec![u32::MAX; n * words],
        words,
        adjusts: Vec::new(),
    };
    for (i, case) in cases.iter().enumerate() {
        let at = order[i] as usize;
        all.rows.push(match case.kind {
            Kind::Inactive => random.pick(&[INACTIVE, INACTIVE, n as u32]),
            _ => at as u32,
        });
        let slot = &mut all.slots[at];
        slot.seed = case.params.seed;
        slot.position = case.position;
        slot.stream = case.stream;
        slot.params = case.params.row_params();
        slot.status = match case.kind {
            Kind::Finished => random.pick(&[slot_status::FREE, slot_status::STOPPED, slot_status::LENGTH]),
            _ => slot_status::RUNNING,
        };
        slot.flags = u32::from(case.params.top_logprobs) << FLAG_TOP_SHIFT;
        if case.params.logprobs {
            slot.flags |= FLAG_LOGPROB;
        }
        if adjust::is_needed(&case.params) {
            let block = adjust::block(&case.params, &case.counts, width, random.below(50))?;
            let block = upload(device, &block)?;
            slot.adjust = block.address();
            all.adjusts.push(block);
        }
        match forms[i] {
            Form::All => all.heads[at].kind = legal_kind::ALL,
            Form::Ids => {
                all.heads[at].count = case.ids.len() as u32;
                all.ids[at * LIST_CAP..][..case.ids.len()].copy_from_slice(&case.ids);
            }
            Form::Bitmap => {
                all.heads[at].kind = legal_kind::BITMAP;
                let bitmap = random::bitmap(&case.ids, width);
                let used = width.div_ceil(32);
                all.bits[at * words..][..used].copy_from_slice(&bitmap[..used]);
            }
        }
    }
    Ok(all)
}

/// The rows as bytes, +∞ wherever no row is, ending with the last row; and how many logits that is.
fn logits_bytes(cases: &[&RowCase], shape: &Shape) -> (Vec<u8>, usize) {
    let bytes_of = |row: &Row| match row {
        Row::F32(row) => cast_slice::<_, u8>(row).to_vec(),
        Row::F16(row) => cast_slice::<_, u8>(row).to_vec(),
        Row::Bf16(row) => cast_slice::<_, u8>(row).to_vec(),
    };
    let stride = shape.width + shape.gap;
    let elements = shape.lead + cases.len() * stride - shape.gap;
    let mut bytes = bytes_of(&Row::of(vec![f32::INFINITY; elements], shape.format));
    let size = bytes.len() / elements;
    for (i, case) in cases.iter().enumerate() {
        let row = bytes_of(&case.logits);
        let at = (shape.lead + i * stride) * size;
        bytes[at..at + row.len()].copy_from_slice(&row);
    }
    (bytes, elements)
}

/// Samples the rows twice in one launch shape (a second launch meets what the first left behind); the outcomes and
/// the records.
pub fn sample(
    device: &dyn Driver,
    random: &mut Random,
    cases: &[&RowCase],
    forms: &[Form],
    shape: &Shape,
) -> Result<(Vec<Outcome>, Vec<Vec<TileRecord>>)> {
    let (n, width) = (cases.len(), shape.width);
    let tiles = width.div_ceil(TILE);
    let all = lay_out(device, random, cases, forms, width)?;
    let (bytes, elements) = logits_bytes(cases, shape);
    let logits = upload(device, &bytes)?;
    let format = [Format::F32, Format::F16, Format::Bf16][shape.format];
    let start = logits.address() + (shape.lead * format.bytes()) as u64;
    // SAFETY: `logits` outlives the launches, and holds the logits from its `lead`-th on.
    let batch =
        unsafe { DeviceLogits::new(start, elements - shape.lead, format, n, width, width + shape.gap) }?;

    let (rows, slots) = (upload(device, &all.rows)?, upload(device, &all.slots)?);
    let (heads, ids) = (upload(device, &all.heads)?, upload(device, &all.ids)?);
    let bits = upload(device, &all.bits)?;
    let records = upload(device, &vec![0xffu8; n * tiles * size_of::<TileRecord>()])?;
    let tickets = device.alloc(n * 4)?;
    let results = device.alloc(n * size_of::<RowResult>())?;
    let tops = device.alloc(n * TOP_MAX * size_of::<TopToken>())?;
    let buffers = SampleBuffers {
        rows: &rows,
        slots: &slots,
        legal_heads: &heads,
        legal_ids: &ids,
        legal_words: &bits,
        words: all.words,
        records: &records,
        tickets: &tickets,
        results: &results,
        tops: Some(&tops),
    };
    let mut rounds = Vec::new();
    for _ in 0..2 {
        device.fill(&results, 0, results.len(), 0xee)?;
        device.fill(&tops, 0, tops.len(), 0xee)?;
        // SAFETY: every buffer outlives the launch, which `download` waits for; each row has a slot of its own, and
        // adjust blocks were made for this width.
        unsafe { launch(device, &batch, &buffers, shape.spread) }?;
        rounds.push(outcomes(device, cases, &results, &tops)?);
    }
    if rounds[0] != rounds[1] {
        return Err(differs(format!(
            "a second launch gives {:?}, not {:?}; {shape:?}",
            rounds[1], rounds[0]
        )));
    }
    if download::<u32>(device, &tickets, n)?.iter().any(|&ticket| ticket != 0) {
        return Err(differs(format!("a ticket is not set back; {shape:?}")));
    }
    if download::<Slot>(device, &slots, all.slots.len())? != all.slots {
        return Err(differs(format!("a slot has changed; {shape:?}")));
    }
    let records = download::<TileRecord>(device, &records, n * tiles)?;
    Ok((rounds.swap_remove(0), records.chunks(tiles).map(<[TileRecord]>::to_vec).collect()))
}

fn outcomes(
    device: &dyn Driver,
    cases: &[&RowCase],
    results: &Buffer,
    tops: &Buffer,
) -> Result<Vec<Outcome>> {
    let results = download::<RowResult>(device, results, cases.len())?;
    let tops = download::<TopToken>(device, tops, cases.len() * TOP_MAX)?;
    let outcome = |(i, result): (usize, &RowResult)| {
        let top = match result.status == row_status::OK && cases[i].params.top_logprobs > 0 {
            true => &tops[i * TOP_MAX..][..TOP_MAX],
            false => &[],
        };
        // What says that there are no more, and what kernels do not write, is not part of an outcome.
        let top = top.iter().take_while(|t| t.token != INACTIVE);
        Outcome {
            token: result.token,
            logprob: result.logprob.to_bits(),
            status: result.status | result.finish << 8,
            top: top.map(|t| (t.token, t.logprob.to_bits())).collect(),
        }
    };
    Ok(results.iter().enumerate().map(outcome).collect())
}
