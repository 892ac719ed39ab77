//! The specification: a slow, short interpreter of the tables. Every other backend must equal it.
//!
//! It reads only tables and token bytes, simulates every token from the start and shares no code with
//! the backends it judges.

pub mod sampler;

use crate::table::Grammar;
use crate::table::layout::*;
use crate::vocab::Vocabulary;

/// One open level of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The site the level was entered from.
    pub site: u32,
    /// The count of the level around it.
    pub count: u32,
    /// The keys seen in the level around it.
    pub seen: KeySet,
    /// Bound of the tokens needed once this level is left, up to the end of the level around it.
    pub cost: u32,
}

/// Where a text is in a grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The state.
    pub state: u32,
    /// Characters, commas: what the level counts.
    pub count: u32,
    /// Length of the whitespace run being written, in bytes.
    pub spaces: u32,
    /// Keys seen in the level, with free key order.
    pub seen: KeySet,
    /// The open levels, outermost first.
    pub stack: Vec<Level>,
}

impl Configuration {
    /// Before the first byte.
    pub fn start(g: &Grammar) -> Self {
        Configuration { state: g.header().start, count: 0, spaces: 0, seen: KeySet::EMPTY, stack: Vec::new() }
    }

    /// Reads one byte; `false` if it is illegal (the configuration is then of no use).
    pub fn read(&mut self, g: &Grammar, byte: u8) -> bool {
        self.read_within(g, byte, u64::MAX)
    }

    /// As [`Configuration::read`], with `left` more tokens after the one that the byte belongs to: frames are
    /// then entered so that they can be completed within them.
    pub fn read_within(&mut self, g: &Grammar, byte: u8, left: u64) -> bool {
        if self.missing_spaces(g) > 0 {
            self.spaces += 1;
            return byte == b' ';
        }
        self.act(g, byte, left)
    }

    fn act(&mut self, g: &Grammar, byte: u8, left: u64) -> bool {
        let action = action(g, self.state, byte);
        let index = action.index();
        match action.kind() {
            ActionKind::Dead => false,
            ActionKind::Stay | ActionKind::Ahead => {
                self.spaces = if action.space() { self.spaces + 1 } else { 0 };
                if action.space() && self.spaces > g.header().max_spaces {
                    return false;
                }
                if action.flag() && !action.space() {
                    self.count = self.count.saturating_add(1);
                }
                self.arrive(g, action.target(self.state))
            }
            ActionKind::Enter => self.enter(g, index, (!action.flag()).then_some(byte), left),
            ActionKind::Leave | ActionKind::Choose => {
                let outcome = if action.kind() == ActionKind::Leave {
                    Some(index)
                } else {
                    choose(g, index, self.seen)
                };
                outcome.is_some_and(|o| self.leave(g, o)) && (action.flag() || self.act(g, byte, left))
            }
        }
    }

    fn arrive(&mut self, g: &Grammar, state: u32) -> bool {
        self.state = state;
        loop {
            let extra = &g.extras()[g.states().extra(self.state) as usize];
            if extra.chain_to == 0 || self.count < extra.chain_at {
                let keys = &g.keys()[extra.keys as usize];
                let name = keys.name.checked_sub(1).map_or(KeySet::EMPTY, |name| KeySet::one(name as usize));
                if !(name & self.seen).is_empty() || keys.open_need != 0 && !self.can_name(g, keys) {
                    return false;
                }
                if keys.closes != 0 && choose(g, keys.closes - 1, self.seen).is_none() {
                    return false;
                }
                self.seen |= name;
                return self.state != 0;
            }
            self.state = extra.chain_to;
        }
    }

    /// Whether a member begun can get a name with which the depth left suffices.
    fn can_name(&self, g: &Grammar, keys: &KeyInfo) -> bool {
        let left = g.max_depth() - self.stack.len();
        let costs = &g.key_costs()[keys.costs as usize..];
        let unseen = keys.ahead - self.seen;
        (keys.open_need as usize) <= left + 1 && keys.open_need <= u32::from(u8::MAX)
            || unseen.iter().any(|name| costs[name].need as usize <= left)
    }

