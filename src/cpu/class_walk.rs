//! The walk of the vocabulary by classes of characters.
//!
//! ```text
//! for each node of the class trie in preorder:
//!     all characters of its class do the same:  read one of them
//!     they do not:  go on as most of them do, then put right the nodes of the trie of bytes that differ
//! ```
//!
//! *Putting right* follows two heads through the trie of bytes, the true one and the one that was taken for it, until they
//! are in the same place or both dead: below that nothing differs. A difference inside a subtree that was itself
//! read for most comes first, so what an outer one takes for granted is what is there.
//!
//! A mask may begin as a slice, where it is known that most of its tokens are legal. Then the walk leaves out
//! subtrees of such tokens as soon as it comes to a state that is closed under the slice, and takes tokens out as well as in.

use super::class_fans::ClassFans;
use super::classes::{Class, ClassTrie, begins_wide_space, class_of};
use super::facts::{ClassFact, first_over};
use super::head::{Head, Levels};
use super::program::View;
use super::sink::{Adder, Sink};
use super::tables::VocabTables;
use super::walk::{MAX_DEPTH, Walk};
use crate::automaton::string::{Sub, edges};
use crate::table::layout::*;
use crate::vocab::TokenTrie;

/// What the characters of a class do.
enum Step {
    Dead,
    /// All do what the example does.
    Alike,
    /// Most do what these bytes do, but for characters beyond ASCII that begin otherwise; with none, follow each by itself.
    Divided(Most),
}

/// See [`Step::Divided`].
#[derive(Clone, Copy, Default)]
struct Most {
    /// A character that does what most do; `len` bytes of it.
    bytes: [u8; 4],
    len: usize,
    /// Of [`Class::Wide`]: [`super::facts::ClassFact::odd_leads`].
    odd_leads: u64,
}

impl Most {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn one(byte: u8) -> Most {
        Most { bytes: [byte, 0, 0, 0], len: 1, odd_leads: 0 }
    }

    /// The last character that begins with the first lead that is not odd.
    fn wide(odd_leads: u64) -> Most {
        let mut most = Most { odd_leads, ..Most::default() };
        let Some(lead) = (0xc2..=0xf4u8).find(|&lead| odd_leads >> (lead - 0xc2) & 1 == 0) else {
            return most;
        };
        let (mut sub, mut byte) = (Sub::MAIN, lead);
        loop {
            most.bytes[most.len] = byte;
            most.len += 1;
            let &(.., to) =
                edges(sub).iter().find(|e| e.0 <= byte && byte <= e.1).expect("a valid character");
            sub = Sub(to);
            match edges(sub).last() {
                Some(last) if sub != Sub::MAIN => byte = last.1,
                _ => return most,
            }
        }
    }
}

/// What a mask holds before the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nothing.
    Empty,
    /// All tokens of slice i that are legal: they are neither judged nor touched.
    Judged(u8),
    /// All tokens of slice i with at most so many characters, of which some are illegal.
    Guessed(u8, u32),
}

/// ASCII but control characters, the quote and the backslash.
const PLAIN_ASCII: [u64; 4] = [u64::MAX << 32 & !(1 << b'"'), !(1 << (b'\\' - 64)), 0, 0];

/// A walk in progress.
pub(super) struct ClassWalk<'w, 'p, 'o> {
    pub view: &'w View<'p>,
    pub levels: &'w mut Levels,
    pub tables: &'w VocabTables,
    /// At least one more than either trie is deep.
    pub heads: &'w mut [Head],
    /// The same, for the trie of bytes.
    pub real_heads: &'w mut [Head],
    pub sink: &'w mut Sink<'o>,
    pub begun: Begun,
    /// Nodes before this one are below a state closed under the guessed slice.
    pub closed_until: u32,
    /// Set if the guess cannot be put right: the budget is near.
    pub failed: bool,
    /// Tokens that begin with a plain character are not walked: they have been judged from this place, to which this
    /// byte leads as others do.
    pub from_plain: Option<(Head, u8)>,
}

