//! The source documents' own settings (weeks 8, 13 and 14), written as specs: the check names each mistake, in one run.

use akidb_edge_engine::check;
use akidb_edge_engine::resource::{Desired, Kind, Resource};
use jiff::civil::date;
use serde_json::{Value, json};

fn add(desired: &mut Desired, address: &str, spec: &Value) {
    let word = address.split('.').nth(1).unwrap();
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word).unwrap();
    desired.add(Resource::new(address.parse().unwrap(), kind, spec));
}

const ROLE: &str = "arn:aws:iam::ACCOUNT_ID:role/lambda-edge-execution-role";
const TOKYO: &str = "akidb-rest-alb-ap-northeast-1.elb.amazonaws.com";

fn balancer(region: &str) -> String {
    format!("akidb-rest-alb-{region}.elb.amazonaws.com")
}

fn behavior(path: Option<&str>, function: Value) -> Value {
    let mut one = json!({
        "target": "akidb-rest-origin-group", "viewer_protocol": "redirect-to-https", "compress": true,
        "methods": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
        "cache_policy_id": "${cdn.cache-policy.embedding#id}", "functions": [function],
    });
    if let Some(path) = path {
        one["path"] = json!(path);
    }
    one
}

/// Week 13 days 1 and 2, with the logs of day 5 and the price class of week 14.
fn cdn(desired: &mut Desired) {
    let origin = |region: &str| {
        json!({"id": format!("akidb-rest-{region}"), "domain_name": balancer(region),
            "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}})
    };
    let lambda = "arn:aws:lambda:us-east-1:123456789012:function:akidb-edge-inference";
    let at = |arn: String| json!({"event": "viewer-request", "function_arn": arn, "include_body": false});
    let regions = ["us-east-1", "eu-central-1", "ap-northeast-1"];
    let members: Vec<String> = regions.iter().map(|region| format!("akidb-rest-{region}")).collect();
    add(
        desired,
        "cdn.cache-policy.embedding",
        &json!({
        "name": "akidb-embedding-cache-policy", "comment": "", "min_ttl": 86400, "default_ttl": 86400, "max_ttl": 31536000,
        "gzip": true, "brotli": true, "headers": ["Content-Type", "X-Akidb-Tenant-Id"],
        "query_strings": {"only": ["model", "version"]}, "cookies": "none"}),
    );
    add(
        desired,
        "cdn.bucket.logs",
        &json!({"name": "akidb-cloudfront-logs", "region": "us-east-1", "ownership": "BucketOwnerEnforced"}),
    );
    add(
        desired,
        "cdn.distribution.main",
        &json!({
        "comment": "AkiDB edge", "enabled": true, "price_class": "PriceClass_100", "aliases": ["api.akidb.com"],
        "origins": regions.map(origin),
        "origin_groups": [{"id": "akidb-rest-origin-group", "status_codes": [500, 502, 504], "members": members}],
        "default_behaviour": behavior(None, at(format!("{lambda}:1"))),
        "behaviours": [
            behavior(Some("/latest/*"), at(format!("{lambda}:$LATEST"))),
            behavior(Some("/plain/*"), at(lambda.to_owned())),
        ],
        "logging": {"bucket": "akidb-cloudfront-logs.s3.amazonaws.com", "prefix": "edge-logs/"}}),
    );
}

/// Week 13 day 2, and the provisioned concurrency of week 14.
fn edge(desired: &mut Desired) {
    add(
        desired,
        "edge.function.inference",
        &json!({
        "name": "akidb-edge-inference", "region": "us-east-1", "description": "", "runtime": "nodejs18.x",
        "handler": "index.handler", "memory_mb": 512, "timeout_seconds": 30, "role_arn": ROLE, "architecture": "x86_64",
        "code_sha256": "a".repeat(64), "code_bytes": 67_000_000, "code_unpacked_bytes": 263_000_000,
        "provisioned_concurrency": 2}),
    );
}

/// Week 13 days 3 and 5, its emergency rollback, and a record of week 8.
fn routing(desired: &mut Desired) {
    let zone = |region: &str| match region {
        "us-east-1" => "Z35SXDOTRQ7X7K",
        "eu-central-1" => "Z215JYRZR1TBD5",
        _ => "Z14GRHDCWA56QT",
    };
    let alias =
        |region: &str| json!({"zone_id": zone(region), "dns_name": balancer(region), "evaluate_target_health": true});
    let geo = |id: &str, continent: &str, region: &str| json!({"name": "api.akidb.com", "type": "A", "set_identifier": id, "geolocation": {"continent": continent}, "alias": alias(region)});
    add(
        desired,
        "routing.load-balancer.tokyo",
        &json!({"region": "ap-northeast-1", "name": "akidb-rest-alb-ap-northeast-1"}),
    );
    add(desired, "routing.zone.main", &json!({"name": "akidb.com", "comment": ""}));
    add(desired, "routing.zone.week8", &json!({"name": "akidb.io", "comment": ""}));
    add(
        desired,
        "routing.records.api",
        &json!({"zone_id": "${routing.zone.main#zone_id}", "sets": [
        geo("NA", "NA", "us-east-1"), geo("EU", "EU", "eu-central-1"), geo("AS", "AS", "ap-northeast-1"), geo("Default", "*", "us-east-1"),
        {"name": "api.akidb.com", "type": "A", "alias": alias("us-east-1")},
        {"name": "api.akidb.com", "type": "CNAME", "ttl": 300, "values": ["d111111abcdef8.cloudfront.net"]}]}),
    );
    add(
        desired,
        "routing.records.week8",
        &json!({"zone_id": "${routing.zone.week8#zone_id}", "sets": [
        {"name": "api.akidb.io", "type": "A", "ttl": 60, "values": ["1.2.3.4"], "set_identifier": "US-West-Geo",
         "geolocation": {"continent": "NA"}, "health_check_id": "us-west-health-check"}]}),
    );
}

/// Week 13 day 1: replication of the models.
fn models(desired: &mut Desired) {
    add(desired, "models.bucket.primary", &json!({"name": "akidb-edge-models", "region": "us-east-1"}));
    add(
        desired,
        "models.replication.eu",
        &json!({
        "source": "akidb-edge-models", "region": "us-east-1", "role_arn": "arn:aws:iam::ACCOUNT_ID:role/s3-replication-role",
        "rules": [{"id": "replicate-to-eu", "priority": 1, "prefix": "", "destination": "akidb-edge-models-replica-eu",
            "enabled": true, "time_control_minutes": 15}]}),
    );
}

fn seeds() -> Desired {
    let mut desired = Desired::new("seeds");
    cdn(&mut desired);
    edge(&mut desired);
    routing(&mut desired);
    models(&mut desired);
    desired
}

fn text(findings: &[check::Finding]) -> String {
    let mut out = String::new();
    for check::Finding { rule, severity, address, path, problem, .. } in findings {
        out.push_str(&format!("{severity:?} {rule}\n    {address} {path}\n    {problem}\n"));
    }
    out
}

#[test]
fn every_mistake_of_the_documents_is_named_in_one_run() {
    let findings = check::all(&seeds(), date(2026, 11, 21));
    insta::assert_snapshot!(text(&findings));
    for wanted in [
        "CF103-", "CF104-", "CF113-", "CF201-", "CF206-", "CF302-", "CF307-", "CP006-", "CP007-", "LA003-", "LA008-",
        "LE005-", "LE008-", "LE009-", "LE107-", "LE109-", "LE110-", "R5002-", "R5010-", "R5201-", "R5203-", "R5208-",
        "RP001-", "RP004-", "RP005-", "RP010-",
    ] {
        assert!(findings.iter().any(|finding| finding.rule.starts_with(wanted)), "{wanted}");
    }
    assert!(findings.iter().any(|finding| finding.problem.contains(TOKYO) && finding.rule.starts_with("CF206-")));
}