    /// Enters the last variant that the depth left allows and that can be completed with `left` more tokens
    /// once `unread`, if there is such a byte, has been read inside it; if there is none, the first that
    /// the depth allows.
    fn enter(&mut self, g: &Grammar, site: u32, unread: Option<u8>, left: u64) -> bool {
        let s = &g.sites()[site as usize];
        let depth = (g.max_depth() - self.stack.len()) as u32;
        let variants = &g.variants()[s.variants as usize..][..s.variant_count as usize];
        let mut entered = None;
        for variant in
            variants.iter().rev().filter(|v| depth > 0 && g.terms()[v.terms as usize].depth <= depth)
        {
            let mut inside = self.clone();
            let legal = inside.push(g, site, variant) && unread.is_none_or(|byte| inside.act(g, byte, left));
            let fits = legal && inside.bound(g) <= left;
            entered = legal.then_some(inside);
            if fits {
                break;
            }
        }
        let legal = entered.is_some();
        if let Some(inside) = entered {
            *self = inside;
        }
        legal
    }

    fn push(&mut self, g: &Grammar, site: u32, v: &VariantInfo) -> bool {
        let terms = &g.terms()[v.terms as usize];
        let per_space = u64::from(g.header().indent) * self.stack.len() as u64;
        let spaces = u64::from(terms.cost_spaces) * per_space;
        let per_tick = u64::from(terms.cost_per_tick) + u64::from(terms.cost_tick_spaces) * per_space;
        let ticks = u64::from(terms.cost_at.saturating_sub(self.count)).saturating_mul(per_tick);
        let keys = self.missing(g, &g.keys()[terms.keys as usize]);
        let cost = clamp(ticks.saturating_add(u64::from(terms.cost) + spaces + keys));
        self.stack.push(Level { site, count: self.count, seen: self.seen, cost });
        self.count = 0;
        self.spaces = 0;
        self.seen = KeySet::EMPTY;
        self.arrive(g, v.start)
    }

    fn leave(&mut self, g: &Grammar, outcome: u32) -> bool {
        let Some(level) = self.stack.pop() else { return false };
        let s = &g.sites()[level.site as usize];
        if outcome >= s.target_count {
            return false;
        }
        self.count = level.count;
        self.seen = level.seen;
        self.spaces = 0;
        self.arrive(g, g.lists()[(s.targets + outcome) as usize])
    }