impl ClassWalk<'_, '_, '_> {
    /// Walks all tokens from `root`; `false` if the mask is of no use.
    pub fn run(mut self, root: Head) -> bool {
        let (trie, fans) = (self.tables.classes(), self.tables.class_fans());
        // What was read before stays.
        let used = self.levels.nodes.len() as u32;
        self.heads[0] = Head { used, ..root };
        match self.from_plain {
            None => {
                self.children(trie, fans, None, &root);
            }
            Some((place, byte)) => {
                self.others(trie, fans, &root);
                self.put_plain_right(&root, place, byte);
            }
        }
        self.levels.nodes.truncate(root.used as usize);
        !self.failed
    }

    /// The tokens that do not begin with a plain character.
    fn others(&mut self, trie: &ClassTrie, fans: &ClassFans, root: &Head) {
        let Some(fan) = fans.of(None) else { return };
        let (legal, lowest) = self.view.legal_below(self.levels, root);
        self.levels.lowest = self.levels.lowest.min(lowest);
        let others = std::array::from_fn(|i| legal[i] & !PLAIN_ASCII[i]);
        let breaks =
            fan.classes().filter(|&child| trie.nodes()[child as usize].symbol == Class::Break.symbol());
        for child in fan.over(others).chain(breaks) {
            self.nodes(trie, fans, child, trie.nodes()[child as usize].skip);
        }
    }

    /// Puts those right that begin with a plain ASCII character that does not lead to `place`.
    fn put_plain_right(&mut self, root: &Head, place: Head, byte: u8) {
        let v = self.view;
        let usual = does(v, root, byte);
        let used = self.levels.nodes.len();
        for byte in (b' '..=b'\x7f').filter(|&b| PLAIN_ASCII[b as usize / 64] >> (b % 64) & 1 == 1) {
            if usual.is_some() && does(v, root, byte) == usual {
                continue;
            }
            let Some(node) = self.trie().root_child(byte) else { continue };
            let mut truth = *root;
            let alive = v.read(self.levels, &mut truth, byte);
            truth.used = self.levels.nodes.len() as u32;
            self.put_right(node, alive.then_some(truth), Some(place));
            self.levels.nodes.truncate(used);
        }
    }

    fn trie(&self) -> &TokenTrie {
        self.tables.vocab().trie()
    }

    /// The children of a node with a fan, or of the root.
    fn children(&mut self, trie: &ClassTrie, fans: &ClassFans, node: Option<u32>, head: &Head) -> bool {
        let Some(fan) = fans.of(node) else { return false };
        let (legal, lowest) = self.view.legal_below(self.levels, head);
        self.levels.lowest = self.levels.lowest.min(lowest);
        if self.guesses_at(node.map_or(0, |n| n + 1)) {
            fan.over(legal.map(|w| !w)).for_each(|child| self.dead(trie, child));
        }
        for child in fan.over(legal).chain(fan.classes()) {
            self.nodes(trie, fans, child, trie.nodes()[child as usize].skip);
        }
        true
    }

    /// Whether there are guesses at and below a node that may be wrong.
    fn guesses_at(&self, node: u32) -> bool {
        matches!(self.begun, Begun::Guessed(..)) && node >= self.closed_until
    }

    fn skips(&self, node: u32, slices: u16) -> bool {
        match self.begun {
            Begun::Empty => false,
            Begun::Judged(slice) => slices >> slice & 1 != 0,
            Begun::Guessed(slice, _) => node < self.closed_until && slices >> slice & 1 != 0,
        }
    }

    fn dead(&mut self, trie: &ClassTrie, node: u32) {
        if self.guesses_at(node) {
            self.sink.remove(trie.tokens_under(node));
        }
    }

    fn nodes(&mut self, trie: &ClassTrie, fans: &ClassFans, from: u32, to: u32) {
        let nodes = trie.nodes();
        let v = self.view;
        let mut i = from;
        while i < to {
            let node = &nodes[i as usize];
            if self.skips(i, node.slices) {
                i = node.skip;
                continue;
            }
            let above = &self.heads[node.depth as usize - 1];
            // Most nodes looked at are dead; telling so takes no copy of the head.
            if node.symbol < 256 && v.indent == 0 && v.word(above.state, node.symbol as u8) >> 29 == 0 {
                self.dead(trie, i);
                i = node.skip;
                continue;
            }
            let mut head = *above;
            self.levels.nodes.truncate(head.used as usize);
            let alive = match class_of(node.symbol) {
                None => v.read(self.levels, &mut head, node.symbol as u8),
                Some(class) => match self.step(&head, class, node.depth > MAX_DEPTH) {
                    Step::Dead => false,
                    Step::Alike => class.example().iter().all(|&b| v.read(self.levels, &mut head, b)),
                    Step::Divided(most) => {
                        self.divided(trie, fans, i, &head, most);
                        i = node.skip;
                        continue;
                    }
                },
            };
            if !alive {
                self.dead(trie, i);
                i = node.skip;
                continue;
            }
            i = if self.arrive(trie, fans, i, head) { node.skip } else { i + 1 };
        }
    }

    /// Judges the tokens of a node. Whether all below has been done too.
    fn arrive(&mut self, trie: &ClassTrie, fans: &ClassFans, node: u32, mut head: Head) -> bool {
        head.used = self.levels.nodes.len() as u32;
        let here = &trie.nodes()[node as usize];
        if let Begun::Guessed(slice, longest) = self.begun
            && node >= self.closed_until
            && self.view.is_closed(&head, slice, longest)
        {
            // Every token of the slice below ends in this state, with a bound no higher.
            let v = self.view;
            self.failed |= !v.can_rest(&head) || !self.sink.comfortable(|| v.bound(&head));
            self.closed_until = here.skip;
        }
        let tokens = trie.tokens_at(node);
        if !tokens.is_empty() && !self.skips(node, here.own_slices) {
            if self.view.can_rest(&head) && self.sink.fits(self.view, &head) {
                match trie.bitmap(node) {
                    Some(words) => self.sink.add_words(words),
                    None => self.sink.add_all(tokens),
                }
            } else if self.guesses_at(node) {
                self.sink.remove(tokens);
            }
        }
        self.heads[here.depth as usize] = head;
        self.children(trie, fans, Some(node), &head)
    }

    /// What a class does at `head`.
    fn step(&mut self, head: &Head, class: Class, deep: bool) -> Step {
        let v = self.view;
        if v.indent != 0 && v.missing_spaces(head) > 0 {
            return Step::Dead;
        }
        let mut at = *head;
        let mut moved = false;
        loop {
            let fact = v.class_fact(at.state, class);
            let action = PackedAction(fact.word);
            if !fact.uniform {
                let helps = !moved && !deep;
                return Step::Divided(if helps { self.most(&at, class, fact) } else { Most::default() });
            }
            match action.kind() {
                ActionKind::Dead => return Step::Dead,
                ActionKind::Enter if !action.flag() => {
                    let starts = v.variants_of(action.index()).iter().map(|v| v.start);
                    let alike = |start| {
                        let fact = v.class_fact(start, class);
                        fact.uniform && is_read(PackedAction(fact.word))
                    };
                    if starts.into_iter().all(alike) {
                        return Step::Alike;
                    }
                    let helps = !moved && !deep;
                    return Step::Divided(if helps { self.most(&at, class, fact) } else { Most::default() });
                }
                ActionKind::Leave if !action.flag() => {
                    let left = v.leave(self.levels, &mut at, action.index());
                    self.levels.lowest = self.levels.lowest.min(at.depth);
                    if !left {
                        return Step::Dead;
                    }
                    moved = true;
                }
                ActionKind::Choose if !action.flag() => return Step::Divided(Most::default()),
                _ => return Step::Alike,
            }
        }
    }

    /// A character that does what most of the class do, unless that is no help: it is dead, or depends on what is left to.
    fn most(&self, head: &Head, class: Class, fact: ClassFact) -> Most {
        let v = self.view;
        let action = PackedAction(fact.word);
        if class == Class::Wide {
            let helps = action.kind() == ActionKind::Stay;
            return if helps { Most::wide(fact.odd_leads) } else { Most::default() };
        }
        let (state, word) = match action.kind() {
            ActionKind::Dead => return Most::default(),
            ActionKind::Enter if !action.flag() => {
                let [only] = v.variants_of(action.index()) else { return Most::default() };
                let inner = v.class_fact(only.start, class);
                if !is_read(PackedAction(inner.word)) || PackedAction(inner.word).kind() == ActionKind::Dead {
                    return Most::default();
                }
                // Those that are entered for alike, if not all are.
                if fact.uniform { (only.start, inner.word) } else { (head.state, fact.word) }
            }
            _ if !is_read(action) => return Most::default(),
            _ => (head.state, fact.word),
        };
        first_over(v.row(state), class.bytes(), word).map_or(Most::default(), Most::one)
    }

    /// A node whose characters do different things.
    fn divided(&mut self, trie: &ClassTrie, fans: &ClassFans, node: u32, head: &Head, most: Most) {
        let v = self.view;
        let mut guess = *head;
        let alive = most.len > 0 && most.bytes().iter().all(|&byte| v.read(self.levels, &mut guess, byte));
        if alive {
            guess.used = self.levels.nodes.len() as u32;
            if !self.arrive(trie, fans, node, guess) {
                self.nodes(trie, fans, node + 1, trie.nodes()[node as usize].skip);
            }
            self.levels.nodes.truncate(guess.used as usize);
        } else {
            self.dead(trie, node);
        }
        let guess = alive.then_some(guess);
        let is_wide = class_of(trie.nodes()[node as usize].symbol) == Some(Class::Wide);
        let usual = if alive && !is_wide { does(v, head, most.bytes[0]) } else { None };
        let (reals, bytes) = trie.reals(node);
        let mut i = 0;
        while i < reals.len() {
            let byte = bytes[i];
            let n = bytes[i..].partition_point(|&b| b == byte);
            let same = match is_wide {
                true => alive && most.odd_leads >> (byte - 0xc2) & 1 == 0,
                false => usual.is_some() && does(v, head, byte) == usual,
            };
            if !same {
                let used = self.levels.nodes.len();
                let mut truth = *head;
                let living = v.read(self.levels, &mut truth, byte);
                truth.used = self.levels.nodes.len() as u32;
                let truth = living.then_some(truth);
                for &real in &reals[i..i + n] {
                    match guess {
                        Some(guess) if is_wide => self.put_wide_right(real, &[byte], truth, guess),
                        _ => self.put_right(real, truth, guess),
                    }
                }
                self.levels.nodes.truncate(used);
            }
            i += n;
        }
    }

    /// [`ClassWalk::put_right`] for the characters of [`Class::Wide`] that begin with some bytes, which `node` has read; after
    /// each, what holds is as from `guess`.
    fn put_wide_right(&mut self, node: u32, begun: &[u8], truth: Option<Head>, guess: Head) {
        let v = self.view;
        let sub = begun.iter().try_fold(0, |sub, &byte| string_step(sub, byte));
        let end = self.trie().nodes()[node as usize].skip;
        let used = self.levels.nodes.len();
        let mut child = node + 1;
        while child < end {
            let below = self.trie().nodes()[child as usize];
            let to = sub.and_then(|sub| string_step(sub, below.byte));
            let mut longer = [0; 4];
            longer[..begun.len()].copy_from_slice(begun);
            longer[begun.len()] = below.byte;
            let longer = &longer[..=begun.len()];
            let is_space = to == Some(0) && begins_wide_space(longer);
            if let Some(to) = to.filter(|_| !is_space) {
                let mut at = truth;
                if let Some(head) = &mut at
                    && !v.read(self.levels, head, below.byte)
                {
                    at = None;
                }
                if let Some(head) = &mut at {
                    head.used = self.levels.nodes.len() as u32;
                }
                match to {
                    0 => self.put_right(child, at, Some(guess)),
                    _ => self.put_wide_right(child, longer, at, guess),
                }
                self.levels.nodes.truncate(used);
            }
            child = below.skip;
        }
    }

    /// At a node of the trie of bytes and below it, what holds is as from `guess`, and shall be as from `truth`.
    fn put_right(&mut self, node: u32, truth: Option<Head>, guess: Option<Head>) {
        let v = self.view;
        let (truth, guess) = match (truth, guess) {
            (None, None) => return,
            (None, Some(_)) => {
                let trie = self.tables.vocab().trie();
                return self.sink.remove(trie.tokens_under(node));
            }
            (Some(truth), None) => {
                let visitor = &mut Adder(self.sink);
                let (trie, fans) = (self.tables.vocab().trie(), self.tables.fans());
                let walk = Walk { view: v, levels: self.levels, trie, fans, heads: self.real_heads, visitor };
                return walk.from(node, truth);
            }
            (Some(truth), Some(guess)) => (truth, guess),
        };
        if is_same(v, self.levels, &truth, &guess, self.sink) {
            return;
        }
        let here = self.trie().nodes()[node as usize];
        if here.is_token != 0 {
            let fits = v.can_rest(&truth) && self.sink.fits(v, &truth);
            let tokens = self.tables.vocab().trie().tokens_at(node);
            if fits {
                self.sink.add_all(tokens);
            } else {
                self.sink.remove(tokens);
            }
        }
        let used = self.levels.nodes.len();
        if here.depth >= MAX_DEPTH {
            return self.one_by_one(node, &truth);
        }
        let mut child = node + 1;
        // Most children do what the last one did, and came to the same place.
        let mut same = None;
        while child < here.skip {
            let below = self.trie().nodes()[child as usize];
            let does = does(v, &truth, below.byte).zip(does(v, &guess, below.byte));
            if does.is_some() && does == same {
                child = below.skip;
                continue;
            }
            let (mut t, mut g) = (truth, guess);
            let guessed = v.read(self.levels, &mut g, below.byte);
            g.used = self.levels.nodes.len() as u32;
            let true_ = v.read(self.levels, &mut t, below.byte);
            t.used = self.levels.nodes.len() as u32;
            if true_ && guessed && is_same(v, self.levels, &t, &g, self.sink) {
                same = does;
            } else {
                self.put_right(child, true_.then_some(t), guessed.then_some(g));
            }
            self.levels.nodes.truncate(used);
            child = below.skip;
        }
    }

    /// Judges the tokens at a node of the trie of bytes, and below it, each by itself.
    fn one_by_one(&mut self, node: u32, head: &Head) {
        let v = self.view;
        let vocab = self.tables.vocab();
        let depth = vocab.trie().nodes()[node as usize].depth as usize;
        let used = self.levels.nodes.len();
        for &token in vocab.trie().tokens_under(node) {
            let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
            let mut at = *head;
            let alive = bytes[depth..].iter().all(|&b| v.read(self.levels, &mut at, b));
            if alive && v.can_rest(&at) && self.sink.fits(v, &at) {
                self.sink.add(token);
            } else {
                self.sink.remove(&[token]);
            }
            self.levels.nodes.truncate(used);
        }
    }
}

