//! Which step can start now.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::future::{self, FutureExt, LocalBoxFuture};
use futures::stream::FuturesUnordered;

use super::RunContext;
use super::dependency_tracker::DependencyTracker;
use super::step::{self, StepResult};
use crate::change::{ChangePart, OrderNode, PartKey, order};
use crate::ledger::LedgerError;
use crate::resource::{
    Address, CompletedStep, Event, Fault, FaultClass, Level, PendingDeletion, Platform, RunOutcome, Untrusted,
};

type Running<'a> = FuturesUnordered<LocalBoxFuture<'a, (PartKey, Level, Result<StepResult, StepFailure>)>>;

/// Why a step did not come to its end.
pub enum StepFailure {
    /// The service did not do it.
    Fault(Fault),
    /// It cannot be written down: nothing more may be begun.
    Ledger(LedgerError),
}

impl From<Fault> for StepFailure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LedgerError> for StepFailure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Does everything in `work.changes`.
///
/// # Errors
/// When the journal cannot be written: what was under way is finished, nothing more is begun. When the lease was lost,
/// everything is dropped where it stands: somebody else may be at work.
pub async fn run(work: &RunContext<'_>) -> Result<RunOutcome, LedgerError> {
    let fences = work.fences();
    let lost = future::select_all(fences.iter().map(|fence| Box::pin(fence.closed())));
    tokio::select! {
        biased;
        (why, ..) = lost => Err(LedgerError::LeaseLost(why)),
        outcome = all(work) => outcome,
    }
}

async fn all(work: &RunContext<'_>) -> Result<RunOutcome, LedgerError> {
    let mut board = Scheduler::new(work);
    board.steps().await?;
    if board.outcome.is_complete() {
        board.pending_deletions().await?;
    }
    // Which of several faults came first is chance: a reader finds them by address.
    board.outcome.failed.sort_by(|one, other| one.0.cmp(&other.0));
    board.outcome.skipped.sort();
    board.outcome.deferred.sort();
    Ok(board.outcome)
}

struct Scheduler<'w, 'a> {
    work: &'w RunContext<'a>,
    waits: DependencyTracker,
    /// Steps under way. What only waits until it works everywhere is not counted: it may wait for a step to come.
    busy: usize,
    /// What is waited for until it works everywhere.
    waiting: BTreeSet<PartKey>,
    lost: BTreeSet<PartKey>,
    stop: tokio::sync::watch::Receiver<bool>,
    outcome: RunOutcome,
    broken: Option<LedgerError>,
}

impl<'w, 'a> Scheduler<'w, 'a> {
    fn new(work: &'w RunContext<'a>) -> Self {
        Self {
            work,
            waits: DependencyTracker::new(order(work.changes)),
            busy: 0,
            waiting: BTreeSet::new(),
            lost: BTreeSet::new(),
            stop: work.stop.clone(),
            outcome: RunOutcome::default(),
            broken: None,
        }
    }

    async fn steps(&mut self) -> Result<(), LedgerError> {
        let mut running: Running<'w> = FuturesUnordered::new();
        loop {
            self.begin(&mut running);
            if running.is_empty() || (self.busy == 0 && self.waiting.iter().all(|key| self.is_hopeless(key))) {
                break;
            }
            tokio::select! {
                Some((key, level, ended)) = running.next() => self.end(key, level, ended, &mut running),
                () = stopped(&mut self.stop), if !self.outcome.stopped => {
                    self.outcome.stopped = true;
                    self.work.tell(Event::Stopping);
                }
            }
        }
        self.skip_the_rest();
        self.broken.take().map_or(Ok(()), Err)
    }

    fn begin(&mut self, running: &mut Running<'w>) {
        if self.outcome.stopped || self.broken.is_some() {
            return;
        }
        let changes = self.work.changes;
        let platform = |address: &Address| changes.items.get(address).map(|change| change.kind.facts().platform);
        // Without valid credentials each further step of that world would fail in the same way.
        let refused = self.outcome.failed.iter().filter(|(_, fault)| fault.class == FaultClass::Credentials);
        let closed: Vec<Platform> = refused.filter_map(|(address, _)| platform(address)).collect();
        let is_open = |node: &OrderNode| platform(&node.address).is_none_or(|platform| !closed.contains(&platform));
        while self.busy < self.work.options.at_once
            && let Some(node) = self.waits.begin_if(&is_open)
        {
            self.busy += 1;
            let key = (node.address.clone(), node.part);
            let work = self.work;
            running.push(
                async move {
                    let ended = step::take(work, &node).await;
                    (key, Level::Usable, ended)
                }
                .boxed_local(),
            );
        }
    }

