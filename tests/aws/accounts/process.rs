//! `credential_process`.

use std::time::Duration;

use crate::accounts::stand_in::{HOUR, after};
use crate::accounts::user::User;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction};

fn keys(user: &User, lasting: Duration) -> String {
    let expiration = after(lasting);
    format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"{}\", \"SecretAccessKey\": \"test\", \"SessionToken\": \"t\", \"Expiration\": \"{expiration}\"}}",
        user.account
    )
}

#[test]
fn a_slow_program_is_waited_for_and_named() {
    let user = User::new();
    user.program("slow", &format!("sleep 4\necho '{}'\n", keys(&user, HOUR)));
    let user =
        user.config("[profile dev]\ncredential_process = \"./slow\" --secret s3cret\n").with("AWS_PROFILE", "dev");
    let output = user.is_known();
    assert!(output.stderr.contains("waiting for credential_process ./slow of profile dev"), "{}", output.stderr);
    assert!(!output.all().contains("s3cret"), "{}", output.all());
}

#[test]
fn a_quick_program_is_not_talked_about_and_runs_once() {
    let user = User::new();
    user.program("quick", &format!("echo run >> runs\necho '{}'\n", keys(&user, HOUR)));
    let user = user.config("[default]\ncredential_process = ./quick\n");
    let output = user.is_known();
    assert!(!output.stderr.contains("waiting for"), "{}", output.stderr);
    let runs = std::fs::read_to_string(user.home.path().join("runs")).expect("runs");
    assert_eq!(runs.lines().count(), 1, "one run gives all clients their credentials");
}

#[test]
fn credentials_that_end_in_the_middle_of_a_run_are_got_again() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.on(
        |call| call.service == "s3" && call.mutates(),
        CallSelector::Each,
        ProxyAction::Delay(Duration::from_secs(3)),
    );
    let user = User::new().with("AWS_ENDPOINT_URL", proxy.url());
    user.program(
        "short",
        "echo run >> runs\nend=$(date -u -d '+6 seconds' +%Y-%m-%dT%H:%M:%SZ)\necho '{\"Version\": 1, \"AccessKeyId\": \"ACCOUNT\", \"SecretAccessKey\": \"test\", \"SessionToken\": \"t\", \"Expiration\": \"'$end'\"}'\n",
    );
    let user = user.config("[default]\ncredential_process = ./short\n");
    user.run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(0);
    let runs = std::fs::read_to_string(user.home.path().join("runs")).expect("runs");
    assert!(runs.lines().count() > 1, "they were used after they had ended");
}

#[test]
fn what_a_program_does_wrong_is_named() {
    let cases = [
        (
            "echo 'no session: log in' >&2\nexit 3",
            &["credential_process ./bad of profile dev", "exit status: 3", "no session: log in"][..],
        ),
        ("echo '{\"Version\": 1, \"SecretAccessKey\": \"s3cret\"}'", &["did not print the JSON that AWS specifies"]),
        ("yes s3cret", &["prints more than 65536 bytes"]),
        ("echo 'AKIA s3cret'", &["did not print the JSON that AWS specifies", "line 1"]),
        ("echo '{\"Version\": \"s3cret\"}'", &["did not print the JSON that AWS specifies"]),
        ("echo '{\"Version\": 2, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s3cret\"}'", &["version 2"]),
        ("echo '{\"Version\": 1, \"AccessKeyId\": \"a\\u000a\", \"SecretAccessKey\": \"s3cret\"}'", &["AccessKeyId"]),
        (
            "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s3cret\", \"Expiration\": \"2020-01-01T00:00:00Z\"}'",
            &["expired"],
        ),
        (
            "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s3cret\", \"Expiration\": \"soon\"}'",
            &["not a time"],
        ),
    ];
    for (text, says) in cases {
        let user = User::new();
        user.program("bad", &format!("echo run >> runs\n{text}\n"));
        let user = user.config("[profile dev]\ncredential_process = ./bad\n").with("AWS_PROFILE", "dev");
        let output = user.is_refused(says);
        assert!(!output.all().contains("s3cret"), "{}", output.all());
        let runs = std::fs::read_to_string(user.home.path().join("runs")).expect("runs");
        assert_eq!(runs.lines().count(), 1, "what failed is not run again for each client");
    }
}

#[test]
fn a_program_that_is_not_there() {
    let user = User::new().config("[profile dev]\ncredential_process = ./nowhere\n").with("AWS_PROFILE", "dev");
    user.is_refused(&["credential_process ./nowhere of profile dev", "not found"]);
}

#[test]
fn what_a_program_says_of_its_failure_is_in_no_document() {
    let user = User::new();
    user.program("bad", "echo s3cret >&2\nexit 3\n");
    let user = user.config("[profile dev]\ncredential_process = ./bad\n").with("AWS_PROFILE", "dev");
    let output = user.run(&["doctor", "--stack", "prod", "--json"]).exits(1);
    assert!(output.stdout.contains("exit status: 3") && !output.stdout.contains("s3cret"), "{}", output.stdout);
}
