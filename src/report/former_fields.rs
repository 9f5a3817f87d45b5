//! Fields of JSON documents that have another name now. For one version a document has each under both names.

use serde_json::Value;

/// A field that has another name now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RenamedField {
    /// The fields above it, with dots between them; `*` stands for each member of a list or mapping.
    pub parents: &'static str,
    /// Its former name.
    pub former: &'static str,
    /// Its name.
    pub name: &'static str,
}

const fn row(parents: &'static str, former: &'static str, name: &'static str) -> RenamedField {
    RenamedField { parents, former, name }
}

/// All of them. A row about a member comes before the row about what it is in.
pub const RENAMED: &[RenamedField] = &[
    row("header.worlds.*", "world", "platform"),
    row("header", "worlds", "platforms"),
    row("", "leftovers", "pending_deletions"),
    row("state", "leftovers", "pending_deletions"),
    row("state.resources.*", "standing", "status"),
    row("resources.*", "standing", "status"),
    row("drift.*.fields.*", "remembered", "recorded"),
    row("measurements.*.found.*", "of", "subject"),
    row("", "artefacts", "artifacts"),
    row("", "in_the_way", "blocking"),
    row("", "said", "messages"),
];

impl RenamedField {
    /// The path of its former name: `header.worlds`.
    pub fn former_path(&self) -> String {
        self.path(self.former)
    }

    /// The path of its name: `header.platforms`.
    pub fn new_path(&self) -> String {
        self.path(self.name)
    }

    fn path(&self, field: &str) -> String {
        if self.parents.is_empty() { field.to_owned() } else { format!("{}.{field}", self.parents) }
    }
}

/// Adds the fields under their names to a document that has them under the former ones.
pub fn add_new_names(document: &mut Value) {
    for row in RENAMED {
        let parents: Vec<&str> = row.parents.split('.').filter(|part| !part.is_empty()).collect();
        add(document, &parents, row);
    }
}

fn add(value: &mut Value, parents: &[&str], row: &RenamedField) {
    let Some((first, rest)) = parents.split_first() else {
        if let Value::Object(fields) = value
            && let Some(said) = fields.get(row.former).cloned()
        {
            fields.entry(row.name).or_insert(said);
        }
        return;
    };
    match value {
        Value::Array(items) if *first == "*" => items.iter_mut().for_each(|item| add(item, rest, row)),
        Value::Object(fields) if *first == "*" => fields.values_mut().for_each(|item| add(item, rest, row)),
        Value::Object(fields) => fields.get_mut(*first).into_iter().for_each(|item| add(item, rest, row)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A document that has a value at a path; `*` is the only member of a list.
    fn with(parents: &str, field: &str) -> Value {
        let parts = parents.split('.').filter(|part| !part.is_empty());
        parts
            .rev()
            .fold(json!({field: 1}), |below, part| if part == "*" { json!([below]) } else { json!({part: below}) })
    }

    #[test]
    fn every_renamed_field_has_both_names() {
        for row in RENAMED {
            let mut document = with(row.parents, row.former);
            add_new_names(&mut document);
            let path: String = row
                .parents
                .split('.')
                .filter(|part| !part.is_empty())
                .fold(String::new(), |path, part| format!("{path}/{}", if part == "*" { "0" } else { part }));
            for name in [row.former, row.name] {
                assert_eq!(document.pointer(&format!("{path}/{name}")), Some(&json!(1)), "{name} in {document}");
            }
        }
    }

    #[test]
    fn a_field_of_another_place_stays_alone() {
        let mut document = json!({"changes": [{"leftovers": 1}], "header": {"platforms": []}});
        let before = document.clone();
        add_new_names(&mut document);
        assert_eq!(document, before);
    }
}
