//! How deep lists and mappings of a YAML text stand within each other. Whoever builds a tree of them takes stack for each
//! level; a text of brackets alone would take all of it.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use super::bounds::DEEPEST;
use super::source::SourcePlace;

/// Levels within and below each open list or mapping.
#[derive(Default)]
struct Levels {
    /// The anchor of each that is open, and how many levels it has so far.
    open: Vec<(usize, usize)>,
    /// The levels of each anchor: an alias brings them along.
    of_anchors: BTreeMap<usize, usize>,
}

impl Levels {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => self.open.push((*anchor, 1)),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, levels)) = self.open.pop() {
                    self.of_anchors.insert(anchor, levels);
                    self.has_below(levels);
                }
            }
            Event::Alias(anchor) => {
                let levels = self.of_anchors.get(anchor).copied().unwrap_or_default();
                self.has_below(levels);
            }
            _ => {}
        }
    }

    fn has_below(&mut self, levels: usize) {
        if let Some((_, held)) = self.open.last_mut() {
            *held = (*held).max(levels + 1);
        }
    }

    fn all(&self) -> usize {
        self.open.len().saturating_sub(1) + self.open.last().map_or(0, |(_, levels)| *levels)
    }
}

/// The first place that is deeper than [`DEEPEST`] levels.
pub fn too_deep(text: &str) -> Option<SourcePlace> {
    let mut levels = Levels::default();
    for event in Parser::new_from_str(text) {
        // Invalid YAML is reported by the reader.
        let (event, span) = event.ok()?;
        levels.note(&event);
        if levels.all() > DEEPEST {
            return Some(SourcePlace { line: span.start.line(), column: span.start.col() + 1 });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::source::SourceText;
    use super::*;

    #[test]
    fn levels_are_counted_through_aliases() {
        let nested = |levels: usize| format!("a: {}x{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(too_deep(&nested(DEEPEST - 1)), None);
        assert!(too_deep(&nested(DEEPEST)).is_some());
        assert!(SourceText::parse(&"[".repeat(1_000_000)).is_err(), "the reader has a limit of its own for brackets");
        assert!(too_deep(&format!("{}x", "- ".repeat(100_000))).is_some());
        let half = DEEPEST / 2;
        let twice = format!("a: &a {0}x{1}\nb: {0}*a{1}\n", "[".repeat(half), "]".repeat(half));
        assert!(too_deep(&twice).is_some());
        let beside = format!("a: &a {0}x{1}\nb: *a\nc: *a\n", "[".repeat(half), "]".repeat(half));
        assert_eq!(too_deep(&beside), None);
        assert_eq!(too_deep("a: [1\nb: 2"), None, "no YAML at all");
    }
}
