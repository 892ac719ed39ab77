//! What can be written on the command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::documents;
use clap::{Args, Parser, Subcommand, ValueEnum};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::chat::Framing;
use warpgrammar::engine::{Backend, Compiler, CompilerOptions};
use warpgrammar::strict::{PROFILES, Profile};
use warpgrammar::vocab::{TokenizerOptions, Vocabulary};
use warpgrammar::{Error, ErrorKind, Result};

/// Make a language model's output match a JSON Schema.
#[derive(Debug, Parser)]
#[command(name = "warpgrammar", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer every request of a batch file in the format of OpenAI's Batch API.
    Batch(BatchArgs),
    /// Answer requests over HTTP in the formats of OpenAI, Azure and CLOVA Studio.
    #[cfg(feature = "server")]
    Serve(super::serve::ServeArgs),
    /// Write one text that matches a schema.
    Generate(GenerateArgs),
    /// Compile a schema and say whether it can be enforced, and at what size.
    Check(CheckArgs),
    /// Say whether a JSON text is one that could be generated for a schema.
    Accept(AcceptArgs),
    /// Print the automaton of a schema.
    Inspect(InspectArgs),
    /// Measure compile and mask times, and verdicts, over files in MaskBench's format.
    Maskbench(MaskbenchArgs),
    /// Check the GPU's kernels against the reference, and measure them.
    ///
    /// Exit codes: 0 all checks passed on a GPU; 3 there is no GPU, and what could be checked without one passed; 4 a
    /// check failed.
    Doctor(DoctorArgs),
}

#[derive(Args, Debug)]
pub struct BatchArgs {
    /// Requests, one JSON object a line.
    pub input: PathBuf,
    /// Where replies go, one a line, in the order of completion.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Where lines that cannot be served go [default: OUTPUT with .errors before its extension].
    #[arg(long)]
    pub errors: Option<PathBuf>,
    /// Go on where an earlier run stopped, instead of starting over.
    #[arg(long)]
    pub resume: bool,
    /// Requests decoded at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub slots: u16,
    /// Seeds the requests that name no seed, together with their custom_id.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    pub json: bool,
    /// What computes masks and draws tokens.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendArg,
    #[command(flatten)]
    pub answering: AnswerArgs,
}

/// How many requests together are answered.
#[derive(Args, Debug)]
pub struct AnswerArgs {
    /// The most tokens for requests that name no limit.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// What the model begins a refusal with; without it, it is not to refuse in a way of its own.
    #[arg(long, value_name = "TEXT", value_parser = parse_marker)]
    pub refusal_marker: Option<String>,
    /// Threads that share the rows of a step [default: as many as the machine has cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

impl AnswerArgs {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }

    /// How refusals are written.
    pub fn framing(&self) -> Framing {
        Framing { refusal: self.refusal_marker.clone(), ..Framing::default() }
    }
}

#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// A JSON Schema.
    pub schema: PathBuf,
    /// The text to draw words from.
    #[arg(long, default_value = "")]
    pub prompt: String,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The most tokens; the text is complete if the schema can be met with so few.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// 0 is greedy.
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f32,
    /// What computes masks and draws tokens.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendArg,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A JSON Schema.
    pub schema: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Also say whether a vendor takes it with `strict: true`: openai-2026, openai-2024, azure or clova.
    #[arg(long, value_name = "NAME", value_parser = parse_profile)]
    pub profile: Option<&'static Profile>,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

