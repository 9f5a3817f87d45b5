//! A stack without findings, and cases that break one thing in it.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::resource::{Address, Desired, Kind, Level, Resource};

/// The day of the tests.
pub(super) const TODAY: Date = date(2026, 11, 21);

/// One change of the good stack and the rules that it must break.
pub(super) struct Case {
    /// The broken stack.
    pub desired: Desired,
    /// The rules that must be named, and no others.
    pub rules: BTreeSet<&'static str>,
    /// What was done, for messages.
    pub note: String,
}

/// A case for one rule; nothing is broken yet.
pub(super) fn case(rule: &'static str) -> Case {
    Case { desired: good(), rules: [rule].into(), note: rule.to_owned() }
}

impl Case {
    /// Another rule that the change breaks as well.
    pub fn also(mut self, rule: &'static str) -> Self {
        self.rules.insert(rule);
        self
    }

    /// Sets the value at a JSON pointer; an address that is not there becomes a resource.
    pub fn set(mut self, address: &str, pointer: &str, value: Value) -> Self {
        self.note.push_str(&format!(" {address}{pointer}"));
        let spec = self.spec(address);
        match pointer.rsplit_once('/') {
            None => *spec = value,
            Some((parent, last)) => match spec.pointer_mut(parent) {
                Some(Value::Array(items)) => items[last.parse::<usize>().unwrap()] = value,
                Some(Value::Object(fields)) => drop(fields.insert(last.to_owned(), value)),
                _ => panic!("{address} has no {parent}"),
            },
        }
        self.settle(address)
    }

    /// Adds to a list.
    pub fn push(mut self, address: &str, pointer: &str, value: Value) -> Self {
        self.note.push_str(&format!(" {address}{pointer}"));
        self.spec(address).pointer_mut(pointer).and_then(Value::as_array_mut).unwrap().push(value);
        self.settle(address)
    }

    /// Takes one item out of a list.
    pub fn drop_item(mut self, address: &str, pointer: &str, at: usize) -> Self {
        self.spec(address).pointer_mut(pointer).and_then(Value::as_array_mut).unwrap().remove(at);
        self.settle(address)
    }

    /// Takes a field out.
    pub fn remove(mut self, address: &str, pointer: &str) -> Self {
        self.note.push_str(&format!(" {address}{pointer}"));
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        let held = self.spec(address).pointer_mut(parent).and_then(Value::as_object_mut).unwrap().remove(last);
        assert!(held.is_some(), "{address} has no {pointer}");
        self.settle(address)
    }

    /// Adds a need.
    pub fn need(mut self, address: &str, needed: &str) -> Self {
        let resource = self.desired.resources.get_mut(&address.parse::<Address>().unwrap()).unwrap();
        resource.needs.insert(needed.parse().unwrap(), Level::Usable);
        self
    }

    fn spec(&mut self, address: &str) -> &mut Value {
        let address: Address = address.parse().unwrap();
        let fresh = || resource(address.as_str(), json!({}));
        &mut self.desired.resources.entry(address.clone()).or_insert_with(fresh).spec
    }

    /// Reads the needs anew, as a builder would.
    fn settle(mut self, address: &str) -> Self {
        let spec = self.spec(address).clone();
        self.desired.resources.insert(address.parse().unwrap(), resource(address, spec));
        self
    }
}

fn resource(address: &str, spec: Value) -> Resource {
    let word = address.split('.').nth(1).unwrap();
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word).unwrap();
    Resource::new(address.parse().unwrap(), kind, &spec)
}

fn trust(services: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}]})
}

fn logs() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:PutLogEvents"], "Resource": "arn:aws:logs:*:${#account}:*"}]})
}

fn function(name: &str, role: &str) -> Value {
    json!({"name": name, "region": "us-east-1", "description": "embeds", "runtime": "nodejs24.x", "handler": "index.handler",
        "memory_mb": 1769, "timeout_seconds": 30, "role_arn": format!("${{edge.role.{role}#arn}}"), "architecture": "x86_64",
        "code_sha256": "c".repeat(64), "code_bytes": 41_000_000, "code_unpacked_bytes": 90_000_000})
}

fn balancer(name: &str) -> Value {
    json!({"zone_id": format!("${{routing.load-balancer.{name}#zone_id}}"),
        "dns_name": format!("${{routing.load-balancer.{name}#dns_name}}"), "evaluate_target_health": true})
}

fn alias_to(name: &str) -> Value {
    json!({"zone_id": "${routing.zone.main#zone_id}", "dns_name": name, "evaluate_target_health": true})
}

/// A stack of two regions without any finding.
pub(super) fn good() -> Desired {
    let mut desired = Desired::new("week13");
    for (address, spec) in edge().into_iter().chain(models()).chain(cdn()).chain(routing()).chain(queues()) {
        desired.add(resource(address, spec));
    }
    desired
}

