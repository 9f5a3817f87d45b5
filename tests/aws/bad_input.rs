//! Bad input and bad surroundings: each has a clear error, and nothing is half done.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::cli::{CommandOutput, TestAccount, finish, whole};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

/// A case on the state: its name, what is done to the journal, the exit code.
type Damage = (&'static str, fn(&std::path::Path));

#[test]
fn a_state_that_cannot_be_read() {
    let cases: [Damage; 6] = [
        ("a_directory", |journal| {
            fs::remove_file(journal).expect("removed");
            fs::create_dir(journal).expect("in its place");
        }),
        ("not_utf8", |journal| {
            fs::write(journal, [b"{\"v\":2,\"seq\":1,\"run\":\"", &[0xfe, 0xff][..], b"\"}\n"].concat())
                .expect("a file")
        }),
        ("not_json", |journal| fs::write(journal, "stack: akidb\n").expect("a file")),
        ("no_format", |journal| fs::write(journal, "{\"seq\":1}\n").expect("a file")),
        ("edited", |journal| {
            let text = fs::read_to_string(journal).expect("a journal");
            fs::write(journal, text.replacen("tester@", "taster@", 1)).expect("a file");
        }),
        ("future", |journal| {
            let text = fs::read_to_string(journal).expect("a journal");
            fs::write(journal, text.replace("{\"v\":5,", "{\"v\":7,")).expect("a file");
        }),
    ];
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let before = account.inventory();
    let journal = account.state().join("journal.jsonl");
    let good = fs::read(&journal).expect("a journal");
    for (name, damage) in cases {
        damage(&journal);
        let output = account.run("deploy --yes").exits(1);
        insta::assert_snapshot!(format!("state_{name}"), account.redact(&output.stderr));
        for words in ["status", "destroy --yes"] {
            let other = account.run(words).exits(1);
            assert_eq!(last_error(&other), last_error(&output), "{words}");
        }
        if journal.is_dir() {
            fs::remove_dir(&journal).expect("removed");
        }
        fs::write(&journal, &good).expect("put back");
    }
    assert_eq!(account.inventory(), before, "nothing was done");
    account.run("deploy edge --yes").exits(0);
}

fn last_error(output: &CommandOutput) -> String {
    output.stderr.split("error: ").last().unwrap_or_default().to_owned()
}

#[test]
fn a_state_without_permission() {
    let account = TestAccount::new();
    let state = account.state();
    fs::create_dir_all(&state).expect("a directory");
    fs::write(state.join("journal.jsonl"), "").expect("a file");
    fs::set_permissions(state.join("journal.jsonl"), fs::Permissions::from_mode(0o000)).expect("set");
    if fs::read(state.join("journal.jsonl")).is_ok() {
        // root may read all: a user that may not is taken, where there is one.
        let mut command = account.planned("status");
        fs::set_permissions(account.directory.path(), fs::Permissions::from_mode(0o755)).expect("set");
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        match command.output() {
            Err(bad) => eprintln!("skipped: no other user can be taken ({bad})"),
            Ok(output) if output.stderr.is_empty() => panic!("it is empty"),
            Ok(output) => permission(&account, &String::from_utf8_lossy(&output.stderr), output.status.code()),
        }
        return;
    }
    let output = account.run("status");
    permission(&account, &output.stderr, Some(output.code));
}

#[track_caller]
fn permission(account: &TestAccount, stderr: &str, code: Option<i32>) {
    assert_eq!(code, Some(1), "{stderr}");
    insta::assert_snapshot!("state_no_permission", account.redact(stderr));
}

/// Saves a plan, changes something, and applies it: refused, and nothing is made.
/// Its preview shows little of what is made: whoever sends a saved plan back could have changed the rest.
#[test]
fn a_saved_plan_that_was_changed_is_refused() {
    let account = TestAccount::new();
    account.run("deploy edge --out saved.plan.json").exits(2);
    let file = account.path("saved.plan.json");
    let honest = fs::read_to_string(&file).expect("a plan");
    let before = account.inventory();
    let changes: [fn(&mut serde_json::Value); 3] = [
        |plan| plan["empty_buckets"] = true.into(),
        |plan| plan["files"] = serde_json::json!([["0".repeat(64), "/etc/hostname", 3]]),
        |plan| drop(plan.as_object_mut().expect("a map").remove("code")),
    ];
    for change in changes {
        let mut plan: serde_json::Value = serde_json::from_str(&honest).expect("JSON");
        change(&mut plan);
        fs::write(&file, plan.to_string()).expect("a file");
        for words in ["deploy saved.plan.json --dry-run", "deploy saved.plan.json --yes"] {
            let output = account.run_bare(words).exits(3);
            assert!(output.stderr.contains("it was changed after it was saved"), "{}", output.stderr);
        }
    }
    assert_eq!(account.inventory(), before, "nothing was done");
    fs::write(&file, honest).expect("a file");
    account.run_bare("deploy saved.plan.json --yes").exits(0);
}

/// The checksums guard against damage, not against somebody who writes them again.
#[test]
fn a_region_of_an_edited_journal_is_refused_and_named() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let before = account.inventory();
    let journal = account.state().join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("a journal");
    let edited = text.replace("\"region\":\"us-east-1\"", "\"region\":\"us-east-1\\u0001\"");
    assert_ne!(text, edited, "the journal names a region");
    fs::write(&journal, resealed(&edited)).expect("a file");
    for words in ["deploy edge --yes", "destroy --yes"] {
        let output = account.run(words);
        assert!(matches!(output.code, 1..=3), "{words}: {} {}", output.code, output.all());
        let said = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("which is not the name of an AWS region"), "{words}: {}", output.all());
        assert!(said.contains("in the journal is"), "{words}: {}", output.all());
        assert!(!output.all().contains('\u{1}'), "{words}: {}", output.all());
    }
    assert_eq!(account.inventory(), before, "nothing was done");
}

