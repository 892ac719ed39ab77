//! One mask at a time.

use std::sync::Arc;

use super::class_walk::{Begun, ClassWalk, does, is_same};
use super::classes::{BEGUN, BLANK};
use super::facts::is_wide;
use super::head::{Head, Levels};
use super::memo::{self, Memo};
use super::program::{NARROW, Program, View};
use super::recipe::{Base, Recipe};
use super::sink::{Sink, SuffixAdder};
use super::state::State;
use super::tables::VocabTables;
use super::walk::Walk;
use crate::table::layout::{ActionKind, PackedAction, StateInfo};
use crate::vocab::{Slice, SliceId};

/// Makes masks: scratch space and a memo of recent ones. One per thread.
pub struct Masker {
    tables: Arc<VocabTables>,
    memo: Memo,
    levels: Levels,
    heads: Vec<Head>,
    class_heads: Vec<Head>,
    /// After k more characters.
    lengths: Vec<Head>,
    key: Vec<u64>,
}

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
            class_heads: Vec::new(),
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
        let limits = (vocab.max_token_len() as u32, tables.opens());
        let looked_at = program.looked_at(root.state);
        memo::key(v, &self.levels, &root, limits, looked_at, &mut self.key);
        if let Some(recipe) = self.memo.get(&self.key)
            && budget.is_none_or(|left| recipe.most.is_some_and(|most| most.saturating_add(root.cost) < left))
        {
            return recipe.follow(&tables, out);
        }
        let heads = vocab.trie().max_depth() + 1;
        if self.heads.len() < heads {
            self.heads.resize(heads, root);
            self.class_heads.resize(heads, root);
        }
        let mut sink = Sink::new(out, budget);
        let base = self.make(v, &tables, root, &mut sink);
        let (complete, lowest) = v.completes(&self.levels, &root);
        if complete {
            vocab.stop_ids().iter().for_each(|&stop| sink.add(stop));
        }
        sink.entered(&self.levels);
        if self.memo.keeps() && !sink.short {
            program.look_at(root.state, root.depth - lowest.min(self.levels.lowest).min(root.depth));
            let looked_at = program.looked_at(root.state);
            memo::key(v, &self.levels, &root, limits, looked_at, &mut self.key);
            let most = sink.most().map(|most| most.saturating_sub(root.cost));
            self.memo.insert(self.key.as_slice().into(), Recipe::of(sink.out, base, &tables, most));
        }
    }

    /// Makes a mask, but for stop tokens. What it resembles.
    fn make(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> Base {
        if let Some(sub) = self.string(v, tables, root, sink) {
            return Base::String(sub);
        }
        if self.plain(v, tables, root, sink) {
            return Base::Begun;
        }
        if self.open(v, tables, root, sink)
            || self.closed(v, tables, root, sink)
            || self.wide(v, tables, root, sink)
        {
            return Base::Plain;
        }
        sink.restart();
        let begun = if self.blanks(v, tables, root, sink) { Begun::Judged(BLANK) } else { Begun::Empty };
        self.walk(v, tables, root, sink, begun, None);
        Base::Empty
    }

    /// Adds the tokens of whitespace only, where whitespace is optional and leads to one place.
    fn blanks(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        const BYTES: &[u8] = b" \t\n\r";
        let mut after = root;
        if v.indent != 0 || !v.read(&mut self.levels, &mut after, BYTES[0]) || after.spaces == 0 {
            return false;
        }
        let there = |byte: &u8| {
            let mut head = root;
            v.read(&mut self.levels, &mut head, *byte) && head == after
        };
        let back = |byte: &u8| {
            let action = PackedAction(v.word(after.state, *byte));
            action.kind() == ActionKind::Stay && action.space() && action.index() == after.state
        };
        if !BYTES[1..].iter().all(there)
            || !BYTES.iter().all(back)
            || v.extra(after.state).keys != 0
            || !v.can_rest(&after)
            || !sink.comfortable(|| v.bound(&after))
        {
            return false;
        }
        let most = v.max_spaces + 1 - after.spaces;
        let blanks = tables.classes().blanks();
        let fitting = blanks.partition_point(|b| u32::from(b.0) <= most);
        blanks[..fitting].iter().for_each(|b| sink.add(b.1));
        true
    }

    /// `false` if what was begun with cannot be put right.
    fn walk(
        &mut self,
        v: &View<'_>,
        tables: &VocabTables,
        root: Head,
        sink: &mut Sink<'_>,
        begun: Begun,
        from_plain: Option<(Head, u8)>,
    ) -> bool {
        let walk = ClassWalk {
            view: v,
            levels: &mut self.levels,
            tables,
            heads: &mut self.class_heads,
            real_heads: &mut self.heads,
            sink,
            begun,
            closed_until: 0,
            failed: false,
            from_plain,
        };
        walk.run(root)
    }

    /// Contents of a string that are free, or limited in length only. Its sub-state.
    fn string(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> Option<u8> {
        let (sub, main) = self.in_string(v, tables, root)?;
        let string = v.facts(main.state).string.as_ref()?;
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
                sink.begin(&table.inside);
                let mut after = main;
                if v.read(&mut self.levels, &mut after, b'"') {
                    self.exits(v, tables, sub, after, sink, |_| true);
                }
                return Some(sub);
            }
        }
        (sub == 0 && self.counted_string(v, tables, root, sink)).then_some(sub)
    }

    /// The sub-state of a string that `root` is in, and the head after one more character, or `root`
    /// itself between characters.
    fn in_string(&mut self, v: &View<'_>, tables: &VocabTables, root: Head) -> Option<(u8, Head)> {
        let sub_of = |state: u32| (v.states.get(state).free & !StateInfo::STEADY).checked_sub(1);
        let sub = sub_of(root.state)?;
        let mut main = root;
        let bytes = &tables.string_contents().from[sub as usize];
        let there = sub == 0 || bytes.iter().all(|&b| v.read(&mut self.levels, &mut main, b));
        if !there || sub_of(main.state) != Some(0) {
            return None;
        }
        let string = v.facts(main.state).string.as_ref();
        string.is_some_and(|s| s.states[sub as usize] == root.state).then_some((sub, main))
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
    fn begin_with_lengths(
        &mut self,
        v: &View<'_>,
        slice: &Slice,
        most: u32,
        sink: &mut Sink<'_>,
    ) -> Vec<bool> {
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
        sink.begin(bitmap.words);
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
        let ok = self.begin_with_lengths(v, tables.vocab().slices().get(SliceId::PLAIN), most, sink);
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

    /// A state from which plain characters lead to one place that is closed under them, but for a few perhaps: what
    /// tokens do that begin with them is told by what follows.
    fn plain(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        const SAMPLE: [u8; 4] = [b'q', b'~', b'Q', b' '];
        let closed = v.states.get(root.state).slices >> SliceId::PLAIN.index() & 1 != 0;
        let longest = tables.vocab().max_token_len() as u32;
        let used = root.used as usize;
        let plain = SliceId::PLAIN.index() as u8;
        let place = SAMPLE.into_iter().find_map(|byte| {
            let usual = does(v, &root, byte)?;
            let alike = SAMPLE.into_iter().filter(|&other| does(v, &root, other) == Some(usual));
            if !closed && alike.count() < 3 {
                return None;
            }
            let mut place = root;
            self.levels.nodes.truncate(used);
            let there = v.read(&mut self.levels, &mut place, byte) && v.is_closed(&place, plain, longest);
            place.used = self.levels.nodes.len() as u32;
            there.then_some((place, byte))
        });
        let Some((place, byte)) = place else { return false };
        sink.forget();
        // A bound that falls with the count may keep out what fits.
        let counts = sink.is_limited() && v.extra(place.state).cost_at > place.count;
        if counts
            || !v.can_rest(&place)
            || !sink.comfortable(|| v.bound(&place))
            || !self.wide_leads_to(v, &root, &place, sink)
            || !self.rests_within(v, &place, sink)
        {
            self.levels.nodes.truncate(used);
            return false;
        }
        sink.begin(tables.classes().begun());
        let (exits, fans) = tables.half_plain();
        if let Some((trie, fans)) = exits.trie().zip(fans.as_ref()) {
            let visitor = &mut SuffixAdder { sink, exits, may_leave: |_| true };
            Walk { view: v, levels: &mut self.levels, trie, fans, heads: &mut self.heads, visitor }
                .run(place);
        }
        self.walk(v, tables, root, sink, Begun::Judged(BEGUN), Some((place, byte)))
    }

    /// Whether all characters beyond ASCII do the same, and tokens may end within them.
    fn rests_within(&self, v: &View<'_>, head: &Head, sink: &mut Sink<'_>) -> bool {
        let whole = v.facts(head.state).whole(v, head.state);
        let bound = whole.and_then(|whole| whole.rests);
        bound.is_some_and(|bound| sink.comfortable(|| head.cost.saturating_add(bound.into())))
    }

    /// Whether every character beyond ASCII leads from `root` to `place`.
    fn wide_leads_to(&mut self, v: &View<'_>, root: &Head, place: &Head, sink: &mut Sink<'_>) -> bool {
        let lead = v.word(root.state, 0xc2);
        let action = PackedAction(lead);
        let alike = match action.kind() {
            _ if v.is_closed(root, SliceId::PLAIN.index() as u8, 0) => true,
            ActionKind::Enter if !action.flag() => {
                let starts = v.variants_of(action.index()).iter().map(|variant| variant.start);
                (0xc2..=0xf4).all(|byte| v.word(root.state, byte) == lead)
                    && starts.into_iter().all(|s| v.states.get(s).slices & 1 != 0)
            }
            _ => self.rests_within(v, root, sink),
        };
        let mut there = *root;
        let used = self.levels.nodes.len();
        let same = alike
            && "\u{80}".bytes().all(|b| v.read(&mut self.levels, &mut there, b))
            && (there.cost == place.cost || !sink.is_limited())
            && is_same(v, &self.levels, &there, place, sink);
        self.levels.nodes.truncate(used);
        same
    }

    /// A state from which all plain characters lead to such states: all plain tokens, and a walk of the others.
    fn open(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        if v.row(root.state)[1] <= NARROW {
            return false;
        }
        let Some(bound) = v.facts(root.state).open(v, root.state) else { return false };
        sink.forget();
        if !sink.comfortable(|| root.cost.saturating_add(bound.into())) {
            return false;
        }
        sink.begin(tables.vocab().slices().get(SliceId::PLAIN).bitmap(u32::MAX).words);
        self.walk(v, tables, root, sink, Begun::Judged(SliceId::PLAIN.index() as u8), None)
    }

    /// A state closed under a slice: its tokens by length, and a walk of the others.
    fn closed(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        let flags = v.states.get(root.state).slices;
        if flags == 0 {
            return false;
        }
        // Of those that it is closed under, the first has the most tokens.
        let index = flags.trailing_zeros() as usize;
        let id = SliceId::ALL[index];
        let slice = tables.vocab().slices().get(id);
        sink.forget();
        let open = |h: &Head| {
            if v.states.get(h.state).slices >> index & 1 != 0 {
                return Some(true);
            }
            let legal = v.facts(h.state).legal;
            let closed =
                !(0..=255u8).any(|b| legal[b as usize / 64] >> (b % 64) & 1 != 0 && slice.contains_byte(b));
            closed.then_some(false)
        };
        let Some(most) = self.lengths(v, root, slice.max_chars(), sink, open) else { return false };
        self.begin_with_lengths(v, slice, most, sink);
        self.walk(v, tables, root, sink, Begun::Judged(index as u8), None)
    }

    /// A state where nearly all plain tokens are legal: those less what dies, and a walk of the others.
    fn wide(&mut self, v: &View<'_>, tables: &VocabTables, root: Head, sink: &mut Sink<'_>) -> bool {
        if self.indented(v, &root) || !is_wide(v, root.state) {
            return false;
        }
        let plain = tables.vocab().slices().get(SliceId::PLAIN);
        sink.forget();
        sink.begin(plain.bitmap(u32::MAX).words);
        let guess = Begun::Guessed(SliceId::PLAIN.index() as u8, plain.max_chars());
        self.walk(v, tables, root, sink, guess, None)
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
