//! A stable listing of an automaton that a person can read, and the same for Graphviz.

use std::fmt::Write;

use super::key_set::KeySet;
use super::machine::*;

/// One line a state, then one a site:
///
/// ```text
/// 2 object need=0 cost=9: '"'→3 '}'⇤0
/// ```
///
/// `→` stays, `+` counts, `~` is optional whitespace, `↓` enters by a site, `⇤` leaves with an outcome;
/// a byte that is not read is marked `?`.
pub fn listing(machine: &Machine) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "start {} states {} sites {} depth {}",
        machine.start,
        machine.states.len(),
        machine.sites.len(),
        machine.max_depth
    );
    for (id, s) in machine.states.iter().enumerate().skip(1) {
        let _ = write!(out, "{id} {:?}", s.label);
        if s.accepting {
            out.push_str(" accepting");
        }
        if s.need == State::NO_REST {
            out.push_str(" no-rest");
        } else if s.need > 0 {
            let _ = write!(out, " need={}", s.need);
        }
        let _ = write!(out, " cost={}", s.cost.base);
        if s.cost.per_tick > 0 || s.cost.tick_spaces > 0 {
            let _ = write!(out, "+{}·({}−n)", s.cost.per_tick, s.cost.at);
        }
        if s.cost.spaces > 0 {
            let _ = write!(out, "+{}·indent", s.cost.spaces);
        }
        if s.indent != Indent::None {
            let _ = write!(out, " indent={:?}", s.indent);
        }
        if let Some((at, to)) = s.chain {
            let _ = write!(out, " [n≥{at}→{to}]");
        }
        if let Some(k) = s.keys
            && (k.name.is_some() || !k.ahead.is_empty())
        {
            let _ = write!(
                out,
                " ahead={:x} set={:x}",
                k.ahead,
                k.name.map_or(KeySet::EMPTY, |n| KeySet::one(n.into()))
            );
        }
        out.push(':');
        for &(lo, hi, action) in &s.row.ranges {
            let _ = write!(out, " {}", Bytes(lo, hi));
            write_action(&mut out, action);
        }
        if s.row.default != Action::Dead {
            out.push_str(" else");
            write_action(&mut out, s.row.default);
        }
        out.push('\n');
    }
    for (id, s) in machine.sites.iter().enumerate() {
        let _ = write!(out, "site {id}:");
        for v in &s.variants {
            let _ = write!(out, " depth≥{}↓{}", v.depth, v.start);
        }
        for (outcome, to) in s.targets.iter().enumerate() {
            let _ = write!(out, " {outcome}⇥{to}");
        }
        out.push('\n');
    }
    out
}

/// The automaton as a Graphviz digraph: solid edges stay in a frame, dashed ones enter, dotted ones come back.
pub fn dot(machine: &Machine) -> String {
    let mut out =
        String::from("digraph automaton {\n  rankdir=LR;\n  node [shape=box, fontname=monospace];\n");
    for (id, s) in machine.states.iter().enumerate().skip(1) {
        let peripheries = if s.accepting { 2 } else { 1 };
        let _ = writeln!(out, "  {id} [label=\"{id} {:?}\", peripheries={peripheries}];", s.label);
        let default = [(0, 255, s.row.default)];
        for &(lo, hi, action) in s.row.ranges.iter().chain(&default) {
            let label = Bytes(lo, hi).to_string().replace('\\', "\\\\").replace('"', "\\\"");
            match action {
                Action::Stay { to, .. } => {
                    let _ = writeln!(out, "  {id} -> {to} [label=\"{label}\"];");
                }
                Action::Enter { site, .. } => {
                    let site = &machine.sites[site as usize];
                    for Variant { start, .. } in &site.variants {
                        let _ = writeln!(out, "  {id} -> {start} [style=dashed, label=\"{label}\"];");
                    }
                    for to in site.targets.iter().filter(|&&t| t != DEAD) {
                        let _ = writeln!(out, "  {id} -> {to} [style=dotted];");
                    }
                }
                _ => {}
            }
        }
        if let Some((at, to)) = s.chain {
            let _ = writeln!(out, "  {id} -> {to} [label=\"n≥{at}\", color=gray];");
        }
    }
    out.push_str("}\n");
    out
}

fn write_action(out: &mut String, action: Action) {
    let _ = match action {
        Action::Dead => write!(out, "✗"),
        Action::Stay { to, tick, space } => {
            write!(out, "{}{}→{to}", if tick { "+" } else { "" }, if space { "~" } else { "" })
        }
        Action::Enter { site, read } => write!(out, "{}↓{site}", if read { "" } else { "?" }),
        Action::Leave { outcome, read } => write!(out, "{}⇤{outcome}", if read { "" } else { "?" }),
        Action::Choose { choice } => write!(out, "⇤choice {choice}"),
    };
}

struct Bytes(u8, u8);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = |f: &mut std::fmt::Formatter<'_>, b: u8| {
            if b.is_ascii_graphic() { write!(f, "'{}'", b as char) } else { write!(f, "{b:02x}") }
        };
        one(f, self.0)?;
        if self.1 != self.0 {
            write!(f, "-")?;
            one(f, self.1)?;
        }
        Ok(())
    }
}
