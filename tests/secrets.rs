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

/// The memory of a run holds keys.
#[test]
fn no_run_leaves_a_core_dump() {
    let proxy = Proxy::start(&local_aws::endpoint());
    let account = Account::new().through(proxy.url());
    proxy.on(Call::mutates, Which::Nth(4), Act::HoldBefore);
    let mut command = account.planned("deploy --yes");
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    assert!(proxy.held_within(Duration::from_secs(20)), "it is in the middle of its work");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).expect("its limits");
    running.kill().expect("it lives");
    running.wait().expect("ended");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
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

/// The policy for week 13, as it is printed.
fn printed_policy() -> Value {
    let models = tempfile::tempdir().expect("a directory");
    for name in ["model.safetensors", "tokenizer.json"] {
        fs::write(models.path().join(name), "x").expect("a file");
    }
    let directory = format!("model_dir={}", models.path().display());
    let printed =
        finish(bare().args(["deploy", "--print-iam-policy", "--plan", "week13", "--var", &directory])).exits(0);
    serde_json::from_str(&printed.stdout).expect("a policy")
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    value
        .as_str()
        .map_or_else(|| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect(), |one| vec![one])
}

/// Whether a pattern with stars takes a text.
fn takes(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|left| {
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| takes(rest, &left[at..]))
        }),
    }
}

/// Whether a statement's condition holds for a request with these keys (IAM User Guide, "Policy evaluation logic": a key that is
/// not there fails an operator, but for those that end in IfExists, those that negate, and ForAllValues).
fn holds_for(condition: &Value, keys: &[(&str, &str)]) -> bool {
    condition.as_object().into_iter().flatten().all(|(operator, wanted)| {
        wanted.as_object().into_iter().flatten().all(|(key, values)| {
            let given = keys.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
            let equal = |given: &str| texts(values).iter().any(|pattern| takes(pattern, given));
            match operator.as_str() {
                "StringEquals" | "ArnEquals" | "Bool" => given.is_some_and(equal),
                "ArnEqualsIfExists" | "ForAllValues:StringLike" => given.is_none_or(equal),
                "StringNotEquals" | "ArnNotEquals" => !given.is_some_and(equal),
                other => panic!("the test does not know the operator {other}"),
            }
        })
    })
}

/// Whether a policy lets somebody do something: allowed by a statement, and denied by none.
fn may(policy: &Value, action: &str, resource: &str, keys: &[(&str, &str)]) -> bool {
    let mut keys = keys.to_vec();
    keys.push(("aws:PrincipalIsAWSService", "false"));
    let meant = |effect: &str| {
        policy["Statement"].as_array().expect("statements").iter().any(|statement| {
            statement["Effect"] == effect
                && texts(&statement["Action"]).iter().any(|pattern| takes(pattern, action))
                && texts(&statement["Resource"]).iter().any(|pattern| takes(pattern, resource))
                && holds_for(&statement["Condition"], &keys)
        })
    };
    meant("Allow") && !meant("Deny")
}

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const LOGS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

#[test]
fn the_policy_that_is_asked_for_leads_to_no_administrator() {
    let policy = printed_policy();
    let role = "arn:aws:iam::000000000000:role/akidb-week13-gateway".to_owned();
    let other = "arn:aws:iam::000000000000:role/admin".to_owned();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:others".to_owned();
    let boundary = |arn| ("iam:PermissionsBoundary", arn);
    // What the plan needs is there.
    for action in ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"] {
        assert!(may(&policy, action, &role, &[boundary(LOGS)]), "{action}\n{policy:#}");
        // Without the boundary, or with another one, it is not.
        assert!(!may(&policy, action, &role, &[]), "{action} without a boundary");
        assert!(!may(&policy, action, &role, &[boundary(ADMINISTRATOR)]), "{action} beyond the boundary");
        assert!(!may(&policy, action, &other, &[boundary(LOGS)]), "{action} for a role of others");
    }
    let passed = |service| [("iam:PassedToService", service)];
    assert!(may(&policy, "iam:PassRole", &role, &passed("lambda.amazonaws.com")));
    assert!(!may(&policy, "iam:PassRole", &role, &passed("ec2.amazonaws.com")));
    assert!(!may(&policy, "iam:PassRole", &other, &passed("lambda.amazonaws.com")));
    for (action, on) in [
        ("iam:AttachRolePolicy", &role),
        ("iam:DeleteRolePermissionsBoundary", &role),
        ("iam:UpdateAssumeRolePolicy", &other),
        ("iam:CreatePolicyVersion", &other),
        ("iam:SetDefaultPolicyVersion", &other),
        ("iam:CreateUser", &other),
        ("iam:CreateAccessKey", &other),
        ("iam:CreateLoginProfile", &other),
        ("iam:AttachUserPolicy", &other),
        ("iam:PutUserPolicy", &other),
        ("iam:AddUserToGroup", &other),
        ("sts:AssumeRole", &role),
        ("lambda:InvokeFunction", &role),
        ("lambda:UpdateFunctionCode", &function),
    ] {
        assert!(!may(&policy, action, on, &[("iam:PolicyARN", ADMINISTRATOR), boundary(LOGS)]), "{action} on {on}");
    }
}

