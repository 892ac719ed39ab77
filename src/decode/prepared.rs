//! From a request that was read to one that can be decoded.

use std::sync::Arc;

use crate::api::Request;
use crate::chat::{Compiled, Framing, Plan, template};
use crate::engine::{Compiler, Grammar};
use crate::error::{Error, ErrorKind};
use crate::openai::ApiError;
use crate::vocab::Vocabulary;

/// A request that is ready but for its grammar.
#[derive(Clone, Debug)]
pub struct Draft {
    request: Arc<Request>,
    plan: Arc<Plan>,
    prompt: Vec<u32>,
}

/// A request, ready to be admitted.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The request.
    pub request: Arc<Request>,
    /// The ways the replies can go.
    pub plan: Arc<Plan>,
    /// What the replies must match; `None` for free text.
    pub grammar: Option<Arc<Grammar>>,
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
}

impl Draft {
    /// Writes the prompt and encodes it.
    ///
    /// # Errors
    /// What the vocabulary cannot spell, as the API's error.
    pub fn new(request: Arc<Request>, vocab: &Vocabulary, framing: &Framing) -> Result<Self, ApiError> {
        let generation = request.generation();
        let prompt = template::prompt(generation, framing);
        let prompt = vocab.encode(&prompt).map_err(|e| refusal(&e))?;
        let plan = Arc::new(Plan::new(generation, framing));
        Ok(Draft { request, plan, prompt })
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether there is anything to compile.
    pub fn is_constrained(&self) -> bool {
        self.plan.is_constrained()
    }

    /// The request with its grammar, if that need not be compiled: there is none, or it is in the compiler's cache.
    ///
    /// # Errors
    /// As [`Draft::compile`], of a schema that was refused before.
    pub fn cached(&self, compiler: &Compiler) -> Option<Result<Prepared, ApiError>> {
        Some(self.with(self.plan.cached(compiler)?))
    }

    /// Compiles the grammar. It may take long: see [`CompilerOptions`](crate::engine::CompilerOptions) for what bounds it.
    ///
    /// # Errors
    /// The answer to a schema that the compiler refuses.
    pub fn compile(&self, compiler: &Compiler) -> Result<Prepared, ApiError> {
        self.with(self.plan.compile(compiler))
    }

    fn with(&self, compiled: Compiled) -> Result<Prepared, ApiError> {
        let grammar = compiled.map_err(|(source, error)| self.request.schema_error(source, &error))?;
        let Draft { request, plan, prompt } = self.clone();
        Ok(Prepared { request, plan, grammar, prompt })
    }
}

/// The API's error for one of the engine's about a whole request.
pub fn refusal(error: &Error) -> ApiError {
    match error.kind() {
        ErrorKind::InvalidParameter | ErrorKind::Vocabulary => {
            ApiError::invalid(error.pointer().unwrap_or_default(), error.message())
        }
        _ => ApiError::server(error.to_string()),
    }
}
