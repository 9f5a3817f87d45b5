//! Rows below a header, as wide as the terminal. comfy-table lays them out; what is decided here before is which columns are left out
//! where there is no room, and how many letters a word keeps, since comfy-table would break a long word anywhere.

use std::borrow::Cow;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use console::{Style, measure_text_width};

use super::fit::{SHORTEST, Screen, without_middle};
use super::output::painted;
use crate::resource::{SafeText, shown};

/// Blanks between two columns.
const GAP: u16 = 2;
/// Columns are left out before words of this length lose their middle.
const LONG: usize = 16;
/// Of every word at least so much stays.
const LEAST: usize = SHORTEST / 2;

/// A table of cells that were written out. `first_to_go` names the columns that are left out where there is no room, in that order.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], first_to_go: &[&'static str], screen: Screen) -> SafeText {
    let mut columns: Vec<Column<'_>> =
        header.iter().enumerate().map(|(at, name)| Column::new(at, name, rows)).collect();
    let gone = leave_out(&mut columns, first_to_go, screen.width);
    let lines = laid_out(&columns, rows.len(), screen.width);
    let (head, below) = lines.split_once('\n').map_or((lines.as_str(), None), |(head, below)| (head, Some(below)));
    let mut text = painted(screen.color, Style::new().bold(), SafeText::laid_out(head.to_owned()));
    if let Some(below) = below {
        text.push(SafeText::laid_out(format!("\n{below}")));
    }
    if !gone.is_empty() {
        text.push(shown!("\n(no room for {}: use a wider terminal, or --json)", SafeText::join(gone, ", ")));
    }
    text
}

/// A column before it is laid out.
struct Column<'a> {
    header: &'a str,
    cells: Vec<&'a str>,
    /// The first column tells the rows apart: it stays whole as long as it can.
    first: bool,
    /// Columns of the longest line.
    natural: usize,
    /// Columns of the longest word; the header counts as one.
    word: usize,
}

impl<'a> Column<'a> {
    fn new(at: usize, header: &'a str, rows: &'a [Vec<String>]) -> Self {
        let cells: Vec<&str> = rows.iter().map(|row| row.get(at).map_or("", String::as_str)).collect();
        let named = measure_text_width(header);
        let natural = widest(cells.iter().flat_map(|cell| cell.lines())).max(named);
        let word = widest(cells.iter().flat_map(|cell| cell.split_whitespace())).max(named);
        Self { header, cells, first: at == 0, natural, word }
    }

    fn stays_whole(&self, limit: usize) -> bool {
        self.first && limit >= LONG
    }

    /// How narrow it may become where words keep so many letters.
    fn least(&self, limit: usize) -> usize {
        if self.stays_whole(limit) { self.natural } else { self.word.min(limit) }
    }

