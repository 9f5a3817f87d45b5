//! YAML text to plain data, remembering where each value stood.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Value};

use super::bounds::DEEPEST;
use super::depth::too_deep;
use super::former_keys::{FormerKey, KeyChange};

/// A place in a file: line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePlace {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// The data of a file and where each part of it stood.
#[derive(Clone, Debug, Default)]
pub struct SourceText {
    /// The data.
    pub value: Value,
    /// Dotted path to place; a mapping's member stands where its key stands.
    places: BTreeMap<String, SourcePlace>,
    /// The former keys that it uses; the data has the new ones.
    pub former: Vec<FormerKey>,
}

/// The key by which YAML 1.1 takes the fields of another mapping over. YAML 1.2 does not have it.
const MERGE: &str = "<<";

/// The text is not YAML, or says what a plan cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSyntaxError {
    /// Where.
    pub place: SourcePlace,
    /// What.
    pub problem: String,
}

impl SourceText {
    /// Reads one YAML document.
    ///
    /// # Errors
    /// With the place of the first thing that is not YAML.
    pub fn parse(text: &str) -> Result<Self, PlanSyntaxError> {
        match loaded(text)?.as_slice() {
            [] => Err(PlanSyntaxError {
                place: SourcePlace { line: 1, column: 1 },
                problem: "the file is empty".to_owned(),
            }),
            [one] => Self::document(one),
            [_, second, ..] => Err(PlanSyntaxError {
                place: start(second),
                problem: "a plan is one YAML document, this is a second one".into(),
            }),
        }
    }

    /// Reads each document of a YAML text that has something in it.
    ///
    /// # Errors
    /// With the place of the first thing that is not YAML, or of a merge key.
    pub fn documents(text: &str) -> Result<Vec<Self>, PlanSyntaxError> {
        let all = loaded(text)?.iter().map(Self::document).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Self> = all.into_iter().filter(|document| !document.value.is_null()).collect();
        match all.iter().filter_map(Self::merge_key).min() {
            Some(place) => Err(PlanSyntaxError {
                place,
                problem: "merge keys (<<) are not supported: repeat the fields here".to_owned(),
            }),
            None => Ok(all),
        }
    }

    fn document(node: &MarkedYaml<'_>) -> Result<Self, PlanSyntaxError> {
        let mut read = Self::default();
        read.value = read.node("", node)?;
        Ok(read)
    }

    /// Reads one YAML document of this tool, in which each mapping has its own fields.
    ///
    /// # Errors
    /// With the place of the first thing that is not YAML, or of a merge key.
    pub fn written_out(text: &str) -> Result<Self, PlanSyntaxError> {
        let read = Self::parse(text)?;
        match read.merge_key() {
            Some(place) => Err(PlanSyntaxError {
                place,
                problem: "merge keys (<<) are not supported: repeat the fields here, or let the plan extend another (extends)"
                    .to_owned(),
            }),
            None => Ok(read),
        }
    }

    /// Where the first merge key stands.
    fn merge_key(&self) -> Option<SourcePlace> {
        let is_merge = |path: &str| path == MERGE || path.strip_suffix(MERGE).is_some_and(|rest| rest.ends_with('.'));
        self.places.iter().filter(|(path, _)| is_merge(path)).map(|(_, place)| *place).min()
    }

    /// Data that was put together, with the place of each part and the former keys of all files.
    pub const fn of(value: Value, places: BTreeMap<String, SourcePlace>, former: Vec<FormerKey>) -> Self {
        Self { value, places, former }
    }

    /// Notes keys of a file that were renamed in the data: their places follow.
    pub(super) fn note_former(&mut self, file: &str, changes: &mut Vec<KeyChange>) {
        for (parent, former, name) in changes.drain(..) {
            let (was, is) = (join(&parent, &former), join(&parent, &name));
            let place = self.place(&was);
            self.former.push(FormerKey { file: file.to_owned(), place, former, name });
            let below =
                |path: &str| path.strip_prefix(&was).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let moved: Vec<String> = self.places.keys().filter(|path| below(path)).cloned().collect();
            for path in moved {
                if let Some(place) = self.places.remove(&path) {
                    self.places.insert(format!("{is}{}", &path[was.len()..]), place);
                }
            }
        }
    }

    /// Where the value at `path` stands; where its nearest parent stands, when it was not written out.
    pub fn place(&self, path: &str) -> SourcePlace {
        let mut at = path;
        loop {
            if let Some(place) = self.places.get(at) {
                return *place;
            }
            match at.rfind('.') {
                Some(dot) => at = &at[..dot],
                None => return self.places.get("").copied().unwrap_or_default(),
            }
        }
    }

