//! Continuous batching: requests of any API decoded together, a slot that falls free given to the next at once.
//!
//! ```text
//! api::Request ── Draft::new ──► prompt, plan ── compile ──► Prepared ── Scheduler::submit ──► waiting
//! step:  while a slot is free and a choice waits:  admit it
//!        logits of all rows → Engine::step → each row's token to its reply, its delta to the request's Reader
//!        requests that ended are handed back, those that nobody reads any more are dropped
//! ```
//!
//! Nothing here waits, and nothing is known of files, sockets or threads: `warpgrammar batch` and the server each drive a
//! [`Scheduler`] with a [`Reader`] of their own. A row's tokens do not depend on the rows beside it, so replies do not
//! depend on the number of slots or on timing.

mod answer;
mod prepared;
mod scheduler;

pub use answer::Answer;
#[cfg(feature = "server")]
pub(crate) use answer::now_ms;
pub use prepared::{Draft, Prepared, refusal};
pub use scheduler::{Decoding, Ended, Reader, Scheduler, SchedulerOptions};
