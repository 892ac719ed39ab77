//! One mask at a time.

use std::sync::Arc;

use super::head::{Head, Levels};
use super::memo::{self, Base, Memo, Recipe};
use super::program::{Program, View};
use super::sink::{Adder, Remover, Sink, SuffixAdder};
use super::state::State;
use super::tables::VocabTables;
use super::walk::{Fans, Walk};
use crate::automaton::string::{Sub, edges};
use crate::table::string_tokens::SUBS;
use crate::vocab::{Slice, SliceId, TokenTrie};

/// Makes masks: scratch space and a memo of recent ones. One per thread.
pub struct Masker {
    tables: Arc<VocabTables>,
    memo: Memo,
    levels: Levels,
    heads: Vec<Head>,
    /// After k more characters.
    lengths: Vec<Head>,
    key: Vec<u64>,
}

/// A slice with less than one in so many tokens is not worth a trie of all the others: with
/// o200k_base it would take 35 ms and 5 MB to save a walk of 10 µs.
const MIN_SHARE: usize = 16;

/// Bytes that [`Masker::new`] allows for remembered masks.
pub const DEFAULT_MEMO_BYTES: usize = 8 << 20;

impl Masker {
    /// Remembers up to [`DEFAULT_MEMO_BYTES`] of masks.
    pub fn new(tables: Arc<VocabTables>) -> Masker {
        Masker::with_memo(tables, DEFAULT_MEMO_BYTES)
    }

    /// Remembers up to `bytes` of masks, roughly; with 0, none.
    pub fn with_memo(tables: Arc<VocabTables>, bytes: usize) -> Masker {
        Masker {
            tables,
            memo: Memo::new(bytes),
            levels: Levels::default(),
            heads: Vec::new(),
            lengths: Vec::new(),
            key: Vec::new(),
        }
    }

    /// The vocabulary's tables.
    pub fn tables(&self) -> &Arc<VocabTables> {
        &self.tables
    }

    /// Forgets all masks.
    pub fn forget(&mut self) {
        self.memo.clear();
    }

    /// Writes the legal tokens: bit `t % 32` of word `t / 32` for token t, over the logits' width. With
    /// `budget` tokens left, the next included, only tokens after which the rest still fits.
    ///
    /// # Panics
    /// If `out` is not `ceil(width / 32)` words.
    pub fn mask(&mut self, program: &Program, state: &State, budget: Option<u64>, out: &mut [u32]) {
        let tables = Arc::clone(&self.tables);
        let vocab = tables.vocab();
        assert_eq!(out.len(), vocab.width().div_ceil(32), "a mask has one bit per logit");
        let view = program.view();
        let v = &view;
        let root = self.levels.take_over(&state.levels, &state.head);
        self.levels.allow(budget);
        memo::key(v, &self.levels, &root, vocab.max_token_len() as u32, &mut self.key);
        if let Some(recipe) = self.memo.get(&self.key)
            && budget.is_none_or(|left| recipe.most.is_some_and(|most| most < left))
        {
            return self.follow(&recipe, out);
        }
        let heads = vocab.trie().max_depth() + 1;
        if self.heads.len() < heads {
            self.heads.resize(heads, root);
        }
        let mut sink = Sink::new(out, budget);
        let made = self.string(v, &tables, root, &mut sink)
            || self.closed(v, &tables, root, &mut sink)
            || self.wide(v, &tables, root, &mut sink);
        if !made {
            sink.restart();
            self.walk(v, root, vocab.trie(), tables.fans(), &mut sink);
        }
        if !vocab.stop_ids().is_empty() && v.is_complete(&self.levels, &root) {
            for &stop in vocab.stop_ids() {
                sink.add(stop);
            }
        }
        sink.entered(&self.levels);
        if let Some(recipe) = sink.recipe() {
            self.memo.insert(self.key.as_slice().into(), Arc::new(recipe));
        }
    }

    fn follow(&self, recipe: &Recipe, out: &mut [u32]) {
        match &recipe.base {
            Base::Empty => out.fill(0),
            Base::String(sub) => out.copy_from_slice(&self.tables.string(*sub).inside),
            Base::Slice(slice, bound) => {
                out.copy_from_slice(self.slice(SliceId::ALL[*slice as usize]).bitmap(*bound).words);
            }
            Base::Own(words) => out.copy_from_slice(words),
        }
        for &token in &recipe.tokens {
            out[token as usize / 32] |= 1 << (token % 32);
        }
    }

    fn slice(&self, id: SliceId) -> &Slice {
        self.tables.vocab().slices().get(id)
    }

    fn walk(&mut self, v: &View<'_>, root: Head, trie: &TokenTrie, fans: &Fans, sink: &mut Sink<'_>) {
        let visitor = &mut Adder(sink);
        Walk { view: v, levels: &mut self.levels, trie, fans, heads: &mut self.heads, visitor }.run(root);
    }

