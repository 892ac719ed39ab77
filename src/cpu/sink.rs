//! Where a mask is put together: the words, and the recipe to make them again.

use std::sync::Arc;

use super::head::{Head, Levels};
use super::memo::{Base, Recipe};
use super::program::View;
use super::strings::Exits;
use super::walk::{Visit, Visitor};
use crate::vocab::{Slice, TokenTrie};

/// A recipe lists at most this many tokens; a longer one is a bitmap.
const MAX_LISTED: usize = 4096;

/// A mask in the making.
pub(super) struct Sink<'o> {
    pub out: &'o mut [u32],
    base: Base,
    tokens: Vec<u32>,
    /// The words are no longer what base and tokens say.
    own: bool,
    budget: Option<u64>,
    most: u64,
    /// Whether the budget kept a token out, so that the mask holds for this budget only.
    pub short: bool,
}

impl<'o> Sink<'o> {
    pub fn new(out: &'o mut [u32], budget: Option<u64>) -> Sink<'o> {
        Sink { out, base: Base::Empty, tokens: Vec::new(), own: false, budget, most: 0, short: false }
    }

    /// Begins anew, with nothing.
    pub fn restart(&mut self) {
        self.forget();
        self.out.fill(0);
    }

    /// Forgets all but the words, which [`Sink::begin`] will set.
    pub fn forget(&mut self) {
        self.base = Base::Empty;
        self.tokens.clear();
        self.own = false;
        self.most = 0;
        self.short = false;
    }

    /// Begins with a bitmap; bounds already seen still count.
    pub fn begin(&mut self, base: Base, words: &[u32]) {
        self.out.copy_from_slice(words);
        self.base = base;
    }

    #[inline]
    pub fn add(&mut self, token: u32) {
        self.out[token as usize / 32] |= 1 << (token % 32);
        if self.tokens.len() < MAX_LISTED {
            self.tokens.push(token);
        } else {
            self.own = true;
        }
    }

    pub fn remove(&mut self, tokens: &[u32]) {
        self.own = true;
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

    /// Takes note of how the budget has decided on variants of frames entered on the way.
    pub fn entered(&mut self, levels: &Levels) {
        self.most = self.most.max(levels.asked);
        self.short |= levels.narrowed;
    }

    /// Adds the tokens of a slice with `ok(characters)`, having been given those with at most `upto`.
    pub fn add_lengths(&mut self, slice: &Slice, upto: u32, last: u32, ok: impl Fn(u32) -> bool) {
        for chars in upto + 1..=last {
            if ok(chars) {
                for &token in slice.tokens_between(chars - 1, chars) {
                    self.add(token);
                }
            }
        }
    }

    /// What was put together; `None` if it holds for this budget only.
    pub fn recipe(self) -> Option<Recipe> {
        if self.short {
            return None;
        }
        let most = self.budget.map(|_| self.most);
        Some(if self.own {
            Recipe { base: Base::Own(Arc::from(&*self.out)), tokens: Vec::new(), most }
        } else {
            Recipe { base: self.base, tokens: self.tokens, most }
        })
    }
}

/// Adds the tokens that a walk finds.
pub(super) struct Adder<'s, 'o>(pub &'s mut Sink<'o>);

impl Visitor for Adder<'_, '_> {
    #[inline]
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) -> Visit {
        if trie.nodes()[node as usize].is_token != 0 && v.can_rest(head) && self.0.fits(v, head) {
            for &token in trie.tokens_at(node) {
                self.0.add(token);
            }
        }
        Visit::Below
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
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) -> Visit {
        if trie.nodes()[node as usize].is_token != 0 && v.can_rest(head) && self.sink.fits(v, head) {
            for &suffix in trie.tokens_at(node) {
                self.suffix(suffix);
            }
        }
        Visit::Below
    }
}

/// Takes out of a mask of plain tokens those that die or may not rest.
pub(super) struct Remover<'s, 'o> {
    pub sink: &'s mut Sink<'o>,
    /// Characters of the longest plain token.
    pub longest: u32,
    /// Set if the mask cannot be had this way: some state may not rest, or the budget is near.
    pub failed: bool,
}

/// Whether a byte never occurs in a plain token.
fn never_plain(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

impl Visitor for Remover<'_, '_> {
    const WANTS_DEAD: bool = true;

    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) -> Visit {
        let here = &trie.nodes()[node as usize];
        if self.failed || never_plain(here.byte) {
            return Visit::Skip;
        }
        if v.states[head.state as usize].slices & 1 != 0 {
            let extra = v.extra(head.state);
            if extra.chain_to == 0 || head.count.saturating_add(self.longest) < extra.chain_at {
                // Every plain token below ends in this state, with a bound no higher.
                self.failed |= !v.can_rest(head) || !self.sink.comfortable(|| v.bound(head));
                return Visit::Skip;
            }
        }
        if here.is_token != 0 && !(v.can_rest(head) && self.sink.fits(v, head)) {
            self.sink.remove(trie.tokens_at(node));
        }
        Visit::Below
    }

    fn dead(&mut self, trie: &TokenTrie, node: u32) {
        if !never_plain(trie.nodes()[node as usize].byte) {
            self.sink.remove(trie.tokens_under(node));
        }
    }
}
