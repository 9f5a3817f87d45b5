//! Buckets, roles, functions: unset, foreign data, rollback.

mod code;
mod files;

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{self as s3, BucketVersioningStatus};

use crate::operators::stack::Stack;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ServiceRefusal, wait};

fn client(stack: &Stack) -> Client {
    Client::from_conf(aws_sdk_s3::config::Builder::from(&stack.sdk).force_path_style(true).build())
}

fn bucket(stack: &Stack) -> String {
    format!("unset-{}", stack.account)
}

/// A models step with one bucket and these settings (YAML, one a line).
fn one_bucket(stack: &Stack, settings: &[&str]) -> String {
    let more: String = settings.iter().map(|line| format!("          {line}\n")).collect();
    let name = bucket(stack);
    format!(
        "  - title: m\n    id: m\n    kind: models\n    with:\n      buckets:\n        b:\n          name: {name}\n          region: us-east-1\n{more}"
    )
}

/// New buckets of AWS block all public access, those of the local AWS have no word on it.
fn block_public_access(stack: &Stack) {
    let all = s3::PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true);
    let call = client(stack).put_public_access_block().bucket(bucket(stack));
    wait(call.public_access_block_configuration(all.build()).send()).expect("put");
}

/// The bucket as S3 shows it. Versions once kept cannot be unkept: suspended is as good as never.
fn world(stack: &Stack) -> BTreeMap<&'static str, String> {
    let (s3, name) = (client(stack), bucket(stack));
    let mut all = BTreeMap::new();
    let versioning = wait(s3.get_bucket_versioning().bucket(&name).send()).expect("versioning");
    all.insert("versioning", (versioning.status == Some(BucketVersioningStatus::Enabled)).to_string());
    let encryption = wait(s3.get_bucket_encryption().bucket(&name).send());
    let encryption = encryption.ok().and_then(|answer| answer.server_side_encryption_configuration);
    let rule = encryption.and_then(|config| config.rules.into_iter().next()).expect("new buckets are encrypted");
    let by = rule.apply_server_side_encryption_by_default.expect("an algorithm");
    // A key is not shown by Debug.
    let key = by.kms_master_key_id.as_deref().unwrap_or("-");
    let shared = rule.bucket_key_enabled.unwrap_or_default();
    all.insert("encryption", format!("{} {key} {shared}", by.sse_algorithm.as_str()));
    let block = wait(s3.get_public_access_block().bucket(&name).send());
    all.insert("block", format!("{:?}", block.ok().and_then(|answer| answer.public_access_block_configuration)));
    let ownership = wait(s3.get_bucket_ownership_controls().bucket(&name).send());
    all.insert("ownership", format!("{:?}", ownership.ok().and_then(|answer| answer.ownership_controls)));
    let cors = wait(s3.get_bucket_cors().bucket(&name).send());
    all.insert("cors", format!("{:?}", cors.ok().and_then(|answer| answer.cors_rules).unwrap_or_default()));
    all.insert("lifecycle", format!("{:?}", lifecycle(stack)));
    let tags = wait(s3.get_bucket_tagging().bucket(&name).send()).expect("tags").tag_set;
    let tags: Vec<String> = tags.into_iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    all.insert("tags", format!("{tags:?}"));
    all
}

fn lifecycle(stack: &Stack) -> Vec<s3::LifecycleRule> {
    let answer = wait(client(stack).get_bucket_lifecycle_configuration().bucket(bucket(stack)).send());
    answer.ok().and_then(|answer| answer.rules).unwrap_or_default()
}

const EXPIRY: &str = "lifecycle: [{id: x, expire_days: 1}]";

/// Every optional setting of a bucket, and the settings that it needs beside it.
const SETTINGS: &[(&[&str], &str)] = &[
    (&[], "versioning: true"),
    (&[], "encryption: aws:kms"),
    (&["encryption: aws:kms"], "kms_key: alias/models"),
    (&["encryption: aws:kms"], "bucket_key: true"),
    (&[], "block_public_access: false"),
    (&[], "ownership: ObjectWriter"),
    (&[], "cors: [{origins: ['*'], methods: [GET], headers: ['*'], expose: [ETag], max_age_seconds: 60}]"),
    (&[], EXPIRY),
    (&[EXPIRY], "lifecycle: [{id: x, prefix: m/, expire_days: 1, expire_old_versions_days: 3, abort_uploads_days: 2}]"),
    (&[EXPIRY], "lifecycle: [{id: x, expire_days: 1, enabled: false}]"),
    (&["lifecycle: [{id: y, expire_days: 9}]"], "tags: {team: edge}"),
];