#[derive(Args, Debug)]
pub struct AcceptArgs {
    /// A JSON Schema.
    pub schema: PathBuf,
    /// A JSON text. It is taken byte for byte; only a line end at its end is dropped.
    pub instance: PathBuf,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A JSON Schema.
    pub schema: PathBuf,
    /// Print a Graphviz digraph instead of a listing.
    #[arg(long)]
    pub dot: bool,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

#[derive(Args, Debug)]
pub struct MaskbenchArgs {
    /// A folder of files {"schema", "tests": [{"data", "valid"}]}.
    pub dir: PathBuf,
    /// Names of the files to use, separated by white space [default: every *.json in DIR].
    #[arg(long)]
    pub list: Option<PathBuf>,
    /// Also write the result here, with a verdict and the cost of compiling for every file.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Also write a line with a verdict for every file here.
    #[arg(long)]
    pub verdicts: Option<PathBuf>,
    /// Threads. Times are only comparable with one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Follow the instances token by token without computing masks: for verdicts, quickly.
    #[arg(long)]
    pub skip_masks: bool,
    /// Compile the schemas and follow no instance.
    #[arg(long, conflicts_with = "reorder")]
    pub compile_only: bool,
    /// Write instances with their declared keys in the schema's order: of all alternatives together, or of the one
    /// they are written for. Accepted in either is accepted.
    #[arg(long)]
    pub reorder: bool,
    /// What computes masks.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendArg,
    #[command(flatten)]
    pub vocab: VocabArgs,
    #[command(flatten)]
    pub grammar: GrammarArgs,
}

#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Which GPU.
    #[arg(long, default_value_t = 0)]
    pub device: usize,
    /// Also measure: everything, or in some two minutes what is promised.
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "full")]
    pub bench: Option<BenchArg>,
    /// Do not check, only measure.
    #[arg(long, requires = "bench")]
    pub skip_checks: bool,
    /// Few small checks, for a run under a memory checker.
    #[arg(long, conflicts_with_all = ["bench", "skip_checks"])]
    pub reduced: bool,
    /// Use the emulator even if there is a GPU.
    #[arg(long)]
    pub emulated: bool,
    /// Where random numbers begin; a failure names the seed that shows it again at once.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also write what was found here.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchArg {
    /// All kernels, batches, vocabularies, states and ways of sampling.
    Full,
    /// Fewer batches and vocabularies.
    Quick,
}

/// What computes masks and draws tokens. The tokens are the same with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendArg {
    /// The fast CPU backend.
    #[default]
    Cpu,
    /// The plain interpreter that defines what is right; slow, for comparison.
    Reference,
    /// The first CUDA device.
    Cuda,
    /// The CUDA kernels, emulated on the host; very slow, for tests.
    Emulated,
    /// The first CUDA device if there is one, else the CPU.
    Auto,
}

impl BackendArg {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            BackendArg::Cpu => "cpu",
            BackendArg::Reference => "reference",
            BackendArg::Cuda => "cuda",
            BackendArg::Emulated => "emulated",
            BackendArg::Auto => "auto",
        }
    }
}

impl From<BackendArg> for Backend {
    fn from(backend: BackendArg) -> Self {
        match backend {
            BackendArg::Cpu => Backend::Cpu,
            BackendArg::Reference => Backend::Reference,
            BackendArg::Cuda => Backend::Cuda,
            BackendArg::Emulated => Backend::Emulated,
            BackendArg::Auto => Backend::Auto,
        }
    }
}

/// Which vocabulary.
#[derive(Args, Debug)]
pub struct VocabArgs {
    /// o200k_base, cl100k_base, or the path of a tokenizer.json.
    #[arg(long, default_value = "o200k_base", value_name = "NAME|FILE")]
    pub vocab: String,
    /// An id that ends the text, for a vocabulary read from a file; may be repeated.
    #[arg(long = "stop-id", value_name = "ID")]
    pub stop_ids: Vec<u32>,
}

