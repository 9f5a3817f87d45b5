//! `state`: the journal shown, taken out, and its lease freed.

use std::time::Duration;

use testkit::cli::{STACK, TestAccount};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

#[test]
fn shows_and_exports() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let document = account.run_bare(&format!("state show --stack {STACK} --json")).exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/state/v1");
    assert!(document["resources"].as_array().is_some_and(|all| all.len() == 3), "{document}");
    let text = account.run("state show").exits(0).stdout;
    assert!(text.contains("edge.function.gateway") && text.contains("arn = arn:aws:"), "{text}");
    let document = account.run("state export").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/export/v1");
    let journal = account.run("state journal").exits(0).stdout;
    let kept = std::fs::read_to_string(account.state().join("journal.jsonl")).expect("a journal");
    let without_seals = |line: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(line).expect("an entry");
        entry.as_object_mut().expect("an object").remove("sum").expect("every line is sealed");
        entry
    };
    let told: Vec<serde_json::Value> =
        journal.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    assert_eq!(told, kept.lines().map(without_seals).collect::<Vec<_>>());
    let free = account.run("state unlock --yes").exits(0);
    assert!(free.stdout.contains("the lease is free"), "{}", free.stdout);
}

#[test]
fn one_writer_at_a_time() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(1), ProxyAction::HoldBefore);
    let mut child = account.start("deploy --yes");
    assert!(proxy.held_within(Duration::from_secs(30)), "the first one is at work");
    let second = account.run("deploy --yes").exits(1);
    let process = format!("process {}", child.id());
    assert!(second.stderr.contains("tester@") && second.stderr.contains(&process), "{}", second.stderr);
    let looks = account.run("status").exits(2);
    assert!(looks.stdout.contains("being changed by tester@"), "{}", looks.stdout);
    let asks = account.run("state unlock").exits(3);
    assert!(asks.stderr.contains(&process), "{}", asks.stderr);
    account.run("state unlock --yes").exits(0);

    // The one that lost its lease begins nothing more.
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    proxy.reset();
    account.run("deploy --yes").exits(0);
}

/// A device or a pipe is written to as it is: it is not read to see what is there, and not replaced.
#[test]
fn devices_behind_out_are_written_to() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    for verb in ["state export", "state pull"] {
        let printed = account.run(&format!("{verb} --out /dev/stdout")).exits(0).stdout;
        assert!(printed.contains("cdn.distribution.main"), "{verb}: {printed}");
        for more in ["", " --force"] {
            let full = account.run(&format!("{verb} --out /dev/full{more}")).exits(1);
            assert!(full.stderr.contains("No space left"), "{verb}: {}", full.stderr);
        }
    }
    let full = std::fs::metadata("/dev/full").expect("it is still there");
    assert!(std::os::unix::fs::FileTypeExt::is_char_device(&full.file_type()));
}
