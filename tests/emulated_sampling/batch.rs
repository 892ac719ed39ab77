//! A batch of random rows, what the reference makes of each, and what the kernels do.

use bytemuck::{Pod, Zeroable, cast_slice, cast_slice_mut};
use warpgrammar::ErrorKind;
use warpgrammar::cpu::sampler::{self as cpu, SamplerScratch};
use warpgrammar::device::layout::{
    FLAG_LOGPROB, FLAG_TOP_SHIFT, INACTIVE, LIST_CAP, LegalHead, RowResult, Slot, TOP_MAX, TopToken,
    legal_kind, row_status, slot_status,
};
use warpgrammar::device::sample::{self, DeviceLogits, Format, SampleBuffers, Spread};
use warpgrammar::device::{Buffer, Driver, Emulated, adjust};
use warpgrammar::reference::sampler as reference;
use warpgrammar::sampling::{Draw, LegalSet, SamplingParams, TILE, TileRecord, TokenCounts};

use crate::random::{self, Random, Row};

/// What a row's slot is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Running,
    /// The row belongs to no slot.
    Inactive,
    Finished,
}

/// One row of a batch.
pub struct RowCase {
    pub kind: Kind,
    pub logits: Row,
    pub ids: Vec<u32>,
    pub params: SamplingParams,
    pub counts: TokenCounts,
    pub position: u64,
    pub stream: u32,
}

/// What a row gives: as [`RowResult`], and the likeliest tokens, all as bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub token: u32,
    pub logprob: u32,
    pub status: u32,
    pub top: Vec<(u32, u32)>,
}

impl RowCase {
    pub fn random(random: &mut Random, width: usize, format: usize) -> RowCase {
        let values = random::values(random, width);
        let params = random::params(random, width);
        params.validate(width).unwrap();
        RowCase {
            kind: match random.below(40) {
                0 => Kind::Inactive,
                1 => Kind::Finished,
                _ => Kind::Running,
            },
            logits: Row::of(values, format),
            ids: random::legal_ids(random, width),
            counts: random::counts(random, width),
            params,
            position: random.next() >> random.below(64),
            stream: random.next() as u32,
        }
    }

    fn draw(&self) -> Draw {
        Draw::new(self.params.seed, self.position, self.stream)
    }

    /// What the specification says, checked against the CPU's sampler.
    pub fn expected(&self, scratch: &mut SamplerScratch) -> Outcome {
        let status = match self.kind {
            Kind::Running => row_status::OK,
            Kind::Inactive => row_status::INACTIVE,
            Kind::Finished => row_status::NOT_RUNNING,
        };
        let nothing = |status| Outcome { token: 0, logprob: 0, status, top: Vec::new() };
        if status != row_status::OK {
            return nothing(status);
        }
        let (logits, legal) = (self.logits.logits(), LegalSet::Ids(&self.ids));
        let sampled = reference::sample(logits, legal, &self.params, &self.counts, self.draw());
        let fast = cpu::sample(logits, legal, &self.params, &self.counts, self.draw(), scratch);
        match (sampled, fast) {
            (Ok(sampled), Ok(fast)) => {
                assert_eq!(format!("{sampled:?}"), format!("{fast:?}"), "reference and cpu");
                Outcome {
                    token: sampled.token,
                    logprob: sampled.logprob.unwrap_or_default().to_bits(),
                    status,
                    top: sampled.top.iter().map(|&(id, ln)| (id, ln.to_bits())).collect(),
                }
            }
            (Err(a), Err(b)) if a.kind() == ErrorKind::NoLegalToken && b.kind() == a.kind() => {
                nothing(row_status::NO_LEGAL_TOKEN)
            }
            (sampled, fast) => panic!("reference {sampled:?}, cpu {fast:?}"),
        }
    }

    /// The records of all legal tokens, at the row's temperature, for rows whose scan leaves them complete.
    pub fn records(&self) -> Option<Vec<TileRecord>> {
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

/// The form in which a legal set is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    All,
    Ids,
    Bitmap,
}

/// How a batch lies in memory and over blocks.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub format: usize,
    pub width: usize,
    /// Logits between the end of a row and the start of the next.
    pub gap: usize,
    /// Logits before the first row.
    pub lead: usize,
    pub spread: Spread,
}

