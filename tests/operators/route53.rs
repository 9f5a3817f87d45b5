//! Record sets, zones, health checks and certificates in daily use.

use aws_sdk_route53::types as dns;

use crate::stack::Stack;
use crate::support::proxy::wait;

/// One plan of a zone with records (YAML below `records:`, indented by eight).
fn records(stack: &Stack, name: &str, groups: &str) -> std::path::PathBuf {
    let head =
        "  - title: z\n    id: z\n    kind: routing\n    with:\n      zone: {name: example.net}\n      records:\n";
    stack.plan(name, &format!("{head}{groups}"))
}

fn route53(stack: &Stack) -> aws_sdk_route53::Client {
    aws_sdk_route53::Client::new(&stack.sdk)
}

fn zones(stack: &Stack) -> Vec<String> {
    wait(route53(stack).list_hosted_zones().send()).expect("zones").hosted_zones.into_iter().map(|z| z.id).collect()
}

/// All sets of the only zone but its NS and SOA, as `name TYPE value …`.
fn standing(stack: &Stack) -> Vec<String> {
    let zone = &zones(stack)[0];
    let (mut sets, mut name, mut kind) = (Vec::new(), None, None);
    loop {
        let call = route53(stack).list_resource_record_sets().hosted_zone_id(zone);
        let page = wait(call.set_start_record_name(name).set_start_record_type(kind).send()).expect("sets");
        sets.extend(page.resource_record_sets);
        if !page.is_truncated {
            break;
        }
        (name, kind) = (page.next_record_name, page.next_record_type);
    }
    let own = |set: &&dns::ResourceRecordSet| !matches!(set.r#type, dns::RrType::Soa | dns::RrType::Ns);
    let told = |set: &dns::ResourceRecordSet| {
        let values: Vec<&str> = set.resource_records().iter().map(|record| record.value.as_str()).collect();
        format!("{} {} {}", set.name, set.r#type.as_str(), values.join(" "))
    };
    let mut all: Vec<String> = sets.iter().filter(own).map(told).collect();
    all.sort();
    all
}

/// What somebody does by hand.
fn by_hand(stack: &Stack, action: dns::ChangeAction, name: &str, kind: dns::RrType, value: &str) {
    let record = dns::ResourceRecord::builder().value(value).build().expect("a record");
    let set = dns::ResourceRecordSet::builder().name(name).r#type(kind).ttl(60).resource_records(record);
    let change = dns::Change::builder().action(action).resource_record_set(set.build().expect("a set"));
    let batch = dns::ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
    let call = route53(stack).change_resource_record_sets().hosted_zone_id(&zones(stack)[0]).change_batch(batch);
    wait(call.send()).expect("a change");
}

#[test]
fn records_that_others_put_at_an_owned_name_stay() {
    let stack = Stack::new();
    let web = "        web:\n        - {name: '@', type: A, ttl: 60, values: [192.0.2.1]}\n";
    let www = "        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    let both = records(&stack, "own.yaml", &format!("{web}{www}"));
    stack.deploy(&both).exits(0);
    let add = |kind, value: &str| by_hand(&stack, dns::ChangeAction::Create, "example.net", kind, value);
    add(dns::RrType::Mx, "10 mail.example.org.");
    add(dns::RrType::Txt, "\"v=spf1 -all\"");
    let theirs = ["example.net. MX 10 mail.example.org.", "example.net. TXT \"v=spf1 -all\""];
    let all = ["example.net. A 192.0.2.1", theirs[0], theirs[1], "www.example.net. A 192.0.2.1"];

    let again = stack.deploy(&both).exits(0);
    assert!(again.stdout.contains("no changes") || again.stderr.contains("no changes"), "{again:?}");
    assert_eq!(standing(&stack), all);
    // A change of the group and a set that leaves it touch nothing but what it wrote.
    let changed = records(&stack, "own.yaml", &web.replace("192.0.2.1", "192.0.2.9"));
    stack.deploy(&changed).exits(0);
    assert_eq!(standing(&stack), ["example.net. A 192.0.2.9", theirs[0], theirs[1]]);
    // The zone holds records of others, so it stays with them.
    let destroyed = stack.run(&["destroy", "--stack", &stack.name(), "--yes"]);
    assert_ne!(destroyed.code, 0, "{destroyed:?}");
    assert_eq!(standing(&stack), theirs);
}

#[test]
fn a_record_of_others_under_a_wanted_key_is_named_and_stays() {
    let stack = Stack::new();
    let web = "        web:\n        - {name: '@', type: A, ttl: 60, values: [192.0.2.1]}\n";
    stack.deploy(&records(&stack, "own.yaml", web)).exits(0);
    by_hand(&stack, dns::ChangeAction::Create, "www.example.net", dns::RrType::A, "203.0.113.9");
    let www = "        - {name: www, type: A, ttl: 60, values: [192.0.2.1]}\n";
    let refused = stack.deploy(&records(&stack, "own.yaml", &format!("{web}{www}"))).exits(3);
    assert!(refused.stderr.contains("www.example.net A"), "{}", refused.stderr);
    assert!(standing(&stack).contains(&"www.example.net. A 203.0.113.9".to_owned()));
    // What stands exactly as wanted is taken up without a word, and is owned from then on.
    by_hand(&stack, dns::ChangeAction::Upsert, "www.example.net", dns::RrType::A, "192.0.2.1");
    stack.deploy(&records(&stack, "own.yaml", &format!("{web}{www}"))).exits(0);
    stack.deploy(&records(&stack, "own.yaml", web)).exits(0);
    assert_eq!(standing(&stack), ["example.net. A 192.0.2.1"]);
}
