//! Rows below a header, as wide as the terminal: columns become narrower, then those go that are said to matter least.

use console::{Style, measure_text_width};

use super::fit::{SHORTEST, Screen, wrapped};
use super::output::painted;
use crate::resource::{SafeText, shown};

/// Blanks between two columns.
const GAP: usize = 2;

/// A table of cells that were written out. `first_to_go` names the columns that are left out where there is no room, in that order.
pub(super) fn table(header: &[&str], rows: &[Vec<String>], first_to_go: &[&'static str], screen: Screen) -> SafeText {
    let widest = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).flat_map(|cell| cell.lines());
        cells.map(measure_text_width).chain([measure_text_width(header[at])]).max().unwrap_or(0)
    };
    let natural: Vec<usize> = (0..header.len()).map(widest).collect();
    let least: Vec<usize> = (0..header.len()).map(|at| narrowest(at, natural[at], header[at], rows)).collect();
    let mut kept: Vec<usize> = (0..header.len()).collect();
    let mut gone: Vec<&'static str> = Vec::new();
    for name in first_to_go {
        if total(&kept.iter().map(|at| least[*at]).collect::<Vec<_>>()) <= screen.width {
            break;
        }
        kept.retain(|at| header[*at] != *name);
        gone.push(name);
    }
    let mut widths: Vec<usize> = kept.iter().map(|at| natural[*at]).collect();
    shrink(&mut widths, &kept.iter().map(|at| least[*at]).collect::<Vec<_>>(), screen.width);
    // A terminal that is too narrow for what is left gets the beginnings and ends of it.
    shrink(&mut widths, &vec![SHORTEST / 2; kept.len()], screen.width);
    let mut lines = laid_out(&kept.iter().map(|at| header[*at].to_owned()).collect::<Vec<_>>(), &widths);
    for line in &mut lines {
        *line = painted(screen.color, Style::new().bold(), SafeText::laid_out(std::mem::take(line))).to_string();
    }
    for row in rows {
        let cells: Vec<String> = kept.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
        lines.extend(laid_out(&cells, &widths));
    }
    let mut text = SafeText::laid_out(lines.join("\n"));
    if !gone.is_empty() {
        text.push(shown!("\n(no room for {}: use a wider terminal, or --json)", SafeText::join(gone, ", ")));
    }
    text
}

/// How narrow a column may become: the first one tells the rows apart and stays whole, words of others stay whole up to a bound.
fn narrowest(at: usize, natural: usize, header: &str, rows: &[Vec<String>]) -> usize {
    const LONG: usize = 16;
    if at == 0 {
        return natural;
    }
    let words = rows.iter().filter_map(|row| row.get(at)).flat_map(|cell| cell.split_whitespace());
    let longest = words.map(measure_text_width).max().unwrap_or(0);
    longest.min(LONG).max(measure_text_width(header))
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// Takes columns from the widest ones until all fit, or none may become narrower.
fn shrink(widths: &mut [usize], least: &[usize], room: usize) {
    while total(widths) > room {
        let spare = |at: &usize| widths[*at].saturating_sub(least[*at]);
        let Some(at) = (0..widths.len()).filter(|at| spare(at) > 0).max_by_key(|at| widths[*at]) else { return };
        widths[at] -= 1;
    }
}

/// A row as lines: a cell goes on below in its own column.
fn laid_out(cells: &[String], widths: &[usize]) -> Vec<String> {
    let columns: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| cell.lines().flat_map(|line| wrapped(line, *width, *width, true)).collect())
        .collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let line = |number: usize| {
        let mut line = String::new();
        for (column, width) in columns.iter().zip(widths) {
            let cell = column.get(number).map_or("", String::as_str);
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(measure_text_width(cell)) + GAP));
        }
        line.truncate(line.trim_end().len());
        line
    };
    (0..height).map(line).collect()
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
}
