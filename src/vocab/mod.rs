//! The vocabulary: which bytes each token id writes, and what can be known about them beforehand.
//!
//! # The problem
//!
//! A mask asks the same question of every token at every step: may these bytes come next? Most of
//! the answer depends on the bytes alone, not on the schema. This module reads the bytes from
//! whichever tokenizer the model has, and works out once per vocabulary what every mask shares.
//!
//! # What there is
//!
//! | item | answers |
//! |---|---|
//! | [`Vocabulary`] | id → bytes; which ids are special, which stop; how wide the logits are |
//! | [`TokenTrie`] | which tokens can follow, with one automaton step per *distinct* prefix |
//! | [`slices`] | which tokens consist only of, say, plain string characters, as ready bitmaps |
//! | [`QuoteSplit`] | what tokens that close a string write after the quote |
//!
//! Everything past the bytes is built the first time it is asked for and then kept.
//!
//! # What a token's bytes are
//!
//! The bytes it contributes in the *middle* of a text. Tokenizers of the SentencePiece kind drop a
//! leading space at the very start of a text; that is a matter of the position, not of the token, and
//! is not modelled. Special tokens have no bytes: text can never spell one.

mod decoder;
mod encoder;
mod huggingface;
mod quote_split;
pub mod slices;
mod table;
mod tiktoken;
mod trie;
mod vocabulary;

pub use huggingface::TokenizerOptions;
pub use quote_split::{QuoteSplit, SplitToken, SuffixGroup};
pub use slices::{Slice, SliceId, SliceMask, Slices};
pub use trie::{TokenTrie, TrieNode};
pub use vocabulary::Vocabulary;

#[cfg(test)]
mod tests;