/// The journal with right checksums, after a test changed its words.
fn resealed(text: &str) -> String {
    let mut before = [0; 32];
    let lines = text.lines().map(|line| {
        let body = format!("{}}}", line.rsplit_once(",\"sum\"").expect("sealed").0);
        before = <sha2::Sha256 as sha2::Digest>::digest([&before[..], body.as_bytes()].concat()).into();
        format!("{},\"sum\":\"{}\"}}\n", &body[..body.len() - 1], hex::encode(&before[..8]))
    });
    lines.collect()
}

/// A device in the place of a file would be read until the memory is gone.
#[test]
fn files_without_an_end_are_refused() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let plan = account.path("zero.plan.json");
    std::os::unix::fs::symlink("/dev/zero", &plan).expect("a link");
    for words in ["deploy zero.plan.json --yes", "state push /dev/zero --stack akidb-week13"] {
        let output = account.run_bare(words).exits(3);
        assert!(output.stderr.contains("it is not a regular file"), "{words}: {}", output.all());
    }
    let large = account.path("large.plan.json");
    fs::File::create(large).expect("a file").set_len(20 << 30).expect("its length");
    let output = account.run_bare("deploy large.plan.json --yes").exits(3);
    assert!(output.stderr.contains("it is larger than 256 MiB"), "{}", output.all());
    let journal = account.state().join("journal.jsonl");
    let kept = journal.with_extension("kept");
    fs::rename(&journal, &kept).expect("moved");
    std::os::unix::fs::symlink("/dev/zero", &journal).expect("a link");
    let output = account.run("status").exits(1);
    assert!(output.stderr.contains("it is not a plain file"), "{}", output.all());
    fs::remove_file(&journal).expect("removed");
    fs::rename(&kept, &journal).expect("moved back");
}

/// Nobody writes into the pipe: whoever opened it as a file would wait for ever.
#[test]
fn pipes_in_the_place_of_files_hold_nobody() {
    let folder = tempfile::tempdir().expect("a directory");
    for name in ["pipe", "pipe.yaml", "pipe.plan.json"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status().expect("mkfifo");
        assert!(made.success());
    }
    for words in [
        "validate plan pipe.yaml",
        "validate plan week13 --var-file pipe",
        "validate plan week13 --var-file /dev/zero",
        "jetson status --plan week13 --inventory pipe",
        "deploy pipe.plan.json --yes",
        "state push pipe --stack akidb-week13",
    ] {
        let mut command = testkit::cli::bare();
        command.current_dir(folder.path()).args(words.split_whitespace());
        command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
        let output = finish(command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "y")).exits(3);
        assert!(output.stderr.contains("it is not a regular file"), "{words}: {}", output.all());
    }
}

