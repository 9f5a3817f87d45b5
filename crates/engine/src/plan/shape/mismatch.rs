//! Why a value does not have the required shape, as data, so that nothing depends on the text of a message.

use std::fmt;

use serde::de::value::Error as Words;
use serde::de::{Error, Expected, Unexpected};

use crate::plan::rules;
use crate::plan::suggest::nearest;

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MismatchReason {
    /// A member that the mapping does not have.
    UnknownField {
        /// As it is written.
        field: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
    /// A member that the mapping must have.
    MissingField(&'static str),
    /// A word that is not one of the choices.
    UnknownWord {
        /// As it is written.
        word: String,
        /// The choices.
        known: &'static [&'static str],
    },
    /// A value of another type, or one that its type refuses.
    Value(String),
}

/// A value that does not have the shape that is wanted, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    path: Option<String>,
    /// What does not fit.
    pub why: MismatchReason,
}

impl Misfit {
    const fn of(why: MismatchReason) -> Self {
        Self { path: None, why }
    }

    /// The same, with its place if it has none yet: what is inside knows it best.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        if self.path.is_none() {
            self.path = Some(path.to_owned());
        }
        self
    }

    /// Where it is: a dotted path. Empty for the whole.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }

    /// The rule that it breaks.
    pub const fn rule(&self) -> &'static str {
        match self.why {
            MismatchReason::UnknownField { .. } => rules::UNKNOWN_FIELD,
            MismatchReason::MissingField(_) => rules::MISSING_FIELD,
            MismatchReason::UnknownWord { .. } => rules::UNKNOWN_VALUE,
            MismatchReason::Value(_) => rules::WRONG_VALUE,
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        match &self.why {
            MismatchReason::UnknownField { field, known } => match nearest(field, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? Otherwise remove it"),
                None if known.is_empty() => "remove it".to_owned(),
                None => "remove it, or use one of the fields named above".to_owned(),
            },
            MismatchReason::MissingField(_) => "add it; plans/schema.json describes every field".to_owned(),
            MismatchReason::UnknownWord { word, known } => match nearest(word, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "write one of the words named above".to_owned(),
            },
            MismatchReason::Value(_) => "plans/schema.json describes what is allowed here".to_owned(),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            MismatchReason::UnknownField { field, known } => fmt::Display::fmt(&Words::unknown_field(field, known), f),
            MismatchReason::MissingField(field) => fmt::Display::fmt(&Words::missing_field(field), f),
            MismatchReason::UnknownWord { word, known } => fmt::Display::fmt(&Words::unknown_variant(word, known), f),
            MismatchReason::Value(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Misfit {}

/// A value in the words of YAML: serde calls `null` a unit, a list a sequence and a mapping a map.
fn shown(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "list".to_owned(),
        Unexpected::Map => "mapping".to_owned(),
        other => other.to_string(),
    }
}

/// What is expected, in the words of YAML instead of Rust's types.
fn wanted(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number from 0".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "string or map" => "a word or a mapping".to_owned(),
        words if words.starts_with("struct ") => "a mapping".to_owned(),
        _ => words,
    }
}

impl Error for Misfit {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::of(MismatchReason::Value(words.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(MismatchReason::Value(format!("invalid type: {}, expected {}", shown(&unexpected), wanted(expected))))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(MismatchReason::Value(format!("invalid value: {}, expected {}", shown(&unexpected), wanted(expected))))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::of(MismatchReason::UnknownWord { word: variant.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::of(MismatchReason::UnknownField { field: field.to_owned(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(MismatchReason::MissingField(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_yaml() {
        for (mismatch, words, next) in [
            (
                Misfit::unknown_field("regoin", &["name", "region"]),
                "unknown field `regoin`, expected `name` or `region`",
                "did you mean region? Otherwise remove it",
            ),
            (Misfit::unknown_field("x", &[]), "unknown field `x`, there are no fields", "remove it"),
            (
                Misfit::missing_field("region"),
                "missing field `region`",
                "add it; plans/schema.json describes every field",
            ),
            (
                Misfit::unknown_variant("integr", &["string", "integer"]),
                "unknown variant `integr`, expected `string` or `integer`",
                "did you mean integer?",
            ),
            (
                Misfit::invalid_type(Unexpected::Map, &"a sequence"),
                "invalid type: mapping, expected a list",
                "plans/schema.json describes what is allowed here",
            ),
            (
                Misfit::invalid_type(Unexpected::Str("3d"), &"i32"),
                "invalid type: string \"3d\", expected a whole number",
                "plans/schema.json describes what is allowed here",
            ),
            (
                Misfit::invalid_type(Unexpected::Unit, &"a string"),
                "invalid type: null, expected a string",
                "plans/schema.json describes what is allowed here",
            ),
        ] {
            assert_eq!((mismatch.to_string().as_str(), mismatch.next_step().as_str()), (words, next));
        }
    }

    #[test]
    fn the_inner_place_counts() {
        let mismatch = Misfit::missing_field("a");
        assert_eq!(mismatch.path(), "");
        assert_eq!(mismatch.at("x.y").at("x").path(), "x.y");
    }
}
