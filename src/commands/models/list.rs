//! `models list`: lists the models on this machine.

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::models::ModelStore;
use crate::models::list::{ModelRow, ModelState, list};
use crate::models::manifest::ModelOrigin;
use crate::report;
use crate::resource::shown;

/// Lists.
pub fn run(store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let rows = list(store)?;
    if context.printer.json {
        context.printer.json("models-list", &json!({"store": store.root(), "models": rows}));
        return Ok(exit::DONE);
    }
    context.printer.talk(shown!("models in {}", store.shown()));
    if rows.is_empty() {
        context.printer.talk("none yet; next: akidb-edge models pull all-MiniLM-L6-v2");
        return Ok(exit::DONE);
    }
    let header = ["name", "source", "revision", "graphs", "dimension", "tokens", "size", "verified", "state"];
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let first_to_go = ["tokens", "dimension", "graphs", "verified", "size", "revision"];
    context.printer.data(report::rows_table(&header, &cells, &first_to_go, context.screen()));
    for row in &rows {
        if let Some(problem) = &row.problem {
            context.printer.remark(shown!("{}: {}", row.name, problem));
        }
    }
    Ok(exit::DONE)
}

fn cells(row: &ModelRow) -> Vec<String> {
    let none = || "-".to_owned();
    let (source, revision) = match &row.source {
        None => (none(), none()),
        Some(ModelOrigin::Import { folder }) => (format!("folder {folder}"), none()),
        Some(ModelOrigin::Sync { from, version }) => (format!("sync {from}"), version.clone()),
        Some(ModelOrigin::Hub { repo, revision, commit }) if revision == commit => {
            (repo.clone(), format!("{commit:.12}"))
        }
        Some(ModelOrigin::Hub { repo, revision, commit }) => (repo.clone(), format!("{revision} ({commit:.12})")),
    };
    let of = |what: fn(&crate::models::check::ModelSummary) -> String| row.summary.as_ref().map_or_else(none, what);
    let state = match row.state {
        ModelState::Ready => "ready",
        ModelState::Unmanaged => "unmanaged",
        ModelState::Broken => "broken",
        ModelState::Partial => "partly pulled",
    };
    vec![
        row.name.clone(),
        source,
        revision,
        of(|summary| summary.variants.iter().map(|variant| variant.name()).collect::<Vec<_>>().join(", ")),
        of(|summary| summary.dimension.to_string()),
        of(|summary| summary.max_tokens.to_string()),
        report::size(row.bytes),
        row.verified.map_or_else(|| "unknown".to_owned(), |time| format!("{time:.0}")),
        state.to_owned(),
    ]
}
