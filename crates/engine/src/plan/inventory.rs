//! What a plan's devices bring along from outside of the plan: more devices from a file, artefacts with their hashes.

use std::collections::BTreeMap;
use std::path::Path;

use super::bounds::read_text;
use super::jetson::{HostPlan, JetsonStep, artifact};
use super::work::{Work, typed};
use super::{Plan, Problem, Problems, files, yaml};

impl Plan {
    /// Reads the inventories that the plan and the user name, and hashes what lies in the directory of artefacts.
    ///
    /// # Errors
    /// When a file cannot be read, is no inventory, or is not what its hash says.
    pub fn bring_devices(&mut self, inventory: Option<&str>, artifacts: Option<&Path>) -> Result<(), Problems> {
        let mut problems = Vec::new();
        let mut steps = std::mem::take(&mut self.steps);
        for step in &mut steps {
            let Work::Jetson(jetson) = &mut step.work else { continue };
            if let Some(directory) = artifacts {
                jetson.artifacts = Some(directory.display().to_string());
            }
            let named = jetson.inventory.clone();
            for file in named.iter().map(String::as_str).chain(inventory) {
                match hosts(file) {
                    Ok(hosts) => jetson.hosts.extend(hosts),
                    Err(why) => problems.push(self.unfit(&format!("{}.with.inventory", step.path), file, &why)),
                }
            }
        }
        self.steps = steps;
        files::add(self);
        problems.extend(self.wrong_hashes());
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    fn unfit(&self, path: &str, file: &str, why: &str) -> Problem {
        Problem {
            file: self.file_of(path).to_owned(),
            place: self.place(path),
            problem: format!("{file}: {why}"),
            next_step: "write NAME: {address: ADDRESS} for each device".to_owned(),
        }
    }

    /// Artefacts that are not what SHA256SUMS says.
    fn wrong_hashes(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for step in &self.steps {
            let Work::Jetson(jetson) = &step.work else { continue };
            let origin = format!("{}.with.artifacts", step.path);
            let problem = |problem: String| Problem {
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

fn hosts(file: &str) -> Result<BTreeMap<String, HostPlan>, String> {
    let text = read_text(Path::new(file)).map_err(|bad| bad.to_string())?;
    let mut value = yaml(&text)?;
    if let Some(below) = value.get("hosts") {
        value = below.clone();
    }
    typed(&value).map_err(|(path, why)| format!("{path}: {why}"))
}

/// The hashes of a directory of artefacts, by name; none when there is no such directory.
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

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        assert_eq!(hosts("/dev/zero").map(drop), Err("it is not a regular file".to_owned()));
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("hosts.yaml");
        std::fs::write(&file, "a: {address: 192.0.2.1}\n").expect("a file");
        assert_eq!(hosts(&file.display().to_string()).expect("hosts").len(), 1);
    }
}
