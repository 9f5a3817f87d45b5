//! Refusals are provoked, the next step that they print is taken to the letter, and it does what it says.

use std::path::PathBuf;

use crate::operators::stack::Stack;
use crate::verbs::apart::{ZONE, buckets, exists, fill, records, run, says, storage};
use testkit::cli::{CommandOutput, bare, finish};
use testkit::proxy::wait;

/// The next step of a failure.
#[track_caller]
fn next(output: &CommandOutput) -> String {
    let line = output.stderr.lines().find_map(|line| line.trim_start().strip_prefix("next: "));
    line.unwrap_or_else(|| panic!("no next step in\n{}", output.stderr)).to_owned()
}

/// The command that a text names, with what stands for a name of the user's; up to the end of its part of the sentence.
#[track_caller]
fn command(text: &str, names: &[(&str, &str)]) -> String {
    let (_, after) = text.split_once("akidb-edge ").unwrap_or_else(|| panic!("no command in {text}"));
    let end =
        [";", ", or", " lists ", " shows ", " takes ", " records "].into_iter().filter_map(|end| after.find(end)).min();
    names.iter().fold(after[..end.unwrap_or(after.len())].to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The option that a text says to add, with its value when the next word is one.
#[track_caller]
fn option(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("--")).unwrap_or_else(|| panic!("no option in {text}"));
    let plain = |word: &str| word.trim_end_matches([',', ';', '.']).to_owned();
    let ends = words[at].ends_with([',', ';']);
    let value = words.get(at + 1).filter(|word| {
        let named = word.contains('.') || word.contains(':') || word.chars().any(|letter| letter.is_ascii_digit());
        !ends && named && !word.starts_with("--")
    });
    value.map_or_else(|| plain(words[at]), |value| format!("{} {}", plain(words[at]), plain(value)))
}

fn deployed(keys: &[&str]) -> Stack {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, keys));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    stack
}

/// A bucket of somebody else.
fn theirs(stack: &Stack, key: &str) {
    wait(storage(stack).create_bucket().bucket(format!("{key}-{}", stack.account)).send()).expect("a bucket");
}

#[test]
fn nobody_is_there_to_say_yes() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    stack.plan("q.yaml", &buckets(&stack, &["a", "b"]));
    for words in ["deploy --plan p.yaml", "deploy --plan q.yaml", "rollback --plan q.yaml", "destroy --plan q.yaml"] {
        let flag = option(&next(&run(&stack, words).exits(3)));
        run(&stack, &format!("{words} {flag}")).exits(0);
    }
    assert!(!exists(&stack, "a") && !exists(&stack, "b"));
}

#[test]
fn no_plan_and_no_stack_are_named() {
    let stack = deployed(&["a"]);
    for words in ["deploy --yes", "destroy --dry-run", "report --format json", "state show", "validate plan"] {
        let said = next(&run(&stack, words).exits(3));
        assert!(said.contains("--plan FILE"), "{said}");
        let code = run(&stack, &format!("{words} --plan p.yaml")).code;
        assert!(matches!(code, 0 | 2), "{words}: {code}");
    }
    for words in ["status", "rollback --dry-run"] {
        let said = next(&run(&stack, words).exits(3));
        assert!(said.contains("--plan NAME") && said.contains("--stack NAME"), "{said}");
        for which in ["--plan p.yaml".to_owned(), format!("--stack {}", stack.name())] {
            let code = run(&stack, &format!("{words} {which}")).code;
            assert!(matches!(code, 0 | 2), "{words}: {code}");
        }
    }
}

#[test]
fn a_thing_of_others_is_adopted() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    theirs(&stack, "a");
    let words = "deploy --plan p.yaml --yes";
    let flag = option(&next(&run(&stack, words).exits(3)));
    run(&stack, &format!("{words} {flag}")).exits(0);
    // Outside of the run: the target is to be named, too.
    let words = "deploy --plan q.yaml --yes --target models.bucket.c --adopt models.bucket.b";
    stack.plan("q.yaml", &buckets(&stack, &["a", "b", "c"]));
    theirs(&stack, "b");
    let flag = option(&next(&run(&stack, words).exits(3)));
    assert_eq!(flag, "--target models.bucket.b");
    run(&stack, &format!("{words} {flag}")).exits(0);
}

