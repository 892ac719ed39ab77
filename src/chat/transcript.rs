//! A reply read back: which way it went, and what it is made of.

use std::sync::Arc;

use super::plan::{Kind, Plan, PlannedWay};
use super::scanner::{Byte, Scanner};
use super::stop::StopFilter;
use super::text::Utf8;

/// A part of a reply, or a further piece of it. All text is whole characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Content. The first piece may be empty.
    Content(String),
    /// A refusal. The first piece may be empty.
    Refusal(String),
    /// The function of this name is called.
    Call(String),
    /// Arguments of the last call.
    Arguments(String),
}

/// Follows a reply that goes as a [`Plan`] allows.
#[derive(Clone, Debug)]
pub struct Transcript {
    plan: Arc<Plan>,
    at: At,
    /// Bytes of an opening, or of what stands between calls, that was not decided by them.
    opening: Vec<u8>,
    stop: StopFilter,
    text: Utf8,
    /// Bytes of content or of a refusal read, and passed on.
    read: usize,
    passed: usize,
}

/// Where the reply is.
#[derive(Clone, Debug)]
enum At {
    /// In an opening; of a further call, if so.
    Opening { again: bool },
    /// In content or a refusal: to the end.
    Text(Kind),
    /// In the arguments of a way's call.
    Value(usize, Scanner),
    /// So many bytes into what closes a way's call.
    Closing(usize, usize),
}

impl Transcript {
    /// An empty reply; free text ends before the first of `stop`.
    pub fn new(plan: Arc<Plan>, stop: &[String]) -> Self {
        Transcript {
            plan,
            at: At::Opening { again: false },
            opening: Vec::new(),
            stop: StopFilter::new(stop),
            text: Utf8::default(),
            read: 0,
            passed: 0,
        }
    }

    /// What the next bytes add.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[self.some(rest, &mut pieces)..];
        }
        pieces
    }

    /// What the end adds.
    pub fn end(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let At::Opening { again: false } = self.at {
            self.decide(true, &mut pieces);
        }
        if let At::Text(kind) = self.at {
            let held = self.stop.end();
            self.passed += held.len();
            let text = self.text.push(&held) + &self.text.end();
            if !text.is_empty() {
                pieces.push(of(kind, text));
            }
        }
        pieces
    }

    /// Whether a stop sequence was found.
    pub fn has_stopped(&self) -> bool {
        self.stop.has_stopped()
    }

    /// Whether the reply is prose, or not decided yet: it has no end of its own.
    pub fn is_open(&self) -> bool {
        let prose = |kind| self.plan.ways.iter().any(|way| way.kind == kind && way.prose);
        match self.at {
            At::Text(kind) => prose(kind),
            At::Opening { again } => !again,
            At::Value(..) | At::Closing(..) => false,
        }
    }

    /// Whether it is open which way the reply goes.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(self.at, At::Opening { again: false })
    }

    /// Whether what is read now is content or a refusal; the latter if true.
    pub(super) fn is_refusal(&self) -> Option<bool> {
        match self.at {
            At::Text(kind) => Some(kind == Kind::Refusal),
            _ => None,
        }
    }

    /// Bytes of content or of a refusal that were read, and of these those that were passed on.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.read, self.passed)
    }

    /// Takes some of the bytes; how many. It may be none where a number has ended.
    fn some(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> usize {
        match &mut self.at {
            At::Text(kind) => {
                let kind = *kind;
                self.text(kind, bytes, pieces);
                bytes.len()
            }
            At::Opening { .. } => {
                self.opening.push(bytes[0]);
                self.decide(false, pieces);
                1
            }
            At::Value(way, scanner) => {
                let way = *way;
                let mut taken = 0;
                let mut ended = false;
                for &byte in bytes {
                    let is = scanner.read(byte);
                    taken += usize::from(is != Byte::Beyond);
                    ended = is != Byte::Part;
                    if ended {
                        break;
                    }
                }
                let text = self.text.push(&bytes[..taken]);
                if !text.is_empty() {
                    pieces.push(Piece::Arguments(text));
                }
                if ended {
                    self.close(way, 0);
                }
                taken
            }
            At::Closing(way, read) => {
                let (way, read) = (*way, *read + 1);
                self.close(way, read);
                1
            }
        }
    }

    /// Goes on after `read` bytes of what closes a way.
    fn close(&mut self, way: usize, read: usize) {
        self.at = match read < self.plan.ways[way].closing.len() {
            true => At::Closing(way, read),
            false => At::Opening { again: true },
        };
    }

    /// Goes the way that the opening so far decides, at the latest at the end.
    fn decide(&mut self, at_end: bool, pieces: &mut Vec<Piece>) {
        let At::Opening { again } = self.at else { return };
        let plan = self.plan.clone();
        let between: &[u8] = if again { &plan.between } else { &[] };
        let ways = || plan.ways.iter().enumerate().filter(|(_, way)| !again || way.again);
        let whole = |way: &PlannedWay| [between, &way.opening].concat();
        if !at_end
            && ways().any(|(_, w)| whole(w).len() > self.opening.len() && whole(w).starts_with(&self.opening))
        {
            return;
        }
        let longest =
            ways().filter(|(_, w)| self.opening.starts_with(&whole(w))).max_by_key(|(_, w)| w.opening.len());
        let Some((id, way)) = longest else { return };
        let rest = self.opening.split_off(whole(way).len());
        self.opening.clear();
        match way.kind {
            Kind::Call(tool) => {
                pieces.push(Piece::Call(plan.tools[tool].clone()));
                self.at = At::Value(id, Scanner::default());
            }
            kind => {
                pieces.push(of(kind, String::new()));
                self.at = At::Text(kind);
            }
        }
        if !rest.is_empty() {
            pieces.extend(self.push(&rest));
        }
    }

    fn text(&mut self, kind: Kind, bytes: &[u8], pieces: &mut Vec<Piece>) {
        self.read += bytes.len();
        let passed = self.stop.push(bytes);
        self.passed += passed.len();
        let text = self.text.push(&passed);
        if !text.is_empty() {
            pieces.push(of(kind, text));
        }
    }
}

fn of(kind: Kind, text: String) -> Piece {
    match kind {
        Kind::Refusal => Piece::Refusal(text),
        _ => Piece::Content(text),
    }
}
