//! The objects in a bucket, and which of them form a state.

use jiff::Timestamp;

use crate::calls::Calls;
use crate::ltx::{Header, Name, SNAPSHOT_LEVEL, prefix};
use crate::store::StoreFault;
use crate::txid::Txid;

/// An object of a chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// Its name.
    pub name: Name,
    /// Its bytes.
    pub size: u64,
    /// When the store says it was written.
    pub written: Option<Timestamp>,
}

/// All objects of all levels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    /// By level, then by state.
    pub objects: Vec<Found>,
}

/// Why a state cannot be made of what lies there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PlanFault {
    /// There is nothing.
    #[error("nothing was published there")]
    Empty,
    /// There is no snapshot to begin with.
    #[error("no snapshot at or before it is kept; the oldest that can be restored is {}", .0.map_or_else(|| "none".to_owned(), |txid| txid.to_string()))]
    NoSnapshot(Option<Txid>),
    /// Nothing ends at that state.
    #[error("what is kept around it was merged; the last one before it that can be restored is {0}")]
    Merged(Txid),
    /// An object is missing.
    #[error("objects are missing between {have} and {next}: the chain is broken")]
    Gap {
        /// The last state before the gap.
        have: Txid,
        /// The first one behind it.
        next: Txid,
    },
}

impl Chain {
    /// Lists a bucket.
    pub async fn list(calls: &Calls) -> Result<Self, StoreFault> {
        let mut objects = Vec::new();
        for level in 0..=SNAPSHOT_LEVEL {
            let page = calls.list(&prefix(calls.layout(), level)).await?;
            objects.extend(page.objects.into_iter().filter_map(|one| {
                let name = Name::parse(calls.layout(), level, &one.key)?;
                Some(Found { name, size: one.size, written: one.written })
            }));
        }
        Ok(Self { objects })
    }

    /// The newest state that any object names.
    pub fn newest(&self) -> Option<Txid> {
        self.objects.iter().map(|one| one.name.max).max()
    }

    /// All snapshots, oldest first.
    pub fn snapshots(&self) -> impl Iterator<Item = &Found> {
        self.objects.iter().filter(|one| one.name.level == SNAPSHOT_LEVEL)
    }

    /// The objects that make a state, as Litestream chooses them: the last snapshot, then whatever leads furthest from there.
    pub fn plan(&self, wanted: Option<Txid>) -> Result<Vec<Found>, PlanFault> {
        if self.objects.is_empty() {
            return Err(PlanFault::Empty);
        }
        let within = |one: &&Found| wanted.is_none_or(|wanted| one.name.max <= wanted);
        let mut plan: Vec<Found> = Vec::new();
        plan.extend(self.snapshots().filter(within).max_by_key(|one| one.name.max));
        loop {
            let have = plan.last().map_or(Txid(0), |one| one.name.max);
            let next = self.objects.iter().filter(within).filter(|one| one.name.level != SNAPSHOT_LEVEL);
            let next = next.filter(|one| one.name.min <= have.next() && one.name.max > have);
            match next.max_by_key(|one| (one.name.max, std::cmp::Reverse(one.name.min), one.name.level)) {
                Some(next) => plan.push(*next),
                None => return self.complete(plan, wanted),
            }
        }
    }

    fn complete(&self, plan: Vec<Found>, wanted: Option<Txid>) -> Result<Vec<Found>, PlanFault> {
        let Some(have) = plan.last().map(|one| one.name.max) else {
            return Err(PlanFault::NoSnapshot(self.snapshots().map(|one| one.name.max).min()));
        };
        let after = self.objects.iter().filter(|one| one.name.level != SNAPSHOT_LEVEL && one.name.min > have.next());
        match (wanted, after.map(|one| one.name.min).min()) {
            (None, Some(next)) => Err(PlanFault::Gap { have, next }),
            (Some(wanted), _) if have < wanted => Err(PlanFault::Merged(have)),
            _ => Ok(plan),
        }
    }

