//! Drift: changed from outside, seen three ways, repaired or accepted; and what is ours and in nobody's journal.

use aws_sdk_cloudfront::types as cf;
use aws_sdk_route53::types as dns;
use aws_sdk_s3::types as s3;
use serde_json::{Value, json};
use testkit::cli::{STACK, TestAccount};
use testkit::proxy::wait;

/// The drifting resource at an address, in the document of `status --drift --json`.
#[track_caller]
fn at<'d>(document: &'d Value, address: &str) -> &'d Value {
    let all = document["drift"].as_array().expect("a list");
    all.iter().find(|one| one["address"] == address).unwrap_or_else(|| panic!("{address}: {document:#}"))
}

/// One of its fields.
#[track_caller]
fn field<'d>(document: &'d Value, address: &str, path: &str) -> &'d Value {
    let fields = at(document, address)["fields"].as_array().expect("a list");
    fields.iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("{path}: {fields:#?}"))
}

fn memory(account: &TestAccount) -> Option<i32> {
    let lambda = aws_sdk_lambda::Client::new(&account.sdk);
    let name = format!("t{}-edge-gateway", account.number);
    wait(lambda.get_function_configuration().function_name(name).send()).expect("the function").memory_size
}

/// Changes one thing of each kind.
fn tamper(account: &TestAccount, role: &str) {
    let bucket = format!("t{}-models-edge", account.number);
    let off = s3::VersioningConfiguration::builder().status(s3::BucketVersioningStatus::Suspended).build();
    let logs = format!("t{}-cloudfront-logs", account.number);
    wait(account.s3().put_bucket_encryption().bucket(&logs).server_side_encryption_configuration(kms()).send())
        .expect("encryption");
    wait(account.s3().put_bucket_versioning().bucket(&bucket).versioning_configuration(off).send()).expect("off");
    account.tamper(|config| config.price_class = Some(cf::PriceClass::PriceClass100));
    let lambda = aws_sdk_lambda::Client::new(&account.sdk);
    let function = format!("t{}-edge-gateway", account.number);
    wait(lambda.update_function_configuration().function_name(function).memory_size(256).send()).expect("memory");
    let iam = aws_sdk_iam::Client::new(&account.sdk);
    let policies = wait(iam.list_role_policies().role_name(role).send()).expect("policies").policy_names;
    let statement = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
    let open = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let put = iam.put_role_policy().role_name(role).policy_name(&policies[0]).policy_document(open);
    wait(put.send()).expect("a policy");
    let cdn = aws_sdk_cloudfront::Client::new(&account.sdk);
    let listed = wait(cdn.list_cache_policies().r#type(cf::CachePolicyType::Custom).send()).expect("policies");
    let items = listed.cache_policy_list.and_then(|list| list.items).unwrap_or_default();
    let id = items[0].cache_policy.as_ref().expect("a policy").id.clone();
    let held = wait(cdn.get_cache_policy().id(&id).send()).expect("the policy");
    let mut config = held.cache_policy.and_then(|policy| policy.cache_policy_config).expect("its settings");
    config.default_ttl = Some(7);
    let update = cdn.update_cache_policy().id(&id).if_match(held.e_tag.expect("an ETag")).cache_policy_config(config);
    wait(update.send()).expect("an update");
}

fn kms() -> s3::ServerSideEncryptionConfiguration {
    let by = s3::ServerSideEncryptionByDefault::builder().sse_algorithm(s3::ServerSideEncryption::AwsKms);
    let rule = s3::ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by.build().expect("a default"))
        .build();
    s3::ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("a configuration")
}

fn roles(account: &TestAccount) -> Vec<String> {
    let iam = aws_sdk_iam::Client::new(&account.sdk);
    let listed = wait(iam.list_roles().send()).expect("roles").roles;
    listed.into_iter().map(|role| role.role_name).collect()
}

fn change_record(account: &TestAccount, action: &dns::ChangeAction, name: &str, value: &str) {
    let names = aws_sdk_route53::Client::new(&account.sdk);
    let record = dns::ResourceRecord::builder().value(value).build().expect("a record");
    let set = dns::ResourceRecordSet::builder().name(name).r#type(dns::RrType::Txt).ttl(60).resource_records(record);
    let change = dns::Change::builder().action(action.clone()).resource_record_set(set.build().expect("a set"));
    let batch = dns::ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
    let zone = account.zone().expect("the zone");
    wait(names.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send()).expect("a change");
}

