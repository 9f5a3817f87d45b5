//! What the service fills in by itself is not a difference, and an update touches only what the plan states.

use crate::fake_world::{Process, World};
use akidb_edge_engine::resource::{Action, Address, Desired, Kind, Resource, link};
use serde_json::{Value, json};

fn at(text: &str) -> Address {
    text.parse().expect("an address")
}

const BUCKET: &str = "models.bucket.primary";
const ZONE: &str = "cdn.zone.main";
const DISTRIBUTION: &str = "cdn.distribution.main";
const NAMES: &str = "routing.records.main";

fn graph(comment: &str, tag: &str) -> Desired {
    let mut all = Desired::new("fake");
    let bucket = json!({"name": "models", "region": "eu-central-1", "versioning": true, "tags": {"of": tag}});
    all.add(Resource::new(at(BUCKET), Kind::Bucket, &bucket));
    all.add(Resource::new(at(ZONE), Kind::Zone, &json!({"name": "example.com", "comment": "c"})));
    let distribution = json!({
        "comment": comment, "enabled": true, "price_class": "PriceClass_100",
        "origins": [
            {"id": "api", "domain_name": "api.example.com", "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}},
            {"id": "s3", "domain_name": link(&at(BUCKET), "domain_name")},
        ],
        "default_behaviour": {
            "target": "s3", "viewer_protocol": "redirect-to-https", "methods": ["GET", "HEAD"], "compress": true, "functions": [],
        },
        "behaviours": [{
            "path": "/api/*", "target": "api", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"], "compress": false,
            "functions": [],
        }],
        "tags": {"of": "plan"},
    });
    all.add(Resource::new(at(DISTRIBUTION), Kind::Distribution, &distribution));
    let alias = json!({"zone_id": "Z2FDTNDATAQYW2", "dns_name": link(&at(DISTRIBUTION), "domain_name"), "evaluate_target_health": false});
    let names =
        json!({"zone_id": link(&at(ZONE), "id"), "sets": [{"name": "www.example.com", "type": "A", "alias": alias}]});
    all.add(Resource::new(at(NAMES), Kind::Records, &names));
    all
}

/// What CloudFront, S3 and Route 53 answer besides what was asked for.
fn fill_in(world: &World) {
    let behavior = json!({
        "min_ttl": 0, "default_ttl": 86_400, "max_ttl": 31_536_000, "smooth_streaming": false, "field_level_encryption_id": "",
        "trusted_signers": {"enabled": false, "quantity": 0}, "trusted_key_groups": {"enabled": false, "quantity": 0},
        "cached_methods": ["HEAD", "GET"], "grpc": {"enabled": false},
        "forwarded_values": {"query_string": false, "cookies": "none", "headers": []},
    });
    let origin = json!({
        "path": "", "connection_attempts": 3, "connection_timeout": 10, "custom_headers": [], "shield": {"enabled": false},
        "origin_access_id": "",
        "custom": {"read_timeout_seconds": 30, "keepalive_seconds": 5, "ssl_protocols": ["TLSv1.2"]},
    });
    world.defaults(
        Kind::Distribution,
        json!({
            "http_version": "http2", "ipv6": true, "aliases": [], "default_root_object": "", "web_acl_id": "", "staging": false,
            "certificate": {"cloudfront_default": true, "minimum_protocol": "TLSv1", "ssl_support_method": "vip"},
            "restrictions": {"geo": {"type": "none", "quantity": 0}}, "custom_error_responses": [], "origin_groups": [],
            "logging": {"enabled": false, "bucket": "", "prefix": "", "cookies": false},
            "continuous_deployment_policy_id": "", "anycast_ip_list_id": "",
            "origins": [origin], "default_behaviour": behavior, "behaviours": [behavior],
            "tags": {"aws:cloudformation:stack": "x", "cost-centre": "42"},
        }),
    );
    world.defaults(
        Kind::Bucket,
        json!({
            "encryption": "AES256", "block_public_access": true, "ownership": "BucketOwnerEnforced", "cors": [], "lifecycle": [],
            "request_payer": "BucketOwner", "acceleration": "Suspended", "object_lock": false, "tags": {"cost-centre": "42"},
        }),
    );
    world.defaults(
        Kind::Records,
        json!({"count": 3, "soa": {"ttl": 900}, "name_servers": ["ns-1.awsdns-01.org", "ns-2.awsdns-02.com"]}),
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_service_fills_in_is_no_difference() {
    let (directory, world) = (tempfile::TempDir::new().expect("a directory"), World::default());
    fill_in(&world);
    let process = Process::new(directory.path(), &world);
    process.run(&graph("first", "a")).await.complete("the first run");
    world.take_calls();
    let changes = process.run(&graph("first", "a")).await.complete("the second run");
    assert!(changes.is_empty(), "{:#?}", changes.acting().collect::<Vec<_>>());
    assert!(world.take_changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_update_sends_only_what_the_plan_manages() {
    let (directory, world) = (tempfile::TempDir::new().expect("a directory"), World::default());
    fill_in(&world);
    let process = Process::new(directory.path(), &world);
    process.run(&graph("first", "a")).await.complete("the first run");
    // Somebody sets what the plan leaves out.
    world.meddle(|things| {
        for thing in things.iter_mut().filter(|thing| thing.kind == Kind::Distribution) {
            thing.spec["web_acl_id"] = json!("theirs");
            thing.spec["origins"][1]["connection_attempts"] = json!(1);
        }
    });
    world.take_calls();
    let changes = process.run(&graph("second", "b")).await.complete("the second run");
    let acting: Vec<_> = changes.acting().map(|change| (change.address.as_str(), change.action)).collect();
    assert_eq!(acting, [(DISTRIBUTION, Action::Update), (BUCKET, Action::Update)]);
    let mut sent: Vec<_> =
        world.take_changes().into_iter().map(|call| (call.address.to_string(), call.fields)).collect();
    sent.sort();
    assert_eq!(
        sent,
        [(DISTRIBUTION.to_owned(), vec!["comment".to_owned()]), (BUCKET.to_owned(), vec!["tags.of".to_owned()])]
    );
    let spec = world.things().into_iter().find(|thing| thing.kind == Kind::Distribution).expect("it is there").spec;
    assert_eq!(spec["comment"], json!("second"));
    assert_eq!(spec["web_acl_id"], Value::from("theirs"));
    assert_eq!(spec["origins"][1]["connection_attempts"], Value::from(1));
}
