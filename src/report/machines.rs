//! The same change on several machines is one line for a person.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::resource::untrusted::line;
use crate::resource::{Action, Address, Change, Changes, Kind, counted};

/// From so many names on that count up, the first and the last stand for all.
const NAMED: usize = 3;

/// Changes that are equal on several machines.
#[derive(Debug, Default)]
pub struct MachineGroups {
    by_essence: BTreeMap<String, MachineGroup>,
}

/// One change on several machines.
#[derive(Debug)]
pub struct MachineGroup {
    /// The address that stands for all.
    pub first: Address,
    /// What is changed, by the name that it has on each machine.
    pub what: String,
    title: &'static str,
    machines: Vec<String>,
}

impl MachineGroups {
    /// Finds them.
    pub fn of(changes: &Changes) -> Self {
        let mut groups = Self::default();
        for change in changes.acting() {
            let Some((machine, essence)) = essence(change) else { continue };
            let group = groups.by_essence.entry(essence).or_insert_with(|| MachineGroup {
                first: change.address.clone(),
                what: line(&what(change, &machine)).into_owned(),
                title: change.kind.facts().title,
                machines: Vec::new(),
            });
            group.machines.push(machine);
        }
        groups.by_essence.retain(|_, group| group.machines.len() > 1);
        groups
    }

    /// The group of a change; none when it stands alone.
    pub fn machines(&self, change: &Change) -> Option<&MachineGroup> {
        if change.action == Action::Keep {
            return None;
        }
        self.by_essence.get(&essence(change)?.1)
    }
}

impl MachineGroup {
    /// `file on 5 devices: jetson-01 … jetson-05`.
    pub fn words(&self) -> String {
        format!("{} on {}: {}", self.title, counted(self.machines.len(), "device"), names(&self.machines))
    }
}

/// Names in order; of those that count up without a gap, the first and the last.
pub fn names(all: &[String]) -> String {
    let mut sorted = all.to_vec();
    sorted.sort();
    let mut runs: Vec<Vec<String>> = Vec::new();
    for name in sorted {
        match runs.last_mut().filter(|run| run.last().is_some_and(|last| follows(last, &name))) {
            Some(run) => run.push(name),
            None => runs.push(vec![name]),
        }
    }
    let words = |run: &Vec<String>| match run.as_slice() {
        [first, .., last] if run.len() >= NAMED => format!("{first} … {last}"),
        few => few.join(", "),
    };
    runs.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// Whether a name is another one counted up: `jetson-02` after `jetson-01`.
fn follows(before: &str, after: &str) -> bool {
    let split = |name: &str| {
        let at = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        Some((name[..at].to_owned(), name[at..].parse::<u64>().ok()?))
    };
    match (split(before), split(after)) {
        (Some((stem, first)), Some((other, next))) => stem == other && first.checked_add(1) == Some(next),
        _ => false,
    }
}

fn spec(change: &Change) -> Option<&Value> {
    change.after.as_ref().map(|resource| &resource.spec).or(change.before.as_ref().map(|record| &record.spec))
}

/// The machine, and everything about the change that may be equal on another one.
fn essence(change: &Change) -> Option<(String, String)> {
    if !change.kind.on_a_machine() {
        return None;
    }
    if change.kind == Kind::Host {
        let name = spec(change)?.get("name")?.as_str()?.to_owned();
        return Some((name, json!([change.kind, change.action]).to_string()));
    }
    let mut spec = spec(change)?.as_object()?.clone();
    let machine = spec.remove("host")?.as_str()?.to_owned();
    let all = json!([change.kind, change.action, change.risk, change.reason, change.fields, spec]);
    Some((machine, all.to_string()))
}

/// A path, a unit, a name; else the last part of the address without the machine's own name.
fn what(change: &Change, machine: &str) -> String {
    let spec = spec(change).filter(|_| change.kind != Kind::Host);
    let text = |key: &str| spec.and_then(|spec| spec.get(key)).and_then(Value::as_str);
    if let (Some(path), Some(Value::String(line))) = (text("path"), spec.and_then(|spec| spec.pointer("/content/line")))
    {
        return format!("{path}: {line}");
    }
    if let (Some(name), Some(what)) = (text("name"), text("what")) {
        return format!("{what} {name}");
    }
    if let Some(said) = ["path", "unit", "name", "reference", "mode"].into_iter().find_map(text) {
        return said.to_owned();
    }
    let rest = change.address.name().strip_prefix(machine).unwrap_or_default().trim_start_matches('-');
    if rest.is_empty() { change.kind.facts().name.to_owned() } else { rest.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{OmittedResources, Screen, changes_text};
    use super::*;
    use crate::resource::{Level, Resource, ResourceOrigin, Risk, SafeText};

    fn create(host: &str, kind: Kind, what: &str, spec: Value) -> Change {
        let address = Address::new("jetson", kind, &format!("{host}-{what}"));
        let after = Resource::new(address.clone(), kind, &spec);
        Change {
            address,
            kind,
            action: Action::Create,
            fields: Vec::new(),
            moved_from: Vec::new(),
            risk: Risk::Safe,
            reason: None,
            origin: ResourceOrigin::Made,
            after: Some(after),
            before: None,
            found: None,
        }
    }

    fn text(all: Vec<Change>) -> SafeText {
        let items = all.into_iter().map(|change| (change.address.clone(), change)).collect();
        let changes = Changes { stack: "ten".to_owned(), items, pending_deletions: Vec::new(), ..Changes::default() };
        changes_text(&changes, false, Screen::unbounded(false), Level::Usable, &OmittedResources::default())
    }

    #[test]
    fn a_gap_in_the_names_is_seen() {
        let all = |text: &str| names(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(all("jetson-05 jetson-02 jetson-01 jetson-03"), "jetson-01 … jetson-03, jetson-05");
        assert_eq!(all("j9 j10 a b"), "a, b, j10, j9");
        assert_eq!(all("jetson-99999999999999999999 x"), "jetson-99999999999999999999, x");
    }

    #[test]
    fn equal_changes_are_one_line_and_others_stay() {
        let mut all = Vec::new();
        for number in 1..=5 {
            let host = format!("jetson-{number:02}");
            let file = json!({"host": host, "path": "/etc/akidb.env", "content": {"text": "X=1\n"}});
            all.push(create(&host, Kind::File, "env", file));
            let packages = json!({"host": host, "packages": {"curl": ""}});
            all.push(create(&host, Kind::Packages, "base", packages));
            if number < 3 {
                let mode = json!({"host": host, "mode": "15W"});
                all.push(create(&host, Kind::PowerMode, "power", mode));
            }
        }
        all.push(create("jetson-05", Kind::File, "own", json!({"host": "jetson-05", "path": "/etc/own"})));
        insta::assert_snapshot!(text(all).to_string(), @r"
        jetson
          + create  /etc/akidb.env                           file on 5 devices: jetson-01 … jetson-05
          + create  file.jetson-05-own                       /etc/own
          + create  base                                     packages on 5 devices: jetson-01 … jetson-05
          + create  15W                                      power mode on 2 devices: jetson-01, jetson-02

        13 to create; risk: safe
        ");
    }
}
