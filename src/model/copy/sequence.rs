//! One text in the making: what of it is written, and which spans can go on from there.

use super::outline::{Mood, Outline, Place};
use super::span::{Kind, LABELLED, Span, key_stems};

/// What a span loses each time it has been written.
const USED: f32 = 9.0;
/// What a span loses each time a text that holds it, or that it holds, has been written.
const OVERLAP: f32 = 2.5;
/// The least a span's token gets: well above the floor, where every other token lies.
const LEAST: f32 = -12.0;
/// Keys that ask for a sentence rather than a name.
const SENTENCES: &str = "explanation description abstract summary reason text content message body comment";

/// The state of a sequence.
pub(super) struct Sequence {
    /// The prompt's spans, then the lexicon's.
    spans: Vec<Span>,
    /// What each span has lost by having been written.
    used: Vec<f32>,
    outline: Outline,
    /// The string or scalar at hand, so far; all of the text if it is not JSON.
    current: Vec<u8>,
    /// Stems of the key that was written last.
    key: Vec<u32>,
    /// Whether that key asks for a sentence.
    wants_sentence: bool,
    /// Stems of [`SENTENCES`].
    sentence_keys: Vec<u32>,
    /// What the text may begin with before a value.
    openings: Vec<Span>,
    /// The text, while it may be the beginning of an opening.
    head: Option<Vec<u8>>,
}

/// What can come next.
pub(super) struct Continuations {
    /// Tokens that go on with a span, with their price.
    pub tokens: Vec<(u32, f32)>,
    /// Prices that structural bytes depend on.
    pub mood: Mood,
    /// Price of the ids that end the text.
    pub stop: f32,
}

/// The best prices among the spans that fit what is written.
#[derive(Default)]
struct Best {
    /// Of those that are written whole.
    whole: Option<f32>,
    /// Of those that go on.
    longer: Option<f32>,
}

impl Sequence {
    /// An empty text over `spans`.
    pub fn new(spans: Vec<Span>) -> Self {
        Sequence {
            used: vec![0.0; spans.len()],
            spans,
            outline: Outline::new(),
            current: Vec::new(),
            key: Vec::new(),
            wants_sentence: false,
            sentence_keys: key_stems(SENTENCES),
            openings: Vec::new(),
            head: None,
        }
    }

    /// What the text, of which nothing is written, may begin with.
    pub fn expect(&mut self, openings: Vec<Span>) {
        self.head = (!openings.is_empty()).then(Vec::new);
        self.openings = openings;
    }

    /// Whether the byte ends an opening: what comes then is a value as if nothing had been written.
    fn opens(&mut self, byte: u8) -> bool {
        let Some(head) = &mut self.head else { return false };
        head.push(byte);
        let whole = self.openings.iter().any(|opening| opening.bytes == *head);
        if whole || !self.openings.iter().any(|opening| opening.bytes.starts_with(head)) {
            self.head = None;
        }
        whole
    }

    /// Where in the text the next byte stands.
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Appends a byte.
    pub fn push(&mut self, byte: u8) {
        if self.opens(byte) {
            self.outline = Outline::new();
            self.current.clear();
            return;
        }
        let open = |place| matches!(place, Place::String { .. } | Place::Scalar | Place::Prose);
        let before = self.outline.place();
        self.outline.push(byte);
        let after = self.outline.place();
        if let (Place::String { key: true, .. }, Place::Colon) = (before, after) {
            self.key = key_stems(&String::from_utf8_lossy(&self.current));
            self.wants_sentence = self.key.iter().any(|stem| self.sentence_keys.contains(stem));
        }
        if !open(before) {
            self.current.clear();
        } else if !open(after) {
            self.wrote();
        }
        // The opening quote belongs to nothing; a scalar's first byte belongs to it.
        if open(after) && (open(before) || !matches!(after, Place::String { .. })) {
            self.current.push(byte);
        }
    }

