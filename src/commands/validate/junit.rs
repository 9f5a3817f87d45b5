//! Measurements as JUnit XML, which CI systems show: a suite for each check, a case for each figure. What is inconclusive is skipped
//! with its reason, never passed and never failed.

use std::path::Path;

use serde::Serialize;

use super::measurements::{Measurement, line};
use crate::exit::{Failure, codes};
use crate::measure::verdict::Verdict;
use crate::report;
use crate::resource::shown;
use crate::template;

const TEMPLATE: &str = "reports/junit.xml";

#[derive(Serialize)]
struct Document {
    suites: Vec<Suite>,
}

#[derive(Serialize)]
struct Suite {
    name: String,
    at: String,
    failures: usize,
    skipped: usize,
    cases: Vec<Case>,
}

#[derive(Serialize)]
struct Case {
    name: String,
    verdict: String,
    why: String,
    text: String,
}

impl Suite {
    fn of(measurement: &Measurement) -> Self {
        let found = &measurement.found;
        let count = |verdict| found.iter().filter(|found| found.finding.verdict == verdict).count();
        let cases = found.iter().map(|found| Case {
            name: match &found.of {
                Some(of) => format!("{} {of}: {}", found.measure, found.finding.name),
                None => format!("{}: {}", found.measure, found.finding.name),
            },
            verdict: found.finding.verdict.to_string(),
            why: found.finding.why.clone(),
            text: line(&found.finding).as_str().to_owned(),
        });
        Self {
            name: match &measurement.step {
                Some(step) => format!("{}.{step}", measurement.check),
                None => measurement.check.clone(),
            },
            // Without its zone, as the schema of JUnit has it.
            at: measurement.at.trim_end_matches('Z').to_owned(),
            failures: count(Verdict::Fail),
            skipped: count(Verdict::Inconclusive),
            cases: cases.collect(),
        }
    }
}

/// The document.
///
/// # Errors
/// When the template cannot be filled in.
fn document(all: &[Measurement]) -> Result<String, template::TemplateError> {
    let text = template::render(TEMPLATE, &Document { suites: all.iter().map(Suite::of).collect() })?;
    Ok(report::printable(&text).into_owned())
}

/// Writes it to a file.
///
/// # Errors
/// When the file cannot be written.
pub fn write(file: &Path, all: &[Measurement]) -> Result<(), Failure> {
    let text =
        document(all).map_err(|bad| Failure { internal: true, ..codes::MEASUREMENT.error(shown!("{}", bad), "") })?;
    std::fs::write(file, text).map_err(|bad| {
        codes::MEASUREMENT.error(shown!("{}: {}", file.display(), bad), "name a file that can be written with --junit")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::validate::measurements::Found;
    use crate::measure::verdict::{self, Compare, Unit, Wanted};

    #[test]
    fn each_verdict_has_its_element_and_no_value_is_markup() {
        let wish = |name: &str| Wanted::new(name, Unit::Count, Compare::AtLeast, 1.0);
        let findings = [
            verdict::known(&wish("fine"), 1.0),
            verdict::known(&wish("few <of> \"them\""), 0.0),
            verdict::unmeasured(&wish("unknown"), "nobody & nothing\u{1b}[2J"),
        ];
        let found = findings.map(|finding| Found { measure: "cdn.deployed".to_owned(), of: None, finding });
        let measurement = Measurement::now("cdn", Some("cdn-validation"), vec!["here".to_owned()], found.to_vec());
        let text = document(&[measurement]).expect("a document");
        assert!(text.contains(r#"<testsuite name="cdn.cdn-validation" tests="3" failures="1" skipped="1""#), "{text}");
        assert_eq!((text.matches("<failure ").count(), text.matches("<skipped ").count()), (1, 1), "{text}");
        assert!(text.contains("few &lt;of&gt; &quot;them&quot;") && text.contains("nobody &amp; nothing"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
