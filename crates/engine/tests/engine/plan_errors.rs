//! What the tool says about plans that are wrong: the file, the place, the reason, what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use akidb_edge_engine::desired::{DesiredStack, build, check_fallbacks, jetson};
use akidb_edge_engine::plan::{LARGEST, Plan, PlanErrors, PlanSettings, load};
use akidb_edge_engine::resource::untrusted::is_hidden;

/// All that is said about `tests/fixtures/plans/NAME.yaml`.
fn said(name: &str, settings: &PlanSettings) -> String {
    let file = format!("../../tests/fixtures/plans/{name}.yaml");
    let problems = load(&file, settings).and_then(|plan| build(&plan, &BTreeSet::new()).map(drop));
    let problems = problems.expect_err("the plan is wrong");
    for problem in &problems.0 {
        assert_eq!(problem.file, file);
        assert!(problem.place.line > 0 && problem.place.column > 0, "{problem}");
        assert!(!problem.problem.is_empty() && !problem.next_step.is_empty(), "{problem}");
    }
    // As from the root of the repository.
    problems.to_string().replace("../../", "")
}

macro_rules! wrong {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!(said($name, &PlanSettings::default()));
        }
    )*};
}

wrong! {
    not_yaml: "not-yaml";
    duplicate_key: "duplicate-key";
    same_address: "same-address";
    two_documents: "two-documents";
    version_2: "version-2";
    unknown_field: "unknown-field";
    missing_field: "missing-field";
    wrong_type: "wrong-type";
    unknown_kind: "unknown-kind";
    unknown_variable: "unknown-variable";
    variable_type: "variable-type";
    variable_without_value: "variable-without-value";
    unknown_bucket: "unknown-bucket";
    unknown_queue: "unknown-queue";
    unknown_policy: "unknown-policy";
    unknown_function: "unknown-function";
    unknown_load_balancer: "unknown-load-balancer";
    unknown_health_check: "unknown-health-check";
    duplicate_step: "duplicate-step";
    unknown_need: "unknown-need";
    circular_needs: "circular-needs";
    unknown_measure: "unknown-measure";
    fallback_sets_nothing: "fallback-sets-nothing";
    fallback_misfit: "fallback-misfit";
    cutover_of_nothing: "cutover-of-nothing";
    extends_kind: "extends-kind";
    extends_remove_nothing: "extends-remove-nothing";
    extends_remove_needed: "extends-remove-needed";
    extends_other_day: "extends-other-day";
    extends_nowhere: "extends-nowhere";
    extends_unknown_name: "extends-unknown-name";
    extends_circle: "extends-circle";
    extends_list: "extends-list";
    extends_duplicate_step: "extends-duplicate-step";
    extends_incomplete: "extends-incomplete";
    remove_without_extends: "remove-without-extends";
    extends_remove_no_list: "extends-remove-no-list";
    keys_without_boundary: "keys-without-boundary";
}

#[test]
fn variables_from_outside() {
    let variables = [("memory", "many"), ("ipv6", "perhaps"), ("colour", "blue")];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    insta::assert_snapshot!(said("variable-type", &PlanSettings { variables, ..PlanSettings::default() }));
}

#[test]
fn merge_keys_are_named_as_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = "{hosts: {a: &a {address: a}, b: {<<: *a, user: edge}}}";
    let problems =
        refused(&plan_of(folder.path(), "jetson", with), &PlanSettings::default(), "merge keys (<<) are not");
    assert_eq!((problems.0.len(), problems.0[0].place.line), (1, 8));
    assert!(problems.to_string().contains("repeat the fields"), "{problems}");
}

#[test]
fn a_file_that_is_not_there() {
    insta::assert_snapshot!(said("nowhere", &PlanSettings::default()));
}

/// A plan of one step in a folder.
fn plan_of(folder: &Path, kind: &str, with: &str) -> PathBuf {
    let head =
        "version: 1\nstack: small\nmetadata: {name: small, title: Small}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let file = folder.join("small.yaml");
    fs::write(&file, format!("{head}  - {{id: one, title: one, kind: {kind}, with: {with}}}\n")).expect("a file");
    file
}

fn loaded(file: &Path, settings: &PlanSettings) -> Result<Plan, PlanErrors> {
    load(&file.display().to_string(), settings)
}

fn with(name: &str, value: &str) -> PlanSettings {
    PlanSettings { variables: BTreeMap::from([(name.to_owned(), value.to_owned())]), ..PlanSettings::default() }
}

