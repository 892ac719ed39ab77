//! What a step on the device reads and writes of one request: the twin of `kernels/slot.cuh`.

use std::mem::offset_of;

use bytemuck::{Pod, Zeroable};

use crate::sampling::RowParams;
use crate::table::layout::KeySet;

/// A row that belongs to no slot, in the row map.
pub const INACTIVE: u32 = u32::MAX;

/// [`Slot::budget`] without a limit.
pub const NO_LIMIT: u32 = u32::MAX;

/// Most ids of a list of legal tokens; a larger set is a bitmap.
pub const LIST_CAP: usize = 1024;

/// [`Slot::flags`]: the log-probability of the sampled token is wanted.
pub const FLAG_LOGPROB: u32 = 1;

/// [`Slot::flags`]: where the number of likeliest tokens to report stands (5 bits).
pub const FLAG_TOP_SHIFT: u32 = 8;

/// Most likeliest tokens reported per row.
pub const TOP_MAX: usize = 20;

/// Values of [`Slot::status`].
pub mod slot_status {
    /// Belongs to no request.
    pub const FREE: u32 = 0;
    /// Takes a token per step.
    pub const RUNNING: u32 = 1;
    /// Ended by a stop token.
    pub const STOPPED: u32 = 2;
    /// Nothing can follow, or the budget is used up on a complete output.
    pub const COMPLETE: u32 = 3;
    /// The budget is used up.
    pub const LENGTH: u32 = 4;
}

/// Values of [`RowResult::status`].
pub mod row_status {
    /// A token was sampled.
    pub const OK: u32 = 0;
    /// The row map gave the row no slot.
    pub const INACTIVE: u32 = 1;
    /// Every legal logit is NaN or −∞, or no token is legal; the slot is as it was.
    pub const NO_LEGAL_TOKEN: u32 = 2;
    /// The slot is free or has finished; it is as it was.
    pub const NOT_RUNNING: u32 = 3;
    /// The slot's table of token counts has no room for another token; the slot is as it was.
    pub const COUNTS_FULL: u32 = 4;
    /// The slot cannot take the token: its legal set was another state's; the slot is as it was.
    pub const ILLEGAL: u32 = 5;
}

/// Values of [`LegalHead::kind`].
pub mod legal_kind {
    /// Every id below the width.
    pub const ALL: u32 = 0;
    /// `count` ids, strictly ascending.
    pub const LIST: u32 = 1;
    /// A bit per id, least significant first, 32 to a word; bits from the width on are ignored.
    pub const BITMAP: u32 = 2;
}

/// One request: its hot state and its sampling parameters, one 128-byte line.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(128))]
pub struct Slot {
    /// Address of the grammar's block, 0 if unconstrained.
    pub grammar: u64,
    /// Keys seen by the open level, for a free key order.
    pub seen: KeySet,
    /// Sum of the open levels' costs.
    pub owed: u64,
    /// Philox key.
    pub seed: u64,
    /// Prompt tokens + output tokens: Philox counter.
    pub position: u64,
    /// Address of the block of biases and token counts, 0 if there is no bias and no penalty.
    pub adjust: u64,
    /// Automaton state.
    pub state: u32,
    /// Count of the open level.
    pub count: u32,
    /// Whitespace characters in a row.
    pub spaces: u32,
    /// Levels below the open one.
    pub depth: u32,
    /// Tokens that may still be written, the next one included; [`NO_LIMIT`].
    pub budget: u32,
    /// Philox stream.
    pub stream: u32,
    /// [`slot_status`].
    pub status: u32,
    /// Tokens written; the next history record is number `output % keep`.
    pub output: u32,
    /// How to sample.
    pub params: RowParams,
    /// [`FLAG_LOGPROB`], [`FLAG_TOP_SHIFT`].
    pub flags: u32,
    /// Tokens that can be taken back now.
    pub history: u32,
}

const _: () = assert!(size_of::<Slot>() == 128 && align_of::<Slot>() == 128);
const _: () = assert!(offset_of!(Slot, adjust) == 48 && offset_of!(Slot, state) == 56);
const _: () = assert!(offset_of!(Slot, status) == 80 && offset_of!(Slot, params) == 88);
const _: () = assert!(offset_of!(Slot, flags) == 120 && offset_of!(Slot, history) == 124);
const _: () = assert!(size_of::<RowParams>() == 32);

/// An open level below the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Level {
    /// Keys seen.
    pub seen: KeySet,
    /// The site it was entered from.
    pub site: u32,
    /// Its count.
    pub count: u32,
    /// What follows it costs at most this many tokens.
    pub cost: u32,
    /// 0; in a walk's pool, the level around it.
    pub below: u32,
}

const _: () = assert!(size_of::<Level>() == 32);

/// A slot's state before a token; `depth` [`Level`]s follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Snapshot {
    /// [`Slot::seen`].
    pub seen: KeySet,
    /// [`Slot::owed`].
    pub owed: u64,
    /// [`Slot::state`].
    pub state: u32,
    /// [`Slot::count`].
    pub count: u32,
    /// [`Slot::spaces`].
    pub spaces: u32,
    /// [`Slot::depth`].
    pub depth: u32,
    /// [`Slot::budget`].
    pub budget: u32,
    /// [`Slot::status`].
    pub status: u32,
    /// The token that followed.
    pub token: u32,
    /// 0.
    pub padding: u32,
}

const _: () = assert!(size_of::<Snapshot>() == 56);

/// A slot's next legal set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LegalHead {
    /// [`legal_kind`].
    pub kind: u32,
    /// Number of ids of a list.
    pub count: u32,
}

const _: () = assert!(size_of::<LegalHead>() == 8);

/// What a step reports of one row.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct RowResult {
    /// The sampled id.
    pub token: u32,
    /// Its natural log-probability, 0 unless wanted.
    pub logprob: f32,
    /// [`row_status`].
    pub status: u32,
    /// [`slot_status`] after the token if the slot has finished, else 0.
    pub finish: u32,
}

const _: () = assert!(size_of::<RowResult>() == 16);

/// One of a row's likeliest tokens.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct TopToken {
    /// Its id, [`INACTIVE`] past the last.
    pub token: u32,
    /// Its natural log-probability.
    pub logprob: f32,
}

const _: () = assert!(size_of::<TopToken>() == 8);
