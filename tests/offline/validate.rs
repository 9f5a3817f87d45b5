//! `validate plan`: no AWS, no environment.

use std::io::Write;
use std::path::Path;

use testkit::cli::{CommandOutput, bare, finish, own_files, write_model};

/// `validate plan` of one step, in a folder.
fn validate(folder: &Path, kind: &str, with: &str) -> CommandOutput {
    let head =
        "version: 1\nstack: small\nmetadata: {name: small, title: Small}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let plan = format!("{head}  - {{id: one, title: one, kind: {kind}, with: {with}}}\n");
    std::fs::write(folder.join("small.yaml"), plan).expect("a file");
    finish(bare().current_dir(folder).args(["validate", "plan", "small.yaml"]))
}

/// A zip with these files, each with one line.
fn zip(path: &Path, files: &[&str]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for name in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(b"export const handler = async (event) => event;\n").expect("content");
    }
    zip.finish().expect("a zip");
}

#[test]
fn a_sensitive_value_that_is_refused_is_shown_by_no_error() {
    let folder = tempfile::tempdir().expect("a directory");
    let head = "version: 1\nstack: small\nmetadata: {name: small, title: Small}\nvariables: {v: {sensitive: true}}\n";
    let steps = "days:\n- day: 1\n  title: d\n  steps:\n";
    let step = "  - {id: one, title: one, kind: page, with: {bucket: {name: \"${var.v}\", region: \"${var.v}\"}, files: {}}}\n";
    std::fs::write(folder.path().join("small.yaml"), format!("{head}{steps}{step}")).expect("a file");
    // Too short to be recognized in the output; and one that is found everywhere.
    for value in ["Hunter2", "Hunter2-Hunter2"] {
        let mut command = bare();
        command.current_dir(folder.path()).args(["validate", "plan", "small.yaml"]).env("AKIDB_EDGE_VAR_v", value);
        let output = finish(&mut command).exits(3);
        assert!(output.all().contains("PL204-sensitive-variable"), "{}", output.all());
        assert!(!output.all().contains("Hunter2"), "{}", output.all());
    }
}

#[test]
fn a_plan_that_aws_would_refuse() {
    let folder = tempfile::tempdir().expect("a directory");
    write_model(folder.path());
    let models = own_files(folder.path());
    let good = finish(bare().args(["validate", "plan", "week13"]).args(&models)).exits(0);
    insta::assert_snapshot!("good", good.stdout);

    let text = std::fs::read_to_string("plans/week13.yaml").expect("the plan");
    let mistakes = [
        ("memory_mb: 128", "memory_mb: 4096"),
        ("interval_seconds: 30,", "interval_seconds: 7,"),
        ("http_version: http2and3", "http_version: http4"),
        ("price_class: ${var.price_class}", "price_class: PriceClass_300"),
    ];
    let wrong = mistakes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(folder.path().join("wrong.yaml"), wrong).expect("a file");
    let run = |more: &[&str]| {
        finish(bare().current_dir(folder.path()).args(["validate", "plan", "wrong.yaml"]).args(&models).args(more))
            .exits(3)
    };
    insta::assert_snapshot!("wrong", run(&[]).stdout);
    let document = run(&["--json"]).json();
    assert_eq!(document["schema"], "akidb-edge/validate-plan/v1");
    assert!(document["errors"].as_u64() >= Some(4), "{document}");
    // A deploy says the same, before any call.
    let deploy = bare()
        .current_dir(folder.path())
        .args(["deploy", "--plan", "wrong.yaml", "--yes"])
        .args(&models)
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
        ])
        .output()
        .expect("the binary runs");
    assert_eq!(deploy.status.code(), Some(3));
}

