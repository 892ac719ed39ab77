//! The scheduler when its source of logits fails: whatever happens, each request ends once, and rightly.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use warpgrammar::api::Endpoint;
use warpgrammar::chat::{Delta, Framing};
use warpgrammar::decode::{Draft, Ended, Prepared, Reader, Scheduler, SchedulerOptions};
use warpgrammar::engine::{Backend, EngineOptions};
use warpgrammar::model::{CopyModel, LogitsSource, SeqId};
use warpgrammar::openai::ApiError;
use warpgrammar::strict::OPENAI_2026;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Error, ErrorKind, Result};

/// What happens in a forward pass, by its number.
#[derive(Clone, Copy)]
enum Fault {
    Fails,
    Panics,
}

struct Faulty {
    inner: CopyModel,
    faults: BTreeMap<usize, Fault>,
    pass: usize,
    /// Sequences begun and not finished.
    open: Arc<Mutex<i64>>,
}

impl LogitsSource for Faulty {
    fn width(&self) -> usize {
        self.inner.width()
    }

    fn start(&mut self, prompt: &[u32]) -> Result<SeqId> {
        *self.open.lock().unwrap() += 1;
        self.inner.start(prompt)
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> Result<()> {
        self.pass += 1;
        match self.faults.get(&self.pass) {
            Some(Fault::Fails) => Err(Error::new(ErrorKind::Device, "the pass has failed")),
            Some(Fault::Panics) => panic!("the pass panics"),
            None => self.inner.logits(seqs, out),
        }
    }

    fn accept(&mut self, seq: SeqId, token: u32) {
        self.inner.accept(seq, token);
    }

    fn finish(&mut self, seq: SeqId) {
        *self.open.lock().unwrap() -= 1;
        self.inner.finish(seq);
    }
}

/// Gathers a text.
struct Text(usize, Arc<Mutex<BTreeMap<usize, String>>>);

impl Reader for Text {
    fn take(&mut self, _choice: u32, delta: Delta) -> ControlFlow<()> {
        self.1.lock().unwrap().entry(self.0).or_default().push_str(&format!("{delta:?}"));
        ControlFlow::Continue(())
    }
}

struct Rig {
    vocab: Arc<Vocabulary>,
    compiler: Compiler,
}

impl Rig {
    fn new() -> Rig {
        let tokens = (0..=255u8).map(|b| Some(vec![b])).chain([Some(b"<end>".to_vec())]).collect();
        let vocab = Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[256]).unwrap();
        let vocab = Arc::new(vocab);
        let compiler = Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap();
        Rig { vocab, compiler }
    }

    fn scheduler(&self, faults: &[(usize, Fault)]) -> (Scheduler<Faulty, Text>, Arc<Mutex<i64>>) {
        let engine = EngineOptions { slots: 3, backend: Backend::Cpu, threads: 1 };
        let open = Arc::new(Mutex::new(0));
        let source = Faulty {
            inner: CopyModel::new(self.vocab.clone()),
            faults: faults.iter().copied().collect(),
            pass: 0,
            open: open.clone(),
        };
        let options = SchedulerOptions { engine, max_tokens: 60 };
        (Scheduler::new(self.vocab.clone(), options, source).unwrap(), open)
    }

    fn prepared(&self, seed: u64, extra: Value) -> Prepared {
        let schema = json!({"type": "object", "properties": {"a": {"enum": ["red", "green", "blue"]},
            "b": {"type": "integer"}}, "required": ["a", "b"], "additionalProperties": false});
        let mut body = json!({"model": "m", "seed": seed, "messages": [{"role": "user", "content": "JSON"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema}}});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let endpoint = Endpoint::Chat { profile: &OPENAI_2026, deployment: None };
        let request = Arc::new(endpoint.read(&body).unwrap());
        let draft = Draft::new(request, &self.vocab, &Framing::default()).unwrap();
        draft.compile(&self.compiler).unwrap()
    }
}

/// Five requests, the second of which is refused when it is admitted; what came of them, by number.
fn run(
    rig: &Rig,
    faults: &[(usize, Fault)],
    abandon: bool,
) -> BTreeMap<usize, std::result::Result<String, ApiError>> {
    let (mut scheduler, open) = rig.scheduler(faults);
    let texts = Arc::new(Mutex::new(BTreeMap::new()));
    for k in 0..5 {
        // No text is complete within two tokens.
        let extra = if k == 1 { json!({"max_tokens": 2}) } else { json!({}) };
        scheduler.submit(rig.prepared(k as u64, extra), Text(k, texts.clone()));
    }
    let mut outcomes = BTreeMap::new();
    let mut steps = 0;
    while !scheduler.is_idle() {
        let ended = match scheduler.step() {
            Ok(ended) => ended,
            Err(_) if abandon => scheduler.abandon(&ApiError::server("abandoned")),
            Err(_) => Vec::new(),
        };
        for Ended { reader, outcome } in ended {
            let text = texts.lock().unwrap().get(&reader.0).cloned().unwrap_or_default();
            assert!(
                outcomes.insert(reader.0, outcome.map(|_| text)).is_none(),
                "request {} ended twice",
                reader.0
            );
        }
        steps += 1;
        assert!(steps < 2_000);
    }
    assert_eq!(scheduler.load(), (0, 0));
    assert_eq!(*open.lock().unwrap(), 0, "sequences are left");
    assert_eq!(outcomes.len(), 5);
    // All slots can be used again.
    for k in 10..13 {
        scheduler.submit(rig.prepared(k, json!({})), Text(k as usize, texts.clone()));
    }
    assert!(scheduler.step().is_ok_and(|ended| ended.is_empty()));
    assert_eq!(scheduler.load(), (3, 0));
    outcomes
}

#[test]
fn a_pass_that_fails_changes_nothing_when_it_is_tried_again() {
    let rig = Rig::new();
    let undisturbed = run(&rig, &[], false);
    assert_eq!(undisturbed.values().filter(|o| o.is_err()).count(), 1);
    assert!(undisturbed[&1].is_err());
    // In the first step too, in which a request is refused.
    for faults in [
        vec![(1, Fault::Fails)],
        vec![(1, Fault::Fails), (2, Fault::Fails), (5, Fault::Fails)],
        vec![(1, Fault::Panics)],
        vec![(4, Fault::Panics)],
        // The step of all rows panics, and stepping them one by one a pass fails after some were stepped.
        vec![(4, Fault::Panics), (6, Fault::Fails)],
        vec![(1, Fault::Panics), (2, Fault::Fails), (3, Fault::Panics), (5, Fault::Fails)],
    ] {
        assert_eq!(run(&rig, &faults, false), undisturbed);
    }
}

#[test]
fn a_row_that_panics_by_itself_ends_alone() {
    let rig = Rig::new();
    let undisturbed = run(&rig, &[], false);
    // The step of all rows, and then the second row's own.
    let outcomes = run(&rig, &[(4, Fault::Panics), (6, Fault::Panics)], false);
    let failed: Vec<usize> =
        outcomes.iter().filter(|(k, o)| **o != undisturbed[k]).map(|(&k, _)| k).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(outcomes[&failed[0]].is_err());
}

#[test]
fn who_had_ended_before_a_failure_keeps_the_answer() {
    let rig = Rig::new();
    let refused = run(&rig, &[], false).remove(&1).unwrap().unwrap_err();
    let outcomes = run(&rig, &[(1, Fault::Fails)], true);
    for (k, outcome) in outcomes {
        let error = outcome.unwrap_err();
        match k {
            1 => assert_eq!(error, refused),
            _ => assert_eq!(error, ApiError::server("abandoned")),
        }
    }
}
