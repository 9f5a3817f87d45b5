//! Why a value does not have the shape that is wanted: data, so that nothing is decided by the words of a message.

use std::fmt;

use serde::de::value::Error as Words;
use serde::de::{Error, Expected, Unexpected};

use crate::plan::rules;
use crate::plan::suggest::nearest;

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
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
    pub why: Why,
}

impl Misfit {
    const fn of(why: Why) -> Self {
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
            Why::UnknownField { .. } => rules::UNKNOWN_FIELD,
            Why::MissingField(_) => rules::MISSING_FIELD,
            Why::UnknownWord { .. } => rules::UNKNOWN_VALUE,
            Why::Value(_) => rules::WRONG_VALUE,
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> String {
        match &self.why {
            Why::UnknownField { field, known } => match nearest(field, known.iter().copied()) {
                Some(near) => format!("did you mean {near}? Otherwise take it out"),
                None if known.is_empty() => "take it out".to_owned(),
                None => "remove it, or use one of the fields named above".to_owned(),
            },
            Why::MissingField(_) => "add it; plans/schema.json describes every field".to_owned(),
            Why::UnknownWord { word, known } => match nearest(word, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "write one of the words named above".to_owned(),
            },
            Why::Value(_) => "plans/schema.json describes what is allowed here".to_owned(),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::UnknownField { field, known } => fmt::Display::fmt(&Words::unknown_field(field, known), f),
            Why::MissingField(field) => fmt::Display::fmt(&Words::missing_field(field), f),
            Why::UnknownWord { word, known } => fmt::Display::fmt(&Words::unknown_variant(word, known), f),
            Why::Value(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Misfit {}

/// What serde calls a unit is `null` in a plan.
fn shown(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Unit => "null".to_owned(),
        other => other.to_string(),
    }
}

impl Error for Misfit {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::of(Why::Value(words.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(Why::Value(format!("invalid type: {}, expected {expected}", shown(&unexpected))))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(Why::Value(format!("invalid value: {}, expected {expected}", shown(&unexpected))))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::of(Why::UnknownWord { word: variant.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::of(Why::UnknownField { field: field.to_owned(), known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(Why::MissingField(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_serde() {
        for (mismatch, words, next) in [
            (
                Misfit::unknown_field("regoin", &["name", "region"]),
                "unknown field `regoin`, expected `name` or `region`",
                "did you mean region? Otherwise take it out",
            ),
            (Misfit::unknown_field("x", &[]), "unknown field `x`, there are no fields", "take it out"),
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
