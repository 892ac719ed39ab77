//! The `warpgrammar` command line.

fn main() {}