#[track_caller]
fn refused(file: &Path, settings: &PlanSettings, words: &str) -> PlanErrors {
    let problems = loaded(file, settings).expect_err("the plan is refused");
    let said = problems.to_string();
    assert!(said.contains(words), "{words:?} in {said}");
    assert!(problems.0.iter().all(|problem| problem.place.line > 0 && problem.place.column > 0), "{said}");
    assert!(!said.chars().any(|letter| is_hidden(letter) && letter != '\n'), "{said:?}");
    problems
}

#[test]
fn the_name_of_a_stack_of_devices_is_reserved() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = plan_of(folder.path(), "jetson", "{}");
    let text = fs::read_to_string(&file).expect("the plan").replacen("stack: small", "stack: small-devices", 1);
    fs::write(&file, text).expect("a file");
    let problems = refused(&file, &PlanSettings::default(), "\"small-devices\" is reserved");
    assert_eq!((problems.0.len(), problems.0[0].place.line), (1, 2));
}

#[test]
fn what_cannot_be_seen_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    // The way of a change that is not seen in the preview: carriage return, erase the line, one line up.
    let file = plan_of(here, "jetson", r#"{files: {"/etc/cron.d/z\r\e[2K\e[1A": {text: "* * * * * root sh"}}}"#);
    let problems = refused(&file, &PlanSettings::default(), r"/etc/cron.d/z\r\u{1b}[2K\u{1b}[1A");
    assert_eq!((problems.0.len(), problems.0[0].place.line), (1, 8));
    for with in [
        r#"{files: {/etc/x: {link: "/etc/\u202Ey"}}}"#,
        r#"{files: {/etc/x: {file: "a\u200B"}}}"#,
        r#"{packages: {"curl\u0085": ""}}"#,
        r#"{groups: ["a\u007F"]}"#,
        r#"{lines: {/etc/x: ["a\nb"]}}"#,
        r#"{inventory: "\u2066x"}"#,
        r#"{hosts: {a: {address: "${jetson.node.b#address}\u009B2J"}}}"#,
    ] {
        refused(&plan_of(here, "jetson", with), &PlanSettings::default(), "invisible characters");
    }
    // What a variable brings is looked at where it is used.
    let text = fs::read_to_string(plan_of(here, "jetson", "{files: {/etc/x: {link: '${var.to}'}}}")).expect("the plan");
    let file = here.join("small.yaml");
    fs::write(&file, text.replacen("days:", "variables: {to: {}}\ndays:", 1)).expect("a file");
    refused(&file, &with("to", "a\u{1b}[8m"), "invisible characters");
    assert!(loaded(&file, &with("to", "/etc/y")).is_ok());
}