#[test]
fn two_resources_that_are_one_thing_are_named_with_both_lines() {
    let folder = tempfile::tempdir().expect("a directory");
    let buckets =
        "{buckets: {\n    a: {name: same-name, region: us-east-1},\n    b: {name: same-name, region: us-east-1}}}";
    let said = validate(folder.path(), "models", buckets).exits(3).stdout;
    let places = "  in:   models.bucket.b name\n  and:  small.yaml:9:9 models.bucket.a name\n";
    assert!(said.contains("small.yaml:10:9: error ") && said.contains(places), "{said}");

    let set = "{name: www, type: A, ttl: 60, values: [192.0.2.1]}";
    let records = format!("{{zone: {{name: example.net}}, records: {{\n    one: [{set}],\n    two: [{set}]}}}}");
    let said = validate(folder.path(), "routing", &records).exits(3).stdout;
    assert!(said.contains("small.yaml:10:") && said.contains("\n  and:  small.yaml:9:"), "{said}");
}

#[test]
fn a_zip_that_lambda_would_not_run() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("code.zip");
    let try_it = |runtime: &str| {
        let function =
            format!("{{name: f, runtime: {runtime}, memory_mb: 128, timeout_seconds: 5, code: {{zip: code.zip}}}}");
        let with = format!("{{functions: {{f: {function}}}}}");
        validate(folder.path(), "edge-function", &with)
    };
    zip(&path, &["index.mjs"]);
    try_it("nodejs24.x").exits(0);
    let said = try_it("python3.13").exits(3).all();
    assert!(said.contains("small.yaml:8:") && said.contains("index.handler is not in the zip"), "{said}");

    zip(&path, &["dist/index.mjs"]);
    let said = try_it("nodejs24.x").exits(3).all();
    assert!(said.contains("none of index.js, index.mjs, index.cjs is, but dist/index.mjs"), "{said}");

    // 300 MB, as the zip's own directory says it.
    zip(&path, &["index.mjs"]);
    let mut bytes = std::fs::read(&path).expect("the zip");
    let entry = bytes.windows(4).position(|at| at == b"PK\x01\x02").expect("a directory");
    bytes[entry + 24..entry + 28].copy_from_slice(&300_000_000_u32.to_le_bytes());
    std::fs::write(&path, bytes).expect("a file");
    let said = try_it("nodejs24.x").exits(3).all();
    assert!(said.contains("LA009-package-size") && said.contains("300000000 bytes"), "{said}");

    std::fs::write(&path, "no zip").expect("a file");
    let said = try_it("nodejs24.x").exits(3).all();
    assert!(said.contains("code.zip cannot be read as a zip"), "{said}");
}

#[test]
fn small_plans_that_aws_refuses() {
    let folder = tempfile::tempdir().expect("a directory");
    let bucket = |more: &str| ("models", format!("{{buckets: {{b: {{name: demo-b, region: us-east-1{more}}}}}}}"));
    let origin = "{o: {domain: origin.example.org, custom: {http_port: 80, https_port: 443, protocol: https-only}}}";
    let cdn = |origins: &str, more: &str| {
        let behavior = "default_behavior: {target: o, cache_policy: CachingOptimized, origin_request_policy: AllViewerExceptHostHeader}";
        let rest = format!("price_class: PriceClass_100, origins: {origins}, {behavior}{more}");
        ("cdn", format!("{{prefix: demo, comment: x, {rest}}}"))
    };
    let many: Vec<String> = (0..101)
        .map(|at| {
            let id = if at == 0 { "o".to_owned() } else { format!("o{at}") };
            format!(
                "{id}: {{domain: o{at}.example.org, custom: {{http_port: 80, https_port: 443, protocol: https-only}}}}"
            )
        })
        .collect();
    let website = origin.replace("origin.example.org", "demo.s3-website-us-east-1.amazonaws.com");
    let policy = |words: &str| format!(", origin_request_policies: {{p: {words}}}");
    let cases = [
        ("TG001", bucket(", tags: {'aws:name': x}")),
        ("TG003", bucket(", tags: {cost: '50 %'}")),
        ("CO001", bucket(", cors: [{origins: ['https://*.*.org'], methods: [GET]}]")),
        ("CO002", bucket(", cors: [{origins: ['*'], methods: [GET], expose: ['*']}]")),
        ("SH006", ("models", "{buckets: {b: {name: demo-b, region: eu-central-9}}}".to_owned())),
        ("CP103", cdn(origin, &policy("{headers: {only: [Authorization]}}"))),
        ("CP104", cdn(origin, &policy("{headers: {all-except: []}}"))),
        ("CF215", cdn(&website, "")),
        ("CF216", cdn(&format!("{{{}}}", many.join(", ")), "")),
        ("SH004", cdn(origin, ", http_version: http4")),
        ("SH002", ("routing", format!("{{zone: {{name: example.net, comment: {}}}}}", "x".repeat(257)))),
    ];
    for (rule, (kind, with)) in cases {
        let said = validate(folder.path(), kind, &with);
        assert!(said.code == 3 && said.stdout.contains(&format!(": error {rule}-")), "{rule}: {}", said.all());
        assert!(said.stdout.contains("small.yaml:"), "{rule}: {}", said.all());
    }
}

