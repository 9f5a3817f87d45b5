//! The lease on a stack: one writer at a time; an expired lease does not block the next writer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, Fact};
use crate::resource::RunPurpose;

/// How long a lease lives without a heartbeat.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// Who may change a stack now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Secret of the holder: tells its own lease from a later one.
    pub token: Uuid,
    /// Who.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// In which process.
    pub pid: u32,
    /// When that process began, in the kernel's ticks: tells it from a later process with the same number.
    pub process_start: Option<u64>,
    /// Under which kernel, and in which of its process spaces: only there the number means that process.
    #[serde(default)]
    pub kernel: Option<String>,
    /// Doing what.
    pub command: String,
    /// What for; none in leases of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<RunPurpose>,
    /// Since when.
    pub since: Timestamp,
    /// Until when, without another heartbeat.
    pub expires: Timestamp,
}

impl Lease {
    /// A new lease for this process.
    pub fn new(user: &str, host: &str, command: &str) -> Self {
        let now = Timestamp::now();
        let pid = std::process::id();
        Self {
            token: Uuid::new_v4(),
            user: user.to_owned(),
            host: host.to_owned(),
            pid,
            process_start: process_start(pid),
            kernel: kernel(),
            command: command.to_owned(),
            purpose: None,
            since: now,
            expires: now + span(TIME_TO_LIVE),
        }
    }

    /// The same lease with what it is for.
    #[must_use]
    pub fn meant_for(self, purpose: RunPurpose) -> Self {
        Self { purpose: Some(purpose), ..self }
    }

    /// The same lease with another time to live.
    #[must_use]
    pub fn lasting(self, time_to_live: Duration) -> Self {
        Self { expires: self.since + span(time_to_live), ..self }
    }

    /// How long it lives without a heartbeat; of a new lease.
    pub fn time_to_live(&self) -> Duration {
        self.expires.duration_since(self.since).try_into().unwrap_or(TIME_TO_LIVE)
    }

    /// The same lease with a later end.
    #[must_use]
    pub fn renewed(&self, time_to_live: Duration) -> Self {
        Self { expires: Timestamp::now() + span(time_to_live), ..self.clone() }
    }

    /// What is left in its place when it is taken away before its run began: anyone may take it over, and a rollback sees
    /// that there is nothing of that command to undo.
    #[must_use]
    pub fn cut_off(&self) -> Self {
        Self { token: Uuid::new_v4(), expires: self.since - SignedDuration::from_secs(1), ..self.clone() }
    }

    /// Whether it was taken away before its run began.
    pub fn is_cut_off(&self) -> bool {
        self.expires < self.since
    }

    /// Whether it may be taken over: its time is up, or its process on this very machine is gone.
    pub fn is_stale(&self, this_host: &str) -> bool {
        self.holder(this_host) != Holder::Alive
    }

    /// Whether the command that took it began a run. The lease is taken before the run begins, and the entry has that moment
    /// exactly; the summary of a run has it to the second only.
    pub fn has_begun(&self, entries: &[Entry]) -> bool {
        let last = entries.iter().rev().find(|entry| matches!(entry.fact, Fact::RunBegan { .. }));
        last.is_some_and(|began| began.at >= self.since)
    }

    /// What can be said of its holder from this machine.
    pub fn holder(&self, this_host: &str) -> Holder {
        let known_here = self.host == this_host && self.kernel.is_some() && self.kernel == kernel();
        let dead_here = known_here && self.process_start.is_some() && process_start(self.pid) != self.process_start;
        if dead_here || self.is_cut_off() {
            Holder::Gone
        } else if Timestamp::now() > self.expires {
            Holder::Expired
        } else {
            Holder::Alive
        }
    }
}

/// The holder of a lease, as another process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// It may be at work.
    Alive,
    /// Its process was on this machine and is gone.
    Gone,
    /// No heartbeat came in time.
    Expired,
}

/// The same span for the wall clock.
pub(super) fn span(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::from_secs(60))
}

/// The running kernel and the process space of this process. Machines and containers may share a name.
fn kernel() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// Start of a process in ticks since boot: the 22nd field of `/proc/PID/stat`. None where there is no such file.
fn process_start(pid: u32) -> Option<u64> {
    start_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The start in such a file. None when the process has ended and its parent has not collected it yet.
fn start_in(stat: &str) -> Option<u64> {
    // The second field is the name in brackets and may hold spaces; the third is the state.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_from_before_the_last_run_is_that_of_the_run() {
        let line = json!({"v": 4, "seq": 1, "run": "00000000-0000-0000-0000-000000000000", "at": "2026-11-21T06:00:00.4Z",
                          "fact": "run-began", "revision": 1, "command": "deploy", "by": "me@here", "account": "1",
                          "stack": "s", "tool": "0.1.0", "requested": [], "fallback": null});
        let entries: [Entry; 1] = [serde_json::from_value(line).expect("an entry")];
        let since = |at: &str| Lease { since: at.parse().expect("a time"), ..Lease::new("me", "here", "deploy") };
        assert!(since("2026-11-21T06:00:00.3Z").has_begun(&entries), "in the same second");
        assert!(since("2026-11-21T05:59:59Z").has_begun(&entries));
        assert!(!since("2026-11-21T06:00:00.5Z").has_begun(&entries), "a later command");
        assert!(!since("2026-11-21T06:00:00.3Z").has_begun(&[]));
    }

    #[test]
    fn a_process_that_has_ended_and_is_not_collected_is_gone() {
        let rest: Vec<String> = (4..=52).map(|field: u32| field.to_string()).collect();
        let stat = |state: &str| format!("7 (a b) c) {state} {}", rest.join(" "));
        assert_eq!(start_in(&stat("S")), Some(22));
        assert_eq!((start_in(&stat("Z")), start_in("")), (None, None));
    }

    #[test]
    fn what_was_taken_away_before_it_began_is_free_at_once() {
        let ahead = Timestamp::now() + SignedDuration::from_secs(300);
        let held = Lease {
            since: ahead,
            expires: ahead + SignedDuration::from_secs(60),
            ..Lease::new("me", "here", "deploy")
        };
        let left = held.cut_off();
        assert!(!held.is_cut_off() && left.is_cut_off());
        assert!(left.token != held.token, "its holder cannot write any more");
        assert!(left.is_stale("here") && left.is_stale("elsewhere"), "a clock that is ahead keeps no one out");
    }

    #[test]
    fn a_living_holder_keeps_it_a_dead_one_loses_it() {
        let mine = Lease::new("me", "here", "deploy");
        assert!(!mine.is_stale("here"));
        let dead = Lease { process_start: mine.process_start.map(|ticks| ticks + 1), ..mine.clone() };
        assert!(dead.is_stale("here"), "another process has its number now");
        assert!(!dead.is_stale("elsewhere"), "a process of another machine cannot be looked at");
        let namesake = Lease { kernel: Some("another".to_owned()), ..dead };
        assert!(!namesake.is_stale("here"), "nor one of another machine of the same name");
        let expired = Lease { expires: Timestamp::now() - SignedDuration::from_secs(1), ..mine };
        assert!(expired.is_stale("elsewhere"));
    }
}