fn edge() -> Vec<(&'static str, Value)> {
    let edge = trust(&["lambda.amazonaws.com", "edgelambda.amazonaws.com"]);
    let plain = trust(&["lambda.amazonaws.com"]);
    vec![
        (
            "edge.role.function",
            json!({"name": "akidb-edge", "description": "", "trust": edge, "inline": {"logs": logs()}}),
        ),
        (
            "edge.role.regional",
            json!({"name": "akidb-regional", "description": "", "trust": plain, "inline": {"logs": logs()}}),
        ),
        ("edge.function.embed", function("akidb-embed", "function")),
        ("edge.function.regional", function("akidb-regional", "regional")),
        (
            "edge.function-version.embed",
            json!({"function": "${edge.function.embed#name}", "region": "us-east-1",
            "code_sha256": "c".repeat(64), "settings": "s"}),
        ),
    ]
}

fn models() -> Vec<(&'static str, Value)> {
    let bucket = |name: &str, region: &str| json!({"name": name, "region": region, "versioning": true});
    let replicate = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "arn:aws:s3:::akidb-models*", "Action": [
        "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]}]});
    let rules = |to: &str| {
        json!([{"id": "all", "priority": 1, "destination": to, "enabled": true, "delete_markers": true,
        "replica_modifications": true, "time_control_minutes": 15}])
    };
    let replication = |from: &str, region: &str, to: &str| json!({"source": from, "region": region, "role_arn": "${models.role.replication#arn}", "rules": rules(to)});
    let hash = "a".repeat(64);
    vec![
        ("models.bucket.primary", bucket("akidb-models", "us-east-1")),
        ("models.bucket.replica", bucket("akidb-models-eu", "eu-central-1")),
        (
            "models.bucket.spare",
            json!({"name": "akidb-spare", "region": "ap-northeast-1", "ownership": "BucketOwnerEnforced"}),
        ),
        (
            "models.role.replication",
            json!({"name": "akidb-replication", "description": "",
            "trust": trust(&["s3.amazonaws.com"]), "inline": {"replicate": replicate}}),
        ),
        ("models.replication.primary", replication("akidb-models", "us-east-1", "${models.bucket.replica#name}")),
        ("models.replication.replica", replication("${models.bucket.replica#name}", "eu-central-1", "akidb-models")),
        (
            "models.object.model",
            json!({"bucket": "akidb-models", "region": "us-east-1", "key": format!("models/{hash}/m.onnx"),
            "sha256": hash, "bytes": 1, "content_type": "application/octet-stream", "cache_control": "public, immutable"}),
        ),
    ]
}

fn queues() -> Vec<(&'static str, Value)> {
    vec![
        ("queues.queue.dead", json!({"name": "akidb-dead", "region": "eu-central-1", "retention_seconds": 1_209_600})),
        (
            "queues.queue.jobs",
            json!({"name": "akidb-jobs", "region": "eu-central-1", "visibility_timeout_seconds": 60,
            "dead_letter": {"target": "${queues.queue.dead#arn}", "max_receives": 5}}),
        ),
    ]
}

fn distribution() -> Value {
    let custom = json!({"http_port": 80, "https_port": 443, "protocol": "https-only"});
    let read = |path: Option<&str>, target: &str| {
        let mut one = json!({"target": target, "viewer_protocol": "redirect-to-https", "methods": ["GET", "HEAD"],
            "compress": true, "cache_policy_id": "${cdn.cache-policy.read#id}"});
        if let Some(path) = path {
            one["path"] = json!(path);
        }
        one
    };
    json!({
        "comment": "akidb", "enabled": true, "price_class": "PriceClass_200", "http_version": "http2and3",
        "aliases": ["api.akidb.com"], "default_root_object": "index.html",
        "certificate": {"acm_arn": "${cdn.certificate.api#arn}", "ssl_support_method": "sni-only", "minimum_protocol": "TLSv1.2_2021"},
        "origins": [
            {"id": "eu", "domain_name": "origin-eu.akidb.com", "custom": custom},
            {"id": "models", "domain_name": "${models.bucket.primary#domain}", "origin_access_id": "${cdn.origin-access.models#id}"},
            {"id": "us", "domain_name": "origin-us.akidb.com", "custom": custom},
        ],
        "origin_groups": [{"id": "pair", "status_codes": [500, 502, 503, 504], "members": ["us", "eu"]}],
        "default_behaviour": read(None, "pair"),
        "behaviours": [
            {"path": "/v1/embed*", "target": "us", "viewer_protocol": "https-only", "compress": true,
             "methods": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
             "cache_policy_id": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
             "origin_request_policy_id": "${cdn.origin-request-policy.api#id}",
             "response_headers_policy_id": "${cdn.response-headers-policy.api#id}",
             "functions": [{"event": "origin-request", "function_arn": "${edge.function-version.embed#arn}", "include_body": true}]},
            read(Some("/models/*"), "models"),
        ],
        "logging": {"bucket": "akidb-logs.s3.amazonaws.com", "prefix": "cdn/"},
    })
}

fn cdn() -> Vec<(&'static str, Value)> {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::${models.bucket.primary#name}/*",
        "Condition": {"StringEquals": {"AWS:SourceArn": "${cdn.distribution.main#arn}"}}}]});
    vec![
        (
            "cdn.certificate.api",
            json!({"region": "us-east-1", "domain": "akidb.com", "alternative_names": ["*.akidb.com"]}),
        ),
        ("cdn.certificate.other", json!({"region": "eu-central-1", "domain": "origin.akidb.com"})),
        ("cdn.origin-access.models", json!({"name": "akidb-models", "description": ""})),
        (
            "cdn.cache-policy.read",
            json!({"name": "akidb-read", "comment": "", "min_ttl": 0, "default_ttl": 86_400, "max_ttl": 86_400,
            "gzip": true, "brotli": true, "headers": [], "query_strings": {"only": ["model"]}, "cookies": "none"}),
        ),
        (
            "cdn.origin-request-policy.api",
            json!({"name": "akidb-api", "comment": "", "headers": "all-viewer",
            "query_strings": "all", "cookies": "none"}),
        ),
        (
            "cdn.response-headers-policy.api",
            json!({"name": "akidb-api", "comment": "", "hsts_seconds": 60,
            "cors": {"origins": ["*"], "methods": ["GET"], "headers": ["*"], "max_age_seconds": 60}}),
        ),
        ("cdn.distribution.main", distribution()),
        ("cdn.monitoring.main", json!({"distribution_id": "${cdn.distribution.main#id}"})),
        ("cdn.bucket.logs", json!({"name": "akidb-logs", "region": "us-east-1", "ownership": "BucketOwnerPreferred"})),
        (
            "cdn.bucket-policy.models",
            json!({"bucket": "${models.bucket.primary#name}", "region": "us-east-1", "policy": policy}),
        ),
    ]
}

