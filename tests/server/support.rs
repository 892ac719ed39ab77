//! Servers for tests: in this process, with a source of logits that can be slowed down or fail, or the binary.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use warpgrammar::engine::{Compiler, CompilerOptions};
use warpgrammar::model::{CopyModel, LogitsSource, SeqId};
use warpgrammar::server::{Config, Server};
use warpgrammar::vocab::Vocabulary;

use crate::client::Client;

fn vocabulary() -> Arc<Vocabulary> {
    static VOCABULARY: OnceLock<Arc<Vocabulary>> = OnceLock::new();
    VOCABULARY.get_or_init(|| Vocabulary::o200k_base().unwrap()).clone()
}

/// The built-in source, a step of which takes a while, and which panics over some prompts.
struct Source {
    inner: CopyModel,
    pace: Duration,
    poisoned: Vec<SeqId>,
}

/// A prompt with this in it makes the source panic.
pub const POISON: &str = "hemlock";

impl LogitsSource for Source {
    fn width(&self) -> usize {
        self.inner.width()
    }

    fn start(&mut self, prompt: &[u32]) -> warpgrammar::Result<SeqId> {
        let text = String::from_utf8(vocabulary().decode(prompt)).unwrap();
        let seq = self.inner.start(prompt)?;
        if text.contains(POISON) {
            self.poisoned.push(seq);
        }
        Ok(seq)
    }

    fn expect(&mut self, seq: SeqId, openings: &[&[u8]]) {
        self.inner.expect(seq, openings);
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> warpgrammar::Result<()> {
        assert!(!seqs.iter().any(|seq| self.poisoned.contains(seq)), "a test's panic");
        std::thread::sleep(self.pace);
        self.inner.logits(seqs, out)
    }

    fn accept(&mut self, seq: SeqId, token: u32) {
        self.inner.accept(seq, token);
    }

    fn finish(&mut self, seq: SeqId) {
        self.poisoned.retain(|&poisoned| poisoned != seq);
        self.inner.finish(seq);
    }
}

/// A server in this process.
pub struct Running {
    pub client: Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// A server whose steps take at least `pace`.
    pub fn start(pace: Duration, set_up: impl FnOnce(&mut Config)) -> Self {
        let mut config =
            Config { listen: "127.0.0.1:0".into(), grace: Duration::from_millis(200), ..Config::default() };
        set_up(&mut config);
        let compiler = Arc::new(Compiler::new(vocabulary(), CompilerOptions::default()).unwrap());
        let source = Source { inner: CopyModel::new(vocabulary()), pace, poisoned: Vec::new() };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(config, compiler, Box::new(source)).await.unwrap();
                told.send(server.address().unwrap()).unwrap();
                server.run(async { drop(stopped.await) }).await;
            });
            runtime.shutdown_background();
        });
        Running { client: Client::new(address.recv().unwrap()), stop: Some(stop), thread: Some(thread) }
    }

    /// A server without delays or other set-up.
    pub fn plain() -> Self {
        Running::start(Duration::ZERO, |_| {})
    }

    /// Tells the server to stop.
    pub fn stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits for its end.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// The binary, killed at the end.
pub struct Process {
    pub client: Client,
    child: Child,
}

impl Process {
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_warpgrammar"))
            .args(["serve", "--listen", "127.0.0.1:0", "--backend", "cpu"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim_end().strip_prefix("listening on http://").unwrap_or_else(|| panic!("said {line:?}"));
        Process { client: Client::new(address.parse().unwrap()), child }
    }

    /// Ends it at once, as nothing can prevent.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits; its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }

    /// Memory that is resident, in KiB.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of its own, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warpgrammar-server-{}-{name}", std::process::id()));
        // One of a run that was killed may be there.
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A request to Chat Completions with members added, or put in place of the usual ones.
pub fn chat(extra: Value) -> Value {
    let mut body =
        json!({"model": "copy", "messages": [{"role": "user", "content": "Name: Ada. Date: Friday."}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// A response format of Chat Completions.
pub fn format(schema: &Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "test", "schema": schema}})
}

/// The schema of texts that take about so many tokens.
pub fn long(tokens: usize) -> Value {
    json!({"type": "array", "items": {"enum": [1]}, "minItems": tokens / 2, "maxItems": tokens / 2})
}

/// Two members.
pub fn event() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}, "date": {"type": "string"}},
           "required": ["name", "date"], "additionalProperties": false})
}
