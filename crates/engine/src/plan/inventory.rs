//! Input of a plan's devices from outside the plan: the devices of an inventory, artifacts with their hashes.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::bounds::read_text;
use super::jetson::{HostPlan, JetsonStep, RolePlan, artifact};
use super::source::{SourceText, join};
use super::step_config::{StepConfig, typed};
use super::{Plan, PlanError, PlanErrors, SourcePlace, files, hidden, rules};

/// An inventory that takes the place of a plan's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedDevices {
    /// The file of the inventory.
    pub inventory: String,
    /// How many devices it names.
    pub count: usize,
    /// The one that it marks as the server of the cluster.
    pub server: Option<String>,
    /// The names that only the plan has.
    pub devices: Vec<String>,
}

/// An inventory that was read.
#[derive(Clone, Debug)]
pub(super) struct Inventory {
    file: String,
    text: SourceText,
    /// Where the devices are in it: at the top, or below `hosts`.
    base: &'static str,
}

impl Inventory {
    /// File as the user named it.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Where something of a device stands.
    pub(super) fn place(&self, path: &str) -> SourcePlace {
        self.text.place(&join(self.base, path))
    }
}

impl Plan {
    /// Reads the inventories that the plan and the user name, and hashes what is in the directory of artifacts. An inventory
    /// takes the place of the plan's devices, and the one that the user names also that of the plan's own inventory. Gives
    /// each inventory, with the devices that are left out by it.
    ///
    /// # Errors
    /// When a file cannot be read, is not an inventory, does not say which device is the server of the plan's cluster, or is not
    /// what its hash says.
    pub fn bring_devices(
        &mut self,
        inventory: Option<&str>,
        artifacts: Option<&Path>,
    ) -> Result<Vec<ReplacedDevices>, PlanErrors> {
        let mut problems: Vec<PlanError> = inventory.and_then(|_| self.several_fleets()).into_iter().collect();
        let mut all = Vec::new();
        for step in &mut self.steps {
            let StepConfig::Jetson(jetson) = &mut step.work else { continue };
            if let Some(directory) = artifacts {
                jetson.artifacts = Some(directory.display().to_string());
            }
            let Some(file) = inventory.map(str::to_owned).or_else(|| jetson.inventory.clone()) else { continue };
            match hosts(&file, jetson.k3s.is_some()) {
                Ok((hosts, read)) => {
                    self.inventories.insert(step.path.clone(), read);
                    let former = std::mem::replace(&mut jetson.hosts, hosts);
                    let gone = former.into_keys().filter(|name| !jetson.hosts.contains_key(name));
                    let devices: Vec<String> = gone.collect();
                    let mut marked = jetson.hosts.iter().filter(|(_, host)| host.role == Some(RolePlan::Server));
                    let server = marked.next().map(|(name, _)| name.clone());
                    all.push(ReplacedDevices { inventory: file, count: jetson.hosts.len(), server, devices });
                }
                Err(problem) => problems.push(problem),
            }
        }
        files::add(self);
        problems.extend(self.wrong_hashes());
        if problems.is_empty() { Ok(all) } else { Err(PlanErrors(problems)) }
    }

    /// One inventory for several steps would put each device into all of them.
    fn several_fleets(&self) -> Option<PlanError> {
        let mut fleets = self.steps.iter().filter(|step| matches!(step.work, StepConfig::Jetson(_)));
        let (_, second) = (fleets.next()?, fleets.next()?);
        Some(PlanError {
            rule: rules::INVENTORY,
            file: self.file_of(&second.path).to_owned(),
            place: self.place(&second.path),
            problem: "--inventory is for a plan with one step of kind jetson, and this is another one".to_owned(),
            next_step: "write inventory: FILE into each of these steps".to_owned(),
        })
    }

    /// Artifacts that are not what SHA256SUMS says.
    fn wrong_hashes(&self) -> Vec<PlanError> {
        let mut problems = Vec::new();
        for step in &self.steps {
            let StepConfig::Jetson(jetson) = &step.work else { continue };
            let origin = format!("{}.with.artifacts", step.path);
            let problem = |problem: String| PlanError {
                rule: rules::HASH,
                file: self.file_of(&origin).to_owned(),
                place: self.place(&origin),
                problem,
                next_step: "bring the files again, then write the sums: sha256sum * > SHA256SUMS".to_owned(),
            };
            let Some(sums) = sums(jetson) else { continue };
            match sums {
                Err(why) => problems.push(problem(why)),
                Ok(sums) => problems.extend(wrong(self, jetson, &sums).into_iter().map(problem)),
            }
        }
        problems
    }
}

