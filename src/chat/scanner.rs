//! Where a JSON value ends, in a text that is known to be right.

/// Follows one JSON value byte by byte. It does not judge: that the value is well-formed is the grammar's business.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    /// Open arrays and objects.
    depth: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing was read.
    #[default]
    Start,
    /// Between the brackets of an array or object.
    Inside,
    String {
        escape: bool,
    },
    Number,
    /// So many bytes of a literal are left.
    Literal(u8),
}

/// What a byte is to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    /// A part of it, and it goes on.
    Part,
    /// Its last.
    Last,
    /// The first one after it.
    Beyond,
}

impl Scanner {
    /// Reads a byte, of which none was the last before.
    pub fn read(&mut self, byte: u8) -> Byte {
        match self.place {
            Place::String { escape: true } => self.place = Place::String { escape: false },
            Place::String { escape: false } => match byte {
                b'\\' => self.place = Place::String { escape: true },
                b'"' if self.depth == 0 => return Byte::Last,
                b'"' => self.place = Place::Inside,
                _ => {}
            },
            Place::Number if matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => {}
            Place::Number => return Byte::Beyond,
            Place::Literal(left) => {
                if left == 1 {
                    return Byte::Last;
                }
                self.place = Place::Literal(left - 1);
            }
            Place::Start | Place::Inside => match byte {
                b'"' => self.place = Place::String { escape: false },
                b'[' | b'{' => {
                    self.depth += 1;
                    self.place = Place::Inside;
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Byte::Last;
                    }
                }
                b't' | b'n' if self.depth == 0 => self.place = Place::Literal(3),
                b'f' if self.depth == 0 => self.place = Place::Literal(4),
                _ if self.depth == 0 => self.place = Place::Number,
                _ => {}
            },
        }
        Byte::Part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_a_parser_says() {
        for value in
            ["{}", r#"{"a}":["]",{"b":"\"}"}]}"#, "[]", r#""x\\""#, "-1.5e+3", "0", "true", "false", "null"]
        {
            let text = format!("{value}}}\n</tool_call>");
            let mut scanner = Scanner::default();
            let mut end = 0;
            for byte in text.bytes() {
                match scanner.read(byte) {
                    Byte::Part => end += 1,
                    Byte::Last => {
                        end += 1;
                        break;
                    }
                    Byte::Beyond => break,
                }
            }
            assert_eq!(&text[..end], value);
        }
    }
}
