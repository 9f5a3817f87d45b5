//! `--json`: exactly one document with `schema` and `exit`, for every verb, when it succeeds and when it fails.

use serde_json::Value;

use crate::operators::stack::Stack;
use crate::verbs::pairs::verbs;
use testkit::cli::{CommandOutput, bare, finish};

const ZONE: &str = "  - {id: zone, title: z, kind: routing, with: {zone: {name: example.net}}}\n";
const RECORDS: &str = "  - id: r\n    title: r\n    kind: routing\n    with:\n      records:\n        web:\n        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
const BUCKET: &str = "  - {id: m, title: m, kind: models, with: {buckets: {b: {name: NAME, region: us-east-1}}}}\n";
/// A device that nothing answers for.
const DEVICE: &str = "  - id: d\n    title: d\n    kind: jetson\n    with:\n      k3s: v1.30.4+k3s1\n      hosts:\n        one: {address: 127.0.0.1, port: 1, user: nobody}\n";

/// A device that nothing answers for, in a plan that can be carried out.
pub const AWAY: &str = "  - id: d\n    title: d\n    kind: jetson\n    with:\n      hosts:\n        one: {address: 127.0.0.1, port: 1, user: nobody}\n";

/// The one document on standard output.
#[track_caller]
pub fn only(output: &CommandOutput, what: &str) -> Value {
    let mut all = serde_json::Deserializer::from_str(&output.stdout).into_iter::<Value>();
    let first = all.next().unwrap_or_else(|| panic!("{what}: no document\n{}", output.stderr));
    let first = first.unwrap_or_else(|bad| panic!("{what}: {bad}\n{}", output.stdout));
    assert!(all.next().is_none(), "{what}: more than one document\n{}", output.stdout);
    let schema = first["schema"].as_str().unwrap_or_else(|| panic!("{what}: no schema\n{}", output.stdout));
    assert!(schema.starts_with("akidb-edge/"), "{what}: {schema}");
    assert_eq!(first["exit"], output.code, "{what}: the exit code\n{}", output.stdout);
    first
}

/// What a failure says as data.
#[track_caller]
fn failed(output: &CommandOutput, what: &str) {
    let document = only(output, what);
    assert_ne!(output.code, 0, "{what}\n{}", output.stdout);
    let error = document.get("error").unwrap_or(&document);
    let said = error["problem"].as_str().is_some_and(|text| !text.is_empty());
    // A look at devices that do not answer is a document of its own.
    // So is a verdict with its reason.
    let judged = document["why"].as_str().is_some_and(|text| !text.is_empty());
    let looked = ["devices", "models", "targets"].iter().any(|key| document.get(key).is_some());
    assert!(said || judged || looked, "{what}\n{}", output.stdout);
}