/// What a shell passes by `<(command)` is a pipe, too: secrets that are decrypted on the way come like that.
#[test]
fn values_of_a_command_are_read() {
    let binary = env!("CARGO_BIN_EXE_akidb-edge");
    let script = format!("{binary} validate plan week13 --var-file <(echo 'nobody_knows_this: 1')");
    let mut command = std::process::Command::new("bash");
    let output = finish(command.arg("-c").arg(script)).exits(3);
    assert!(output.stdout.contains("nobody_knows_this"), "{}", output.all());
}

#[test]
fn a_saved_plan_that_is_stale() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    account.run("deploy page --out saved.plan.json").exits(2);
    let before = account.inventory();
    let refused = |name: &str| {
        let output = account.run_bare("deploy saved.plan.json --yes").exits(3);
        insta::assert_snapshot!(format!("saved_{name}"), account.redact(&output.stderr));
        assert_eq!(account.inventory(), before, "{name}: nothing was done");
    };
    let saved = fs::read_to_string(account.path("saved.plan.json")).expect("a plan");
    for (name, text) in [
        ("not_json", "no plan".to_owned()),
        ("other_format", saved.replacen("akidb-edge/plan/v2", "akidb-edge/plan/v9", 1)),
    ] {
        fs::write(account.path("saved.plan.json"), text).expect("a file");
        refused(name);
    }
    fs::write(account.path("saved.plan.json"), &saved).expect("a file");

    // Whoever applies it is of another account.
    let mut command = account.command("deploy saved.plan.json --yes");
    let output = finish(command.env("AWS_ACCESS_KEY_ID", "111122223333")).exits(3);
    insta::assert_snapshot!("saved_other_account", account.redact(&output.stderr));
    assert_eq!(account.inventory(), before, "nothing was done");

    // The world changed: what would be made is there already.
    let bucket = format!("t{}-wasm-demo", account.number);
    testkit::proxy::wait(account.s3().create_bucket().bucket(&bucket).send()).expect("a bucket");
    let output = account.run_bare("deploy saved.plan.json --yes").exits(3);
    insta::assert_snapshot!("saved_world_changed", account.redact(&output.stderr));
    testkit::proxy::wait(account.s3().delete_bucket().bucket(&bucket).send()).expect("gone");

    // The state changed: another run came in between.
    account.run("deploy models --yes").exits(0);
    let output = account.run_bare("deploy saved.plan.json --yes").exits(3);
    let words = output.stderr.split_inclusive("from entry").next().unwrap_or_default();
    assert!(words.contains("the saved plan is stale: the journal has grown from entry"), "{}", output.stderr);

    // A file of the plan changed.
    account.run("deploy models --out saved.plan.json").exits(0);
    fs::write(account.path("tokenizer.json"), "{\"version\":\"2.0\"}").expect("a file");
    let output = account.run_bare("deploy saved.plan.json --yes").exits(3);
    insta::assert_snapshot!("saved_file_changed", account.redact(&output.stderr));
}

/// From now on, every call for which `when` is true is refused in the protocol that its service speaks.
fn refuse(
    proxy: &FaultProxy,
    when: impl Fn(&ProxyCall) -> bool + Send + Sync + 'static,
    code: &'static str,
    words: &str,
) {
    let when = Arc::new(when);
    let query = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    let s3 = format!("<Error><Code>{code}</Code><Message>{words}</Message></Error>");
    let json = format!("{{\"__type\":\"{code}\",\"message\":\"{words}\"}}");
    for (body, speaks) in [
        (s3, &["s3"][..]),
        (json, &["acm", "lambda"]),
        (query, &["sts", "iam", "route53", "cloudfront", "elasticloadbalancing"]),
    ] {
        let when = Arc::clone(&when);
        proxy.on(
            move |call| speaks.contains(&call.service.as_str()) && when(call),
            CallSelector::Each,
            ProxyAction::Answer(403, body),
        );
    }
}

