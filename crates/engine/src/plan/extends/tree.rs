//! The data of a plan as a tree in which every part knows its file and place, so that parts of several files can be put together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::plan::source::{SourcePlace, SourceText, join};

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSpot {
    /// Number of the file in the chain; 0 is the one that the user named.
    pub file: usize,
    /// The place in it.
    pub place: SourcePlace,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// Where; a member of a mapping stands where its key stands.
    pub spot: SourceSpot,
    /// What.
    pub data: Data,
    /// The members of a mapping that a later plan has removed: where it says so.
    pub removed: BTreeMap<String, SourceSpot>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Data {
    /// A text, number, truth value or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<TreeNode>),
    /// A mapping.
    Map(BTreeMap<String, TreeNode>),
}

/// What is known of each dotted path of a tree.
#[derive(Debug, Default)]
pub struct Flat {
    /// The place.
    pub places: BTreeMap<String, SourcePlace>,
    /// The number of the file.
    pub files: BTreeMap<String, usize>,
    /// The variables that a text names.
    pub variables: BTreeMap<String, NamedVariables>,
    /// What a later plan has removed, and where it says so.
    pub removed: BTreeMap<String, SourceSpot>,
}

/// The variables that a text names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedVariables {
    /// All of them.
    pub all: BTreeSet<String>,
    /// The one that the text begins with, when nothing behind it leads up again: a path is then one below its value.
    pub first: Option<String>,
}

impl NamedVariables {
    fn of(text: &str) -> Self {
        let all = variables_of(text).map(str::to_owned).collect();
        let head = text.strip_prefix("${var.").and_then(|rest| rest.split_once('}'));
        let first = head.filter(|(_, rest)| !rest.split('/').any(|part| part == "..")).map(|(name, _)| name.to_owned());
        Self { all, first }
    }
}

impl TreeNode {
    /// The tree of a file.
    pub fn of(text: &SourceText, file: usize) -> Self {
        Self::below(text, file, "", &text.value)
    }

    fn below(text: &SourceText, file: usize, path: &str, value: &Value) -> Self {
        let spot = SourceSpot { file, place: text.place(path) };
        let member = |key: &str, item: &Value| Self::below(text, file, &join(path, key), item);
        let data = match value {
            Value::Array(items) => {
                Data::List(items.iter().enumerate().map(|(at, item)| member(&at.to_string(), item)).collect())
            }
            Value::Object(fields) => {
                Data::Map(fields.iter().map(|(key, item)| (key.clone(), member(key, item))).collect())
            }
            other => Data::Scalar(other.clone()),
        };
        Self { spot, data, removed: BTreeMap::new() }
    }

    /// A member of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        if let Data::Map(fields) = &self.data { fields.get(key) } else { None }
    }

    /// A member of a mapping, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        if let Data::Map(fields) = &mut self.data { fields.get_mut(key) } else { None }
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.data, Data::List(_))
    }

    /// The members of a list; anything else has none.
    pub fn items(&self) -> &[Self] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// The members of a list, to be changed.
    pub fn items_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Data::List(items) = &mut self.data { Some(items) } else { None }
    }

    /// It as a text.
    pub fn as_text(&self) -> Option<&str> {
        if let Data::Scalar(Value::String(text)) = &self.data { Some(text) } else { None }
    }

    /// The text of a member.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// It as plain data.
    pub fn value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Data::Map(fields) => Value::Object(fields.iter().map(|(key, item)| (key.clone(), item.value())).collect()),
        }
    }

    /// What is known of each dotted path.
    pub fn flat(&self) -> Flat {
        let mut flat = Flat::default();
        self.note("", &mut flat);
        flat
    }

    fn note(&self, path: &str, flat: &mut Flat) {
        let is_met = flat.files.contains_key(path);
        // Keys with dots can make two paths alike. The file that the user named counts then: it may read less than a plan that
        // the tool carries.
        if flat.files.get(path).is_none_or(|file| self.spot.file < *file) {
            flat.files.insert(path.to_owned(), self.spot.file);
            flat.places.insert(path.to_owned(), self.spot.place);
        }
        flat.removed.extend(self.removed.iter().map(|(key, spot)| (join(path, key), *spot)));
        match &self.data {
            Data::Scalar(Value::String(text)) => {
                let NamedVariables { all, first } = NamedVariables::of(text);
                if is_met || !all.is_empty() {
                    let held = flat.variables.entry(path.to_owned()).or_default();
                    held.all.extend(all);
                    // Of two texts it is not known which one the path begins with.
                    held.first = first.filter(|_| !is_met);
                }
            }
            Data::Scalar(_) => {}
            Data::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    item.note(&join(path, &at.to_string()), flat);
                }
            }
            Data::Map(fields) => {
                for (key, item) in fields {
                    item.note(&join(path, key), flat);
                }
            }
        }
    }
}

/// The names of the variables in a text.
fn variables_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("${var.").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The steps of a plan, of all days.
pub fn steps(plan: &TreeNode) -> impl Iterator<Item = &TreeNode> {
    let days = plan.get("days").map(TreeNode::items).unwrap_or_default();
    days.iter().flat_map(|day| day.get("steps").map(TreeNode::items).unwrap_or_default())
}

/// The ids of the steps.
pub fn step_ids(plan: &TreeNode) -> BTreeSet<String> {
    steps(plan).filter_map(|step| step.text("id")).map(str::to_owned).collect()
}
