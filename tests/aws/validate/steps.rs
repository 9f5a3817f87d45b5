//! `validate production`, `validate edge`, `validate browser` and the gate: a small server stands for what is looked at.

use serde_json::Value;
use testkit::cli::TestAccount;
use testkit::local_aws;

use super::server::{Page, Server};
use super::{finding, plan};

const MODELS: &str =
    r#"{"models": [{"name": "m", "default": true, "dimension": 3, "execution_provider": "cuda fp16"}]}"#;
const METRICS: &str = "# TYPE akidb_embed_requests_total counter\nakidb_embed_requests_total{model=\"m\",status=\"success\"} 1\n\
                       akidb_tensorrt_engine_builds_total 1\nakidb_tensorrt_engine_cache_hits_total 0\n";

/// A server as `akidb-edge serve` answers, whose function took some milliseconds.
fn embedding(took_ms: &'static str) -> Server {
    Server::of_pages(move |_, asked| match asked {
        "GET /health" => Page::of(200, r#"{"status": "healthy"}"#),
        "GET /models" => Page::of(200, MODELS),
        "GET /metrics" => Page::of(200, METRICS),
        "POST /api/v1/embed" => Page {
            head: format!("x-akidb-inference-time-ms: {took_ms}\r\n"),
            ..Page::of(200, r#"{"embeddings": [[0.6, 0.8, 0]]}"#)
        },
        _ => Page::of(404, "{}"),
    })
}

fn verdict(document: &Value, measure: &str) -> String {
    finding(document, measure, None)["verdict"].as_str().expect("a verdict").to_owned()
}

#[test]
fn a_server_passes_the_six_checks_and_each_that_fails_is_named() {
    let account = TestAccount::of(local_aws::account());
    let server = embedding("1");
    let run =
        |more: &str| account.run_bare(&format!("validate production --json --url http://{} {more}", server.address));
    // TensorRT built its engines at this start: that is never a failure.
    let document = run("").exits(2).json();
    for check in ["health", "embedding", "models", "metrics", "gpu"] {
        assert_eq!(verdict(&document, &format!("production.{check}")), "pass", "{check}: {document}");
    }
    assert_eq!(verdict(&document, "production.engine_cache"), "inconclusive", "{document}");
    run("--cpu").exits(0);
    let short = run("--cpu --dimension 4096").exits(1).json();
    assert_eq!(verdict(&short, "production.embedding"), "fail");
    let other = Server::start(|_| (200, "Miss"));
    let other = format!("validate production --json --url http://{}", other.address);
    let document = account.run_bare(&other).exits(1).json();
    assert_eq!(verdict(&document, "production.health"), "fail");
    account.run_bare("validate production --url http://127.0.0.1:1/health").exits(3);
}

#[test]
fn requests_go_through_the_function_and_the_gate_of_the_plan_decides() {
    let account = TestAccount::of(local_aws::account());
    let server = embedding("12.5");
    let step = format!(
        "{{id: edge, title: e, kind: validate, with: {{edge: {{regions: [us-east-1], function: gateway, requests: 100, \
         duration_p95_ms: 50, dimension: 3, request: {{host: \"{}\", path: /api/v1/embed, texts: [a, b]}}}}}}}}",
        server.address
    );
    let criteria = [
        "{id: ok, title: t, measure: edge.requests_ok, compare: \">=\", threshold: 10, unit: requests}",
        "{id: own, title: t, measure: edge.function.duration_p95, subject: edge.function.gateway, compare: \"<\", threshold: 50, unit: ms}",
    ];
    plan(&account, &[&step], &criteria);
    let document = account.run_bare("validate edge --plan small.yaml --plain-http --json").exits(2).json();
    assert_eq!((verdict(&document, "edge.requests_ok").as_str(), server.requests()), ("pass", 100));
    let own = finding(&document, "edge.function.duration_p95", Some("edge.function.gateway"));
    assert_eq!((&own["verdict"], &own["samples"]), (&"pass".into(), &100.into()), "{own}");
    assert_eq!(verdict(&document, "edge.regions_measured"), "inconclusive", "this machine is not a region");

    // Without a gate nobody decides.
    account.run_bare("validate all --plan small.yaml --plain-http --gate").exits(3);
    let text = std::fs::read_to_string(account.path("small.yaml")).expect("the plan");
    let gated = text.replace("criteria:\n", "criteria:\n  gate: {P0: 100, P1: 80, P2: 60}\n");
    std::fs::write(account.path("gated.yaml"), gated).expect("a file");
    account.run_bare("validate all --plan gated.yaml --plain-http").exits(2);
    let all = account.run_bare("validate all --plan gated.yaml --plain-http --gate --json").exits(0).json();
    let gate = all["measurements"].as_array().and_then(|all| all.last()).expect("measurements");
    assert_eq!((&gate["check"], &gate["found"][0]["finding"]["verdict"]), (&"gate".into(), &"pass".into()), "{gate}");
    let report = account.run_bare("report --plan gated.yaml --format json").exits(0).json();
    assert_eq!(
        (&report["gate"]["verdict"], &report["gate"]["gate"]),
        (&"met".into(), &"all P0, 80 % of P1, 60 % of P2".into())
    );
    let wrong = text.replace("criteria:\n", "criteria:\n  gate: {P1: 180, P2: 60}\n");
    std::fs::write(account.path("wrong.yaml"), wrong).expect("a file");
    let refused = account.run_bare("validate plan wrong.yaml").exits(3).all();
    assert!(refused.contains("P1 of the gate is not a percentage"), "{refused}");
}

#[test]
fn browsers_are_skipped_without_the_suite_and_the_page_is_asked_for() {
    let account = TestAccount::of(local_aws::account());
    let server = Server::of_pages(|_, _| Page::of(200, "<!doctype html>"));
    let step = format!(
        "{{id: page, title: p, kind: validate, with: {{browser: {{url: \"http://{}/\", browsers: {{chrome: 90}}, threads: 4, \
         load_ms: 2000, cold_ms: 100, warm_ms: 50, memory_mb: 100, offline: true}}}}}}",
        server.address
    );
    plan(
        &account,
        &[&step],
        &["{id: s, title: t, measure: page.status, compare: \"=\", threshold: 200, unit: status}"],
    );
    let document = account.run_bare("validate browser --plan small.yaml --browser-suite none --json").exits(2).json();
    assert_eq!(verdict(&document, "page.status"), "pass");
    let passed = finding(&document, "browser.engines_passed", None);
    let why = passed["why"].as_str().expect("a reason");
    assert!(why.starts_with("skipped: no browser suite in none"), "{why}");
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    assert_eq!(report["criteria"][0]["verdict"], "met", "{report}");
}
