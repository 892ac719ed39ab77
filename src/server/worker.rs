//! The decoding thread.
//!
//! One thread owns the engine and the source of logits; everything else sends it requests through a channel and is sent
//! deltas through others. It never waits for a reader: what a stream's channel cannot take ends the stream.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::metrics::Metrics;
use super::refusal::decoding_stopped;
use crate::chat::{Delta, Usage};
use crate::decode::{Answer, Ended, Prepared, Reader, Scheduler, SchedulerOptions};
use crate::engine::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogitsSource;
use crate::openai::ApiError;
use crate::vocab::Vocabulary;

/// What a stream is sent. A channel that closes without `End` or `Fail` was too slow.
#[derive(Debug)]
pub enum Item {
    /// What a step has added to a choice.
    Delta(u32, Delta),
    /// The end, with the tokens used.
    End(Usage),
    /// The end, without a whole reply.
    Fail(ApiError),
}

/// A whole reply, or why there is none.
pub type Whole = std::result::Result<(Answer, Usage), ApiError>;

/// Who waits for a reply.
#[derive(Debug)]
pub enum Waiter {
    /// Somebody who reads it as it is made.
    Stream(mpsc::Sender<Item>),
    /// Somebody who wants it when it is whole.
    Whole(Answer, oneshot::Sender<Whole>),
    /// A batch, for the line with this number; dropped if the flag says so.
    Line(u64, Answer, std::sync::mpsc::Sender<(u64, Whole)>, Arc<AtomicBool>),
}

/// A waiter, and what is measured of it.
#[derive(Debug)]
pub struct Client {
    waiter: Waiter,
    metrics: Arc<Metrics>,
    /// When all of the request had arrived.
    arrived: Instant,
    /// When each choice had its last token.
    last: Vec<Option<Instant>>,
}

impl Client {
    /// Somebody who waits for the reply to a request that had arrived by then.
    pub fn new(waiter: Waiter, choices: u32, arrived: Instant, metrics: Arc<Metrics>) -> Self {
        Client { waiter, metrics, arrived, last: vec![None; choices as usize] }
    }

    fn measure(&mut self, choice: u32) {
        let now = Instant::now();
        match self.last[choice as usize].replace(now) {
            Some(before) => self.metrics.token.observe(now - before),
            // Of several choices, only the first is a first token.
            None if choice == 0 => self.metrics.first_token.observe(now - self.arrived),
            None => {}
        }
    }

    fn end(self, outcome: std::result::Result<Usage, ApiError>) {
        match self.waiter {
            Waiter::Stream(items) => {
                let item = outcome.map_or_else(Item::Fail, Item::End);
                // If there is no room, the closed channel says so.
                let _ = items.try_send(item);
            }
            Waiter::Whole(answer, done) => _ = done.send(outcome.map(|usage| (answer, usage))),
            Waiter::Line(line, answer, done, _) => {
                let _ = done.send((line, outcome.map(|usage| (answer, usage))));
            }
        }
    }
}

impl Reader for Client {
    fn take(&mut self, choice: u32, delta: Delta) -> ControlFlow<()> {
        self.measure(choice);
        match &mut self.waiter {
            Waiter::Stream(items) => {
                if items.try_send(Item::Delta(choice, delta)).is_err() {
                    self.metrics.dropped.fetch_add(1, Ordering::Relaxed);
                    return ControlFlow::Break(());
                }
            }
            Waiter::Whole(answer, _) | Waiter::Line(_, answer, ..) => answer.add(choice, delta),
        }
        ControlFlow::Continue(())
    }

    fn is_gone(&self) -> bool {
        let gone = match &self.waiter {
            Waiter::Stream(items) => items.is_closed(),
            Waiter::Whole(_, done) => done.is_closed(),
            Waiter::Line(.., dropped) => dropped.load(Ordering::Relaxed),
        };
        if gone {
            self.metrics.dropped.fetch_add(1, Ordering::Relaxed);
        }
        gone
    }
}

