//! Replays the newest chain.

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{VerifyOptions, VerifyOutcome, VerifyReport};
use crate::calls::Calls;
use crate::chain::{Chain, PlanFault};
use crate::control::{self, ControlFault};
use crate::image::check;
use crate::ltx::Name;
use crate::restore::RestoreFault;
use crate::restore::build::{Built, build};

/// The retention may remove an object between the listing and the read.
const TRIES: usize = 3;

/// Replays it; whatever is not good is the error.
pub(super) async fn replay(
    calls: &Calls,
    options: &VerifyOptions,
    report: &mut VerifyReport,
) -> Result<Built, VerifyOutcome> {
    let mut tried = Err(VerifyOutcome::Inconclusive("not tried".to_owned()));
    for _ in 0..TRIES {
        let names = planned(calls).await?;
        report.objects = names.len();
        let built = build(calls, &options.trust, &names, &options.scratch.join("replayed")).await;
        let gone = matches!(&built, Err(RestoreFault::Store(bad)) if bad.is_absent());
        tried = built.map_err(|bad| judged(&bad));
        if !gone {
            break;
        }
    }
    let built = tried?;
    report.txid = Some(built.txid);
    report.published_at = Timestamp::from_millisecond(built.timestamp).ok();
    report.bytes = built.bytes;
    report.proven = built.proven;
    references(&built).await?;
    head(calls, options, &built).await?;
    Ok(built)
}

async fn planned(calls: &Calls) -> Result<Vec<Name>, VerifyOutcome> {
    let chain = Chain::list(calls).await.map_err(|bad| VerifyOutcome::Inconclusive(bad.to_string()))?;
    match chain.plan(None) {
        Ok(plan) => Ok(plan.iter().map(|one| one.name).collect()),
        Err(empty @ PlanFault::Empty) => Err(VerifyOutcome::Inconclusive(format!("{}: {empty}", calls.name()))),
        Err(broken) => Err(VerifyOutcome::Bad(format!("{}: {broken}", calls.name()))),
    }
}

/// Whether it is the bucket's fault, or nobody knows.
fn judged(bad: &RestoreFault) -> VerifyOutcome {
    match bad {
        RestoreFault::Refused { .. } | RestoreFault::Damaged { .. } | RestoreFault::Gone { .. } => {
            VerifyOutcome::Bad(bad.to_string())
        }
        RestoreFault::Store(lost) if lost.is_absent() => VerifyOutcome::Bad(bad.to_string()),
        _ => VerifyOutcome::Inconclusive(bad.to_string()),
    }
}

/// Integrity was checked when it was built.
async fn references(built: &Built) -> Result<(), VerifyOutcome> {
    let path = built.path.clone();
    let checked = spawn_blocking(move || check(&path, true)).await;
    match checked {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(failed))) => Err(VerifyOutcome::Bad(format!("{}: {}", failed.check, failed.said))),
        Ok(Err(bad)) => Err(VerifyOutcome::Bad(bad.to_string())),
        Err(ended) => Err(VerifyOutcome::Inconclusive(ended.to_string())),
    }
}

/// Whether the head names the same database.
async fn head(calls: &Calls, options: &VerifyOptions, built: &Built) -> Result<(), VerifyOutcome> {
    let latest = match control::read(calls).await {
        Ok(Some((_, latest))) => latest,
        // Litestream writes none.
        Ok(None) => return Ok(()),
        Err(bad @ ControlFault::Foreign { .. }) => return Err(VerifyOutcome::Bad(bad.to_string())),
        Err(bad) => return Err(VerifyOutcome::Inconclusive(bad.to_string())),
    };
    let head = latest.head(&options.trust).map_err(|bad| VerifyOutcome::Bad(format!("{}: {bad}", calls.name())))?;
    let Some(head) = head else { return Ok(()) };
    if head.txid == built.txid && head.root != built.root {
        return Err(VerifyOutcome::Bad(format!("{}: `latest` names another database for {}", calls.name(), head.txid)));
    }
    if head.txid > built.txid {
        let (said, found) = (head.txid, built.txid);
        return Err(VerifyOutcome::Bad(format!(
            "{}: `latest` says {said}, and objects lead to {found} only",
            calls.name()
        )));
    }
    Ok(())
}
