//! Keys of plans that have another name now. A plan may still use the former one for one version: it is read as the new one,
//! and the use is noted for a warning. What the journal stores has names of its own and does not change.

use serde_json::{Map, Value};

use super::source::{SourcePlace, SourceText, join};

/// Where a renamed key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// Below the settings (`with`) of a step.
    Step,
    /// Below the plan itself.
    Plan,
}

/// A key that has another name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenamedKey {
    /// Where `parents` begins.
    pub scope: KeyScope,
    /// The keys above it; `*` stands for any key, or for each member of a list.
    pub parents: &'static [&'static str],
    /// Its former name.
    pub former: &'static str,
    /// Its name.
    pub name: &'static str,
}

const fn of_step(parents: &'static [&'static str], former: &'static str, name: &'static str) -> RenamedKey {
    RenamedKey { scope: KeyScope::Step, parents, former, name }
}

/// All of them. `docs/reference/renames.md` has a row for each.
pub const RENAMED: &[RenamedKey] = &[
    of_step(&[], "behaviours", "behaviors"),
    of_step(&[], "default_behaviour", "default_behavior"),
    of_step(&["origins", "*"], "shield", "origin_shield"),
    of_step(&["replication", "*"], "both_ways", "bidirectional"),
    of_step(&["replication"], "both_ways", "bidirectional"),
    of_step(&["gpu"], "proof_image", "cuda_test_image"),
    of_step(&["gpu"], "proof_says", "cuda_test_output"),
    of_step(&[], "live_path", "liveness_path"),
    of_step(&[], "ready_path", "readiness_path"),
    of_step(&["latency"], "as", "subject"),
    of_step(&["failover"], "record_seconds", "record_ttl_seconds"),
    RenamedKey { scope: KeyScope::Plan, parents: &["criteria", "*", "*"], former: "of", name: "subject" },
];

impl RenamedKey {
    /// The dotted path of its former name: `steps.*.with.behaviours`.
    pub fn former_path(&self) -> String {
        self.path(self.former)
    }

    /// The dotted path of its name.
    pub fn new_path(&self) -> String {
        self.path(self.name)
    }

    fn path(&self, key: &str) -> String {
        let base = if self.scope == KeyScope::Step { "steps.*.with" } else { "" };
        self.parents.iter().chain([&key]).fold(base.to_owned(), |path, part| join(&path, part))
    }

    /// Whether a value may be renamed. A mapping below `replication` is a rule of that name, not the switch.
    fn fits(&self, value: &Value) -> bool {
        self.former != "both_ways" || !value.is_object()
    }
}

/// The path in a plan of an attribute that the journal stores: attributes have kept the former names.
pub fn key_of(attribute: &str) -> String {
    let first = attribute.split('.').next().unwrap_or_default();
    let is_first = |row: &&RenamedKey| row.scope == KeyScope::Step && row.parents.is_empty() && row.former == first;
    match RENAMED.iter().find(is_first) {
        Some(row) => format!("{}{}", row.name, &attribute[first.len()..]),
        None => attribute.to_owned(),
    }
}

/// A former key that a plan uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerKey {
    /// The file that has it.
    pub file: String,
    /// Where in it.
    pub place: SourcePlace,
    /// Its former name, as it is written.
    pub former: String,
    /// Its name.
    pub name: String,
}

impl FormerKey {
    /// What is said about it.
    pub fn problem(&self) -> String {
        format!("{} was renamed to {}; the former name is accepted until version 0.2", self.former, self.name)
    }

    /// What to do.
    pub fn next_step(&self) -> String {
        format!("write {}", self.name)
    }
}

/// Reads the former keys of a plan as the new ones, and notes them in the text. A mapping that has both keeps both: the reader
/// then refuses the former one.
pub fn read_as_new(file: &str, text: &mut SourceText) {
    let mut found = Vec::new();
    for row in RENAMED {
        match row.scope {
            KeyScope::Plan => below(&mut text.value, "", row.parents, row, &mut found),
            KeyScope::Step => below_steps(&mut text.value, row, &mut found),
        }
        in_fallbacks(&mut text.value, row, &mut found);
        text.note_former(file, &mut found);
        in_removals(file, text, row);
    }
}

/// A key that was renamed: the path of the mapping, the former key and the new one.
pub type KeyChange = (String, String, String);