#[test]
fn buckets_with_data_are_emptied_on_the_word() {
    let stack = deployed(&["a", "b"]);
    stack.plan("q.yaml", &buckets(&stack, &["a"]));
    for (words, ends) in [("deploy --plan q.yaml --yes", "a"), ("destroy --plan q.yaml --yes", "")] {
        fill(&stack, if ends == "a" { "b" } else { "a" });
        let flag = option(&next(&run(&stack, words).exits(3)));
        assert_eq!(flag, "--empty-buckets");
        run(&stack, &format!("{words} {flag}")).exits(0);
    }
    assert!(!exists(&stack, "a") && !exists(&stack, "b"));
    run(&stack, "deploy --plan p.yaml --yes").exits(0);
    fill(&stack, "a");
    let words = "rollback --plan p.yaml --yes";
    let flag = option(&next(&run(&stack, words).exits(3)));
    run(&stack, &format!("{words} {flag}")).exits(0);
    assert!(!exists(&stack, "a"));
}

#[test]
fn a_saved_plan_is_made_again() {
    let stack = deployed(&["a"]);
    stack.plan("q.yaml", &buckets(&stack, &["a", "b"]));
    let names = [("PLAN", "q.yaml"), ("FILE.plan.json", "x.plan.json")];
    // There is none.
    let none = run(&stack, "deploy x.plan.json --yes").exits(3);
    run(&stack, &command(&next(&none), &names)).exits(2);
    // The journal went on.
    stack.plan("r.yaml", &buckets(&stack, &["a", "c"]));
    run(&stack, "deploy --plan r.yaml --yes").exits(0);
    let stale = run(&stack, "deploy x.plan.json --yes").exits(3);
    run(&stack, &command(&next(&stale), &names)).exits(2);
    run(&stack, "deploy x.plan.json --yes").exits(0);
    assert!(exists(&stack, "b") && !exists(&stack, "c"));
    // It would delete data.
    fill(&stack, "b");
    run(&stack, "deploy --plan p.yaml --out x.plan.json").exits(2);
    let full = run(&stack, "deploy x.plan.json --yes").exits(3);
    run(&stack, &command(&next(&full), &[("PLAN", "p.yaml"), names[1]])).exits(2);
    run(&stack, "deploy x.plan.json --yes").exits(0);
    assert!(!exists(&stack, "b"));
}

#[test]
fn a_saved_plan_is_carried_out_where_it_was_made() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a"]));
    run(&stack, "deploy --plan p.yaml --state file:one --out x.plan.json").exits(2);
    let elsewhere = run(&stack, "deploy x.plan.json --yes").exits(3);
    let flag = option(&next(&elsewhere));
    assert!(flag.starts_with("--state file:/"), "{flag}");
    run(&stack, &format!("deploy x.plan.json --yes {flag}")).exits(0);
    assert!(exists(&stack, "a"));
}

