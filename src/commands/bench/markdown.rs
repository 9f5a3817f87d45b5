//! A run as Markdown: for a pull request, or a page of results.

use super::tables;
use crate::measure::bench::{Against, Run};
use crate::measure::history::Changed;
use crate::resource::{Markdown, md};

/// The first words of each document: a file that begins so was written here.
pub const HEAD: &str = "# Load: ";

/// A run with its comparison and the changes of its history, where there are some.
pub fn document(run: &Run, against: Option<&Against>, changes: &[Changed]) -> Markdown {
    let at = jiff::Timestamp::from_millisecond(run.at_ms).map_or_else(|_| String::new(), |at| at.to_string());
    let mut text = md!("# Load: {}\n\n{}, {}, {}\n", run.test, run.mode.name(), run.label, at);
    let rows: Vec<Vec<String>> = run.levels.iter().map(tables::level_row).collect();
    text.push(table(&tables::LEVEL_HEADER, &rows));
    if !rows.is_empty() {
        text.push("\nMilliseconds with their 95 % intervals.\n");
    }
    tables::notes(run).iter().for_each(|note| text.push(md!("\n- {}\n", note.as_str())));
    if let Some(found) = against {
        text.push("\n## Compared\n");
        text.push(table(&tables::COMPARED_HEADER, &tables::compared_rows(found)));
        tables::compared_notes(found).iter().for_each(|note| text.push(md!("\n- {}\n", note.as_str())));
    }
    if !changes.is_empty() {
        text.push("\n## Changes in the history\n");
        let rows: Vec<Vec<String>> = changes.iter().map(tables::changed_row).collect();
        text.push(table(&tables::CHANGED_HEADER, &rows));
    }
    text
}

fn table(header: &[&str], rows: &[Vec<String>]) -> Markdown {
    if rows.is_empty() {
        return Markdown::default();
    }
    let mut text = Markdown::from("\n");
    text.push(row(header.iter().copied()));
    text.push("|");
    header.iter().for_each(|_| text.push("---|"));
    text.push("\n");
    rows.iter().for_each(|cells| text.push(row(cells.iter().map(String::as_str))));
    text
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> Markdown {
    let mut line = Markdown::from("|");
    cells.for_each(|cell| line.push(md!(" {} |", cell)));
    line.push("\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::bench::{BenchLevel, Mode};
    use crate::measure::{Extent, Load, Recording};

    #[test]
    fn a_run_is_a_table_whatever_its_address_holds() {
        let mut run = Run::new("http://edge/a|b\n# c", "[x](y)", 1_700_000_000_000, Mode::Sustained);
        let load = Load::closed(1, Extent::Requests(1));
        let recording = Recording::default();
        run.levels.push(BenchLevel { name: "1 | connection".to_owned(), load, recording, gpu: [].into() });
        let text = document(&run, None, &[]);
        assert!(text.starts_with(HEAD), "{text:?}");
        assert!(!text.contains("\n# c") && text.contains("\\[x\\](y)"), "{text:?}");
        let row = text.lines().find(|line| line.contains("connection")).expect("a row");
        assert_eq!(row.replace("\\|", "").matches('|').count(), tables::LEVEL_HEADER.len() + 1, "{row}");
    }
}
