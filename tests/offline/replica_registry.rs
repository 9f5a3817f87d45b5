//! The model registry on its way from a place of `deploy` to a replica, and the alerts about it: each names a metric that the
//! publisher or the follower writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use saphyr::{LoadableYamlNode, Yaml};
use testkit::cli::{CommandOutput, bare, finish};

const REGISTRY: &str = r#"{"format":1,"models":[
    {"name":"minilm","version":"v1","path":"minilm/v1","dimension":384,"enabled":true},
    {"name":"old","version":null,"path":null,"dimension":null,"enabled":false}],
    "tenants":[],"collections":[]}"#;

/// Of node_exporter, for files of metrics.
const OF_OTHERS: [&str; 1] = ["node_textfile_mtime_seconds"];

fn replicate(folder: &Path, words: &str) -> CommandOutput {
    finish(bare().current_dir(folder).arg("replicate").args(words.split_whitespace()))
}

/// The rows of the table that servers read.
fn models(file: &Path) -> Vec<(String, Option<String>, Option<String>, bool)> {
    let open = rusqlite::Connection::open(file).expect("a database");
    let mut asked = open.prepare("SELECT name, version, path, enabled FROM models ORDER BY name").expect("the table");
    let rows = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("each row")
}

/// A folder with a registry that was published and followed, once each.
fn followed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("registry")).expect("a directory");
    std::fs::write(folder.path().join("registry/registry.json"), REGISTRY).expect("a file");
    replicate(
        folder.path(),
        "metadata --primary metadata.db --registry file:registry --to file:bucket --unsigned --once --metrics-file p.prom",
    )
    .exits(0);
    replicate(folder.path(), "follow --from file:bucket --db replica.db --unsigned --once --metrics-file f.prom")
        .exits(0);
    folder
}

#[test]
fn a_replica_has_the_models_of_the_registry() {
    let folder = followed();
    let some = |text: &str| Some(text.to_owned());
    let row = |name: &str, version, path, enabled| (name.to_owned(), version, path, enabled);
    let expected = [row("minilm", some("v1"), some("minilm/v1"), true), row("old", None, None, false)];
    assert_eq!(models(&folder.path().join("replica.db")), expected);

    // Another version, as a later deploy writes it.
    let later = REGISTRY.replace("v1", "v2");
    std::fs::write(folder.path().join("registry/registry.json"), later).expect("a file");
    let run = replicate(folder.path(), "registry --from file:registry --primary metadata.db --json").exits(0).json();
    assert_eq!((&run["revision"], &run["changed"]), (&2.into(), &serde_json::json!(["models minilm"])));
    let run = replicate(folder.path(), "registry --from file:registry --primary metadata.db").exits(0);
    assert_eq!(run.stdout, "registry revision 2: unchanged\n");
    replicate(folder.path(), "metadata --primary metadata.db --to file:bucket --unsigned --once").exits(0);
    replicate(folder.path(), "follow --from file:bucket --db replica.db --unsigned --once").exits(0);
    assert_eq!(models(&folder.path().join("replica.db"))[0].1, some("v2"));
}

#[test]
fn a_registry_of_a_newer_version_changes_nothing() {
    let folder = followed();
    std::fs::write(folder.path().join("registry/registry.json"), r#"{"format":2}"#).expect("a file");
    let run = replicate(folder.path(), "registry --from file:registry --primary metadata.db").exits(1);
    assert!(run.stderr.contains("RD001-replica") && run.stderr.contains("format 2"), "{}", run.stderr);
    assert_eq!(models(&folder.path().join("metadata.db")).len(), 2);
}

/// The alerts: name and expression.
fn alerts() -> Vec<(String, String)> {
    let file = testkit::root().join("templates/observability/replica_alerts.yml");
    let text = std::fs::read_to_string(file).expect("the rules");
    let documents = Yaml::load_from_str(&text).expect("YAML");
    let group = &documents[0].as_mapping_get("groups").and_then(|groups| groups.as_sequence()).expect("groups")[0];
    let rules = group.as_mapping_get("rules").and_then(|rules| rules.as_sequence()).expect("rules");
    let field = |rule: &Yaml<'_>, key: &str| rule.as_mapping_get(key).and_then(|text| text.as_str()).map(str::to_owned);
    rules
        .iter()
        .map(|rule| (field(rule, "alert").expect("a name"), field(rule, "expr").expect("an expression")))
        .collect()
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("akidb_") || word.starts_with("node_"))
}

#[test]
fn each_alert_names_a_metric_that_is_written() {
    let folder = followed();
    let mut written = BTreeSet::new();
    for file in ["p.prom", "f.prom"] {
        let text = std::fs::read_to_string(folder.path().join(file)).expect("metrics");
        written
            .extend(text.lines().filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned())));
    }
    assert!(written.len() > 12, "{written:?}");
    let alerts = alerts();
    assert!(alerts.len() >= 9);
    for (alert, expression) in &alerts {
        let mut names = names(expression).peekable();
        assert!(names.peek().is_some(), "{alert} asks for nothing");
        for name in names {
            assert!(written.contains(name) || OF_OTHERS.contains(&name), "{alert}: there is no {name} in {written:?}");
        }
    }
    // Lag, last success, verify failures, stalls: what the issue wants an alert for.
    for name in ["lag_seconds", "last_success_timestamp_seconds", "verify_failures_total", "stalled"] {
        let name = format!("akidb_replica_{name}");
        assert!(alerts.iter().any(|(_, expression)| names(expression).any(|one| one == name)), "no alert for {name}");
    }
}

/// Prometheus' own judge of rules, where `tests/lab/install` put it.
#[test]
fn each_alert_fires_when_it_has_to() {
    let folder = testkit::root().join("templates/observability");
    let run = |words: &[&str]| Command::new("promtool").current_dir(&folder).args(words).output();
    let Ok(checked) = run(&["check", "rules", "replica_alerts.yml"]) else {
        eprintln!("skipped: promtool is not on the PATH (tests/lab/install brings it with prometheus)");
        return;
    };
    let tested = run(&["test", "rules", "replica_alerts_test.yml"]).expect("promtool");
    for run in [checked, tested] {
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{said}");
    }
}

/// SIGTERM, as a supervisor and Kubernetes send it: both end in order, and the lease is given back.
#[test]
fn a_signal_ends_a_publisher_and_a_follower_in_order() {
    let folder = followed();
    let metrics = folder.path().join("signal.prom");
    for words in [
        "metadata --primary metadata.db --to file:bucket --unsigned --continuous",
        "follow --from file:bucket --db replica.db --unsigned",
    ] {
        let mut command = bare();
        command.current_dir(folder.path()).arg("replicate").args(words.split_whitespace());
        let mut child = command.args(["--metrics-file", "signal.prom"]).spawn().expect("the binary starts");
        let begun = Instant::now();
        // Signals are listened to before this file is made.
        while !metrics.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{words} does not begin");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        assert_eq!(child.wait().expect("an end").code(), Some(0), "{words}");
        std::fs::remove_file(&metrics).expect("removed");
    }
    // Another primary need not wait for a lease.
    replicate(folder.path(), "registry --from file:registry --primary other.db").exits(0);
    replicate(folder.path(), "metadata --primary other.db --to file:bucket --unsigned --once").exits(0);
}
