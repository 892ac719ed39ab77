//! What each vendor takes.

/// One vendor's subset.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name on the command line.
    pub name: &'static str,
    /// Names that `type` may have.
    pub types: &'static [&'static str],
    /// Keywords that a schema may have.
    pub keywords: &'static [&'static str],
    /// Names that `format` may have.
    pub formats: &'static [&'static str],
    /// Whether every object must forbid names that are not declared and require those that are.
    pub closed: bool,
    /// Whether the root must be an object, and not `anyOf`.
    pub object_root: bool,
    /// Limits of size, if any are stated.
    pub sizes: Option<Sizes>,
}

/// Limits on a whole schema.
#[derive(Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Properties of all objects.
    pub properties: usize,
    /// Objects within objects.
    pub levels: usize,
    /// Characters of all names of properties and definitions, and of enum and const values.
    pub characters: usize,
    /// Values of all enums.
    pub enum_values: usize,
    /// Characters of the strings of one enum that has more than [`Sizes::LONG_ENUM`] of them.
    pub long_enum_characters: usize,
}

impl Sizes {
    /// From how many values on the characters of one enum are limited, less one.
    pub const LONG_ENUM: usize = 250;
}

const JSON_TYPES: &[&str] = &["string", "number", "boolean", "integer", "object", "array", "null"];
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// OpenAI, as of 2026.
pub static OPENAI_2026: Profile = Profile {
    name: "openai-2026",
    types: JSON_TYPES,
    keywords: &[
        "type",
        "title",
        "description",
        "$schema",
        "$defs",
        "definitions",
        "$ref",
        "enum",
        "const",
        "anyOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "maxItems",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ],
    formats: FORMATS,
    closed: true,
    object_root: true,
    sizes: Some(Sizes {
        properties: 5_000,
        levels: 10,
        characters: 120_000,
        enum_values: 1_000,
        long_enum_characters: 15_000,
    }),
};

const OPENAI_2024_KEYWORDS: &[&str] = &[
    "type",
    "title",
    "description",
    "$schema",
    "$defs",
    "definitions",
    "$ref",
    "enum",
    "const",
    "anyOf",
    "properties",
    "required",
    "additionalProperties",
    "items",
];

const SIZES_2024: Sizes =
    Sizes { properties: 100, levels: 5, characters: 15_000, enum_values: 500, long_enum_characters: 7_500 };

/// OpenAI, as structured outputs came out in 2024.
pub static OPENAI_2024: Profile = Profile {
    name: "openai-2024",
    types: JSON_TYPES,
    keywords: OPENAI_2024_KEYWORDS,
    formats: &[],
    closed: true,
    object_root: true,
    sizes: Some(SIZES_2024),
};

/// Azure OpenAI.
pub static AZURE: Profile = Profile {
    name: "azure",
    types: JSON_TYPES,
    keywords: OPENAI_2024_KEYWORDS,
    formats: &[],
    closed: true,
    object_root: true,
    sizes: Some(SIZES_2024),
};

/// CLOVA Studio, HCX-007.
pub static CLOVA: Profile = Profile {
    name: "clova",
    types: &["string", "number", "boolean", "integer", "object", "array"],
    keywords: &[
        "type",
        "title",
        "description",
        "$schema",
        "enum",
        "anyOf",
        "properties",
        "required",
        "items",
        "minItems",
        "maxItems",
        "format",
        "minimum",
        "maximum",
    ],
    formats: FORMATS,
    closed: false,
    object_root: false,
    sizes: None,
};

/// All profiles.
pub static PROFILES: [&Profile; 4] = [&OPENAI_2026, &OPENAI_2024, &AZURE, &CLOVA];

impl Profile {
    /// The profile of this name.
    pub fn named(name: &str) -> Option<&'static Profile> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }
}
