//! The report of a stack: what was done, day by day, and what was measured against what was wanted. Nothing in it is a
//! constant that was not measured: what nobody measured is said to be unmeasured.

use serde::Serialize;

use crate::resource::RunSummary;
use crate::template::{self, BadTemplate};

/// One criterion with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// P0, P1 or P2.
    pub priority: &'static str,
    /// Its name.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is wanted, e.g. `≤ 25 ms`.
    pub wanted: String,
    /// What was measured; none when nothing was.
    pub measured: Option<String>,
    /// `met`, `missed` or `not measured`.
    pub verdict: &'static str,
    /// How it was measured, or what would measure it.
    pub how: String,
    /// What of the source plan was corrected.
    pub note: Option<String>,
}

/// One step of a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoryStep {
    /// Its name.
    pub id: String,
    /// For people.
    pub title: String,
    /// `done`, `partly`, `not begun`, `waits to be asked for`, `not available yet`.
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

/// One day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoryDay {
    /// Its number.
    pub day: u32,
    /// Its title.
    pub title: String,
    /// Its steps.
    pub steps: Vec<StoryStep>,
}

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// Title of the plan.
    pub title: String,
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
    pub days: Vec<StoryDay>,
    /// The criteria.
    pub criteria: Vec<Judged>,
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// What is left for a later run: address and reason.
    pub leftovers: Vec<(String, String)>,
}

impl Story {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}\n\nStack `{}`, plan `{}`, account {}, made {} by akidb-edge {}.\n",
            self.title, self.stack, self.plan, self.account, self.made_at, self.tool
        );
        if let Some(fallback) = &self.fallback {
            text.push_str(&format!("\n**The fallback `{fallback}` is in force.**\n"));
        }
        for day in &self.days {
            text.push_str(&format!(
                "\n## Day {}: {}\n\n| step | state | resources | calls took |\n|---|---|---|---|\n",
                day.day, day.title
            ));
            for step in &day.steps {
                text.push_str(&format!(
                    "| {} (`{}`) | {} | {} of {} | {} |\n",
                    step.title, step.id, step.state, step.present, step.wanted, step.took
                ));
            }
        }
        text.push_str("\n## Criteria\n\n| priority | criterion | wanted | measured | verdict | how |\n|---|---|---|---|---|---|\n");
        for one in &self.criteria {
            let measured = one.measured.as_deref().unwrap_or("–");
            text.push_str(&format!(
                "| {} | {} | {} | {measured} | {} | {} |\n",
                one.priority, one.title, one.wanted, one.verdict, one.how
            ));
        }
        let notes: Vec<&Judged> = self.criteria.iter().filter(|one| one.note.is_some()).collect();
        if !notes.is_empty() {
            text.push_str("\n## Corrections of the source plan\n\n");
            for one in notes {
                text.push_str(&format!("- {}: {}\n", one.title, one.note.as_deref().unwrap_or_default()));
            }
        }
        text.push_str(
            "\n## Runs\n\n| revision | command | by | began | ended | changes |\n|---|---|---|---|---|---|\n",
        );
        for run in &self.runs {
            let ending = run
                .ending
                .map_or("was killed, or still runs".to_owned(), |ending| format!("{ending:?}").to_lowercase());
            text.push_str(&format!(
                "| {} | `{}` | {} | {} | {ending} | {} |\n",
                run.revision, run.command, run.by, run.at, run.changes
            ));
        }
        for (address, reason) in &self.leftovers {
            text.push_str(&format!("\nLeft for a later run: `{address}`: {reason}\n"));
        }
        text
    }

    /// As one HTML page that needs nothing else.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn html(&self) -> Result<String, BadTemplate> {
        template::render("reports/report.html", self)
    }
}
