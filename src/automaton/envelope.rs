//! What stands around the values of a text.
//!
//! A bare JSON document is the simplest envelope: one way to go, with nothing before the value and nothing after.
//! A reply that may be prose, one of several function calls or a refusal has a *way* for each: an opening that says which
//! it is, then a value or free text, then what closes the value. Openings are read by a trie, so the ways are one automaton
//! and the text alone decides which is taken. Nothing here knows what a call or a refusal is.
//!
//! ```text
//! ways   ""               prose                 ""
//!        "<call>f:"       value of schema 0     "</call>"    again, after "\n"
//!        "<call>g:"       value of schema 1     "</call>"    again
//! texts  "Hello"  "<call>f:{}</call>"  "<call>g:1</call>\n<call>f:{}</call>"  "<cal"
//! ```
//!
//! Prose is any UTF-8 that begins with no other opening. It may end between any two characters, so it needs no tokens;
//! whoever wants to know whether it was cut off asks whether a stop token came.

use super::explore::{Expansion, Explorer};
use super::raw::*;
use super::string::{Sub, edges};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::NodeId;

/// The ways that a text can go; `V` is what stands for a value: a schema, or a node of an [`Ir`](crate::ir::Ir).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<V> {
    /// The ways, at least one.
    pub ways: Vec<Way<V>>,
    /// What stands between one way that may come again and the next.
    pub between: String,
}

/// One way that a text can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way<V> {
    /// What the text begins with on this way.
    pub opening: String,
    /// What follows.
    pub body: Body<V>,
    /// What comes after a value. Prose goes on to the end of the text.
    pub closing: String,
    /// Whether, after the closing and [`Envelope::between`], this way or another of which this is true may follow.
    pub again: bool,
}

/// What an opening opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<V> {
    /// A JSON value.
    Value(V),
    /// Any UTF-8.
    Prose,
}

impl<V> Envelope<V> {
    /// A value with nothing around it.
    pub fn bare(value: V) -> Self {
        let way =
            Way { opening: String::new(), body: Body::Value(value), closing: String::new(), again: false };
        Envelope { ways: vec![way], between: String::new() }
    }

    /// The same with something else for each value.
    pub fn map<W>(&self, mut to: impl FnMut(&V) -> W) -> Envelope<W> {
        let ways = self.ways.iter().map(|way| Way {
            opening: way.opening.clone(),
            body: match &way.body {
                Body::Value(value) => Body::Value(to(value)),
                Body::Prose => Body::Prose,
            },
            closing: way.closing.clone(),
            again: way.again,
        });
        Envelope { ways: ways.collect(), between: self.between.clone() }
    }

    /// The values, in the order of the ways.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.ways.iter().filter_map(|way| match &way.body {
            Body::Value(value) => Some(value),
            Body::Prose => None,
        })
    }
}

/// How a JSON value can begin, and how a number can go on: a text in which one of these bytes is also something else
/// could be read in two ways.
const VALUE_STARTS: &[u8] = b"{[\"-0123456789tfn";
const NUMBER_GOES_ON: &[u8] = b"0123456789.eE+-";

/// As much of an opening as was read.
#[derive(Clone, Debug, Default)]
struct Node {
    children: Vec<(u8, u32)>,
    /// The way whose opening ends here.
    way: Option<u32>,
    /// If what was read is also prose: the state of its characters, of [`super::string`].
    prose: Option<u8>,
}

/// An envelope ready to be followed.
#[derive(Clone, Debug)]
pub(crate) struct Outer {
    nodes: Vec<Node>,
    /// The node before `between`, if a way may come again.
    again: Option<u32>,
    ways: Vec<OuterWay>,
    values: Vec<NodeId>,
}

#[derive(Clone, Debug)]
struct OuterWay {
    /// Index into [`Outer::values`] and into the document's entries.
    value: Option<u32>,
    closing: Vec<u8>,
    again: bool,
}

impl Outer {
    /// The node of the empty text.
    pub const START: u32 = 0;

    /// A value with nothing around it.
    pub fn bare(value: NodeId) -> Self {
        let way = OuterWay { value: Some(0), closing: Vec::new(), again: false };
        let start = Node { way: Some(0), ..Node::default() };
        Outer { nodes: vec![start], again: None, ways: vec![way], values: vec![value] }
    }