enum Message {
    Decode(Box<(Prepared, Client)>),
    Abandon(ApiError),
}

/// The way to the decoding thread.
#[derive(Clone)]
pub struct Worker {
    messages: mpsc::Sender<Message>,
    backend: Backend,
}

impl Worker {
    /// Starts the thread; the channel to it holds `depth` requests. It ends when the last `Worker` is dropped.
    ///
    /// # Errors
    /// As [`Scheduler::new`], and if there can be no thread.
    pub fn start(
        vocab: Arc<Vocabulary>,
        options: SchedulerOptions,
        source: Box<dyn LogitsSource + Send>,
        depth: usize,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let (messages, inbox) = mpsc::channel(depth.max(1));
        let (started, outcome) = std::sync::mpsc::sync_channel(1);
        // The engine is made where it is used: a device's context belongs to a thread.
        let run = move || match Scheduler::new(vocab, options, source) {
            Ok(scheduler) => {
                let _ = started.send(Ok(scheduler.backend()));
                decode(scheduler, inbox, &metrics);
            }
            Err(error) => _ = started.send(Err(error)),
        };
        std::thread::Builder::new().name("decoding".into()).spawn(run)?;
        let stopped = || Err(Error::new(ErrorKind::Internal, "the decoding thread has stopped"));
        let backend = outcome.recv().unwrap_or_else(|_| stopped())?;
        Ok(Worker { messages, backend })
    }

    /// What it decodes with.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether the thread is there.
    pub fn is_alive(&self) -> bool {
        !self.messages.is_closed()
    }

    /// Has a request decoded.
    ///
    /// # Errors
    /// The thread has stopped.
    pub async fn decode(&self, prepared: Prepared, client: Client) -> std::result::Result<(), ApiError> {
        let message = Message::Decode(Box::new((prepared, client)));
        self.messages.send(message).await.map_err(|_| decoding_stopped())
    }

    /// As [`Worker::decode`], on a thread that may wait.
    pub fn decode_blocking(&self, prepared: Prepared, client: Client) -> std::result::Result<(), ApiError> {
        let message = Message::Decode(Box::new((prepared, client)));
        self.messages.blocking_send(message).map_err(|_| decoding_stopped())
    }

    /// Ends all requests with an error.
    pub async fn abandon(&self, error: ApiError) {
        let _ = self.messages.send(Message::Abandon(error)).await;
    }
}

fn decode(
    mut scheduler: Scheduler<Box<dyn LogitsSource + Send>, Client>,
    mut inbox: mpsc::Receiver<Message>,
    metrics: &Metrics,
) {
    loop {
        // All that has come is taken: who waits is seen, and dropped when it goes away.
        let next = if scheduler.is_idle() { inbox.blocking_recv() } else { inbox.try_recv().ok() };
        match next {
            Some(Message::Decode(work)) => {
                let (prepared, client) = *work;
                metrics.prompt_tokens.fetch_add(prepared.prompt.len() as u64, Ordering::Relaxed);
                scheduler.submit(prepared, client);
                continue;
            }
            Some(Message::Abandon(error)) => finish(scheduler.abandon(&error)),
            None if scheduler.is_idle() => return,
            None => {}
        }
        let stepped = scheduler.step();
        // First, so that who has a reply finds its tokens counted.
        metrics.decoded(scheduler.load(), scheduler.decoding());
        match stepped {
            Ok(ended) => finish(ended),
            Err(error) => {
                tracing::error!("a step has failed: {error}");
                finish(scheduler.abandon(&ApiError::server(format!("Decoding has failed: {error}."))));
                metrics.decoded(scheduler.load(), scheduler.decoding());
            }
        }
    }
}

fn finish(ended: Vec<Ended<Client>>) {
    for Ended { reader, outcome } in ended {
        reader.end(outcome);
    }
}
