//! Token bytes, stored flat.
//!
//! Two hundred thousand small vectors would cost 24 bytes each beside their allocations; one byte
//! array with an offset per id is what a device wants as well. An id without bytes (a special token,
//! a hole in the numbering) has an empty range: no token writes nothing, so emptiness is free to mean
//! absence.

use crate::{Error, ErrorKind, Result};

/// Greatest number of ids, and of logits, a vocabulary may have: 80 times today's largest.
///
/// It keeps a stray id in a damaged file from asking for gigabytes of offsets.
pub(super) const MAX_IDS: usize = 1 << 24;

/// Longest token in bytes; trie depths are 16 bits wide. The longest of o200k_base has 128.
pub(super) const MAX_TOKEN_LEN: usize = u16::MAX as usize;

/// id → bytes, for ids `0..len()`.
#[derive(Clone)]
pub(super) struct TokenTable {
    /// All tokens' bytes, in id order.
    bytes: Vec<u8>,
    /// `len() + 1` offsets into `bytes`; token `i` is `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
}

impl TokenTable {
    /// Lays out `tokens` in the order given; `None` and the empty string are ids without bytes.
    pub(super) fn new<T: AsRef<[u8]>>(tokens: impl IntoIterator<Item = Option<T>>) -> Result<Self> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut starts = vec![0u32];
        for token in tokens {
            let id = starts.len() - 1;
            if id >= MAX_IDS {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!("the vocabulary has more than {MAX_IDS} ids"),
                ));
            }
            if let Some(token) = &token {
                let token = token.as_ref();
                if token.len() > MAX_TOKEN_LEN {
                    return Err(Error::new(
                        ErrorKind::LimitExceeded,
                        format!(
                            "token {id} has {} bytes; at most {MAX_TOKEN_LEN} are supported",
                            token.len()
                        ),
                    ));
                }
                bytes.extend_from_slice(token);
            }
            let end = u32::try_from(bytes.len()).map_err(|_| {
                Error::new(ErrorKind::LimitExceeded, "the tokens' bytes exceed 4 GiB in total")
            })?;
            starts.push(end);
        }
        bytes.shrink_to_fit();
        starts.shrink_to_fit();
        Ok(TokenTable { bytes, starts })
    }

    /// Number of ids, those without bytes included.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of `id`; `None` for an id without any, and beyond the table.
    pub(super) fn get(&self, id: u32) -> Option<&[u8]> {
        let i = id as usize;
        let (&start, &end) = (self.starts.get(i)?, self.starts.get(i + 1)?);
        (start < end).then(|| &self.bytes[start as usize..end as usize])
    }

    /// Every id that has bytes, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.len() as u32).filter_map(|id| Some((id, self.get(id)?)))
    }

    /// The same table with the bytes of `ids` taken away.
    pub(super) fn without(&self, ids: &[u32]) -> Result<Self> {
        TokenTable::new((0..self.len() as u32).map(|id| if ids.contains(&id) { None } else { self.get(id) }))
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u32>()
    }
}
