//! An emulated device with slots, and what their legal sets are read as.

use std::sync::Arc;

use bytemuck::Zeroable;
use warpgrammar::device::advance::{self, SlotRows};
use warpgrammar::device::draft::{Draft, ROOT, verify_draft};
use warpgrammar::device::layout::{LIST_CAP, LegalHead, Level, Slot, legal_kind};
use warpgrammar::device::legal::{self, LegalSets, WalkMemory};
use warpgrammar::device::slots::SlotMemory;
use warpgrammar::device::vocabulary::DeviceVocabulary;
use warpgrammar::device::{Buffer, Driver, Emulated, masks};
use warpgrammar::vocab::Vocabulary;

use super::grammars::Compiled;

pub const MAX_LEVELS: usize = 128;
pub const KEEP: usize = 5;

pub struct Device {
    pub driver: Emulated,
    pub vocab: Arc<Vocabulary>,
    pub tables: DeviceVocabulary,
    pub slots: SlotMemory,
    pub sets: LegalSets,
    pub grammars: Vec<Buffer>,
}

/// How a launch is spread; no result may depend on it.
#[derive(Clone, Copy)]
pub struct Spread {
    pub blocks: u32,
    pub parts: usize,
    pub pool: usize,
}

impl Device {
    pub fn new(vocab: Arc<Vocabulary>, grammars: &[Compiled], slots: usize, seed: u64) -> Device {
        let driver = Emulated::with_seed(seed).unwrap();
        let tables = DeviceVocabulary::new(&driver, &vocab).unwrap();
        let slots = SlotMemory::new(&driver, slots, MAX_LEVELS, KEEP).unwrap();
        let sets = LegalSets::new(&driver, slots.count(), &tables).unwrap();
        let grammars = grammars.iter().map(|g| upload(&driver, g.grammar().as_bytes())).collect();
        Device { driver, vocab, tables, slots, sets, grammars }
    }

    pub fn write(&self, index: usize, slot: &Slot, levels: &[Level]) {
        // A level that is read where none is open must show.
        let stale = [Level { site: u32::MAX, ..Level::zeroed() }; MAX_LEVELS];
        // SAFETY: tests give addresses of whole grammars of at most MAX_LEVELS levels, kept in `grammars`, and
        // configurations that they have been in. No kernel runs between the two.
        unsafe {
            let full = Slot { depth: MAX_LEVELS as u32, ..*slot };
            self.slots.write(&self.driver, index, &full, &stale).unwrap();
            self.slots.write(&self.driver, index, slot, levels).unwrap();
        }
    }

    pub fn legal(&self, spread: Spread) {
        let walks = self.walks(spread);
        // Whatever is not written must show.
        self.driver.fill(self.sets.words(), 0, self.sets.words().len(), 0xa5).unwrap();
        self.driver.fill(self.sets.ids(), 0, self.sets.ids().len(), 0xa5).unwrap();
        legal::legal(&self.driver, &self.slots, &self.tables, &self.sets, &walks, spread.parts).unwrap();
    }

    pub fn walks(&self, spread: Spread) -> WalkMemory {
        WalkMemory::new(&self.driver, spread.blocks, spread.pool, MAX_LEVELS).unwrap()
    }

    /// Every slot's legal set as a mask, and its kind.
    pub fn sets(&self) -> Vec<(u32, Vec<u32>)> {
        let n = self.slots.count();
        let heads: Vec<LegalHead> = download(&self.driver, self.sets.heads(), n);
        let ids: Vec<u32> = download(&self.driver, self.sets.ids(), n * LIST_CAP);
        let words: Vec<u32> = download(&self.driver, self.sets.words(), n * self.sets.stride());
        let width = self.vocab.width();
        let set = |(slot, head): (usize, &LegalHead)| {
            let mut mask = vec![0u32; width.div_ceil(32)];
            match head.kind {
                legal_kind::ALL => (0..width).for_each(|t| mask[t / 32] |= 1 << (t % 32)),
                legal_kind::LIST => {
                    let list = &ids[slot * LIST_CAP..][..head.count as usize];
                    assert!(list.is_sorted_by(|a, b| a < b), "slot {slot}: {list:?}");
                    list.iter().for_each(|&t| mask[t as usize / 32] |= 1 << (t % 32));
                }
                legal_kind::BITMAP => {
                    let own = &words[slot * self.sets.stride()..][..self.sets.stride()];
                    assert!(own[mask.len()..].iter().all(|&w| w == 0), "slot {slot}: the padding");
                    let n = mask.len();
                    mask.copy_from_slice(&own[..n]);
                }
                kind => panic!("slot {slot}: a set of kind {kind:#x}"),
            }
            (head.kind, mask)
        };
        heads.iter().enumerate().map(set).collect()
    }

    pub fn rows<'a>(&'a self, rows: &'a Buffer, count: usize) -> SlotRows<'a> {
        SlotRows { slots: &self.slots, vocab: &self.tables, rows, count }
    }

