//! A run: workers on threads of their own, and what they bring as one recording.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::client::{BadClient, Client};
use crate::intervals::Intervals;
use crate::latencies::BadHistogram;
use crate::recording::Recording;
use crate::target::Target;
use crate::trust::TrustedRoots;

use super::control::Control;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::worker::{self, BadWorker, Plan};
use super::{BadLoad, Extent, Load, Model};

/// How long workers have to get ready before the first request is due.
const LEAD: Duration = Duration::from_millis(20);

/// A run that could not be made. Requests that fail are not errors: they are in the recording.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Figures of the load.
    #[error(transparent)]
    Load(#[from] BadLoad),
    /// The target.
    #[error(transparent)]
    Client(#[from] BadClient),
    /// A worker.
    #[error(transparent)]
    Worker(#[from] BadWorker),
    /// What two workers brought cannot be laid together.
    #[error(transparent)]
    Histogram(#[from] BadHistogram),
    /// A worker ended without a word.
    #[error("a worker of the load ended early; this is a fault of the program")]
    Lost,
}

/// Tells the workers when nobody waits for them any more.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends requests and brings what came of them. Workers have threads of their own, so that other tasks of this runtime do not delay them.
///
/// # Errors
/// A target or a load that cannot be, or no thread. Requests that fail are not errors.
pub async fn run(
    target: &Target,
    load: &Load,
    trust: &TrustedRoots,
    control: &Control,
) -> Result<Recording, LoadError> {
    load.check_for(target)?;
    let client = Client::new(target, trust)?;
    let workers = u32::from(load.workers).min(load.connections);
    let (start, now) = (Instant::now() + LEAD, SystemTime::now() + LEAD + load.warm_up);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let started_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let abandon = Abandon(Arc::default());
    let mut results = Vec::new();
    for number in 0..workers {
        let schedule = Schedule::new(load, start, number.into(), workers.into());
        let plan = Plan {
            recorder: Recorder::new(&client, schedule.measured(), load.timeout, intervals(load)),
            client: Arc::clone(&client),
            load: load.clone(),
            schedule,
            connections: load.connections / workers + u32::from(number < load.connections % workers),
            started_ms,
            control: control.clone(),
            abandoned: Arc::clone(&abandon.0),
        };
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("load-{number}"));
        let work = move || drop(sender.send(worker::work(plan)));
        thread.spawn(work).map_err(BadWorker::Start)?;
        results.push(receiver);
    }
    let mut sum = Recording::default();
    for result in results {
        sum.merge(&result.await.map_err(|_| LoadError::Lost)??)?;
    }
    Ok(sum)
}

/// Intervals that are wide enough for the whole run, as far as its length is known.
fn intervals(load: &Load) -> Intervals {
    match (load.extent, load.model) {
        (Extent::For(length), _) => Intervals::over(length + load.timeout),
        (Extent::Requests(count), Model::Open { rate }) => {
            Intervals::over(Duration::from_secs_f64(count as f64 / rate).saturating_add(load.timeout))
        }
        (Extent::Requests(count), Model::Bursts { size, every }) => {
            let bursts = u32::try_from(count.div_ceil(size.max(1).into())).unwrap_or(u32::MAX);
            Intervals::over(every.saturating_mul(bursts).saturating_add(load.timeout))
        }
        (Extent::Requests(_), Model::Closed) => Intervals::default(),
    }
}
