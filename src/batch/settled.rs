//! Which lines of the input an earlier run has dealt with.

use std::collections::HashSet;

use serde_json::Value;

/// What the result files of an earlier run hold.
///
/// A reply settles its `custom_id`. An error settles the line it names, but only if the line still has
/// the same `custom_id`: that of a duplicate does not settle the line it duplicates, and a line that
/// was moved is read again.
#[derive(Debug, Default)]
pub struct Settled {
    replies: HashSet<String>,
    errors: HashSet<(usize, Option<String>)>,
}

impl Settled {
    /// From the lines of the output and of the error file.
    pub fn new(replies: &[Value], errors: &[Value]) -> Self {
        let custom_id = |line: &Value| line["custom_id"].as_str().map(str::to_owned);
        let error = |line: &Value| Some((line["line"].as_u64()? as usize, custom_id(line)));
        Settled {
            replies: replies.iter().filter_map(custom_id).collect(),
            errors: errors.iter().filter_map(error).collect(),
        }
    }

    /// Whether line number `line` is dealt with. `custom_id` is its name if one can be read, and
    /// `servable` says whether the line is in order: only then can a reply belong to it.
    pub fn holds(&self, line: usize, custom_id: Option<&str>, servable: bool) -> bool {
        let reply = servable && custom_id.is_some_and(|id| self.replies.contains(id));
        reply || self.errors.contains(&(line, custom_id.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_settles_its_line_and_a_reply_its_name() {
        let errors = [json!({"custom_id": "a", "line": 5}), json!({"custom_id": null, "line": 7})];
        let settled = Settled::new(&[json!({"custom_id": "b"})], &errors);
        assert!(settled.holds(1, Some("b"), true));
        assert!(!settled.holds(9, Some("b"), false), "a duplicate of a line that was answered");
        assert!(settled.holds(5, Some("a"), false));
        assert!(!settled.holds(1, Some("a"), true), "the line that line 5 duplicates");
        assert!(settled.holds(7, None, false));
        assert!(!settled.holds(7, Some("c"), true), "the line was mended");
    }
}