#[test]
fn options_that_do_not_go_together_are_said_in_another_way() {
    let stack = Stack::new();
    stack.plan("p.yaml", &buckets(&stack, &["a", "b"]));
    let names = [("PLAN", "p.yaml"), ("FILE.plan.json", "x.plan.json")];
    // --wait belongs to the run of the saved plan.
    run(&stack, "deploy --plan p.yaml --out x.plan.json").exits(2);
    let apart = run(&stack, "deploy --plan p.yaml --out y.plan.json --yes").exits(3);
    let said = command(&next(&apart), &names);
    assert_eq!(said, "deploy x.plan.json --yes");
    // A target belongs into the saved plan.
    let apart = run(&stack, "deploy x.plan.json --target models.bucket.a").exits(3);
    let again = command(&next(&apart), &[names[0], names[1], ("--target …", "--target models.bucket.a")]);
    run(&stack, &again).exits(2);
    run(&stack, &said).exits(0);
    assert!(exists(&stack, "a") && !exists(&stack, "b"));
    let apart = run(&stack, "deploy x.plan.json --print-iam-policy").exits(3);
    says(&run(&stack, &command(&next(&apart), &names)).exits(0), "Statement");
    let apart = run(&stack, "report --plan p.yaml --format html --json").exits(3);
    run(&stack, &format!("{} --plan p.yaml", command(&next(&apart), &names))).exits(0).json();
    let apart = run(&stack, &format!("status --stack {} --plan p.yaml", stack.name())).exits(3);
    assert!(next(&apart).starts_with("leave --stack out"));
    run(&stack, "status --plan p.yaml").exits(0);
    run(&stack, &format!("status --stack {}", stack.name())).exits(0);
    let apart = run(&stack, "validate plan p.yaml --plan p.yaml").exits(3);
    assert_eq!(next(&apart), "name it once");
    run(&stack, "validate plan p.yaml").exits(0);
    let apart = run(&stack, "rollback --stack x --fallback dns-to-origin").exits(3);
    let said = command(&next(&apart), &[("PLAN", "week13"), ("NAME", "dns-to-origin")]);
    // It is a command of this program, whatever the stack has.
    let answer = run(&stack, &format!("{said} --dry-run"));
    assert!(
        !answer.stderr.contains("cannot be combined") && !answer.stderr.contains("unexpected"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_name_that_nobody_knows() {
    let stack = deployed(&["a"]);
    // A stack that is nearly called so.
    let mistyped = run(&stack, &format!("destroy --stack {}x --dry-run", stack.name())).exits(3);
    let flag = option(next(&mistyped).trim_end_matches('?').split('?').next().expect("text"));
    assert_eq!(flag, format!("--stack {}", stack.name()));
    run(&stack, &format!("destroy {flag} --dry-run")).exits(2);
    // An address.
    let nothing = run(&stack, "deploy --plan p.yaml --target cdn.nothing --dry-run").exits(3);
    says(&run(&stack, &command(&next(&nothing), &[])).exits(0), "models.bucket.a");
    let nothing = run(&stack, "destroy --plan p.yaml --target cdn.nothing --dry-run").exits(3);
    says(&run(&stack, &command(&next(&nothing), &[])).exits(0), "models.bucket.a");
    // A revision.
    let late = run(&stack, "rollback --plan p.yaml --to 99").exits(3);
    says(&run(&stack, &command(&next(&late), &[])).exits(0), "revision 1");
    // Drift of what is as it was.
    let same = run(&stack, "status --plan p.yaml --drift --accept models.bucket.a --yes").exits(3);
    let said = command(&next(&same), &[]);
    says(&run(&stack, &said), &stack.name());
    // A name of a record, a step.
    let explain = |words: &str| finish(bare().args(["route", "explain", "--plan", "week13"]).args(words.split(' ')));
    let known = next(&explain("--name nobody").exits(3));
    let name = known.rsplit([' ', ',']).next().expect("a name").to_owned();
    explain(&format!("--name {name}")).exits(0);
    let known = next(&explain("--request nope").exits(3));
    explain(&format!("--request {}", known.rsplit(' ').next().expect("a step"))).exits(0);
    let known = next(&explain("--down nonsense").exits(3));
    let target = known.split([':', '(']).nth(1).expect("a target").trim().to_owned();
    explain(&format!("--down {target}")).exits(0);
    let known = next(&explain("--from XX").exits(3));
    for place in ["JP", "US-CA"] {
        assert!(known.contains(place), "{known}");
        explain(&format!("--from {place}")).exits(0);
    }
}

#[test]
fn files_and_folders_of_others() {
    let stack = deployed(&["a"]);
    let mine: PathBuf = stack.file("mine.json", "{\"mine\": true}");
    for words in ["deploy --plan p.yaml --out mine.json", "state export --plan p.yaml --out mine.json"] {
        std::fs::write(&mine, "{\"mine\": true}").expect("a file");
        let said = next(&run(&stack, words).exits(3));
        let flag = said.split_whitespace().find(|word| *word == "--force").expect("a flag");
        run(&stack, &format!("{words} {flag}")).exits(0);
    }
    // Files of several kinds want a folder.
    let many = run(&stack, "state export --plan p.yaml --format cloudformation").exits(3);
    assert!(next(&many).ends_with("--out DIR"), "{}", many.stderr);
    run(&stack, "state export --plan p.yaml --format cloudformation --out DIR").exits(0);
}

#[test]
fn what_carries_the_mark_is_imported() {
    let stack = deployed(&["a", "b"]);
    // The journal forgot the second bucket.
    std::fs::remove_dir_all(stack.home.path().join(".akidb-edge")).expect("it");
    run(&stack, "deploy --plan p.yaml --target models.bucket.a --yes").exits(0);
    stack.plan("q.yaml", &buckets(&stack, &["a"]));
    let drift = run(&stack, "status --plan q.yaml --drift").exits(2);
    says(&drift, &format!("b-{} is tagged as this stack's", stack.account));
    let line = drift.stdout.lines().find(|line| line.contains("akidb-edge state import")).expect("a command");
    let words = command(line, &[("PLAN", "p.yaml"), (", or delete it manually", "")]);
    let asked = run(&stack, &words).exits(3);
    run(&stack, &format!("{words} {}", option(&next(&asked)))).exits(0);
    assert!(run(&stack, "deploy --plan p.yaml --yes").exits(0).stdout.contains("no changes"));
}

#[test]
fn a_wrong_command_line_leads_to_the_help_of_its_verb() {
    for words in ["deploy --yess --json", "jetson drain --json", "route explain --nope --json", "--json"] {
        let document = finish(bare().args(words.split(' '))).exits(1).json();
        let said = document["next_step"].as_str().expect("text").to_owned();
        let help = finish(bare().args(command(&said, &[]).split(' '))).exits(0);
        assert!(help.stdout.contains("Usage: akidb-edge"), "{}", help.stdout);
    }
}

#[test]
fn variables_are_named_as_the_plan_has_them() {
    let stack = Stack::new();
    let step = "  - {id: m, title: m, kind: models, with: {buckets: {a: {name: \"${var.place}-bucket\", region: us-east-1}}}}\n";
    let text = std::fs::read_to_string(stack.plan("p.yaml", step)).expect("it");
    stack.file("v.yaml", &text.replace("days:", "variables:\n  place: {description: where}\ndays:"));
    let missing = run(&stack, "deploy --plan v.yaml --dry-run").exits(3);
    let said = next(&missing);
    let flag = said.split([' ', ',']).find(|word| word.starts_with("--var")).expect("a flag");
    assert_eq!(flag, "--var");
    run(&stack, "deploy --plan v.yaml --dry-run --var place=x").exits(2);
    let malformed = run(&stack, "deploy --plan v.yaml --dry-run --var place").exits(3);
    assert!(next(&malformed).contains("--var domain=example.com"), "{}", malformed.stderr);
}

#[test]
fn a_partly_done_run_names_the_command_that_goes_on() {
    let stack = Stack::new();
    stack.plan("p.yaml", &format!("{ZONE}{}", records("web")));
    let proxy = testkit::proxy::FaultProxy::start(&testkit::local_aws::endpoint());
    let refusal = testkit::proxy::ServiceRefusal {
        operation: "ChangeResourceRecordSets",
        ..testkit::proxy::ServiceRefusal::of("route53", 400, "InvalidChangeBatch", "not today")
    };
    proxy.refuse(refusal, testkit::proxy::CallSelector::Each);
    let failed = stack.run_at(proxy.url(), &["deploy", "--plan", "p.yaml", "--yes"]).exits(1);
    let line = failed.stdout.lines().find(|line| line.starts_with("partly done")).expect("a line");
    run(&stack, &command(line, &[])).exits(0);
    assert!(run(&stack, "deploy --plan p.yaml --yes").exits(0).stdout.contains("no changes"));
}