impl VocabArgs {
    /// Loads the vocabulary.
    pub fn open(&self) -> Result<Arc<Vocabulary>> {
        let path = Path::new(&self.vocab);
        if path.extension().is_some() || path.components().count() > 1 {
            let options = TokenizerOptions::new().stop_ids(&self.stop_ids);
            return Vocabulary::from_file(path, &options).map(Arc::new);
        }
        if !self.stop_ids.is_empty() {
            let message = "--stop-id is for vocabularies read from a file; built-in ones bring their own";
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        Vocabulary::named(&self.vocab)
    }
}

/// How a schema becomes a grammar.
#[derive(Args, Clone, Debug)]
pub struct GrammarArgs {
    /// Where white space may stand: compact (nowhere), flexible (in short runs), or indent=N.
    #[arg(long, default_value = "flexible", value_parser = parse_whitespace)]
    pub whitespace: Whitespace,
    /// In which order declared keys may be written.
    #[arg(long, value_enum, default_value_t)]
    pub key_order: KeyOrderArg,
    /// Take keywords that cannot be enforced as warnings; the output may then violate them.
    #[arg(long)]
    pub lenient: bool,
    /// A schema that others refer to; may be repeated. It is known by its own $id, by its file name as
    /// if it were beside the main schema, and by URI if that is given.
    #[arg(long = "with", value_name = "[URI=]FILE")]
    pub with: Vec<String>,
    /// A folder of such schemas; every *.json in it and in its folders, by path from DIR.
    #[arg(long, value_name = "DIR")]
    pub schema_dir: Option<PathBuf>,
}

/// In which order declared keys may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeyOrderArg {
    /// The schema's.
    #[default]
    Schema,
    /// Any.
    Any,
}

impl GrammarArgs {
    /// A compiler for `vocab` with these options.
    pub fn compiler(&self, vocab: &Arc<Vocabulary>) -> Result<Compiler> {
        let mut options = CompilerOptions {
            whitespace: self.whitespace,
            key_order: self.key_order.into(),
            ..CompilerOptions::default()
        };
        options.schema.lenient = self.lenient;
        options.schema.documents = documents::read(&self.with, self.schema_dir.as_deref())?;
        Compiler::new(vocab.clone(), options)
    }
}

impl From<KeyOrderArg> for KeyOrder {
    fn from(order: KeyOrderArg) -> Self {
        match order {
            KeyOrderArg::Schema => KeyOrder::Schema,
            KeyOrderArg::Any => KeyOrder::Any,
        }
    }
}

/// The longest run of white space with `--whitespace flexible`, in bytes.
const FLEXIBLE: u32 = 32;
/// The widest indent, in spaces.
const WIDEST: u32 = 16;

/// A marker that begins as a JSON value does could not be told from one.
pub fn parse_marker(text: &str) -> std::result::Result<String, String> {
    match text.bytes().next() {
        None => Err("a marker is not empty".into()),
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            Err("a marker does not begin as a JSON value can".into())
        }
        Some(_) => Ok(text.to_owned()),
    }
}

fn parse_profile(text: &str) -> std::result::Result<&'static Profile, String> {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    Profile::named(text).ok_or_else(|| format!("the profiles are {}", names.join(", ")))
}

fn parse_whitespace(text: &str) -> std::result::Result<Whitespace, String> {
    match text.split_once('=') {
        None if text == "compact" => Ok(Whitespace::Compact),
        None if text == "flexible" => Ok(Whitespace::Flexible { max: FLEXIBLE }),
        Some(("indent", n)) => match u32::from_str(n) {
            Ok(n) if n <= WIDEST => Ok(Whitespace::Indent(n)),
            _ => Err(format!("an indent is a number from 0 to {WIDEST}")),
        },
        _ => Err("use compact, flexible or indent=N".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn markers_and_profiles_are_read() {
        assert_eq!(parse_marker("<no>"), Ok("<no>".into()));
        for bad in ["", "{no}", "no", "1", "\"no"] {
            assert!(parse_marker(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_profile("azure").map(|p| p.name), Ok("azure"));
        assert!(parse_profile("nobody").unwrap_err().contains("openai-2026, openai-2024, azure, clova"));
    }

    #[test]
    fn whitespace_is_read() {
        assert_eq!(parse_whitespace("compact"), Ok(Whitespace::Compact));
        assert_eq!(parse_whitespace("indent=2"), Ok(Whitespace::Indent(2)));
        assert!(parse_whitespace("indent=99").is_err());
        assert!(parse_whitespace("loose").is_err());
    }
}