    fn end(&mut self, key: PartKey, level: Level, ended: Result<StepResult, StepFailure>, running: &mut Running<'w>) {
        if level == Level::Usable {
            self.busy -= 1;
        } else {
            self.waiting.remove(&key);
        }
        match ended {
            Ok(ended) => {
                self.waits.reach(&key, if ended.is_final { Level::Propagated } else { level });
                if level == Level::Usable && !ended.is_final && self.needs_propagated(&key) {
                    self.waiting.insert(key.clone());
                    let (work, id) = (self.work, ended.id.clone());
                    running.push(
                        async move {
                            let settled = step::come_to(work, &key.0, &id, Level::Propagated).await;
                            (key, Level::Propagated, settled)
                        }
                        .boxed_local(),
                    );
                }
                self.note(ended);
            }
            Err(StepFailure::Fault(fault)) if fault.code == step::STOPPED => {
                self.outcome
                    .skipped
                    .push((key.0.clone(), format!("the run was stopped while it was {}", fault.message.line()).into()));
                self.lost.insert(key);
            }
            Err(StepFailure::Fault(fault)) => {
                self.outcome.failed.push((key.0.clone(), fault));
                self.lost.insert(key);
            }
            Err(StepFailure::Ledger(error)) => {
                self.lost.insert(key);
                self.broken.get_or_insert(error);
            }
        }
    }

    /// Whether it can never work everywhere in this run: what it waits for failed, or cannot begin.
    fn is_hopeless(&self, key: &PartKey) -> bool {
        let changes = self.work.changes;
        let open = self.waits.open().map(|node| (&node.address, node.part));
        let mut lost = self.lost.iter().map(|(address, part)| (address, *part)).chain(open);
        changes.items[&key.0].kind.facts().waits_for_users
            && lost.any(|(address, part)| {
                let user = changes.items[address].after.as_ref().filter(|_| part == ChangePart::Put);
                user.is_some_and(|user| user.needs.get(&key.0).is_some_and(|level| *level < Level::Propagated))
            })
    }

    fn needs_propagated(&self, key: &PartKey) -> bool {
        self.work.options.wait == Level::Propagated || self.waits.is_wanted_everywhere(key)
    }

    fn note(&mut self, ended: StepResult) {
        match (ended.deferred, ended.done) {
            (Some(reason), _) => self.outcome.deferred.push((ended.address, reason)),
            (None, Some((kind, action, took_ms))) => {
                self.outcome.done.push(CompletedStep { address: ended.address, kind, action, id: ended.id, took_ms });
            }
            (None, None) => {}
        }
    }

    fn skip_the_rest(&mut self) {
        for node in self.waits.open() {
            let reason = match self.waits.culprit(node) {
                _ if self.outcome.stopped => "the run was stopped".to_owned(),
                Some(address) if *address == node.address => "its replacement was not created".to_owned(),
                Some(address) => format!("it needs {address}"),
                None => "the run ended before it".to_owned(),
            };
            let reason = Untrusted::from(reason);
            self.work.tell(Event::Skipped { address: node.address.clone(), reason: reason.clone() });
            self.outcome.skipped.push((node.address.clone(), reason));
        }
        self.waits.close();
    }

    /// What earlier runs could not delete, once nothing can lean on it any longer.
    async fn pending_deletions(&mut self) -> Result<(), LedgerError> {
        let mut open: Vec<PendingDeletion> = self.work.changes.pending_deletions.clone();
        // What goes may free what it leaned on: as long as something is free to go, look again.
        while !open.is_empty() && !*self.stop.borrow() {
            let (held, free): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|left| step::holder(self.work, left).is_some());
            for pending in &free {
                match step::clear(self.work, pending).await {
                    Ok(ended) => self.note(ended),
                    Err(StepFailure::Fault(fault)) => self.outcome.failed.push((pending.address.clone(), fault)),
                    Err(StepFailure::Ledger(error)) => return Err(error),
                }
            }
            if free.is_empty() {
                let still = held.iter().filter_map(|left| Some((left, step::holder(self.work, left)?)));
                let reason = |holder: Address| Untrusted::from(format!("{holder} must go first"));
                let reasons = still.map(|(left, holder)| (left.address.clone(), reason(holder)));
                self.outcome.deferred.extend(reasons);
                break;
            }
            open = held;
        }
        Ok(())
    }
}

/// Comes back when the run is asked to stop; never, when nobody can ask any longer.
async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
