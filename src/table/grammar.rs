//! A compiled grammar: one relocatable block of memory.
//!
//! The block is written once, uploaded to a device with one copy, and saved and loaded as it is.
//! Loading checks the label, the version, the checksum and every index, so that no interpreter, on
//! whatever device, can be led out of bounds by a damaged file.

use bytemuck::{Pod, Zeroable};

use super::layout::*;
use crate::error::{Error, ErrorKind, Result};

/// A section of the block: byte offset and number of records.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq)]
pub struct Section {
    /// Bytes from the start of the block; a multiple of 8.
    pub offset: u32,
    /// Records.
    pub count: u32,
}

/// The start of the block.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// Of everything after this field.
    pub checksum: u64,
    /// Of the vocabulary whose tokens the costs are counted in.
    pub vocabulary: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Start state of the outermost frame.
    pub start: u32,
    /// Greatest stack depth.
    pub max_depth: u32,
    /// Longest run of optional whitespace, in bytes.
    pub max_spaces: u32,
    /// Spaces per level of indented output.
    pub indent: u32,
    /// Bytes of the whole block.
    pub size: u32,
    /// [`PackedState`]s.
    pub states: Section,
    /// [`StateKind`]s.
    pub kinds: Section,
    /// [`Extra`]s.
    pub extras: Section,
    /// [`KeyInfo`]s.
    pub keys: Section,
    /// [`MemberCost`]s.
    pub key_costs: Section,
    /// Words of rows.
    pub rows: Section,
    /// [`SiteInfo`]s.
    pub sites: Section,
    /// [`VariantInfo`]s.
    pub variants: Section,
    /// [`VariantTerms`].
    pub terms: Section,
    /// Words of lists.
    pub lists: Section,
    /// [`Choice`]s.
    pub choices: Section,
}

/// `"WARPGRAM"`, little endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"WARPGRAM");
/// Of the layout; grows with every change of it.
pub const VERSION: u32 = 5;

/// The tables of one compiled schema. Immutable; share it behind an `Arc`.
#[derive(Clone, PartialEq, Eq)]
pub struct Grammar {
    block: Box<[u64]>,
}

/// What goes into a block.
#[derive(Default)]
pub(super) struct Sections {
    pub states: Vec<PackedState>,
    pub kinds: Vec<StateKind>,
    pub extras: Vec<Extra>,
    pub keys: Vec<KeyInfo>,
    pub key_costs: Vec<MemberCost>,
    pub rows: Vec<u32>,
    pub sites: Vec<SiteInfo>,
    pub variants: Vec<VariantInfo>,
    pub terms: Vec<VariantTerms>,
    pub lists: Vec<u32>,
    pub choices: Vec<Choice>,
}

