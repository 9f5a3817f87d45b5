//! The objects of Kubernetes clusters in the files that a plan names: read once when the plan is loaded.

use std::path::Path;

use serde_json::Value;

use super::bounds::{LARGEST, LONGEST_FILLED, MOST_OBJECTS, read_text};
use super::content::files_below;
use super::files::{mismatch, not_ours};
use super::octal::{self, Octal};
use super::source::SourceText;
use super::step_config::StepConfig;
use super::{Plan, PlanError, SourcePlace, hidden, rules};

/// The files of a folder that are read.
const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];
/// What helps against a file that is not YAML.
const YAML: &str = "correct the YAML: kubectl apply --dry-run=client -f FILE reads it, too";

/// One document of a file: an object, or a list of them.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file as the plan names it.
    pub file: String,
    text: SourceText,
}

impl Document {
    /// Its data.
    pub const fn value(&self) -> &Value {
        &self.text.value
    }

    /// Where the value at a dotted path is in the file.
    pub fn place(&self, path: &str) -> SourcePlace {
        self.text.place(path)
    }
}

impl Plan {
    /// The files that an entry for objects stands for, as the plan names them: the file itself, or those below a folder.
    pub fn object_files<'p>(&'p self, entry: &'p str) -> impl Iterator<Item = &'p str> {
        self.objects.keys().map(String::as_str).filter(move |path| *path == entry || is_read_below(entry, path))
    }
}