#[test]
fn what_the_plan_gives_up_goes_back_to_the_default() {
    for (base, setting) in SETTINGS {
        let stack = Stack::new();
        let without = stack.plan("without.yaml", &one_bucket(&stack, base));
        let name = setting.split(':').next().expect("a name");
        let other = base.iter().filter(|line| !line.starts_with(name)).chain([setting]).copied();
        let with = stack.plan("with.yaml", &one_bucket(&stack, &other.collect::<Vec<_>>()));
        stack.deploy(&without).exits(0);
        block_public_access(&stack);
        let before = world(&stack);
        stack.deploy(&with).exits(0);
        assert_ne!(world(&stack), before, "{setting} is set");
        let shown = stack.run(&["deploy", "--plan", "without.yaml", "--dry-run"]).exits(2);
        assert!(shown.stdout.contains(name), "{setting} is shown: {}", shown.stdout);
        stack.deploy(&without).exits(0);
        assert_eq!(world(&stack), before, "{setting} is unset");
        let again = stack.deploy(&without).exits(0);
        assert!(again.stdout.contains("no changes"), "{setting}: {}", again.stdout);
        stack.deploy(&with).exits(0);
        stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
        assert_eq!(world(&stack), before, "{setting} is rolled back");
        stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
    }
}

#[test]
fn what_was_never_set_is_left_alone_and_an_empty_list_means_empty() {
    let stack = Stack::new();
    let plain = stack.plan("plain.yaml", &one_bucket(&stack, &[]));
    stack.deploy(&plain).exits(0);
    put_rules(&stack, vec![rule("theirs", 9)]);
    let again = stack.deploy(&plain).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);
    let empty = stack.plan("empty.yaml", &one_bucket(&stack, &["lifecycle: []"]));
    stack.deploy(&empty).exits(0);
    assert_eq!(lifecycle(&stack), Vec::new());
}

fn rule(id: &str, days: i32) -> s3::LifecycleRule {
    let expiry = s3::LifecycleExpiration::builder().days(days).build();
    let filter = s3::LifecycleRuleFilter::builder().prefix("theirs/").build();
    let rule = s3::LifecycleRule::builder().id(id).status(s3::ExpirationStatus::Enabled);
    rule.filter(filter).expiration(expiry).build().expect("a rule")
}

fn put_rules(stack: &Stack, rules: Vec<s3::LifecycleRule>) {
    let config = s3::BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().expect("rules");
    let call = client(stack).put_bucket_lifecycle_configuration().bucket(bucket(stack));
    wait(call.lifecycle_configuration(config).send()).expect("put");
}

#[test]
fn rules_of_others_stay_beside_ours() {
    let stack = Stack::new();
    let origins = |origin: &str| format!("cors: [{{origins: ['{origin}'], methods: [GET]}}]");
    let ours = [EXPIRY, &origins("https://a.example.com")];
    stack.deploy(&stack.plan("a.yaml", &one_bucket(&stack, &ours))).exits(0);
    // Others add a rule, pause ours and let it move objects.
    let mut rules = lifecycle(&stack);
    rules[0].status = s3::ExpirationStatus::Disabled;
    let to = s3::Transition::builder().days(30).storage_class(s3::TransitionStorageClass::Glacier).build();
    rules[0].transitions = Some(vec![to]);
    rules.insert(0, rule("theirs", 9));
    put_rules(&stack, rules);
    let theirs = s3::CorsRule::builder().allowed_origins("https://theirs.example.com").allowed_methods("PUT");
    let name = bucket(&stack);
    let held = wait(client(&stack).get_bucket_cors().bucket(&name).send()).expect("cors").cors_rules;
    let rules: Vec<_> = [theirs.build().expect("a rule")].into_iter().chain(held.unwrap_or_default()).collect();
    let config = s3::CorsConfiguration::builder().set_cors_rules(Some(rules)).build().expect("rules");
    wait(client(&stack).put_bucket_cors().bucket(&name).cors_configuration(config).send()).expect("put");
    // The pause is drift, and a deploy ends it; the rest stays.
    stack.run(&["status", "--stack", &stack.name(), "--drift"]).exits(2);
    let ours = ["lifecycle: [{id: x, expire_days: 2}]", &origins("https://b.example.com")];
    stack.deploy(&stack.plan("b.yaml", &one_bucket(&stack, &ours))).exits(0);
    let there = lifecycle(&stack);
    assert_eq!(there.iter().filter_map(|rule| rule.id()).collect::<Vec<_>>(), ["theirs", "x"]);
    assert_eq!(there[1].status, s3::ExpirationStatus::Enabled);
    assert_eq!(there[1].expiration.as_ref().and_then(|expiry| expiry.days), Some(2));
    assert_eq!(there[1].transitions().len(), 1, "what others set on our rule stays: {there:?}");
    let origins = cors_origins(&stack);
    assert_eq!(origins, ["https://theirs.example.com", "https://b.example.com"]);
    // Given up, ours go, theirs stay.
    stack.deploy(&stack.plan("c.yaml", &one_bucket(&stack, &[]))).exits(0);
    assert_eq!(lifecycle(&stack).iter().filter_map(|rule| rule.id()).collect::<Vec<_>>(), ["theirs"]);
    assert_eq!(cors_origins(&stack), ["https://theirs.example.com"]);
}