    fn node(&mut self, path: &str, node: &MarkedYaml<'_>) -> Result<Value, PlanSyntaxError> {
        self.places.entry(path.to_owned()).or_insert_with(|| start(node));
        let value = match &node.data {
            YamlData::Value(scalar) => self::scalar(scalar).ok_or_else(|| not_finite(node))?,
            YamlData::Sequence(items) => {
                let items = items.iter().enumerate().map(|(at, item)| self.node(&join(path, &at.to_string()), item));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(fields) => {
                let mut map = Map::new();
                for (key, item) in fields {
                    let YamlData::Value(name) = &key.data else {
                        return Err(PlanSyntaxError {
                            place: start(key),
                            problem: "a key must be a plain word".to_owned(),
                        });
                    };
                    let name = match self::scalar(name).ok_or_else(|| not_finite(key))? {
                        Value::String(name) => name,
                        other => other.to_string(),
                    };
                    let below = join(path, &name);
                    self.places.insert(below.clone(), start(key));
                    let item = self.node(&below, item)?;
                    map.insert(name, item);
                }
                Value::Object(map)
            }
            _ => return Err(PlanSyntaxError { place: start(node), problem: "tags are not used in plans".to_owned() }),
        };
        Ok(value)
    }
}

/// The documents of a YAML text.
fn loaded(text: &str) -> Result<Vec<MarkedYaml<'_>>, PlanSyntaxError> {
    if let Some(place) = too_deep(text) {
        return Err(PlanSyntaxError {
            place,
            problem: format!("lists and mappings are nested deeper than {DEEPEST} levels"),
        });
    }
    MarkedYaml::load_from_str(text).map_err(|bad| PlanSyntaxError {
        place: SourcePlace { line: bad.marker().line(), column: bad.marker().col() + 1 },
        problem: bad.info().to_owned(),
    })
}

/// A value as JSON has it; none for a number that JSON does not have.
fn scalar(scalar: &Scalar<'_>) -> Option<Value> {
    Some(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(on) => Value::Bool(*on),
        Scalar::Integer(number) => (*number).into(),
        Scalar::FloatingPoint(number) => Value::Number(serde_json::Number::from_f64(number.into_inner())?),
        Scalar::String(text) => Value::String(text.to_string()),
    })
}

fn not_finite(node: &MarkedYaml<'_>) -> PlanSyntaxError {
    let problem =
        "a number must be finite: .inf, .nan and numbers beyond the range of a float cannot be used".to_owned();
    PlanSyntaxError { place: start(node), problem }
}

fn start(node: &MarkedYaml<'_>) -> SourcePlace {
    SourcePlace { line: node.span.start.line(), column: node.span.start.col() + 1 }
}

/// A dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_places() {
        let text = SourceText::parse("a: 1\nb:\n  - c: x\n    d: true\n").expect("YAML");
        assert_eq!(text.value, serde_json::json!({"a": 1, "b": [{"c": "x", "d": true}]}));
        assert_eq!(text.place("b.0.d"), SourcePlace { line: 4, column: 5 });
        assert_eq!(text.place("b.0.d.deeper.still"), SourcePlace { line: 4, column: 5 });
        assert_eq!(text.place("b"), SourcePlace { line: 2, column: 1 });
    }

    #[test]
    fn documents_that_say_nothing_are_left_out() {
        let all = SourceText::documents("# head\n---\na: 1\n---\n# nothing\n---\nb: 2\n---\n").expect("YAML");
        let told: Vec<(Value, usize)> = all.iter().map(|text| (text.value.clone(), text.place("b").line)).collect();
        assert_eq!(told, [(serde_json::json!({"a": 1}), 3), (serde_json::json!({"b": 2}), 7)]);
        assert_eq!(SourceText::documents("").expect("YAML").len(), 0);
        assert_eq!(SourceText::documents("a: 1\n---\n<<: {b: 1}\n").expect_err("a merge key").place.line, 3);
    }

    #[test]
    fn a_merge_key_is_refused_with_its_place() {
        let merged = "a: &a {x: 1}\nb:\n  y: 2\n  <<: *a\n";
        let refused = SourceText::written_out(merged).expect_err("it takes fields over");
        assert_eq!(refused.place, SourcePlace { line: 4, column: 3 });
        assert!(refused.problem.contains("merge keys (<<) are not supported"), "{}", refused.problem);
        assert!(SourceText::written_out("<<: {a: 1}\n").is_err());
        let alias = SourceText::written_out("a: &a {x: 1}\nb: *a\nc: {'a<<': 1}\n").expect("aliases are");
        assert_eq!(alias.value["b"], serde_json::json!({"x": 1}));
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_place() {
        for number in [".inf", "-.inf", ".nan"] {
            let refused = SourceText::parse(&format!("a: 1\nb:\n  c: {number}\n")).expect_err(number);
            assert_eq!(refused.place, SourcePlace { line: 3, column: 6 }, "{number}");
            assert!(refused.problem.contains("must be finite"), "{}", refused.problem);
            assert!(SourceText::parse(&format!("a: [1, {number}]\n")).is_err(), "{number} in a list");
            assert!(SourceText::parse(&format!("{number}: 1\n")).is_err(), "{number} as a key");
        }
        assert_eq!(
            SourceText::parse("a: 1.5\nb: '.inf'\n").expect("YAML").value,
            serde_json::json!({"a": 1.5, "b": ".inf"})
        );
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_place() {
        for (bad, line) in [("a: [1\nb: 2", 2), ("a: 1\na: 2", 2), ("", 1), ("a: 1\n---\nb: 1", 3), ("? [x]\n: 1", 1)] {
            let refused = SourceText::parse(bad).expect_err(bad);
            assert_eq!(refused.place.line, line, "{bad:?}: {refused:?}");
        }
    }
}
