//! What masks know of a vocabulary, as one block of device memory: worked out once per vocabulary, uploaded
//! with one copy, shared by every slot.
//!
//! | part | for |
//! |---|---|
//! | token bytes, characters and slices per token | reading a token |
//! | a trie, level by level, with the ids by bytes | walks (`kernels/walk.cuh`) |
//! | tokens by the plain characters, whitespace or digits that they begin with | states where such a run leads to one place |
//! | per slice, bitmaps of its tokens by number of characters | states closed under it |
//! | per sub-state of a string, a bitmap and the suffixes behind the closing quote | strings |
//!
//! Tokens of more than [`layout::TRIE_MAX_DEPTH`] bytes are *loose*: in no trie and no bitmap, so that walks need
//! bounded memory and lengths are small numbers.

pub mod layout;
mod runs;
mod strings;
mod trie;

use bytemuck::{Pod, Zeroable};
use layout::*;

use super::driver::{Buffer, Driver};
use crate::error::{Error, ErrorKind, Result};
use crate::table::string_tokens::StringContents;
use crate::vocab::{SliceId, TokenTrie, Vocabulary};

/// The most characters that the tokens of each bitmap of a slice have; the last one has no bound.
const BOUNDS: [u32; SLICE_BOUNDS] = [0, 1, 2, 3, 4, 6, 8, 12, 16, u32::MAX];

/// A vocabulary in device memory.
#[derive(Debug)]
pub struct DeviceVocabulary {
    buffer: Buffer,
    fingerprint: u64,
    width: usize,
    stride: usize,
    max_token_len: usize,
    long_walks: bool,
}

impl DeviceVocabulary {
    /// Works the block out and uploads it.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] for a block of 4 GiB, and what the driver says.
    pub fn new(driver: &dyn Driver, vocab: &Vocabulary) -> Result<Self> {
        let block = block(vocab)?;
        let buffer = driver.alloc(block.len())?;
        driver.upload(&buffer, 0, &block)?;
        Ok(DeviceVocabulary {
            buffer,
            fingerprint: vocab.fingerprint(),
            width: vocab.width(),
            stride: stride(vocab),
            max_token_len: vocab.max_token_len(),
            long_walks: vocab.trie().len() > 1 << 13,
        })
    }

    /// Of the block.
    pub fn address(&self) -> u64 {
        self.buffer.address()
    }

    /// Bytes of the block.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Of the vocabulary.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Logits per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Words from one bitmap to the next: `ceil(width / 32)` padded to 16 bytes.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Longest token, in bytes.
    pub fn max_token_len(&self) -> usize {
        self.max_token_len
    }

    /// Whether walking all of it is long enough to be shared out.
    pub fn has_long_walks(&self) -> bool {
        self.long_walks
    }
}

fn stride(vocab: &Vocabulary) -> usize {
    vocab.width().div_ceil(32).next_multiple_of(4)
}

/// A block in the making.
struct Writer {
    bytes: Vec<u8>,
    stride: usize,
}

impl Writer {
    /// Appends records at a multiple of 16 bytes.
    fn section<T: Pod>(&mut self, records: &[T]) -> Result<Section> {
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(bytemuck::cast_slice(records));
        if self.bytes.len() > u32::MAX as usize {
            return Err(Error::new(ErrorKind::LimitExceeded, "the vocabulary's tables exceed 4 GiB"));
        }
        Ok(Section { offset: offset as u32, count: records.len() as u32 })
    }
}

/// Number of characters and slices (bit i: [`SliceId::ALL`]`[i]`) of a token.
fn info(bytes: &[u8]) -> (u16, u8) {
    let Ok(text) = std::str::from_utf8(bytes) else { return (CHARS_UNKNOWN, 0) };
    let chars = text.chars().count();
    if chars >= CHARS_UNKNOWN as usize {
        return (CHARS_UNKNOWN, 0);
    }
    let within = |i: usize| text.chars().all(|c| SliceId::ALL[i].contains_char(c));
    (chars as u16, (0..SLICES).filter(|&i| within(i)).fold(0, |bits, i| bits | 1 << i))
}