impl Grammar {
    /// Lays the sections out behind the header, whose sizes and checksum are filled in.
    pub(super) fn assemble(mut header: Header, s: &Sections) -> Result<Self> {
        let parts: [(&[u8], u32); 11] = [
            (bytemuck::cast_slice(&s.states), s.states.len() as u32),
            (bytemuck::cast_slice(&s.kinds), s.kinds.len() as u32),
            (bytemuck::cast_slice(&s.extras), s.extras.len() as u32),
            (bytemuck::cast_slice(&s.keys), s.keys.len() as u32),
            (bytemuck::cast_slice(&s.key_costs), s.key_costs.len() as u32),
            (bytemuck::cast_slice(&s.rows), s.rows.len() as u32),
            (bytemuck::cast_slice(&s.sites), s.sites.len() as u32),
            (bytemuck::cast_slice(&s.variants), s.variants.len() as u32),
            (bytemuck::cast_slice(&s.terms), s.terms.len() as u32),
            (bytemuck::cast_slice(&s.lists), s.lists.len() as u32),
            (bytemuck::cast_slice(&s.choices), s.choices.len() as u32),
        ];
        let mut sections = [Section { offset: 0, count: 0 }; 11];
        let mut end = size_of::<Header>();
        for (section, (bytes, count)) in sections.iter_mut().zip(&parts) {
            *section = Section { offset: end as u32, count: *count };
            end += bytes.len().next_multiple_of(8);
        }
        if end > u32::MAX as usize {
            return Err(Error::new(ErrorKind::LimitExceeded, "the tables exceed 4 GiB"));
        }
        let mut block = vec![0u64; end / 8].into_boxed_slice();
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut block);
        for (section, (part, _)) in sections.iter().zip(&parts) {
            bytes[section.offset as usize..][..part.len()].copy_from_slice(part);
        }
        [
            header.states,
            header.kinds,
            header.extras,
            header.keys,
            header.key_costs,
            header.rows,
            header.sites,
            header.variants,
            header.terms,
            header.lists,
            header.choices,
        ] = sections;
        header.magic = MAGIC;
        header.version = VERSION;
        header.size = end as u32;
        bytes[..size_of::<Header>()].copy_from_slice(bytemuck::bytes_of(&header));
        let checksum = checksum(&block);
        block[1] = checksum;
        Ok(Grammar { block })
    }

    /// The block, to be saved or uploaded.
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.block)
    }

    /// Reads a block that [`Grammar::as_bytes`] gave.
    ///
    /// # Errors
    /// [`ErrorKind::CorruptGrammar`] if it is not one, of another version, or damaged anywhere.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt =
            |why: &str| Error::new(ErrorKind::CorruptGrammar, format!("{why}; compile the schema again"));
        if bytes.len() < size_of::<Header>() || !bytes.len().is_multiple_of(8) {
            return Err(corrupt("the block is cut short"));
        }
        let mut block = vec![0u64; bytes.len() / 8].into_boxed_slice();
        bytemuck::cast_slice_mut::<u64, u8>(&mut block).copy_from_slice(bytes);
        let header: Header =
            *bytemuck::from_bytes(&bytemuck::cast_slice::<u64, u8>(&block)[..size_of::<Header>()]);
        if header.magic != MAGIC {
            return Err(corrupt("this is no compiled grammar (or one of another byte order)"));
        }
        if header.version != VERSION {
            return Err(corrupt(&format!(
                "the grammar has version {}, this library reads {VERSION}",
                header.version
            )));
        }
        if header.size as usize != bytes.len() {
            return Err(corrupt("the block has another length than it was written with"));
        }
        if block[1] != checksum(&block) {
            return Err(corrupt("the checksum does not match"));
        }
        let grammar = Grammar { block };
        super::check::check(&grammar).map_err(|why| corrupt(&why))?;
        Ok(grammar)
    }

    /// The header.
    #[inline]
    pub fn header(&self) -> &Header {
        bytemuck::from_bytes(&bytemuck::cast_slice::<u64, u8>(&self.block)[..size_of::<Header>()])
    }

    pub(super) fn section<T: Pod>(&self, section: Section) -> Option<&[T]> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.block);
        let length = (section.count as usize).checked_mul(size_of::<T>())?;
        let part = bytes.get(section.offset as usize..)?.get(..length)?;
        bytemuck::try_cast_slice(part).ok()
    }

    fn checked<T: Pod>(&self, section: Section) -> &[T] {
        self.section(section).expect("sections are checked when a block is made or loaded")
    }

    /// All states; 0 is dead.
    pub fn states(&self) -> States<'_> {
        let header = self.header();
        States::new(self.checked(header.states), self.checked(header.kinds))
    }

    /// What few states need besides.
    pub fn extras(&self) -> &[Extra] {
        self.checked(self.header().extras)
    }

    /// Registers of keys.
    pub fn keys(&self) -> &[KeyInfo] {
        self.checked(self.header().keys)
    }

    /// Costs of members, name by name.
    pub fn key_costs(&self) -> &[MemberCost] {
        self.checked(self.header().key_costs)
    }

    /// All rows; see [`PackedAction`].
    pub fn rows(&self) -> &[u32] {
        self.checked(self.header().rows)
    }

    /// All sites.
    pub fn sites(&self) -> &[SiteInfo] {
        self.checked(self.header().sites)
    }

    /// Variants of sites.
    pub fn variants(&self) -> &[VariantInfo] {
        self.checked(self.header().variants)
    }

    /// On what terms variants are entered.
    pub fn terms(&self) -> &[VariantTerms] {
        self.checked(self.header().terms)
    }

    /// Targets of sites.
    pub fn lists(&self) -> &[u32] {
        self.checked(self.header().lists)
    }

    /// Choices of outcomes.
    pub fn choices(&self) -> &[Choice] {
        self.checked(self.header().choices)
    }

    /// Greatest stack depth of any text.
    pub fn max_depth(&self) -> usize {
        self.header().max_depth as usize
    }

    /// The number of tokens within which an output can be completed from the start: for every budget
    /// at least this, outputs are complete and valid. An upper bound of the optimum; `u32::MAX` if none is
    /// known.
    pub fn least_tokens(&self) -> u32 {
        let start = self.states().get(self.header().start);
        let extra = &self.extras()[start.extra as usize];
        start.cost.saturating_add(extra.cost_at.saturating_mul(extra.cost_per_tick))
    }
}

impl Grammar {
    /// Whether [`Grammar::least_tokens`] is known.
    pub fn is_bounded(&self) -> bool {
        self.least_tokens() < u32::MAX
    }
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammar")
            .field("states", &self.states().len())
            .field("sites", &self.sites().len())
            .field("bytes", &self.as_bytes().len())
            .finish()
    }
}

/// FNV-1a over 64-bit words, of everything after the checksum itself.
fn checksum(block: &[u64]) -> u64 {
    block[2..]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, &w| (h ^ w).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23))
}