impl Shape {
    pub fn random(random: &mut Random, format: usize, width: usize) -> Shape {
        Shape {
            format,
            width,
            gap: random.pick(&[0, 0, 1, 3, 7, 8, 64])
                + if random.chance(50) { (8 - width % 8) % 8 } else { 0 },
            lead: random.pick(&[0, 0, 0, 1, 3, 4, 6]),
            spread: Spread {
                blocks: 1 + random.below(9) as u32,
                group: random.pick(&[1, 1, 2, 3, 8, 8, 16, 100]),
            },
        }
    }
}

/// The forms a set can be given in: not every list is short enough.
pub fn forms(case: &RowCase, width: usize) -> Vec<Form> {
    let mut forms = vec![Form::Bitmap];
    if case.ids.len() <= LIST_CAP {
        forms.push(Form::Ids);
    }
    if case.ids.len() == width {
        forms.push(Form::All);
    }
    forms
}

fn upload<T: Pod>(device: &dyn Driver, values: &[T]) -> Buffer {
    let buffer = device.alloc(size_of_val(values)).unwrap();
    device.upload(&buffer, 0, cast_slice(values)).unwrap();
    buffer
}

fn download<T: Pod>(device: &dyn Driver, buffer: &Buffer, n: usize) -> Vec<T> {
    let mut values = vec![T::zeroed(); n];
    device.download(buffer, 0, cast_slice_mut(&mut values)).unwrap();
    values
}

/// Rows of a batch as bytes, with the greatest logits of all where no row is.
fn logits_bytes(cases: &[&RowCase], shape: &Shape) -> (Vec<u8>, usize) {
    let stride = shape.width + shape.gap;
    let elements = shape.lead + cases.len() * stride;
    let poison = Row::of(vec![f32::INFINITY; elements], shape.format);
    let bytes_of = |row: &Row| match row {
        Row::F32(row) => cast_slice::<_, u8>(row).to_vec(),
        Row::F16(row) => cast_slice::<_, u8>(row).to_vec(),
        Row::Bf16(row) => cast_slice::<_, u8>(row).to_vec(),
    };
    let mut bytes = bytes_of(&poison);
    let size = bytes.len() / elements.max(1);
    for (i, case) in cases.iter().enumerate() {
        let row = bytes_of(&case.logits);
        let at = (shape.lead + i * stride) * size;
        bytes[at..at + row.len()].copy_from_slice(&row);
    }
    // The last row ends with the memory, so that a sanitizer sees what reads on.
    bytes.truncate((elements - shape.gap) * size);
    (bytes, elements - shape.gap)
}

