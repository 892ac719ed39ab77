//! Where a mask is put together.

use super::head::{Head, Levels};
use super::program::View;
use super::strings::Exits;
use super::walk::Visitor;
use crate::vocab::{Slice, TokenTrie};

/// A mask in the making.
pub(super) struct Sink<'o> {
    pub out: &'o mut [u32],
    budget: Option<u64>,
    /// Greatest bound that was found to fit.
    most: u64,
    /// Whether the budget kept a token out, so that the mask holds for this budget only.
    pub short: bool,
}

impl<'o> Sink<'o> {
    pub fn new(out: &'o mut [u32], budget: Option<u64>) -> Sink<'o> {
        Sink { out, budget, most: 0, short: false }
    }

    /// Begins with nothing.
    pub fn restart(&mut self) {
        self.most = 0;
        self.short = false;
        self.out.fill(0);
    }

    /// Forgets what was asked about the budget; [`Sink::begin`] will set the words.
    pub fn forget(&mut self) {
        self.most = 0;
        self.short = false;
    }

    /// Begins with a bitmap; bounds already seen still count.
    pub fn begin(&mut self, words: &[u32]) {
        self.out.copy_from_slice(words);
    }

    #[inline]
    pub fn add(&mut self, token: u32) {
        self.out[token as usize / 32] |= 1 << (token % 32);
    }

    pub fn add_all(&mut self, tokens: &[u32]) {
        tokens.iter().for_each(|&token| self.add(token));
    }

    /// Adds a bitmap.
    pub fn add_words(&mut self, words: &[u32]) {
        self.out.iter_mut().zip(words).for_each(|(out, word)| *out |= word);
    }

    pub fn remove(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.out[token as usize / 32] &= !(1 << (token % 32));
        }
    }

    /// Whether a bound is below the budget. If not, the token is to be left out.
    #[inline]
    pub fn fits(&mut self, v: &View<'_>, head: &Head) -> bool {
        let Some(budget) = self.budget else { return true };
        let bound = v.bound(head);
        if bound < budget {
            self.most = self.most.max(bound);
            return true;
        }
        self.short = true;
        false
    }

    /// Whether a bound is below the budget, where one answer stands for many tokens.
    pub fn comfortable(&mut self, bound: impl FnOnce() -> u64) -> bool {
        let Some(budget) = self.budget else { return true };
        let bound = bound();
        if bound < budget {
            self.most = self.most.max(bound);
        }
        bound < budget
    }

    /// Whether all that was found to fit would still fit if levels cost so many tokens more.
    pub fn fits_with(&mut self, more: u64) -> bool {
        !self.short && self.comfortable_with(more)
    }

    fn comfortable_with(&mut self, more: u64) -> bool {
        let most = self.most.saturating_add(more);
        self.comfortable(|| most)
    }

    /// Whether there is a budget.
    pub fn is_limited(&self) -> bool {
        self.budget.is_some()
    }

    /// Takes note of how the budget has decided on variants of frames entered on the way.
    pub fn entered(&mut self, levels: &Levels) {
        self.most = self.most.max(levels.asked);
        self.short |= levels.narrowed;
    }

    /// Adds the tokens of a slice with `ok(characters)`, having been given those with at most `upto`.
    pub fn add_lengths(&mut self, slice: &Slice, upto: u32, last: u32, ok: impl Fn(u32) -> bool) {
        for chars in upto + 1..=last {
            if ok(chars) {
                self.add_all(slice.tokens_between(chars - 1, chars));
            }
        }
    }

    /// Greatest bound after any of the tokens, if there is a budget.
    pub fn most(&self) -> Option<u64> {
        self.budget.map(|_| self.most)
    }
}

/// Adds the tokens that a walk finds.
pub(super) struct Adder<'s, 'o>(pub &'s mut Sink<'o>);

impl Visitor for Adder<'_, '_> {
    #[inline]
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) {
        if trie.nodes()[node as usize].is_token != 0 && v.can_rest(head) && self.0.fits(v, head) {
            self.0.add_all(trie.tokens_at(node));
        }
    }
}

/// Adds the tokens of the suffixes that a walk finds.
pub(super) struct SuffixAdder<'s, 'o, F> {
    pub sink: &'s mut Sink<'o>,
    pub exits: &'s Exits,
    /// Whether a string of so many more characters may be left.
    pub may_leave: F,
}

impl<F: Fn(u16) -> bool> SuffixAdder<'_, '_, F> {
    pub fn suffix(&mut self, suffix: u32) {
        for &(ticks, token) in self.exits.tokens(suffix) {
            if (self.may_leave)(ticks) {
                self.sink.add(token);
            }
        }
    }
}

impl<F: Fn(u16) -> bool> Visitor for SuffixAdder<'_, '_, F> {
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) {
        if trie.nodes()[node as usize].is_token != 0 && v.can_rest(head) && self.sink.fits(v, head) {
            for &suffix in trie.tokens_at(node) {
                self.suffix(suffix);
            }
        }
    }
}
