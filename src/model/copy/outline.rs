//! Where in a JSON text the next byte stands, and how welcome each structural byte is there.
//!
//! The outline follows any text without judging it: legality is the constraint's business. It exists
//! so that [`CopyModel`](super::CopyModel) can prefer short arrays, shallow recursion and an early end.
//! Prices are natural logarithms of rough probabilities: 0 is what one would write, −10 is what one would not.

/// Text in which the outline is not JSON at all starts with another byte than these.
const OPENERS: &[u8] = b"{[\"-0123456789tfn \n\r\t";

/// What surrounds the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing is written.
    Start,
    /// A value is due.
    Value,
    /// A key, or the end of an empty object, is due.
    Key,
    /// A colon is due.
    Colon,
    /// A value has ended inside a container.
    After,
    /// The outermost value has ended.
    Done,
    /// Inside a string.
    String {
        /// Whether it is a key.
        key: bool,
        /// Whether a backslash came last.
        escape: bool,
        /// Bytes since the opening quote.
        length: u32,
    },
    /// Inside a number or a literal.
    Scalar,
    /// Not JSON.
    Prose,
}

/// One open container.
#[derive(Clone, Copy, Debug)]
struct Level {
    array: bool,
    /// Items, or keys, that were begun.
    count: u32,
    /// Hash of the key the container stands under; an array's items inherit it.
    key: u32,
}

/// How ready the text is for an end, judged outside the outline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mood {
    /// Price of a string as the value that is due.
    pub open: f32,
    /// Price of closing the string that is open now.
    pub close: f32,
    /// Price of ending the number that is open now.
    pub end_scalar: f32,
    /// Added to a comma in an array: the prompt's list goes on.
    pub more: f32,
}

/// The outline of the text so far.
#[derive(Debug)]
pub(super) struct Outline {
    levels: Vec<Level>,
    place: Place,
    bytes: u32,
    /// Hash of the key that is being written or was written last.
    key: u32,
}

impl Clone for Outline {
    fn clone(&self) -> Self {
        Outline { levels: self.levels.clone(), ..*self }
    }

    /// Keeps the allocation: prices walk a scratch copy for hundreds of tokens a row.
    fn clone_from(&mut self, source: &Self) {
        self.levels.clone_from(&source.levels);
        (self.place, self.bytes, self.key) = (source.place, source.bytes, source.key);
    }
}

impl Outline {
    /// The outline of an empty text.
    pub fn new() -> Self {
        Outline { levels: Vec::new(), place: Place::Start, bytes: 0, key: 0 }
    }

    /// What surrounds the next byte.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the text is not, or not yet, JSON.
    pub fn is_prose(&self) -> bool {
        matches!(self.place, Place::Start | Place::Prose)
    }

    /// Whether the value at hand is an array's item.
    pub fn in_array(&self) -> bool {
        self.levels.last().is_some_and(|level| level.array)
    }

    /// How often the key at hand occurs around it: 0 unless the schema recurses.
    pub fn recursion(&self) -> u32 {
        let key = self.value_key();
        let outer = self.levels.len() - usize::from(self.in_array());
        if key == 0 {
            0
        } else {
            self.levels[..outer].iter().filter(|level| level.key == key && !level.array).count() as u32
        }
    }

    /// The key that the value at hand stands under.
    fn value_key(&self) -> u32 {
        match self.levels.last() {
            Some(level) if level.array => level.key,
            Some(_) => self.key,
            None => 0,
        }
    }

    /// Price of `byte` as the next one.
    pub fn price(&self, byte: u8, mood: Mood) -> f32 {
        let depth = self.levels.len() as f32;
        let age = self.bytes as f32;
        let count = self.levels.last().map_or(0, |level| level.count) as f32;
        match (self.place, byte) {
            (Place::String { escape: true, .. }, _) => -14.0,
            (Place::String { length: 0, .. }, b'"') => -13.0,
            (Place::String { .. }, b'"') => mood.close,
            (Place::String { .. } | Place::Prose, _) => -14.0,
            (_, b' ') => -8.0,
            (_, b'\t' | b'\r' | b'\n') => -10.0,
            (Place::Start, _) => -9.0,
            (Place::Value, b'"') => mood.open,
            (Place::Value, b'{') => -0.3 - 0.9 * (depth - 3.0).max(0.0) - age / 400.0,
            (Place::Value, b'[') => -3.0 - 0.9 * (depth - 2.0).max(0.0) - age / 300.0,
            (Place::Value, b']') if count == 0.0 => -4.5 + 4.0 * self.recursion() as f32 + age / 200.0,
            (Place::Key, b'"') => 0.0,
            (Place::Key, b'}') if count == 0.0 => -8.0,
            (Place::Colon, b':') => 0.0,
            (Place::After | Place::Scalar, b',' | b']' | b'}') => {
                let left = if self.place == Place::Scalar { mood.end_scalar } else { 0.0 };
                left + match byte {
                    b',' if self.in_array() => 0.5 - 0.9 * count - age / 200.0 + mood.more,
                    b',' => 0.5 - 0.8 * count - age / 300.0,
                    b']' => -1.0 + 0.6 * count,
                    _ => -1.5 + 0.4 * count,
                }
            }
            _ => -12.0,
        }
    }

