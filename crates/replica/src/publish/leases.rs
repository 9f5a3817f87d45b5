//! The leases of a continuous publisher: one in each bucket, taken before the first snapshot.

use std::future::Future;

use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::continuous::{AGAIN, AT_THE_END};
use super::put::claim;
use super::seat::{LeaseDuration, TargetSession};
use super::{Core, PublishEvent, PublishFault};
use crate::head::Mode;

/// Takes the lease in every bucket that can be reached. One that cannot is tried again by its own loop. None when `stop` ended before:
/// no lease is held then. A call under way is not given up, because the lease that it takes would never end.
pub(super) async fn take(
    publisher: &Core,
    mode: Mode,
    stop: &mut (impl Future<Output = ()> + Send + Unpin),
) -> Result<Option<Vec<Option<TargetSession>>>, PublishFault> {
    let options = &publisher.options;
    let holds = match mode {
        Mode::Continuous { heartbeat_ms: None } => LeaseDuration::UntilReleased,
        _ => LeaseDuration::For(options.lease + options.heartbeat.unwrap_or_default()),
    };
    loop {
        let tried = join_all(options.targets.iter().map(|target| async move {
            let mut seat = TargetSession::look(target, publisher.calls(target), options).await?;
            seat.take(options, holds).await?;
            if seat.haunted {
                claim(&mut seat, options).await?;
            }
            Ok(seat)
        }));
        let mut seats = Vec::new();
        let mut paused = None;
        for seat in tried.await {
            match seat {
                Ok(seat) => seats.push(Some(seat)),
                Err(bad @ PublishFault::Store { .. }) => {
                    let (target, why) = (options.targets[seats.len()].name.clone(), bad.to_string());
                    publisher.observer.event(&PublishEvent::Retrying { target, why, pause: AGAIN });
                    seats.push(None);
                }
                Err(PublishFault::Paused { pause, .. }) => {
                    paused = Some(format!("{}: {}", pause.by, pause.reason));
                    seats.push(None);
                }
                Err(bad) => return Err(bad),
            }
        }
        let Some(by) = paused else { return Ok(Some(seats)) };
        if !publisher.metrics.change(|all| std::mem::replace(&mut all.paused, true)) {
            publisher.observer.event(&PublishEvent::Paused { by });
        }
        tokio::select! {
            () = sleep(AT_THE_END / 2) => {}
            () = &mut *stop => {
                for mut seat in seats.into_iter().flatten() {
                    // A store that does not answer now keeps the lease; the next primary takes over.
                    let _ = timeout(AT_THE_END, seat.release()).await;
                }
                return Ok(None);
            }
        }
    }
}
