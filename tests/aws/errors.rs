//! What is said when the surroundings are not as they must be, and how soon.

use std::fs;
use std::time::{Duration, Instant};

use testkit::cli::{TestAccount, bare, finish, own_files};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction};

#[test]
fn no_credentials_no_region_no_endpoint() {
    let state = tempfile::tempdir().expect("a directory");
    let account = TestAccount::of(local_aws::account());
    let files = own_files(account.directory.path());
    let place = format!("file:{}", state.path().display());
    let words = ["deploy", "--plan", "week13", "--yes", "--state", &place];
    let within = |name: &str, millis: u64, command: &mut std::process::Command| {
        let begun = Instant::now();
        let output = finish(command.args(words).args(&files)).exits(1);
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(millis), "{name} took {took:?}");
        insta::assert_snapshot!(name, account.redact(&output.stderr.replace(&place, "[STATE]")));
    };
    within(
        "no_credentials",
        3_500,
        bare().env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", local_aws::endpoint()),
    );
    within("no_region", 3_500, bare().env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "y"));
    let keys = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")];
    within("unreachable", 3_000, bare().envs(keys).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9"));
}

#[test]
fn an_expired_token() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    proxy.on(|_| true, CallSelector::Each, ProxyAction::Answer(403, body.to_owned()));
    let account = TestAccount::of(local_aws::account()).through(proxy.url());
    let output = account.run("deploy --yes").exits(1);
    insta::assert_snapshot!(account.redact(&output.stderr));
    let document = account.run("deploy --yes --json").exits(1).json();
    assert_eq!(document["schema"], "akidb-edge/error/v1");
    assert_eq!(document["exit"], 1);
}

#[test]
fn a_place_that_is_none() {
    for (name, place) in [("ftp", "ftp://here"), ("no_bucket", "s3://")] {
        let output = finish(bare().args(["status", "--stack", "x", "--state", place])).exits(3);
        insta::assert_snapshot!(format!("state_{name}"), output.stderr);
    }
}

#[test]
fn a_damaged_journal() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let journal = account.state().join("journal.jsonl");
    let good = fs::read_to_string(&journal).expect("a journal");

    // A last line that was cut off: it is as if it had never been begun.
    let cut = &good[..good.len() - 20];
    fs::write(&journal, cut).expect("a file");
    account.run("deploy page --yes").exits(0);
    let healed = fs::read_to_string(&journal).expect("a journal");
    assert!(healed.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "whole lines again");
    assert!(healed.starts_with(&cut[..cut.rfind('\n').expect("lines")]), "nothing of before is lost");
    let again = account.run("deploy page --yes").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);

    let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
    lines[2] = "{ not JSON".to_owned();
    fs::write(&journal, lines.join("\n") + "\n").expect("a file");
    for words in ["deploy --yes", "status", "destroy --yes", "rollback --yes"] {
        let output = account.run(words).exits(1);
        assert!(output.stderr.contains("cannot be read at line 3"), "{words}: {}", output.stderr);
    }
    insta::assert_snapshot!("corrupt", account.redact(&account.run("status").stderr));

    fs::write(&journal, good.replace("{\"v\":5,", "{\"v\":6,")).expect("a file");
    let newer = account.run("deploy --yes").exits(1);
    insta::assert_snapshot!("newer", account.redact(&newer.stderr));

    // A line that is missing is no less a damage.
    let mut lines: Vec<&str> = good.lines().collect();
    lines.remove(3);
    fs::write(&journal, lines.join("\n") + "\n").expect("a file");
    let gap = account.run("deploy --yes").exits(1);
    insta::assert_snapshot!("gap", account.redact(&gap.stderr));
}

/// A page of a proxy, or another program at the endpoint, is called what it is.
#[test]
fn an_answer_that_is_not_of_the_service_is_shown_with_its_beginning() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let page = "<!doctype html>\n<html><title>Log in to the network</title></html>";
    proxy.on(|_| true, CallSelector::Each, ProxyAction::Answer(200, page.to_owned()));
    let account = TestAccount::of(local_aws::account()).through(proxy.url());
    let said = account.run("deploy --yes").exits(1).stderr;
    for words in [
        "UnreadableAnswer",
        "HTTP 200",
        "<!doctype html> <html><title>Log in",
        "next: check what answers at this endpoint",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
}
