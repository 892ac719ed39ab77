//! Tries of declared keys, shared between the states of an object.
//!
//! With n optional keys in a fixed order there are n + 1 sets of keys that may come next, each a suffix
//! of the last. Built from the last key backwards, each trie is the next one with one key inserted by
//! copying that key's path; nodes are hash-consed, so all n + 1 tries together are as large as the keys'
//! total length.

use rustc_hash::FxHashMap;

pub(crate) type TrieId = u32;

/// What a declared name means where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Here {
    /// No declared name ends here.
    Nothing,
    /// A declared name that may not be written now.
    Forbidden,
    /// A name that may: the track that follows, and 1 + its number in the register of seen keys (free key
    /// order) or 0.
    Name { track: u32, seen: u8 },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TrieNode {
    /// By byte, ascending.
    pub children: Vec<(u8, TrieId)>,
    pub here: Here,
    /// The track that follows a key which is not declared.
    pub open: Option<u32>,
}

#[derive(Default)]
pub(crate) struct Tries {
    nodes: Vec<TrieNode>,
    ids: FxHashMap<TrieNode, TrieId>,
}

impl Tries {
    pub fn node(&self, id: TrieId) -> &TrieNode {
        &self.nodes[id as usize]
    }

    /// The trie without names, leaf of all others with the same `open`.
    pub fn empty(&mut self, open: Option<u32>) -> TrieId {
        self.intern(TrieNode { children: Vec::new(), here: Here::Nothing, open })
    }

    fn intern(&mut self, node: TrieNode) -> TrieId {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let id = self.nodes.len() as TrieId;
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    pub fn child(&self, id: TrieId, byte: u8) -> Option<TrieId> {
        let children = &self.nodes[id as usize].children;
        children.binary_search_by_key(&byte, |c| c.0).ok().map(|i| children[i].1)
    }

    /// The trie with `name` (canonically spelled) meaning `here`.
    pub fn insert(&mut self, root: TrieId, name: &[u8], here: Here) -> TrieId {
        let open = self.nodes[root as usize].open;
        let mut path = Vec::with_capacity(name.len() + 1);
        let mut at = Some(root);
        for &b in name {
            path.push(at);
            at = at.and_then(|n| self.child(n, b));
        }
        let bare = || TrieNode { children: Vec::new(), here: Here::Nothing, open };
        let mut node = at.map_or_else(bare, |n| self.nodes[n as usize].clone());
        node.here = here;
        let mut id = self.intern(node);
        for (&b, old) in name.iter().zip(path).rev() {
            let mut node = old.map_or_else(bare, |n| self.nodes[n as usize].clone());
            match node.children.binary_search_by_key(&b, |c| c.0) {
                Ok(i) => node.children[i].1 = id,
                Err(i) => node.children.insert(i, (b, id)),
            }
            id = self.intern(node);
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_sets_of_keys_share_all_but_one_path() {
        let names: Vec<String> = (0..200).map(|i| format!("property_number_{i}")).collect();
        let mut tries = Tries::default();
        let mut root = tries.empty(None);
        for (i, name) in names.iter().enumerate().rev() {
            root = tries.insert(root, name.as_bytes(), Here::Name { track: i as u32, seen: 0 });
        }
        let total: usize = names.iter().map(|n| n.len() + 1).sum();
        assert!(tries.nodes.len() <= total + 1, "{} nodes for {total} bytes of names", tries.nodes.len());
        for (i, name) in names.iter().enumerate() {
            let end = name.bytes().try_fold(root, |n, b| tries.child(n, b)).unwrap();
            assert_eq!(tries.node(end).here, Here::Name { track: i as u32, seen: 0 });
        }
        assert_eq!(tries.child(root, b'x'), None);
    }

    #[test]
    fn a_later_insertion_replaces_the_meaning_of_a_name() {
        let mut tries = Tries::default();
        let empty = tries.empty(Some(9));
        let forbidden = tries.insert(empty, b"ab", Here::Forbidden);
        let allowed = tries.insert(forbidden, b"ab", Here::Name { track: 1, seen: 4 });
        let end = |root| [b'a', b'b'].iter().try_fold(root, |n, &b| tries.child(n, b)).unwrap();
        assert_eq!(tries.node(end(forbidden)).here, Here::Forbidden);
        assert_eq!(tries.node(end(allowed)).here, Here::Name { track: 1, seen: 4 });
        assert_eq!(tries.node(end(allowed)).open, Some(9));
    }
}
