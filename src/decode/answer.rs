//! The whole reply to one request, for readers that want nothing before it is whole.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::chat::{Choice, Delta, Reply, Usage};

/// The choices of a reply in the making.
#[derive(Clone, Debug)]
pub struct Answer {
    choices: Vec<Choice>,
}

impl Answer {
    /// So many empty choices.
    pub fn new(choices: u32) -> Self {
        Answer { choices: vec![Choice::default(); choices as usize] }
    }

    /// Takes what a step has added to a choice.
    ///
    /// # Panics
    /// If there is no such choice.
    pub fn add(&mut self, choice: u32, delta: Delta) {
        self.choices[choice as usize].add(delta);
    }

    /// The reply, written now; see [`Reply`] for `key`, `seed` and `system_fingerprint`.
    pub fn finish(self, key: String, usage: Usage, seed: u64, system_fingerprint: &str) -> Reply {
        Reply {
            key,
            created_ms: now_ms(),
            choices: self.choices,
            usage,
            seed,
            system_fingerprint: system_fingerprint.to_owned(),
        }
    }
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |t| t.as_millis() as u64)
}