/// The objects and the policy of a bucket are in its region: a wrong one is reported where it is written, once.
#[test]
fn one_wrong_region_is_one_finding() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("site")).expect("a directory");
    for name in ["index.html", "404.html"] {
        std::fs::write(folder.path().join("site").join(name), "text").expect("a file");
    }
    let page = "{bucket: {name: demo-page, region: us-esat-1}, files: {/: {folder: site}}}";
    let said = validate(folder.path(), "page", page).exits(3).stdout;
    assert_eq!(said.matches("error SH006-region").count(), 1, "{said}");
    assert!(said.contains("us-east-1"), "{said}");
}

/// What `jetson` would refuse is refused here, too, at its own line.
#[test]
fn words_of_devices_are_looked_at() {
    let folder = tempfile::tempdir().expect("a directory");
    let devices = |line: &str| {
        let with = format!("{{\n    hosts: {{one: {{address: 192.0.2.1}}}},\n    {line}}}");
        validate(folder.path(), "jetson", &with)
    };
    devices("groups: [docker]").exits(0);
    for (field, line) in [
        ("name", "groups: ['-h']"),
        ("name", "users: {'--root=/': {}}"),
        ("groups", "users: {akidb: {groups: ['-G']}}"),
        ("packages", "packages: {'-oDpkg::Pre-Invoke::=touch x': ''}"),
        ("path", "files: {opt/x: {text: a}}"),
        ("power_mode", "power_mode: '15W; id'"),
        ("version", "k3s: {version: 'v1 --token=x'}"),
    ] {
        let said = devices(line).exits(3).stdout;
        assert!(said.contains("small.yaml:10:") && said.contains(&format!("{field}: ")), "{line}: {said}");
    }
    let said = validate(folder.path(), "jetson", "{\n    hosts: {one: {address: 192.0.2.1, jump: 'gate,-J'}}}");
    let said = said.exits(3).stdout;
    assert!(said.contains("small.yaml:9:") && said.contains("jump: "), "{said}");

    // A second server would silently become an agent.
    let two = "{\n    hosts: {a: {address: a, role: server}, b: {address: b, role: server}}}";
    let said = validate(folder.path(), "jetson", two).exits(3).stdout;
    assert!(said.contains("small.yaml:9:") && said.contains("b is marked as the server, and a is it, too"), "{said}");

    // Those of an inventory, too, at their place there.
    std::fs::write(folder.path().join("hosts.yaml"), "one: {address: '-oProxyCommand=x'}\n").expect("a file");
    let said = validate(folder.path(), "jetson", "{\n    inventory: hosts.yaml}").exits(3).stdout;
    assert!(said.contains("hosts.yaml:1:7: error PL503-unusable-setting: address: "), "{said}");

    let app = "{name: app, image: 'akidb/rest:v1', service_port: 80}";
    let said = validate(folder.path(), "jetson-app", app).exits(3).stdout;
    assert!(said.contains("small.yaml:8:") && said.contains("it needs a cluster, and no step makes one"), "{said}");
}