fn cors_origins(stack: &Stack) -> Vec<String> {
    let held = wait(client(stack).get_bucket_cors().bucket(bucket(stack)).send()).expect("cors").cors_rules;
    held.unwrap_or_default().into_iter().flat_map(|rule| rule.allowed_origins).collect()
}

/// Two buckets with a rule from the first to the second.
fn replicated(stack: &Stack, rule: &str) -> String {
    let account = &stack.account;
    let bucket = |key: &str, region: &str| {
        format!("        {key}: {{name: rep-{key}-{account}, region: {region}, versioning: true}}\n")
    };
    format!(
        "  - title: m\n    id: m\n    kind: models\n    with:\n      buckets:\n{}{}      replication:\n        r: {{from: a, to: b, priority: 1, delete_markers: true{rule}}}\n      role_boundary: mine\n",
        bucket("a", "us-east-1"),
        bucket("b", "eu-central-1"),
    )
}

#[test]
fn a_replication_rule_gives_up_what_the_plan_gives_up_and_leaves_the_rules_of_others() {
    let stack = Stack::new();
    let plain = stack.plan("plain.yaml", &replicated(&stack, ""));
    stack.deploy(&plain).exits(0);
    let source = format!("rep-a-{}", stack.account);
    let rules = || {
        let answer = wait(client(&stack).get_bucket_replication().bucket(&source).send()).expect("replication");
        answer.replication_configuration.expect("a configuration")
    };
    let before = rules().rules;
    let key = "arn:aws:kms:eu-central-1:123456789012:key/0f7f42a4-6ff2-4e2f-8f0c-2f1a1a5b7a11";
    for setting in [
        ", time_control_minutes: 15",
        ", replica_modifications: true",
        ", prefix: m/",
        ", enabled: false",
        &format!(", encrypted_objects: true, replica_key: {key}"),
    ] {
        stack.deploy(&stack.plan("with.yaml", &replicated(&stack, setting))).exits(0);
        assert_ne!(rules().rules, before, "{setting}");
        stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
        let mut now = rules().rules;
        // Once said, the word stays, and says no.
        if let Some(criteria) = now[0].source_selection_criteria.take() {
            let back = criteria.replica_modifications.map(|back| back.status);
            assert_eq!(back, Some(s3::ReplicaModificationsStatus::Disabled), "{setting}");
        }
        assert_eq!(now, before, "{setting} is rolled back");
    }
    // Others add a rule and a storage class to ours.
    let mut all = rules();
    let mut theirs = all.rules[0].clone();
    (theirs.id, theirs.priority) = (Some("theirs".to_owned()), Some(7));
    if let Some(to) = &mut all.rules[0].destination {
        to.storage_class = Some(s3::StorageClass::StandardIa);
    }
    all.rules.push(theirs);
    wait(client(&stack).put_bucket_replication().bucket(&source).replication_configuration(all).send()).expect("put");
    stack.deploy(&stack.plan("with.yaml", &replicated(&stack, ", prefix: m/"))).exits(0);
    let now = rules().rules;
    let ours = now.iter().find(|rule| rule.id() == Some("r")).expect("ours");
    assert!(now.iter().any(|rule| rule.id() == Some("theirs")), "{now:?}");
    assert_eq!(ours.destination.as_ref().and_then(|to| to.storage_class.clone()), Some(s3::StorageClass::StandardIa));
    assert_eq!(ours.filter.as_ref().and_then(|filter| filter.prefix()), Some("m/"));
    stack.run(&["destroy", "--stack", &stack.name(), "--yes", "--target", "models.replication.a"]).exits(0);
    assert_eq!(rules().rules.iter().filter_map(|rule| rule.id()).collect::<Vec<_>>(), ["theirs"]);
}