    pub fn new(envelope: &Envelope<NodeId>) -> Result<Self> {
        let mut outer =
            Outer { nodes: vec![Node::default()], again: None, ways: Vec::new(), values: Vec::new() };
        for way in &envelope.ways {
            let value = match &way.body {
                Body::Value(node) => {
                    outer.values.push(*node);
                    Some(outer.values.len() as u32 - 1)
                }
                Body::Prose if way.again || !way.closing.is_empty() => {
                    return Err(invalid(format!(
                        "prose after {:?} goes on to the end of the text",
                        way.opening
                    )));
                }
                Body::Prose => None,
            };
            outer.ways.push(OuterWay { value, closing: way.closing.clone().into(), again: way.again });
        }
        for (id, way) in envelope.ways.iter().enumerate() {
            outer.add(Outer::START, id as u32, &way.opening)?;
        }
        if envelope.ways.iter().any(|way| way.again) {
            let again = outer.nodes.len() as u32;
            outer.nodes.push(Node::default());
            outer.again = Some(again);
            for (id, way) in envelope.ways.iter().enumerate().filter(|(_, way)| way.again) {
                outer.add(again, id as u32, &format!("{}{}", envelope.between, way.opening))?;
            }
        }
        outer.check(envelope)?;
        outer.spread_prose();
        Ok(outer)
    }

    fn add(&mut self, from: u32, way: u32, opening: &str) -> Result<()> {
        let mut at = from;
        for byte in opening.bytes() {
            let known = self.nodes[at as usize].children.iter().find(|c| c.0 == byte);
            at = match known {
                Some(&(_, child)) => child,
                None => {
                    let child = self.nodes.len() as u32;
                    self.nodes.push(Node::default());
                    self.nodes[at as usize].children.push((byte, child));
                    child
                }
            };
        }
        match self.nodes[at as usize].way.replace(way) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("two ways begin with {opening:?}"))),
        }
    }

    /// Refuses what could be read in two ways.
    fn check(&self, envelope: &Envelope<NodeId>) -> Result<()> {
        if envelope.ways.is_empty() {
            return Err(invalid("an envelope needs at least one way".into()));
        }
        for node in &self.nodes {
            let Some(way) = node.way else { continue };
            let clash = |&(byte, _): &(u8, u32)| VALUE_STARTS.contains(&byte);
            if self.ways[way as usize].value.is_some() && node.children.iter().any(clash) {
                let opening = &envelope.ways[way as usize].opening;
                return Err(invalid(format!(
                    "an opening goes on after {opening:?} as the value there could"
                )));
            }
        }
        for way in &envelope.ways {
            let next = if way.again { self.again_begins(envelope) } else { Vec::new() };
            let first = way.closing.bytes().next().map_or(next, |b| vec![b]);
            if first.iter().any(|b| NUMBER_GOES_ON.contains(b)) {
                return Err(invalid(format!(
                    "what comes after the value of {:?} begins as a number could go on",
                    way.opening
                )));
            }
        }
        Ok(())
    }

    fn again_begins(&self, envelope: &Envelope<NodeId>) -> Vec<u8> {
        match self.again {
            Some(again) if self.nodes[again as usize].way.is_some() => {
                // Values stand side by side; a number could be two.
                debug_assert!(envelope.between.is_empty());
                VALUE_STARTS.to_vec()
            }
            Some(again) => self.nodes[again as usize].children.iter().map(|c| c.0).collect(),
            None => Vec::new(),
        }
    }

    /// Marks the nodes up to which the text may still be the prose of a way with a shorter opening.
    fn spread_prose(&mut self) {
        let mut todo = vec![(Outer::START, None)];
        while let Some((at, prose)) = todo.pop() {
            let here = match self.nodes[at as usize].way {
                Some(way) if self.ways[way as usize].value.is_some() => None,
                Some(_) => Some(Sub::MAIN.0),
                None => prose,
            };
            self.nodes[at as usize].prose = here;
            for &(byte, child) in &self.nodes[at as usize].children {
                todo.push((child, here.and_then(|sub| after(sub, byte))));
            }
        }
    }

    /// The nodes of the values.
    pub fn values(&self) -> Vec<NodeId> {
        self.values.clone()
    }

    /// Per value, it and the node at which it begins in the first place.
    pub fn beginnings(&self) -> impl Iterator<Item = (NodeId, u32)> {
        let first = self.again.map_or(self.nodes.len(), |again| again as usize);
        self.nodes.iter().enumerate().take(first).filter_map(|(at, node)| {
            let value = self.ways[node.way? as usize].value?;
            Some((self.values[value as usize], at as u32))
        })
    }
}

/// Where a byte of prose leads from a state of its characters.
fn after(sub: u8, byte: u8) -> Option<u8> {
    prose_edges(sub).find(|&(lo, hi, _)| (lo..=hi).contains(&byte)).map(|e| e.2)
}