#[test]
fn a_plan_reads_only_below_its_own_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    for made in ["plan", "plan/www", "secret"] {
        fs::create_dir(at(made)).expect("a folder");
    }
    for name in ["secret/credentials", "secret/SHA256SUMS"] {
        fs::write(at(name), "aws_secret_access_key").expect("a file");
    }
    fs::write(at("plan/www/index.html"), "<p>").expect("a file");
    symlink(at("secret/credentials"), at("plan/www/id")).expect("a link");
    symlink(at("secret"), at("plan/more")).expect("a link");
    let here = PathBuf::from(at("plan"));
    let page = |files: String| format!("{{bucket: {{name: b, region: us-east-1}}, files: {files}}}");
    let model = |path: String| {
        format!("{{buckets: {{}}, models: {{m: {{bucket: b, name: m, files: {{x: {{path: {path}}}}}}}}}}}")
    };
    let function = "{name: f, runtime: nodejs24.x, memory_mb: 128, timeout_seconds: 5, code: {zip: ";
    for (kind, with) in [
        ("jetson", format!("{{files: {{/srv/www/index: {{file: {}}}}}}}", at("plan/../secret/credentials"))),
        ("jetson", format!("{{files: {{/srv/www/index: {{file: {}}}}}}}", at("plan/www/id"))),
        ("jetson", format!("{{inventory: {}}}", at("secret/credentials"))),
        ("jetson", format!("{{artifacts: {}, k3s: {{version: v1.36.3+k3s1}}}}", at("secret"))),
        ("jetson", format!("{{k3s: {{version: v1.36.3+k3s1, images: {{a: {}}}}}}}", at("secret/credentials"))),
        ("page", page(format!("{{index.html: {{file: {}}}}}", at("plan/more/credentials")))),
        ("page", page(format!("{{/: {{folder: {}}}}}", at("secret")))),
        ("page", page(format!("{{/: {{folder: {}}}}}", at("plan/www")))),
        ("models", model(at("secret/credentials"))),
        ("edge-function", format!("{{functions: {{f: {function}{}}}}}}}}}", at("secret/credentials"))),
    ] {
        let problems = refused(&plan_of(&here, kind, &with), &PlanSettings::default(), "outside of the plan's folder");
        assert!(problems.to_string().contains("--allow-files-outside"), "{problems}");
        let allowed = PlanSettings { outside: true, ..PlanSettings::default() };
        let plan = loaded(&here.join("small.yaml"), &allowed);
        assert!(plan.is_ok(), "{with}: {:?}", plan.err());
    }
    let within =
        plan_of(&here, "jetson", &format!("{{files: {{/srv/www/index: {{file: {}}}}}}}", at("plan/www/index.html")));
    let plan = loaded(&within, &PlanSettings::default()).expect("it reads below its folder");
    assert!(plan.files.values().all(|facts| facts.content.is_ok()), "{:?}", plan.files);
    let sources = |built: DesiredStack| -> Vec<String> {
        built.desired.resources.into_values().flat_map(|resource| resource.sources).collect()
    };
    let text = fs::read_to_string(&within).expect("the plan").replace("{files:", "{hosts: {a: {address: a}}, files:");
    fs::write(&within, text).expect("a file");
    let built = jetson::build(&loaded(&within, &PlanSettings::default()).expect("a plan")).expect("a graph");
    assert_eq!(sources(built), [at("plan/www/index.html")], "the preview says what is sent");
    let site = page(format!("{{index.html: {{file: {}}}}}", at("plan/www/index.html")));
    let site = loaded(&plan_of(&here, "page", &site), &PlanSettings::default()).expect("a plan");
    assert_eq!(sources(build(&site, &BTreeSet::new()).expect("a graph")), [at("plan/www/index.html")]);
    let text = format!("{{files: {{/srv/www/index: {{file: {}}}}}}}", at("plan/www/index.html"));
    let within = plan_of(&here, "jetson", &text);
    // A place that the user names may be read.
    let text = fs::read_to_string(&within).expect("the plan").replacen("days:", "variables: {dir: {}}\ndays:", 1);
    fs::write(&within, text.replace(&at("plan/www/index.html"), "'${var.dir}/credentials'")).expect("a file");
    assert!(loaded(&within, &with("dir", &at("secret"))).is_ok());
    let text = fs::read_to_string(&within)
        .expect("the plan")
        .replace("{dir: {}}", &format!("{{dir: {{default: {}}}}}", at("secret")));
    fs::write(&within, text).expect("a file");
    refused(&within, &PlanSettings::default(), "outside of the plan's folder");
}

#[test]
fn files_without_an_end_are_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let pipe = here.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let allowed = PlanSettings { outside: true, ..PlanSettings::default() };
    for path in [Path::new("/dev/zero"), &pipe] {
        let plan = plan_of(here, "jetson", &format!("{{files: {{/x: {{file: {}}}}}}}", path.display()));
        let plan = loaded(&plan, &allowed).expect("what cannot be read is told later");
        let facts = plan.files.values().next().expect("a file");
        assert_eq!(facts.content, Err("it is not a regular file".to_owned()));
    }
    for with in [format!("{{inventory: {}}}", pipe.display()), "{inventory: /dev/zero}".to_owned()] {
        refused(&plan_of(here, "jetson", &with), &allowed, "is not a regular file of 4 MiB");
    }
    let long = here.join("long.yaml");
    fs::File::create(&long).expect("a file").set_len(LARGEST + 1).expect("its length");
    refused(&long, &PlanSettings::default(), "it is larger than 4 MiB");
    refused(Path::new("/dev/zero.yaml/../zero"), &PlanSettings::default(), "the plan cannot be read");
}

#[test]
fn links_in_a_circle_come_to_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("www")).expect("a folder");
    for name in ["a", "b"] {
        symlink(".", folder.path().join("www").join(name)).expect("a link");
    }
    let www = folder.path().join("www").display().to_string();
    let with = format!("{{bucket: {{name: b, region: us-east-1}}, files: {{/: {{folder: {www}}}}}}}");
    let plan = loaded(&plan_of(folder.path(), "page", &with), &PlanSettings::default()).expect("it is told later");
    let listed = plan.folders.get(&www).expect("the folder");
    assert!(listed.as_ref().is_err_and(|why| why.contains("symbolic links") || why.contains("too deep")), "{listed:?}");
}

