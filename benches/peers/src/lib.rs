//! Two engines with one vocabulary, to be measured in turn.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use warpgrammar::cpu::{Masker, Program, State, VocabTables};
use warpgrammar::engine::{Compiler, CompilerOptions};
use warpgrammar::vocab::Vocabulary;

/// Both engines, ready for schemas.
pub struct Engines {
    pub vocab: Arc<Vocabulary>,
    pub tables: Arc<VocabTables>,
    compiler: Compiler,
    factory: ParserFactory,
}

impl Engines {
    /// With o200k_base, 200,019 logits.
    pub fn new() -> Engines {
        let vocab = Vocabulary::o200k_base().expect("o200k_base is built in");
        let width = vocab.width() as u32;
        let mut words: Vec<Vec<u8>> =
            (0..width).map(|id| vocab.bytes(id).unwrap_or_default().to_vec()).collect();
        let eos = 199_999;
        words[eos as usize] = b"\xff<|endoftext|>".to_vec();
        let info = TokRxInfo {
            vocab_size: width,
            tok_eos: eos,
            tok_bos: None,
            tok_pad: None,
            tok_unk: None,
            tok_end_of_turn: None,
        };
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        let mut factory = ParserFactory::new_simple(&env).expect("its own slices are valid");
        factory.quiet();
        let tables = Arc::new(VocabTables::new(vocab.clone()));
        tables.warm_up();
        let compiler = Compiler::new(vocab.clone(), CompilerOptions::default()).expect("defaults are valid");
        Engines { vocab, tables, compiler, factory }
    }

    /// A schema compiled here; `None` if it is refused.
    pub fn ours(&self, schema: &Value) -> Option<Program> {
        self.compiler.compile(schema).ok().map(Program::new)
    }

    /// A schema compiled by llguidance; `None` if it is refused.
    pub fn theirs(&self, schema: &Value) -> Option<Matcher> {
        let grammar = TopLevelGrammar::from_json_schema(schema.clone());
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        (!matcher.is_error()).then_some(matcher)
    }

    /// A mask of the right size.
    pub fn mask(&self) -> Vec<u32> {
        vec![0; self.vocab.width().div_ceil(32)]
    }

    /// A masker with nothing remembered, which remembers `memo` bytes.
    pub fn masker(&self, memo: usize) -> Masker {
        Masker::with_memo(self.tables.clone(), memo)
    }

    /// Both at the end of a prefix; panics if either refuses it.
    pub fn at(&self, program: &Program, matcher: &Matcher, prefix: &str) -> (State, Matcher) {
        let mut state = State::start(program, 0);
        let mut other = matcher.deep_clone();
        for token in self.vocab.encode(prefix).expect("text is encodable") {
            assert!(state.advance(program, &self.vocab, token, None), "we refuse {prefix:?}");
            other.consume_token(token).unwrap_or_else(|e| panic!("llguidance refuses {prefix:?}: {e}"));
        }
        (state, other)
    }
}

impl Default for Engines {
    fn default() -> Self {
        Engines::new()
    }
}

/// The mask at a matcher's place, written to `out` as its bindings do.
pub fn their_mask(matcher: &mut Matcher, out: &mut [u32]) {
    let mask = matcher.compute_mask_or_eos().expect("the matcher is not in error");
    let words = mask.as_slice();
    out[..words.len()].copy_from_slice(words);
}