fn routing() -> Vec<(&'static str, Value)> {
    let records = |sets: Value| json!({"zone_id": "${routing.zone.main#zone_id}", "sets": sets});
    let cdn = json!({"zone_id": "Z2FDTNDATAQYW2", "dns_name": "${cdn.distribution.main#domain_name}", "evaluate_target_health": false});
    let latency = |name: &str, region: &str| {
        json!({"name": "origin.akidb.com", "type": "A", "set_identifier": name, "latency_region": region, "alias": balancer(name),
            "health_check_id": "${routing.health-check.us#id}"})
    };
    let geo = |id: &str, place: Value, to: Value| json!({"name": "geo.akidb.com", "type": "A", "set_identifier": id, "geolocation": place, "alias": to});
    let fail = |role: &str, name: &str| json!({"name": "na.akidb.com", "type": "A", "set_identifier": role, "failover": role, "alias": balancer(name)});
    vec![
        ("routing.zone.main", json!({"name": "akidb.com", "comment": ""})),
        ("routing.zone.spare", json!({"name": "akidb.net", "comment": ""})),
        ("routing.load-balancer.us", json!({"region": "us-east-1", "name": "akidb-us"})),
        ("routing.load-balancer.eu", json!({"region": "eu-central-1", "name": "akidb-eu"})),
        (
            "routing.health-check.us",
            json!({"name": "us", "protocol": "HTTPS", "host": "origin-us.akidb.com", "port": 443,
            "path": "/health", "interval_seconds": 10, "failure_threshold": 3}),
        ),
        (
            "routing.records.api",
            records(json!([
            {"name": "api.akidb.com", "type": "A", "alias": cdn.clone()},
            {"name": "api.akidb.com", "type": "AAAA", "alias": cdn},
            {"name": "info.akidb.com", "type": "TXT", "ttl": 60, "values": ["\"x\""]}])),
        ),
        ("routing.records.latency", records(json!([latency("eu", "eu-central-1"), latency("us", "us-east-1")]))),
        (
            "routing.records.geo",
            records(json!([
                geo("eu", json!({"continent": "EU"}), balancer("eu")),
                geo("na", json!({"continent": "NA"}), alias_to("na.akidb.com")),
                geo("default", json!({"country": "*"}), alias_to("origin.akidb.com"))
            ])),
        ),
        ("routing.records.failover", records(json!([fail("PRIMARY", "us"), fail("SECONDARY", "eu")]))),
        (
            "routing.records.validation",
            records(json!([{"name": "${cdn.certificate.api#validation_name_1}", "type": "CNAME", "ttl": 60,
            "values": ["${cdn.certificate.api#validation_value_1}"]}])),
        ),
        (
            "routing.records.weighted",
            records(json!([{"name": "shift.akidb.com", "type": "A", "set_identifier": "a", "weight": 255,
            "ttl": 60, "values": ["192.0.2.1"]}])),
        ),
    ]
}
