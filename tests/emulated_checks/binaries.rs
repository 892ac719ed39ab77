//! The emulated tests as programs: the test targets whose names begin with `emulated`.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// One test of one target.
#[derive(Clone, Debug)]
pub struct Test {
    pub target: String,
    pub program: PathBuf,
    pub name: String,
}

/// How a test ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Passed,
    /// It failed, crashed or did not end in time, with its last words.
    Failed(String),
}

/// All tests of all emulated targets but this one, built if they are not.
pub fn tests() -> Vec<Test> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["test", "--no-run", "--message-format=json", "--test", "emulated*"]);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    if !cfg!(feature = "cli") {
        build.arg("--no-default-features");
    }
    let built = build.stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(built.status.success(), "the emulated tests do not build");
    let mut tests = Vec::new();
    for line in String::from_utf8(built.stdout).expect("JSON").lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let Some(program) = message["executable"].as_str() else { continue };
        if name.starts_with("emulated") && name != "emulated_checks" {
            let listed =
                Command::new(program).args(["--list", "--format", "terse"]).output().expect("it runs");
            let listed = String::from_utf8(listed.stdout).expect("names");
            tests.extend(listed.lines().filter_map(|l| l.strip_suffix(": test")).map(|test| Test {
                target: name.into(),
                program: program.into(),
                name: test.into(),
            }));
        }
    }
    assert!(!tests.is_empty(), "there are no emulated tests");
    tests
}

impl Test {
    /// Runs it in a process of its own, with these variables.
    pub fn run(&self, variables: &[(&str, &str)], limit: Duration) -> End {
        let mut command = Command::new(&self.program);
        command.args(["--exact", &self.name, "--test-threads", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        for name in ["LD_PRELOAD", "WARPGRAMMAR_EMULATOR", "WARPGRAMMAR_SKIP_BARRIER"] {
            command.env_remove(name);
        }
        // What a crash leaves behind is of no use here.
        command.env("RUST_BACKTRACE", "0").envs(variables.iter().copied());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        match wait(child, limit) {
            Some(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.contains("1 passed"), "{self:?} did not run: {text}");
                End::Passed
            }
            Some(output) => End::Failed(words(&output)),
            None => End::Failed(format!("no end in {limit:?}")),
        }
    }
}

/// The output, or nothing if it had to be killed.
fn wait(child: std::process::Child, limit: Duration) -> Option<Output> {
    let id = child.id();
    let begin = Instant::now();
    let waiter = std::thread::spawn(move || child.wait_with_output());
    while !waiter.is_finished() {
        if begin.elapsed() > limit {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            let _ = waiter.join();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    waiter.join().expect("no panic").ok()
}

/// The line of a failed test that says why.
fn words(output: &Output) -> String {
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().skip_while(|l| !l.contains("panicked at") && !l.contains("ERROR:"));
    let line = match (lines.next(), lines.next()) {
        (Some(panic), Some(message)) if panic.contains("panicked at") => message,
        (Some(line), _) => line,
        _ => return output.status.to_string(),
    };
    line.chars().take(160).collect()
}
