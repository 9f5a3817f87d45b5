//! The battery for zones, health checks, records, certificates and load balancers.

use std::sync::Arc;

use akidb_edge::provider::{DeleteOutcome, Progress, Provider, ResourceContext};
use akidb_edge::resource::{Address, Artifacts, Attributes, FaultClass, Kind, Level, Owner, token};
use aws_sdk_route53::types as r53;
use serde_json::{Value, json};
use testkit::battery::{BatteryCase, STACK, TestAccountWorld};
use testkit::local_aws;

async fn world() -> TestAccountWorld {
    TestAccountWorld::new(Artifacts::default()).await
}

fn case<'w>(world: &'w TestAccountWorld, kind: Kind, name: &str, spec: Value) -> BatteryCase<'w> {
    BatteryCase { world, kind, address: Address::new("routing", kind, name), spec }
}

fn route53(world: &TestAccountWorld) -> aws_sdk_route53::Client {
    aws_sdk_route53::Client::new(&world.sdk)
}

/// A zone that somebody else made.
async fn their_zone(world: &TestAccountWorld, name: &str, reference: &str) -> String {
    let call = route53(world).create_hosted_zone().name(name).caller_reference(reference);
    let zone = call.send().await.expect("create").hosted_zone.expect("a zone");
    zone.id.trim_start_matches("/hostedzone/").to_owned()
}