#[test]
fn every_kind_of_drift_is_shown_three_ways_and_repaired() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let replication = roles(&account).into_iter().find(|name| name.contains("replication"));
    let replication = replication.expect("a role for replication");
    tamper(&account, &replication);
    let document = account.run("status --drift --json").exits(2).json();
    assert_eq!(document["schema"], "akidb-edge/drift/v1");
    assert_eq!(
        field(&document, "models.bucket.primary", "versioning"),
        &json!({"path": "versioning", "sort": "setting", "plan": {"says": "value", "value": true}, "remembered": true,
                "recorded": true, "real": false, "remedy": "deploy"})
    );
    let price = field(&document, "cdn.distribution.main", "price_class");
    assert_eq!((&price["remembered"], &price["real"]), (&json!("PriceClass_200"), &json!("PriceClass_100")));
    let drift = document["drift"].as_array().expect("a list");
    let paths = |kind: &str| -> Vec<&str> {
        let of_kind = drift.iter().filter(|one| one["kind"] == kind);
        of_kind.flat_map(|one| one["fields"].as_array().expect("a list")).filter_map(|f| f["path"].as_str()).collect()
    };
    assert_eq!(paths("function"), ["memory_mb"]);
    assert_eq!(paths("bucket"), ["encryption", "versioning"]);
    assert_eq!(paths("cache-policy").len(), 1, "{:?}", paths("cache-policy"));
    assert!(paths("role")[0].starts_with("inline"), "{:?}", paths("role"));
    assert_eq!(document["unmanaged"], json!([]));

    // Without a plan: what was asked for last is what the journal remembers.
    let bare = account.run_bare(&format!("status --stack {STACK} --drift --json")).exits(2).json();
    assert_eq!(field(&bare, "edge.function.gateway", "memory_mb")["plan"], json!({"says": "no-plan"}));

    let shown = account.run("status --drift").exits(2);
    insta::assert_snapshot!("three_ways", account.redact(&shown.stdout));

    // The plan speaks: it wins.
    let refused = account.run("status --drift --accept edge.function --yes").exits(3);
    insta::assert_snapshot!("the_plan_wins", account.redact(&refused.stderr));
    account.run("deploy --yes").exits(0);
    assert_eq!(memory(&account), Some(128));
    account.run("status --drift").exits(0);
}

#[test]
fn what_is_gone_is_made_again_or_forgotten() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let names = aws_sdk_route53::Client::new(&account.sdk);
    let (id, _, _) = account.distribution();
    let cdn = aws_sdk_cloudfront::Client::new(&account.sdk);
    wait(cdn.delete_monitoring_subscription().distribution_id(&id).send()).expect("metrics off");
    let checks = wait(names.list_health_checks().send()).expect("checks").health_checks;
    wait(names.delete_health_check().health_check_id(&checks[0].id).send()).expect("a check less");
    let document = account.run("status --drift --json").exits(2).json();
    let gone: Vec<&str> = document["drift"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["happened"] == "gone")
        .filter_map(|one| one["address"].as_str())
        .collect();
    assert_eq!(gone.len(), 2, "{gone:?}");
    let (metrics, check) = (gone[0], gone[1]);
    assert!(metrics.starts_with("cdn.monitoring.") && check.starts_with("routing.health-check."), "{gone:?}");

    // Something that stands needs the check.
    let refused = account.run(&format!("status --drift --accept {check} --yes")).exits(3);
    assert!(refused.stderr.contains("needs it"), "{}", refused.stderr);
    let looked = account.run(&format!("status --drift --accept {metrics} --dry-run")).exits(2);
    assert!(looked.stdout.contains("is gone"), "{}", looked.stdout);
    let nobody = account.run(&format!("status --drift --accept {metrics}")).exits(3);
    assert!(nobody.stderr.contains("--yes"), "{}", nobody.stderr);
    let document = account.run(&format!("status --drift --accept {metrics} --yes --json")).exits(0).json();
    assert_eq!((&document["schema"], &document["accepted"]), (&json!("akidb-edge/accept/v1"), &json!([metrics])));
    assert_eq!(document["revision"], 2);
    let document = account.run("status --drift --json").exits(2).json();
    assert_eq!(document["drift"].as_array().map(Vec::len), Some(1), "only the check is drift: {document:#}");
    let status = account.run("status").exits(0);
    assert!(status.stdout.contains("revision 2") && status.stdout.contains("--accept"), "{}", status.stdout);
    account.run("deploy --yes").exits(0);
    account.run("status --drift").exits(0);
    account.run(&format!("status --drift --accept {metrics} --yes")).exits(3);
}