    /// The verdict on each row's token.
    pub fn advance(&self, rows: &[u32], tokens: &[u32]) -> Vec<u32> {
        self.rowwise(rows, tokens, advance::advance)
    }

    pub fn rollback(&self, rows: &[u32], counts: &[u32]) -> Vec<u32> {
        self.rowwise(rows, counts, advance::rollback)
    }

    fn rowwise(
        &self,
        rows: &[u32],
        given: &[u32],
        launch: impl Fn(&dyn Driver, SlotRows<'_>, &Buffer, &Buffer) -> warpgrammar::Result<()>,
    ) -> Vec<u32> {
        let (rows_at, given_at) = (self.upload(rows), self.upload(given));
        let out = self.upload(&vec![u32::MAX; rows.len()]);
        launch(&self.driver, self.rows(&rows_at, rows.len()), &given_at, &out).unwrap();
        download(&self.driver, &out, rows.len())
    }

    pub fn forced(&self, rows: &[u32], capacity: usize) -> Vec<Vec<u8>> {
        let rows_at = self.upload(rows);
        let (bytes, lengths) =
            (self.upload(&vec![0xffu8; rows.len() * capacity]), self.upload(&vec![0u32; rows.len()]));
        advance::forced(&self.driver, self.rows(&rows_at, rows.len()), &bytes, &lengths, capacity).unwrap();
        let lengths: Vec<u32> = download(&self.driver, &lengths, rows.len());
        let bytes: Vec<u8> = download(&self.driver, &bytes, rows.len() * capacity);
        lengths.iter().enumerate().map(|(i, &n)| bytes[i * capacity..][..n as usize].to_vec()).collect()
    }

    pub fn fill(&self, rows: &[u32], stride: usize) -> Vec<Vec<u32>> {
        let rows_at = self.upload(rows);
        let out = self.upload(&vec![0xa5a5_a5a5u32; rows.len() * stride]);
        masks::fill_bitmask(&self.driver, &self.tables, &self.sets, &rows_at, rows.len(), &out, stride)
            .unwrap();
        download(&self.driver, &out, rows.len() * stride).chunks(stride).map(<[u32]>::to_vec).collect()
    }

    /// Verdicts per row and node, and if asked for the sets at the slot and after each node.
    pub fn draft(
        &self,
        rows: &[u32],
        tokens: &[Vec<u32>],
        parents: Option<&[Vec<u32>]>,
        nodes: usize,
        sets: bool,
        spread: Spread,
    ) -> (Vec<Vec<u32>>, Vec<Vec<Vec<u32>>>) {
        let flat = |lists: &[Vec<u32>], filler: u32| -> Vec<u32> {
            lists
                .iter()
                .flat_map(|l| l.iter().copied().chain(std::iter::repeat(filler)).take(nodes))
                .collect()
        };
        let rows_at = self.upload(rows);
        let counts = self.upload(&tokens.iter().map(|t| t.len() as u32).collect::<Vec<_>>());
        let tokens_at = self.upload(&flat(tokens, 7));
        let parents_at = parents.map(|p| self.upload(&flat(p, ROOT)));
        let verdicts = self.upload(&vec![u32::MAX; rows.len() * nodes]);
        let stride = self.tables.stride() + 4;
        let words = self.upload(&vec![0xa5a5_a5a5u32; rows.len() * (nodes + 1) * stride]);
        let draft = Draft {
            nodes,
            counts: &counts,
            tokens: &tokens_at,
            parents: parents_at.as_ref(),
            verdicts: &verdicts,
            sets: sets.then_some((&words, stride)),
        };
        let walks = self.walks(spread);
        verify_draft(&self.driver, self.rows(&rows_at, rows.len()), &draft, &walks).unwrap();
        let verdicts: Vec<u32> = download(&self.driver, &verdicts, rows.len() * nodes);
        let words: Vec<u32> = download(&self.driver, &words, rows.len() * (nodes + 1) * stride);
        let n = self.vocab.width().div_ceil(32);
        let sets = words
            .chunks((nodes + 1) * stride)
            .map(|row| row.chunks(stride).map(|s| s[..n].to_vec()).collect());
        (verdicts.chunks(nodes).map(<[u32]>::to_vec).collect(), sets.collect())
    }

    pub fn upload<T: bytemuck::Pod>(&self, values: &[T]) -> Buffer {
        upload(&self.driver, bytemuck::cast_slice(values))
    }
}

fn upload(driver: &Emulated, bytes: &[u8]) -> Buffer {
    let buffer = driver.alloc(bytes.len()).unwrap();
    driver.upload(&buffer, 0, bytes).unwrap();
    buffer
}

pub fn download<T: bytemuck::Pod>(driver: &Emulated, from: &Buffer, n: usize) -> Vec<T> {
    let mut values = vec![T::zeroed(); n];
    driver.download(from, 0, bytemuck::cast_slice_mut(&mut values)).unwrap();
    values
}