/// Whether a file is one of those that are read below a folder.
fn is_read_below(folder: &str, path: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/')) && ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// Numbers with a leading zero in the objects that a plan writes out.
pub fn ambiguous_numbers(file: &str, source: &str) -> Vec<PlanError> {
    // Most plans have no objects.
    if !source.contains("objects") {
        return Vec::new();
    }
    let inline = |octal: &Octal| octal.keys.windows(2).any(|pair| pair[0] == "with" && pair[1] == "objects");
    octal::found(source).into_iter().filter(inline).map(|octal| ambiguous(file, &octal)).collect()
}

fn ambiguous(file: &str, octal: &Octal) -> PlanError {
    PlanError {
        rule: rules::OCTAL,
        file: file.to_owned(),
        place: octal.place,
        problem: format!("{} is octal for kubectl, which reads YAML 1.1, and decimal in YAML 1.2", octal.text),
        next_step: octal::NEXT.to_owned(),
    }
}

/// Reads the files with objects that the plan names, if it may, and holds the kubeconfigs that it names against what the user
/// said. Gives what is wrong. A file that is not there is recorded as missing: `validate plan` warns of it, `deploy` refuses.
pub fn read(plan: &mut Plan) -> Vec<PlanError> {
    let mut reading = Reading { left: LONGEST_FILLED, objects: 0, problems: kubeconfigs(plan) };
    for (entry, origin) in entries(plan) {
        reading.entry(plan, &entry, &origin);
    }
    reading.problems
}

/// What the plan names, each with the place where it does.
fn entries(plan: &Plan) -> Vec<(String, String)> {
    let named = |step: &str, field: &str, files: &[String]| -> Vec<(String, String)> {
        let at = |(at, file): (usize, &String)| (file.clone(), format!("{step}.with.{field}.{at}"));
        files.iter().enumerate().map(at).collect()
    };
    let of_step = |step: &super::Step| match &step.work {
        StepConfig::Kubernetes(kubernetes) => named(&step.path, "files", &kubernetes.files),
        StepConfig::Jetson(jetson) => named(&step.path, "manifests", &jetson.manifests),
        _ => Vec::new(),
    };
    let all = plan.steps.iter().flat_map(of_step);
    all.filter(|(_, origin)| plan.is_sound(origin)).collect()
}

/// The kubeconfigs that a plan may not name.
fn kubeconfigs(plan: &Plan) -> Vec<PlanError> {
    let refused = |step: &super::Step| {
        let cluster = match &step.work {
            StepConfig::Kubernetes(kubernetes) => &kubernetes.cluster,
            StepConfig::Observability(observability) => &observability.cluster,
            _ => return None,
        };
        let origin = format!("{}.with.cluster.kubeconfig.file", step.path);
        let file = cluster.kubeconfig().filter(|_| plan.is_sound(&origin))?;
        let why = plan.may_log_in_with(file, &origin).err()?;
        let next_step =
            "set it by a variable: file: \"${var.kubeconfig}\" and --var kubeconfig=FILE; or leave it out, for $KUBECONFIG or \
             ~/.kube/config"
                .to_owned();
        Some(PlanError { rule: rules::FILE_OUTSIDE, next_step, ..mismatch(plan, &origin, why) })
    };
    plan.steps.iter().filter_map(refused).collect()
}

/// What is read, and how much more may be.
struct Reading {
    /// Bytes that may still be read.
    left: usize,
    /// Documents so far.
    objects: usize,
    problems: Vec<PlanError>,
}

impl Reading {
    /// A file, or the files below a folder.
    fn entry(&mut self, plan: &mut Plan, entry: &str, origin: &str) {
        if let Err(why) = plan.may_read(entry, origin) {
            return self.problems.push(not_ours(plan, origin, why));
        }
        if !Path::new(entry).is_dir() {
            return self.file(plan, entry, origin);
        }
        let files = match files_below(Path::new(entry)) {
            Ok(files) => files,
            Err(why) => return self.problems.push(mismatch(plan, origin, why)),
        };
        let folder = entry.trim_end_matches('/');
        let named: Vec<String> = files
            .iter()
            .filter(|file| ENDINGS.iter().any(|ending| file.ends_with(ending)))
            .map(|file| format!("{folder}/{file}"))
            .collect();
        if named.is_empty() {
            let problem = format!("no file below {entry} ends in {}", ENDINGS.join(", "));
            return self.problems.push(mismatch(plan, origin, problem));
        }
        for file in named {
            match plan.may_read(&file, origin) {
                Ok(()) => self.file(plan, &file, origin),
                Err(why) => self.problems.push(not_ours(plan, origin, why)),
            }
        }
    }

    fn file(&mut self, plan: &mut Plan, path: &str, origin: &str) {
        if plan.objects.contains_key(path) {
            return;
        }
        if let Err(bad) = std::fs::metadata(path) {
            plan.objects.insert(path.to_owned(), Err(bad.to_string()));
            return;
        }
        let text = match read_text(Path::new(path)) {
            Ok(text) => text,
            Err(bad) => return self.problems.push(mismatch(plan, origin, format!("{path} cannot be read: {bad}"))),
        };
        let Some(left) = self.left.checked_sub(text.len()) else {
            let problem = format!("with {path}, the objects of the plan are longer than {} MiB", LONGEST_FILLED >> 20);
            return self.problems.push(mismatch(plan, origin, problem));
        };
        self.left = left;
        match documents(path, &text) {
            Ok(documents) => {
                self.objects += documents.len();
                if self.objects > MOST_OBJECTS {
                    let problem = format!("with {path}, the plan has more than {MOST_OBJECTS} objects");
                    self.problems.push(mismatch(plan, origin, problem));
                }
                plan.objects.insert(path.to_owned(), Ok(documents));
            }
            Err(problems) => self.problems.extend(problems),
        }
    }
}

/// The documents of a file; else everything that is wrong with it as a text.
fn documents(path: &str, text: &str) -> Result<Vec<Document>, Vec<PlanError>> {
    let problem = |rule: &'static str, place: SourcePlace, problem: String, next_step: &str| PlanError {
        rule,
        file: path.to_owned(),
        place,
        problem,
        next_step: next_step.to_owned(),
    };
    let all = if path.ends_with(".json") { json(text) } else { yaml(text) };
    let all = all.map_err(|(place, why)| vec![problem(rules::NOT_YAML, place, why, YAML)])?;
    if all.is_empty() {
        let why = format!("it contains no object (a file has {} MiB at most)", LARGEST >> 20);
        return Err(vec![problem(
            rules::OBJECT,
            SourcePlace { line: 1, column: 1 },
            why,
            "write an object into it, or remove it from the plan",
        )]);
    }
    let mut wrong: Vec<PlanError> = octal::found(text).iter().map(|octal| ambiguous(path, octal)).collect();
    for document in &all {
        let found = hidden::found_in_object(&document.value).into_iter();
        wrong.extend(found.map(|(at, why)| problem(rules::HIDDEN, document.place(&at), why, hidden::NEXT)));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(all.into_iter().map(|text| Document { file: path.to_owned(), text }).collect())
}

fn yaml(text: &str) -> Result<Vec<SourceText>, (SourcePlace, String)> {
    SourceText::documents(text).map_err(|bad| (bad.place, bad.problem))
}

/// JSON is YAML, but for tabs before its members.
fn json(text: &str) -> Result<Vec<SourceText>, (SourcePlace, String)> {
    let value = serde_json::from_str(text)
        .map_err(|bad| (SourcePlace { line: bad.line().max(1), column: bad.column().max(1) }, bad.to_string()))?;
    Ok(vec![SourceText::of(value, Default::default(), Vec::new())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let problems = documents("a.yaml", text).expect_err(text);
        problems.iter().map(|problem| format!("{}: {}", problem.place.line, problem.problem)).collect()
    }

    #[test]
    fn a_file_has_documents_and_each_knows_its_place() {
        let all = documents("a.yaml", "# x\n---\nkind: A\n---\nkind: B\nspec: {n: 1}\n").expect("YAML");
        let told: Vec<(&str, usize)> =
            all.iter().map(|one| (one.value()["kind"].as_str().expect("a kind"), one.place("kind").line)).collect();
        assert_eq!(told, [("A", 3), ("B", 5)]);
        let json = documents("a.json", "{\n\t\"kind\": \"A\"\n}\n").expect("JSON");
        assert_eq!((json.len(), json[0].value()["kind"].as_str()), (1, Some("A")));
    }

    #[test]
    fn what_would_not_mean_what_it_seems_to_is_refused_at_its_line() {
        assert_eq!(said("# nothing\n---\n").len(), 1);
        assert!(said("# nothing\n")[0].contains("contains no object"));
        assert!(said("kind: A\nspec:\n  defaultMode: 0644\n")[0].starts_with("3: 0644 is octal for kubectl"));
        assert!(said("kind: A\n---\nkind: \"B\\u202E\"\n")[0].starts_with("3: "));
        assert_eq!(said("kind: [A\n").len(), 1);
        assert!(said("kind: A\n<<: {a: 1}\n")[0].contains("merge keys"));
    }

    #[test]
    fn a_number_with_a_leading_zero_is_told_in_objects_of_a_plan_alone() {
        let plan = "steps:\n- with:\n    objects:\n    - {spec: {mode: 0400}}\n    id: 0123\n";
        let told: Vec<usize> = ambiguous_numbers("p.yaml", plan).iter().map(|problem| problem.place.line).collect();
        assert_eq!(told, [4]);
    }
}
