//! What a shell completes, asked as the scripts of the shells ask.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::cli::{bare, finish};

/// The values that are offered for the last of these words.
fn offered(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut command = bare();
    command.current_dir(folder).env("AKIDB_EDGE_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let output = finish(command.arg("--").arg("akidb-edge").args(words)).exits(0);
    assert_eq!(output.stderr, "", "{words:?}");
    output.stdout.lines().map(str::to_owned).collect()
}

/// A folder in which week 13 was deployed, by the journal.
fn deployed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let stack = folder.path().join(".akidb-edge/akidb-week13");
    fs::create_dir_all(&stack).expect("a folder");
    let journal = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state/v1/deployed-cut-over-rolled-back.jsonl");
    fs::copy(journal, stack.join("journal.jsonl")).expect("a journal");
    folder
}

#[test]
fn verbs_and_flags_are_offered_and_hidden_ones_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let verbs = offered(folder.path(), &[""]);
    for verb in ["deploy", "rollback", "status", "jetson"] {
        assert!(verbs.iter().any(|one| one == verb), "{verb} in {verbs:?}");
    }
    for hidden in ["known-host", "try-model"] {
        assert!(!verbs.iter().any(|one| one == hidden), "{hidden} in {verbs:?}");
    }
    let flags = offered(folder.path(), &["deploy", "--"]);
    assert!(flags.iter().any(|flag| flag == "--dry-run"), "{flags:?}");
    for hidden in ["--route53-rate", "--lease-ttl", "--retry-timeout"] {
        assert!(!flags.iter().any(|flag| flag == hidden), "{hidden} in {flags:?}");
    }
}

#[test]
fn values_come_from_the_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    fs::write(here.join("mine.yaml"), "").expect("a file");
    fs::write(here.join("$(touch x).yaml"), "").expect("a file");
    let mut plans = offered(here, &["deploy", "--plan", ""]);
    plans.sort();
    assert_eq!(plans, ["mine.yaml", "week13"]);
    assert_eq!(offered(here, &["deploy", "--wait", "p"]), ["propagated"]);
    for plan in [&["--plan", "week13"][..], &["--plan", "=", "week13"]] {
        let words = |more: &[&'static str]| [&["deploy"], plan, more].concat();
        assert_eq!(offered(here, &words(&["--request", "cut"])), ["cutover"]);
        assert_eq!(offered(here, &words(&["--target", "cdn.dis"])), ["cdn.distribution.main"]);
        assert_eq!(offered(here, &words(&["--var", "pref"])), ["prefix="]);
    }
    assert_eq!(offered(here, &["deploy", "--plan", "week13", "rout"]), ["routing"]);
    let fallbacks = offered(here, &["rollback", "--plan", "week13", "--fallback", ""]);
    assert!(fallbacks.iter().any(|name| name == "dns-to-origin"), "{fallbacks:?}");
    let devices = offered(here, &["jetson", "doctor", "--plan", "week13", "--host", "jetson0"]);
    assert_eq!(devices, ["jetson01", "jetson02", "jetson03", "jetson04", "jetson05"]);
    let explained = offered(here, &["route", "explain", "--plan", "week13", "--from", "E"]);
    assert_eq!(explained, ["EU"]);
}

#[test]
fn values_come_from_the_journal() {
    let folder = deployed();
    let stack = ["--stack", "akidb-week13"];
    assert_eq!(offered(folder.path(), &["status", "--stack", "ak"]), ["akidb-week13"]);
    let held = offered(folder.path(), &[&["state", "list"][..], &stack, &["models.bucket."]].concat());
    assert!(held.iter().any(|address| address == "models.bucket.primary"), "{held:?}");
    let revisions = offered(folder.path(), &[&["rollback"][..], &stack, &["--to", ""]].concat());
    assert!(revisions.iter().any(|revision| revision == "1"), "{revisions:?}");
    // A name that leads elsewhere is not a stack.
    assert_eq!(offered(folder.path(), &["state", "list", "--stack", "../x", "models."]), Vec::<String>::new());
}

/// What the script for a shell offers, in that shell.
fn in_shell(shell: &str, script: &str) -> Option<String> {
    let folder = deployed();
    let program = bare();
    let programs = Path::new(program.get_program()).parent().expect("a folder").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell);
    let output =
        command.arg("-c").arg(script).current_dir(folder.path()).env("PATH", path).env("HOME", folder.path()).output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no {shell}");
        return None;
    };
    assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bash_zsh_and_fish_complete_values() {
    let bash = "source <(akidb-edge completions bash); COMP_WORDS=(akidb-edge rollback --plan week13 --fallback lam); \
                COMP_CWORD=5; COMP_TYPE=9; _clap_complete_akidb_edge akidb-edge lam; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let fish = "akidb-edge completions fish | source; complete --do-complete 'akidb-edge rollback --plan week13 --fallback lam'";
    // zsh completes only in an editor of lines: the script is read there, and the program is asked as it asks.
    let zsh = "autoload -U compinit; compinit -u; source <(akidb-edge completions zsh); \
               (( $+functions[_clap_dynamic_completer_akidb_edge] )) || exit 1; \
               _CLAP_COMPLETE_INDEX=5 AKIDB_EDGE_COMPLETE=zsh akidb-edge -- akidb-edge rollback --plan week13 --fallback lam";
    for (shell, script) in [("bash", bash), ("fish", fish), ("zsh", zsh)] {
        if let Some(said) = in_shell(shell, script) {
            assert!(said.starts_with("lambda-edge-off"), "{shell}: {said}");
        }
    }
}
