//! Publishes a snapshot at a period.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::once::{Turn, once};
use super::scratch::Scratch;
use super::seat::{LeaseDuration, TargetSession};
use super::{Core, PublishEvent, PublishFault, TargetResult};
use crate::head::Mode;

/// The leases are given back within this time.
const AT_THE_END: Duration = Duration::from_secs(5);
/// What failed is tried again after this time, or after the period when that is shorter.
const AGAIN: Duration = Duration::from_secs(30);

/// Publishes until `stop` ends.
pub(super) async fn every(
    core: &Core,
    period: Duration,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), PublishFault> {
    let scratch = Scratch::take(&core.options.scratch)?;
    let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    let turn = Turn { mode: Mode::Every { period_ms }, holds: LeaseDuration::For(period + core.options.lease) };
    let mut stop = pin!(stop);
    let begun = Instant::now();
    loop {
        let turned = tokio::select! {
            turned = once(core, &scratch, turn) => turned,
            () = &mut stop => break,
        };
        let well = match turned {
            Ok(deliveries) => judged(core, deliveries)?,
            Err(bad) => {
                complain(core, "primary", &bad, period);
                false
            }
        };
        measure(core, period, begun);
        let pause = if well { period } else { period.min(AGAIN) };
        tokio::select! {
            () = sleep(pause) => {}
            () = &mut stop => break,
        }
    }
    let _ = timeout(AT_THE_END, release(core)).await;
    Ok(())
}

/// Whether all went well.
fn judged(core: &Core, deliveries: Vec<TargetResult>) -> Result<bool, PublishFault> {
    let mut well = true;
    let mut paused = None;
    for TargetResult { target, outcome } in deliveries {
        match outcome {
            Ok(_) => {}
            Err(PublishFault::Paused { pause, .. }) => paused = Some(format!("{}: {}", pause.by, pause.reason)),
            Err(bad @ (PublishFault::Fenced { .. } | PublishFault::Held { .. } | PublishFault::Foreign { .. })) => {
                return Err(bad);
            }
            Err(bad) => {
                well = false;
                complain(core, &target, &bad, AGAIN);
            }
        }
    }
    let was = core.metrics.change(|all| std::mem::replace(&mut all.paused, paused.is_some()));
    match paused {
        Some(by) if !was => core.observer.event(&PublishEvent::Paused { by }),
        None if was => core.observer.event(&PublishEvent::Resumed),
        _ => {}
    }
    Ok(well)
}

fn complain(core: &Core, target: &str, bad: &PublishFault, pause: Duration) {
    core.observer.event(&PublishEvent::Retrying { target: target.to_owned(), why: bad.to_string(), pause });
}

/// A target that missed a turn is stalled.
fn measure(core: &Core, period: Duration, begun: Instant) {
    let now = jiff::Timestamp::now();
    for target in &core.options.targets {
        let (turned, lag) = core.metrics.change(|all| {
            let one = all.targets.entry(target.name.clone()).or_default();
            let since = one.last_success.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
            let lag = since.unwrap_or_else(|| begun.elapsed());
            let stalled = lag > period + core.options.stall_after;
            let turned = (stalled != one.stalled).then_some(stalled);
            (one.lag_seconds, one.stalled) = (lag.as_secs_f64(), stalled);
            one.stalls += u64::from(turned == Some(true));
            (turned, lag)
        });
        let target = target.name.clone();
        let txid = core.metrics.read().targets.get(&target).map_or_else(Default::default, |one| one.txid);
        match turned {
            Some(true) => {
                core.observer.event(&PublishEvent::Stalled { target, lag, why: "turns were missed".to_owned() })
            }
            Some(false) => core.observer.event(&PublishEvent::CaughtUp { target, txid }),
            None => {}
        }
    }
}

async fn release(core: &Core) {
    for target in &core.options.targets {
        if let Ok(mut seat) = TargetSession::borrowed(target, core.calls(target), &core.options).await {
            // The lease ends by itself otherwise.
            let _ = seat.release().await;
        }
    }
}