#[test]
fn a_plan_that_grows_or_nests_without_end_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = plan_of(folder.path(), "jetson", "{files: {/x: {text: 'TEXT'}}}");
    let text = fs::read_to_string(&file).expect("the plan").replacen("days:", "variables: {v: {}}\ndays:", 1);
    fs::write(&file, text.replace("TEXT", &"${var.v}".repeat(20_000))).expect("a file");
    let problems = refused(&file, &with("v", &"x".repeat(100_000)), "longer than 16 MiB from here on");
    assert_eq!(problems.0[0].place.line, 9);
    for text in [format!("{}x", "- ".repeat(50_000)), format!("{}x", "? ".repeat(50_000)), "[".repeat(50_000)] {
        fs::write(&file, text).expect("a file");
        refused(&file, &PlanSettings::default(), "not a plan file");
    }
}

#[test]
fn a_sensitive_variable_is_a_text_that_can_be_told_from_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = plan_of(folder.path(), "jetson", "{}");
    let text = fs::read_to_string(&file).expect("the plan");
    for (declared, value, words) in [
        ("{sensitive: true}", "short", "has less than 8 bytes"),
        // From here on this process hides it: a value that no other test prints, such as the number of an account.
        ("{sensitive: true, type: integer}", "7340033917", "is sensitive, so it must be a text"),
    ] {
        fs::write(&file, text.replacen("days:", &format!("variables: {{v: {declared}}}\ndays:"), 1)).expect("a file");
        refused(&file, &with("v", value), words);
    }
}

/// Writes `name.yaml` into a folder.
fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(format!("{name}.yaml"));
    fs::write(&file, text).expect("a file");
    file
}

#[test]
fn a_plan_of_several_files_names_the_file_in_which_a_value_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let earlier = fs::read_to_string("../../tests/fixtures/plans/earlier.yaml").expect("the plan");
    let first = written(here, "first", &earlier);
    let second = written(here, "second", "extends: first.yaml\nstack: other\nmetadata: {title: Second}\n");
    let third = written(here, "third", "extends: ./second.yaml\nremove: [proof]\nmetadata: {week: 15}\n");
    let plan = loaded(&third, &PlanSettings::default()).expect("a plan");
    assert_eq!((plan.stack.as_str(), plan.metadata.name.as_str(), plan.metadata.week), ("other", "small", Some(15)));
    assert_eq!(plan.steps.len(), 1);
    let at = |path: &str| (PathBuf::from(plan.file_of(path)), plan.place(path).line);
    assert_eq!(at("metadata.week"), (third.clone(), 3));
    assert_eq!(at("stack"), (here.join("./second.yaml"), 2));
    assert_eq!(at("days.0.steps.0.with.buckets.logs"), (here.join("first.yaml"), 14));
    // What is removed and must be there is told where it is removed, whatever else was removed beside it.
    let region = "steps.models.with.buckets.primary.region";
    for (removed, line, words) in [
        (format!("- {region}"), 3, "missing field `region`, which is removed here"),
        (format!("- proof\n- steps.models.title\n- {region}"), 4, "missing field `title`, which is removed here"),
        ("- proof\n- metadata.name".to_owned(), 4, "missing field `name`, which is removed here"),
    ] {
        let wrong = written(here, "wrong", &format!("extends: first.yaml\nremove:\n{removed}\n"));
        let again = written(here, "again", "extends: wrong.yaml\nstack: again\n");
        for file in [&wrong, &again] {
            let problems = refused(file, &PlanSettings::default(), words);
            let told = problems.0.iter().find(|problem| problem.problem.contains(words)).expect("it is told");
            let name = Path::new(&told.file).file_name().expect("a name").to_owned();
            assert_eq!((name.to_str(), told.place.line), (Some("wrong.yaml"), line), "{problems}");
            assert!(told.next_step.contains("delete it from remove"), "{problems}");
        }
    }
    let variable = "variables: {v: {default: x}}\n";
    written(here, "with", &format!("extends: first.yaml\n{variable}"));
    let without = written(here, "without", "extends: with.yaml\nremove: [variables.v.default]\n");
    let problems = refused(&without, &PlanSettings::default(), "its default is removed here");
    assert_eq!((PathBuf::from(&problems.0[0].file), problems.0[0].place.line), (without, 2));
    // What is removed and written anew is there.
    let anew = "days: [{day: 1, steps: [{id: models, with: {buckets: {primary: {region: eu-west-1}}}}]}]\n";
    let anew = written(here, "anew", &format!("extends: first.yaml\nremove: [{region}]\n{anew}"));
    assert!(loaded(&anew, &PlanSettings::default()).is_ok());
    // What is wrong in an earlier file is told of that file.
    fs::write(&first, earlier.replace("region:", "regoin:")).expect("a file");
    let problems = refused(&second, &PlanSettings::default(), "unknown field `regoin`");
    assert_eq!(PathBuf::from(&problems.0[0].file), first);
    fs::write(&first, "a: [1\nb: 2").expect("a file");
    let problems = refused(&second, &PlanSettings::default(), "not a plan file");
    assert_eq!(PathBuf::from(&problems.0[0].file), first);
    fs::write(&first, "- a").expect("a file");
    refused(&second, &PlanSettings::default(), "a plan is a mapping");
    let hidden = written(here, "hidden", "extends: \"first\\u202E.yaml\"\n");
    refused(&hidden, &PlanSettings::default(), "invisible characters");
}

