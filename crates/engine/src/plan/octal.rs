//! Numbers with a leading zero. Kubernetes' own tools read YAML 1.1, in which `0644` is octal (420); in YAML 1.2 it is 644. A mode
//! of a file would silently become another one.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::source::SourcePlace;

/// What helps.
pub const NEXT: &str =
    "write it without the leading zero: in decimal (0644 is 420), or as 0o644; or in quotes, where it is a text";

/// A number with a leading zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Octal {
    /// Where.
    pub place: SourcePlace,
    /// As it is written.
    pub text: String,
    /// The keys that lead to it.
    pub keys: Vec<String>,
}

/// An open list or mapping.
struct Level {
    is_mapping: bool,
    /// The key whose value comes next.
    key: Option<String>,
}

/// The numbers with a leading zero that are values, in the order of the text. Text that is not YAML has none from where it is none.
pub fn found(text: &str) -> Vec<Octal> {
    let (mut open, mut all): (Vec<Level>, Vec<Octal>) = (Vec::new(), Vec::new());
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        match event {
            Event::MappingStart(..) => open.push(Level { is_mapping: true, key: None }),
            Event::SequenceStart(..) => open.push(Level { is_mapping: false, key: None }),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                passed(&mut open, String::new());
            }
            Event::Alias(_) => passed(&mut open, String::new()),
            Event::Scalar(scalar, style, ..) => {
                let is_key = open.last().is_some_and(|level| level.is_mapping && level.key.is_none());
                if !is_key && style == ScalarStyle::Plain && is_octal(&scalar) {
                    let place = SourcePlace { line: span.start.line(), column: span.start.col() + 1 };
                    let keys = open.iter().filter_map(|level| level.key.clone()).collect();
                    all.push(Octal { place, text: scalar.to_string(), keys });
                }
                passed(&mut open, scalar.to_string());
            }
            _ => {}
        }
    }
    all
}

/// A node was passed: in a mapping it was a key, or the value of the key before it.
fn passed(open: &mut [Level], text: String) {
    if let Some(level) = open.last_mut().filter(|level| level.is_mapping) {
        level.key = if level.key.is_none() { Some(text) } else { None };
    }
}

fn is_octal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_zero_is_found_with_the_keys_before_it() {
        let text = "a: 0644\nb: [1, {c: 0o644, d: 010}]\n\"e\": \"0644\"\nf: 0\n0777: x\ng: &g 0.5\nh: *g\ni: -07\n";
        let found = found(text);
        let told: Vec<(&str, Vec<&str>, usize)> = found
            .iter()
            .map(|octal| (octal.text.as_str(), octal.keys.iter().map(String::as_str).collect(), octal.place.line))
            .collect();
        assert_eq!(told, [("0644", vec!["a"], 1), ("010", vec!["b", "d"], 2), ("-07", vec!["i"], 8)]);
    }

    #[test]
    fn what_is_no_yaml_has_none_behind_it() {
        assert_eq!(found("a: [1\nb: 0644"), []);
    }
}
