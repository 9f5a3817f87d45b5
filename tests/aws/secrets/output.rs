//! What the tool says and writes: no word and no file of it holds a secret, and nothing in it moves a terminal.

use std::fs;

use akidb_edge::resource::untrusted::is_hidden;

use super::{CANARY, holds, nowhere_below, with_secrets};
use testkit::cli::{TestAccount, finish};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction};

const VERBS: [&str; 12] = [
    "deploy --out saved.plan.json -vvv",
    "deploy --yes -vvv",
    "deploy --yes --json",
    "status --json",
    "status -vvv",
    "status --drift -vv",
    "state export -vvv",
    "state journal",
    "report",
    "route cutover --yes",
    "rollback --yes -vvv",
    "destroy --empty-buckets --yes -vvv",
];

#[test]
fn a_secret_of_the_environment_is_in_no_file_and_in_no_word() {
    is_nowhere(&[]);
}

#[test]
fn a_secret_of_the_credentials_file_is_in_no_file_and_in_no_word() {
    is_nowhere(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]);
}

/// Runs the verbs without these variables.
fn is_nowhere(without: &[&str]) {
    let account = TestAccount::new();
    let credentials = account.path("credentials");
    let keys = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {CANARY}\naws_session_token = {CANARY}\n",
        account.number
    );
    fs::write(&credentials, keys).expect("a file");
    for words in VERBS {
        let mut command = account.planned(words);
        with_secrets(&account, &mut command);
        for key in without {
            command.env_remove(key);
        }
        let output = finish(&mut command);
        assert!([0, 2].contains(&output.code), "{words}: {}", output.all());
        assert!(!holds(output.all().as_bytes()), "{words} tells it");
    }
    let looked_at = ["saved.plan.json", "report/report.html", "state/akidb-week13/journal.jsonl"];
    assert!(looked_at.iter().all(|name| account.path(name).exists()));
    nowhere_below(account.directory.path(), &[credentials]);
}

/// A fault of the program itself: what it says must be fit for a public report.
#[test]
fn a_panic_tells_no_secret() {
    let account = TestAccount::of(local_aws::account());
    for backtrace in ["0", "1", "full"] {
        let mut command = account.planned("deploy --dry-run");
        with_secrets(&account, &mut command);
        command.args(["--var", &format!("domain={CANARY}")]);
        command.env("AKIDB_EDGE_TEST_PANIC", "1").env("RUST_BACKTRACE", backtrace);
        let output = finish(&mut command);
        assert!(![0, 2, 3].contains(&output.code), "it ends as a failure: {}", output.all());
        assert!(output.stderr.contains("this is a fault of akidb-edge itself"), "{}", output.stderr);
        assert!(!holds(output.all().as_bytes()), "{}", output.all());
    }
}

#[test]
fn a_log_does_not_say_which_key_signs() {
    let account = TestAccount::of(local_aws::account());
    // The client of S3 writes the identity that it signs with into its log.
    let output = finish(&mut account.command("status --stack none --state s3://no-such-bucket-anywhere/x -vvv"));
    assert!(output.stderr.contains("access_key_id: \"(hidden)"), "the log speaks of it: {}", output.stderr);
    assert!(!output.stderr.contains(&format!("access_key_id: \"{}", account.number)));
    assert!(!output.stderr.contains(&format!("Credential={}", account.number)));
}

/// What a service says reaches the terminal, the report and the log as text: it moves no cursor and fills no clipboard.
#[test]
fn words_of_a_service_do_nothing_to_a_terminal() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    let said = r#"{"__type":"LimitExceededException","message":"no\u001b]52;c;cm0gLXJm\u0007\u009b2J\u202e\r\u001b[1A\n  done: 3 changes"}"#;
    proxy.on(
        |call| call.is("acm", "RequestCertificate"),
        CallSelector::Each,
        ProxyAction::Answer(400, said.to_owned()),
    );
    for words in
        ["deploy --yes", "deploy --yes --json", "deploy --yes -vvv", "state journal --stack akidb-week13", "report"]
    {
        let mut command = if words.contains("--stack") { account.command(words) } else { account.planned(words) };
        let output = finish(&mut command);
        let shown = if words == "report" {
            fs::read_to_string(account.path("report/report.md")).expect("a report")
        } else {
            output.all()
        };
        let odd = shown.chars().find(|letter| is_hidden(*letter) && !matches!(letter, '\n' | '\t'));
        assert_eq!(odd, None, "{words}: {shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("  done: 3")), "no line of ours: {shown}");
        assert!(words == "report" || shown.contains("]52;c;"), "it is shown as text: {shown}");
    }
}