/// All sets of a zone but its own NS and SOA: name, type, identifier.
async fn standing(world: &TestAccountWorld, zone: &str) -> Vec<(String, String, String)> {
    let listed = route53(world).list_resource_record_sets().hosted_zone_id(zone).send().await.expect("list");
    let sets = listed.resource_record_sets.into_iter();
    let sets = sets.filter(|set| !matches!(set.r#type, r53::RrType::Ns | r53::RrType::Soa));
    let mut told: Vec<_> =
        sets.map(|set| (set.name, set.r#type.as_str().to_owned(), set.set_identifier.unwrap_or_default())).collect();
    told.sort();
    told
}

async fn put(world: &TestAccountWorld, zone: &str, action: r53::ChangeAction, name: &str, value: &str) {
    let record = r53::ResourceRecord::builder().value(value).build().expect("a record");
    let set = r53::ResourceRecordSet::builder().name(name).r#type(r53::RrType::A).ttl(60).resource_records(record);
    let change = r53::Change::builder().action(action).resource_record_set(set.build().expect("a set"));
    let batch = r53::ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
    let call = route53(world).change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    call.send().await.expect("change");
}

#[tokio::test]
async fn zone() {
    let world = world().await;
    let spec = json!({"name": "demo.example.com", "comment": "first", "tags": {"team": "edge"}});
    let changed = json!({"name": "demo.example.com", "comment": "second", "tags": {"team": "core"}});
    let case = case(&world, Kind::Zone, "demo", spec);
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn a_zone_without_tags_is_known_by_its_reference_and_completed() {
    let world = world().await;
    let case = case(&world, Kind::Zone, "demo", json!({"name": "demo.example.com", "comment": ""}));
    let reference = token(STACK, &case.address, 0);
    // Others of the same name, a private one and one that sorts before, do not matter.
    their_zone(&world, "demo.example.com", "theirs").await;
    their_zone(&world, "a.demo.example.com", "other").await;
    let id = their_zone(&world, "demo.example.com.", &reference).await;
    let found = case.read(None).await.expect("read").expect("found");
    assert_eq!((found.id.as_str(), &found.owner), (id.as_str(), &Owner::Ours));
    assert_eq!(found.attributes["name_servers"].as_array().map(Vec::len), Some(4));
    assert_eq!(case.create().await.expect("create").id, id);
    let tags =
        route53(&world).list_tags_for_resource().resource_type(r53::TagResourceType::Hostedzone).resource_id(&id);
    let tags = tags.send().await.expect("tags").resource_tag_set.expect("a set");
    assert_eq!(tags.tags().len(), 2);
}

#[tokio::test]
async fn a_zone_of_somebody_else_is_refused() {
    let world = world().await;
    their_zone(&world, "demo.example.com", "theirs").await;
    let case = case(&world, Kind::Zone, "demo", json!({"name": "demo.example.com", "comment": ""}));
    case.refuses_foreign().await;
}

#[tokio::test]
async fn a_zone_with_records_says_what_to_do() {
    let world = world().await;
    let case = case(&world, Kind::Zone, "demo", json!({"name": "demo.example.com", "comment": ""}));
    let made = case.create().await.expect("create");
    put(&world, &made.id, r53::ChangeAction::Create, "x.demo.example.com", "192.0.2.1").await;
    let fault = case.delete(&made.id).await.expect_err("not empty");
    assert!(fault.class == FaultClass::Refused && fault.code == "HostedZoneNotEmpty", "{fault}");
    assert!(fault.next_step.expect("a next step").contains(&made.id));
}

fn check(name: &str, host: &str, protocol: &str) -> Value {
    json!({"name": name, "protocol": protocol, "host": host, "port": 443, "path": "/health", "interval_seconds": 10,
        "failure_threshold": 3, "tags": {"team": "edge"}})
}

#[tokio::test]
async fn health_check() {
    let world = world().await;
    let mut changed = check("us two", "us2.example.com", "HTTPS");
    changed["failure_threshold"] = json!(2);
    changed["path"] = json!("/ready");
    case(&world, Kind::HealthCheck, "us", check("us one", "us.example.com", "HTTPS")).run(Some(changed)).await;
}

#[tokio::test]
async fn health_check_over_http() {
    let world = world().await;
    let changed = check("us renamed", "us.example.com", "HTTP");
    case(&world, Kind::HealthCheck, "us", check("us", "us.example.com", "HTTP")).run(Some(changed)).await;
}

fn certificate(names: &[&str]) -> Value {
    json!({"region": "us-east-1", "domain": "demo.example.com", "alternative_names": names, "tags": {"team": "edge"}})
}

#[tokio::test]
async fn certificates() {
    let world = world().await;
    let mut changed = certificate(&["*.demo.example.com", "api.demo.example.com"]);
    changed["tags"] = json!({"team": "core"});
    let case = case(&world, Kind::Certificate, "demo", certificate(&["*.demo.example.com", "api.demo.example.com"]));
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn a_certificate_tells_its_records_and_a_second_one_is_not_requested() {
    let world = world().await;
    let acm = aws_sdk_acm::Client::new(&world.sdk);
    acm.request_certificate().domain_name("demo.example.com").send().await.expect("somebody else's of the same name");
    let case = case(&world, Kind::Certificate, "demo", certificate(&["*.demo.example.com", "api.demo.example.com"]));
    assert_eq!(case.read(None).await.expect("read"), None, "another's of the same name does not matter");
    let made = case.create().await.expect("create");
    assert_eq!(case.create().await.expect("again"), made);
    let listed = acm.list_certificates().send().await.expect("list");
    assert_eq!(listed.certificate_summary_list().len(), 2, "theirs and ours");
    let known = case.settle(&made.id, Level::Usable).await;
    // The wildcard is proved by the same record as the name below it.
    assert_eq!(known["validation"].as_array().map(Vec::len), Some(2), "{known:#?}");
    assert_eq!(known["validation_name_0"], "_acme-challenge.demo.example.com");
    assert_eq!(known["validation_name_1"], "_acme-challenge.demo.example.com");
    assert_eq!(known["validation_name_2"], "_acme-challenge.api.demo.example.com");
    case.settle(&made.id, Level::Propagated).await;
}

#[tokio::test]
async fn a_replacement_is_a_certificate_of_its_own() {
    let world = world().await;
    let old = case(&world, Kind::Certificate, "demo", certificate(&[])).create().await.expect("create");
    let next = case(&world, Kind::Certificate, "demo", certificate(&["api.demo.example.com"]));
    let found = next.read(None).await.expect("read").expect("the old one is found");
    assert_eq!(found.id, old.id);
    let new = next.create().await.expect("create");
    assert_ne!(new.id, old.id);
    assert_eq!(next.read(None).await.expect("read").expect("found").id, new.id, "the fitting one of the two");
}

#[tokio::test]
async fn load_balancers() {
    let world = TestAccountWorld::in_account(local_aws::seeded_account(), Artifacts::default()).await;
    let spec = json!({"region": "eu-central-1", "name": "akidb-rest-eu-central-1"});
    let by_name = case(&world, Kind::LoadBalancer, "eu", spec);
    let named = by_name.read(None).await.expect("read").expect("found by name");
    let spec = json!({"region": "eu-central-1", "tags": {"akidb:role": "rest"}});
    let by_tags = case(&world, Kind::LoadBalancer, "eu", spec.clone());
    let tagged = by_tags.read(None).await.expect("read").expect("found by tags");
    assert_eq!(named.attributes, tagged.attributes);
    assert_eq!((tagged.spec, tagged.owner), (spec, Owner::Ours));
    for key in ["arn", "dns_name", "zone_id", "name"] {
        assert!(!named.attributes[key].as_str().expect("text").is_empty(), "{key}");
    }
    let spec = json!({"region": "eu-central-1", "name": "none-of-this-name"});
    assert_eq!(case(&world, Kind::LoadBalancer, "eu", spec).read(None).await.expect("read"), None);
    let spec = json!({"region": "eu-central-1", "tags": {"akidb:role": "other"}});
    assert_eq!(case(&world, Kind::LoadBalancer, "eu", spec).read(None).await.expect("read"), None);
    assert_eq!(by_name.create().await.expect_err("never made").class, FaultClass::Refused);
    assert_eq!(by_name.delete(&named.id).await.expect_err("never made").class, FaultClass::Refused);
}

#[tokio::test]
async fn several_load_balancers_with_the_same_tags_are_named() {
    let world = TestAccountWorld::in_account(local_aws::seeded_account(), Artifacts::default()).await;
    let region = aws_sdk_elasticloadbalancingv2::config::Region::new("eu-central-1");
    let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(&world.sdk).region(region).build();
    let elb = aws_sdk_elasticloadbalancingv2::Client::from_conf(config);
    let tag = aws_sdk_elasticloadbalancingv2::types::Tag::builder().key("akidb:role").value("rest").build();
    let seeded = elb.describe_load_balancers().send().await.expect("describe");
    let subnets = seeded.load_balancers()[0].availability_zones().iter().filter_map(|zone| zone.subnet_id.clone());
    let call = elb.create_load_balancer().name("another").tags(tag).set_subnets(Some(subnets.collect()));
    call.send().await.expect("create");
    let spec = json!({"region": "eu-central-1", "tags": {"akidb:role": "rest"}});
    let fault = case(&world, Kind::LoadBalancer, "eu", spec).read(None).await.expect_err("two fit");
    assert_eq!(fault.class, FaultClass::Refused);
    assert!(fault.message.contains("another") && fault.message.contains("akidb-rest-eu-central-1"), "{fault}");
}

fn alias(name: &str, record_type: &str, target: &str, more: &Value) -> Value {
    let mut set = json!({"name": name, "type": record_type,
        "alias": {"zone_id": "Z2FDTNDATAQYW2", "dns_name": target, "evaluate_target_health": false}});
    for (key, value) in more.as_object().into_iter().flatten() {
        set[key] = value.clone();
    }
    set
}

fn geo(name: &str, id: &str, place: &Value) -> Value {
    alias(name, "A", &format!("{id}.elb.example.net"), &json!({"set_identifier": id, "geolocation": place}))
}

fn latency(name: &str, region: &str) -> Value {
    let more = json!({"set_identifier": region, "latency_region": region});
    alias(name, "A", &format!("{region}.elb.example.net"), &more)
}

/// Four geolocation sets, as in week 13.
fn four(name: &str) -> Value {
    json!([
        geo(name, "asia", &json!({"continent": "AS"})),
        geo(name, "default", &json!({"country": "*"})),
        geo(name, "europe", &json!({"continent": "EU"})),
        geo(name, "north-america", &json!({"continent": "NA"})),
    ])
}

/// The same name behind CloudFront.
fn front(name: &str) -> Value {
    let target = "d111.cloudfront.net";
    json!([alias(name, "A", target, &json!({})), alias(name, "AAAA", target, &json!({}))])
}

#[tokio::test]
async fn records() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let plain = json!({"name": "*.demo.example.com", "type": "A", "ttl": 60, "values": ["192.0.2.1", "192.0.2.2"]});
    let txt =
        json!({"name": "txt.demo.example.com", "type": "TXT", "ttl": 300, "values": ["\"one\"", "\"two words\""]});
    let mut sets = vec![plain.clone()];
    sets.extend(four("api.demo.example.com").as_array().cloned().expect("a list"));
    sets.extend([latency("near.demo.example.com", "eu-central-1"), latency("near.demo.example.com", "us-east-1")]);
    sets.push(txt.clone());
    let mut other = sets.clone();
    other[0]["ttl"] = json!(30);
    other[6]["alias"]["evaluate_target_health"] = json!(true);
    let spec = json!({"zone_id": zone, "sets": sets});
    let changed = json!({"zone_id": zone, "sets": other});
    case(&world, Kind::Records, "all", spec).run(Some(changed)).await;
    assert_eq!(standing(&world, &zone).await, []);
}

#[tokio::test]
async fn records_of_somebody_else_are_refused_and_named() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    put(&world, &zone, r53::ChangeAction::Create, "api.demo.example.com", "192.0.2.1").await;
    let case = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": front("api.demo.example.com")}));
    case.refuses_foreign().await;
    let fault = case.create().await.expect_err("refused");
    assert!(fault.message.contains("api.demo.example.com A"), "{fault}");
    assert!(fault.next_step.is_some());
}

#[tokio::test]
async fn two_groups_of_one_zone_do_not_see_each_other() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let one = case(&world, Kind::Records, "one", json!({"zone_id": zone, "sets": front("one.demo.example.com")}));
    let spec = json!({"zone_id": format!("/hostedzone/{zone}"), "sets": front("two.demo.example.com")});
    let two = case(&world, Kind::Records, "two", spec.clone());
    one.create().await.expect("create");
    assert_eq!(two.read(None).await.expect("read"), None);
    let made = two.create().await.expect("create");
    assert_eq!(made.id, format!("{zone}/two"));
    let found = two.read(Some(&made.id)).await.expect("read").expect("found");
    assert_eq!((found.spec, found.attributes), (spec, made.attributes));
    assert_eq!(two.delete(&made.id).await.expect("delete"), DeleteOutcome::Deleted);
    assert_eq!(standing(&world, &zone).await.len(), 2, "those of the first group stay");
}

#[tokio::test]
async fn the_cutover_and_back_each_in_one_batch() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let name = "api.demo.example.com";
    let before = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": four(name)}));
    let after = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": front(name)}));
    let made = before.create().await.expect("create");
    assert_eq!(standing(&world, &zone).await.len(), 4);
    move_to(&before, &after, &made.id).await;
    let dotted = format!("{name}.");
    let expected = |kind: &str| (dotted.clone(), kind.to_owned(), String::new());
    assert_eq!(standing(&world, &zone).await, [expected("A"), expected("AAAA")]);
    move_to(&after, &before, &made.id).await;
    let ids: Vec<String> = standing(&world, &zone).await.into_iter().map(|(_, _, id)| id).collect();
    assert_eq!(ids, ["asia", "default", "europe", "north-america"]);
}

/// Updates, then does it again as after a lost answer.
async fn move_to(from: &BatteryCase<'_>, to: &BatteryCase<'_>, id: &str) {
    let found = from.read(Some(id)).await.expect("read").expect("found");
    let fields = akidb_edge::change::compare(Kind::Records, &to.spec, Some(&from.spec), &found.spec);
    assert_eq!(fields.len(), 1);
    let made = from.update(&to.spec, &found, &fields).await.expect("update");
    assert_eq!(from.update(&to.spec, &found, &fields).await.expect("update again"), made);
    assert_eq!(to.read(Some(id)).await.expect("read").expect("found").spec, to.spec);
}

#[tokio::test]
async fn an_update_of_what_somebody_changed_meanwhile_is_stale() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let name = "api.demo.example.com";
    let plain = json!([{"name": name, "type": "A", "ttl": 60, "values": ["192.0.2.1"]}]);
    let before = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": plain}));
    let made = before.create().await.expect("create");
    let found = before.read(Some(&made.id)).await.expect("read").expect("found");
    put(&world, &zone, r53::ChangeAction::Upsert, name, "192.0.2.9").await;
    let to = json!({"zone_id": zone, "sets": front(name)});
    let fields = akidb_edge::change::compare(Kind::Records, &to, Some(&before.spec), &found.spec);
    let fault = before.update(&to, &found, &fields).await.expect_err("not what was read");
    assert_eq!(fault.class, FaultClass::Stale, "{fault}");
    assert_eq!(standing(&world, &zone).await.len(), 1, "nothing was changed");
}

/// One provider for many calls, as the engine uses it.
struct Session<'w> {
    provider: Arc<dyn Provider>,
    case: &'w BatteryCase<'w>,
    token: String,
}