    /// A cell in which no word is longer than that.
    fn shortened(&self, cell: &'a str, limit: usize) -> Cow<'a, str> {
        if self.stays_whole(limit) || self.word <= limit {
            return Cow::Borrowed(cell);
        }
        let line = |line: &str| line.split(' ').map(|word| without_middle(word, limit)).collect::<Vec<_>>().join(" ");
        Cow::Owned(cell.split('\n').map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Leaves out columns until the words of the others have room, and says which ones.
fn leave_out(columns: &mut Vec<Column<'_>>, first_to_go: &[&'static str], width: usize) -> Vec<&'static str> {
    let mut gone = Vec::new();
    for name in first_to_go {
        if total(columns, |column| column.least(LONG)) <= width {
            break;
        }
        let before = columns.len();
        columns.retain(|column| column.header != *name);
        if columns.len() < before {
            gone.push(*name);
        }
    }
    gone
}

fn widest<'a>(parts: impl Iterator<Item = &'a str>) -> usize {
    parts.map(measure_text_width).max().unwrap_or(0)
}

fn total(columns: &[Column<'_>], of: impl Fn(&Column<'_>) -> usize) -> usize {
    columns.iter().map(of).sum::<usize>() + usize::from(GAP) * columns.len().saturating_sub(1)
}

/// How many letters a word may keep, so that each column has room for its longest one. None where all have room as they are.
fn limit_of_words(columns: &[Column<'_>], width: usize) -> Option<usize> {
    if total(columns, |column| column.natural) <= width {
        return None;
    }
    let longest = columns.iter().map(|column| column.word).max().unwrap_or(0).clamp(LONG, width.max(LONG));
    let fits = |limit: &usize| total(columns, |column| column.least(*limit)) <= width;
    Some((LEAST..=longest).rev().find(fits).unwrap_or(LEAST))
}

/// The lines; the first one is the header.
fn laid_out(columns: &[Column<'_>], height: usize, width: usize) -> String {
    let limit = limit_of_words(columns, width);
    let cut = limit.unwrap_or(usize::MAX);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().map(|column| without_middle(column.header, cut)));
    for row in 0..height {
        table.add_row(columns.iter().map(|column| column.shortened(column.cells[row], cut)));
    }
    for (laid, column) in table.column_iter_mut().zip(columns) {
        let gap = if laid.index == 0 { 0 } else { GAP };
        laid.set_padding((gap, 0));
        if let Some(least) = limit.and_then(|limit| lower_boundary(column, limit, gap)) {
            laid.set_constraint(least);
        }
    }
    if limit.is_some() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    table.trim_fmt()
}

/// A word that has no room in its column would be broken. comfy-table counts in `u16`, and adds the gap to what the cells hold: a
/// column that it cannot count has no boundary.
fn lower_boundary(column: &Column<'_>, limit: usize, gap: u16) -> Option<ColumnConstraint> {
    u16::try_from(column.natural).ok()?.checked_add(gap)?;
    let least = u16::try_from(column.least(limit)).ok()?;
    Some(ColumnConstraint::LowerBoundary(Width::Fixed(least + gap)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [&str; 4] = ["name", "source", "revision", "state"];

    fn rows() -> Vec<Vec<String>> {
        let row = |all: [&str; 4]| all.map(str::to_owned).to_vec();
        vec![
            row(["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "main (8b3219a92973)", "ready"]),
            row(["made", "-", "-", "unmanaged"]),
        ]
    }

    fn at(width: usize) -> String {
        table(&HEADER, &rows(), &["revision", "source"], Screen { width, color: false }).to_string()
    }

    #[test]
    fn a_table_has_a_head_and_no_walls() {
        assert_eq!(
            at(usize::MAX),
            "name              source                                  revision             state\n\
             all-MiniLM-L6-v2  sentence-transformers/all-MiniLM-L6-v2  main (8b3219a92973)  ready\n\
             made              -                                       -                    unmanaged"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_names_stay_whole() {
        for width in [80, 60, 50, 40, 30] {
            let text = at(width);
            let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('(')).collect();
            assert!(rows.iter().all(|line| measure_text_width(line) <= width), "{width}:\n{text}");
            assert!(text.contains("all-MiniLM-L6-v2"), "{width}:\n{text}");
            assert!(text.contains("unmanaged"), "what is named last to go stays, {width}:\n{text}");
        }
        assert!(at(80).contains("(8b3219a92973)") && !at(80).contains("no room"), "{}", at(80));
        assert!(at(40).contains("(no room for revision"), "{}", at(40));
    }

    #[test]
    fn a_cell_of_several_lines_stays_in_its_column() {
        let rows = vec![vec!["a".to_owned(), "one\ntwo".to_owned(), "x".to_owned()]];
        let text = table(&["name", "answer", "from"], &rows, &[], Screen::unbounded(false));
        assert_eq!(text, "name  answer  from\na     one     x\n      two");
    }

    #[test]
    fn a_word_without_room_loses_its_middle_and_is_not_broken() {
        let text = at(50);
        assert!(text.contains("sentence-t…niLM-L6-v2"), "{text}");
        assert_eq!(text.lines().count(), 4, "a header, two rows and what has no room:\n{text}");
        assert!(at(20).lines().nth(1).is_some_and(|row| row.starts_with("all") && row.contains('…')), "{}", at(20));
    }

    #[test]
    fn a_column_that_has_room_is_not_wrapped_beside_one_that_has_none() {
        let note = "a note of several words that goes on below";
        let rows = vec![vec!["a".to_owned(), note.to_owned(), "12".to_owned()]];
        let text = table(&["name", "note", "age"], &rows, &[], Screen { width: 40, color: false }).to_string();
        assert_eq!(
            text,
            "name  note                           age\na     a note of several words that   12\n      goes on below"
        );
    }

    #[test]
    fn the_header_is_bold_where_colors_are_wanted() {
        let rows = vec![vec!["a".to_owned()]];
        let text = table(&["name"], &rows, &[], Screen { width: 40, color: true }).to_string();
        assert_eq!(text, "\u{1b}[1mname\u{1b}[0m\na");
        assert_eq!(table(&["name"], &[], &[], Screen::unbounded(false)).to_string(), "name");
    }
}