/// The devices of an inventory, and its text. With a `cluster` they must say which of them is its server: the order of names
/// decides nothing.
///
/// # Errors
/// What is wrong, with its place in the inventory.
fn hosts(file: &str, cluster: bool) -> Result<(BTreeMap<String, HostPlan>, Inventory), PlanError> {
    let problem = |place: SourcePlace, problem: String, next_step: &str| PlanError {
        rule: rules::INVENTORY,
        file: file.to_owned(),
        place,
        problem,
        next_step: next_step.to_owned(),
    };
    let start = SourcePlace { line: 1, column: 1 };
    let text = read_text(Path::new(file)).map_err(|bad| {
        problem(start, format!("the inventory cannot be read: {bad}"), "name a file that can be read")
    })?;
    let text = SourceText::written_out(&text).map_err(|bad| problem(bad.place, bad.problem, ENTRIES))?;
    if let Some((path, why)) = hidden::found(&text.value).into_iter().next() {
        return Err(problem(text.place(&path), why, hidden::NEXT));
    }
    // A device may be called hosts.
    let below = text.value.get("hosts").filter(|hosts| hosts.get("address").is_none_or(Value::is_object));
    let (value, base) = below.map_or((&text.value, ""), |below| (below, "hosts"));
    let mut keys = text.value.as_object().into_iter().flat_map(|fields| fields.keys());
    if let Some(beside) = keys.find(|key| below.is_some() && *key != "hosts") {
        let why = format!("{beside} is next to hosts, where nothing else is allowed");
        return Err(problem(text.place(beside), why, "write it into each device, or into the step of the plan"));
    }
    let hosts: BTreeMap<String, HostPlan> = typed(value).map_err(|(path, why)| {
        let path = if path.is_empty() { base.to_owned() } else { join(base, &path) };
        let named = if path.is_empty() { why } else { format!("{path}: {why}") };
        problem(text.place(&path), named, ENTRIES)
    })?;
    if let Some((first, second)) = same_machine(&hosts) {
        let path = |name: &str| join(&join(base, name), "address");
        let line = text.place(&path(first)).line;
        let why = format!("{second} has the address and the port of {first}, line {line}: they are one machine");
        return Err(problem(text.place(&path(second)), why, ONE_NAME));
    }
    let wrong = if cluster { wrong_servers(&hosts) } else { None };
    if let Some((path, why, next)) = wrong {
        return Err(problem(text.place(&join(base, &path)), why, next));
    }
    Ok((hosts, Inventory { file: file.to_owned(), text, base }))
}

/// What helps against two names of one machine.
pub const ONE_NAME: &str = "keep one of the two names, or correct the address";

/// The first two names of one machine.
fn same_machine(hosts: &BTreeMap<String, HostPlan>) -> Option<(&str, &str)> {
    let mut known = BTreeMap::new();
    hosts
        .iter()
        .find_map(|(name, host)| known.insert(host.endpoint(), name.as_str()).map(|first| (first, name.as_str())))
}

/// Why devices do not say which of them is the server of their cluster: where, what is wrong, what to do.
fn wrong_servers(hosts: &BTreeMap<String, HostPlan>) -> Option<(String, String, &'static str)> {
    let mut servers = hosts.iter().filter(|(_, host)| host.role == Some(RolePlan::Server)).map(|(name, _)| name);
    let Some(first) = servers.next() else {
        let why = "no device is marked as the server, which the cluster of the plan needs".to_owned();
        return Some((String::new(), why, "write role: server into the device that runs the control plane"));
    };
    let second = servers.next()?;
    let why = format!("{second} is marked as the server, and {first} is it, too");
    Some((join(second, "role"), why, "leave role: server with one of them"))
}

/// What helps against a file that is not an inventory.
const ENTRIES: &str = "write NAME: {address: ADDRESS} for each device";