    /// Contents of a string that are free, or limited in length only.
    fn string(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        let Some((sub, main)) = self.in_string(v, tables, root) else { return false };
        let string = v.facts(main.state).string.as_ref().expect("the main state of a string");
        let table = tables.string(sub);
        let extra = v.extra(main.state);
        let far = extra.chain_to == 0 || main.count.saturating_add(table.max_ticks + 1) < extra.chain_at;
        let most = || {
            // Bounds fall as the count grows.
            let bound = |&state: &u32| v.bound(&Head { state, count: root.count, ..main });
            string.states.iter().map(bound).max().unwrap_or(0)
        };
        if far && string.rests {
            sink.forget();
            if sink.comfortable(most) {
                sink.begin(Base::String(sub), &table.inside);
                let mut after = main;
                if v.read(&mut self.levels, &mut after, b'"') {
                    self.exits(v, tables, sub, after, sink, |_| true);
                }
                return true;
            }
        }
        sub == 0 && self.counted_string(v, tables, root, sink)
    }

    /// The sub-state of a string that `root` is in, and the head after one more character, or `root`
    /// itself between characters.
    fn in_string(&mut self, v: &View<'_>, tables: &VocabTables, root: Head) -> Option<(u8, Head)> {
        let facts = v.facts(root.state);
        if facts.string.is_some() {
            return Some((0, root));
        }
        (1..SUBS as u8).find_map(|sub| {
            let first = edges(Sub(sub))[0].0;
            let all = || {
                let mut legal = [0u64; 4];
                for &(lo, hi, _) in edges(Sub(sub)) {
                    (lo..=hi).for_each(|b| legal[b as usize / 64] |= 1 << (b % 64));
                }
                legal
            };
            if facts.legal[first as usize / 64] >> (first % 64) & 1 == 0 || facts.legal != all() {
                return None;
            }
            let mut main = root;
            let bytes = &tables.string_contents().from[sub as usize];
            let there = bytes.iter().all(|&b| v.read(&mut self.levels, &mut main, b));
            let string = v.facts(main.state).string.as_ref();
            (there && string.is_some_and(|s| s.states[sub as usize] == root.state)).then_some((sub, main))
        })
    }

    /// Adds the tokens that leave a string; `after` is behind the quote.
    fn exits(
        &mut self,
        v: &View<'_>,
        tables: &VocabTables,
        sub: u8,
        after: Head,
        sink: &mut Sink<'_>,
        may_leave: impl Fn(u16) -> bool,
    ) {
        let exits = &tables.string(sub).exits;
        let at_quote = v.can_rest(&after) && sink.fits(v, &after);
        let visitor = &mut SuffixAdder { sink, exits, may_leave };
        if at_quote {
            visitor.suffix(exits.empty());
        }
        if let Some(trie) = exits.trie() {
            let fans = tables.exit_fans(sub, trie);
            Walk { view: v, levels: &mut self.levels, trie, fans, heads: &mut self.heads, visitor }
                .run(after);
        }
    }

    /// Fills `lengths` with the heads after 0, 1, 2 … characters of a slice, as far as they live and at most
    /// `max`. Where nothing changes any more the list ends and the last stands for all that follow.
    ///
    /// `None` if some state on the way is neither `open` to all of the slice's characters nor closed to
    /// all. Otherwise the most characters a token may have.
    fn lengths(
        &mut self,
        v: &View<'_>,
        root: Head,
        max: u32,
        sink: &mut Sink<'_>,
        open: impl Fn(&Head) -> Option<bool>,
    ) -> Option<u32> {
        self.lengths.clear();
        self.lengths.push(root);
        for k in 0..max {
            let mut head = self.lengths[k as usize];
            if !open(&head)? || !v.read(&mut self.levels, &mut head, b'a') {
                return Some(k);
            }
            self.lengths.push(head);
            let extra = v.extra(head.state);
            let far = extra.chain_to == 0 || head.count.saturating_add(max) < extra.chain_at;
            if k > 0
                && far
                && head.state == self.lengths[k as usize].state
                && open(&head)?
                && sink.comfortable(|| v.bound(&head))
            {
                return Some(max);
            }
        }
        Some(max)
    }

    fn after_chars(&self, chars: u32) -> Head {
        self.lengths[(chars as usize).min(self.lengths.len() - 1)]
    }

