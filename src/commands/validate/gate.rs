//! The gate of a plan in `validate all` and `validate checklist`: one more finding, which can decide the exit code by itself.

use super::dns::JOURNAL;
use super::measurements::{self, Measurement, Output};
use crate::commands::jetson::NodeSeen;
use crate::commands::{Context, report};
use crate::exit::{Failure, codes};
use crate::plan::Plan;
use crate::resource::shown;

/// Whether the gate alone decides.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct GateArgs {
    /// Let the plan's gate (`criteria.gate`) alone decide the exit code: 0 met, 1 missed, 2 not known
    #[arg(long)]
    gate: bool,
}

impl GateArgs {
    /// Refuses to let a gate decide that the plan does not have.
    ///
    /// # Errors
    /// When the plan has none.
    pub fn check(self, plan: &Plan) -> Result<(), Failure> {
        if !self.gate || plan.criteria.gate.is_some() {
            return Ok(());
        }
        Err(codes::ARGUMENT.refused(
            shown!("the plan {} has no gate", plan.file),
            "write one, such as criteria: {gate: {P0: 100, P1: 80, P2: 60}}, or leave --gate out",
        ))
    }
}

/// Adds what the gate of the plan says by what was measured before and just now, shows all, and gives the exit code.
///
/// # Errors
/// When a journal cannot be read, or the findings cannot be kept or written.
pub async fn finish(
    mut all: Vec<Measurement>,
    args: &GateArgs,
    plan: &Plan,
    nodes: Option<Vec<NodeSeen>>,
    output: Output<'_>,
    context: &Context,
) -> Result<u8, Failure> {
    let Some(found) = report::gate(plan, &all, nodes, context).await? else {
        return measurements::finish(&all, output, context).await;
    };
    let gate = Measurement::now("gate", None, vec![JOURNAL.to_owned()], vec![found]);
    let code = gate.code();
    all.push(gate);
    match args.gate {
        true => measurements::finish_with(&all, code, output, context).await,
        false => measurements::finish(&all, output, context).await,
    }
}
