//! Server-side previews of a run's updates.

use crate::change::{self, PlanningRefusal};
use crate::observe;
use crate::provider::Providers;
use crate::resource::{Changes, Observed, StackState};

/// Asks about the updates of a difference, and takes the answers into it. Gives what stands in the way.
pub async fn previewed(
    changes: &mut Changes,
    recorded: &StackState,
    observed: &Observed,
    providers: &Providers,
) -> Vec<PlanningRefusal> {
    let previews = observe::previews(changes, recorded, observed, providers).await;
    change::previewed(changes, previews)
}
