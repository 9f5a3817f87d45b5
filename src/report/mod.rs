//! [8] Output for people and programs: data on standard output, messages on standard error.

mod changes;
mod differing;
mod drift;
mod duration;
mod figures;
mod findings;
mod fit;
pub mod former_fields;
mod machines;
mod omitted;
mod outcome;
mod output;
mod plan_report;
mod printer;
mod progress;
mod setting_path;
mod status_symbol;
mod table;
mod terminal;
mod terminal_echo;

pub use changes::{changes_json, changes_text};
pub use drift::{drift_text, unmanaged_text};
pub use figures::Figures;
pub use findings::{LocatedFinding, findings_text, who_refuses};
pub use fit::Screen;
pub use machines::names;
pub use omitted::OmittedResources;
pub use outcome::{answers_table, outcome_json, outcome_text, resources_table, rows_table};
pub use output::{DebugLog, clear, in_json, lost, printable, put, put_exactly, put_json, put_json_line, say, styled};
pub use plan_report::{CriterionResult, GateResult, PlanReport, ReportDay, ReportRun, ReportStep};
pub use printer::{Printer, RunHeader, ask_secret, document};
pub use status_symbol::StatusSymbol;
pub use terminal::{Terminal, TransferProgress};

use crate::resource::RunSummary;
pub use crate::resource::counted;

/// Milliseconds for people: `340 ms`, `2.4 s`, `3 min 20 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => format!("{} min {:02} s", ms / 60_000, ms / 1_000 % 60),
    }
}

/// What a run without an end did, by the journal: `3 changes`, `3 changes, 1 unanswered`.
pub fn so_far(run: &RunSummary) -> String {
    let changes = counted(run.changes, "change");
    match run.unanswered.len() {
        0 => changes,
        open => format!("{changes}, {open} unanswered"),
    }
}

/// Bytes for people: `612 B`, `466.2 kB`, `90.3 MB`, `2.3 GB`.
pub fn size(bytes: u64) -> String {
    let in_units = |unit: f64| bytes as f64 / unit;
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_949 => format!("{:.1} kB", in_units(1e3)),
        999_950..=999_949_999 => format!("{:.1} MB", in_units(1e6)),
        _ => format!("{:.1} GB", in_units(1e9)),
    }
}
