//! The ways a reply can go, as one grammar.

use std::sync::Arc;

use serde_json::Value;

use super::framing::Framing;
use super::generation::{Format, Generation, ToolChoice};
use crate::automaton::{Body, Envelope, Way};
use crate::engine::{Compiler, Grammar};
use crate::error::Error;

/// What a part of a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The content: prose or JSON.
    Content,
    /// Why the model does not answer.
    Refusal,
    /// A call of the tool with this place.
    Call(usize),
}

/// Which schema of a request an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// That of the format.
    Format,
    /// The parameters of the tool with this place.
    Tool(usize),
    /// None of them alone.
    Request,
}

/// A compiled plan: `None` for free text. An error comes with the schema that is at fault.
pub type Compiled = std::result::Result<Option<Arc<Grammar>>, (Source, Error)>;

/// The ways a reply can go.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What constrains the reply; `None` for free text.
    envelope: Option<Envelope<Value>>,
    pub(super) ways: Vec<PlannedWay>,
    pub(super) between: Vec<u8>,
    /// Names of the tools.
    pub(super) tools: Vec<String>,
}

/// One way, as it is read back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedWay {
    pub kind: Kind,
    pub opening: Vec<u8>,
    pub closing: Vec<u8>,
    pub again: bool,
    pub prose: bool,
}

impl Plan {
    /// What the request allows, written with this framing.
    pub fn new(generation: &Generation, framing: &Framing) -> Self {
        let mut kinds = Vec::new();
        let mut ways = Vec::new();
        let mut add = |kind, opening: String, body, closing: &str, again| {
            kinds.push(kind);
            ways.push(Way { opening, body, closing: closing.to_owned(), again });
        };
        let callable = generation.callable();
        let must_call = matches!(generation.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
        if callable.is_empty() || !must_call {
            let body = generation.format.schema().map_or(Body::Prose, Body::Value);
            add(Kind::Content, String::new(), body, "", false);
        }
        let again = generation.parallel_calls && !matches!(generation.tool_choice, ToolChoice::Named(_));
        for tool in callable {
            let Some(of) = generation.tools.get(tool) else { continue };
            let body = Body::Value(of.parameters.clone());
            add(Kind::Call(tool), framing.opening(&of.name), body, &framing.after_arguments, again);
        }
        if let Some(marker) = &framing.refusal {
            add(Kind::Refusal, marker.clone(), Body::Prose, "", false);
        }
        let planned = kinds.into_iter().zip(&ways).map(|(kind, way)| PlannedWay {
            kind,
            opening: way.opening.clone().into(),
            closing: way.closing.clone().into(),
            again: way.again,
            prose: matches!(way.body, Body::Prose),
        });
        let planned: Vec<PlannedWay> = planned.collect();
        let free = matches!(&planned[..], [PlannedWay { kind: Kind::Content, prose: true, .. }]);
        Plan {
            ways: planned,
            between: framing.between_calls.clone().into(),
            tools: generation.tools.iter().map(|tool| tool.name.clone()).collect(),
            envelope: (!free).then(|| Envelope { ways, between: framing.between_calls.clone() }),
        }
    }

    /// Whether anything constrains the reply.
    pub fn is_constrained(&self) -> bool {
        self.envelope.is_some()
    }

    /// The schema that is all of the reply, if the reply is nothing but a value.
    fn bare_schema(&self) -> Option<&Value> {
        match &self.envelope.as_ref()?.ways[..] {
            [Way { opening, body: Body::Value(schema), closing, again: false }]
                if opening.is_empty() && closing.is_empty() =>
            {
                Some(schema)
            }
            _ => None,
        }
    }

    /// What [`Plan::compile`] gives, if nothing has to be compiled for it: what the compiler remembers. Refusals of
    /// several schemas together are not looked up.
    pub fn cached(&self, compiler: &Compiler) -> Option<Compiled> {
        let Some(envelope) = &self.envelope else { return Some(Ok(None)) };
        match self.bare_schema() {
            Some(schema) => {
                let compiled = compiler.cached(schema)?;
                Some(compiled.map(Some).map_err(|e| (Source::Format, e)))
            }
            None => compiler.cached_envelope(envelope)?.ok().map(|grammar| Ok(Some(grammar))),
        }
    }

    /// Compiles what constrains the reply.
    ///
    /// # Errors
    /// As [`Compiler::compile`], with the schema that is at fault.
    pub fn compile(&self, compiler: &Compiler) -> Compiled {
        let Some(envelope) = &self.envelope else { return Ok(None) };
        if let Some(schema) = self.bare_schema() {
            return compiler.compile(schema).map(Some).map_err(|e| (Source::Format, e));
        }
        compiler.compile_envelope(envelope).map(Some).map_err(|error| {
            // The first schema that is at fault alone; what was compiled before is remembered.
            for (way, planned) in envelope.ways.iter().zip(&self.ways) {
                if let Body::Value(schema) = &way.body
                    && let Err(error) = compiler.compile(schema)
                {
                    let source = match planned.kind {
                        Kind::Call(tool) => Source::Tool(tool),
                        _ => Source::Format,
                    };
                    return (source, error);
                }
            }
            (Source::Request, error)
        })
    }

    /// The texts after which a value begins, for sources of logits that have to be told.
    pub fn openings(&self) -> impl Iterator<Item = &[u8]> {
        self.ways.iter().filter(|way| !way.prose && !way.opening.is_empty()).map(|way| &*way.opening)
    }
}

impl Format {
    /// Whether the reply is JSON unless it calls a function.
    pub fn is_json(&self) -> bool {
        *self != Format::Text
    }
}