#[test]
fn where_the_plan_is_silent_the_world_is_accepted() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    account.tamper(|config| config.default_root_object = Some("home.html".to_owned()));
    let (id, _, _) = account.distribution();
    let cdn = aws_sdk_cloudfront::Client::new(&account.sdk);
    let arn = wait(cdn.get_distribution().id(&id).send()).expect("it").distribution.expect("it").arn;
    let tag = cf::Tag::builder().key("cost").value("7").build().expect("a tag");
    let tags = cf::Tags::builder().items(tag).build();
    wait(cdn.tag_resource().resource(&arn).tags(tags).send()).expect("tags");

    // The plan speaks of the page, and nobody of the tag.
    let address = "cdn.distribution.main";
    let document = account.run("status --drift --json").exits(2).json();
    assert_eq!(field(&document, address, "default_root_object")["remedy"], "deploy");
    assert_eq!(
        field(&document, address, "tags.cost"),
        &json!({"path": "tags.cost", "sort": "tag", "plan": {"says": "silent"}, "remembered": null, "recorded": null, "real": "7",
                "remedy": "leave"})
    );
    // The plan gives the page up: it is silent now.
    let plan = account.changed_plan("          default_root_object: index.html\n", "");
    let drift = account.run(&format!("status --drift --plan {plan}")).exits(2).stdout;
    insta::assert_snapshot!("the_plan_is_silent", account.redact(&drift));
    account.run(&format!("status --drift --accept --yes --plan {plan}")).exits(0);
    account.run(&format!("status --drift --plan {plan}")).exits(0);
    account.run(&format!("deploy --yes --plan {plan}")).exits(0);
    assert_eq!(account.distribution().2.default_root_object(), Some("home.html"), "it stays as it is");
    let journal = account.run("state journal").exits(0).stdout;
    assert!(
        journal.contains("\"fact\":\"accepted\"") && journal.contains("\"paths\":[\"default_root_object\"]"),
        "{journal}"
    );
}

#[test]
fn an_output_that_changed_is_learnt_or_accepted() {
    let account = TestAccount::new();
    account.run("deploy routing --yes").exits(0);
    let here = account.sdk.to_builder().region(aws_config::Region::new("ap-northeast-1")).build();
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&here);
    let found = wait(elb.describe_load_balancers().send()).expect("load balancers").load_balancers.unwrap_or_default();
    let old = found.into_iter().next().expect("one");
    wait(elb.delete_load_balancer().load_balancer_arn(old.load_balancer_arn().expect("an ARN")).send()).expect("gone");
    let tag = aws_sdk_elasticloadbalancingv2::types::Tag::builder().key("akidb:role").value("rest").build();
    let made = elb.create_load_balancer().name(old.load_balancer_name().expect("a name")).tags(tag).send();
    let made = wait(made).expect("made again").load_balancers.unwrap_or_default();
    let (old, new) = (old.dns_name().expect("a name"), made[0].dns_name().expect("a name"));
    assert_ne!(old, new);

    let document = account.run("status --drift --json").exits(2).json();
    let address = "routing.load-balancer.ap-northeast-1";
    assert_eq!(
        field(&document, address, "dns_name"),
        &json!({"path": "dns_name", "sort": "output", "plan": {"says": "silent"}, "remembered": old, "recorded": old, "real": new,
                "remedy": "accept"})
    );
    // Nobody touched the records that lead there: they are to be changed, but they did not drift.
    assert_eq!(document["drift"].as_array().map(Vec::len), Some(1), "{document:#}");
    account.run(&format!("status --drift --accept {address} --yes")).exits(0);
    let document = account.run("status --drift --json").exits(2).json();
    let drift = document["drift"].as_array().expect("a list");
    assert!(!drift.iter().any(|one| one["address"] == address), "{document:#}");
    assert!(document["counts"]["update"].as_u64().is_some_and(|count| count > 0), "{}", document["counts"]);
    account.run("deploy routing --yes").exits(0);
}

