//! The command line: what each subcommand does, apart from the library it drives.
//!
//! Exit codes: 0 when the job is done, 1 when it failed (a schema was refused, a file could not be
//! read), 2 for wrong usage; `doctor` has two more, 3 without a GPU and 4 if a check failed. Errors are one line on standard error; `--json` prints for machines.

mod accept;
mod args;
mod batch;
mod check;
mod doctor;
mod documents;
mod generate;
mod inspect;
mod maskbench;
#[cfg(feature = "server")]
mod serve;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;
use warpgrammar::error::in_file;
use warpgrammar::{Error, ErrorKind, Result};

use self::args::{Cli, Command};

/// Whether a command that ran found what it was asked about to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
    /// There is no GPU, and nothing else is wrong.
    NoDevice,
    /// Kernels do not do what they are specified to do.
    Differs,
}

/// Parses the arguments, runs the command and reports its failure.
pub fn main() -> ExitCode {
    let level = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).init();
    let done = match Cli::parse().command {
        Command::Batch(args) => batch::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Accept(args) => accept::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Maskbench(args) => maskbench::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(&args),
    };
    match done {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::FAILURE,
        Ok(Verdict::NoDevice) => ExitCode::from(3),
        Ok(Verdict::Differs) => ExitCode::from(4),
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// One line on standard error for each problem.
fn report(error: &Error) {
    for problem in error.problems() {
        match problem.pointer() {
            Some(pointer) => {
                let place = Error::at(problem.kind(), pointer, problem.message());
                eprintln!("error: {place}");
            }
            None => eprintln!("error: {}: {}", problem.kind().as_str(), problem.message()),
        }
    }
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(in_file(path))
}

fn read_json(path: &Path) -> Result<Value> {
    let text = read_text(path)?;
    let not_json = |e| Error::new(ErrorKind::InvalidJson, format!("{}: {e}", path.display()));
    serde_json::from_str(&text).map_err(not_json)
}
