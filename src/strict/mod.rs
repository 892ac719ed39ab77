//! The subsets of JSON Schema that vendors take with `strict: true`.
//!
//! This engine enforces far more, so none of this is needed to generate. It is there so that a schema which a vendor
//! would refuse is refused here as well, in the same words: what passes runs there too. What each vendor takes is data,
//! a [`Profile`]; [`check`] walks a schema and reports the first thing that is not in it.
//!
//! Of the texts, those for `additionalProperties`, `required`, keywords that are not permitted, formats, nesting, the
//! number of enum values and the type of the root are the vendor's as they were seen. Those for the other limits are
//! made after that for enum values; the rest (`type`, `items`, `$ref`) follow what is told of them.
//!
//! Levels of nesting are objects within objects; a reference is not followed.

mod check;
mod profile;

pub(crate) use check::python_tuple;
pub use check::{Violation, check, check_root};
pub use profile::{AZURE, CLOVA, OPENAI_2024, OPENAI_2026, PROFILES, Profile, Sizes};