#[test]
fn a_mark_is_put_back_and_another_stacks_is_respected() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let lambda = aws_sdk_lambda::Client::new(&account.sdk);
    let name = format!("t{}-edge-gateway", account.number);
    let arn = wait(lambda.get_function_configuration().function_name(&name).send()).expect("it").function_arn;
    let arn = arn.expect("an ARN");
    // Made again by hand under the same name: no mark, and none of the settings.
    let logs = format!("t{}-cloudfront-logs", account.number);
    wait(account.s3().delete_bucket().bucket(&logs).send()).expect("it was empty");
    wait(account.s3().create_bucket().bucket(&logs).send()).expect("made by hand");
    let (id, _, _) = account.distribution();
    let cdn = aws_sdk_cloudfront::Client::new(&account.sdk);
    let distribution = wait(cdn.get_distribution().id(&id).send()).expect("it").distribution.expect("it").arn;
    wait(lambda.untag_resource().resource(&arn).tag_keys("akidb:stack").send()).expect("untagged");
    let keys = cf::TagKeys::builder().items("akidb:stack").items("akidb:address").build();
    wait(cdn.untag_resource().resource(&distribution).tag_keys(keys).send()).expect("untagged");
    let document = account.run("status --drift --json").exits(2).json();
    for address in ["cdn.distribution.main", "edge.function.gateway", "models.bucket.logs"] {
        assert_eq!(field(&document, address, "tags.akidb:stack")["sort"], "mark");
    }
    account.run("deploy --yes").exits(0);
    account.run("status --drift").exits(0);
    let tags = wait(lambda.list_tags().resource(&arn).send()).expect("tags").tags.unwrap_or_default();
    assert_eq!(tags.get("akidb:stack").map(String::as_str), Some(STACK));

    wait(lambda.tag_resource().resource(&arn).tags("akidb:stack", "another").send()).expect("tagged");
    let contested = account.run("status --drift").exits(2);
    insta::assert_snapshot!("contested", account.redact(&contested.stdout));
    let refused = account.run("deploy --yes").exits(3);
    insta::assert_snapshot!("contested_deploy", account.redact(&refused.stderr));
    account.run("status --drift --accept edge.function --yes").exits(3);
    account.run("deploy --yes --adopt edge.function.gateway").exits(0);
    account.run("status --drift").exits(0);
}

#[test]
fn records_of_others_at_a_new_name_are_refused() {
    let account = TestAccount::new();
    let with = |more: &str| {
        let record =
            |name: &str| format!("              - {{name: {name}, type: TXT, ttl: 60, values: ['\"ours\"']}}\n");
        let more = if more.is_empty() { String::new() } else { record(more) };
        let records = format!(
            "          records:\n            extra:\n{}{more}          latency:\n            origin:\n",
            record("one")
        );
        account.changed_plan("          latency:\n            origin:\n", &records)
    };
    let plan = with("");
    account.run(&format!("deploy routing --plan {plan} --yes")).exits(0);
    change_record(&account, &dns::ChangeAction::Create, "two.akidb.com", "\"theirs\"");
    change_record(&account, &dns::ChangeAction::Upsert, "one.akidb.com", "\"changed\"");
    let drift = account.run(&format!("status --drift --plan {plan} --json")).exits(2).json();
    assert_eq!(field(&drift, "routing.records.extra", "sets")["real"][0]["values"], json!(["\"changed\""]));

    let plan = with("two");
    let refused = account.run(&format!("deploy routing --plan {plan} --yes")).exits(3);
    insta::assert_snapshot!("records_of_others", account.redact(&refused.stderr));
    account.run(&format!("deploy routing --plan {plan} --yes --adopt routing.records.extra")).exits(0);
    account.run(&format!("deploy routing --plan {plan} --dry-run")).exits(0);
}

#[test]
fn what_carries_the_mark_and_is_not_in_the_journal_is_listed() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    account.run("status --drift").exits(0);
    std::fs::remove_dir_all(account.state()).expect("the state is lost");
    let document = account.run_bare(&format!("status --stack {STACK} --drift --json")).exits(2).json();
    let owned = document["unmanaged"].as_array().expect("a list");
    let count = |kind: &str| owned.iter().filter(|one| one["kind"] == kind).count();
    let counts: Vec<usize> = ["bucket", "role", "function", "distribution", "certificate", "zone", "health-check"]
        .iter()
        .chain(&["origin-access", "cache-policy", "response-headers-policy"])
        .map(|kind| count(kind))
        .collect();
    // Without plan and journal nobody knows of the regions of two more certificates.
    assert_eq!(counts, [7, 2, 1, 1, 2, 1, 3, 2, 1, 3]);
    assert!(owned.iter().all(|one| one["address"].is_string() && one["id"].is_string()), "{owned:#?}");
    let shown = account.run_bare(&format!("status --stack {STACK} --drift")).exits(2).stdout;
    let import = format!("akidb-edge state import edge.function.gateway=t{}-edge-gateway", account.number);
    assert!(shown.contains(&import), "{shown}");
    // With the plan, they are what the next deploy takes up.
    let document = account.run("status --drift --json").exits(2).json();
    assert_eq!(document["unmanaged"], json!([]));
    assert!(document["counts"]["adopt"].as_u64().is_some_and(|count| count > 20), "{}", document["counts"]);
}
