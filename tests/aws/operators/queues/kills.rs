//! Commands on queues, killed at each of their calls that changes something, before and after it takes effect: the same
//! command again finishes the work.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{CHANGE, DEPLOY, DESTROY, ROLLBACK, Two};
use testkit::cli::CommandOutput;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

/// More than enough for a call to come.
const SOON: Duration = Duration::from_secs(60);

/// Two queues behind a proxy. Every command goes through it: the URL of a queue is that of the endpoint.
struct Ground {
    two: Two,
    proxy: FaultProxy,
}

impl Ground {
    fn new() -> Self {
        Self { two: Two::new(), proxy: FaultProxy::start(&local_aws::endpoint()) }
    }

    /// Runs a command to its end; the record of calls begins with it.
    fn run(&self, words: &[&str]) -> CommandOutput {
        self.proxy.reset();
        self.two.stack.run_at(self.proxy.url(), words)
    }

    /// Starts a command and kills it at its n-th call that changes something; whether that call came.
    fn kill(&self, words: &[&str], number: usize, act: ProxyAction) -> bool {
        self.proxy.reset();
        self.proxy.on(changes, CallSelector::Nth(number), act);
        let mut command = self.two.stack.command_at(self.proxy.url(), words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let begun = Instant::now();
        let held = loop {
            if self.proxy.held_within(Duration::from_millis(50)) {
                break true;
            }
            let ended = child.try_wait().expect("a child of ours").is_some();
            if ended || begun.elapsed() > SOON {
                break self.proxy.held_within(Duration::ZERO);
            }
        };
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        self.proxy.reset();
        held
    }

    /// Every resource of the state is answered for, nothing is left over.
    #[track_caller]
    fn journal_is_clean(&self, what: &str) {
        let status = self.run(&["status", "--stack", &self.two.stack.name(), "--json"]).exits(0).json();
        let state = &status["state"];
        let resources = state["resources"].as_object().into_iter().flatten();
        let unanswered: Vec<_> = resources.filter(|(_, record)| record["standing"] != "present").collect();
        let pending_deletions = state["leftovers"].as_array().map_or(0, Vec::len);
        assert!(unanswered.is_empty() && pending_deletions == 0, "{what}: {state:#}");
    }
}

fn changes(call: &ProxyCall) -> bool {
    call.service == "sqs" && call.mutates()
}

/// Kills a command at each of its changing calls. `before` leads to where it begins; `idle` has nothing to do after it.
fn heals(verb: &[&str], before: &[&[&str]], idle: Option<&[&str]>, calls: usize) {
    let ground = Ground::new();
    let prepare = || before.iter().for_each(|words| drop(ground.run(words).exits(0)));
    ground.run(DEPLOY).exits(0);
    prepare();
    ground.run(verb).exits(0);
    let came: Vec<ProxyCall> = ground.proxy.take_calls().into_iter().filter(changes).collect();
    assert_eq!(came.len(), calls, "{came:#?}");
    let wanted = ground.two.world();
    for number in 1..=calls {
        for act in [ProxyAction::HoldBefore, ProxyAction::HoldAfter] {
            let what = format!("{} killed at call {number}, {act:?}", verb[0]);
            prepare();
            assert!(ground.kill(verb, number, act), "{what}: the call did not come");
            let again = ground.run(verb);
            assert_eq!(again.code, 0, "{what}: {}", again.all());
            assert_eq!(ground.two.world(), wanted, "{what}");
            if let Some(idle) = idle {
                let quiet = ground.run(idle).exits(0);
                assert!(quiet.all().contains("no changes"), "{what}: {}", quiet.all());
                assert!(!ground.proxy.take_calls().iter().any(changes), "{what}: it changes something");
            }
            ground.journal_is_clean(&what);
        }
    }
}

#[test]
fn a_killed_deploy_makes_each_queue_once() {
    heals(DEPLOY, &[DESTROY], Some(DEPLOY), 2);
}

#[test]
fn a_killed_change_is_finished() {
    heals(CHANGE, &[DEPLOY], Some(CHANGE), 3);
}

#[test]
fn a_killed_rollback_is_finished() {
    heals(ROLLBACK, &[DEPLOY, CHANGE], Some(DEPLOY), 3);
}

#[test]
fn a_killed_destroy_is_finished() {
    heals(DESTROY, &[DEPLOY], None, 2);
}
