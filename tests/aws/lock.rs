//! One writer: who else wants to write is told who holds the lease; a dead or a lost holder blocks nobody, and who lost the
//! lease makes no further call. The same with the state in a directory and in a bucket.

use std::fs::{self, DirEntry, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use akidb_edge::ledger::{FileStore, Lease, Store};
use akidb_edge::provider::aws::journal_store;
use serde_json::Value;
use testkit::cli::{CommandOutput, STACK, TestAccount, finish, whole};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

/// More than enough for a call to come.
const SOON: Duration = Duration::from_secs(60);

/// An account and where its state lies.
struct Ground {
    account: TestAccount,
    state: Option<String>,
}

impl Ground {
    fn directory() -> Self {
        Self { account: TestAccount::new(), state: None }
    }

    fn bucket() -> Self {
        let mut account = TestAccount::new();
        // Not beginning like the stack's own: the inventory counts those.
        let name = format!("state-{}", account.number);
        wait(account.s3().create_bucket().bucket(&name).send()).expect("a bucket");
        account.place = format!("s3://{name}/edge");
        Self { account, state: Some(name) }
    }

    /// A command whose calls go through `proxy`.
    fn command(&self, words: &str, proxy: &FaultProxy, time_to_live: u64) -> Command {
        let mut command = self.account.planned(words);
        command.env("AWS_ENDPOINT_URL", proxy.url()).env("AKIDB_EDGE_LEASE_TTL", time_to_live.to_string());
        command
    }

    fn run(&self, words: &str, proxy: &FaultProxy, time_to_live: u64) -> CommandOutput {
        finish(&mut self.command(words, proxy, time_to_live))
    }

    /// A deploy that is held at its n-th call to anything but the state.
    fn held(&self, proxy: &FaultProxy, number: usize, act: ProxyAction, time_to_live: u64) -> Child {
        proxy.on(changes, CallSelector::Nth(number), act);
        let child = self.started(proxy, time_to_live);
        assert!(proxy.held_within(SOON), "a call is held");
        child
    }

    fn started(&self, proxy: &FaultProxy, time_to_live: u64) -> Child {
        let mut command = self.command("deploy --yes", proxy, time_to_live);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    fn store(&self) -> Box<dyn Store> {
        match &self.state {
            None => Box::new(FileStore::new(&self.account.path("state"), STACK, "here")),
            Some(bucket) => Box::new(journal_store(&self.account.s3(), bucket, "edge", STACK, "here")),
        }
    }

    fn lease(&self) -> Option<Lease> {
        wait(self.store().lease()).expect("readable")
    }

    /// The lease as if another machine held it: nobody here can see whether its process lives.
    fn moved_to_another_machine(&self) {
        let lease = Lease { host: "elsewhere".to_owned(), ..self.lease().expect("a lease") };
        wait(self.store().break_lease()).expect("broken");
        wait(self.store().acquire(&lease)).expect("put there");
    }

    /// Runs until it is let in.
    fn until_let_in(&self, proxy: &FaultProxy, time_to_live: u64) -> CommandOutput {
        let begun = Instant::now();
        loop {
            let output = self.run("deploy --yes", proxy, time_to_live);
            if !output.stderr.contains("is being changed by") || begun.elapsed() > SOON {
                return output;
            }
        }
    }

    fn is_clean(&self, proxy: &FaultProxy) {
        assert_eq!(self.account.inventory(), whole());
        proxy.reset();
        self.run("deploy --yes", proxy, 60).exits(0);
        let calls: Vec<ProxyCall> = proxy.take_calls().into_iter().filter(changes).collect();
        assert!(calls.is_empty(), "a further run has nothing to do: {calls:?}");
        let status = self.run("status --json", proxy, 60).exits(0).json();
        assert_eq!(status["lease"], Value::Null, "the lease was given back");
        assert_eq!(status["state"]["runs"].as_array().and_then(|runs| runs.last()).expect("a run")["ending"], "done");
    }
}

/// A call that changes something but the state.
fn changes(call: &ProxyCall) -> bool {
    call.mutates() && !call.path.starts_with("/state-")
}

fn proxy() -> FaultProxy {
    FaultProxy::start(&local_aws::endpoint())
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill {name}");
}

/// Returns once no thread of `child` has anything to do: in two looks one after the other, each of them sleeps and has not run in
/// between.
fn comes_to_rest(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let look = || -> Vec<String> {
        let threads = fs::read_dir(&tasks).expect("its threads").flatten();
        // With the state and the number of times that it ran; a thread that has ended meanwhile is in no state.
        threads.map(|task| fs::read_to_string(task.path().join("status")).unwrap_or_default()).collect()
    };
    let (begun, mut before) = (Instant::now(), look());
    loop {
        let now = look();
        if now == before && now.iter().all(|status| status.contains("State:\tS")) {
            return;
        }
        assert!(begun.elapsed() < SOON, "it has always something to do");
        before = now;
        std::thread::yield_now();
    }
}

/// Returns once every thread of `child` is stopped.
fn stands_still(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let stopped = |task: DirEntry| {
        let line = fs::read_to_string(task.path().join("stat")).expect("a line");
        // The state follows the name, which stands in brackets and may hold any sign.
        line.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    };
    let begun = Instant::now();
    while !fs::read_dir(&tasks).expect("its threads").flatten().all(stopped) {
        assert!(begun.elapsed() < SOON, "it goes on after SIGSTOP");
        std::thread::yield_now();
    }
}

fn kill(mut child: Child) {
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
}

/// Two at once: one works, the other says who, where, what, since when and until when.
fn the_second_is_told_who_works(ground: &Ground) {
    let (first, second) = (proxy(), proxy());
    let child = ground.held(&first, 3, ProxyAction::HoldBefore, 60);
    let refused = ground.run("deploy --yes", &second, 60).exits(1);
    let lease = ground.lease().expect("the first holds it");
    assert_eq!(lease.user, "tester");
    let process = format!("process {}", child.id());
    let facts = [
        process,
        format!("tester@{}", lease.host),
        format!("`{}`", lease.command),
        format!("since {:.0}", lease.since),
        "the lease ends at 20".to_owned(),
        "state unlock".to_owned(),
    ];
    for fact in &facts {
        assert!(refused.stderr.contains(fact), "{fact}: {}", refused.stderr);
    }
    assert!(second.take_calls().into_iter().all(|call| !changes(&call)), "the second changed nothing");
    let told = ground.run("deploy --yes --json", &second, 60).exits(1).json();
    assert_eq!(told["schema"], "akidb-edge/error/v1");

    // Its own machine sees at once that it is gone.
    kill(child);
    ground.run("deploy --yes", &second, 60).exits(0);
    ground.is_clean(&second);
}

/// A holder that another machine's heartbeat kept is gone: its lease ends by itself.
fn a_dead_holders_lease_ends_by_itself(ground: &Ground) {
    let (first, second) = (proxy(), proxy());
    kill(ground.held(&first, 8, ProxyAction::HoldAfter, 8));
    ground.moved_to_another_machine();
    let lease = ground.lease().expect("still there");
    let refused = ground.run("deploy --yes", &second, 8).exits(1);
    assert!(refused.stderr.contains("tester@elsewhere"), "{}", refused.stderr);
    ground.until_let_in(&second, 8).exits(0);
    assert!(jiff::Timestamp::now() > lease.expires, "not before its time was up");
    ground.is_clean(&second);
}

/// `state unlock` asks, and then frees at once; who lost the lease so begins nothing more.
fn unlock_frees_at_once(ground: &Ground) {
    let (first, second) = (proxy(), proxy());
    let mut child = ground.held(&first, 5, ProxyAction::HoldBefore, 4);
    let asks = ground.run("state unlock", &second, 60).exits(3);
    assert!(asks.stderr.contains("is held by tester@") && asks.stderr.contains("--yes"), "{}", asks.stderr);
    assert!(ground.lease().is_some(), "nobody said yes");
    ground.run("state unlock --yes", &second, 60).exits(0);
    assert_eq!(ground.lease(), None);
    ground.run("deploy --yes", &second, 60).exits(0);
    let ended = child.wait().expect("its next heartbeat tells it");
    assert_eq!(ended.code(), Some(1));
    let said = said(child);
    assert!(said.contains("the lease on the stack was lost"), "{said}");
    ground.is_clean(&second);
}

/// A holder that was stopped wakes after somebody else took over and finished: it makes no further call.
fn who_wakes_too_late_does_nothing(ground: &Ground) {
    let (first, second) = (proxy(), proxy());
    let mut child = ground.started(&first, 4);
    assert!(first.seen_within(SOON, |call| call.operation == "CreateFunction"), "it is at work");
    // Every further call waits, but heartbeats. Once it has nothing else to do, each call that it has begun is on the wire: none
    // stands between the last look at the lease and its first byte.
    first.on(|call| !call.path.contains("/lease.json"), CallSelector::Each, ProxyAction::Pause);
    assert!(first.rests_within(SOON), "calls wait");
    comes_to_rest(&child);
    {
        // With the guard in hand it is certain that it is not stopped in the middle of a write.
        let guard = ground.state.is_none().then(|| File::open(ground.account.state().join("lease.guard")));
        let guard = guard.map(|file| file.expect("the guard"));
        if let Some(guard) = &guard {
            guard.lock().expect("the guard");
        }
        signal(&child, "-STOP");
        // The signal is on its way to each of its threads: one that waits for the guard would still take it.
        stands_still(&child);
    }
    // What was under way takes effect. Its answers wait for the process: it could go on if it did not look first.
    first.reset();
    assert!(first.answered_within(SOON), "all is answered");
    ground.until_let_in(&second, 4).exits(0);
    let journal = ground.run("state journal", &second, 60).exits(0).stdout;
    drop(first.take_calls());
    signal(&child, "-CONT");
    let ended = child.wait().expect("it wakes");
    assert_eq!(ended.code(), Some(1));
    let said = said(child);
    assert!(said.contains("the lease on the stack was lost"), "{said}");
    let calls: Vec<ProxyCall> = first.take_calls().into_iter().filter(changes).collect();
    assert!(calls.is_empty(), "it made further calls: {calls:?}");
    assert_eq!(ground.run("state journal", &second, 60).exits(0).stdout, journal, "it wrote nothing");
    ground.is_clean(&second);
}

fn said(child: Child) -> String {
    let output = child.wait_with_output().expect("it has ended");
    String::from_utf8(output.stderr).expect("text")
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod directory {
            $(#[test] fn $name() { super::$name(&super::Ground::directory()); })+
        }
        mod bucket {
            $(#[test] fn $name() { super::$name(&super::Ground::bucket()); })+
        }
    };
}

on_both!(
    the_second_is_told_who_works,
    a_dead_holders_lease_ends_by_itself,
    unlock_frees_at_once,
    who_wakes_too_late_does_nothing,
);

#[test]
fn who_was_stopped_in_the_middle_of_a_write_is_named_as_the_reason() {
    let ground = Ground::directory();
    fs::create_dir_all(ground.account.state()).expect("a directory");
    let guard = File::create(ground.account.state().join("lease.guard")).expect("a file");
    guard.lock().expect("the guard");
    let refused = ground.run("deploy --yes", &proxy(), 60).exits(1);
    assert!(
        refused.stderr.contains("it may be stopped") && refused.stderr.contains("kill -CONT"),
        "{}",
        refused.stderr
    );
    drop(guard);
    ground.run("deploy --yes", &proxy(), 60).exits(0);
}