impl Session<'_> {
    fn subject<'s>(&'s self, id: Option<&'s str>, attributes: &'s Attributes) -> ResourceContext<'s> {
        let (address, spec) = (&self.case.address, &self.case.spec);
        ResourceContext {
            stack: STACK,
            address,
            token: &self.token,
            spec,
            id,
            attributes,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        }
    }
}

#[tokio::test]
async fn a_change_is_propagated_when_it_is_in_sync_and_names_are_owned_until_they_go() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let case = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": front("api.demo.example.com")}));
    let session =
        Session { provider: world.provider(Kind::Records), case: &case, token: token(STACK, &case.address, 0) };
    let none = Attributes::new();
    assert_eq!(session.provider.read(&session.subject(None, &none)).await.expect("read"), None);
    let made = session.provider.create(&session.subject(None, &none)).await.expect("create");
    let subject = session.subject(Some(&made.id), &made.attributes);
    let first = session.provider.settled(&subject, Level::Propagated).await.expect("settled");
    assert!(matches!(first, Progress::NotYet(ref word, _) if word == "PENDING"), "{first:?}");
    let second = session.provider.settled(&subject, Level::Propagated).await.expect("settled");
    assert_eq!(second, Progress::Ready(Attributes::new()));
    // A read right after a change is never an old list.
    let found = session.provider.read(&subject).await.expect("read").expect("found");
    assert_eq!((&found.spec, &found.attributes), (&case.spec, &made.attributes));
    // A set that was written before is seen, and goes with the others; what others put beside it stays.
    put(&world, &zone, r53::ChangeAction::Create, "old.demo.example.com", "192.0.2.1").await;
    put(&world, &zone, r53::ChangeAction::Create, "other.demo.example.com", "192.0.2.1").await;
    put_text(&world, &zone, "old.demo.example.com").await;
    let sets = ["api.demo.example.com A", "api.demo.example.com AAAA", "old.demo.example.com A"];
    let before = Attributes::from([("sets".into(), json!(sets))]);
    let fresh = Session { provider: world.provider(Kind::Records), ..session };
    let subject = fresh.subject(Some(&made.id), &before);
    let found = fresh.provider.read(&subject).await.expect("read").expect("found");
    assert_eq!(found.owner, Owner::Ours);
    assert_eq!(found.spec["sets"].as_array().map(Vec::len), Some(3));
    assert_eq!(found.attributes["sets"], json!(sets));
    let beside: Vec<_> = found.extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
    assert_eq!(beside, [("sets.old.demo.example.com TXT", true)]);
    assert_eq!(fresh.provider.delete(&subject).await.expect("delete"), DeleteOutcome::Deleted);
    let left: Vec<String> = standing(&world, &zone).await.into_iter().map(|(name, kind, _)| name + &kind).collect();
    assert_eq!(left, ["old.demo.example.com.TXT", "other.demo.example.com.A"]);
}