/// The whole block.
fn block(vocab: &Vocabulary) -> Result<Vec<u8>> {
    let mut header = VocabHeader::zeroed();
    let mut out = Writer { bytes: vec![0; size_of::<VocabHeader>()], stride: stride(vocab) };
    let (mut starts, mut bytes, mut infos) = (vec![0u32], Vec::new(), Vec::new());
    for id in 0..vocab.len() as u32 {
        let token = vocab.bytes(id).unwrap_or_default();
        bytes.extend_from_slice(token);
        starts.push(bytes.len() as u32);
        infos.push(if token.is_empty() { (CHARS_UNKNOWN, 0) } else { info(token) });
    }
    let has_bytes = (0..vocab.len() as u32).filter(|&id| vocab.bytes(id).is_some());
    let mut is_loose = vec![false; vocab.len()];
    for id in has_bytes.clone() {
        is_loose[id as usize] = vocab.bytes(id).is_some_and(|b| b.len() > TRIE_MAX_DEPTH);
    }
    for same in vocab.duplicates() {
        for &id in same.iter().skip(NODE_TOKENS) {
            is_loose[id as usize] = true;
        }
    }
    let slices_of = |id: u32| infos[id as usize].1;
    let all = TokenTrie::from_ids(vocab, has_bytes.clone().filter(|&id| !is_loose[id as usize]));
    let loose: Vec<LooseToken> = has_bytes
        .filter(|&id| is_loose[id as usize])
        .map(|token| {
            let text = vocab.bytes(token).expect("they have bytes");
            let (chars, bytes) = runs::of_slice(SliceId::PLAIN, text);
            // Longer runs are cut: what is left of them is read byte by byte.
            let (chars, bytes) = if bytes > 0xffff { (0, 0) } else { (chars as u16, bytes as u16) };
            LooseToken { token, chars, bytes, spaces: runs::spaces(text) as u32, padding: 0 }
        })
        .collect();
    let mut stop_ids = vocab.stop_ids().to_vec();
    stop_ids.sort_unstable();
    let mut plain: Vec<(u16, u32)> = all
        .tokens_sorted()
        .iter()
        .filter(|&&id| slices_of(id) & 1 != 0)
        .map(|&id| (infos[id as usize].0, id))
        .collect();
    plain.sort_unstable();
    let char_starts: Vec<u32> =
        (0..TRIE_MAX_DEPTH as u16 + 2).map(|k| plain.partition_point(|p| p.0 < k) as u32).collect();

    header.magic = MAGIC;
    header.fingerprint = vocab.fingerprint();
    header.width = vocab.width() as u32;
    header.len = vocab.len() as u32;
    header.words = vocab.width().div_ceil(32) as u32;
    header.stride = out.stride as u32;
    header.max_token_len = vocab.max_token_len() as u32;
    header.starts = out.section(&starts)?;
    header.bytes = out.section(&bytes)?;
    let packed: Vec<u16> = infos.iter().map(|&(chars, slices)| chars | u16::from(slices) << 8).collect();
    header.info = out.section(&packed)?;
    header.stop_ids = out.section(&stop_ids)?;
    header.loose = out.section(&loose)?;
    header.by_chars = out.section(&plain.iter().map(|p| p.1).collect::<Vec<u32>>())?;
    header.char_starts = out.section(&char_starts)?;
    let nodes = trie::level_order(&all, slices_of);
    header.blank = trie::child_of_root(&nodes, b' ').unwrap_or(0);
    header.all = TrieInfo { nodes: out.section(&nodes)?, tokens: out.section(all.tokens_sorted())? };
    header.spaces = runs::write_spaces(&mut out, vocab, all.tokens_sorted())?;
    header.digits = runs::write_digits(&mut out, vocab, all.tokens_sorted())?;
    for (i, slice) in header.slices.iter_mut().enumerate() {
        let members = plain.iter().filter(|p| slices_of(p.1) >> i & 1 != 0);
        *slice = write_slice(&mut out, SliceId::ALL[i], members.copied())?;
    }
    for (i, outside) in header.outside.iter_mut().enumerate() {
        *outside = runs::write_outside(&mut out, vocab, all.tokens_sorted(), SliceId::ALL[i])?;
    }
    let contents = StringContents::new();
    header.paths = strings::paths(&contents);
    for (sub, info) in header.strings.iter_mut().enumerate() {
        *info = strings::write(&mut out, &contents, vocab, &all, sub as u8, |id| slices_of(id) & 1 != 0)?;
    }
    out.bytes.resize(out.bytes.len().next_multiple_of(16), 0);
    header.size = out.bytes.len() as u32;
    out.bytes[..size_of::<VocabHeader>()].copy_from_slice(bytemuck::bytes_of(&header));
    Ok(out.bytes)
}

/// `members` are (characters, id), ascending.
fn write_slice(
    out: &mut Writer,
    id: SliceId,
    members: impl Iterator<Item = (u16, u32)>,
) -> Result<SliceInfo> {
    let members: Vec<(u16, u32)> = members.collect();
    let mut info = SliceInfo::zeroed();
    info.max_chars = members.last().map_or(0, |m| m.0.into());
    for byte in (0..=255u8).filter(|&byte| id.contains_byte(byte)) {
        info.bytes[byte as usize / 8] |= 1 << (byte % 8);
    }
    let mut bitmap = vec![0u32; out.stride];
    let mut words = Vec::new();
    let mut next = members.iter().peekable();
    for bound in BOUNDS.into_iter().filter(|&b| b < info.max_chars || b == u32::MAX || b == 0) {
        while let Some((_, id)) = next.next_if(|m| u32::from(m.0) <= bound) {
            bitmap[*id as usize / 32] |= 1 << (id % 32);
        }
        info.bounds[info.bitmaps as usize] = bound;
        info.bitmaps += 1;
        words.extend_from_slice(&bitmap);
    }
    info.words = out.section(&words)?;
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_of_o200k_base_has_every_token_once() {
        let vocab = Vocabulary::o200k_base().unwrap();
        let block = block(&vocab).unwrap();
        let header: VocabHeader = bytemuck::pod_read_unaligned(&block[..size_of::<VocabHeader>()]);
        let words = |s: Section| -> Vec<u32> {
            let bytes = &block[s.offset as usize..][..4 * s.count as usize];
            bytes.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
        };
        let mut ids = words(header.all.tokens);
        let loose: Vec<u32> = words(Section { offset: header.loose.offset, count: 4 * header.loose.count })
            .chunks(4)
            .map(|record| record[0])
            .collect();
        eprintln!(
            "{} bytes: {} nodes, {} loose tokens; behind slices {:?} nodes, behind whitespace {}",
            block.len(),
            header.all.nodes.count,
            loose.len(),
            header.outside.map(|run| run.suffixes.nodes.count),
            header.spaces.suffixes.nodes.count,
        );
        ids.extend(loose);
        ids.sort_unstable();
        let want: Vec<u32> = (0..vocab.len() as u32).filter(|&id| vocab.bytes(id).is_some()).collect();
        assert_eq!(ids, want);
        assert_eq!(header.size as usize, block.len());
        assert!(block.len() < 24 << 20, "{}", block.len());
    }
}