/// Whether an action reads its byte, or is dead.
fn is_read(action: PackedAction) -> bool {
    !matches!(action.kind(), ActionKind::Enter | ActionKind::Leave | ActionKind::Choose) || action.flag()
}

/// A step of the automaton of string contents over a byte beyond ASCII.
fn string_step(sub: u8, byte: u8) -> Option<u8> {
    edges(Sub(sub)).iter().find(|e| byte >= 0x80 && e.0 <= byte && byte <= e.1).map(|e| e.2)
}

/// What a byte does at `head`, where that tells all: its action, and that of the frame that is entered unread.
pub(super) fn does(v: &View<'_>, head: &Head, byte: u8) -> Option<(u32, u32)> {
    if v.indent != 0 {
        return None;
    }
    let word = v.word(head.state, byte);
    let action = PackedAction(word);
    match action.kind() {
        ActionKind::Enter if !action.flag() => match v.variants_of(action.index()) {
            [only] => Some((word, v.word(only.start, byte))),
            _ => None,
        },
        ActionKind::Leave | ActionKind::Choose if !action.flag() => None,
        _ => Some((word, 0)),
    }
}

/// Whether the same tokens are legal from two places; with a budget, also whether those found to fit from the second fit from
/// the first.
pub(super) fn is_same(v: &View<'_>, levels: &Levels, a: &Head, b: &Head, sink: &mut Sink<'_>) -> bool {
    let place = |h: &Head| (h.state, h.count, h.spaces, h.seen, h.depth);
    if place(a) != place(b) {
        return false;
    }
    if a.depth > 0 && a.top != b.top {
        let (x, y) = (levels.nodes[a.top as usize], levels.nodes[b.top as usize]);
        let targets = |site: u32| {
            let s = &v.sites[site as usize];
            &v.lists[s.targets as usize..][..s.target_count as usize]
        };
        let same = (x.count, x.seen) == (y.count, y.seen) && (x.parent == y.parent || a.depth == 1);
        if !same || targets(x.site) != targets(y.site) {
            return false;
        }
    }
    a.cost == b.cost || !sink.is_limited() || sink.fits_with(a.cost.saturating_sub(b.cost))
}