#[test]
fn objects_of_a_cluster_are_looked_at_in_their_files() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("a.yaml");
    let with = "{cluster: {kubeconfig: {context: west}}, files: [a.yaml]}";
    std::fs::write(&file, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {b: Yw==}\n").expect("a file");
    let said = validate(folder.path(), "kubernetes", with).exits(3).stdout;
    assert!(said.contains("a.yaml:4:") && said.contains("kubectl create secret"), "{said}");
    std::fs::write(&file, "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n").expect("a file");
    let said = validate(folder.path(), "kubernetes", with).exits(0).stdout;
    assert!(said.contains("2 resources, 0 errors, 0 warnings"), "{said}");
    std::fs::remove_file(&file).expect("it is there");
    let said = validate(folder.path(), "kubernetes", with).exits(0).stdout;
    assert!(said.contains("a.yaml cannot be read"), "a deploy refuses it: {said}");
    let said = validate(
        folder.path(),
        "kubernetes",
        "{cluster: {kubeconfig: {context: west, file: a.yaml}}, files: [a.yaml]}",
    );
    let said = said.exits(3).stdout;
    assert!(said.contains("a kubeconfig can start programs"), "{said}");
}

#[test]
fn what_a_cluster_would_refuse_is_told_with_its_line() {
    let folder = tempfile::tempdir().expect("a directory");
    let with = "{cluster: {kubeconfig: {context: west}}, files: [a.yaml]}";
    let write = |text: &str| std::fs::write(folder.path().join("a.yaml"), text).expect("a file");
    write(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - {port: 80}\n  - {port: 81, name: b}\n",
    );
    let said = validate(folder.path(), "kubernetes", with).exits(3).stdout;
    for words in ["KU003-unnamed-port", "a.yaml:10:5: error KU003-unnamed-port", "the cluster would refuse it"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    write(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data:\n    port: 80\n",
    );
    let said = validate(folder.path(), "kubernetes", with).exits(3).stdout;
    assert!(said.contains("KU001-type-of-field") && said.contains("a.yaml:8:5: "), "{said}");
    write("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replica: 2\n");
    let said = validate(folder.path(), "kubernetes", with).exits(0).stdout;
    assert!(said.contains("KU002-unknown-field") && said.contains("a.yaml:5:"), "{said}");
    assert!(said.contains("has no spec.replica") && said.contains("1 warning: no problems found"), "{said}");

    // A secret is warned of, and its value is not repeated.
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    env: [{name: PASSWORD, value: hunter2}]\n";
    write(pod);
    let said = validate(folder.path(), "kubernetes", with).exits(0);
    assert!(said.stdout.contains("KU004-secret-in-the-clear") && said.stdout.contains("a.yaml:7:"), "{}", said.stdout);
    assert!(!said.all().contains("hunter2"), "{}", said.all());
    let inline = "{cluster: {kubeconfig: {context: west}}, force_conflicts: [Pod/b], objects: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]}";
    let said = validate(folder.path(), "kubernetes", inline).exits(3).all();
    assert!(said.contains("force_conflicts: no object of this step is \"Pod/b\""), "{said}");
}

#[test]
fn what_a_fallback_may_change_is_in_the_plan() {
    let folder = tempfile::tempdir().expect("a directory");
    let later = |fallback: &str| {
        let text = format!("extends: week13\nfallbacks:\n  lambda-edge-off:\n    {fallback}\n");
        std::fs::write(folder.path().join("later.yaml"), text).expect("a file");
        finish(bare().current_dir(folder.path()).args(["validate", "plan", "later.yaml"]))
    };
    let said = later("only: [cdn.distribution, cdnn, '*.records.api', eu-west-1]").exits(3).stdout;
    for words in [
        "later.yaml:4:30: error PL305-fallback: fallback lambda-edge-off: only names \"cdnn\", and the plan has no such address",
        "only names \"eu-west-1\"",
        "next: name an address, or the beginning of one: cdn.cache-policy, cdn.distribution, ",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("only names \"cdn.distribution\"") && !said.contains("records.api\""), "{said}");
    // What a fallback makes of the plan must be a plan, too.
    let said = later("set: {cutover.replaces: nobody}\n    request: [cutover]").exits(3).stdout;
    assert!(said.contains("with the fallback lambda-edge-off: "), "{said}");
}

#[test]
fn a_plan_that_extends_another_says_where_its_values_come_from() {
    let folder = tempfile::tempdir().expect("a directory");
    write_model(folder.path());
    let models = own_files(folder.path());
    let buckets = |count: usize| -> String {
        let one = |at: usize| format!("b{at:02}: {{name: akidb-demo-{at:02}, region: us-east-1}}");
        let all = (1..=count).map(one).collect::<Vec<_>>().join(", ");
        format!("days: [{{day: 1, steps: [{{id: models, with: {{buckets: {{{all}}}}}}}]}}]\n")
    };
    let run = |text: &str, more: &[&str]| {
        std::fs::write(folder.path().join("later.yaml"), format!("extends: week13\n{text}")).expect("a file");
        let arguments = ["validate", "plan", "later.yaml"];
        finish(bare().current_dir(folder.path()).args(arguments).args(&models).args(more)).exits(0)
    };
    let said = run(&format!("remove: [dashboard]\n{}", buckets(1)), &[]).stdout;
    let lines = "from later.yaml: removed steps.dashboard\nfrom later.yaml: added steps.models.with.buckets.b01\n\
                 from week13 (built in): everything else\n";
    assert!(said.ends_with(lines), "{said}");
    let said = run(&buckets(25), &[]).stdout;
    assert!(said.contains("buckets.b20\n5 more changes are left out; -v shows all\nfrom week13"), "{said}");
    assert!(run(&buckets(25), &["-v"]).stdout.contains("added steps.models.with.buckets.b25\nfrom week13"));
    let document = run(&buckets(25), &["--json"]).json();
    assert_eq!(document["extends"]["files"], serde_json::json!(["later.yaml", "week13 (built in)"]));
    assert_eq!(document["extends"]["left_out"], 5);
    let first = serde_json::json!({"file": "later.yaml", "what": "added", "path": "steps.models.with.buckets.b01"});
    assert_eq!(document["extends"]["changes"][0], first);
}

/// The mistakes of all stages come in one round, in words and as data, and a deploy shows the same.
#[test]
fn a_plan_with_many_mistakes_is_answered_in_one_round() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plans/many-mistakes.yaml");
    let said = finish(bare().args(["validate", "plan", plan])).exits(3);
    assert_eq!(said.stderr, "");
    assert_eq!(said.stdout.matches(": error ").count(), 14, "{}", said.stdout);
    for rule in ["PL105-unknown-kind", "PL203", "PL501-unknown-name", "R5301-interval"] {
        let is_there = said.stdout.contains(&format!(": error {rule}"));
        assert_eq!(is_there, rule != "PL203", "{rule}: {}", said.stdout);
    }
    assert!(
        said.stdout.contains("14 errors, ") && said.stdout.contains(": it cannot be deployed as it is"),
        "{}",
        said.stdout
    );

    let document = finish(bare().args(["validate", "plan", plan, "--json"])).exits(3).json();
    assert_eq!(document["schema"], "akidb-edge/validate-plan/v1");
    let findings = document["findings"].as_array().expect("findings");
    let errors = findings.iter().filter(|finding| finding["severity"] == "error").count();
    assert_eq!((errors, &document["errors"]), (14, &serde_json::json!(14)));
    for finding in findings {
        for field in ["rule", "severity", "file", "problem", "next_step"] {
            assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {finding}");
        }
        assert!(finding["line"].as_u64() > Some(0) && finding["column"].as_u64() > Some(0), "{finding}");
    }
    let kind = findings.iter().find(|finding| finding["rule"] == "PL105-unknown-kind").expect("the misspelt kind");
    assert_eq!((&kind["line"], &kind["column"]), (&serde_json::json!(13), &serde_json::json!(9)), "{kind}");

    let mut deploy = bare();
    deploy.args(["deploy", "--plan", plan, "--yes", "--json"]);
    let document = finish(&mut deploy).exits(3).json();
    assert_eq!((&document["schema"], &document["code"]), (&"akidb-edge/error/v1".into(), &"PL000-plan".into()));
    assert_eq!(&document["findings"], &serde_json::Value::from(findings.clone()), "{document}");
}