#[test]
fn a_chain_of_plans_has_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    written(here, "p0", &fs::read_to_string("../../tests/fixtures/plans/earlier.yaml").expect("the plan"));
    for number in 1..=9 {
        written(here, &format!("p{number}"), &format!("extends: p{}.yaml\n", number - 1));
    }
    assert!(loaded(&here.join("p8.yaml"), &PlanSettings::default()).is_ok());
    let problems = refused(&here.join("p9.yaml"), &PlanSettings::default(), "more than 8 plans extend each other");
    assert_eq!(PathBuf::from(&problems.0[0].file), here.join("p1.yaml"));
    written(here, "p0", "extends: p2.yaml\n");
    refused(&here.join("p2.yaml"), &PlanSettings::default(), "circular extends");
}

#[test]
fn each_file_of_a_chain_reads_only_below_its_own_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    for made in ["plans", "plans/base", "secret"] {
        fs::create_dir(folder.path().join(made)).expect("a folder");
    }
    for file in ["plans/later.txt", "plans/base/own.txt", "secret/model_int8.onnx"] {
        fs::write(folder.path().join(file), "x").expect("a file");
    }
    let (plans, base) = (folder.path().join("plans"), folder.path().join("plans/base"));
    let at = |name: &str| folder.path().join(name).display().to_string();
    let outside = "outside of the plan's folder";
    let allowed = PlanSettings { outside: true, ..PlanSettings::default() };
    let with = |file: &str| format!("{{files: {{/etc/x: {{file: {file}}}}}}}");
    let earlier = plan_of(&base, "jetson", &with(&at("plans/base/own.txt")));
    let extends = "extends: base/small.yaml\n";
    let over = |file: &str| format!("{extends}days: [{{day: 1, steps: [{{id: one, with: {}}}]}}]\n", with(file));
    assert!(loaded(&written(&plans, "later", extends), &PlanSettings::default()).is_ok());
    let later = written(&plans, "later", &over(&at("plans/later.txt")));
    assert!(loaded(&later, &PlanSettings::default()).is_ok(), "the later plan names a file below its own folder");
    written(&plans, "later", &over(&at("secret/model_int8.onnx")));
    refused(&later, &PlanSettings::default(), outside);
    assert!(loaded(&later, &allowed).is_ok());
    // The earlier plan may not read where the later one may.
    plan_of(&base, "jetson", &with(&at("plans/later.txt")));
    let problems = refused(&written(&plans, "later", extends), &PlanSettings::default(), outside);
    assert_eq!(PathBuf::from(&problems.0[0].file), earlier);
    // A plan may not extend what it may not read.
    let up = written(&base, "up", "extends: ../later.yaml\n");
    plan_of(&base, "jetson", &with(&at("plans/base/own.txt")));
    refused(&up, &PlanSettings::default(), outside);
    assert!(loaded(&up, &allowed).is_ok());
    // A default belongs to the plan that wrote it, wherever it is used; what leads up from there does not.
    let default = |place: &str| format!("variables: {{dir: {{default: {place}}}}}\n");
    let base_reads = |file: &str| {
        let text = fs::read_to_string(plan_of(&base, "jetson", &with(file))).expect("the plan");
        let whole = text.replacen("days:", &format!("{}days:", default(&at("plans/base"))), 1);
        fs::write(base.join("small.yaml"), whole).expect("a file");
    };
    base_reads("'${var.dir}/later.txt'");
    let later = written(&plans, "later", &format!("{extends}{}", default(&at("plans"))));
    assert!(loaded(&later, &PlanSettings::default()).is_ok(), "the later plan leads to a file below its own folder");
    base_reads("'${var.dir}/model_int8.onnx'");
    written(&plans, "later", &format!("{extends}{}", default(&at("secret"))));
    refused(&later, &PlanSettings::default(), outside);
    base_reads("'${var.dir}/base/../later.txt'");
    written(&plans, "later", &format!("{extends}{}", default(&at("plans"))));
    refused(&later, &PlanSettings::default(), outside);
    // What the tool carries may read anywhere, but not where a later plan leads it.
    let text = format!("extends: week13\nvariables: {{model_dir: {{default: {}}}}}\n", at("secret"));
    refused(&written(&plans, "later", &text), &PlanSettings::default(), outside);
    assert!(loaded(&written(&plans, "later", "extends: week13\n"), &PlanSettings::default()).is_ok());
}

