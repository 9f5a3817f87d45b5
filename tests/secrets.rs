//! What is secret is found nowhere: not in what is said, not in what is written, not in what other processes see. And what the
//! tool asks to be allowed is no more than it needs.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use akidb_edge::resource::untrusted::is_hidden;
use aws_sdk_route53::types::RrType;
use serde_json::Value;
use support::cli::{Account, bare, finish};
use support::local_aws;
use support::proxy::{Act, Call, Proxy, Which, wait};

const CANARY: &str = "canary-f3a9c1-never-shown";
/// The same in base64, as saved plans hold bytes, at each of the three places that it can have within a group of bytes.
const IN_BASE64: [&str; 3] =
    ["Y2FuYXJ5LWYzYTljMS1uZXZlci1zaG", "NhbmFyeS1mM2E5YzEtbmV2ZXItc2hv", "jYW5hcnktZjNhOWMxLW5ldmVyLXNob"];

fn holds(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains(CANARY) || IN_BASE64.iter().any(|form| text.contains(form))
}

#[track_caller]
fn nowhere_below(folder: &Path, except: &[PathBuf]) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            nowhere_below(&entry, except);
        } else if !except.contains(&entry) {
            assert!(!holds(&fs::read(&entry).expect("a file")), "{}", entry.display());
        }
    }
}

/// Secrets wherever a user may have some: keys, a token, a profile, variables of other programs, a variable that no plan has.
fn with_secrets(account: &Account, command: &mut Command) {
    command
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .env("AWS_SESSION_TOKEN", CANARY)
        .env("DATABASE_PASSWORD", CANARY)
        .env("AKIDB_EDGE_VAR_password", CANARY)
        .env("AWS_SHARED_CREDENTIALS_FILE", account.path("credentials"));
}

const VERBS: [&str; 11] = [
    "deploy --out saved.plan.json -vv",
    "deploy --yes -vv",
    "deploy --yes --json",
    "status --json",
    "status -vv",
    "state export -vv",
    "state journal",
    "report",
    "route cutover --yes",
    "rollback --yes -vv",
    "destroy --empty-buckets --yes -vv",
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
    let account = Account::new();
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
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    proxy.on(Call::mutates, Which::Nth(4), Act::HoldBefore);
    let mut command = account.planned("deploy --yes -vv");
    with_secrets(&account, &mut command);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    assert!(proxy.held_within(Duration::from_secs(20)), "it is in the middle of its work");
    let lines = command_lines(running.id());
    running.kill().expect("it lives");
    running.wait().expect("ended");
    assert!(lines[0].contains("akidb-edge") && lines[0].contains("deploy"), "{lines:?}");
    assert!(!lines.iter().any(|line| holds(line.as_bytes())), "{lines:?}");
}