/// The rules of a bucket share one role: those of others would stop copying without it.
#[test]
fn the_role_stays_with_the_rules_of_others() {
    let stack = Stack::new();
    stack.deploy(&stack.plan("with.yaml", &replicated(&stack, ""))).exits(0);
    let source = format!("rep-a-{}", stack.account);
    let answer = wait(client(&stack).get_bucket_replication().bucket(&source).send()).expect("replication");
    let mut all = answer.replication_configuration.expect("a configuration");
    let mut theirs = all.rules[0].clone();
    (theirs.id, theirs.priority) = (Some("theirs".to_owned()), Some(7));
    all.rules.push(theirs);
    wait(client(&stack).put_bucket_replication().bucket(&source).replication_configuration(all).send()).expect("put");
    let plain = replicated(&stack, "");
    let (plain, _) = plain.split_once("      replication:").expect("rules");
    let given_up = stack.deploy(&stack.plan("without.yaml", plain)).exits(0);
    assert!(given_up.stdout.contains("replication rules of others use it"), "{}", given_up.stdout);
    let role = format!("{}-replication-a", stack.name());
    wait(aws_sdk_iam::Client::new(&stack.sdk).get_role().role_name(&role).send()).expect("the role");
}

#[test]
fn a_role_with_policies_of_others_is_not_touched_by_destroy() {
    let stack = Stack::new();
    stack.deploy(&stack.plan("plan.yaml", &replicated(&stack, ""))).exits(0);
    let iam = aws_sdk_iam::Client::new(&stack.sdk);
    let role = format!("{}-replication-a", stack.name());
    let read = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    wait(iam.attach_role_policy().role_name(&role).policy_arn(read).send()).expect("attach");
    stack.deploy(&stack.plan("plan.yaml", &replicated(&stack, ", enabled: false"))).exits(0);
    let refused = stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(3);
    assert!(refused.all().contains(read) && refused.all().contains("detach-role-policy"), "{}", refused.all());
    let own = wait(iam.list_role_policies().role_name(&role).send()).expect("inline").policy_names;
    assert_eq!(own, ["replicate"], "its own policies are still there");
    let source = format!("rep-a-{}", stack.account);
    wait(client(&stack).get_bucket_replication().bucket(source).send()).expect("and so is all the rest");
    wait(iam.detach_role_policy().role_name(&role).policy_arn(read).send()).expect("detach");
    stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
}

#[test]
fn destroy_finds_data_before_it_removes_anything() {
    let stack = Stack::new();
    stack.deploy(&stack.plan("plan.yaml", &replicated(&stack, ""))).exits(0);
    let name = format!("rep-b-{}", stack.account);
    let eu = stack.sdk.to_builder().region(aws_config::Region::new("eu-central-1")).build();
    let eu = Client::from_conf(aws_sdk_s3::config::Builder::from(&eu).force_path_style(true).build());
    wait(eu.put_object().bucket(&name).key("kept.txt").send()).expect("put");
    let source = format!("rep-a-{}", stack.account);
    let refused = stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(3);
    assert!(refused.stderr.contains(&name) && refused.stderr.contains("--empty-buckets"), "{}", refused.stderr);
    wait(client(&stack).get_bucket_replication().bucket(&source).send()).expect("nothing was removed");
    let partly =
        stack.run(&["destroy", "--stack", &stack.name(), "--yes", "--target", "models.replication.a"]).exits(0);
    let last = partly.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("partial: ") && last.contains("models.bucket.b"), "{}", partly.stdout);
    let whole = stack.run(&["destroy", "--stack", &stack.name(), "--yes", "--empty-buckets"]).exits(0);
    assert!(!whole.stdout.contains("partial"), "{}", whole.stdout);
}

