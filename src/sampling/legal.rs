//! The legal tokens of a row: all, a list of ids, or a bitmap.

use crate::error::{Error, ErrorKind, Result};

/// Which tokens of a row are legal. The three forms of one set give bit-identical results.
#[derive(Clone, Copy, Debug)]
pub enum LegalSet<'a> {
    /// Every id below the width.
    All,
    /// These ids, strictly ascending. Only their logits are read.
    Ids(&'a [u32]),
    /// One bit per id, least significant first, 32 to a word; 1 = legal. Bits from the width on are ignored.
    Bitmap(&'a [u32]),
}

impl LegalSet<'_> {
    /// Checks the set against a row of `width` logits.
    ///
    /// # Errors
    ///
    /// If ids are not strictly ascending or not below `width`, or if the bitmap is too short.
    pub fn check(self, width: usize) -> Result<()> {
        let problem = match self {
            LegalSet::All => return Ok(()),
            LegalSet::Ids(ids) => {
                if let Some(pair) = ids.windows(2).find(|pair| pair[0] >= pair[1]) {
                    format!("legal ids must be strictly ascending, got {} before {}", pair[0], pair[1])
                } else if let Some(last) = ids.last().filter(|&&id| id as usize >= width) {
                    format!("legal id {last} is not below the width of the logits, {width}")
                } else {
                    return Ok(());
                }
            }
            LegalSet::Bitmap(words) if words.len() < width.div_ceil(32) => {
                format!("a bitmap for {width} ids needs {} words, got {}", width.div_ceil(32), words.len())
            }
            LegalSet::Bitmap(_) => return Ok(()),
        };
        Err(Error::new(ErrorKind::InvalidParameter, problem))
    }

    /// Whether `id`, which is below the width, is legal.
    pub fn contains(self, id: u32) -> bool {
        match self {
            LegalSet::All => true,
            LegalSet::Ids(ids) => ids.binary_search(&id).is_ok(),
            LegalSet::Bitmap(words) => words[id as usize / 32] >> (id % 32) & 1 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        assert!(LegalSet::All.check(0).is_ok());
        assert!(LegalSet::Ids(&[]).check(0).is_ok());
        assert!(LegalSet::Ids(&[1, 5]).check(6).is_ok());
        assert!(LegalSet::Ids(&[1, 5]).check(5).is_err());
        assert!(LegalSet::Ids(&[5, 1]).check(6).is_err());
        assert!(LegalSet::Ids(&[1, 1]).check(6).is_err());
        assert!(LegalSet::Bitmap(&[0]).check(32).is_ok());
        assert!(LegalSet::Bitmap(&[0]).check(33).is_err());
    }

    #[test]
    fn membership() {
        let bitmap = LegalSet::Bitmap(&[1 << 31, 1]);
        assert!(bitmap.contains(31) && bitmap.contains(32) && !bitmap.contains(33));
        assert!(LegalSet::Ids(&[3, 9]).contains(9) && !LegalSet::Ids(&[3, 9]).contains(4));
        assert!(LegalSet::All.contains(7));
    }
}