/// A fault of the program itself: what it says must be fit for a public report.
#[test]
fn a_panic_tells_no_secret() {
    let account = Account::of(local_aws::account());
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

/// A zone with a text record that has a sensitive variable in it.
const SENSITIVE: &str = "version: 1
stack: sensitive
metadata: {name: s, title: S}
variables:
  token: {sensitive: true}
days:
- day: 1
  title: d
  steps:
  - id: names
    title: t
    kind: routing
    with:
      zone: {name: canary.example.com}
      records:
        proof:
        - {name: proof, type: TXT, ttl: 60, values: [\"token=${var.token}\"]}
";

/// The values of the text record, as Route 53 has them.
fn proofs(account: &Account) -> String {
    let names = aws_sdk_route53::Client::new(&account.sdk);
    let zones = wait(names.list_hosted_zones().send()).expect("zones");
    let zone = zones.hosted_zones().iter().find(|zone| zone.name() == "canary.example.com.").expect("the zone");
    let sets = wait(names.list_resource_record_sets().hosted_zone_id(zone.id()).send()).expect("sets");
    let of_type = sets.resource_record_sets().iter().filter(|set| *set.r#type() == RrType::Txt);
    of_type.flat_map(|set| set.resource_records()).map(|record| record.value().to_owned()).collect()
}

#[test]
fn a_sensitive_variable_is_kept_apart_and_shown_nowhere() {
    const OTHER: &str = "another-value-of-the-token";
    let account = Account::new();
    fs::write(account.path("sensitive.yaml"), SENSITIVE).expect("a file");
    let run = |words: &str, token: &str| {
        let mut command = account.command(words);
        let output = finish(command.env("AKIDB_EDGE_VAR_token", token));
        assert!([0, 2].contains(&output.code), "{words}: {}", output.all());
        assert!(!holds(output.all().as_bytes()) && !output.all().contains(OTHER), "{words} tells it: {}", output.all());
        output
    };
    run("deploy --plan sensitive.yaml --out saved.plan.json -vv", CANARY);
    // The saved plan has it from beside the journal.
    run("deploy saved.plan.json --yes -vv", OTHER);
    assert!(proofs(&account).contains(CANARY), "{}", proofs(&account));
    run("deploy --plan sensitive.yaml --yes --json", CANARY).exits(0);
    let changed = run("deploy --plan sensitive.yaml --dry-run", OTHER).exits(2);
    assert!(changed.stdout.contains("(sensitive)"), "{}", changed.stdout);
    run("deploy --plan sensitive.yaml --yes -vv", OTHER);
    assert!(proofs(&account).contains(OTHER));
    for words in [
        "status --drift --plan sensitive.yaml --json",
        "status --stack sensitive -vv",
        "state show --stack sensitive --json",
        "state journal --stack sensitive",
        "state export --stack sensitive",
        "state export --stack sensitive --out export",
        "state pull --stack sensitive --out pulled.jsonl",
        "report --plan sensitive.yaml",
    ] {
        run(words, OTHER);
    }
    // A rollback needs neither the plan nor the variable.
    run("rollback --stack sensitive --yes -vv", OTHER);
    assert!(proofs(&account).contains(CANARY), "{}", proofs(&account));
    run("destroy --stack sensitive --yes -vv", OTHER);
    let apart = account.path("state/sensitive/content");
    let kept: Vec<PathBuf> = fs::read_dir(&apart).expect("kept").map(|entry| entry.expect("one").path()).collect();
    assert!(kept.iter().any(|file| holds(&fs::read(file).expect("a file"))), "it is kept there, for rollbacks");
    nowhere_below(account.directory.path(), &kept);
    for path in kept.iter().chain([&account.path("saved.plan.json"), &account.path("state/sensitive/journal.jsonl")]) {
        let mode = fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn a_log_does_not_say_which_key_signs() {
    let account = Account::of(local_aws::account());
    // The client of S3 writes the identity that it signs with into its log.
    let output = finish(&mut account.command("status --stack none --state s3://no-such-bucket-anywhere/x -vv"));
    assert!(output.stderr.contains("access_key_id: \"(hidden)"), "the log speaks of it: {}", output.stderr);
    assert!(!output.stderr.contains(&format!("access_key_id: \"{}", account.number)));
    assert!(!output.stderr.contains(&format!("Credential={}", account.number)));
}

/// What a service says reaches the terminal, the report and the log as text: it moves no cursor and fills no clipboard.
#[test]
fn words_of_a_service_do_nothing_to_a_terminal() {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    let said = r#"{"__type":"LimitExceededException","message":"no\u001b]52;c;cm0gLXJm\u0007\u009b2J\u202e\r\u001b[1A\n  done: 3 changes"}"#;
    proxy.on(|call| call.is("acm", "RequestCertificate"), Which::Each, Act::Answer(400, said.to_owned()));
    for words in
        ["deploy --yes", "deploy --yes --json", "deploy --yes -vv", "state journal --stack akidb-week13", "report"]
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

/// What parliament (an IAM policy linter) finds, as `SEVERITY ISSUE`. None where it is not installed.
fn parliament(policy: &str, more: &[&str]) -> Option<BTreeSet<String>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("localstack/.venv/bin/parliament");
    let mut linter =
        Command::new(program).arg("--json").args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    std::io::Write::write_all(&mut linter.stdin.take()?, policy.as_bytes()).expect("it reads");
    let output = linter.wait_with_output().expect("it ends");
    let failed = !output.status.success() && output.stdout.is_empty();
    assert!(!failed, "parliament: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("text");
    let findings = said.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let finding: Value = serde_json::from_str(line).unwrap_or_else(|bad| panic!("{bad}: {line}"));
        format!("{} {}", finding["severity"].as_str().unwrap_or("?"), finding["issue"].as_str().unwrap_or("?"))
    });
    Some(findings.collect())
}

#[test]
fn the_policy_that_is_asked_for_passes_the_linter() {
    local_aws::endpoint();
    let models = tempfile::tempdir().expect("a directory");
    for name in ["model.safetensors", "tokenizer.json"] {
        fs::write(models.path().join(name), "x").expect("a file");
    }
    let directory = format!("model_dir={}", models.path().display());
    let policy =
        finish(bare().args(["deploy", "--print-iam-policy", "--plan", "week13", "--var", &directory])).exits(0);
    let Some(findings) = parliament(&policy.stdout, &[]) else {
        panic!("parliament is not installed: localstack/up --install brings it");
    };
    assert!(findings.is_empty(), "{findings:?}");
    // Two findings of the auditors that look for what an attacker could make of it remain, because it is the tool's work: it makes
    // the roles of a stack, hands them to Lambda and S3, and writes the policies of buckets. Each is held to the names of
    // the plan's own roles and buckets, and `iam:PassRole` to their services.
    let known =
        BTreeSet::from(["HIGH PRIVILEGE_ESCALATION".to_owned(), "MEDIUM PERMISSIONS_MANAGEMENT_ACTIONS".to_owned()]);
    assert_eq!(parliament(&policy.stdout, &["--include-community-auditors"]).expect("as before"), known);
    let document: Value = serde_json::from_str(&policy.stdout).expect("a policy");
    for statement in document["Statement"].as_array().expect("statements") {
        let actions = statement["Action"].to_string();
        // To find what carries the stack's tags, names and tags of all may be read.
        let only_looks = ["[\"iam:ListRoles\"]", "[\"iam:ListRoleTags\"]"].contains(&actions.as_str());
        if !only_looks && ["iam:", "PutBucketPolicy"].iter().any(|risky| actions.contains(risky)) {
            let on = statement["Resource"].to_string();
            assert!(!on.contains("\"*\"") && !on.contains("role/*") && !on.contains("s3:::*"), "{statement}");
        }
    }
    // The linter does look: without the grant on objects, whoever writes the bucket's policy gains it.
    let mut without: Value = document.clone();
    without["Statement"].as_array_mut().expect("statements").retain(|statement| statement["Sid"] != "Objects");
    let found = parliament(&without.to_string(), &[]).expect("as before");
    assert!(found.contains("MEDIUM RESOURCE_POLICY_PRIVILEGE_ESCALATION"), "{found:?}");
}
