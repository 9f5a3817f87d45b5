//! Sensitive variables of a plan: kept apart from the journal, and shown nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use aws_sdk_route53::types::RrType;

use super::{CANARY, holds, nowhere_below};
use testkit::cli::{TestAccount, finish};
use testkit::proxy::wait;

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
fn proofs(account: &TestAccount) -> String {
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
    let account = TestAccount::new();
    fs::write(account.path("sensitive.yaml"), SENSITIVE).expect("a file");
    let run = |words: &str, token: &str| {
        let mut command = account.command(words);
        let output = finish(command.env("AKIDB_EDGE_VAR_token", token));
        assert!([0, 2].contains(&output.code), "{words}: {}", output.all());
        assert!(!holds(output.all().as_bytes()) && !output.all().contains(OTHER), "{words} tells it: {}", output.all());
        output
    };
    run("deploy --plan sensitive.yaml --out saved.plan.json -vvv", CANARY);
    // The saved plan has it from beside the journal.
    run("deploy saved.plan.json --yes -vvv", OTHER);
    assert!(proofs(&account).contains(CANARY), "{}", proofs(&account));
    run("deploy --plan sensitive.yaml --yes --json", CANARY).exits(0);
    let changed = run("deploy --plan sensitive.yaml --dry-run", OTHER).exits(2);
    assert!(changed.stdout.contains("(sensitive)"), "{}", changed.stdout);
    run("deploy --plan sensitive.yaml --yes -vvv", OTHER);
    assert!(proofs(&account).contains(OTHER));
    for words in [
        "status --drift --plan sensitive.yaml --json",
        "status --stack sensitive -vvv",
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
    run("rollback --stack sensitive --yes -vvv", OTHER);
    assert!(proofs(&account).contains(CANARY), "{}", proofs(&account));
    run("destroy --stack sensitive --yes -vvv", OTHER);
    let apart = account.path("state/sensitive/content");
    let kept: Vec<PathBuf> = fs::read_dir(&apart).expect("kept").map(|entry| entry.expect("one").path()).collect();
    assert!(kept.iter().any(|file| holds(&fs::read(file).expect("a file"))), "it is kept there, for rollbacks");
    assert_eq!(fs::read(apart.join(".gitignore")).expect("a file"), b"*\n", "git would commit it");
    nowhere_below(account.directory.path(), &kept);
    for path in kept.iter().chain([&account.path("saved.plan.json"), &account.path("state/sensitive/journal.jsonl")]) {
        let mode = fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

/// In a text of DNS quotes are escaped and long values divided, and names are in lower case: what is kept apart is none
/// of these.
#[test]
fn a_sensitive_value_that_would_be_written_in_another_form_is_refused() {
    let account = TestAccount::new();
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
        let mut command = account.command(&format!("deploy --plan {plan} --dry-run -vvv"));
        let output = finish(command.env("AKIDB_EDGE_VAR_token", &value)).exits(3);
        assert!(output.stderr.contains("could not be kept out of the journal"), "{}", output.all());
        assert!(!output.all().to_lowercase().contains("canary-f3a9c1"), "{}", output.all());
    }
}
