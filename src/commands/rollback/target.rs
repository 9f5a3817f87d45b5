//! The target state of a rollback: of one stack, or of a stack and its devices at the same time.

use std::collections::BTreeMap;

use crate::exit::{Failure, codes};
use crate::ledger::{Entry, Fact, Ledger, purpose_of};
use crate::report;
use crate::resource::{RunPurpose, RunStatus, RunSummary, SafeText, StackState, shown};

/// The revision that undoing the last run goes back to: the one before it that came to its end. Undoing that was itself
/// cut short goes on to where it was going.
pub fn before_the_last(runs: &[RunSummary]) -> u64 {
    let mut earlier = runs.iter().rev().skip_while(|run| cut_short(run)).skip(1);
    // A run that was killed left no state that anybody wanted: the run after it did the rest of its work.
    earlier.find(|run| run.ending.is_some()).map_or(0, |run| run.revision)
}

/// Whether a run undid the last one, and did not come to its end.
fn cut_short(run: &RunSummary) -> bool {
    let undoes = purpose_of(run.purpose, &run.command) == RunPurpose::Rollback { to: None };
    undoes && run.ending != Some(RunStatus::Done)
}

/// The runs without the last ones that left the state as it was: they failed before they changed anything, and there is
/// nothing of them to undo.
async fn with_effect<'r>(ledger: &Ledger, now: &'r StackState) -> Result<&'r [RunSummary], Failure> {
    let mut runs = now.runs.as_slice();
    let mut after = now.clone();
    while let [earlier @ .., last] = runs {
        let before = ledger.recorded_at(earlier.last().map_or(0, |run| run.revision)).await?;
        let same = before.resources == after.resources
            && before.pending_deletions == after.pending_deletions
            && before.requested == after.requested
            && before.fallback == after.fallback;
        if !same || last.changes > 0 {
            break;
        }
        (runs, after) = (earlier, before);
    }
    Ok(runs)
}

/// The state that one stack goes back to: what was before the last run that is still in force.
///
/// # Errors
/// When there is no such revision.
pub async fn of_one(to: Option<u64>, ledger: &Ledger, now: &StackState) -> Result<StackState, Failure> {
    let last = now.revision();
    if last == 0 {
        return Err(codes::NOTHING_TO_UNDO.refused("there is nothing to undo: no run is in the journal", ""));
    }
    let runs = with_effect(ledger, now).await?;
    if to.is_none() && runs.is_empty() {
        return Err(codes::NOTHING_TO_UNDO.refused("there is nothing to undo: no run changed anything", ""));
    }
    let to = to.unwrap_or_else(|| before_the_last(runs));
    if to >= last {
        return Err(codes::REVISION.refused(
            shown!("revision {} is not earlier than the latest, {}", to, last),
            shown!("akidb-edge status --stack {} lists the revisions", now.stack),
        ));
    }
    Ok(ledger.recorded_at(to).await?)
}

/// The states that the stack of the cloud (the first one) and that of its devices go back to. Without a revision, the last run over
/// either of them is undone: in both, when it worked on both. A revision of the cloud alone stands for its time: the devices go
/// back to what they were then.
///
/// # Errors
/// When there is no such revision, or nothing to undo.
pub async fn of_both(
    to: Option<u64>,
    devices_to: Option<u64>,
    ledgers: [&Ledger; 2],
) -> Result<[StackState; 2], Failure> {
    let now = ledgers.map(Ledger::recorded);
    let began = [Began::of(ledgers[0]).await?, Began::of(ledgers[1]).await?];
    let to = match to {
        Some(to) => {
            let next = began[0].0.get(&to.saturating_add(1));
            earlier([to, devices_to.unwrap_or_else(|| began[1].last_before(next))], &now)?
        }
        None => before_the_last_of_both(ledgers, &now, &began).await?,
    };
    let [own, devices] = &now;
    Ok([state_at(ledgers[0], own, to[0]).await?, state_at(ledgers[1], devices, to[1]).await?])
}

/// The first entry of each run of a journal, by revision.
struct Began(BTreeMap<u64, Entry>);

impl Began {
    async fn of(ledger: &Ledger) -> Result<Self, Failure> {
        let began = ledger.entries().await?.into_iter().filter_map(|entry| match &entry.fact {
            Fact::RunBegan { revision, .. } => Some((*revision, entry.clone())),
            _ => None,
        });
        Ok(Self(began.collect()))
    }

