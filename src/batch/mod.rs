//! Files of requests and files of results: what is to be done yet, and what was done, after any interruption.
//!
//! [`Lines`] reads a file of requests and leaves out what the result files of an earlier run hold ([`Settled`]);
//! [`Journal`] writes result files of which a process that is killed loses nothing but a torn last line. What a line says
//! is the business of [`crate::api::batch`].

mod journal;
mod lines;
mod settled;

pub use journal::Journal;
pub use lines::{Lines, Read, count_lines};
pub use settled::Settled;
