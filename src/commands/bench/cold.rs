//! A cold start of an address: each request on a new connection after an idle time, and the same on a connection that is kept.

use std::time::Duration;

use super::levels::{Subject, level};
use super::load_args::LoadArgs;
use crate::commands::Context;
use crate::exit::Failure;
use crate::measure::bench::Run;
use crate::measure::load::Load;

/// Requests before the warm ones that open the connection.
const WARM_UP: Duration = Duration::from_millis(200);

/// Measures cold requests, then warm ones.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(run: &mut Run, of: &Subject, args: &LoadArgs, context: &Context) -> Result<(), Failure> {
    let cold = args.cold();
    let warm = Load { warm_up: WARM_UP, timeout: cold.timeout, ..Load::closed(1, cold.extent) };
    for (name, load) in [("cold", &cold), ("warm", &warm)] {
        let level = level(name, load, of, context).await?;
        if context.session.interrupts.have_come() {
            break;
        }
        run.levels.push(level);
    }
    Ok(())
}