/// Samples the rows twice in one launch shape (a second launch finds what the first left behind); the outcomes and
/// the records of the second.
pub fn sample(
    device: &Emulated,
    random: &mut Random,
    cases: &[&RowCase],
    forms: &[Form],
    shape: &Shape,
) -> (Vec<Outcome>, Vec<Vec<TileRecord>>) {
    let width = shape.width;
    let n = cases.len();
    let slots_in_all = n + 3;
    let words = width.div_ceil(32) + random.below(3);

    // Rows have slots in some order, with slots between that no row has.
    let mut order: Vec<u32> = (0..slots_in_all as u32).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut rows = Vec::new();
    let mut slots = vec![Slot::zeroed(); slots_in_all];
    let mut heads = vec![LegalHead { kind: legal_kind::LIST, count: 0 }; slots_in_all];
    let mut ids = vec![0xdead_beefu32; slots_in_all * LIST_CAP];
    let mut bits = vec![u32::MAX; slots_in_all * words];
    let mut adjusts = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let at = order[i] as usize;
        rows.push(if case.kind == Kind::Inactive { INACTIVE } else { at as u32 });
        let logprobs = if case.params.logprobs { FLAG_LOGPROB } else { 0 };
        slots[at] = Slot {
            seed: case.params.seed,
            position: case.position,
            stream: case.stream,
            status: match case.kind {
                Kind::Finished => {
                    random.pick(&[slot_status::FREE, slot_status::STOPPED, slot_status::LENGTH])
                }
                _ => slot_status::RUNNING,
            },
            params: case.params.row_params(),
            flags: logprobs | u32::from(case.params.top_logprobs) << FLAG_TOP_SHIFT,
            ..Slot::zeroed()
        };
        if adjust::is_needed(&case.params) {
            let block = adjust::block(&case.params, &case.counts, width, random.below(50)).unwrap();
            let block = upload(device, &block);
            slots[at].adjust = block.address();
            adjusts.push(block);
        }
        match forms[i] {
            Form::All => heads[at].kind = legal_kind::ALL,
            Form::Ids => {
                heads[at].count = case.ids.len() as u32;
                ids[at * LIST_CAP..][..case.ids.len()].copy_from_slice(&case.ids);
            }
            Form::Bitmap => {
                heads[at].kind = legal_kind::BITMAP;
                let bitmap = random::bitmap(&case.ids, width);
                let used = width.div_ceil(32);
                bits[at * words..][..used].copy_from_slice(&bitmap[..used]);
            }
        }
    }

    let (bytes, elements) = logits_bytes(cases, shape);
    let size = bytes.len() / elements;
    let logits = upload(device, &bytes);
    let format = [Format::F32, Format::F16, Format::Bf16][shape.format];
    let start = logits.address() + (shape.lead * size) as u64;
    let batch = DeviceLogits::new(start, elements - shape.lead, format, n, width, width + shape.gap).unwrap();
    let tiles = width.div_ceil(TILE);
    let before = slots.clone();
    let (rows, slots) = (upload(device, &rows), upload(device, &slots));
    let (heads, ids, bits) = (upload(device, &heads), upload(device, &ids), upload(device, &bits));
    let records = upload(device, &vec![0xffu8; n * tiles * size_of::<TileRecord>()]);
    let tickets = device.alloc(n * 4).unwrap();
    let results = device.alloc(n * size_of::<RowResult>()).unwrap();
    let tops = device.alloc(n * TOP_MAX * size_of::<TopToken>()).unwrap();
    let buffers = SampleBuffers {
        rows: &rows,
        slots: &slots,
        legal_heads: &heads,
        legal_ids: &ids,
        legal_words: &bits,
        words,
        records: &records,
        tickets: &tickets,
        results: &results,
        tops: Some(&tops),
    };
    let mut first = None;
    for _ in 0..2 {
        device.fill(&results, 0, n * size_of::<RowResult>(), 0xee).unwrap();
        device.fill(&tops, 0, n * TOP_MAX * size_of::<TopToken>(), 0xee).unwrap();
        // SAFETY: every buffer outlives the launch, each row has a slot of its own, adjust blocks were made for
        // this width.
        unsafe { sample::sample(device, &batch, &buffers, shape.spread) }.unwrap();
        let outcomes = outcomes(device, cases, &results, &tops);
        assert_eq!(*first.get_or_insert_with(|| outcomes.clone()), outcomes, "the second launch, {shape:?}");
    }
    assert!(download::<u32>(device, &tickets, n).iter().all(|&t| t == 0), "tickets are set back");
    assert_eq!(download::<Slot>(device, &slots, slots_in_all), before, "slots are as they were");
    let records = download::<TileRecord>(device, &records, n * tiles);
    (first.unwrap(), records.chunks(tiles).map(<[TileRecord]>::to_vec).collect())
}

fn outcomes(device: &Emulated, cases: &[&RowCase], results: &Buffer, tops: &Buffer) -> Vec<Outcome> {
    let n = cases.len();
    let results = download::<RowResult>(device, results, n);
    let tops = download::<TopToken>(device, tops, n * TOP_MAX);
    let outcome = |(i, result): (usize, &RowResult)| {
        let top = &tops[i * TOP_MAX..][..TOP_MAX];
        let wanted = if result.status == row_status::OK { cases[i].params.top_logprobs } else { 0 };
        assert_eq!(result.finish, 0);
        let top = match wanted {
            0 => Vec::new(),
            _ => top.iter().filter(|t| t.token != INACTIVE).map(|t| (t.token, t.logprob.to_bits())).collect(),
        };
        Outcome { token: result.token, logprob: result.logprob.to_bits(), status: result.status, top }
    };
    results.iter().enumerate().map(outcome).collect()
}