/// A text that somebody else put at a name.
async fn put_text(world: &TestAccountWorld, zone: &str, name: &str) {
    let record = r53::ResourceRecord::builder().value("\"theirs\"").build().expect("a record");
    let set = r53::ResourceRecordSet::builder().name(name).r#type(r53::RrType::Txt).ttl(60).resource_records(record);
    let change = r53::Change::builder().action(r53::ChangeAction::Create);
    let change = change.resource_record_set(set.build().expect("a set")).build().expect("a change");
    let batch = r53::ChangeBatch::builder().changes(change).build().expect("a batch");
    let call = route53(world).change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    call.send().await.expect("change");
}

#[tokio::test]
async fn what_an_older_journal_asked_for_is_owned_and_nothing_else() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let plain = |value: &str| {
        let set = json!({"name": "a.demo.example.com", "type": "A", "ttl": 60, "values": [value]});
        json!({"zone_id": zone, "sets": [set]})
    };
    let before = plain("192.0.2.1");
    let case = case(&world, Kind::Records, "api", plain("192.0.2.2"));
    put(&world, &zone, r53::ChangeAction::Create, "a.demo.example.com", "192.0.2.1").await;
    let provider = world.provider(Kind::Records);
    let session = Session { provider: Arc::clone(&provider), case: &case, token: token(STACK, &case.address, 0) };
    let (names, id) = (Attributes::from([("names".into(), json!(["a.demo.example.com"]))]), format!("{zone}/api"));
    let known = ResourceContext { before: Some(&before), ..session.subject(Some(&id), &names) };
    assert_eq!(provider.read(&known).await.expect("read").expect("found").owner, Owner::Ours);
    // A group that no plan wants any more is read by what was asked for.
    let going = session.subject(Some(&id), &names);
    assert_eq!(provider.read(&going).await.expect("read").expect("found").owner, Owner::Ours);
    // Nobody ever asked for it: it stands otherwise than wanted and is not ours.
    let none = Attributes::new();
    let unknown = session.subject(Some(&id), &none);
    let found = provider.read(&unknown).await.expect("read").expect("found");
    assert!(matches!(&found.owner, Owner::Contested(why) if why.contains("a.demo.example.com A")), "{:?}", found.owner);
}

