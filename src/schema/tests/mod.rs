//! What each keyword lowers to, which errors point where, and that nothing hostile gets through.

mod corpus;
mod errors;
mod hostile;
mod keywords;
mod meaning;
mod product;
mod references;

use super::{Lowered, SchemaOptions, lower, parse};
use crate::ir::{Ir, Node, NodeId};

fn lowered(schema: &str) -> Ir {
    match parse(schema, &SchemaOptions::default()) {
        Ok(lowered) => {
            product::assert_well_formed(&lowered.ir);
            lowered.ir
        }
        Err(e) => panic!("{schema}: {e}"),
    }
}

fn lenient(schema: &str) -> Lowered {
    let options = SchemaOptions { lenient: true, ..SchemaOptions::default() };
    parse(schema, &options).unwrap_or_else(|e| panic!("{schema}: {e}"))
}

/// The root as one nested expression: the dump with the ids written out.
fn expression(ir: &Ir) -> String {
    fn write(ir: &Ir, id: NodeId, outer: &mut Vec<NodeId>) -> String {
        let mut each = |ids: &[NodeId], separator: &str| {
            let parts: Vec<String> = ids.iter().map(|&i| write(ir, i, outer)).collect();
            parts.join(separator)
        };
        match &ir.nodes[id.0 as usize] {
            Node::And(ids) => format!("({})", each(ids, " & ")),
            Node::Or(ids) => format!("({})", each(ids, " | ")),
            Node::Object(o) => {
                let mut parts = Vec::new();
                for p in &o.properties {
                    let required = if p.required { "!" } else { "" };
                    parts.push(format!("{}{required}: {}", p.name, each(&[p.schema], "")));
                }
                parts.push(format!("*: {}", each(&[o.additional], "")));
                format!("{{{}}}", parts.join(", "))
            }
            Node::Array(a) => {
                let mut parts: Vec<String> = a.prefix.iter().map(|&i| each(&[i], "")).collect();
                parts.push(format!("*: {}", each(&[a.rest], "")));
                format!("[{}; {}]", parts.join(", "), a.items)
            }
            Node::Ref(to) => {
                // The target of a recursive reference is shown once.
                if outer.contains(to) {
                    return "recursion".to_owned();
                }
                outer.push(*to);
                let shown = write(ir, *to, outer);
                outer.pop();
                format!("ref {shown}")
            }
            _ => {
                let dump = ir.dump();
                let line = dump.lines().nth(id.0 as usize + 1).expect("a line for each node");
                line.split_once(' ').expect("a number and the node").1.to_owned()
            }
        }
    }
    write(ir, ir.root, &mut Vec::new())
}

fn assert_expressions(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(schema, expected)| {
            let found = expression(&lowered(schema));
            (found != *expected).then(|| format!("{schema}\n  expected {expected}\n  found    {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