    /// Spaces of indentation still to be written before anything else.
    fn missing_spaces(&self, g: &Grammar) -> u32 {
        let flags = g.states().get(self.state).flags;
        let depth = self.stack.len() as u32;
        let levels = match flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) {
            StateInfo::INDENT_INNER => depth,
            StateInfo::INDENT_OUTER => depth.saturating_sub(1),
            _ => return 0,
        };
        (levels * g.header().indent).saturating_sub(self.spaces)
    }

    /// What the required names not yet seen cost, in tokens.
    fn missing(&self, g: &Grammar, keys: &KeyInfo) -> u64 {
        let costs = &g.key_costs()[keys.costs as usize..];
        let per_space = u64::from(g.header().indent) * self.stack.len() as u64;
        let missing = (keys.required - self.seen).iter().map(|name| &costs[name]);
        missing.map(|cost| u64::from(cost.tokens) + u64::from(cost.spaces) * per_space).sum()
    }

    /// Bound of the tokens needed to complete the text: some legal token always leads to a
    /// configuration whose bound is lower.
    pub fn bound(&self, g: &Grammar) -> u64 {
        let s = g.states().get(self.state);
        let e = &g.extras()[s.extra as usize];
        let per_space = u64::from(g.header().indent) * self.stack.len() as u64;
        let per_tick = u64::from(e.cost_per_tick) + u64::from(e.cost_tick_spaces) * per_space;
        let ticks = u64::from(e.cost_at.saturating_sub(self.count)).saturating_mul(per_tick);
        let mut bound = ticks.saturating_add(u64::from(s.cost) + u64::from(e.cost_spaces) * per_space);
        if s.flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) != 0 {
            bound = bound.saturating_sub(u64::from(self.spaces));
        }
        if e.keys != 0 {
            let k = &g.keys()[e.keys as usize];
            bound = bound.saturating_add(self.missing(g, k));
            if !(k.ahead & k.required).is_subset(self.seen) {
                bound = bound.saturating_sub(u64::from(k.written) + u64::from(k.written_spaces) * per_space);
            } else if !k.ahead.is_empty() {
                bound = bound.saturating_add(u64::from(k.rest) + u64::from(k.rest_spaces) * per_space);
            }
        }
        bound.saturating_add(self.stack.iter().map(|level| u64::from(level.cost)).sum())
    }

    /// Whether a token may end here: the depth left is enough to finish.
    pub fn can_rest(&self, g: &Grammar) -> bool {
        let need = g.states().get(self.state).need;
        need != u8::MAX && self.stack.len() + usize::from(need) <= g.max_depth()
    }

    /// Whether the text is complete.
    pub fn is_complete(&self, g: &Grammar) -> bool {
        let mut c = self.clone();
        loop {
            let s = g.states().get(c.state);
            if s.flags & StateInfo::ACCEPTING != 0 {
                return c.stack.is_empty();
            }
            // A number ends where the text does.
            let default = PackedAction(g.rows()[s.row as usize]);
            let ends = default.kind() == ActionKind::Leave && !default.flag();
            if !ends || !c.leave(g, default.index()) {
                return false;
            }
        }
    }

    /// The configuration after the token, if it is legal with `budget` tokens left, itself included.
    /// Stop tokens change nothing and are legal where the text is complete.
    pub fn after_token(
        &self,
        g: &Grammar,
        vocab: &Vocabulary,
        token: u32,
        budget: Option<u64>,
    ) -> Option<Self> {
        if vocab.is_stop(token) {
            return self.is_complete(g).then(|| self.clone());
        }
        let mut c = self.clone();
        let left = budget.map_or(u64::MAX, |budget| budget.saturating_sub(1));
        let legal = vocab.bytes(token)?.iter().all(|&b| c.read_within(g, b, left)) && c.can_rest(g);
        let fits = legal && budget.is_none_or(|budget| c.bound(g) < budget);
        fits.then_some(c)
    }

    /// The legal tokens: bit `t % 32` of word `t / 32` for token t, over the logits' width.
    pub fn mask(&self, g: &Grammar, vocab: &Vocabulary, budget: Option<u64>) -> Vec<u32> {
        let mut words = vec![0u32; vocab.width().div_ceil(32)];
        for token in 0..vocab.len() as u32 {
            if self.after_token(g, vocab, token, budget).is_some() {
                words[token as usize / 32] |= 1 << (token % 32);
            }
        }
        words
    }
}

fn action(g: &Grammar, state: u32, byte: u8) -> PackedAction {
    let row = &g.rows()[g.states().row(state)..];
    let ranges = &row[2..][..2 * row[1] as usize];
    let found =
        ranges.chunks_exact(2).find(|r| r[0] & 0xff <= u32::from(byte) && u32::from(byte) <= r[0] >> 8);
    PackedAction(found.map_or(row[0], |r| r[1]))
}

fn choose(g: &Grammar, first: u32, seen: KeySet) -> Option<u32> {
    for choice in &g.choices()[first as usize..] {
        if choice.keys.is_subset(seen) {
            return Some(choice.outcome);
        }
        if choice.last != 0 {
            break;
        }
    }
    None
}

fn clamp(n: u64) -> u32 {
    n.min(u64::from(u32::MAX)) as u32
}
