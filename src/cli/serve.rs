//! `warpgrammar serve`: the server, with the built-in source of logits.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use warpgrammar::model::CopyModel;
use warpgrammar::server::{Config, Keys, Limits, Server};
use warpgrammar::{Error, ErrorKind, Result};

use super::args::{AnswerArgs, BackendArg};
use super::{Verdict, read_text};

/// Keys, separated by white space or commas.
const KEYS: &str = "WARPGRAMMAR_API_KEYS";

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where to listen; with port 0, on a free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    pub listen: String,
    /// A folder for files and batches; without it, they are not served.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A key that opens the server; may be repeated. Others see the command line: prefer a file, or WARPGRAMMAR_API_KEYS.
    #[arg(long = "api-key", value_name = "KEY")]
    pub api_keys: Vec<String>,
    /// A file of such keys, separated by white space.
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// A name that /v1/models lists; may be repeated. Requests may name any.
    #[arg(long = "model", value_name = "NAME", default_value = "copy")]
    pub models: Vec<String>,
    /// Choices decoded at a time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub slots: u16,
    /// Requests that wait besides; one more is answered with 429.
    #[arg(long, default_value_t = 256)]
    pub queue: u16,
    /// Connections at a time; further ones wait. Each takes a file descriptor, and files and batches want some, too: stay well
    /// below the limit of a process (`ulimit -n`)
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,
    /// The longest body of a request, in KiB.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub max_body: u32,
    /// The longest text of a schema, in KiB.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub max_schema: u32,
    /// The longest file, in KiB.
    #[arg(long, default_value_t = 195_312)]
    pub max_file: u32,
    /// Schemas compiled at a time [default: as many as the machine has cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub compiles: Option<u16>,
    /// How long a request waits for its schema to be compiled, in seconds.
    #[arg(long, default_value = "10", value_parser = parse_seconds)]
    pub compile_timeout: Duration,
    /// How long a request may take in all, in seconds.
    #[arg(long, default_value = "600", value_parser = parse_seconds)]
    pub request_timeout: Duration,
    /// After so many seconds in which a client reads nothing of what is written, its connection is closed.
    #[arg(long, default_value = "30", value_parser = parse_seconds)]
    pub stall_timeout: Duration,
    /// How many steps the reader of a stream may be behind before the reply is given up.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub stream_buffer: u32,
    /// Lines of a batch that are answered at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub batch_slots: u16,
    /// When told to stop, seconds for what is being answered.
    #[arg(long, default_value = "30", value_parser = parse_seconds)]
    pub grace: Duration,
    /// Seeds the requests that name no seed, together with their id; lines of batches are drawn the same again.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What computes masks and draws tokens.
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub backend: BackendArg,
    #[command(flatten)]
    pub answering: AnswerArgs,
}

impl ServeArgs {
    fn config(&self) -> Result<Config> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = Limits {
            connections: self.connections.into(),
            slots: self.slots.into(),
            queue: self.queue.into(),
            body_bytes: kib(self.max_body) as usize,
            schema_bytes: kib(self.max_schema) as usize,
            compiles: self.compiles.map_or(cores, usize::from),
            compile_time: self.compile_timeout,
            request_time: self.request_timeout,
            stall_time: self.stall_timeout,
            stream_buffer: self.stream_buffer as usize,
            file_bytes: kib(self.max_file),
            batch_slots: self.batch_slots.into(),
            ..Limits::default()
        };
        Ok(Config {
            listen: self.listen.clone(),
            models: self.models.clone(),
            keys: self.keys()?,
            limits,
            data: self.data.clone(),
            backend: self.backend.into(),
            threads: self.answering.threads(),
            max_tokens: self.answering.max_tokens,
            seed: self.seed,
            framing: self.answering.framing(),
            fingerprint: format!("warpgrammar-{}", env!("CARGO_PKG_VERSION")),
            grace: self.grace,
        })
    }

    fn keys(&self) -> Result<Keys> {
        let mut text = std::env::var(KEYS).unwrap_or_default();
        if let Some(path) = &self.api_key_file {
            text += "\n";
            text += &read_text(path)?;
        }
        let listed = text.split(|c: char| c.is_whitespace() || c == ',').map(str::to_owned);
        let keys = Keys::new(self.api_keys.iter().cloned().chain(listed));
        let meant = self.api_key_file.is_some() || !self.api_keys.is_empty();
        if meant && keys.is_empty() {
            // A server that was meant to be closed must not be open.
            return Err(Error::new(ErrorKind::InvalidParameter, "keys were asked for, and there are none"));
        }
        Ok(keys)
    }
}

fn kib(n: u32) -> u64 {
    u64::from(n) << 10
}

fn parse_seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is wanted".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|t| *t <= Duration::from_secs(1 << 31))
        .ok_or_else(|| "out of range".into())
}

/// Serves until SIGTERM or SIGINT.
pub fn run(args: &ServeArgs) -> Result<Verdict> {
    let config = args.config()?;
    let vocab = args.answering.vocab.open()?;
    let compiler = Arc::new(args.answering.grammar.compiler(&vocab)?);
    let source = Box::new(CopyModel::new(vocab));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = told_to_stop()?;
        let server = Server::bind(config, compiler, source).await?;
        println!("listening on http://{}", server.address()?);
        std::io::stdout().flush()?;
        server.run(stop).await;
        Ok::<(), Error>(())
    })?;
    // A schema that is still being compiled is not waited for.
    runtime.shutdown_background();
    Ok(Verdict::Yes)
}

/// Done at SIGTERM or SIGINT, which end the process at once no more from here on.
#[cfg(unix)]
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "-1", "inf", "NaN", "1e99", "soon"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