#[test]
fn a_deploy_that_would_delete_a_bucket_with_data_does_nothing() {
    let stack = Stack::new();
    let more = "        c: {name: NAME, region: us-east-1}\n".replace("NAME", &format!("more-{}", stack.account));
    stack.deploy(&stack.plan("two.yaml", &format!("{}{more}", one_bucket(&stack, &[])))).exits(0);
    let s3 = client(&stack);
    wait(s3.put_object().bucket(format!("more-{}", stack.account)).key("kept.txt").send()).expect("put");
    let one = stack.plan("one.yaml", &one_bucket(&stack, &[EXPIRY]));
    let refused = stack.deploy(&one).exits(3);
    assert!(refused.stderr.contains("more-") && refused.stderr.contains("--empty-buckets"), "{}", refused.stderr);
    assert_eq!(lifecycle(&stack), Vec::new(), "nothing was done");
    let rolled = stack.run(&["rollback", "--stack", &stack.name(), "--to", "0", "--yes"]).exits(3);
    assert!(rolled.stderr.contains("kept.txt"), "{}", rolled.stderr);
    stack.run(&["deploy", "--plan", "one.yaml", "--dry-run"]).exits(2);
}

/// S3 refuses to suspend versions while rules are there: the first run still succeeds.
#[test]
fn versions_and_replication_are_given_up_in_one_run() {
    let stack = Stack::new();
    stack.deploy(&stack.plan("with.yaml", &replicated(&stack, ""))).exits(0);
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let refusal = ServiceRefusal {
        service: "s3",
        operation: "",
        status: 409,
        code: "InvalidBucketState",
        message: "A replication configuration is present on this bucket, so the versioning state cannot be changed.",
    };
    let versioning = |call: &testkit::proxy::ProxyCall| call.method == "PUT" && call.path.contains("versioning");
    proxy.on(versioning, CallSelector::First(1), ProxyAction::Refuse(refusal));
    let plain = replicated(&stack, "").replace(", versioning: true", "");
    let (plain, _) = plain.split_once("      replication:").expect("rules");
    stack.plan("without.yaml", plain);
    stack.run_at(proxy.url(), &["deploy", "--plan", "without.yaml", "--yes"]).exits(0);
    let source = format!("rep-a-{}", stack.account);
    let versioning = wait(client(&stack).get_bucket_versioning().bucket(&source).send()).expect("versioning");
    assert_eq!(versioning.status, Some(BucketVersioningStatus::Suspended));
}

#[test]
fn another_region_for_a_bucket_is_refused_before_anything_is_done() {
    let stack = Stack::new();
    stack.deploy(&stack.plan("here.yaml", &one_bucket(&stack, &[]))).exits(0);
    let there = one_bucket(&stack, &[]).replace("us-east-1", "eu-central-1");
    let refused = stack.deploy(&stack.plan("there.yaml", &there)).exits(3);
    assert!(refused.stderr.contains("cannot be changed (us-east-1 -> eu-central-1)"), "{}", refused.stderr);
}

#[test]
fn kms_is_named_offline() {
    let stack = Stack::new();
    let refuses = |steps: &str, rule: &str| {
        let output = stack.deploy(&stack.plan("kms.yaml", steps)).exits(3);
        assert!(output.stderr.contains(rule), "{rule}: {}", output.all());
    };
    let kms = |bucket: &str| {
        let plain = replicated(&stack, "");
        let line = plain.lines().find(|line| line.trim_start().starts_with(&format!("{bucket}: {{name"))).expect("it");
        plain.replace(line, &line.replace("versioning: true", "versioning: true, encryption: aws:kms"))
    };
    refuses(&kms("a"), "RP015-encrypted-source");
    refuses(&kms("b"), "RP016-encrypted-destination");
    let key = "arn:aws:kms:eu-central-1:123456789012:key/0f7f42a4-6ff2-4e2f-8f0c-2f1a1a5b7a11";
    let whole = kms("a")
        .replace("delete_markers: true", &format!("delete_markers: true, encrypted_objects: true, replica_key: {key}"));
    stack.deploy(&stack.plan("kms.yaml", &whole)).exits(0);
    let again = stack.deploy(&stack.plan("kms.yaml", &whole)).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.stdout);
    let iam = aws_sdk_iam::Client::new(&stack.sdk);
    let call = iam.get_role_policy().role_name(format!("{}-replication-a", stack.name())).policy_name("replicate");
    let policy = wait(call.send()).expect("the policy").policy_document;
    for part in ["kms%3ADecrypt", "kms%3AEncrypt", "kms%3AViaService"] {
        assert!(policy.contains(part) || policy.contains(&part.replace("%3A", ":")), "{part}: {policy}");
    }
}