/// The edges of prose: every character stands for itself, in the UTF-8 of string contents.
fn prose_edges(sub: u8) -> impl Iterator<Item = (u8, u8, u8)> {
    let ascii = (sub == Sub::MAIN.0).then_some((0, 0x7f, Sub::MAIN.0));
    ascii.into_iter().chain(edges(Sub(sub)).iter().copied().filter(|e| e.0 >= 0x80))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

impl Explorer<'_> {
    pub fn expand_opening(&mut self, frame: FrameId, node: u32, out: &mut Expansion) -> Result<()> {
        let outer = self.outer.clone();
        let Node { children, way, prose } = &outer.nodes[node as usize];
        for &(byte, child) in children {
            let to = self.state(frame, StateKey::Opening(child))?;
            out.stay(byte, to);
        }
        if let Some(way) = *way
            && let Some(value) = outer.ways[way as usize].value
        {
            let asked = [self.frames[frame as usize].key.entries[value as usize]];
            self.value_edges(frame, &asked.into(), Continuation::Document(way), out)?;
        }
        if let Some(sub) = *prose {
            let mut others = Expansion::default();
            self.expand_prose(frame, sub, &mut others)?;
            let taken: Vec<u8> = out.edges.iter().map(|e| e.0).collect();
            others.without(&sorted(taken));
            out.edges.extend(others.edges);
            out.accepting = others.accepting;
        }
        Ok(())
    }

    pub fn expand_prose(&mut self, frame: FrameId, sub: u8, out: &mut Expansion) -> Result<()> {
        for (lo, hi, to) in prose_edges(sub) {
            let to = self.state(frame, StateKey::Prose(to))?;
            out.edges.push((lo, hi, Edge::Stay { to, tick: false, space: false }));
        }
        out.accepting = sub == Sub::MAIN.0;
        Ok(())
    }

    pub fn expand_closing(&mut self, frame: FrameId, way: u32, read: u32, out: &mut Expansion) -> Result<()> {
        let outer = self.outer.clone();
        let OuterWay { closing, again, .. } = &outer.ways[way as usize];
        if let Some(&byte) = closing.get(read as usize) {
            let to = self.state(frame, StateKey::Closing(way, read + 1))?;
            out.stay(byte, to);
            return Ok(());
        }
        if let Some(node) = outer.again.filter(|_| *again) {
            self.expand_opening(frame, node, out)?;
        }
        out.accepting = true;
        Ok(())
    }
}

fn sorted(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.sort_unstable();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::{Options, build_in};
    use crate::ir::{FALSE, Ir, IrBuilder, TRUE};

    fn value(opening: &str, closing: &str, again: bool) -> Way<NodeId> {
        Way { opening: opening.into(), body: Body::Value(TRUE), closing: closing.into(), again }
    }

    fn prose(opening: &str) -> Way<NodeId> {
        Way { opening: opening.into(), body: Body::Prose, closing: String::new(), again: false }
    }

    fn any() -> Ir {
        IrBuilder::new().finish(TRUE)
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let envelope =
            |ways: &[Way<NodeId>], between: &str| Envelope { ways: ways.to_vec(), between: between.into() };
        let cases = [
            (envelope(&[], ""), "at least one"),
            (envelope(&[prose("a"), value("a", "", false)], ""), "two ways begin with \"a\""),
            (
                envelope(&[value("", "", false), prose("\"no\"")], ""),
                "goes on after \"\" as the value there could",
            ),
            (envelope(&[value("<a>", "", false), value("<a>[", "", false)], ""), "goes on after \"<a>\""),
            (envelope(&[value("a", "0", false)], ""), "as a number could go on"),
            (envelope(&[value("a", "", true)], "."), "as a number could go on"),
            (envelope(&[value("", "", true)], ""), "as a number could go on"),
            (envelope(&[Way { again: true, ..prose("a") }], ""), "goes on to the end of the text"),
        ];
        for (envelope, words) in cases {
            let error = build_in(&any(), &envelope, &Options::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidParameter);
            assert!(error.message().contains(words), "{error}");
        }
        for good in [
            envelope(&[prose(""), prose("é"), value("ê", "", false)], ""),
            envelope(&[value("", "", false), prose("<no>")], ""),
            envelope(&[value("", "", true)], ","),
            envelope(&[value("a", ";", true), value("b", "", false)], ""),
        ] {
            assert!(build_in(&any(), &good, &Options::default()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_way_that_leads_nowhere_is_an_error() {
        let mut never = value("b", "", false);
        never.body = Body::Value(FALSE);
        let envelope =
            Envelope { ways: vec![prose(""), value("a", "", false), never], between: String::new() };
        let error = build_in(&any(), &envelope, &Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsatisfiable);
    }

    #[test]
    fn a_bare_value_is_the_automaton_of_its_schema() {
        let ir = crate::schema::json_object();
        let one = crate::automaton::build(&ir, &Options::default()).unwrap();
        let same = build_in(&ir, &Envelope::bare(ir.root), &Options::default()).unwrap();
        assert_eq!(crate::automaton::listing(&one), crate::automaton::listing(&same));
    }
}
