//! The steps of a plan file: their fields, kinds and dependencies.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::closing::ReportStep;
use super::cycle::cycle;
use super::load::PlanReader;
use super::schema::PlanFile;
use super::source::join;
use super::step_config::StepConfig;
use super::{Step, rules, suggest};
use crate::resource::{Untrusted, is_name};

impl PlanReader<'_> {
    pub(super) fn steps(&mut self, head: &PlanFile<Value>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (at, day) in head.days.iter().enumerate() {
            for (nth, raw) in day.steps.iter().enumerate() {
                let path = format!("days.{at}.steps.{nth}");
                let Some(step) = self.step(&path, day.day, raw) else { continue };
                let is_named = !self.places.covers(&join(&path, "id"));
                if is_named && steps.iter().any(|known| known.id == step.id) {
                    let problem = format!("duplicate step {:?}", step.id);
                    self.complain(rules::DUPLICATE_STEP, &path, problem, "give each step its own id");
                }
                steps.push(step);
            }
        }
        self.needs(&steps);
        steps
    }

    fn needs(&mut self, steps: &[Step]) {
        let known: BTreeSet<&str> = steps.iter().map(|step| step.id.as_str()).collect();
        for step in steps {
            for need in step.needs.iter().filter(|need| !known.contains(need.as_str())) {
                let near = suggest::nearest(need, known.iter().copied());
                self.complain(
                    rules::UNKNOWN_STEP,
                    &join(&step.path, "needs"),
                    format!("step {} needs {need:?}, which is not a step of the plan", step.id),
                    near.map_or_else(|| "name a step of this plan".to_owned(), |near| format!("did you mean {near}?")),
                );
            }
        }
        if let Some(cycle) = cycle(steps) {
            let ids: Vec<&str> = cycle.iter().chain(cycle.first()).map(|step| step.id.as_str()).collect();
            let problem = format!("circular needs: {}", ids.join(" needs "));
            self.complain(
                rules::CIRCULAR_STEPS,
                &join(&cycle[0].path, "needs"),
                problem,
                "remove one of these needs: no step of the cycle can come first",
            );
        }
    }

    fn step(&mut self, path: &str, day: u32, raw: &Value) -> Option<Step> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Head {
            id: String,
            title: Untrusted,
            #[serde(default)]
            needs: BTreeSet<String>,
            #[serde(default)]
            on_request: bool,
            kind: String,
            with: Value,
        }
        let head: Head = self.shaped(path, raw)?;
        if !is_name(&head.id) {
            self.complain(
                rules::NAME,
                &join(path, "id"),
                format!("{:?} is not a valid step name", head.id),
                "use lower-case letters, digits and dashes",
            );
        }
        let kind = self.kind(path, &head.kind);
        let below = join(path, "with");
        let work = match kind.and_then(StepConfig::reader) {
            Some(read) => self.work(&below, &head.with, read),
            None => None,
        };
        let work = work.unwrap_or_else(|| {
            // Nothing can be said about its settings. What it declares is not known.
            self.places.note(&below);
            self.places.forget_names();
            StepConfig::Report(ReportStep::default())
        });
        let Head { id, title, needs, on_request, with, .. } = head;
        let kind = kind.unwrap_or_default().to_owned();
        Some(Step { id, day, title, needs, on_request, kind, with, work, path: path.to_owned() })
    }

    /// The kind of a step; of a misspelt one, that which was probably meant; none when nothing is like it.
    fn kind<'k>(&mut self, path: &str, said: &'k str) -> Option<&'k str> {
        let path = join(path, "kind");
        if self.places.covers(&path) {
            return None;
        }
        if StepConfig::reader(said).is_some() {
            return Some(said);
        }
        let kinds: Vec<&'static str> = StepConfig::kinds().collect();
        let next = suggest::instead(said, &kinds, "use another kind");
        self.complain(rules::UNKNOWN_KIND, &path, format!("unknown step kind {said:?}"), next);
        self.places.note(&path);
        suggest::nearest(said, kinds)
    }
}
