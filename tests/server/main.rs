//! The server as clients meet it: over sockets, with clients that behave and clients that do not.
#![cfg(all(feature = "server", feature = "cli", unix))]

mod batches;
mod client;
mod endings;
mod endpoints;
mod errors;
mod fuzz;
mod limits;
mod load;
mod support;