/// A plan of two queues with this fallback.
fn two_queues(only: &str, set: &str) -> String {
    format!(
        "version: 1\nstack: small\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: First\n  steps:\n  \
         - id: q\n    title: Queues\n    kind: queues\n    with:\n      queues:\n        \
         jobs: {{name: jobs, region: us-east-1, delay_seconds: 1}}\n        \
         failed: {{name: failed, region: us-east-1}}\n\
         fallbacks:\n  slow:\n    title: Slow\n    only: [{only}]\n    set:\n{set}"
    )
}

#[test]
fn what_a_later_plan_removes_is_told_where_it_is_removed_when_a_fallback_sets_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let set = "      q.queues.failed.delay_seconds: 5\n      q.queues.jobs.delay_seconds: 5\n";
    let base = written(here, "base", &two_queues("queues.queue", set));
    assert!(loaded(&base, &PlanSettings::default()).is_ok());
    let later = written(here, "later", "extends: base.yaml\nremove:\n- steps.q.with.queues.failed\n");
    let words = "fallback slow sets \"q.queues.failed.delay_seconds\", which is removed here";
    let problems = refused(&later, &PlanSettings::default(), words);
    let removal = problems.0.iter().find(|one| one.problem.contains(words)).expect("it is told");
    assert_eq!((PathBuf::from(&removal.file), removal.place.line), (later, 3), "{problems}");
    // As the next step says.
    let both = "extends: base.yaml\nremove:\n- steps.q.with.queues.failed\n\
                - fallbacks.slow.set.q.queues.failed.delay_seconds\n";
    let both = written(here, "both", both);
    loaded(&both, &PlanSettings::default()).expect("a plan");
    // Whoever removes it and sets it nevertheless is told of the fallback.
    let own = "extends: base.yaml\nremove:\n- steps.q.with.queues.failed\n- fallbacks.slow\n\
               fallbacks: {own: {title: Own, only: [queues], set: {q.queues.failed.delay_seconds: 5}}}\n";
    let own = written(here, "own", own);
    let problems = refused(&own, &PlanSettings::default(), "which is not a setting of a step");
    assert_eq!(problems.0[0].place.line, 5, "{problems}");
}

#[test]
fn a_fallback_that_sets_what_it_does_not_select_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = "      q.queues.failed.delay_seconds: 5\n      q.queues.jobs.delay_seconds: 5\n";
    let checked = |name: &str, only: &str, set: &str| {
        let file = written(folder.path(), name, &two_queues(only, set));
        check_fallbacks(&loaded(&file, &PlanSettings::default()).expect("a plan"))
    };
    let problems = checked("half", "queues.queue.jobs", set).expect_err("half of it is dropped");
    let words = "fallback slow sets \"q.queues.failed.delay_seconds\", which changes queues.queue.failed: only does not select it";
    assert_eq!((problems.0.len(), problems.0[0].problem.as_str()), (1, words), "{problems}");
    assert_eq!(problems.0[0].place.line, 20, "{problems}");
    for (name, only, set) in [
        ("all", "queues.queue", set),
        ("named", "queues.queue.failed, queues.queue.jobs", set),
        // It is so already.
        ("same", "queues.queue.failed", "      q.queues.jobs.delay_seconds: 1\n"),
    ] {
        checked(name, only, set).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
}
