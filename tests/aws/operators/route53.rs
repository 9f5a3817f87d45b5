//! Record sets, zones, health checks and certificates in daily use.

use aws_sdk_route53::types as dns;

use crate::operators::stack::Stack;
use testkit::cli::CommandOutput;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

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
    let refused = stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(3);
    assert!(refused.stderr.contains("example.net MX, example.net TXT"), "{}", refused.stderr);
    assert_eq!(standing(&stack), ["example.net. A 192.0.2.9", theirs[0], theirs[1]], "nothing was deleted");
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
    // What stands exactly as wanted is taken up without a word; it existed before, so it stays when the plan gives it up.
    by_hand(&stack, dns::ChangeAction::Upsert, "www.example.net", dns::RrType::A, "192.0.2.1");
    stack.deploy(&records(&stack, "own.yaml", &format!("{web}{www}"))).exits(0);
    stack.deploy(&records(&stack, "own.yaml", web)).exits(0);
    assert_eq!(standing(&stack), ["example.net. A 192.0.2.1", "www.example.net. A 192.0.2.1"]);
}

/// Names in an answer of Route 53 as the service writes them: lower case, and `\NNN` for every byte that is not a letter,
/// a digit, a dash or an underscore (R53 "DNS domain name format").
fn as_route53_writes(body: &str) -> String {
    let mut written = String::new();
    let mut rest = body;
    while let Some(at) = rest.find("Name>") {
        let (head, tail) = rest.split_at(at + "Name>".len());
        written.push_str(head);
        rest = tail;
        let opened = head.rsplit_once('<').is_some_and(|(_, tag)| !tag.starts_with('/'));
        if let Some((name, after)) = rest.split_once('<').filter(|_| opened) {
            written.push_str(&escaped(name));
            rest = &rest[rest.len() - after.len() - 1..];
        }
    }
    written + rest
}

fn escaped(name: &str) -> String {
    let bytes = name.as_bytes();
    let (mut escaped, mut at) = (String::new(), 0);
    while at < bytes.len() {
        let octal = name.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (byte, literal) = match octal.filter(|_| bytes[at] == b'\\') {
            Some(byte) => (byte.to_ascii_lowercase(), false),
            None => (bytes[at].to_ascii_lowercase(), true),
        };
        at += if literal { 1 } else { 4 };
        match byte {
            b'.' if literal => escaped.push('.'),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\{byte:03o}")),
        }
    }
    escaped
}

/// A proxy behind which names come as Route 53 writes them.
fn escaping() -> FaultProxy {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.on(|call| call.service == "route53", CallSelector::Each, ProxyAction::Rewrite(as_route53_writes));
    proxy
}

#[test]
fn other_spellings_of_the_same_records_are_no_change() {
    let stack = Stack::new();
    let proxy = escaping();
    let run = |words: &[&str]| stack.run_at(proxy.url(), words);
    let names = ["0/25", "a b", "a$b", "(x)", "b\u{fc}cher", "_ok", "'*'", "a\\056b"]
        .map(|name| format!("        - {{name: {name}, type: A, ttl: 60, values: [192.0.2.1]}}\n"));
    let others = "        - {name: WWW.Example.NET., type: a, ttl: 60, values: [192.0.2.2, 192.0.2.1]}
        - {name: six, type: AAAA, ttl: 60, values: ['2001:DB8:0:0:0:0:0:1']}
        - {name: '@', type: MX, ttl: 60, values: ['10 Mail.Example.ORG.']}
        - {name: '@', type: TXT, ttl: 60, values: ['v=spf1 -all', 'say \"so\"']}
        - {name: '@', type: CAA, ttl: 60, values: ['0 Issue \"letsencrypt.org\"']}
        - {name: sub, type: NS, ttl: 60, values: [NS1.Example.org.]}
        - {name: there, type: A, same_zone: WWW}\n";
    let plan = records(&stack, "names.yaml", &format!("        g:\n{}{others}", names.concat()));
    let plan = plan.to_string_lossy().into_owned();
    run(&["deploy", "--plan", &plan, "--yes"]).exits(0);
    let all = standing(&stack);
    for set in [
        "0/25.example.net. A 192.0.2.1",
        "a\\040b.example.net. A 192.0.2.1",
        "b\\303\\274cher.example.net. A 192.0.2.1",
        "a\\056b.example.net. A 192.0.2.1",
        "www.example.net. A 192.0.2.1 192.0.2.2",
        "six.example.net. AAAA 2001:db8::1",
        "example.net. TXT \"say \\\"so\\\"\" \"v=spf1 -all\"",
    ] {
        assert!(all.iter().any(|one| one == set), "{set} in {all:#?}");
    }
    proxy.take_calls();
    run(&["deploy", "--plan", &plan, "--yes"]).exits(0);
    run(&["status", "--plan", &plan, "--drift"]).exits(0);
    assert!(proxy.take_mutating().is_empty(), "the second run changes nothing");
    // What the service answers can be deleted and changed.
    let fewer = records(&stack, "names.yaml", &format!("        g:\n{}", names[..3].concat().replace("2.1]", "2.7]")));
    run(&["deploy", "--plan", &fewer.to_string_lossy(), "--yes"]).exits(0);
    assert_eq!(standing(&stack).len(), 3);
    run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
    assert!(zones(&stack).is_empty());
}

