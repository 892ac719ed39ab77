//! Where one text is.

use std::collections::VecDeque;

use super::head::{Head, Levels};
use super::program::{Program, View};
use crate::reference;
use crate::vocab::{SliceId, Vocabulary};

/// Shorter tokens are read byte by byte even where a slice would tell.
const MIN_SLICED: usize = 16;
/// Longest answer of [`State::forced`], in bytes.
const MAX_FORCED: usize = 4096;

/// Where one text is in a grammar, with its last tokens so that they can be taken back.
///
/// A token costs one head of 48 bytes of history; the levels of the stack are shared with it.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) levels: Levels,
    pub(super) head: Head,
    /// Before each of the last tokens, oldest first.
    history: VecDeque<Head>,
    /// Tokens that can be taken back, at most.
    keep: usize,
    /// Nodes at which those no longer needed are dropped.
    sweep_at: usize,
}

impl State {
    /// Before the first byte; up to `keep` tokens can be taken back.
    pub fn start(program: &Program, keep: usize) -> State {
        State {
            levels: Levels::default(),
            head: program.view().start(),
            history: VecDeque::new(),
            keep,
            sweep_at: 64,
        }
    }

    /// Appends a token. `false`, and nothing changes, if it is not legal with `budget` tokens left, itself
    /// included. Stop tokens change nothing and are legal where the text is complete.
    pub fn advance(
        &mut self,
        program: &Program,
        vocab: &Vocabulary,
        token: u32,
        budget: Option<u64>,
    ) -> bool {
        let view = program.view();
        let v = &view;
        let before = self.head;
        self.levels.allow(budget);
        if vocab.is_stop(token) {
            if !v.is_complete(&self.levels, &before) {
                return false;
            }
            self.record(before);
            return true;
        }
        let Some(bytes) = vocab.bytes(token) else { return false };
        let mut head = before;
        let legal = self.skip(v, vocab, token, bytes, &mut head)
            || bytes.iter().all(|&b| v.read(&mut self.levels, &mut head, b));
        if !(legal && v.can_rest(&head) && budget.is_none_or(|left| v.bound(&head) < left)) {
            self.levels.nodes.truncate(before.used as usize);
            return false;
        }
        head.used = self.levels.nodes.len() as u32;
        self.head = head;
        self.record(before);
        true
    }

    /// Reads a token within a slice that the state is closed under at once, if it is one and far from any
    /// threshold.
    fn skip(&mut self, v: &View<'_>, vocab: &Vocabulary, token: u32, bytes: &[u8], head: &mut Head) -> bool {
        let slices = v.states.get(head.state).slices;
        if slices == 0 || bytes.len() < MIN_SLICED || v.indent != 0 {
            return false;
        }
        let of_vocab = vocab.slices();
        let id = SliceId::ALL[slices.trailing_zeros() as usize];
        let chars = of_vocab.chars(token).filter(|&chars| chars < u8::MAX).map(u32::from);
        let Some(chars) = chars.filter(|_| of_vocab.get(id).contains(token)) else { return false };
        let extra = v.extra(head.state);
        if extra.chain_to != 0 && head.count.saturating_add(chars) >= extra.chain_at {
            return false;
        }
        let mut one = *head;
        if !v.read(&mut self.levels, &mut one, b'a') || one.state != head.state {
            return false;
        }
        one.count = head.count.saturating_add(chars * (one.count - head.count));
        *head = one;
        true
    }

    fn record(&mut self, before: Head) {
        if self.keep > 0 {
            if self.history.len() == self.keep {
                self.history.pop_front();
            }
            self.history.push_back(before);
        }
        if self.levels.nodes.len() >= self.sweep_at {
            self.sweep();
            self.sweep_at = (2 * self.levels.nodes.len()).max(64);
        }
    }

    /// Drops the nodes that neither the text nor its history refers to.
    fn sweep(&mut self) {
        let nodes = &self.levels.nodes;
        let mut live = vec![false; nodes.len()];
        for head in self.history.iter().chain([&self.head]) {
            let mut top = head.top as usize;
            for _ in 0..head.depth {
                if std::mem::replace(&mut live[top], true) {
                    break;
                }
                top = nodes[top].parent as usize;
            }
        }
        // Per old index, how many nodes before it stay; and for the end.
        let mut kept = Vec::with_capacity(live.len() + 1);
        let mut n = 0u32;
        for &live in &live {
            kept.push(n);
            n += u32::from(live);
        }
        kept.push(n);
        let mut keep = live.iter();
        self.levels.nodes.retain(|_| *keep.next().expect("one mark per node"));
        for node in &mut self.levels.nodes {
            node.parent = kept[node.parent as usize];
        }
        for head in self.history.iter_mut().chain([&mut self.head]) {
            head.top = kept[head.top as usize];
            head.used = kept[head.used as usize];
        }
    }

    /// Takes the last `tokens` tokens back. `false`, and nothing changes, if the history is shorter.
    pub fn rollback(&mut self, tokens: usize) -> bool {
        let Some(at) = self.history.len().checked_sub(tokens) else { return false };
        if let Some(&head) = self.history.get(at) {
            self.head = head;
            self.history.truncate(at);
            self.levels.nodes.truncate(head.used as usize);
        }
        true
    }

    /// Tokens that can be taken back now.
    pub fn history_len(&self) -> usize {
        self.history.len()
    }

    /// Whether the text is complete.
    pub fn is_complete(&self, program: &Program) -> bool {
        program.view().is_complete(&self.levels, &self.head)
    }

    /// Whether the text is complete and nothing can follow.
    pub fn is_at_end(&self, program: &Program) -> bool {
        let v = program.view();
        v.is_complete(&self.levels, &self.head) && v.legal(&self.levels, &self.head) == [0; 4]
    }

    /// Bound of the tokens needed to complete the text.
    pub fn bound(&self, program: &Program) -> u64 {
        program.view().bound(&self.head)
    }

    /// Open levels.
    pub fn depth(&self) -> usize {
        self.head.depth as usize
    }

    /// The bytes that every continuation begins with: as long as the text is not complete and one byte only
    /// can be next. Optional whitespace counts as a choice.
    pub fn forced(&mut self, program: &Program) -> Vec<u8> {
        let view = program.view();
        let v = &view;
        self.levels.allow(None);
        let mut bytes = Vec::new();
        let mut head = self.head;
        while bytes.len() < MAX_FORCED && !v.is_complete(&self.levels, &head) {
            let legal = v.legal(&self.levels, &head);
            let mut only = None;
            for b in (0..=255u8).filter(|&b| legal[b as usize / 64] >> (b % 64) & 1 == 1) {
                let mut next = head;
                if v.read(&mut self.levels, &mut next, b) && only.replace((b, next)).is_some() {
                    only = None;
                    break;
                }
            }
            let Some((b, next)) = only else { break };
            bytes.push(b);
            head = next;
        }
        self.levels.nodes.truncate(self.head.used as usize);
        bytes
    }

    /// The same place as the reference has it.
    pub fn to_reference(&self) -> reference::Configuration {
        self.levels.to_reference(&self.head)
    }

    /// The place of a reference configuration, without history.
    pub fn from_reference(c: &reference::Configuration, keep: usize) -> State {
        let (levels, head) = Levels::from_reference(c);
        State { levels, head, history: VecDeque::new(), keep, sweep_at: 64 }
    }
}
