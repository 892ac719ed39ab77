//! The thread that works on batches: one after the other, in the order in which they were made.
//!
//! A batch has a few lines at a time in the decoding thread's queue, so that requests which somebody waits for are not
//! behind a whole file. A line's seed is a function of its `custom_id`: a line that was being answered when the server was
//! killed gets the reply it would have got.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::batches::Batches;
use super::files::{FileRecord, Files};
use super::record::{Batch, Problem, Status};
use crate::api::batch::{BatchRequest, line_key, output_line};
use crate::batch::{Journal, Lines, Settled, count_lines};
use crate::chat::derived_seed;
use crate::decode::{Answer, now_ms};
use crate::error::{Error, ErrorKind, Result, in_file};
use crate::openai::ApiError;
use crate::server::metrics::Metrics;
use crate::server::preparing::Preparing;
use crate::server::refusal::defect;
use crate::server::worker::{Client, Waiter, Whole, Worker};

/// How long a cancellation may go unnoticed.
const LOOK: Duration = Duration::from_millis(50);
/// After a failure to write: a full disk may be emptied.
const AGAIN: Duration = Duration::from_secs(5);

/// What working on batches needs.
pub struct Runner {
    pub files: Arc<Files>,
    pub batches: Arc<Batches>,
    pub preparing: Arc<Preparing>,
    pub worker: Worker,
    pub metrics: Arc<Metrics>,
    pub fingerprint: String,
    /// Most lines of a batch.
    pub lines: usize,
    /// Most bytes of a line.
    pub longest: usize,
    /// Lines that are answered at a time.
    pub window: usize,
    pub stop: Arc<AtomicBool>,
}

/// Why the lines of a batch have ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Done,
    Cancelled,
    Expired,
    /// The server stops.
    Stopped,
}

/// A batch's result files.
struct Results {
    output: Journal,
    errors: Journal,
    /// Lines in all, answered, refused.
    counts: [u64; 3],
}

