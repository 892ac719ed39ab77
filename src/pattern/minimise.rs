//! Minimisation: which states of a trimmed table accept the same continuations.
//!
//! Valmari's form of Hopcroft's algorithm (A. Valmari, "Fast brief practical DFA minimization", Information
//! Processing Letters 112, 2012): O(m log m) in the number m of *live* transitions, so the dead state and
//! the many bytes that lead to it cost nothing. Blocks of states and of transitions are refined in turn:
//! the transitions of one label into one block split the states they start in, and a new block of states
//! splits the transitions into it. Dead states must have been trimmed.

use super::ByteDfa;
use super::table::Table;

/// Per state its block, and the number of blocks. The dead state is block 0, alone.
///
/// States in one block agree on acceptance, on the boundary flag, and on the block of every successor.
pub(super) fn blocks(table: &Table, transitions: usize) -> (Vec<u32>, usize) {
    // The algorithm's state `s` is the table's `s + 1`.
    let states = table.len() - 1;
    let mut live = Transitions::with_capacity(transitions);
    for class in 0..table.stride {
        live.next_label();
        for s in 0..states {
            let to = table.rows[(s + 1) * table.stride + class];
            if to != ByteDfa::DEAD {
                live.push(s as u32, to - 1);
            }
        }
    }
    let kind = |s: usize| u32::from(table.accepting[s + 1]) * 2 + u32::from(table.boundary[s + 1]);
    let (block_of, blocks) = refine(&(0..states).map(kind).collect::<Vec<u32>>(), &live);
    let of = [0].into_iter().chain(block_of.iter().map(|&b| b + 1)).collect();
    (of, blocks + 1)
}

/// Edges of an automaton, label by label.
pub(crate) struct Transitions {
    tail: Vec<u32>,
    head: Vec<u32>,
    label_starts: Vec<u32>,
}

impl Transitions {
    pub fn with_capacity(n: usize) -> Self {
        Transitions { tail: Vec::with_capacity(n), head: Vec::with_capacity(n), label_starts: Vec::new() }
    }

    /// What is pushed from now on has another label.
    pub fn next_label(&mut self) {
        let here = self.tail.len() as u32;
        if self.label_starts.last() != Some(&here) {
            self.label_starts.push(here);
        }
    }

    /// Under one label, at most one from each state.
    pub fn push(&mut self, tail: u32, head: u32) {
        self.tail.push(tail);
        self.head.push(head);
    }
}

/// The coarsest partition of states that keeps apart those of different kinds, and those that lead to different blocks
/// under some label. Per state its block, and the number of blocks.
pub(crate) fn refine(kinds: &[u32], transitions: &Transitions) -> (Vec<u32>, usize) {
    let states = kinds.len();
    let Transitions { tail, head, label_starts } = transitions;
    let label_starts: Vec<u32> =
        label_starts.iter().copied().filter(|&l| (l as usize) < tail.len()).collect();
    // Transitions by head: those into `s` are `into[first[s]..first[s + 1]]`.
    let mut first = vec![0u32; states + 1];
    for &h in head {
        first[h as usize + 1] += 1;
    }
    for s in 0..states {
        first[s + 1] += first[s];
    }
    let mut cursor = first.clone();
    let mut into = vec![0u32; head.len()];
    for (t, &h) in head.iter().enumerate() {
        into[cursor[h as usize] as usize] = t as u32;
        cursor[h as usize] += 1;
    }

    let mut block = Partition::new(states);
    block.divide_by(kinds);
    let mut cord = Partition::new(tail.len());
    cord.divide(&label_starts);

    let (mut next_block, mut next_cord) = (1, 0);
    while next_cord < cord.len() {
        for i in cord.range(next_cord) {
            block.mark(tail[cord.elements[i] as usize]);
        }
        block.split();
        next_cord += 1;
        while next_block < block.len() {
            for i in block.range(next_block) {
                let s = block.elements[i] as usize;
                into[first[s] as usize..first[s + 1] as usize].iter().for_each(|&t| cord.mark(t));
            }
            cord.split();
            next_block += 1;
        }
    }
    let blocks = block.len();
    (block.set_of, blocks)
}

/// A partition of `0..n` into sets, each a range of `elements`, refined by marking elements and splitting
/// every set into its marked and unmarked part. The smaller part becomes the new set.
struct Partition {
    elements: Vec<u32>,
    position: Vec<u32>,
    set_of: Vec<u32>,
    first: Vec<u32>,
    past: Vec<u32>,
    marked: Vec<u32>,
    touched: Vec<u32>,
}

impl Partition {
    fn new(n: usize) -> Partition {
        let some = usize::from(n > 0);
        Partition {
            elements: (0..n as u32).collect(),
            position: (0..n as u32).collect(),
            set_of: vec![0; n],
            first: vec![0; some],
            past: vec![n as u32; some],
            marked: vec![0; some],
            touched: Vec::new(),
        }
    }

    /// Starts over with the sets that begin at `starts`, ascending from 0.
    fn divide(&mut self, starts: &[u32]) {
        let n = self.elements.len() as u32;
        self.first = starts.to_vec();
        self.past = starts.iter().skip(1).copied().chain((n > 0).then_some(n)).collect();
        self.marked = vec![0; starts.len()];
        for set in 0..starts.len() {
            for i in self.range(set) {
                self.set_of[self.elements[i] as usize] = set as u32;
            }
        }
    }

    /// Starts over with a set for each kind.
    fn divide_by(&mut self, kinds: &[u32]) {
        self.elements.sort_by_key(|&e| kinds[e as usize]);
        for (at, &e) in self.elements.iter().enumerate() {
            self.position[e as usize] = at as u32;
        }
        let kind = |i: usize| kinds[self.elements[i] as usize];
        let starts: Vec<u32> =
            (0..kinds.len()).filter(|&i| i == 0 || kind(i) != kind(i - 1)).map(|i| i as u32).collect();
        self.divide(&starts);
    }

    fn len(&self) -> usize {
        self.first.len()
    }

    fn range(&self, set: usize) -> std::ops::Range<usize> {
        self.first[set] as usize..self.past[set] as usize
    }

    /// Marks an element, by swapping it into the front part of its set. Once per element between splits.
    fn mark(&mut self, element: u32) {
        let set = self.set_of[element as usize] as usize;
        let from = self.position[element as usize];
        let to = self.first[set] + self.marked[set];
        if from < to {
            return;
        }
        let other = self.elements[to as usize];
        self.elements[from as usize] = other;
        self.position[other as usize] = from;
        self.elements[to as usize] = element;
        self.position[element as usize] = to;
        if self.marked[set] == 0 {
            self.touched.push(set as u32);
        }
        self.marked[set] += 1;
    }

    fn split(&mut self) {
        while let Some(set) = self.touched.pop() {
            let set = set as usize;
            let middle = self.first[set] + self.marked[set];
            let marked = std::mem::take(&mut self.marked[set]);
            if middle == self.past[set] {
                continue;
            }
            let new = self.first.len() as u32;
            if marked <= self.past[set] - middle {
                self.first.push(self.first[set]);
                self.past.push(middle);
                self.first[set] = middle;
            } else {
                self.first.push(middle);
                self.past.push(self.past[set]);
                self.past[set] = middle;
            }
            self.marked.push(0);
            for i in self.range(new as usize) {
                self.set_of[self.elements[i] as usize] = new;
            }
        }
    }
}