/// The hashes of a directory of artifacts, by name; none when there is no such directory.
fn sums(plan: &JetsonStep) -> Option<Result<BTreeMap<String, String>, String>> {
    plan.artifacts.as_ref()?;
    let file = plan.at_hand(artifact::SUMS);
    Some(read_text(Path::new(&file)).map_err(|bad| format!("{file}: {bad}")).map(|text| {
        let pair = |line: &str| {
            let (sum, name) = line.split_once(char::is_whitespace)?;
            Some((name.trim_start_matches([' ', '*']).to_owned(), sum.to_owned()))
        };
        text.lines().filter_map(pair).collect()
    }))
}

fn wrong(plan: &Plan, jetson: &JetsonStep, sums: &BTreeMap<String, String>) -> Vec<String> {
    let directory = jetson.artifacts.as_deref().unwrap_or_default().trim_end_matches('/');
    let mut wrong = Vec::new();
    for (path, facts) in &plan.files {
        let Some(name) = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) else { continue };
        match (&facts.content, sums.get(name)) {
            (Ok((there, _)), Some(said)) if there != said => {
                wrong.push(format!("{path} has the hash {there}, SHA256SUMS says {said}"));
            }
            (Ok(_), None) => wrong.push(format!("{path} is not in SHA256SUMS")),
            _ => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, cluster: bool) -> Result<BTreeMap<String, HostPlan>, PlanError> {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("hosts.yaml");
        std::fs::write(&file, text).expect("a file");
        hosts(&file.display().to_string(), cluster).map(|(hosts, _)| hosts)
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        let refused = hosts("/dev/zero", false).expect_err("it has no end");
        assert_eq!(refused.problem, "the inventory cannot be read: it is not a regular file");
        assert_eq!(read("a: {address: 192.0.2.1}\n", false).expect("hosts").len(), 1);
    }

    #[test]
    fn the_server_of_a_cluster_is_said_in_the_inventory() {
        let two = "hosts:\n  a: {address: 192.0.2.1}\n  b: {address: 192.0.2.2, role: server}\n";
        assert_eq!(read(two, true).expect("hosts").len(), 2);
        let none = two.replace(", role: server", "");
        let refused = read(&none, true).expect_err("there is no server");
        assert!(refused.problem.contains("no device is marked as the server"), "{refused}");
        assert_eq!((refused.place.line, refused.next_step.contains("role: server")), (1, true));
        assert!(read(&none, false).is_ok(), "without a cluster there is none");
        let both = two.replace("192.0.2.1", "192.0.2.1, role: server");
        let refused = read(&both, true).expect_err("there are two");
        assert!(refused.problem.contains("b is marked as the server, and a is it, too"), "{refused}");
        assert_eq!(refused.place.line, 3);
    }

    #[test]
    fn two_names_of_one_machine_are_refused_with_both_lines() {
        let two = "hosts:\n  a: {address: 192.0.2.1}\n  b: {address: 192.0.2.1, port: 22}\n";
        let refused = read(two, false).expect_err("it is one machine");
        assert!(refused.problem.contains("b has the address and the port of a, line 2"), "{refused}");
        assert_eq!(refused.place.line, 3);
        assert_eq!(read(&two.replace("port: 22", "port: 2222"), false).expect("two machines").len(), 2);
        assert_eq!(read(&two.replace("port: 22", "jump: gate"), false).expect("two networks").len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line_and_nothing_is_passed_over() {
        for (text, line, words) in [
            ("a:\n  adress: 192.0.2.1\n", 2, "a.adress: unknown field"),
            ("hosts:\n  a: {address: 192.0.2.1}\nserver: a\n", 3, "server is next to hosts"),
            ("hosts:\n  a: {address: 192.0.2.1, role: boss}\n", 2, "unknown variant `boss`"),
        ] {
            let refused = read(text, false).expect_err(text);
            assert!(refused.problem.contains(words), "{text}: {refused}");
            assert_eq!(refused.place.line, line, "{text}: {refused}");
        }
        assert_eq!(read("hosts: {address: 192.0.2.1}\nb: {address: 192.0.2.2}\n", false).expect("two").len(), 2);
    }
}