impl Runner {
    /// Works until told to stop.
    pub fn run(self) {
        while let Some(batch) = self.batches.next(|| self.stopped()) {
            let id = batch.id.clone();
            let worked = catch_unwind(AssertUnwindSafe(|| self.work(batch))).unwrap_or_else(|_| {
                // Others are worked on; what was answered of this one stays in its folder.
                let message = "Working on this batch failed; this is a defect of the server.";
                self.fail(&id, Problem { code: "internal_error".into(), message: message.into() })
            });
            if let Err(error) = worked {
                tracing::error!("{id}: {error}");
                // What is at fault is not the batch; what was answered is kept.
                let until = Instant::now() + AGAIN;
                while !self.stopped() && Instant::now() < until {
                    std::thread::sleep(LOOK);
                }
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn enter(&self, id: &str, status: Status) -> Result<()> {
        self.batches.change(id, |batch| batch.enter(status, now_ms() / 1000)).map(drop)
    }

    fn work(&self, batch: Batch) -> Result<()> {
        let (input, total) = match self.open(&batch)? {
            Ok(opened) => opened,
            Err(problem) => return self.fail(&batch.id, problem),
        };
        let begun = self.batches.change(&batch.id, |batch| {
            if batch.status == Status::Validating {
                batch.enter(Status::InProgress, now_ms() / 1000);
            }
        })?;
        // It may have been cancelled meanwhile.
        let Some(batch) = begun.filter(|batch| !batch.status.is_final()) else { return Ok(()) };
        let [output, errors] = Batches::results(&batch.id).map(|at| self.files.path_of(&at));
        let (output, answered) = Journal::resume(&output)?;
        let (errors, refused) = Journal::resume(&errors)?;
        let counts = [total, answered.len() as u64, refused.len() as u64];
        self.batches.count(&batch.id, counts);
        let settled = Settled::new(&answered, &refused);
        let mut results = Results { output, errors, counts };
        let end = match batch.status {
            Status::Finalizing => End::Done,
            _ => self.answer(&batch, Lines::new(input, settled, self.longest), &mut results)?,
        };
        results.output.flush()?;
        results.errors.flush()?;
        match end {
            End::Stopped => Ok(()),
            End::Done => {
                self.enter(&batch.id, Status::Finalizing)?;
                self.finish(&batch, results.counts, Status::Completed)
            }
            End::Cancelled => self.finish(&batch, results.counts, Status::Cancelled),
            End::Expired => self.finish(&batch, results.counts, Status::Expired),
        }
    }

    /// The input, at its beginning, and how many of its lines are not blank; or what is wrong with it for good. Other errors
    /// may pass: no descriptor may be free.
    fn open(&self, batch: &Batch) -> Result<std::result::Result<(BufReader<File>, u64), Problem>> {
        let problem = |code: &str, message: String| Problem { code: code.into(), message };
        let gone = || Ok(Err(problem("invalid_input_file", "The input file is not there.".into())));
        let Some(file) = self.files.get(&batch.input_file_id) else { return gone() };
        let path = self.files.path(&file);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return gone(),
            opened => opened.map_err(in_file(&path))?,
        };
        let mut input = BufReader::new(file);
        let lines = count_lines(&mut input).map_err(in_file(&path))?;
        input.rewind().map_err(in_file(&path))?;
        if lines == 0 {
            return Ok(Err(problem("empty_file", "The input file has no line with a request.".into())));
        }
        if lines > self.lines as u64 {
            let message = format!("The input file has {lines} lines; at most {} are allowed.", self.lines);
            return Ok(Err(problem("too_many_lines", message)));
        }
        Ok(Ok((input, lines)))
    }

    fn fail(&self, id: &str, problem: Problem) -> Result<()> {
        let changed = self.batches.change(id, |batch| {
            batch.errors = vec![problem];
            batch.enter(Status::Failed, now_ms() / 1000);
        });
        changed.map(drop)
    }

    /// Answers the lines that are not settled.
    fn answer(&self, batch: &Batch, mut lines: Lines<BufReader<File>>, results: &mut Results) -> Result<End> {
        let (done, replies) = channel();
        let dropped = Arc::new(AtomicBool::new(false));
        // However this ends, lines that are not answered by then are not waited for.
        let _drop = DropLines(dropped.clone());
        let mut begun: HashMap<u64, BatchRequest> = HashMap::new();
        let mut more = true;
        loop {
            let end = match self.batches.status(&batch.id) {
                _ if self.stopped() => Some(End::Stopped),
                None | Some(Status::Cancelling) => Some(End::Cancelled),
                _ if now_ms() / 1000 >= batch.expires_at => Some(End::Expired),
                _ if !more && begun.is_empty() => Some(End::Done),
                _ => None,
            };
            if let Some(end) = end {
                return Ok(end);
            }
            while more && begun.len() < self.window && !self.stopped() {
                let Some(line) = lines.next() else {
                    more = false;
                    break;
                };
                let (number, read) = line?;
                let refused = match read {
                    Err(error) => Some(*error),
                    Ok(mut request) => match self.begin(batch, number, &mut request, &done, &dropped) {
                        Ok(()) => {
                            begun.insert(number as u64, request);
                            None
                        }
                        Err(error) => Some(request.in_body(number, error)),
                    },
                };
                if let Some(error) = refused {
                    // That nothing is decoded any more is no answer to a line: it is answered after a restart.
                    if !self.worker.is_alive() {
                        return Err(Error::new(ErrorKind::Internal, "decoding has stopped"));
                    }
                    self.refused(batch, results, &error.to_json(&batch.id))?;
                }
            }
            if !begun.is_empty() {
                self.take(batch, &replies, &mut begun, results)?;
            }
        }
    }

    /// Gives a line its seed and has it decoded.
    fn begin(
        &self,
        batch: &Batch,
        number: usize,
        line: &mut BatchRequest,
        done: &Sender<(u64, Whole)>,
        dropped: &Arc<AtomicBool>,
    ) -> std::result::Result<(), ApiError> {
        line.request.seed(derived_seed(self.preparing.seed, &[&batch.id, &line.custom_id]));
        let request = line.request.clone();
        let prepared = catch_unwind(AssertUnwindSafe(|| {
            self.preparing.compile_blocking(&self.preparing.draft_of(request)?)
        }));
        let prepared = prepared.unwrap_or_else(|_| Err(defect()))?;
        let choices = prepared.request.generation().choices;
        let waiter = Waiter::Line(number as u64, Answer::new(choices), done.clone(), dropped.clone());
        let client = Client::new(waiter, choices, Instant::now(), self.metrics.clone());
        self.worker.decode_blocking(prepared, client)
    }

    /// Takes the replies that are there, or waits a little for one.
    fn take(
        &self,
        batch: &Batch,
        replies: &Receiver<(u64, Whole)>,
        begun: &mut HashMap<u64, BatchRequest>,
        results: &mut Results,
    ) -> Result<()> {
        let mut next = replies.recv_timeout(LOOK);
        loop {
            let (number, whole) = match next {
                Ok(reply) => reply,
                Err(RecvTimeoutError::Timeout) if self.worker.is_alive() => return Ok(()),
                Err(_) => return Err(Error::new(ErrorKind::Internal, "decoding has stopped")),
            };
            let Some(line) = begun.remove(&number) else { return Ok(()) };
            match whole {
                Ok((answer, usage)) => {
                    let key = line_key(&batch.id, &line.custom_id);
                    let seed = line.request.generation().sampling.seed;
                    let reply = answer.finish(key, usage, seed, &self.fingerprint);
                    let out = output_line(&batch.id, &line.custom_id, line.request.reply(&reply));
                    results.output.append(&out)?;
                    results.counts[1] += 1;
                    self.metrics.batch_lines[0].fetch_add(1, Ordering::Relaxed);
                    self.batches.count(&batch.id, results.counts);
                }
                // The server is going down: the line is answered by the next run.
                Err(error) if error.code == Some("server_shutdown") => {}
                Err(error) => {
                    let error = line.in_body(number as usize, error);
                    self.refused(batch, results, &error.to_json(&batch.id))?;
                }
            }
            match replies.try_recv() {
                Ok(reply) => next = Ok(reply),
                Err(_) => return Ok(()),
            }
        }
    }

    fn refused(&self, batch: &Batch, results: &mut Results, line: &serde_json::Value) -> Result<()> {
        results.errors.append(line)?;
        results.counts[2] += 1;
        self.metrics.batch_lines[1].fetch_add(1, Ordering::Relaxed);
        self.batches.count(&batch.id, results.counts);
        Ok(())
    }

    /// Makes files of the results.
    fn finish(&self, batch: &Batch, counts: [u64; 3], status: Status) -> Result<()> {
        let ids = [&batch.output_file_id, &batch.error_file_id];
        let mut there = [false; 2];
        for (k, at) in Batches::results(&batch.id).into_iter().enumerate() {
            let Ok(metadata) = fs::metadata(self.files.path_of(&at)) else { continue };
            if metadata.len() == 0 {
                continue;
            }
            let what = ["output", "error"][k];
            self.files.add(FileRecord {
                id: ids[k].clone(),
                filename: format!("{}_{what}.jsonl", batch.id),
                purpose: "batch_output".into(),
                bytes: metadata.len(),
                created_at: now_ms() / 1000,
                at,
            })?;
            there[k] = true;
        }
        let changed = self.batches.change(&batch.id, |batch| {
            batch.counts = counts;
            batch.has_files = (there[0], there[1]);
            batch.enter(status, now_ms() / 1000);
        });
        changed.map(drop)
    }
}

/// Tells the decoding thread that nobody waits for lines any more.
struct DropLines(Arc<AtomicBool>);

impl Drop for DropLines {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
