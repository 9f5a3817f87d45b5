//! Figures that something else measured and wrote into a file. They stand in a part of their own: no criterion is judged by them.

use serde::{Deserialize, Serialize};

use crate::resource::{Markdown, SafeText, Untrusted, md, shown};

/// The schema of such a file.
pub const SCHEMA: &str = "akidb-edge/measured/v1";
/// A file has no more figures.
const MOST_FIGURES: usize = 500;

/// What was measured, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// [`SCHEMA`].
    schema: String,
    /// What ran.
    pub title: Untrusted,
    /// Where it ran, and what was not real there.
    #[serde(rename = "where")]
    pub place: Untrusted,
    /// The figures, in their order.
    pub figures: Vec<Figure>,
    /// What was left out.
    #[serde(default)]
    pub skipped: Vec<SkippedResult>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it is of.
    pub name: Untrusted,
    /// Its value.
    pub value: serde_json::Number,
    /// Its unit.
    pub unit: Untrusted,
    /// How it was measured.
    pub how: Untrusted,
}

/// A part that did not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedResult {
    /// Which one.
    pub part: Untrusted,
    /// Why.
    pub why: Untrusted,
}

impl Figures {
    /// Reads the text of a file of figures.
    ///
    /// # Errors
    /// It is none, or has too many.
    pub fn of(text: &str) -> Result<Self, SafeText> {
        let read: Self = serde_json::from_str(text).map_err(|bad| shown!("{}", bad))?;
        if read.schema != SCHEMA {
            return Err(shown!("its schema is {:?}, not {:?}", read.schema, SCHEMA));
        }
        let count = read.figures.len();
        if count > MOST_FIGURES {
            return Err(shown!("it has {} figures, at most {} are shown", count, MOST_FIGURES));
        }
        Ok(read)
    }

    /// As a part of a Markdown text.
    pub fn markdown(&self) -> Markdown {
        let mut text =
            md!("\n## Measured: {}\n\n{}\n\n| figure | value | how |\n|---|---|---|\n", &self.title, &self.place);
        for one in &self.figures {
            let value = Untrusted::from(one.value.to_string());
            text.push(md!("| {} | {} {} | {} |\n", &one.name, value, &one.unit, &one.how));
        }
        for one in &self.skipped {
            text.push(md!("\nLeft out: {}: {}\n", &one.part, &one.why));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(schema: &str, figures: &str) -> String {
        format!("{{\"schema\": \"{schema}\", \"title\": \"t\", \"where\": \"here\", \"figures\": [{figures}]}}")
    }

    #[test]
    fn a_figure_is_a_row_whatever_its_name_holds() {
        let hostile = "a | b\\n# c <img>";
        let figure = format!("{{\"name\": \"{hostile}\", \"value\": 1.25, \"unit\": \"ms\", \"how\": \"{hostile}\"}}");
        let text = Figures::of(&file(SCHEMA, &figure)).expect("figures").markdown();
        let row = text.lines().find(|line| line.contains("1.25")).expect("a row");
        assert_eq!(row.replace("\\|", "").matches('|').count(), 4, "{row}");
        assert!(!text.contains("\n# c"), "{text:?}");
    }

    #[test]
    fn another_file_is_refused() {
        assert!(Figures::of("{}").expect_err("refused").contains("schema"));
        assert!(Figures::of(&file("akidb-edge/proof/v1", "")).expect_err("refused").contains("akidb-edge/measured/v1"));
        let many = vec!["{\"name\": \"a\", \"value\": 1, \"unit\": \"\", \"how\": \"\"}"; MOST_FIGURES + 1].join(",");
        assert!(Figures::of(&file(SCHEMA, &many)).expect_err("refused").contains("501 figures"));
        let text = "{\"name\": \"a\", \"value\": \"fast\", \"unit\": \"\", \"how\": \"\"}";
        assert!(Figures::of(&file(SCHEMA, text)).is_err(), "a value is a number");
    }
}
