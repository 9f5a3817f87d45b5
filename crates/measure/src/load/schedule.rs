//! When each request of one worker is due.

use std::time::{Duration, Instant};

use super::{Extent, Load, Model};

/// The schedule of one worker. Requests are dealt out in turn: the first worker has the 1st, the (1 + workers)th, and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    measured: Instant,
    extent: Extent,
    /// When requests of all workers are due; `None` in the closed loop.
    pace: Option<BurstPlan>,
    worker: u64,
    workers: u64,
}

/// So many requests at one instant, and the seconds to the next instant. A fixed rate is one request at each.
#[derive(Clone, Copy, Debug)]
struct BurstPlan {
    size: u64,
    spacing: f64,
}

impl Schedule {
    pub fn new(load: &Load, start: Instant, worker: u64, workers: u64) -> Self {
        let pace = match load.model {
            Model::Open { rate } => Some(BurstPlan { size: 1, spacing: 1.0 / rate }),
            Model::Bursts { size, every } => Some(BurstPlan { size: size.max(1).into(), spacing: every.as_secs_f64() }),
            Model::Closed => None,
        };
        Self { start, measured: start + load.warm_up, extent: load.extent, pace, worker, workers }
    }

    /// When the first request is due.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// When the figures begin.
    pub fn measured(&self) -> Instant {
        self.measured
    }

    /// When nothing more becomes due; `None` when the number of requests decides.
    pub fn end(&self) -> Option<Instant> {
        match self.extent {
            Extent::For(length) => Some(self.measured + length),
            Extent::Requests(_) => None,
        }
    }

    /// How many requests this worker sends after the warm-up in the closed loop.
    pub fn quota(&self) -> u64 {
        match self.extent {
            Extent::For(_) => u64::MAX,
            Extent::Requests(count) => count / self.workers + u64::from(self.worker < count % self.workers),
        }
    }

    /// When the request of this number is due, from 0; `None` after the last one.
    pub fn due(&self, number: u64) -> Option<Instant> {
        let BurstPlan { size, spacing } = self.pace?;
        let turn = number * self.workers + self.worker;
        let at = self.start + Duration::from_secs_f64((turn / size) as f64 * spacing);
        let fine = match self.extent {
            Extent::For(length) => at < self.measured + length,
            Extent::Requests(count) => {
                let before = ((self.measured - self.start).as_secs_f64() / spacing).ceil() as u64;
                turn < before.saturating_mul(size).saturating_add(count)
            }
        };
        fine.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(load: &Load, start: Instant) -> Vec<Instant> {
        let workers = u64::from(load.workers);
        let of = |worker| {
            let schedule = Schedule::new(load, start, worker, workers);
            (0..).map_while(move |number| schedule.due(number))
        };
        let mut all: Vec<Instant> = (0..workers).flat_map(of).collect();
        all.sort();
        all
    }

    #[test]
    fn workers_share_one_even_rate() {
        let start = Instant::now();
        let extent = Extent::For(Duration::from_secs(2));
        let load = Load { workers: 3, warm_up: Duration::from_millis(500), ..Load::open(1_000.0, extent) };
        let dues = all(&load, start);
        assert_eq!(dues.len(), 2_500);
        for (number, due) in dues.iter().enumerate() {
            let wanted = start + Duration::from_millis(number as u64);
            assert!(due.max(&wanted).duration_since(*due.min(&wanted)) < Duration::from_nanos(10), "{number}");
        }
    }

    #[test]
    fn the_requests_of_a_burst_are_due_at_one_instant() {
        let start = Instant::now();
        let every = Duration::from_millis(250);
        let load = Load { workers: 2, warm_up: every, ..Load::bursts(5, every, Extent::Requests(15)) };
        let dues = all(&load, start);
        let wanted = (0..20).map(|turn: u32| start + every * (turn / 5));
        assert_eq!(dues, wanted.collect::<Vec<_>>());
        let timed = Load { extent: Extent::For(Duration::from_millis(750)), ..load };
        assert_eq!(all(&timed, start).len(), 20);
    }

    #[test]
    fn a_number_of_requests_is_counted_after_the_warm_up() {
        let start = Instant::now();
        let load = Load { workers: 4, warm_up: Duration::from_secs(1), ..Load::open(50.0, Extent::Requests(101)) };
        let dues = all(&load, start);
        let measured = dues.iter().filter(|due| **due >= start + load.warm_up).count();
        assert_eq!((dues.len(), measured), (151, 101));
        let quotas = (0..4).map(|worker| Schedule::new(&load, start, worker, 4).quota());
        assert_eq!(quotas.sum::<u64>(), 101);
        let closed = Load::closed(4, Extent::Requests(5));
        assert_eq!(Schedule::new(&closed, start, 0, 1).due(0), None);
    }
}
