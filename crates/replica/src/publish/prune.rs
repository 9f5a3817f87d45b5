//! Removes what is too old or too many.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::seat::TargetSession;
use super::{Core, PublishEvent, Retention};
use crate::chain::{Chain, Found};
use crate::head::HISTORY;
use crate::ltx::SNAPSHOT_LEVEL;
use crate::store::StoreFault;
use crate::txid::Txid;

/// Listings are paid for.
const EVERY: Duration = Duration::from_secs(3600);

/// Removes what is due, once in a while. What fails is told and done the next time.
pub(super) async fn prune(publisher: &Core, seat: &TargetSession) {
    if !publisher.prunes_now(&seat.target) {
        return;
    }
    match prune_now(seat, publisher.options.retention).await {
        Ok(0) => {}
        Ok(objects) => {
            publisher.metrics.change(|all| {
                all.targets.entry(seat.target.clone()).or_default().removed += objects as u64;
            });
            publisher.observer.event(&PublishEvent::Removed { target: seat.target.clone(), objects });
        }
        Err(bad) => {
            let (target, why) = (seat.target.clone(), format!("old objects were not removed: {bad}"));
            publisher.observer.event(&PublishEvent::Retrying { target, why, pause: EVERY });
        }
    }
}

impl Core {
    fn prunes_now(&self, target: &str) -> bool {
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = pruned.get(target).is_none_or(|last| last.elapsed() >= EVERY);
        if due {
            pruned.insert(target.to_owned(), Instant::now());
        }
        due
    }
}

/// Removes what is due; how many objects it was.
pub(super) async fn prune_now(seat: &TargetSession, retention: Retention) -> Result<usize, StoreFault> {
    let calls = &seat.calls;
    let chain = Chain::list(calls).await?;
    let (kept, gone) = split(&chain, retention);
    let oldest = kept.iter().map(|one| one.name.max).min().unwrap_or(Txid(0));
    // First what names them, then they, then what nothing kept begins with.
    let mut keys = Vec::new();
    for entry in calls.list(HISTORY).await?.objects {
        let txid = entry.key.strip_suffix(".json").and_then(|stem| stem.rsplit_once('-')?.1.parse::<Txid>().ok());
        if txid.is_some_and(|txid| gone.iter().any(|one| one.name.max == txid)) {
            keys.push(entry.key);
        }
    }
    keys.extend(gone.iter().map(|one| one.name.key(calls.layout())));
    let before = chain.objects.iter().filter(|one| one.name.level != SNAPSHOT_LEVEL && one.name.max <= oldest);
    keys.extend(before.map(|one| one.name.key(calls.layout())));
    for key in &keys {
        calls.delete(key).await?;
    }
    Ok(keys.len())
}

/// Which snapshots are kept, and which are not. Ages go by the store's own clock, from its newest snapshot on: one that jumps here, or a
/// publisher that was away for long, removes nothing.
fn split(chain: &Chain, retention: Retention) -> (Vec<Found>, Vec<Found>) {
    let mut snapshots: Vec<Found> = chain.snapshots().copied().collect();
    snapshots.sort_by_key(|one| std::cmp::Reverse(one.name.max));
    let newest = snapshots.iter().filter_map(|one| one.written).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let mut index = 0;
    snapshots.into_iter().partition(|one| {
        index += 1;
        let age = one.written.and_then(|at| Duration::try_from(newest.duration_since(at)).ok()).unwrap_or_default();
        index <= retention.at_least.max(1) || (index <= retention.at_most && age <= retention.age)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::{Retention, split};
    use crate::chain::{Chain, Found};
    use crate::ltx::Name;
    use crate::txid::Txid;

    fn kept(hours: &[i64], retention: Retention) -> Vec<u64> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let found = |(at, hours): (usize, &i64)| Found {
            name: Name::of(9, Txid(1), Txid(at as u64 + 1)),
            size: 1,
            written: Some(now - SignedDuration::from_hours(*hours)),
        };
        let chain = Chain { objects: hours.iter().enumerate().map(found).collect() };
        let mut kept: Vec<u64> = split(&chain, retention).0.iter().map(|one| one.name.max.0).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn age_and_count_decide_and_the_newest_stay() {
        let retention = Retention { age: Duration::from_secs(5 * 3600), at_least: 2, at_most: 4 };
        assert_eq!(kept(&[9, 8, 3, 2, 1, 0], retention), [3, 4, 5, 6]);
        assert_eq!(kept(&[4, 3, 2, 1, 0, 0], retention), [3, 4, 5, 6]);
        assert_eq!(kept(&[900, 800, 700], retention), [2, 3]);
        assert_eq!(kept(&[7], Retention { at_least: 0, ..retention }), [1]);
    }
}
