//! The report of a stack: what was done, day by day, and what was measured against what was wanted. Nothing in it is a
//! constant that was not measured: what nobody measured is said to be unmeasured.

use serde::Serialize;

use crate::resource::untrusted::{line, markdown};
use crate::resource::{RunSummary, Untrusted};
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
    /// `met`, `missed` or `not measured`.
    pub verdict: &'static str,
    /// How it was measured, or what would measure it.
    pub how: String,
    /// What of the source plan was corrected.
    pub note: Option<Untrusted>,
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
    /// The runs over the cloud and over the devices, the first one first.
    pub runs: Vec<ReportRun>,
    /// What is left for a later run: address and reason.
    #[serde(rename = "leftovers")]
    pub pending_deletions: Vec<(String, Untrusted)>,
}

impl PlanReport {
    /// As Markdown. What comes from the plan, the journal and services is text in it, never markup.
    pub fn markdown(&self) -> String {
        let (stack, plan) = (code(&self.stack), code(&self.plan));
        let mut text = format!(
            "# {}\n\nStack {stack}, plan {plan}, account {}, made {} by akidb-edge {}.\n",
            self.title.markdown(),
            markdown(&self.account),
            self.made_at,
            self.tool
        );
        if let Some(fallback) = &self.fallback {
            text.push_str(&format!("\n**The fallback {} is in force.**\n", code(fallback)));
        }
        self.days.iter().for_each(|day| text.push_str(&day.markdown()));
        text.push_str(&self.criteria_markdown());
        text.push_str(&self.runs_markdown());
        for (address, reason) in &self.pending_deletions {
            text.push_str(&format!("\nLeft for a later run: {}: {}\n", code(address), reason.markdown()));
        }
        text
    }

    fn criteria_markdown(&self) -> String {
        let mut text = String::from(
            "\n## Criteria\n\n| priority | criterion | wanted | measured | verdict | how |\n|---|---|---|---|---|---|\n",
        );
        for one in &self.criteria {
            let title = one.title.markdown();
            let measured = one.measured.as_deref().map_or("–".to_owned(), markdown);
            let (wanted, how) = (markdown(&one.wanted), markdown(&one.how));
            text.push_str(&format!(
                "| {} | {title} | {wanted} | {measured} | {} | {how} |\n",
                one.priority, one.verdict
            ));
        }
        let mut notes = self.criteria.iter().filter_map(|one| Some((&one.title, one.note.as_ref()?))).peekable();
        if notes.peek().is_some() {
            text.push_str("\n## Corrections of the source plan\n\n");
        }
        notes.for_each(|(title, note)| text.push_str(&format!("- {}: {}\n", title.markdown(), note.markdown())));
        text
    }

    fn runs_markdown(&self) -> String {
        let mut text = String::from(
            "\n## Runs\n\n| stack | revision | command | by | began | ended | changes |\n|---|---|---|---|---|---|---|\n",
        );
        if self.runs.is_empty() {
            return "\n## Runs\n\nNothing was deployed yet.\n".to_owned();
        }
        for ReportRun { stack, run } in &self.runs {
            let ending = match run.ending {
                Some(ending) => format!("{ending:?}").to_lowercase(),
                None if run.unanswered.is_empty() => "interrupted, or still running".to_owned(),
                None => format!("interrupted, or still running; {} unanswered", run.unanswered.len()),
            };
            let (command, by) = (code(&run.command), markdown(&run.by));
            text.push_str(&format!(
                "| {} | {} | {command} | {by} | {} | {ending} | {} |\n",
                code(stack),
                run.revision,
                run.at,
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
        template::render("reports/report.html", self)
    }
}

impl ReportDay {
    fn markdown(&self) -> String {
        let mut text = format!(
            "\n## Day {}: {}\n\n| step | state | resources | calls took |\n|---|---|---|---|\n",
            self.day,
            self.title.markdown()
        );
        for step in &self.steps {
            let (title, id) = (step.title.markdown(), code(&step.id));
            text.push_str(&format!(
                "| {title} ({id}) | {} | {} | {} |\n",
                markdown(&step.state),
                if step.wanted == 0 { "–".to_owned() } else { format!("{} of {}", step.present, step.wanted) },
                step.took
            ));
        }
        text
    }
}

/// A text as code, also in a table: nothing ends the code or the cell early.
fn code(text: &str) -> String {
    format!("`{}`", line(text).replace('`', "'").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;
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
            runs: Vec::new(),
            pending_deletions: vec![("a".to_owned(), hostile.into())],
        };
        let text = plan_report.markdown();
        assert!(!text.chars().any(|letter| is_hidden(letter) && letter != '\n'), "{text:?}");
        let row = text.lines().find(|line| line.starts_with("| P0")).expect("a row");
        assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
        let bare = text.replace(&code(hostile), "").replace("\\[", "").replace("\\<", "");
        for markup in ["[y", "<img", "\n# z"] {
            assert!(!bare.contains(markup), "{markup} in {text}");
        }
    }
}
