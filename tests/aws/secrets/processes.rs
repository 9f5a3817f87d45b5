//! What other processes see of a run: its command lines, and what it leaves when it is ended.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use super::{holds, with_secrets};
use testkit::cli::TestAccount;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

/// The command lines of a process and of all that it started.
fn command_lines(root: u32) -> Vec<String> {
    let mut family = BTreeSet::from([root]);
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let all: Vec<u32> = fs::read_dir("/proc")
        .expect("processes")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    loop {
        let more: Vec<u32> = all
            .iter()
            .copied()
            .filter(|pid| !family.contains(pid) && parent(*pid).is_some_and(|parent| family.contains(&parent)))
            .collect();
        if more.is_empty() {
            break;
        }
        family.extend(more);
    }
    let lines = family.iter().filter_map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

#[test]
fn a_secret_is_in_no_list_of_processes() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(4), ProxyAction::HoldBefore);
    let mut command = account.planned("deploy --yes -vvv");
    with_secrets(&account, &mut command);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    assert!(proxy.held_within(Duration::from_secs(20)), "it is in the middle of its work");
    let lines = command_lines(running.id());
    running.kill().expect("it lives");
    running.wait().expect("ended");
    assert!(lines[0].contains("akidb-edge") && lines[0].contains("deploy"), "{lines:?}");
    assert!(!lines.iter().any(|line| holds(line.as_bytes())), "{lines:?}");
}

/// The memory of a run holds keys.
#[test]
fn no_run_leaves_a_core_dump() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(4), ProxyAction::HoldBefore);
    let mut command = account.planned("deploy --yes");
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    assert!(proxy.held_within(Duration::from_secs(20)), "it is in the middle of its work");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).expect("its limits");
    running.kill().expect("it lives");
    running.wait().expect("ended");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}