#[tokio::test]
async fn sets_of_others_that_make_ours_impossible_are_named() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    put_text(&world, &zone, "a.demo.example.com").await;
    let cname = json!({"name": "a.demo.example.com", "type": "CNAME", "ttl": 60, "values": ["b.example.com"]});
    let alone = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": [cname]}));
    let found = alone.read(None).await.expect("read").expect("found");
    let Owner::Foreign(why) = &found.owner else { panic!("{:?}", found.owner) };
    assert!(why.contains("a.demo.example.com TXT (a CNAME is the only set at its name)"), "{why}");
    // Taken up on purpose: still nothing of others goes.
    let fields = akidb_edge::change::compare(Kind::Records, &alone.spec, None, &found.spec);
    assert_eq!(alone.update(&alone.spec, &found, &fields).await.expect_err("refused").class, FaultClass::Exists);
    assert_eq!(standing(&world, &zone).await.len(), 1);
    put(&world, &zone, r53::ChangeAction::Create, "api.demo.example.com", "192.0.2.1").await;
    let spec = json!({"zone_id": zone, "sets": four("api.demo.example.com")});
    let routed = case(&world, Kind::Records, "api", spec).read(None).await.expect("read").expect("found");
    let Owner::Foreign(why) = &routed.owner else { panic!("{:?}", routed.owner) };
    assert!(why.contains("api.demo.example.com A (a name has no simple set next to routed ones)"), "{why}");
}

#[tokio::test]
async fn the_groups_of_one_zone_share_one_list() {
    let world = world().await;
    let zone = their_zone(&world, "demo.example.com", "z").await;
    let case = case(&world, Kind::Records, "api", json!({"zone_id": zone, "sets": front("api.demo.example.com")}));
    let session =
        Session { provider: world.provider(Kind::Records), case: &case, token: token(STACK, &case.address, 0) };
    let none = Attributes::new();
    assert_eq!(session.provider.read(&session.subject(None, &none)).await.expect("read"), None);
    put(&world, &zone, r53::ChangeAction::Create, "api.demo.example.com", "192.0.2.1").await;
    // Within the same moment it is not listed again.
    assert_eq!(session.provider.read(&session.subject(None, &none)).await.expect("read"), None);
    let elsewhere = world.provider(Kind::Records).read(&session.subject(None, &none)).await.expect("read");
    assert!(matches!(elsewhere.expect("found").owner, Owner::Foreign(_)));
}
