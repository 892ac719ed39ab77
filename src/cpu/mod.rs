//! The fast CPU backend of masks and sampling: bit for bit what [`crate::reference`] says, in microseconds.
//!
//! # The problem
//!
//! The reference tries every token of the vocabulary: hundreds of milliseconds a mask. Here a mask is
//! put together from what is known of the vocabulary and a walk over what is not.
//!
//! # How
//!
//! | state | mask |
//! |---|---|
//! | seen lately | from `memo`: a static bitmap and the tokens in which the mask differs from it |
//! | contents of a string, free or limited in length | a static bitmap (`strings`) and the suffixes after the quote |
//! | plain characters lead to one place closed under them, but for a few perhaps | a static bitmap, the suffixes after plain characters, and the few |
//! | plain characters lead to states only where any of them may follow | a static bitmap, and a walk of the other tokens |
//! | closed under a slice ([`crate::vocab::slices`]) | the slice's bitmap, and a walk of the other tokens |
//! | anything else | a walk (`class_walk`); where whitespace is optional, but for tokens of nothing else |
//!
//! The walk goes by classes of characters (`classes`): automata seldom tell one lower-case letter from another, and all
//! tokens that spell the same classes share a node. Where a class is divided, the walk goes on as most of its characters do, and
//! then puts right what differs in the trie of bytes (`walk`).
//!
//! | item | what it is | shared by |
//! |---|---|---|
//! | [`Program`] | a grammar with its rows unfolded as they are first visited | every request of the schema |
//! | [`VocabTables`] | what masks know of the vocabulary | everything |
//! | [`State`] | where one text is, with its history for rollback | one request |
//! | [`Masker`] | scratch space and the memo | one thread |

mod batch;
mod class_fans;
mod class_walk;
mod classes;
mod facts;
mod head;
mod masker;
mod memo;
mod program;
mod recipe;
pub mod sampler;
mod sampler_adjust;
mod sampler_list;
mod sampler_simd;
mod sampler_wide;
mod sink;
mod state;
mod strings;
mod tables;
mod thresholds;
mod walk;

pub use batch::{MaskRow, mask_rows};
pub use masker::{DEFAULT_MEMO_BYTES, Masker};
pub use program::Program;
pub use state::State;
pub use tables::VocabTables;