    /// Begins a mask with the slice's tokens of up to `most` characters that may rest.
    fn begin_with_lengths(&mut self, v: &View<'_>, id: SliceId, most: u32, sink: &mut Sink<'_>) -> Vec<bool> {
        let slice = self.slice(id);
        let mut ok = vec![false; self.lengths.len()];
        let mut short = false;
        for (ok, head) in ok.iter_mut().zip(&self.lengths).skip(1) {
            let rests = v.can_rest(head);
            *ok = rests && sink.comfortable(|| v.bound(head));
            short |= rests && !*ok;
        }
        let may = |chars: u32| chars <= most && ok.get(chars as usize).or(ok.last()).is_some_and(|&ok| ok);
        let upto = (1..=most).find(|&k| !may(k)).map_or(most, |k| k - 1);
        let bitmap = slice.bitmap(upto);
        sink.begin(Base::Slice(id.index() as u8, upto), bitmap.words);
        sink.short |= short;
        sink.add_lengths(slice, bitmap.bound.min(most), most.min(slice.max_chars()), may);
        ok
    }

    /// A string limited in length, near the limit, or near the end of the budget.
    fn counted_string(
        &mut self,
        v: &View<'_>,
        tables: &VocabTables,
        root: Head,
        sink: &mut Sink<'_>,
    ) -> bool {
        let table = tables.string(0);
        sink.forget();
        let open = |h: &Head| {
            let facts = v.facts(h.state);
            let closed = (0..4).all(|i| facts.legal[i] & !(u64::from(i == 0) << b'"') == 0);
            facts.string.is_some().then_some(true).or(closed.then_some(false))
        };
        let Some(most) = self.lengths(v, root, table.max_ticks, sink, open) else { return false };
        let ok = self.begin_with_lengths(v, SliceId::PLAIN, most, sink);
        let may = |chars: u16| {
            u32::from(chars) <= most && *ok.get(chars as usize).or(ok.last()).expect("never empty")
        };
        for &(ticks, token) in &table.escaped {
            if may(ticks) {
                sink.add(token);
            }
        }
        for run in table.partial.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (sub, ticks, _) = run[0];
            if u32::from(ticks) > most {
                continue;
            }
            let mut head = self.after_chars(ticks.into());
            let bytes = &tables.string_contents().to[sub as usize];
            if v.facts(head.state).string.is_some()
                && bytes.iter().all(|&b| v.read(&mut self.levels, &mut head, b))
                && v.can_rest(&head)
                && sink.fits(v, &head)
            {
                run.iter().for_each(|r| sink.add(r.2));
            }
        }
        let mut after: Vec<Option<Head>> = Vec::with_capacity(self.lengths.len());
        for k in 0..self.lengths.len() {
            let mut head = self.lengths[k];
            after.push(v.read(&mut self.levels, &mut head, b'"').then_some(head));
        }
        for k in 0..after.len() {
            if let Some(here) = after[k]
                && !after[..k].contains(&Some(here))
            {
                self.exits(v, tables, 0, here, sink, |ticks| {
                    u32::from(ticks) <= most && after[(ticks as usize).min(after.len() - 1)] == Some(here)
                });
            }
        }
        true
    }

    /// A state closed under a slice: its tokens by length, and a walk of the others.
    fn closed(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        let flags = v.states[root.state as usize].slices;
        if flags == 0 {
            return false;
        }
        // Of those that it is closed under, the first has the most tokens.
        let index = flags.trailing_zeros() as usize;
        let id = SliceId::ALL[index];
        let slice = tables.vocab().slices().get(id);
        if slice.len() * MIN_SHARE < tables.vocab().len() {
            return false;
        }
        sink.forget();
        let open = |h: &Head| {
            if v.states[h.state as usize].slices >> index & 1 != 0 {
                return Some(true);
            }
            let legal = v.facts(h.state).legal;
            let closed =
                !(0..=255u8).any(|b| legal[b as usize / 64] >> (b % 64) & 1 != 0 && slice.contains_byte(b));
            closed.then_some(false)
        };
        let Some(most) = self.lengths(v, root, slice.max_chars(), sink, open) else { return false };
        self.begin_with_lengths(v, id, most, sink);
        self.walk(v, root, slice.rest(), tables.rest_fans(id), sink);
        true
    }

    /// A state where nearly all plain tokens are legal: those less what dies, and a walk of the others.
    fn wide(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        if !v.facts(root.state).wide || self.indented(v, &root) {
            return false;
        }
        let plain = tables.vocab().slices().get(SliceId::PLAIN);
        sink.forget();
        sink.begin(Base::Slice(0, u32::MAX), plain.bitmap(u32::MAX).words);
        let (trie, fans) = (tables.vocab().trie(), tables.fans());
        let mut visitor = Remover { sink, longest: plain.max_chars(), failed: false };
        let walk = Walk {
            view: v,
            levels: &mut self.levels,
            trie,
            fans,
            heads: &mut self.heads,
            visitor: &mut visitor,
        };
        walk.run(root);
        if visitor.failed {
            return false;
        }
        self.walk(v, root, plain.rest(), tables.rest_fans(SliceId::PLAIN), sink);
        true
    }

    fn indented(&self, v: &View<'_>, head: &Head) -> bool {
        v.indent != 0 && v.missing_spaces(head) > 0
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").field("tables", &self.tables).finish_non_exhaustive()
    }
}