#[test]
fn a_certificate_with_its_own_domain_among_the_further_names_converges() {
    let stack = Stack::new();
    let steps = |names: &str| {
        format!(
            "  - title: z\n    id: z\n    kind: routing\n    with:\n      zone: {{name: Example.NET.}}\n  - title: ce\n    id: ce\n    kind: certificates\n    with:\n      certificates:\n        c:\n          region: us-east-1\n          domain: Example.net\n          alternative_names: [{names}]\n"
        )
    };
    let acm = aws_sdk_acm::Client::new(&stack.sdk);
    let arns = || {
        let listed = wait(acm.list_certificates().send()).expect("certificates").certificate_summary_list;
        listed.into_iter().flatten().filter_map(|one| one.certificate_arn).collect::<Vec<_>>()
    };
    stack.deploy(&stack.plan("own.yaml", &steps("example.net, www.example.net, api.example.net"))).exits(0);
    let first = arns();
    assert_eq!(first.len(), 1);
    // Order and case make no difference either.
    for names in ["example.net, www.example.net, api.example.net", "API.example.net., WWW.example.net"] {
        let again = stack.deploy(&stack.plan("own.yaml", &steps(names))).exits(0);
        assert!(again.all().contains("no changes"), "{}", again.all());
    }
    assert_eq!(arns(), first);
}

/// 1,100 names of one group with this address.
fn many(stack: &Stack, name: &str, address: &str) -> String {
    let record = |at: usize| format!("        - {{name: h{at}, type: A, ttl: 60, values: [{address}]}}\n");
    let all: String = (0..1_100).map(record).collect();
    records(stack, name, &format!("        g:\n{all}")).to_string_lossy().into_owned()
}