#[test]
fn the_policy_that_is_asked_for_reaches_nothing_of_others() {
    let policy = printed_policy();
    let tag = |stack| [("aws:ResourceTag/akidb:stack", stack)];
    let any = |kind: &str| {
        let found = policy["Statement"].as_array().expect("statements").iter().flat_map(|one| texts(&one["Resource"]));
        let pattern =
            found.into_iter().find(|arn| arn.contains(kind)).unwrap_or_else(|| panic!("no {kind}")).to_owned();
        pattern.replace(":*", ":1").replace("/*", "/x")
    };
    for (action, on) in [
        ("cloudfront:DeleteDistribution", any(":distribution/")),
        ("cloudfront:UpdateDistribution", any(":distribution/")),
        ("acm:DeleteCertificate", any(":certificate/")),
    ] {
        let on = on.as_str();
        assert!(may(&policy, action, on, &tag("akidb-week13")), "{action} on {on}");
        assert!(!may(&policy, action, on, &tag("other")) && !may(&policy, action, on, &[]), "{action} on {on}");
    }
    let change = |name| {
        let keys = [("route53:ChangeResourceRecordSetsNormalizedRecordNames", name)];
        may(&policy, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/x", &keys)
    };
    assert!(change("api.akidb.com") && change("_abc.cdn.akidb.com") && !change("www.example.com"));
}

#[test]
fn services_use_the_roles_of_the_plan_for_this_account_alone() {
    let graph = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/snapshots/plan_week13__the_same_plan_wants_the_same.snap"
    ));
    let graph = graph.expect("the graph of week 13");
    let roles: Vec<&str> = graph.lines().filter(|line| line.contains("sts:AssumeRole")).collect();
    assert!(roles.len() >= 2, "{roles:?}");
    for role in roles {
        let spec: Value = serde_json::from_str(&role[role.find('{').expect("a spec")..]).expect("JSON");
        let services = spec.pointer("/trust/Statement/0/Principal/Service").expect("services").to_string();
        // A function's role is handed over by its own account alone: Lambda takes none of another one.
        if !services.contains("lambda") {
            let condition = &spec["trust"]["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"];
            assert_eq!(condition, "${#account}", "{spec:#}");
        }
        assert!(spec["boundary"].as_str().is_some_and(|arn| arn.starts_with("arn:aws:iam::aws:policy/")), "{spec:#}");
    }
}

/// In a text of DNS quotes are escaped and long values divided, and names are in small letters: what is kept apart is none of these.
#[test]
fn a_sensitive_value_that_would_be_written_in_another_form_is_refused() {
    let account = Account::new();
    fs::write(account.path("sensitive.yaml"), SENSITIVE).expect("a file");
    let named = SENSITIVE
        .replace("name: proof, type: TXT", "name: \"${var.token}\", type: TXT")
        .replace("token=${var.token}", "x");
    fs::write(account.path("named.yaml"), named).expect("a file");
    let long = format!("{CANARY}-{}", "k".repeat(280));
    for (plan, value) in [
        ("sensitive.yaml", format!("\"{CANARY}\\ \u{e9}")),
        ("sensitive.yaml", long),
        ("named.yaml", "Canary-F3A9c1-Never-Shown".to_owned()),
    ] {
        let mut command = account.command(&format!("deploy --plan {plan} --dry-run -vv"));
        let output = finish(command.env("AKIDB_EDGE_VAR_token", &value)).exits(3);
        assert!(output.stderr.contains("could not be kept out of the journal"), "{}", output.all());
        assert!(!output.all().to_lowercase().contains("canary-f3a9c1"), "{}", output.all());
    }
}
