//! Every mistake of a plan in one round, each once, with a next step that helps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use akidb_edge_engine::check::{self, Severity};
use akidb_edge_engine::desired::{Draft, draft};
use akidb_edge_engine::plan::{Plan, PlanError, PlanSettings, Reading, read, rules};

const FIXTURES: &str = "../../tests/fixtures/plans";

fn read_file(file: &Path) -> Reading {
    read(&file.display().to_string(), &PlanSettings::default())
}

/// The plan as far as it can be read, with what is wrong with it and with its graph.
fn all_of(file: &Path) -> (Option<(Plan, Draft)>, Vec<PlanError>) {
    let Reading { plan, mut problems } = read_file(file);
    let plan = plan.map(|plan| {
        let draft = draft(&plan, &BTreeSet::new());
        (plan, draft)
    });
    problems.extend(plan.iter().flat_map(|(_, draft)| draft.problems.clone()));
    (plan, problems)
}

fn places(problems: &[PlanError]) -> Vec<(usize, &str)> {
    problems.iter().map(|problem| (problem.place.line, problem.rule)).collect()
}

#[test]
fn the_mistakes_of_all_stages_are_told_in_one_round() {
    let (plan, problems) = all_of(&Path::new(FIXTURES).join("many-mistakes.yaml"));
    let mut told = places(&problems);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (2, rules::NAME),
            (3, rules::UNKNOWN_FIELD),
            (3, rules::MISSING_FIELD),
            (6, rules::UNKNOWN_VALUE),
            (13, rules::UNKNOWN_KIND),
            (16, rules::UNKNOWN_FIELD),
            (16, rules::MISSING_FIELD),
            (17, rules::UNKNOWN_VARIABLE),
            (21, rules::UNKNOWN_STEP),
            (27, rules::WRONG_VALUE),
            (35, rules::UNKNOWN_NAME),
            (47, rules::FALLBACK),
            (50, rules::UNKNOWN_FIELD),
        ]
    );
    // What AWS would refuse of the parts that can be read, and nothing of the others.
    let (plan, draft) = plan.expect("a plan with placeholders");
    let today = "2026-01-01".parse().expect("a date");
    let findings = check::all(&draft.built.desired, today).into_iter();
    let findings =
        findings.filter(|finding| finding.severity == Severity::Error && draft.is_sound(&plan, &finding.address));
    let found: Vec<(&str, String)> = findings.map(|finding| (finding.rule, finding.address.to_string())).collect();
    assert_eq!(found, [("R5301-interval", "routing.health-check.us".to_owned())]);
    for address in ["models.bucket.primary", "models.bucket.logs", "edge.function.gateway"] {
        let address = address.parse().expect("an address");
        assert!(!draft.is_sound(&plan, &address), "{address} has placeholders");
    }
}

#[test]
fn a_misspelt_kind_is_one_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.yaml");
    let text = fs::read_to_string("../../plans/week13.yaml").expect("the plan");
    assert_eq!(text.matches("kind: cdn\n").count(), 1);
    fs::write(&file, text.replace("kind: cdn\n", "kind: cdm\n")).expect("a file");
    let (plan, problems) = all_of(&file);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].rule, rules::UNKNOWN_KIND);
    assert!(problems[0].next_step.starts_with("did you mean cdn?"), "{}", problems[0]);
    let (plan, draft) = plan.expect("a plan");
    // It is read as what was probably meant, so that its own mistakes are told in the same round.
    assert!(draft.built.desired.resources.keys().any(|address| address.as_str() == "cdn.distribution.main"));
    assert!(plan.knows_its_names());

    // What nothing is like may declare anything: what others name is not complained about.
    fs::write(&file, text.replace("kind: models\n", "kind: something\n")).expect("a file");
    let (_, problems) = all_of(&file);
    assert!(problems.iter().all(|problem| problem.rule == rules::UNKNOWN_KIND), "{problems:?}");
}

