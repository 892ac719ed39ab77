//! Which draft of JSON Schema a document is written in.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// The drafts, oldest first, and [`Undeclared`](Draft::Undeclared) for documents without a known
/// `$schema`.
///
/// Keywords are recognised whatever the draft, since a schema that declares draft 4 and uses `const`
/// means it; only spellings whose meaning *changed* look at the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D3,
    D4,
    D6,
    D7,
    D2019,
    D2020,
    /// Read as 2020-12; older spellings are accepted where they cannot be mistaken.
    Undeclared,
}

impl Draft {
    /// The draft that the root's `$schema` names. A URI of another meta-schema is as good as none.
    pub fn of(root: &Value) -> Result<Self> {
        let uri = match root.get("$schema") {
            None => return Ok(Draft::Undeclared),
            Some(Value::String(uri)) => uri,
            Some(_) => {
                let message = "\"$schema\" must be a string, the URI of a JSON Schema draft";
                return Err(Error::at(ErrorKind::InvalidSchema, "/$schema", message));
            }
        };
        let path = uri.trim_end_matches('#').split_once("//json-schema.org/").map(|(_, path)| path);
        Ok(match path {
            Some("draft-03/schema") => Draft::D3,
            Some("draft-04/schema") => Draft::D4,
            Some("draft-06/schema") => Draft::D6,
            Some("draft-07/schema") => Draft::D7,
            Some("draft/2019-09/schema") => Draft::D2019,
            Some("draft/2020-12/schema") => Draft::D2020,
            _ => Draft::Undeclared,
        })
    }

    /// Whether `$ref` makes the keywords beside it ineffective.
    pub fn ref_overrides(self) -> bool {
        self <= Draft::D7
    }

    /// Whether `exclusiveMinimum` may be a boolean that turns `minimum` around.
    pub fn boolean_exclusive(self) -> bool {
        self <= Draft::D4 || self == Draft::Undeclared
    }

    /// Whether `items` may be an array, with `additionalItems` for the rest.
    pub fn items_list(self) -> bool {
        self != Draft::D2020
    }

    /// Whether `prefixItems` is a keyword.
    pub fn prefix_items(self) -> bool {
        self >= Draft::D2020
    }

    /// The keyword that gives a schema its own base URI.
    pub fn id_keyword(self) -> &'static str {
        if self <= Draft::D4 { "id" } else { "$id" }
    }
}