    /// The last state that was published by then, and when. Looks into a few objects.
    pub async fn at(&self, calls: &Calls, time: Timestamp) -> Result<Option<(Txid, Timestamp)>, LookFault> {
        let mut ends: Vec<Found> = self.objects.clone();
        ends.sort_by_key(|one| (one.name.max, one.name.level));
        ends.dedup_by_key(|one| one.name.max);
        let (mut low, mut high, mut found) = (0, ends.len(), None);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = published_at(calls, &ends[middle]).await?;
            if at <= time {
                found = Some((ends[middle].name.max, at));
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(found)
    }
}

/// Why the time of an object is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error("{key} is refused: {why}")]
    Refused { key: String, why: String },
}

/// When an object says that it was published.
pub(crate) async fn published_at(calls: &Calls, found: &Found) -> Result<Timestamp, LookFault> {
    let key = found.name.key(calls.layout());
    let bytes = calls.range(&key, 0..Header::SIZE as u64).await?;
    let refused = |why: String| LookFault::Refused { key: key.clone(), why };
    let bytes: [u8; Header::SIZE] = bytes.as_ref().try_into().map_err(|_| refused("it ends too early".to_owned()))?;
    let header = Header::parse(&bytes).map_err(|bad| refused(bad.to_string()))?;
    Timestamp::from_millisecond(header.timestamp).map_err(|bad| refused(bad.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{Chain, Found, PlanFault};
    use crate::ltx::Name;
    use crate::txid::Txid;

    fn chain(objects: &[(u8, u64, u64)]) -> Chain {
        let found = |&(level, min, max)| Found { name: Name::of(level, Txid(min), Txid(max)), size: 1, written: None };
        Chain { objects: objects.iter().map(found).collect() }
    }

    fn planned(objects: &[(u8, u64, u64)], wanted: Option<u64>) -> Result<Vec<(u8, u64, u64)>, PlanFault> {
        let plan = chain(objects).plan(wanted.map(Txid))?;
        Ok(plan.iter().map(|one| (one.name.level, one.name.min.0, one.name.max.0)).collect())
    }

    #[test]
    fn the_shortest_way_from_the_last_snapshot_is_taken() {
        let all = [(0, 3, 3), (0, 4, 4), (0, 5, 5), (0, 6, 6), (1, 3, 5), (9, 1, 1), (9, 1, 3)];
        assert_eq!(planned(&all, None), Ok(vec![(9, 1, 3), (1, 3, 5), (0, 6, 6)]));
        assert_eq!(planned(&all, Some(4)), Ok(vec![(9, 1, 3), (0, 4, 4)]));
        assert_eq!(planned(&all, Some(3)), Ok(vec![(9, 1, 3)]));
        assert_eq!(planned(&all, Some(1)), Ok(vec![(9, 1, 1)]));
    }

    #[test]
    fn a_chain_of_litestream_may_begin_without_a_snapshot() {
        assert_eq!(planned(&[(0, 1, 1), (0, 2, 2)], None), Ok(vec![(0, 1, 1), (0, 2, 2)]));
    }

    #[test]
    fn a_gap_is_never_passed_over() {
        let all = [(0, 2, 2), (0, 4, 4), (9, 1, 1)];
        assert_eq!(planned(&all, None), Err(PlanFault::Gap { have: Txid(2), next: Txid(4) }));
        assert_eq!(planned(&all, Some(4)), Err(PlanFault::Merged(Txid(2))));
        assert_eq!(planned(&[(0, 2, 2)], None), Err(PlanFault::NoSnapshot(None)));
        assert_eq!(planned(&[], None), Err(PlanFault::Empty));
        assert_eq!(planned(&[(9, 1, 8), (0, 3, 3)], Some(3)), Err(PlanFault::NoSnapshot(Some(Txid(8)))));
    }

    #[test]
    fn what_lies_before_the_snapshot_is_no_gap() {
        assert_eq!(planned(&[(0, 2, 2), (0, 9, 9), (9, 1, 8)], None), Ok(vec![(9, 1, 8), (0, 9, 9)]));
    }
}