#[test]
fn credentials_that_expire_in_the_middle() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    // From the ninth change on, every call: a token does not come back to life.
    let changes = AtomicUsize::new(0);
    let over = move |call: &ProxyCall| changes.fetch_add(usize::from(call.mutates()), Ordering::Relaxed) >= 8;
    refuse(&proxy, over, "ExpiredToken", "The security token included in the request is expired");
    let output = account.run("deploy --yes --parallelism 4").exits(1);
    assert!(
        output.stdout.contains("ExpiredToken: The security token included in the request is expired"),
        "{}",
        output.all()
    );
    assert!(output.stdout.contains("next: set AWS_ACCESS_KEY_ID"), "it says what to do: {}", output.stdout);
    assert!(output.stdout.contains("run the same command again to continue"), "{}", output.stdout);
    // A bucket's settings go out together: what counts is the things that were being worked on, four at most.
    let changed = proxy.take_mutating();
    let thing = |call: &ProxyCall| {
        let path = call.path.split('?').next().unwrap_or_default().to_owned();
        if path == "/" { call.operation.clone() } else { path }
    };
    let refused: BTreeSet<String> = changed.iter().skip(8).map(thing).collect();
    assert!(refused.len() <= 4, "no more is begun when the token is over: {refused:?}");
    let journal = fs::read_to_string(account.state().join("journal.jsonl")).expect("a journal");
    assert!(journal.contains("\"fact\":\"run-ended\",\"ending\":\"partial\""), "the run has its end in the journal");
    proxy.reset();
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole(), "all there, nothing twice");
}

#[test]
fn what_a_service_says_to_a_caller_it_does_not_take() {
    let invalid = "The security token included in the request is invalid";
    let cases = [
        ("region_disabled", "OptInRequired", "The AWS Access Key Id needs a subscription for the service"),
        ("unknown_key", "InvalidClientTokenId", invalid),
        ("unknown_client", "UnrecognizedClientException", invalid),
        (
            "clock_s3",
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        (
            "clock_behind",
            "SignatureDoesNotMatch",
            "Signature expired: 20261121T060000Z is now earlier than 20261121T064500Z (20261121T070000Z - 15 min.)",
        ),
        (
            "clock_ahead",
            "InvalidSignatureException",
            "Signature not yet current: 20261121T080000Z is still later than 20261121T071500Z (20261121T070000Z + 15 min.)",
        ),
        (
            "wrong_secret",
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ),
    ];
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::of(local_aws::account()).through(proxy.url());
    for (name, code, words) in cases {
        proxy.reset();
        refuse(&proxy, |_| true, code, words);
        let output = account.run("deploy --yes").exits(1);
        insta::assert_snapshot!(name, account.redact(&output.stderr));
        assert!(proxy.take_mutating().iter().all(|call| call.service == "sts"), "{name}: nothing is changed");
        assert!(!account.state().join("journal.jsonl").exists(), "{name}: nothing is written");
    }
}

#[test]
fn an_endpoint_without_a_name() {
    let account = TestAccount::of(local_aws::account()).through("http://no-such-host.invalid:4566");
    let output = account.run("deploy --yes").exits(1);
    // The resolver's own words differ from system to system.
    assert!(output.stderr.contains("dns error") || output.stderr.contains("failed to lookup"), "{}", output.stderr);
    assert!(output.stderr.contains("next: check AWS_ENDPOINT_URL and the network"), "{}", output.stderr);
    assert!(!account.state().join("journal.jsonl").exists());
}

#[test]
fn variables_are_not_repeated_when_they_are_malformed() {
    let account = TestAccount::of(local_aws::account());
    fs::write(account.path("vars"), "prefix: x\nhunter2-no-value\n").expect("a file");
    for (name, words) in
        [("var_file", "deploy --dry-run --var-file vars"), ("var", "deploy --dry-run --var hunter2-no-value")]
    {
        let output = finish(account.command(words).args(["--plan", "week13"])).exits(3);
        assert!(!output.all().contains("hunter2"), "{name}: {}", output.all());
        insta::assert_snapshot!(format!("malformed_{name}"), account.redact(&output.stderr));
    }
}
