//! What is exported is imported into a fresh journal without a difference.

use serde_json::{Value, json};

use crate::operators::stack::Stack;
use testkit::cli::{TestAccount, own_files};

/// Deploys a plan, exports, imports into a fresh journal, and deploys the plan there again.
#[track_caller]
fn comes_back(account: &TestAccount, plan: &str) {
    account.run_bare(&format!("deploy {plan} --yes")).exits(0);
    unchanged(account, plan, plan);
}

/// Exports what was deployed by the plan `first`, imports it into a fresh journal by `second`, and expects nothing to do.
#[track_caller]
fn unchanged(account: &TestAccount, first: &str, second: &str) {
    let file = account.path("exported.json");
    account.run_bare(&format!("state export {first} --out {}", file.display())).exits(0);
    let fresh = format!("--state file:{}", account.path("fresh").display());
    let imported = account.run_bare(&format!("state import --from {} {second} {fresh} --yes", file.display()));
    assert_eq!(imported.code, 0, "{second}: {}", imported.all());
    assert!(imported.stdout.contains("the next deploy would not change it"), "{second}: {}", imported.stdout);
    let again = account.run_bare(&format!("deploy {second} {fresh} --dry-run"));
    assert_eq!(again.code, 0, "{second}: {}", again.all());
}

#[test]
fn week_13_comes_back_from_its_export() {
    let account = TestAccount::new();
    let files = own_files(account.directory.path()).join(" ");
    comes_back(&account, &format!("--plan week13 --var prefix=t{} {files}", account.number));
}

#[test]
fn the_example_comes_back_from_its_export() {
    let account = TestAccount::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/examples/static-site.yaml");
    let folder = concat!("folder=", env!("CARGO_MANIFEST_DIR"), "/plans/examples/site");
    comes_back(&account, &format!("--plan {example} --var {folder} --var prefix=site-{}", account.number));
}

/// A plan with many settings; `defaults` says those that are the services' own.
fn settings(stack: &Stack, name: &str, defaults: bool) -> std::path::PathBuf {
    let mut bucket = json!({"name": format!("{}-data", stack.name()), "region": "us-east-1"});
    let mut custom = json!({"http_port": 80, "https_port": 443, "protocol": "https-only"});
    let mut origin = json!({"domain": "a.example.com"});
    let mut cdn = json!({
        "prefix": stack.name(), "comment": "c", "price_class": "PriceClass_All",
        "default_behavior": {"target": "a", "cache_policy": "own"},
        "cache_policies": {"own": {"min_ttl": 0, "default_ttl": 60, "max_ttl": 600, "headers": ["X-B", "X-A"]}},
        "origin_request_policies": {"own": {"headers": {"only": ["X-B", "X-A"]}}},
        "response_headers_policies": {"own": {"remove": ["X-Powered-By"], "nosniff": true}},
    });
    let mut zone = json!({"name": "example.net"});
    if defaults {
        extend(
            &mut bucket,
            json!({"versioning": false,
                                   "cors": [], "lifecycle": [], "tags": {}}),
        );
        extend(&mut custom, json!({"read_timeout_seconds": 30, "keepalive_timeout_seconds": 5}));
        extend(&mut origin, json!({"connection_attempts": 3, "connection_timeout_seconds": 10, "path": ""}));
        extend(&mut cdn, json!({"http_version": "http2", "ipv6": false, "custom_error_responses": []}));
        extend(&mut zone, json!({"comment": ""}));
    }
    origin["custom"] = custom;
    cdn["origins"] = json!({"a": origin});
    let routing = json!({
        "zone": zone,
        "records": {"web": [{"name": "WWW", "type": "A", "ttl": 60, "values": ["192.0.2.2", "192.0.2.1"]},
                            {"name": "@", "type": "TXT", "ttl": 60, "values": ["v=spf1 -all"]}]},
    });
    let step = |id: &str, kind: &str, with: Value| json!({"id": id, "title": id, "kind": kind, "with": with});
    let steps = [
        step("m", "models", json!({"buckets": {"data": bucket}})),
        step("cdn", "cdn", cdn),
        step("r", "routing", routing),
    ];
    let lines: Vec<String> = steps.iter().map(|step| format!("  - {step}\n")).collect();
    stack.plan(name, &lines.concat())
}

fn extend(value: &mut Value, more: Value) {
    let more = more.as_object().expect("fields").clone();
    value.as_object_mut().expect("fields").extend(more);
}

#[test]
fn a_default_is_the_same_said_or_not_said() {
    for said in [false, true] {
        let stack = Stack::new();
        let (first, second) = (settings(&stack, "first.yaml", said), settings(&stack, "second.yaml", !said));
        let (first, second) = (first.to_string_lossy(), second.to_string_lossy());
        stack.run(&["deploy", "--plan", &first, "--yes"]).exits(0);
        stack.run(&["state", "export", "--plan", &first, "--out", "exported.json"]).exits(0);
        for (plan, fresh) in [(&first, "file:one"), (&second, "file:two")] {
            let import = ["state", "import", "--from", "exported.json", "--plan", plan, "--state", fresh, "--yes"];
            let imported = stack.run(&import);
            assert_eq!(imported.code, 0, "{said} {plan}: {}", imported.all());
            let again = stack.run(&["deploy", "--plan", plan, "--state", fresh, "--dry-run"]);
            assert_eq!(again.code, 0, "{said} {plan}: {}", again.all());
        }
        // In the journal that made it, too.
        let again = stack.run(&["deploy", "--plan", &second, "--dry-run"]);
        assert_eq!(again.code, 0, "{said}: {}", again.all());
        stack.run(&["deploy", "--plan", &second, "--yes"]).exits(0);
    }
}
