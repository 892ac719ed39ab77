//! A configuration that a walk can copy: 48 bytes, with its open levels in a tree of immutable nodes.
//!
//! A walk over a trie forks the configuration at every node. Were the stack a vector, each fork would copy
//! it. Here a level is a node that knows its parent, pushing appends one and popping moves to the parent,
//! so a fork is a copy of the [`Head`] and nothing is ever undone:
//!
//! ```text
//! push:  nodes.append(level, parent = top); top = the new node
//! pop:   top = nodes[top].parent
//! back:  the old head; nodes.truncate(head.used)
//! ```

use crate::reference;
use crate::table::layout::KeySet;

/// Where a text is; [`reference::Configuration`] but for the levels, which are in [`Levels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub state: u32,
    pub count: u32,
    pub spaces: u32,
    /// The innermost level in [`Levels::nodes`]; no meaning while `depth` is 0.
    pub top: u32,
    /// Open levels.
    pub depth: u32,
    /// Nodes in use when this head was made: all that it refers to are below.
    pub used: u32,
    pub seen: KeySet,
    /// Sum of the levels' costs, in tokens.
    pub cost: u64,
}

impl Head {
    /// At the beginning of a state, with no level open.
    pub fn at(state: u32) -> Head {
        Head { state, count: 0, spaces: 0, top: 0, depth: 0, used: 0, seen: KeySet::EMPTY, cost: 0 }
    }
}

/// One open level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub seen: KeySet,
    pub site: u32,
    pub count: u32,
    pub cost: u32,
    pub parent: u32,
}

/// The levels of all heads of one text, and what frames may be entered for.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    pub nodes: Vec<Node>,
    /// Tokens that may follow the one being read.
    pub left: u64,
    /// Greatest bound that decided on a variant since [`Levels::allow`].
    pub asked: u64,
    /// Whether a variant was passed over since then because too few tokens are left.
    pub narrowed: bool,
    /// Fewest levels that were open since then: those above were looked at.
    pub lowest: u32,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { nodes: Vec::new(), left: u64::MAX, asked: 0, narrowed: false, lowest: 0 }
    }
}

impl Levels {
    /// Says how many tokens there may be, the one to be read included.
    pub fn allow(&mut self, budget: Option<u64>) {
        self.left = budget.map_or(u64::MAX, |budget| budget.saturating_sub(1));
        self.asked = 0;
        self.narrowed = false;
        self.lowest = u32::MAX;
    }

    /// Opens a level above `head`.
    #[inline]
    pub fn push(&mut self, head: &mut Head, site: u32, cost: u32) {
        let node = Node { seen: head.seen, site, count: head.count, cost, parent: head.top };
        head.top = self.nodes.len() as u32;
        head.depth += 1;
        head.cost += u64::from(cost);
        self.nodes.push(node);
    }

    /// Closes the innermost level and returns it.
    #[inline]
    pub fn pop(&self, head: &mut Head) -> Option<Node> {
        head.depth = head.depth.checked_sub(1)?;
        let node = self.nodes[head.top as usize];
        head.top = node.parent;
        head.cost -= u64::from(node.cost);
        Some(node)
    }

    /// The open levels of `head`, innermost first.
    pub fn of(&self, head: &Head) -> impl Iterator<Item = &Node> {
        let mut top = head.top;
        (0..head.depth).map(move |_| {
            let node = &self.nodes[top as usize];
            top = node.parent;
            node
        })
    }

    /// Makes these the levels of `head` in `from` and nothing else; returns the head that goes with them.
    pub fn take_over(&mut self, from: &Levels, head: &Head) -> Head {
        let depth = head.depth as usize;
        self.nodes.clear();
        let blank = Node { seen: KeySet::EMPTY, site: 0, count: 0, cost: 0, parent: 0 };
        self.nodes.resize(depth, blank);
        for (i, &node) in from.of(head).enumerate() {
            let at = depth - 1 - i;
            self.nodes[at] = Node { parent: at.saturating_sub(1) as u32, ..node };
        }
        Head { top: head.depth.saturating_sub(1), used: head.depth, ..*head }
    }

    pub fn to_reference(&self, head: &Head) -> reference::Configuration {
        let mut stack: Vec<reference::Level> = self
            .of(head)
            .map(|n| reference::Level { site: n.site, count: n.count, seen: n.seen, cost: n.cost })
            .collect();
        stack.reverse();
        reference::Configuration {
            state: head.state,
            count: head.count,
            spaces: head.spaces,
            seen: head.seen,
            stack,
        }
    }

    pub fn from_reference(c: &reference::Configuration) -> (Levels, Head) {
        let mut levels = Levels::default();
        let mut head = Head::at(0);
        for level in &c.stack {
            head.count = level.count;
            head.seen = level.seen;
            levels.push(&mut head, level.site, level.cost);
        }
        let used = levels.nodes.len() as u32;
        (levels, Head { state: c.state, count: c.count, spaces: c.spaces, seen: c.seen, used, ..head })
    }
}