/// How each verb is made to succeed and to fail, in this order. `-` where it cannot without devices.
const RUNS: &[(&str, &str, &str)] = &[
    ("deploy", "--plan p.yaml --yes", "--plan none.yaml"),
    ("validate plan", "p.yaml", "none.yaml"),
    ("validate latency", "-", "--plan p.yaml"),
    ("validate load", "-", "--plan p.yaml --host nobody"),
    ("validate cdn", "-", "--plan p.yaml"),
    ("validate dns", "-", "--plan p.yaml"),
    ("validate failover", "-", "--plan p.yaml --watch 5"),
    ("validate replication", "-", "--plan p.yaml"),
    ("validate edge", "-", "--plan p.yaml"),
    ("validate browser", "-", "--plan p.yaml"),
    ("validate production", "-", "--plan p.yaml"),
    ("validate offline", "-", "--plan p.yaml"),
    ("validate metadata", "-", "--plan p.yaml --unsigned"),
    ("validate cost", "-", "--plan p.yaml"),
    ("validate checklist", "-", "--plan p.yaml"),
    ("validate clean", "--stack nobody --yes", "--plan none.yaml"),
    ("validate all", "-", "--plan p.yaml"),
    ("bench url", "-", "ftp://nobody"),
    ("bench serve", "-", "--address nobody"),
    ("bench compare", "-", "none.json none.json"),
    ("bench history", "-", "none.jsonl"),
    ("status", "--plan p.yaml --drift", "--plan none.yaml"),
    ("state show", "--plan p.yaml", "--plan none.yaml"),
    ("state unlock", "--plan p.yaml", "--plan none.yaml"),
    ("state export", "--plan p.yaml", "--plan p.yaml --format terraform"),
    ("state import", "-", "routing.zone.main=Z --plan p.yaml"),
    ("state journal", "--plan p.yaml", "--plan none.yaml"),
    ("state list", "--plan p.yaml", "--plan none.yaml"),
    ("state forget", "-", "models.bucket.none --plan p.yaml --yes"),
    ("state move", "-", "models.bucket.none models.bucket.other --plan p.yaml --yes"),
    ("state pull", "--plan p.yaml --out pulled.jsonl", "--plan none.yaml"),
    ("state push", "-", "none.jsonl --plan p.yaml"),
    ("route geo", "-", "--plan p.yaml"),
    ("route latency", "-", "--plan p.yaml"),
    ("route cutover", "-", "--plan p.yaml"),
    ("route explain", "--plan week13 --from EU", "--plan week13 --down nonsense"),
    ("report", "--plan p.yaml", "--plan p.yaml --format html"),
    ("doctor", "--plan p.yaml", "--plan none.yaml"),
    ("completions", "bash", "basch"),
    ("man", "deploy", "deplo"),
    ("rollback", "--plan p.yaml --yes", "--plan p.yaml --to 99"),
    ("destroy", "--plan p.yaml --yes", "--stack nobody"),
    ("jetson provision", "-", "--plan d.yaml --yes"),
    ("jetson deploy", "-", "--plan d.yaml --yes"),
    ("jetson doctor", "-", "--plan d.yaml"),
    ("jetson status", "-", "--plan d.yaml"),
    ("jetson power", "-", "--plan d.yaml --mode 15W --host two"),
    ("jetson kubeconfig", "-", "--plan d.yaml"),
    ("jetson image push", "-", "none.tar --plan d.yaml"),
    ("jetson drain", "-", "one --plan d.yaml"),
    ("jetson uncordon", "-", "one --plan d.yaml"),
    ("jetson shutdown", "-", "--plan d.yaml"),
    ("jetson rollback", "-", "--plan d.yaml"),
    ("jetson uninstall", "-", "--plan d.yaml --host two"),
    ("jetson sudoers", "--plan h.yaml", "--plan p.yaml"),
    // Asked by OpenSSH, in OpenSSH's own words.
    ("known-host", "-", "-"),
    // Asked by a server, which reads what it prints.
    ("try-model", "-", "-"),
    ("models pull", "-", "all-MiniLM-L6-v2 --offline --models none"),
    ("models list", "--models none", "-"),
    ("models verify", "--models none", "nobody --models none"),
    ("models import", "-", "none"),
    ("models publish", "-", "nobody --to file:there --models none"),
    ("models remove", "-", "nobody --models none"),
    ("models certify", "-", "--tiers nobody"),
    (
        "replicate metadata",
        "--primary meta.db --to file:published --unsigned --once",
        "--primary none.db --to file:other --unsigned --once",
    ),
    (
        "replicate follow",
        "--from file:published --db replica.db --unsigned --once",
        "--from file:none --db x.db --unsigned --once",
    ),
    ("replicate restore", "--from file:published --db restored.db --unsigned", "--from file:none --db x.db --unsigned"),
    ("replicate verify", "--from file:published --unsigned", "--from file:none --unsigned"),
    ("replicate status", "--from file:published --unsigned", "--from file:none --unsigned"),
    ("replicate pause", "--location file:published --reason test", "--location nowhere --reason test"),
    ("replicate resume", "--location file:published", "--location nowhere"),
    ("replicate registry", "-", "--primary none.db --from file:none"),
    ("replicate key", "--out signing.pem", "--out signing.pem"),
    ("edge package", "-", "--model none"),
    ("edge invoke", "-", "none.zip"),
    ("serve", "--print-proto", "--model nobody --models none"),
];

#[test]
fn every_verb_gives_one_document_in_success_and_in_failure() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{RECORDS}{}", BUCKET.replace("NAME", &format!("doc-{}", stack.account))));
    stack.plan("d.yaml", DEVICE);
    stack.plan("h.yaml", AWAY);
    let database = rusqlite::Connection::open(stack.home.path().join("meta.db")).expect("a database");
    database.execute_batch("CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1)").expect("written");
    drop(database);
    let known: Vec<String> = verbs().iter().map(|verb| verb.path.join(" ")).collect();
    for verb in &known {
        assert!(RUNS.iter().any(|(name, ..)| name == verb), "add {verb} to the table: how it succeeds, how it fails");
    }
    let run = |verb: &str, words: &str| {
        let arguments: Vec<&str> = verb.split(' ').chain(words.split(' ')).chain(["--json"]).collect();
        stack.run(&arguments)
    };
    for (verb, succeeds, fails) in RUNS.iter().filter(|(verb, ..)| known.iter().any(|one| one == verb)) {
        if *succeeds != "-" {
            let output = run(verb, succeeds);
            only(&output, &format!("{verb} {succeeds}"));
            // A doctor may warn.
            let well = output.code == 0 || *verb == "doctor" && output.code == 2;
            assert!(well, "{verb} {succeeds}\n{}\n{}", output.stdout, output.stderr);
        }
        if *fails != "-" {
            failed(&run(verb, fails), &format!("{verb} {fails}"));
        }
        // A wrong command line of this verb is a document, too; known-host takes anything for a key.
        if *verb != "known-host" {
            let wrong = run(verb, "--no-such-option").exits(1);
            let document = only(&wrong, verb);
            assert!(document["next_step"].as_str().is_some_and(|next| next.contains(verb)), "{document}");
        }
    }
}

