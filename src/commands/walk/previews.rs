//! What the services of a run say of its updates before they are sent.

use crate::change::{self, Refusal};
use crate::observe;
use crate::provider::Providers;
use crate::resource::{Changes, Observed, Remembered};

/// Asks about the updates of a difference, and takes the answers into it. Gives what stands in the way.
pub async fn previewed(
    changes: &mut Changes,
    remembered: &Remembered,
    observed: &Observed,
    providers: &Providers,
) -> Vec<Refusal> {
    let previews = observe::previews(changes, remembered, observed, providers).await;
    change::previewed(changes, previews)
}
