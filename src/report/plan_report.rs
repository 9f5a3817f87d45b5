//! The report of a stack: what was done, day by day, and what was measured against what was wanted. Nothing in it is a
//! constant that was not measured: what nobody measured is said to be unmeasured.

use serde::Serialize;

use super::figures::Figures;
use crate::resource::{Markdown, RunSummary, Untrusted, md};
use crate::template::{self, TemplateError};

/// One criterion with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CriterionResult {
    /// P0, P1 or P2.
    pub priority: &'static str,
    /// Its name.
    pub id: String,
    /// For people.
    pub title: Untrusted,
    /// What is wanted, e.g. `≤ 25 ms`.
    pub wanted: String,
    /// What was measured; none when nothing was.
    pub measured: Option<String>,
    /// `met`, `missed`, `inconclusive` or `not measured`.
    pub verdict: &'static str,
    /// How it was measured, or what would measure it.
    pub how: String,
    /// What of the source plan was corrected.
    pub note: Option<Untrusted>,
}

/// What the gate of the plan says of all criteria.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateResult {
    /// The gate: `all P0, 80 % of P1, 60 % of P2`.
    pub gate: String,
    /// `met`, `missed` or `inconclusive`.
    pub verdict: &'static str,
    /// How many of each priority are met, missed and not known.
    pub counts: Vec<String>,
    /// Why.
    pub why: Vec<String>,
}

/// One step of a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportStep {
    /// Its name.
    pub id: String,
    /// For people.
    pub title: Untrusted,
    /// `done`, `partly`, `not begun`, `on request only`, `run separately`, `not available yet`, or why nothing can be said.
    pub state: String,
    /// Resources that are present, and wanted.
    pub present: usize,
    /// Resources that it wants.
    pub wanted: usize,
    /// Milliseconds of its calls, added up.
    pub took_ms: u64,
    /// The same for people.
    pub took: String,
}

/// A run of one of the plan's stacks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportRun {
    /// The stack: the plan's, or that of its devices.
    pub stack: String,
    /// The run.
    #[serde(flatten)]
    pub run: RunSummary,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReportDay {
    /// Its number.
    pub day: u32,
    /// Its title.
    pub title: Untrusted,
    /// Its steps.
    pub steps: Vec<ReportStep>,
}

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanReport {
    /// Title of the plan.
    pub title: Untrusted,
    /// Name of the stack.
    pub stack: String,
    /// Plan file.
    pub plan: String,
    /// Account.
    pub account: String,
    /// When the report was made.
    pub made_at: String,
    /// Version of the tool.
    pub tool: String,
    /// Fallback in force.
    pub fallback: Option<String>,
    /// The days.
    pub days: Vec<ReportDay>,
    /// The criteria.
    pub criteria: Vec<CriterionResult>,
    /// What the plan's gate says of them; none when it has no gate.
    pub gate: Option<GateResult>,
    /// The runs over the cloud and over the devices, the first one first.
    pub runs: Vec<ReportRun>,
    /// What is left for a later run: address and reason.
    #[serde(rename = "leftovers")]
    pub pending_deletions: Vec<(String, Untrusted)>,
    /// What something else measured; no criterion is judged by it.
    pub figures: Option<Figures>,
    /// Plots of what was measured, each a whole `<svg>` whose texts are escaped: for the page alone.
    #[serde(skip)]
    pub plots: Vec<String>,
}

/// What the page is made of.
#[derive(Serialize)]
struct Page<'r> {
    #[serde(flatten)]
    report: &'r PlanReport,
    plots: &'r [String],
}

impl PlanReport {
    /// As Markdown. What comes from the plan, the journal and services is text in it, never markup.
    pub fn markdown(&self) -> Markdown {
        let mut text = md!(
            "# {}\n\nStack {}, plan {}, account {}, made {} by akidb-edge {}.\n",
            self.title,
            Markdown::code(&self.stack),
            Markdown::code(&self.plan),
            self.account,
            self.made_at,
            self.tool
        );
        if let Some(fallback) = &self.fallback {
            text.push(md!("\n**The fallback {} is active.**\n", Markdown::code(fallback)));
        }
        self.days.iter().for_each(|day| text.push(day.markdown()));
        text.push(self.criteria_markdown());
        if let Some(figures) = &self.figures {
            text.push(figures.markdown());
        }
        text.push(self.runs_markdown());
        for (address, reason) in &self.pending_deletions {
            text.push(md!("\nLeft for a later run: {}: {}\n", Markdown::code(address), reason));
        }
        text
    }