/// A fixture, words of a next step that it is answered with, and the changes that follow it.
type Followed = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const FOLLOWED: &[Followed] = &[
    ("missing-field", "add it", &[("name: small-models", "name: small-models\n              region: us-east-1")]),
    ("unknown-field", "did you mean versioning?", &[("versionning", "versioning")]),
    ("unknown-kind", "did you mean queues?", &[("kind: queue\n", "kind: queues\n")]),
    (
        "unknown-variable",
        "did you mean prefix?",
        &[("prefx", "prefix"), ("default: small}", "default: small}\n  region: {default: us-east-1}")],
    ),
    (
        "unknown-variable",
        "declare it under variables, or use one of: prefix",
        &[("prefx", "prefix"), ("var.region", "var.prefix")],
    ),
    (
        "variable-type",
        "write a default of the variable's type",
        &[("plenty", "128"), ("\"yes\"", "true"), ("default: 1}", "default: us-east-1}")],
    ),
    ("variable-without-value", "or a default here", &[("{description", "{default: us-east-1, description")]),
    ("version-2", "or version: 1", &[("version: 2", "version: 1")]),
    ("wrong-type", "plans/schema.json describes what is allowed here", &[("plenty", "128")]),
    (
        "duplicate-step",
        "give each step its own id",
        &[("id: proof, title: Proof again", "id: again, title: Proof again")],
    ),
    ("duplicate-key", "correct the YAML", &[("    title: Again\n", "")]),
    ("not-yaml", "correct the YAML", &[("days: [", "days:"), ("title: First", "title: First\n    steps: []")]),
    (
        "two-documents",
        "correct the YAML",
        &[("---\nversion: 1\nstack: small\nmetadata: {name: small, title: A small plan}\ndays: []\n", "")],
    ),
    (
        "unknown-need",
        "name a step of this plan",
        &[(
            "      - id: proof",
            "      - {id: models, title: M, kind: models, with: {buckets: {}}}\n      - id: proof",
        )],
    ),
    ("circular-needs", "remove one of these needs", &[("needs: [first, fourth]", "needs: [first]")]),
    ("unknown-measure", "plans/schema.json describes", &[("latency.p96", "latency.p95")]),
    (
        "fallback-sets-nothing",
        "write step.path.to.setting",
        &[("request: [cutover]", "request: [proof]"), ("cdn.edge_functions: false", "proof.cost_usd: {a: 1}")],
    ),
    (
        "fallback-misfit",
        "correct its settings",
        &[("proof.cost_usd: false", "proof.cost_usd: {a: 1}"), ("proof.often: true", "proof.compare_with: {week: 12}")],
    ),
    (
        "unknown-bucket",
        "declare it under buckets",
        &[
            (
                "          replication:\n",
                "            replica: {name: small-replica, region: eu-central-1, versioning: true}\n          replication:\n",
            ),
            ("bucket: main", "bucket: primary"),
            ("bucket: logs}", "bucket: models.replica}"),
        ],
    ),
    (
        "unknown-policy",
        "name one of this step",
        &[
            ("CacheEverything", "CachingOptimized"),
            ("origin_request_policy: Everything", "origin_request_policy: AllViewer"),
        ],
    ),
    (
        "unknown-function",
        "or give an ARN with its version",
        &[("function: gateway", "function: \"arn:aws:lambda:us-east-1:123456789012:function:gateway:1\"")],
    ),
    (
        "unknown-health-check",
        "use one of health_checks",
        &[("          geo:\n", "          health_checks:\n            us: {host: rest}\n          geo:\n")],
    ),
    (
        "unknown-load-balancer",
        "name one of load_balancers",
        &[("[us-east-1, eu-central-1]", "[us-east-1]"), ("load_balancer: ap-northeast-1", "load_balancer: us-east-1")],
    ),
    ("unknown-queue", "use one of: dead", &[("target: letters", "target: dead")]),
    ("same-address", "give one of them another name", &[("            a-b:", "            other:")]),
    ("remove-without-extends", "or delete it", &[("remove: [models]\n", "")]),
    (
        "keys-without-boundary",
        "write role_boundary: NAME beside it",
        &[
            ("encrypted_objects: true}", "encrypted_objects: true}\n          role_boundary: mine"),
            ("arn:aws:iam::123456789012:policy/mine", "mine"),
        ],
    ),
    ("extends-kind", "leave the kind out", &[(", kind: page", "")]),
    ("extends-list", "write the name of a plan", &[("[earlier.yaml]", "earlier.yaml")]),
    ("extends-nowhere", "the path of a YAML file", &[("nowhere.yaml", "earlier.yaml")]),
    ("extends-unknown-name", "the path of a YAML file", &[("week99", "earlier.yaml")]),
    ("extends-circle", "remove extends from one of these plans", &[("extends-circle.yaml", "earlier.yaml")]),
    ("extends-remove-needed", "also remove these", &[("[models]", "[models, proof]")]),
    ("extends-remove-no-list", "remove: [STEP", &[("remove: proof", "remove: [proof]")]),
    (
        "extends-remove-nothing",
        "name a path below one of the steps",
        &[("buckets.lgos", "buckets.logs"), ("- prof\n", "- proof\n")],
    ),
    (
        "extends-duplicate-step",
        "give each step its own id",
        &[("{id: proof, title: Two}", "{id: two, title: Two, kind: report, with: {}}")],
    ),
    ("extends-incomplete", "add it", &[("{id: more,", "{id: more, title: More,")]),
    ("extends-other-day", "write it below that day", &[("day: 2\n    title: Second", "day: 1")]),
];