fn below_steps(plan: &mut Value, row: &RenamedKey, found: &mut Vec<KeyChange>) {
    for (day, fields) in items(plan.get_mut("days")) {
        for (step, fields) in items(fields.get_mut("steps")) {
            if let Some(with) = fields.get_mut("with") {
                below(with, &format!("days.{day}.steps.{step}.with"), row.parents, row, found);
            }
        }
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = (usize, &mut Value)> {
    list.and_then(Value::as_array_mut).into_iter().flatten().enumerate()
}

/// Renames the key in the mappings that `parents` lead to.
fn below(value: &mut Value, path: &str, parents: &[&str], row: &RenamedKey, found: &mut Vec<KeyChange>) {
    let Some((first, rest)) = parents.split_first() else {
        if let Value::Object(fields) = value
            && fields.get(row.former).is_some_and(|value| row.fits(value))
        {
            put(fields, path, row.former, row.name, found);
        }
        return;
    };
    match value {
        Value::Array(list) if *first == "*" => {
            for (at, item) in list.iter_mut().enumerate() {
                below(item, &join(path, &at.to_string()), rest, row, found);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields.iter_mut().filter(|(key, _)| *first == "*" || key == first) {
                below(item, &join(path, key), rest, row, found);
            }
        }
        _ => {}
    }
}

/// Renames a key of a mapping that does not have the new one.
fn put(fields: &mut Map<String, Value>, path: &str, former: &str, name: &str, found: &mut Vec<KeyChange>) {
    if !fields.contains_key(name)
        && let Some(value) = fields.remove(former)
    {
        fields.insert(name.to_owned(), value);
        found.push((path.to_owned(), former.to_owned(), name.to_owned()));
    }
}

/// `fallbacks.NAME.set`: its keys are dotted paths of settings, and its values may hold further keys.
fn in_fallbacks(plan: &mut Value, row: &RenamedKey, found: &mut Vec<KeyChange>) {
    let Some(Value::Object(fallbacks)) = plan.get_mut("fallbacks").filter(|_| row.scope == KeyScope::Step) else {
        return;
    };
    for (name, fallback) in fallbacks {
        let path = join(&join("fallbacks", name), "set");
        let Some(Value::Object(set)) = fallback.get_mut("set") else { continue };
        let keys: Vec<String> = set.keys().cloned().collect();
        for key in keys {
            let Some((step, rest)) = key.split_once('.') else { continue };
            if let Some(renamed) = dotted(rest, row) {
                put(set, &path, &key, &format!("{step}.{renamed}"), found);
            } else if let Some(parents) = parents_below(rest, row.parents)
                && let Some(value) = set.get_mut(&key)
            {
                below(value, &join(&path, &key), parents, row, found);
            }
        }
    }
}

/// `remove`: its members are dotted paths, `steps.STEP.with.SETTING`.
fn in_removals(file: &str, text: &mut SourceText, row: &RenamedKey) {
    let mut used = Vec::new();
    for (at, item) in items(text.value.get_mut("remove")).filter(|_| row.scope == KeyScope::Step) {
        let Value::String(path) = item else { continue };
        let Some((step, rest)) = path.split_once(".with.") else { continue };
        if let Some(renamed) = dotted(rest, row) {
            let new = format!("{step}.with.{renamed}");
            used.push((join("remove", &at.to_string()), std::mem::replace(path, new.clone()), new));
        }
    }
    for (at, former, name) in used {
        let place = text.place(&at);
        text.former.push(FormerKey { file: file.to_owned(), place, former, name });
    }
}

/// A dotted path below the settings of a step, with its former key renamed. A `*` stands for one key or more: keys may have dots.
fn dotted(path: &str, row: &RenamedKey) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let at = key_position(&parts, row.parents, row.former)?;
    let mut renamed = parts;
    renamed[at] = row.name;
    Some(renamed.join("."))
}

fn key_position(parts: &[&str], parents: &[&str], former: &str) -> Option<usize> {
    let Some((first, rest)) = parents.split_first() else {
        return (parts.first() == Some(&former)).then_some(0);
    };
    if *first != "*" {
        return (parts.first() == Some(first))
            .then(|| key_position(&parts[1..], rest, former))
            .flatten()
            .map(|at| at + 1);
    }
    (1..parts.len()).find_map(|used| key_position(&parts[used..], rest, former).map(|at| at + used))
}

/// The parents that are left below a dotted path, when the path leads to a mapping above the key.
fn parents_below(path: &str, parents: &'static [&'static str]) -> Option<&'static [&'static str]> {
    let parts: Vec<&str> = path.split('.').collect();
    let fits = parts.len() <= parents.len() && parts.iter().zip(parents).all(|(part, one)| *one == "*" || part == one);
    fits.then(|| &parents[parts.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SourceText {
        let mut read = SourceText::parse(text).expect("YAML");
        read_as_new("p.yaml", &mut read);
        read
    }

    fn used(text: &SourceText) -> Vec<(&str, &str, usize)> {
        text.former.iter().map(|used| (used.former.as_str(), used.name.as_str(), used.place.line)).collect()
    }

    /// A value of which each row of the table finds its key, in the settings of a step or below the plan.
    fn plan_with(row: &RenamedKey, key: &str) -> String {
        let above = |open: &str, part: &&str| match *part {
            "*" if row.scope == KeyScope::Plan && !open.ends_with("criteria: ") => format!("{open}["),
            "*" => format!("{open}{{x: "),
            part => format!("{open}{{{part}: "),
        };
        let opened = row.parents.iter().fold(String::new(), |open, part| above(&open, part));
        let closing: String = opened.chars().rev().filter(|letter| "{[".contains(*letter)).collect();
        let closing = closing.replace('{', "}").replace('[', "]");
        let whole = format!("{opened}{{{key}: 1}}{closing}");
        match row.scope {
            KeyScope::Step => format!("days: [{{steps: [{{id: s, with: {whole}}}]}}]"),
            KeyScope::Plan => whole,
        }
    }

    #[test]
    fn every_former_key_is_read_as_the_new_one_and_noted() {
        for row in RENAMED {
            let former = read(&plan_with(row, row.former));
            let new = read(&plan_with(row, row.name));
            assert_eq!(former.value, new.value, "{}", row.former_path());
            assert_eq!(used(&former), [(row.former, row.name, 1)]);
            assert_eq!(used(&new), []);
        }
    }

    #[test]
    fn an_attribute_of_the_journal_leads_to_its_key() {
        assert_eq!(key_of("behaviours.0.target"), "behaviors.0.target");
        assert_eq!(key_of("default_behaviour"), "default_behavior");
        assert_eq!(key_of("origins.0.path"), "origins.0.path");
    }

    #[test]
    fn places_follow_the_key() {
        let text = read("days:\n- steps:\n  - with:\n      behaviours:\n      - path: /a\n");
        assert_eq!(text.place("days.0.steps.0.with.behaviors.0.path").line, 5);
        assert_eq!(used(&text), [("behaviours", "behaviors", 4)]);
    }

    #[test]
    fn dotted_paths_of_fallbacks_and_removals_are_renamed() {
        let text = read(
            "remove:\n- steps.api.with.behaviours\n- other\nfallbacks:\n  off:\n    set:\n      \
             api.default_behaviour.functions: []\n      api.origins.eu.example.shield: x\n      api.gpu: {proof_says: y}\n",
        );
        let set = &text.value["fallbacks"]["off"]["set"];
        assert_eq!(set["api.default_behavior.functions"], serde_json::json!([]));
        assert_eq!(set["api.origins.eu.example.origin_shield"], "x");
        assert_eq!(set["api.gpu"]["cuda_test_output"], "y");
        assert_eq!(text.value["remove"], serde_json::json!(["steps.api.with.behaviors", "other"]));
        assert_eq!(text.former.len(), 4);
        assert_eq!(text.place("fallbacks.off.set.api.default_behavior.functions").line, 7);
    }

    #[test]
    fn a_mapping_with_both_names_and_keys_of_other_places_stay() {
        let both = read("days: [{steps: [{with: {behaviours: [], behaviors: []}}]}]");
        assert!(both.value["days"][0]["steps"][0]["with"].get("behaviours").is_some());
        assert_eq!(used(&both), []);
        let other = read("variables: {behaviours: 1}\ndays: [{steps: [{with: {objects: [{behaviours: 1}]}}]}]");
        assert_eq!(used(&other), []);
        let rule = read("days: [{steps: [{with: {replication: {both_ways: {both_ways: true}}}}]}]");
        assert_eq!(rule.value["days"][0]["steps"][0]["with"]["replication"]["both_ways"]["bidirectional"], true);
    }
}
