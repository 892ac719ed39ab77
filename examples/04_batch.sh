#!/bin/sh
# A file of requests answered into a file of replies; the same command with --resume goes on after an interruption.
cd "$(dirname "$0")/.." && exec cargo run --release -- batch examples/requests.jsonl -o out.jsonl "$@"