#[test]
fn a_group_that_is_larger_than_a_batch_is_divided_and_goes_on_after_a_failure() {
    let stack = Stack::new();
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let changes = |call: &ProxyCall| call.operation == "ChangeResourceRecordSets";
    let run = |words: &[&str]| stack.run_at(proxy.url(), words);
    let first = many(&stack, "many.yaml", "192.0.2.1");
    // The second batch is refused: what the first one made stays, and the next run makes the rest.
    proxy.on(changes, CallSelector::Nth(2), ProxyAction::Answer(403, ACCESS_DENIED.to_owned()));
    let refused = run(&["deploy", "--plan", &first, "--yes"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(standing(&stack).len(), 1_000);
    proxy.reset();
    run(&["deploy", "--plan", &first, "--yes"]).exits(0);
    assert_eq!(standing(&stack).len(), 1_100);
    assert_eq!(proxy.take_mutating().iter().filter(|call| changes(call)).count(), 1);
    run(&["deploy", "--plan", &first, "--yes"]).exits(0);
    assert!(proxy.take_mutating().is_empty());
    // A changed set counts twice.
    let second = many(&stack, "many.yaml", "192.0.2.2");
    run(&["deploy", "--plan", &second, "--yes"]).exits(0);
    assert!(standing(&stack).iter().all(|set| set.ends_with(" 192.0.2.2")));
    assert_eq!(proxy.take_mutating().iter().filter(|call| changes(call)).count(), 3);
    run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
    assert_eq!(proxy.take_mutating().iter().filter(|call| changes(call)).count(), 2);
}

const ACCESS_DENIED: &str = "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
    <Code>AccessDenied</Code><Message>not now</Message></Error><RequestId>r</RequestId></ErrorResponse>";

/// What `validate` says of these groups; no call is made.
fn said(groups: &str) -> String {
    let stack = Stack::new();
    let plan = records(&stack, "wrong.yaml", groups);
    stack.run_at("http://127.0.0.1:9", &["validate", "plan", &plan.to_string_lossy()]).exits(3).stdout
}

#[test]
fn mistakes_are_told_offline_with_the_record_and_its_line() {
    // The records stand from line 15 on, and are not sorted.
    for (rule, record, told) in [
        ("R5014-outside-zone", "{name: www.other.org., type: A, ttl: 60, values: [192.0.2.1]}", "www.other.org A"),
        ("R5501-alias-to-nothing", "{name: a, type: A, same_zone: nothing}", "a.example.net A"),
        ("R5502-alias-type", "{name: a, type: AAAA, same_zone: zz}", "a.example.net AAAA"),
        ("R5503-alias-loop", "{name: a, type: A, same_zone: a}", "a.example.net A"),
        ("R5202-cname-at-apex", "{name: '@', type: CNAME, ttl: 60, values: [b.example.org]}", "example.net CNAME"),
        ("R5103-text-values", "{name: a, type: TXT, ttl: 60, values: ['\"open']}", "a.example.net TXT"),
        ("R5601-service-values", "{name: a, type: SRV, ttl: 60, values: [10 host]}", "a.example.net SRV"),
        (
            "R5003-place",
            "{name: a, type: A, ttl: 60, values: [192.0.2.1], set_identifier: x, geolocation: {country: XX}}",
            "a.example.net A",
        ),
        ("R5015-name-form", "{name: '', type: A, ttl: 60, values: [192.0.2.1]}", ".example.net A"),
    ] {
        let zz = "        - {name: zz, type: A, ttl: 60, values: [192.0.2.1]}\n";
        let text = said(&format!("        g:\n{zz}        - {record}\n"));
        assert!(text.contains(rule) && text.contains(told), "{rule} {told}\n{text}");
        assert!(text.contains("wrong.yaml:16:"), "{rule} has the record's line\n{text}");
    }
}

#[test]
fn weighted_sets_of_one_name_have_one_ttl() {
    let set = |id: &str, ttl: u32| {
        format!("        - {{name: app, type: A, ttl: {ttl}, values: [192.0.2.1], set_identifier: {id}, weight: 1}}\n")
    };
    let text = said(&format!("        g:\n{}{}", set("live", 60), set("canary", 300)));
    assert!(text.contains("R5212-one-ttl") && text.contains("app.example.net A"), "{text}");
}

#[test]
fn records_are_grouped_as_the_user_likes_and_answer_together() {
    let stack = Stack::new();
    let groups = "        web:
        - {name: www, type: A, ttl: 60, values: [192.0.2.1], set_identifier: a, multivalue: true}
        - {name: www, type: A, ttl: 60, values: [192.0.2.2], set_identifier: b, multivalue: true}
        alias:
        - {name: '@', type: A, same_zone: www}
        proofs:
        - {name: www, type: TXT, ttl: 60, values: [a proof]}\n";
    let plan = records(&stack, "groups.yaml", groups);
    stack.deploy(&plan).exits(0);
    let again = stack.deploy(&plan).exits(0);
    assert!(again.all().contains("no changes"), "{}", again.all());
    let all = standing(&stack);
    assert_eq!(all.len(), 4, "{all:?}");
    // One group goes, the other one stays whole.
    stack.deploy(&records(&stack, "groups.yaml", &groups[..groups.find("        proofs").expect("there")])).exits(0);
    assert_eq!(standing(&stack).len(), 3);
    stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
}

const ZONE_AND_CERTIFICATE: &str = "  - title: z
    id: z
    kind: routing
    with:
      zone: {name: example.net}
  - title: ce
    id: ce
    kind: certificates
    with:
      certificates:
        c: {region: us-east-1, domain: example.net, alternative_names: [www.example.net]}\n";

/// Deploys it until everything is everywhere, with certificates that the proxy says otherwise of.
fn deploy_until_issued(stack: &Stack, proxy: &FaultProxy, plan: &std::path::Path) -> CommandOutput {
    let plan = plan.to_string_lossy();
    stack.run_at(
        proxy.url(),
        &["deploy", "--plan", &plan, "--yes", "--wait", "propagated", "--certificate-timeout", "0"],
    )
}

#[test]
fn name_servers_are_told_before_the_wait_and_the_wait_ends_with_its_reason() {
    let stack = Stack::new();
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let pending = |body: &str| {
        ["ISSUED", "SUCCESS"].iter().fold(body.to_owned(), |body, word| body.replace(word, "PENDING_VALIDATION"))
    };
    proxy.on(|call| call.is("acm", "DescribeCertificate"), CallSelector::Each, ProxyAction::Rewrite(pending));
    let plan = stack.plan("wait.yaml", ZONE_AND_CERTIFICATE);
    let ended = deploy_until_issued(&stack, &proxy, &plan);
    assert_eq!(ended.code, 1, "{ended:?}");
    let servers =
        ended.stderr.find("example.net is a new zone: set its name servers at your registrar: ns-").expect("told");
    let reason = ended.stderr.find("is PENDING_VALIDATION after").expect("the wait has an end");
    assert!(servers < reason, "{}", ended.stderr);
    let all = ended.all();
    for told in ["the CNAME _", "www.example.net is not validated", "name servers", "run the same command again"] {
        assert!(all.contains(told), "{told}\n{all}");
    }
    // The same command goes on, and makes no second certificate.
    proxy.reset();
    deploy_until_issued(&stack, &proxy, &plan).exits(0);
    assert!(!proxy.take_mutating().iter().any(|call| call.operation == "RequestCertificate"));
}

#[test]
fn a_certificate_that_failed_says_why() {
    let stack = Stack::new();
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let failed = |body: &str| body.replace("\"ISSUED\"", "\"FAILED\", \"FailureReason\": \"CAA_ERROR\"");
    proxy.on(|call| call.is("acm", "DescribeCertificate"), CallSelector::Each, ProxyAction::Rewrite(failed));
    let ended = deploy_until_issued(&stack, &proxy, &stack.plan("wait.yaml", ZONE_AND_CERTIFICATE));
    assert_ne!(ended.code, 0);
    assert!(ended.all().contains("is FAILED: CAA_ERROR"), "{}", ended.all());
}

#[test]
fn a_zone_that_is_replaced_is_told_as_the_outage_that_it_is() {
    let stack = Stack::new();
    let zone = |name: &str| {
        stack.plan(
            "zone.yaml",
            &ZONE_AND_CERTIFICATE.lines().take(5).collect::<Vec<_>>().join("\n").replace("example.net", name),
        )
    };
    stack.deploy(&zone("example.net")).exits(0);
    let plan = zone("example.org").to_string_lossy().into_owned();
    let shown = stack.run(&["deploy", "--plan", &plan, "--dry-run"]).exits(2).stdout;
    assert!(shown.contains("risk: disruptive") && shown.contains("other name servers"), "{shown}");
}

#[test]
fn explain_knows_the_zone_regions_and_places_and_refuses_others() {
    let stack = Stack::new();
    let steps = "  - title: z
    id: z
    kind: routing
    with:
      zone: {name: example.net}
      load_balancers:
        us: {region: us-east-1, name: a}
        eu: {region: eu-central-1, name: b}
      records:
        apex:
        - {name: '@', type: A, set_identifier: ca, geolocation: {country: US, subdivision: CA}, load_balancer: us}
        - {name: '@', type: A, set_identifier: all, geolocation: {country: '*'}, load_balancer: eu}\n";
    let plan = stack.plan("explain.yaml", steps).to_string_lossy().into_owned();
    let explain = |words: &[&str]| {
        let all: Vec<&str> = ["route", "explain", "--plan", &plan, "--json"].iter().chain(words).copied().collect();
        stack.run_at("http://127.0.0.1:9", &all)
    };
    let answers = |words: &[&str]| explain(words).exits(0).json()["answers"][0]["answers"].clone();
    let (us, eu) = (serde_json::json!(["load balancer us"]), serde_json::json!(["load balancer eu"]));
    assert_eq!(answers(&["--name", "@", "--from", "US-CA"]), us);
    assert_eq!(answers(&["--name", "@", "--from", "us"]), eu);
    assert_eq!(answers(&["--name", "Example.net.", "--from", "US-CA"]), us);
    // By region as well as by the plan's own name.
    for down in ["us-east-1", "us"] {
        assert_eq!(answers(&["--name", "@", "--from", "US-CA", "--down", down]), eu, "{down}");
    }
    for (words, known) in [
        (["--from", "XX"], "continents: AF, AN, AS, EU, NA, OC, SA"),
        (["--from", "US-ZZ"], "countries"),
        (["--down", "eu-west-9"], "eu (eu-central-1), us (us-east-1)"),
        (["--name", "nowhere"], "example.net"),
        (["--request", "nothing"], "no step"),
    ] {
        let refused = explain(&words).exits(3);
        assert!(refused.all().contains(known), "{words:?}\n{}", refused.all());
    }
}

/// The local AWS writes booleans as Python does.
fn with_booleans(body: &str) -> String {
    body.replace(">True<", ">true<").replace(">False<", ">false<")
}

#[test]
fn settings_that_the_plan_gives_up_go_back_and_others_are_left_alone() {
    let stack = Stack::new();
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.on(|call| call.service == "route53", CallSelector::Each, ProxyAction::Rewrite(with_booleans));
    let plan = |zone: &str, check: &str| {
        let steps = format!(
            "  - title: z\n    id: z\n    kind: routing\n    with:\n      zone: {{name: example.net{zone}}}\n      health_checks:\n        web: {{host: web{check}}}\n"
        );
        stack.plan("unset.yaml", &steps).to_string_lossy().into_owned()
    };
    let deploy = |plan: &str| stack.run_at(proxy.url(), &["deploy", "--plan", plan, "--yes"]).exits(0);
    let look = || {
        let checks = wait(route53(&stack).list_hosted_zones().send()).expect("zones").hosted_zones;
        let comment = checks[0].config.as_ref().and_then(|config| config.comment.clone()).unwrap_or_default();
        let tags = route53(&stack).list_tags_for_resource().resource_type(dns::TagResourceType::Hostedzone);
        let tags = wait(tags.resource_id(checks[0].id.trim_start_matches("/hostedzone/")).send()).expect("tags");
        let tags = tags.resource_tag_set.expect("a set").tags.unwrap_or_default();
        let team = tags.iter().find(|tag| tag.key.as_deref() == Some("team")).and_then(|tag| tag.value.clone());
        (comment, team)
    };
    deploy(&plan("", ""));
    assert_eq!(look(), (String::new(), None));
    let check = ", inverted: true, disabled: true";
    let with = plan(", comment: ours, tags: {team: edge}", check);
    deploy(&with);
    assert_eq!(look(), ("ours".to_owned(), Some("edge".to_owned())));
    assert!(deploy(&with).all().contains("no changes"));
    let without = plan("", "");
    proxy.take_calls();
    let shown = stack.run_at(proxy.url(), &["deploy", "--plan", &without, "--dry-run"]).exits(2).stdout;
    for path in ["comment", "inverted", "disabled", "tags.team"] {
        assert!(shown.contains(path), "{path}\n{shown}");
    }
    deploy(&without);
    assert_eq!(look(), (String::new(), None));
    assert!(deploy(&without).all().contains("no changes"));
    // What somebody else sets and no plan ever stated is left alone.
    let id = zones(&stack)[0].clone();
    wait(route53(&stack).update_hosted_zone_comment().id(id).comment("theirs").send()).expect("a comment");
    assert!(deploy(&without).all().contains("no changes"));
    assert_eq!(look().0, "theirs");
}