    /// A value or key has ended: it, and what overlaps it, is less welcome from now on.
    fn wrote(&mut self) {
        if self.current.is_empty() {
            return;
        }
        let within = |a: &[u8], b: &[u8]| b.windows(a.len()).any(|w| w == a);
        for (span, used) in self.spans.iter().zip(&mut self.used) {
            let [short, long] = if span.bytes.len() < self.current.len() {
                [&span.bytes, &self.current]
            } else {
                [&self.current, &span.bytes]
            };
            if short == long {
                *used += USED;
            } else if span.kind == Kind::Text && within(short, long) {
                *used += OVERLAP;
            }
        }
    }

    /// What can come next.
    pub fn continuations(&self) -> Continuations {
        let place = self.outline.place();
        let kind = match place {
            Place::Start | Place::Prose | Place::String { key: false, .. } => Some(Kind::Text),
            Place::Value | Place::Scalar => Some(Kind::Scalar),
            Place::String { key: true, .. } => Some(Kind::Key),
            _ => None,
        };
        let written: &[u8] = match place {
            Place::Start | Place::Value => &[],
            _ => &self.current,
        };
        let mut tokens = Vec::new();
        let mut best = Best::default();
        for (span, &used) in self.spans.iter().zip(&self.used) {
            if Some(span.kind) != kind || !span.bytes.starts_with(written) {
                continue;
            }
            let price = (self.price(span) - used).max(LEAST);
            if span.bytes.len() == written.len() {
                best.whole = Some(best.whole.map_or(price, |p| p.max(price)));
            } else if let Some(token) = span.next(written.len()) {
                best.longer = Some(best.longer.map_or(price, |p| p.max(price)));
                tokens.push((token, price));
            }
        }
        if let Some(head) = &self.head {
            let openings = self.openings.iter().filter(|opening| opening.bytes.starts_with(head));
            tokens.extend(openings.filter_map(|opening| Some((opening.next(head.len())?, opening.price))));
        }
        let stop = match (place, best.whole, best.longer) {
            (Place::Done, ..) => 8.0,
            (Place::Prose, Some(_), None) => 2.0,
            (Place::Prose, Some(whole), Some(_)) => whole,
            (Place::Prose, None, None) => 0.0,
            _ => -12.0,
        };
        Continuations { tokens, mood: self.mood(&best), stop }
    }

    /// How welcome a span is as the value at hand.
    fn price(&self, span: &Span) -> f32 {
        let shape = match span.kind {
            Kind::Text if self.wants_sentence || self.outline.is_prose() => match span.words {
                0..4 => -4.0,
                4 => 0.0,
                _ => 1.5,
            },
            Kind::Text if span.words > 5 => -1.5,
            Kind::Scalar if span.bytes == b"null" => 2.5 * self.outline.recursion() as f32,
            _ => 0.0,
        };
        span.price + span.affinity(&self.key) + shape
    }

    /// How ready the text is for the ends and beginnings of values.
    fn mood(&self, best: &Best) -> Mood {
        let close = match (best.whole, best.longer) {
            (Some(whole), Some(_)) => whole,
            (Some(_), None) => 1.0,
            (None, Some(longer)) => longer - 12.0 + self.current.len() as f32 / 30.0,
            (None, None) => 0.0,
        };
        let end_scalar = match (best.whole, best.longer) {
            (None, Some(longer)) => longer - 6.0,
            _ => 0.0,
        };
        // A list under a label is written to its end, and not begun again.
        let mut labelled = (0, 0);
        let mut open = 0.0_f32;
        for (span, &used) in self.spans.iter().zip(&self.used).filter(|(s, _)| s.kind == Kind::Text) {
            if span.affinity(&self.key) >= LABELLED {
                let fresh = used == 0.0 && span.bytes != self.current;
                labelled = (labelled.0 + 1, labelled.1 + usize::from(fresh));
                // Where any type will do, a string that the prompt labels is better than a guess.
                open = open.max(self.price(span) - used);
            }
        }
        let more = match labelled {
            (0, _) => 0.0,
            (_, 0) => -2.0,
            _ => 1.5,
        };
        Mood { open, close, end_scalar, more }
    }
}
