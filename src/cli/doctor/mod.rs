//! `warpgrammar doctor`: whether the kernels do on this machine's GPU what they are specified to do, and how fast.
//!
//! Without a GPU the same checks run on the emulated device. Exit codes: 0 all checks passed on a GPU, 3 there is no GPU
//! that can be used and what could be checked without one passed, 4 a check failed; 1 and 2 as everywhere.

mod report;

use std::path::Path;

use warpgrammar::device::check::all::{self, Outcome, Plan};
use warpgrammar::device::{Cuda, Driver, Emulated, bench};
use warpgrammar::{Error, ErrorKind, Result};

use self::report::Report;
use super::args::{BenchArg, DoctorArgs};
use super::{Verdict, in_file};

/// Checks, measures and reports.
pub fn run(args: &DoctorArgs) -> Result<Verdict> {
    let mut report = Report::new();
    let (gpu, why_not) = match open(args) {
        Ok(gpu) => (Some(gpu), None),
        Err(error) if error.kind() == ErrorKind::NoDevice => (None, Some(error.message().to_owned())),
        Err(error) => return Err(error),
    };
    if let Some(gpu) = &gpu {
        report.describe(gpu.description(), gpu.loaded());
    }
    if let Some(why) = &why_not {
        println!("no GPU: {why}");
        report.no_gpu(why);
    }
    if !args.skip_checks {
        match &gpu {
            Some(gpu) => {
                let plan = if args.reduced { Plan::REDUCED } else { Plan::CARD };
                check(gpu, &Plan { seed: args.seed, ..plan }, &mut report)?;
            }
            None => check_emulated(args, &mut report)?,
        }
    }
    match (&gpu, args.bench) {
        (Some(gpu), Some(which)) if !report.has_failed() => measure(gpu, which, &mut report)?,
        (Some(_), Some(_)) => println!("\nnot measured: a check failed"),
        (None, Some(_)) => {
            println!("\nnot measured: --bench measures cards only, the emulator's times mean nothing")
        }
        (_, None) => {}
    }
    if let Some(file) = &args.json {
        write(file, &report)?;
    }
    Ok(match (report.has_failed(), gpu.is_some()) {
        (true, _) => Verdict::Differs,
        (false, true) => Verdict::Yes,
        (false, false) => Verdict::NoDevice,
    })
}

fn open(args: &DoctorArgs) -> Result<Cuda> {
    if args.emulated {
        return Err(Error::new(ErrorKind::NoDevice, "--emulated was given"));
    }
    Cuda::open(args.device)
}

fn check_emulated(args: &DoctorArgs, report: &mut Report) -> Result<()> {
    match Emulated::with_seed(args.seed) {
        Ok(emulated) => {
            let name = &emulated.description().name;
            println!("checking the kernels on the {name}, which cannot see fences, memory order and speed");
            let plan = match args.reduced {
                true => Plan { seconds: 0.0, whole: false, ..Plan::EMULATOR },
                false => Plan::EMULATOR,
            };
            check(&emulated, &Plan { seed: args.seed, ..plan }, report)
        }
        Err(error) if error.kind() == ErrorKind::NoDevice => {
            println!("no emulator: {}", error.message());
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn check(device: &dyn Driver, plan: &Plan, report: &mut Report) -> Result<()> {
    println!(
        "\n{:<44} {:>7} {:>9} {:>7}",
        "compared with the reference and the CPU", "rounds", "compared", "s"
    );
    let outcomes = all::run(device, plan, print)?;
    let failed = outcomes.iter().filter(|o| o.failure.is_some()).count();
    match failed {
        0 => println!("all {} checks passed", outcomes.len()),
        _ => println!("{failed} of {} checks FAILED", outcomes.len()),
    }
    report.checked(&device.description().name, &outcomes);
    Ok(())
}

fn print(outcome: &Outcome) {
    let Outcome { name, rounds, compared, seconds, failure } = outcome;
    println!("{name:<44} {rounds:>7} {compared:>9} {seconds:>7.1}");
    if let Some(failure) = failure {
        println!("    FAILED: {failure}");
    }
}

fn measure(gpu: &Cuda, which: BenchArg, report: &mut Report) -> Result<()> {
    let selection = match which {
        BenchArg::Full => bench::Selection::full(),
        BenchArg::Quick => bench::Selection::quick(),
    };
    println!();
    let measured = bench::run(gpu, &selection, |what| eprintln!("measuring {what}"))?;
    print!("{}", bench::tables::text(&measured));
    report.measured(measured);
    Ok(())
}

fn write(file: &Path, report: &Report) -> Result<()> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|e| Error::new(ErrorKind::Io, format!("{}: {e}", file.display())))?;
    text.push('\n');
    std::fs::write(file, text).map_err(in_file(file))
}
