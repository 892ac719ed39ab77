//! A listing of an [`Ir`] that a person can read and a test can compare.

use std::fmt::{self, Write};

use super::{ArrayAssertion, Ir, Node, ObjectAssertion, Range, TypeSet};
use crate::pattern::NumberSpec;

impl Ir {
    /// One line per node, the root named first:
    ///
    /// ```text
    /// root n6
    /// n0 true
    /// n1 false
    /// n2 string
    /// n3 length 1..=5
    /// n4 and n2 n3
    /// n5 object "a"!: n4, "b": n0, *: n1
    /// n6 array [n4] *n5 items 0..
    /// ```
    ///
    /// `!` marks a required property, `*` what is not declared. `string #0` and `number #0` are
    /// indices into [`Ir::strings`] and [`Ir::numbers`]; numbers show their specification.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        writeln!(out, "root n{}", self.root.0).expect("a String takes everything");
        for (i, node) in self.nodes.iter().enumerate() {
            out += &format!("n{i} {}\n", Listed { ir: self, node });
        }
        out
    }
}

impl fmt::Debug for Ir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dump())
    }
}

struct Listed<'a> {
    ir: &'a Ir,
    node: &'a Node,
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Node::True => f.write_str("true"),
            Node::False => f.write_str("false"),
            Node::And(ids) => ids.iter().try_fold(f.write_str("and")?, |(), i| write!(f, " n{}", i.0)),
            Node::Or(ids) => ids.iter().try_fold(f.write_str("or")?, |(), i| write!(f, " n{}", i.0)),
            Node::Not(of) => write!(f, "not n{}", of.0),
            Node::One(ids) => ids.iter().try_fold(f.write_str("one")?, |(), i| write!(f, " n{}", i.0)),
            Node::Members(range) => write!(f, "members {range}"),
            Node::Contains(of, range) => write!(f, "contains n{} {range}", of.0),
            Node::Type(types) => write!(f, "{types}"),
            Node::Bool(value) => write!(f, "bool {value}"),
            Node::Length(range) => write!(f, "length {range}"),
            Node::String(i) => write!(f, "string #{i}"),
            Node::Number(i) => write!(f, "number #{i}{}", Spec(&self.ir.numbers[*i as usize].0)),
            Node::Object(o) => write!(f, "object{o}"),
            Node::Array(a) => write!(f, "array {a}"),
            Node::Ref(to) => write!(f, "ref n{}", to.0),
        }
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["null", "boolean", "number", "string", "array", "object"];
        let mut separator = "";
        for (_, name) in names.iter().enumerate().filter(|(i, _)| self.0 >> i & 1 == 1) {
            write!(f, "{separator}{name}")?;
            separator = "|";
        }
        Ok(())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.min)?;
        if self.max < u32::MAX { write!(f, "={}", self.max) } else { Ok(()) }
    }
}

struct Spec<'a>(&'a NumberSpec);

impl fmt::Display for Spec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.0;
        if let Some(value) = &spec.constant {
            return write!(f, " = {value}");
        }
        if spec.integer {
            f.write_str(" integer")?;
        }
        for (bound, sign) in [(&spec.minimum, '>'), (&spec.maximum, '<')] {
            if let Some(b) = bound {
                write!(f, " {sign}{}{}", if b.exclusive { "" } else { "=" }, b.value)?;
            }
        }
        match spec.multiple_of {
            Some(n) if spec.decimals == 0 => write!(f, " multiple of {n}"),
            Some(n) => write!(f, " multiple of {n}e-{}", spec.decimals),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ObjectAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.properties {
            let required = if p.required { "!" } else { "" };
            write!(f, " {:?}{required}: n{},", p.name, p.schema.0)?;
        }
        self.patterns.iter().try_for_each(|p| write!(f, " ~n{}: n{},", p.name.0, p.schema.0))?;
        write!(f, " *: n{}", self.additional.0)
    }
}

impl fmt::Display for ArrayAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, id) in self.prefix.iter().enumerate() {
            write!(f, "{}n{}", if i > 0 { ", " } else { "" }, id.0)?;
        }
        write!(f, "] *n{} items {}", self.rest.0, self.items)
    }
}