    /// Appends `byte`.
    pub fn push(&mut self, byte: u8) {
        self.bytes += 1;
        self.place = match self.place {
            Place::Prose => Place::Prose,
            // What closes a call is no further value.
            Place::Done => Place::Done,
            Place::Start if !OPENERS.contains(&byte) => Place::Prose,
            Place::String { key, escape, length } => self.push_in_string(byte, key, escape, length),
            place if byte.is_ascii_whitespace() && place != Place::Scalar => place,
            _ => match byte {
                b'"' if self.place == Place::Key => {
                    self.begin();
                    self.key = 0;
                    Place::String { key: true, escape: false, length: 0 }
                }
                b'"' => {
                    self.begin();
                    Place::String { key: false, escape: false, length: 0 }
                }
                b'{' | b'[' => {
                    self.begin();
                    let key = self.value_key();
                    self.levels.push(Level { array: byte == b'[', count: 0, key });
                    if byte == b'[' { Place::Value } else { Place::Key }
                }
                b'}' | b']' => {
                    self.levels.pop();
                    self.ended()
                }
                b',' if self.in_array() => Place::Value,
                b',' => Place::Key,
                b':' => Place::Value,
                b if b.is_ascii_whitespace() => self.ended(),
                _ => {
                    if self.place != Place::Scalar {
                        self.begin();
                    }
                    Place::Scalar
                }
            },
        };
    }

    fn push_in_string(&mut self, byte: u8, key: bool, escape: bool, length: u32) -> Place {
        match byte {
            b'"' if !escape && key => Place::Colon,
            b'"' if !escape => self.ended(),
            _ => {
                if key {
                    self.key = (self.key ^ u32::from(byte)).wrapping_mul(0x0100_0193) | 1;
                }
                Place::String { key, escape: byte == b'\\' && !escape, length: length + 1 }
            }
        }
    }

    /// Counts a key, or an item of an array.
    fn begin(&mut self) {
        let place = self.place;
        if let Some(level) = self.levels.last_mut() {
            level.count += u32::from(level.array || place == Place::Key);
        }
    }

    /// Where a value that ended leaves the text.
    fn ended(&self) -> Place {
        if self.levels.is_empty() { Place::Done } else { Place::After }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Outline {
        let mut outline = Outline::new();
        text.bytes().for_each(|b| outline.push(b));
        outline
    }

    #[test]
    fn places_follow_the_text() {
        let open = |key, length| Place::String { key, escape: false, length };
        let cases = [
            ("", Place::Start),
            ("Hello", Place::Prose),
            ("{", Place::Key),
            ("{\"a", open(true, 1)),
            ("{\"a\"", Place::Colon),
            ("{\"a\": ", Place::Value),
            ("{\"a\":\"x\\\"", open(false, 3)),
            ("{\"a\":\"x\"", Place::After),
            ("{\"a\":12", Place::Scalar),
            ("{\"a\":[1,", Place::Value),
            ("{\"a\":[1,{}", Place::After),
            ("{\"a\":1}", Place::Done),
            ("\"a\"", Place::Done),
        ];
        for (text, place) in cases {
            assert_eq!(after(text).place(), place, "{text}");
        }
    }

    #[test]
    fn recursion_is_seen_by_its_key() {
        assert_eq!(after("{\"next\":").recursion(), 0);
        assert_eq!(after("{\"next\":{\"value\":1,\"next\":").recursion(), 1);
        assert_eq!(after("{\"next\":{\"value\":").recursion(), 0);
        assert_eq!(after("{\"c\":[{\"c\":[").recursion(), 1);
        assert_eq!(after("{\"c\":[{\"c\":[{\"c\":[").recursion(), 2);
    }

    #[test]
    fn arrays_and_objects_want_to_end() {
        let price = |text: &str, byte| after(text).price(byte, Mood::default());
        assert!(price("[\"a\"", b',') + 0.1 > price("[\"a\"", b']'));
        assert!(price("[1,2,3,4", b',') < price("[1,2,3,4", b']'));
        assert!(price("{\"c\":[{\"c\":[", b']') > price("{\"c\":[", b']'));
        assert!(price("{\"a\":\"", b'"') < -5.0);
    }
}