#[test]
fn what_the_next_step_says_works_when_it_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(Path::new(FIXTURES).join("earlier.yaml"), folder.path().join("earlier.yaml")).expect("the earlier plan");
    for (name, words, edits) in FOLLOWED {
        let text = fs::read_to_string(Path::new(FIXTURES).join(format!("{name}.yaml"))).expect("a fixture");
        let file = folder.path().join(format!("{name}.yaml"));
        fs::write(&file, &text).expect("a file");
        let (_, problems) = all_of(&file);
        assert!(problems.iter().any(|problem| problem.next_step.contains(words)), "{name}: {words:?} in {problems:?}");
        let followed = edits.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{name}: {from:?}");
            text.replace(from, to)
        });
        fs::write(&file, followed).expect("a file");
        let (plan, problems) = all_of(&file);
        assert!(plan.is_some() && problems.is_empty(), "{name}: {problems:?}");
    }
}

/// A rule of plans that no fixture breaks is broken here.
#[test]
fn each_rule_of_the_loader_is_met_by_a_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("empty")).expect("a folder");
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for entry in fs::read_dir(FIXTURES).expect("the fixtures").flatten() {
        met.extend(all_of(&entry.path()).1.iter().map(|problem| problem.rule));
    }
    let head = "version: 1\nstack: small\nmetadata: {name: small, title: Small}\n";
    let later = |verb: &str| format!("kind: later, with: {{verb: {verb}}}");
    let objects = |of: &str| format!("kind: kubernetes, with: {{cluster: {{kubeconfig: {{context: c}}}}, {of}}}");
    let empty = folder.path().join("empty").display().to_string();
    let page = "kind: page, with: {bucket: {name: b, region: us-east-1}, files: {x: {file: /etc/passwd}}}".to_owned();
    for (step, more) in [
        (page, ""),
        (objects("objects: [{apiVersion: v1, kind: ConfigMap, metadata: {}}]"), ""),
        (objects("objects: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {mode: 0644}}]"), ""),
        (objects(&format!("files: [{empty}]")), ""),
        (later("\"a\\u202Eb\""), ""),
        (later("v"), "variables: {v: {sensitive: true, default: short}}\n"),
        (later("v"), "moved: [{from: a.bucket.a, to: a.bucket.b}]\n"),
    ] {
        let file = folder.path().join("plan.yaml");
        let text = format!("{head}{more}days: [{{day: 1, title: d, steps: [{{id: one, title: t, {step}}}]}}]\n");
        fs::write(&file, text).expect("a file");
        met.extend(all_of(&file).1.iter().map(|problem| problem.rule));
    }
    met.extend(all_of(&folder.path().join("absent.yaml")).1.iter().map(|problem| problem.rule));
    // Broken by tests of their own: a plan of 16 MiB, devices that an inventory brings, artifacts with other hashes. A file that is
    // missing and a former key are told by `validate plan`.
    met.extend([rules::TOO_LONG, rules::INVENTORY, rules::HASH, rules::MISSING_FILE, rules::FORMER_KEY]);
    let missing: Vec<&str> = rules::ALL.iter().map(|(id, _)| *id).filter(|id| !met.contains(id)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
