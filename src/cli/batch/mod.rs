//! `warpgrammar batch`: every request of a file answered, into another file.

mod preparation;
mod summary;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use warpgrammar::api::batch::{BatchError, output_line};
use warpgrammar::batch::{Journal, Settled};
use warpgrammar::chat::FinishReason;
use warpgrammar::decode::{Decoding, Ended, Scheduler, SchedulerOptions};
use warpgrammar::engine::EngineOptions;
use warpgrammar::error::in_file;
use warpgrammar::model::CopyModel;
use warpgrammar::{Error, ErrorKind, Result};

use self::preparation::{Job, Line, Preparation};
use self::summary::Summary;
use super::Verdict;
use super::args::BatchArgs;

/// Runs a batch. Lines that cannot be served go to the error file; they do not fail the job.
pub fn run(args: &BatchArgs) -> Result<Verdict> {
    let start = Instant::now();
    let errors_path = args.errors.clone().unwrap_or_else(|| beside(&args.output));
    refuse_same_file(&[&args.input, &args.output, &errors_path])?;
    let input = BufReader::new(File::open(&args.input).map_err(in_file(&args.input))?);
    let vocab = args.answering.vocab.open()?;
    let compiler = args.answering.grammar.compiler(&vocab)?;
    let (mut output, mut errors, settled) = journals(args, &errors_path)?;

    let slots = usize::from(args.slots);
    let threads = args.answering.threads();
    let engine = EngineOptions { slots, backend: args.backend.into(), threads };
    let options = SchedulerOptions { engine, max_tokens: args.answering.max_tokens };
    let mut scheduler = Scheduler::new(vocab.clone(), options, CopyModel::new(vocab.clone()))?;
    let fingerprint = format!("warpgrammar-{}-{}", env!("CARGO_PKG_VERSION"), scheduler.backend().as_str());

    let bar = progress(&args.input)?;
    let mut summary = Summary::default();
    let mut refused = |error: &BatchError| {
        bar.inc(1);
        summary.failed += 1;
        bar.suspend(|| eprintln!("line {}: {}", error.line, error.error));
        errors.append(&error.to_json(""))
    };
    let sink = |outcome: Outcome| {
        let Ended { reader: line, outcome } = match outcome {
            Outcome::Refused(error) => return refused(&error),
            Outcome::Ended(ended) => *ended,
        };
        match outcome {
            Err(error) => refused(&line.request.in_body(line.number, error)),
            Ok(usage) => {
                bar.inc(1);
                summary.answered += 1;
                let Line { request, answer, .. } = line;
                let seed = request.request.generation().sampling.seed;
                let reply = answer.finish(request.custom_id.clone(), usage, seed, &fingerprint);
                let cut_off = reply.choices.iter().any(|c| c.finish == Some(FinishReason::Length));
                summary.cut_off += usize::from(cut_off);
                output.append(&output_line("", &request.custom_id, request.request.reply(&reply)))
            }
        }
    };
    let (jobs, ready) = sync_channel(2 * slots);
    let framing = args.answering.framing();
    let preparation = Preparation { compiler: &compiler, settled, seed: args.seed, framing };
    let (prepared, decoded) = std::thread::scope(|scope| {
        // `jobs` moves into the thread, so that the channel closes when the input ends, and `ready` is
        // dropped before the thread is waited for, so that a failure here ends it too.
        let preparing = scope.spawn(move || preparation.run(input, &jobs));
        let decoded = decode(&mut scheduler, &ready, sink);
        drop(ready);
        (preparing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), decoded)
    });
    bar.finish_and_clear();
    output.flush()?;
    errors.flush()?;
    summary.decoding = decoded?;
    summary.preparation =
        prepared.map_err(|e| Error::new(e.kind(), format!("{}: {}", args.input.display(), e.message())))?;
    summary.wall = start.elapsed();

    eprintln!("{summary}");
    if summary.failed > 0 {
        eprintln!("failed lines: {}", errors_path.display());
    }
    if args.json {
        println!("{}", summary.to_json());
    }
    Ok(Verdict::Yes)
}

/// What becomes of a line.
enum Outcome {
    /// It could not be prepared.
    Refused(Box<BatchError>),
    /// It was decoded, or failed on the way.
    Ended(Box<Ended<Line>>),
}

/// Decodes until the jobs end; `sink` gets every outcome as soon as it is there.
fn decode(
    scheduler: &mut Scheduler<CopyModel, Line>,
    jobs: &Receiver<Job>,
    mut sink: impl FnMut(Outcome) -> Result<()>,
) -> Result<Decoding> {
    loop {
        while scheduler.has_room() {
            match next_job(jobs, scheduler.is_idle()) {
                None => break,
                Some(Ok((prepared, line))) => scheduler.submit(prepared, line),
                Some(Err(error)) => sink(Outcome::Refused(error))?,
            }
        }
        if scheduler.is_idle() {
            return Ok(scheduler.decoding());
        }
        scheduler.step()?.into_iter().try_for_each(|ended| sink(Outcome::Ended(Box::new(ended))))?;
    }
}

/// The next job, if there is one yet, or, if told to `wait`, if there is one at all.
fn next_job(jobs: &Receiver<Job>, wait: bool) -> Option<Job> {
    match jobs.try_recv() {
        Ok(job) => Some(job),
        Err(TryRecvError::Empty) if wait => jobs.recv().ok(),
        Err(_) => None,
    }
}

/// The output, the error file, and what an earlier run has left in them if it is to be gone on with.
fn journals(args: &BatchArgs, errors_path: &Path) -> Result<(Journal, Journal, Settled)> {
    if !args.resume {
        let output = Journal::create(&args.output, false)?;
        return Ok((output, Journal::create(errors_path, true)?, Settled::default()));
    }
    let (output, replies) = Journal::resume(&args.output)?;
    let (errors, refused) = Journal::resume(errors_path)?;
    Ok((output, errors, Settled::new(&replies, &refused)))
}

/// `out.jsonl` → `out.errors.jsonl`.
fn beside(output: &Path) -> PathBuf {
    let mut name: OsString = output.file_stem().unwrap_or_default().to_owned();
    name.push(".errors");
    if let Some(extension) = output.extension() {
        name.push(".");
        name.push(extension);
    }
    output.with_file_name(name)
}

/// An output that is the input would destroy it.
fn refuse_same_file(paths: &[&Path; 3]) -> Result<()> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for (k, a) in paths.iter().enumerate() {
        if let Some(b) = paths[..k].iter().find(|b| real(b) == real(a)) {
            let message =
                format!("{} and {} are the same file; name different ones", b.display(), a.display());
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
    }
    Ok(())
}

/// A bar over the input's lines on a terminal, nothing elsewhere.
fn progress(input: &Path) -> Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let reader = BufReader::new(File::open(input).map_err(in_file(input))?);
    let lines = reader.split(b'\n').filter(|line| line.as_ref().is_ok_and(|l| !l.trim_ascii().is_empty()));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} requests, {elapsed} elapsed, {eta} left");
    let style = style.expect("the template is well-formed");
    Ok(ProgressBar::new(lines.count() as u64).with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_file_stands_beside_the_output() {
        assert_eq!(beside(Path::new("a/out.jsonl")), Path::new("a/out.errors.jsonl"));
        assert_eq!(beside(Path::new("out")), Path::new("out.errors"));
    }
}