    fn criteria_markdown(&self) -> Markdown {
        let mut text = Markdown::from(
            "\n## Criteria\n\n| priority | criterion | wanted | measured | verdict | how |\n|---|---|---|---|---|---|\n",
        );
        for one in &self.criteria {
            let measured = one.measured.as_deref().unwrap_or("–");
            text.push(md!(
                "| {} | {} | {} | {} | {} | {} |\n",
                one.priority,
                one.title,
                one.wanted,
                measured,
                one.verdict,
                one.how
            ));
        }
        if let Some(gate) = &self.gate {
            text.push(md!("\nGate ({}): **{}**: {}.\n", gate.gate, gate.verdict, gate.why.join("; ")));
            gate.counts.iter().for_each(|count| text.push(md!("\n- {}", count)));
            text.push("\n");
        }
        let mut notes = self.criteria.iter().filter_map(|one| Some((&one.title, one.note.as_ref()?))).peekable();
        if notes.peek().is_some() {
            text.push("\n## Corrections of the source plan\n\n");
        }
        notes.for_each(|(title, note)| text.push(md!("- {}: {}\n", title, note)));
        text
    }

    fn runs_markdown(&self) -> Markdown {
        let mut text = Markdown::from(
            "\n## Runs\n\n| stack | revision | command | by | began | ended | changes |\n|---|---|---|---|---|---|---|\n",
        );
        if self.runs.is_empty() {
            return "\n## Runs\n\nNothing was deployed yet.\n".into();
        }
        for ReportRun { stack, run } in &self.runs {
            let ending = match run.ending {
                Some(ending) => format!("{ending:?}").to_lowercase(),
                None if run.unanswered.is_empty() => "interrupted, or still running".to_owned(),
                None => format!("interrupted, or still running; {} unanswered", run.unanswered.len()),
            };
            text.push(md!(
                "| {} | {} | {} | {} | {} | {} | {} |\n",
                Markdown::code(stack),
                run.revision,
                Markdown::code(&run.command),
                run.by,
                run.at,
                ending,
                run.changes
            ));
        }
        text
    }

    /// As one HTML page that needs nothing else.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn html(&self) -> Result<String, TemplateError> {
        template::render("reports/report.html", &Page { report: self, plots: &self.plots })
    }
}

impl ReportDay {
    fn markdown(&self) -> Markdown {
        let mut text = md!(
            "\n## Day {}: {}\n\n| step | state | resources | calls took |\n|---|---|---|---|\n",
            self.day,
            self.title
        );
        for step in &self.steps {
            let resources = match step.wanted {
                0 => "–".to_owned(),
                wanted => format!("{} of {wanted}", step.present),
            };
            text.push(md!(
                "| {} ({}) | {} | {} | {} |\n",
                step.title,
                Markdown::code(&step.id),
                step.state,
                resources,
                step.took
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::RunStatus;
    use crate::resource::untrusted::is_hidden;

    #[test]
    fn a_title_is_no_markup_and_hides_nothing() {
        let hostile = "x\u{1b}]52;c;eA==\u{7}\u{202e} | [y](http://z) <img src=q>\n# z `";
        let plan_report = PlanReport {
            title: hostile.into(),
            stack: "s".to_owned(),
            plan: hostile.to_owned(),
            account: hostile.to_owned(),
            made_at: String::new(),
            tool: String::new(),
            fallback: Some(hostile.to_owned()),
            days: vec![ReportDay { day: 1, title: hostile.into(), steps: Vec::new() }],
            criteria: vec![CriterionResult {
                priority: "P0",
                id: "a".to_owned(),
                title: hostile.into(),
                wanted: hostile.to_owned(),
                measured: Some(hostile.to_owned()),
                verdict: "met",
                how: hostile.to_owned(),
                note: Some(hostile.into()),
            }],
            gate: None,
            // A journal that was made to lie.
            runs: vec![ReportRun {
                stack: hostile.to_owned(),
                run: RunSummary {
                    revision: 1,
                    command: hostile.to_owned(),
                    purpose: None,
                    by: hostile.to_owned(),
                    at: hostile.to_owned(),
                    ending: Some(RunStatus::Done),
                    changes: 0,
                    unanswered: [].into(),
                },
            }],
            pending_deletions: vec![("a".to_owned(), hostile.into())],
            figures: None,
            plots: Vec::new(),
        };
        let text = plan_report.markdown();
        assert!(!text.chars().any(|letter| is_hidden(letter) && letter != '\n'), "{text:?}");
        for (begin, bars) in [("| P0", 7), ("| `x", 8)] {
            let row = text.lines().find(|line| line.starts_with(begin)).expect("a row");
            assert_eq!(row.replace("\\|", "").matches('|').count(), bars, "{row}");
        }
        let bare = text.replace(Markdown::code(hostile).as_str(), "").replace("\\[", "").replace("\\<", "");
        for markup in ["[y", "<img", "\n# z"] {
            assert!(!bare.contains(markup), "{markup} in {text:?}");
        }
    }
}
