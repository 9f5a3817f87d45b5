//! Text in the columns of a terminal: a row goes on in the next line at a blank, never inside a word.

use std::borrow::Cow;

use console::{Term, measure_text_width};

use crate::resource::SafeText;

/// Narrower terminals are treated as this wide.
const NARROWEST: usize = 20;
/// Fewer letters of an id say nothing.
pub(super) const SHORTEST: usize = 8;

/// What a text is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns; as many as can be where nobody looks through a terminal.
    pub width: usize,
    /// Whether colors are wanted.
    pub color: bool,
}

impl Screen {
    /// So many columns; `u16::MAX` for what is not a terminal.
    pub fn of(width: u16, color: bool) -> Self {
        Self::new(Some(width).filter(|width| *width != u16::MAX), color)
    }

    /// Standard error.
    pub fn of_errors(color: bool) -> Self {
        Self::new(Term::stderr().size_checked().map(|(_, columns)| columns), color)
    }

    /// A pipe or a file: rows are as long as they are.
    pub const fn unbounded(color: bool) -> Self {
        Self { width: usize::MAX, color }
    }

    /// A text in rows that fit: its words stay whole.
    pub fn rows(self, text: &SafeText) -> SafeText {
        fitted(text, self, false)
    }

    fn new(width: Option<u16>, color: bool) -> Self {
        Self { width: width.map_or(usize::MAX, |width| usize::from(width).max(NARROWEST)), color }
    }
}

/// A text no line of which is wider than the screen: what does not fit goes on below, indented. `cut`: a word that has no room in a
/// line of its own loses its middle; else it stays whole, so that it can be copied. A command of this program is never split: a shell
/// would run its first row alone.
pub(super) fn fitted(text: &SafeText, screen: Screen, cut: bool) -> SafeText {
    if screen.width == usize::MAX {
        return text.clone();
    }
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if measure_text_width(line) <= screen.width || is_command(line) {
            out.push_str(line);
        } else {
            push_wrapped(&mut out, line, screen.width, cut);
        }
        out.push_str(end);
    }
    SafeText::laid_out(out)
}

/// Whether a line is a command to copy, as a rule the next step of an error.
fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix("next: ").unwrap_or(line).starts_with("akidb-edge ")
}

fn push_wrapped(out: &mut String, line: &str, width: usize, cut: bool) {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let below = (indent + 4).min(width / 2);
    let indent = indent.min(below);
    for (number, row) in wrapped(line, width - indent, width - below, cut).into_iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        out.push_str(&" ".repeat(if number == 0 { indent } else { below }));
        out.push_str(&row);
    }
}

/// A line in rows of at most `first` and then `room` columns.
fn wrapped(line: &str, first: usize, room: usize, cut: bool) -> Vec<String> {
    let (mut rows, mut row, mut used, mut most) = (Vec::new(), String::new(), 0, first);
    for (gap, word) in words(line) {
        let word = if cut { without_middle(word, most.min(room)) } else { Cow::Borrowed(word) };
        let wide = measure_text_width(&word);
        let gap = if used == 0 { 0 } else { gap };
        if used > 0 && used + gap + wide > most {
            rows.push(std::mem::take(&mut row));
            (used, most) = (0, room);
        }
        if used > 0 {
            row.push_str(&" ".repeat(gap));
            used += gap;
        }
        row.push_str(&word);
        used += wide;
    }
    rows.push(row);
    rows
}

/// The words of a line, each with the number of blanks before it.
fn words(line: &str) -> Vec<(usize, &str)> {
    let (mut all, mut rest) = (Vec::new(), line);
    loop {
        let from = rest.trim_start_matches(' ');
        if from.is_empty() {
            return all;
        }
        let end = from.find(' ').unwrap_or(from.len());
        all.push((rest.len() - from.len(), &from[..end]));
        rest = &from[end..];
    }
}

/// A word in so many columns: the middle of what is longer is left out, since names begin and ids end in what tells them apart.
/// What has a style is short, and stays.
pub(super) fn without_middle(word: &str, room: usize) -> Cow<'_, str> {
    if measure_text_width(word) <= room || word.contains('\x1b') || room < 3 {
        return Cow::Borrowed(word);
    }
    let letters: Vec<char> = word.chars().collect();
    let wide = |letter: &char| measure_text_width(letter.encode_utf8(&mut [0; 4]));
    let (front, back) = ((room - 1) / 2, room - 1 - (room - 1) / 2);
    let taken = |room: usize, letters: &mut dyn Iterator<Item = &char>| {
        let mut used = 0;
        letters
            .take_while(|letter| {
                used += wide(letter);
                used <= room
            })
            .count()
    };
    let head = taken(front, &mut letters.iter());
    let tail = taken(back, &mut letters.iter().rev());
    let (head, tail) = (&letters[..head], &letters[letters.len() - tail..]);
    Cow::Owned(head.iter().chain(&['…']).chain(tail).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::shown;

    fn at(width: usize) -> Screen {
        Screen { width, color: false }
    }

    #[test]
    fn a_row_goes_on_below_at_a_blank() {
        let row = shown!("  + create  distribution.main    AkiDB edge  [disruptive]\nnext\n");
        assert_eq!(fitted(&row, Screen::unbounded(false), true), row);
        assert_eq!(fitted(&row, at(57), true), row);
        let said = fitted(&row, at(50), true);
        assert_eq!(said, "  + create  distribution.main    AkiDB edge\n      [disruptive]\nnext\n");
        for width in 24..60 {
            let said = fitted(&row, at(width), true).to_string();
            assert!(said.lines().all(|line| measure_text_width(line) <= width), "{width}: {said}");
            let words: Vec<&str> = said.split_whitespace().collect();
            assert_eq!(words, row.split_whitespace().collect::<Vec<_>>(), "{width}");
        }
    }

    #[test]
    fn a_word_without_room_loses_its_middle_or_stays_whole() {
        let arn = "arn:aws:cloudfront::123456789012:distribution/E1ABCDEFGHIJKL";
        let row = shown!("  id: {}\n", arn);
        let cut = fitted(&row, at(40), true).to_string();
        assert!(cut.contains("arn:aws") && cut.contains('…') && cut.contains("GHIJKL"), "{cut}");
        assert!(cut.lines().all(|line| measure_text_width(line) <= 40), "{cut}");
        assert!(fitted(&row, at(40), false).contains(arn), "it can be copied");
        assert_eq!(without_middle("abcdefghij", 5), "ab…ij");
        assert_eq!(without_middle("日本語日本語", 6), "日…語");
        assert_eq!(without_middle("abc", 3), "abc");
    }

    #[test]
    fn a_command_stays_in_one_row() {
        let command = shown!("  next: akidb-edge destroy --stack site --only page.bucket.site\n");
        assert_eq!(fitted(&command, at(40), false), command);
        let words =
            fitted(&shown!("  next: save the data, then run akidb-edge destroy --empty-buckets\n"), at(40), false);
        assert!(words.lines().all(|line| measure_text_width(line) <= 40), "{words:?}");
    }

    #[test]
    fn styles_have_no_width() {
        let row =
            SafeText::laid_out("  \u{1b}[32m+\u{1b}[0m create  name  \u{1b}[31m[destroys data]\u{1b}[0m".to_owned());
        assert_eq!(fitted(&row, at(34), true), row);
        assert!(fitted(&row, at(30), true).contains("\n      data]"));
    }
}
