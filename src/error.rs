//! The one error type of the crate: a kind, the place, the cause and the way out.
//!
//! An [`Error`] always names where the problem is: a JSON pointer into the schema or the request
//! for anything that was read from JSON, a token or row in the message otherwise. Callers branch on
//! [`Error::kind`]; people read the `Display` form, which is one line:
//!
//! ```text
//! unsupported keyword at #/properties/a/not: "not" is not enforced; remove it …
//! ```
//!
//! A schema can have several problems. The error is the first of them, and [`Error::problems`] are all.

use std::fmt;
use std::path::Path;

/// What went wrong, coarsely enough to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not JSON.
    InvalidJson,
    /// The JSON is not a well-formed schema (`"type": 7`, a bad regular expression …).
    InvalidSchema,
    /// The schema uses a keyword, or a form of one, that cannot be enforced.
    UnsupportedKeyword,
    /// A `$ref` that does not resolve, or that refers to itself without progress.
    UnresolvedReference,
    /// No JSON text can satisfy the schema.
    Unsatisfiable,
    /// A configured limit (states, nesting, table bytes …) was reached.
    LimitExceeded,
    /// The vocabulary could not be read, or cannot spell the schema.
    Vocabulary,
    /// A parameter or a shape is out of its range.
    InvalidParameter,
    /// A request body or batch line is not what the API accepts.
    InvalidRequest,
    /// The token is not legal in the state it was offered in.
    IllegalToken,
    /// A row of logits has no legal token with a usable logit.
    NoLegalToken,
    /// A stored grammar is damaged or of another version.
    CorruptGrammar,
    /// No device, or no emulator, that could be used was found.
    NoDevice,
    /// A device or one of its kernels failed, or was used wrongly.
    Device,
    /// Reading or writing a file failed.
    Io,
    /// A defect of this crate.
    Internal,
}

impl ErrorKind {
    /// The kind as a short phrase in lower case, stable across versions.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::InvalidJson => "invalid JSON",
            ErrorKind::InvalidSchema => "invalid schema",
            ErrorKind::UnsupportedKeyword => "unsupported keyword",
            ErrorKind::UnresolvedReference => "unresolved reference",
            ErrorKind::Unsatisfiable => "unsatisfiable schema",
            ErrorKind::LimitExceeded => "limit exceeded",
            ErrorKind::Vocabulary => "vocabulary",
            ErrorKind::InvalidParameter => "invalid parameter",
            ErrorKind::InvalidRequest => "invalid request",
            ErrorKind::IllegalToken => "illegal token",
            ErrorKind::NoLegalToken => "no legal token",
            ErrorKind::CorruptGrammar => "corrupt grammar",
            ErrorKind::NoDevice => "no device",
            ErrorKind::Device => "device",
            ErrorKind::Io => "input/output",
            ErrorKind::Internal => "internal error",
        }
    }
}

/// An error with its kind, its place and a message that names the cause and the way out.
///
/// Boxed inside so that `Result<T, Error>` stays one word wide.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    pointer: Option<String>,
    message: String,
    others: Vec<Error>,
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a place in a JSON document.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, pointer: None, message: message.into(), others: Vec::new() }))
    }

    /// An error at a JSON pointer (`""` is the root, `/properties/a/type` a keyword).
    pub fn at(kind: ErrorKind, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            pointer: Some(pointer.into()),
            message: message.into(),
            others: Vec::new(),
        }))
    }

    /// The first of several problems of one schema, with the others; `None` if there are none.
    pub fn together(problems: impl IntoIterator<Item = Error>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let mut first = problems.next()?;
        first.0.others.extend(problems);
        Some(first)
    }

    /// This problem and those found with it.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(&self.0.others)
    }

    /// The same error, placed at `pointer` unless it has a place already.
    pub fn or_at(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer.get_or_insert_with(|| pointer.into());
        self
    }

    /// What went wrong, to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the JSON document, as a JSON pointer (RFC 6901), if it concerns one. Of a document given
    /// beside the schema, its URI comes first (`http://x/y.json#/properties/a`).
    pub fn pointer(&self) -> Option<&str> {
        self.0.pointer.as_deref()
    }

    /// Cause and way out, without kind and place.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.as_str())?;
        if let Some(p) = &self.0.pointer {
            let hash = if p.contains('#') && !p.starts_with('/') { "" } else { "#" };
            write!(f, " at {hash}{p}")?;
        }
        write!(f, ": {}", self.0.message)?;
        match self.0.others.len() {
            0 => Ok(()),
            1 => f.write_str(" (and one problem more)"),
            n => write!(f, " (and {n} problems more)"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

/// Makes an error of one about reading or writing the file at `path`, naming it.
pub fn in_file(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |e| Error::new(ErrorKind::Io, format!("{}: {e}", path.display()))
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Error::new(ErrorKind::Io, e.to_string())
    }
}