    /// The last revision that began before another run did; the last one of all, when there is no such run.
    fn last_before(&self, other: Option<&Entry>) -> u64 {
        let earlier = self.0.iter().filter(|(_, entry)| other.is_none_or(|other| entry.at < other.at));
        earlier.map(|(revision, _)| *revision).max().unwrap_or(0)
    }
}

/// Refuses revisions that are none, or that undo nothing.
fn earlier(to: [u64; 2], now: &[StackState; 2]) -> Result<[u64; 2], Failure> {
    let lists = || shown!("akidb-edge status --stack {} lists the revisions", now[0].stack);
    for (to, now) in to.iter().zip(now) {
        if *to > now.revision() {
            let problem = shown!("revision {} of {} does not exist: its latest is {}", to, now.stack, now.revision());
            return Err(codes::REVISION.refused(problem, lists()));
        }
    }
    if to[0] == now[0].revision() && to[1] == now[1].revision() {
        return Err(codes::REVISION.refused(
            shown!(
                "nothing is undone: revision {} is the last one of {}, and {} is at revision {} already",
                to[0],
                now[0].stack,
                now[1].stack,
                to[1]
            ),
            lists(),
        ));
    }
    Ok(to)
}

async fn before_the_last_of_both(
    ledgers: [&Ledger; 2],
    now: &[StackState; 2],
    began: &[Began; 2],
) -> Result<[u64; 2], Failure> {
    let runs = [with_effect(ledgers[0], &now[0]).await?, with_effect(ledgers[1], &now[1]).await?];
    if runs.iter().all(|runs| runs.is_empty()) {
        return Err(codes::NOTHING_TO_UNDO.refused("there is nothing to undo: no run changed anything", ""));
    }
    let last = |at: usize| runs[at].last().and_then(|run| began[at].0.get(&run.revision));
    let undone = undone(last(0), last(1), runs.map(|runs| runs.last().is_some_and(cut_short)));
    let to = |at: usize| if undone[at] { before_the_last(runs[at]) } else { now[at].revision() };
    Ok([to(0), to(1)])
}

/// Of the last run of each journal, which of them are undone: the later one, or both when they are one run. An undoing of both that
/// was cut short goes on where it was.
fn undone(own: Option<&Entry>, devices: Option<&Entry>, cut_short: [bool; 2]) -> [bool; 2] {
    match (own, devices) {
        (Some(own), Some(devices)) if own.run == devices.run && cut_short.contains(&true) => cut_short,
        (Some(own), Some(devices)) if own.run == devices.run => [true, true],
        (Some(own), Some(devices)) => [own.at > devices.at, own.at <= devices.at],
        (own, devices) => [own.is_some(), devices.is_some()],
    }
}

async fn state_at(ledger: &Ledger, now: &StackState, revision: u64) -> Result<StackState, Failure> {
    Ok(if revision == now.revision() { now.clone() } else { ledger.recorded_at(revision).await? })
}

/// Names the runs that are undone, and the state that is gone back to. A command after which nothing was to be written down is
/// not in the journal: what is undone may be older than the last deploy. Of several stacks (`of_both`) each is named.
pub fn words(now: &StackState, target: &StackState, of_both: bool) -> Vec<SafeText> {
    let of = |said: SafeText| if of_both { shown!("{}: {}", now.stack, said) } else { said };
    if of_both && target.revision() == now.revision() {
        return vec![of(SafeText::from("nothing of it is undone"))];
    }
    let undone = now.runs.iter().rev().take_while(|run| run.revision > target.revision()).map(|run| {
        let cut_short = if run.ending.is_none() { "interrupted after " } else { "" };
        let how = shown!("{}{}", cut_short, report::so_far(run));
        shown!("undoes revision {}: {} ({}, {})", run.revision, run.command, run.at, how)
    });
    undone.chain([goes_back_to(target.runs.last())]).map(of).collect()
}

/// The state that is gone back to. Runs that changed nothing may have a revision; what has none left nothing to undo.
fn goes_back_to(last: Option<&RunSummary>) -> SafeText {
    let to = last.map_or_else(
        || SafeText::from("returns to the state before the first run"),
        |run| shown!("returns to the state after revision {}: {} ({})", run.revision, run.command, run.at),
    );
    shown!("{}; a command that left no revision is not undone", to)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
