//! The replies to one request in the making: as many as it asks for, each on a row of its own.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use warpgrammar::api::batch::BatchRequest;
use warpgrammar::chat::{Choice, Delta, Output, Plan, Reply, Usage};

/// A request being answered.
pub struct Answer {
    /// Its line, counted from 1.
    pub line: usize,
    /// The request.
    pub request: BatchRequest,
    /// The ways the replies can go.
    pub plan: Arc<Plan>,
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
    /// The replies so far.
    choices: Vec<Choice>,
    tokens: usize,
    /// Replies that have not ended.
    open: usize,
}

impl Answer {
    /// No reply yet.
    pub fn new(line: usize, request: BatchRequest, plan: Arc<Plan>, prompt: Vec<u32>) -> Self {
        let open = request.request.generation().choices as usize;
        let choices = vec![Choice::default(); open];
        Answer { line, request, plan, prompt, choices, tokens: 0, open }
    }

    /// A row's beginning.
    pub fn output(&self) -> Output {
        Output::new(self.request.request.generation(), self.plan.clone())
    }

    /// Takes what a step has added to a choice; whether that was the last of the whole answer.
    pub fn add(&mut self, choice: u32, delta: Delta) -> bool {
        self.tokens += 1;
        self.open -= usize::from(delta.finish.is_some());
        self.choices[choice as usize].add(delta);
        self.open == 0
    }

    /// The finished reply.
    pub fn finish(self, system_fingerprint: &str) -> Reply {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Reply {
            key: self.request.custom_id,
            created_ms: now.map_or(0, |t| t.as_millis() as u64),
            choices: self.choices,
            usage: Usage { prompt: self.prompt.len(), completion: self.tokens },
            seed: self.request.request.generation().sampling.seed,
            system_fingerprint: system_fingerprint.to_owned(),
        }
    }
}