#[test]
fn what_changes_devices_names_its_schema_after_its_verb() {
    let stack = Stack::new();
    stack.plan("d.yaml", AWAY);
    for verb in ["provision", "deploy"] {
        let output = stack.run(&["jetson", verb, "--plan", "d.yaml", "--dry-run", "--json"]);
        assert_eq!(only(&output, verb)["schema"], format!("akidb-edge/jetson-{verb}/v1"), "{}", output.stderr);
    }
    // A wrong place of the state does not look like devices that are clean.
    let lost = stack.run(&["jetson", "uninstall", "--plan", "d.yaml", "--state", "file:elsewhere", "--yes"]).exits(3);
    assert!(lost.stderr.contains("no state of the stack"), "{}", lost.stderr);
    assert!(!stack.home.path().join("elsewhere").exists());
}

#[test]
fn a_device_that_is_away_is_not_as_the_plan_wants() {
    let stack = Stack::new();
    stack.plan("d.yaml", AWAY);
    let looked = stack.run(&["jetson", "provision", "--plan", "d.yaml", "--dry-run"]).exits(1);
    assert_eq!(
        looked.stdout.trim_end(),
        "no changes (0 resources checked, 1 device left out: one)",
        "{}",
        looked.stderr
    );
    let looked = stack.run(&["jetson", "provision", "--plan", "d.yaml", "--dry-run", "--json"]).exits(1);
    assert_eq!(only(&looked, "away")["left_out"], serde_json::json!(["one"]));
}

#[test]
fn other_ends_are_one_document() {
    let stack = Stack::new();
    let name = format!("doc-{}", stack.account);
    stack.plan("p.yaml", &BUCKET.replace("NAME", &name));
    // Looking: changes are pending.
    let looked = stack.run(&["deploy", "--plan", "p.yaml", "--dry-run", "--json"]).exits(2);
    assert_eq!(only(&looked, "dry run")["schema"], "akidb-edge/deploy/v1");
    let saved = stack.run(&["deploy", "--plan", "p.yaml", "--out", "x.plan.json", "--json"]).exits(2);
    only(&saved, "saved");
    // There is no terminal to ask on.
    let asked = stack.run(&["deploy", "--plan", "p.yaml", "--json"]).exits(3);
    let document = only(&asked, "asked");
    assert!(document["next_step"].as_str().is_some_and(|next| next.contains("--yes")), "{document}");
    let policy = stack.run(&["deploy", "--plan", "p.yaml", "--print-iam-policy", "--json"]).exits(0);
    let document = only(&policy, "policy");
    assert!(document["policy"]["Statement"].is_array(), "{}", policy.stdout);
    assert_eq!(document["managed_policies"].as_array().map(Vec::len), Some(1), "{}", policy.stdout);
    let boundary = stack.run(&["deploy", "--plan", "p.yaml", "--print-iam-boundary", "--json"]).exits(3);
    let document = only(&boundary, "boundary");
    assert!(document["next_step"].as_str().is_some_and(|next| next.contains("role_boundary")), "{document}");
    only(&stack.run(&["deploy", "x.plan.json", "--yes", "--json"]).exits(0), "the saved plan");
    only(&stack.run(&["deploy", "x.plan.json", "--yes", "--json"]).exits(3), "a stale one");
    only(&stack.run(&["deploy", "x.plan.json", "--target", "models", "--json"]).exits(3), "options beside it");
    for format in ["json", "html", "markdown"] {
        let code = if format == "json" { 0 } else { 3 };
        only(&stack.run(&["report", "--plan", "p.yaml", "--format", format, "--json"]).exits(code), format);
    }
    // Help, the version and no verb at all.
    for (words, code) in [("--json --help", 0), ("deploy --json --help", 0), ("--json --version", 0), ("--json", 1)] {
        let output = finish(bare().args(words.split(' '))).exits(code);
        only(&output, words);
    }
    // Without credentials, without a region.
    let nowhere = finish(bare().current_dir(stack.home.path()).args(["deploy", "--plan", "p.yaml", "--json"])).exits(1);
    only(&nowhere, "no region");
}
