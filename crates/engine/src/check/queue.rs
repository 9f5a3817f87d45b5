//! Rules on SQS queues. Sources: "CreateQueue" and "SetQueueAttributes" (API reference), "Using dead-letter queues in Amazon SQS"
//! and "Amazon SQS message quotas" (developer guide).

use std::collections::BTreeSet;

use serde_json::Value;

use super::RelatedPlace;
use super::policy::{allows_everybody, placeholder, services_of_any_account, statements, walk};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{CheckScope, is_open, whole};
use crate::resource::queue::{DeadLetter, QueueSpec, is_name, parts};
use crate::resource::{Address, Kind, counted};

type Spec<'a> = CheckedResource<'a, QueueSpec>;

/// Seconds that a message is kept when nothing is said.
const RETENTION: i32 = 345_600;

pub(super) const RULES: &[CheckRule<QueueSpec>] = &[
    error(
        "SQ001-queue-name",
        "queue names are legal",
        "InvalidParameterValue: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        "write up to 80 letters, digits, dashes and underscores; .fifo at the end counts",
        name,
    ),
    error(
        "SQ002-fifo-name",
        "the name of a FIFO queue, and of no other, ends with .fifo",
        "InvalidParameterValue: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        "write fifo: true and a name that ends with .fifo, or neither",
        fifo,
    ),
    error(
        "SQ003-number",
        "times and sizes are within the limits of SQS",
        "InvalidAttributeValue: Invalid value for the parameter",
        "write a number of the range",
        number,
    ),
    error(
        "SQ004-fifo-only",
        "only a FIFO queue deduplicates messages by content",
        "InvalidAttributeName: Unknown Attribute ContentBasedDeduplication.",
        "write fifo: true, or leave content_based_deduplication out",
        fifo_only,
    ),
    error(
        "SQ005-dead-letter-target",
        "a dead-letter target is the ARN of a queue",
        "InvalidParameterValue: Value for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.",
        "write the name of a queue of the plan, ${<area>.queue.<name>#arn}, or an ARN",
        target,
    ),
    error(
        "SQ006-dead-letter-type",
        "a queue and its dead-letter queue are both FIFO queues, or neither is",
        "InvalidParameterValue: Value for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.",
        "name a queue of the same type",
        same_type,
    ),
    error(
        "SQ007-dead-letter-region",
        "a dead-letter queue is in the region of its source",
        "InvalidParameterValue: Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
        "name a queue in the same region",
        same_region,
    ),
    error(
        "SQ008-dead-letter-circle",
        "dead letters do not come back",
        "accepted, or InvalidParameterValue for a queue that is its own: messages circulate until they expire",
        "remove the dead_letter of the last queue",
        cycle,
    ),
    warning(
        "SQ009-dead-letter-retention",
        "a dead-letter queue keeps messages longer than its source",
        "accepted; a message that was moved keeps the time of its first arrival, and expires in the dead-letter queue \
         before it is read",
        "write a longer retention_seconds for the dead-letter queue, for example 1209600",
        retention,
    ),
    error(
        "SQ010-max-receives",
        "a message is received 1 to 1,000 times before it is a dead letter",
        "InvalidParameterValue: Value for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount",
        "write a number from 1 to 1000",
        receives,
    ),
    error(
        "SQ011-one-encryption",
        "a queue is encrypted by SQS or with a KMS key, not both",
        "InvalidAttributeValue: You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        "remove sqs_encryption or kms_key",
        encryption,
    ),
    warning(
        "SQ012-kms-reuse",
        "data keys are reused only with a KMS key",
        "accepted; without kms_key it has no effect",
        "write kms_key, or leave kms_reuse_seconds out",
        reuse,
    ),
    error(
        "SQ013-queue-policy",
        "statements of a queue's policy have Effect, Principal, Action and Resource, and no placeholder",
        "InvalidAttributeValue: Invalid value for the parameter Policy.",
        "write Version \"2012-10-17\" and statements with Effect, Principal, Action and Resource",
        policy,
    ),
    warning(
        "SQ014-open-queue",
        "a queue's policy says who may use the queue, and for which source",
        "accepted; anyone may use the queue, or any account through that service",
        "name accounts or roles in Principal; for a service add the condition aws:SourceArn or aws:SourceAccount",
        open,
    ),
];

fn name(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = seen.spec.name.as_str();
    notes.add_if(!is_open(name) && !is_name(name), "name", || {
        format!("the name is `{name}` ({})", counted(name.chars().count(), "character"))
    });
}

fn fifo(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let QueueSpec { name, fifo, .. } = &seen.spec;
    let ends = name.ends_with(".fifo");
    let what = if *fifo { "a FIFO queue" } else { "a standard queue" };
    notes.add_if(ends != *fifo && !is_open(name), "name", || format!("`{name}` is to be {what}"));
}

fn number(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let all = [
        ("retention_seconds", spec.retention_seconds, 60, 1_209_600),
        ("visibility_timeout_seconds", spec.visibility_timeout_seconds, 0, 43_200),
        ("receive_wait_seconds", spec.receive_wait_seconds, 0, 20),
        ("delay_seconds", spec.delay_seconds, 0, 900),
        ("max_message_bytes", spec.max_message_bytes, 1_024, 1_048_576),
        ("kms_reuse_seconds", spec.kms_reuse_seconds, 60, 86_400),
    ];
    for (path, stated, least, most) in all {
        if let Some(number) = stated.filter(|number| !(least..=most).contains(number)) {
            notes.add_with(path, format!("it is {number}"), format!("write a number from {least} to {most}"));
        }
    }
}

fn fifo_only(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let wrong = !seen.spec.fifo && seen.spec.content_based_deduplication.is_some();
    notes.add_if(wrong, "content_based_deduplication", || format!("`{}` is a standard queue", seen.spec.name));
}

/// The queue of the plan that a target means, by reference or by its ARN.
fn queue<'a>(scope: &CheckScope<'a>, target: &str) -> Option<(&'a Address, QueueSpec)> {
    let named = || {
        let (region, _, name) = parts(target)?;
        scope.each::<QueueSpec>(Kind::Queue).find(|(_, spec)| spec.name == name && spec.region == region)
    };
    scope.behind(Kind::Queue, target).or_else(named)
}

fn target(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(DeadLetter { target, .. }) = &seen.spec.dead_letter else { return };
    let wrong = match whole(target) {
        Some(to) => to.attribute != "arn" || seen.scope.at(to.address).is_some_and(|(_, it)| it.kind != Kind::Queue),
        None => !is_open(target) && parts(target).is_none(),
    };
    notes.add_if(wrong, "dead_letter.target", || format!("`{target}` is not the ARN of a queue"));
}

/// Whether the queue that a target means is a FIFO queue, and its region; nothing when that is not known.
fn facts(seen: &Spec<'_>) -> Option<(String, bool, String)> {
    let target = &seen.spec.dead_letter.as_ref()?.target;
    match queue(seen.scope, target) {
        Some((address, spec)) => Some((address.to_string(), spec.fifo, spec.region)),
        None => parts(target).map(|(region, _, name)| (target.clone(), name.ends_with(".fifo"), region.to_owned())),
    }
}

fn same_type(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((what, fifo, _)) = facts(seen) else { return };
    let word = |fifo: bool| if fifo { "a FIFO queue" } else { "a standard queue" };
    let own = seen.spec.fifo;
    notes
        .add_if(own != fifo, "dead_letter.target", || format!("`{what}` is {}, and this is {}", word(fifo), word(own)));
}

fn same_region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((what, _, region)) = facts(seen) else { return };
    let own = &seen.spec.region;
    let known = !is_open(own) && !is_open(&region);
    notes.add_if(known && *own != region, "dead_letter.target", || {
        format!("`{what}` is in {region}, and this in {own}")
    });
}

fn cycle(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let mut met = BTreeSet::new();
    let mut next = seen.spec.dead_letter.as_ref().and_then(|to| queue(seen.scope, &to.target));
    while let Some((address, spec)) = next {
        if address == seen.address {
            notes.add("dead_letter.target", format!("dead letters of `{address}` come back to it"));
            return;
        }
        if !met.insert(address) {
            return;
        }
        next = spec.dead_letter.as_ref().and_then(|to| queue(seen.scope, &to.target));
    }
}

fn retention(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    // In a FIFO queue a dead letter begins a new time.
    let to = seen.spec.dead_letter.as_ref().filter(|_| !seen.spec.fifo);
    let Some((address, dead)) = to.and_then(|to| queue(seen.scope, &to.target)) else { return };
    let (own, its) = (seen.spec.retention_seconds.unwrap_or(RETENTION), dead.retention_seconds.unwrap_or(RETENTION));
    notes.add_if(its <= own, "dead_letter.target", || {
        format!("`{address}` keeps messages for {its} s, and this for {own} s")
    });
}

fn receives(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(to) = &seen.spec.dead_letter else { return };
    let count = to.max_receives;
    notes.add_if(!(1..=1_000).contains(&count), "dead_letter.max_receives", || format!("it is {count}"));
}

fn encryption(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let both = seen.spec.sqs_encryption == Some(true) && seen.spec.kms_key.is_some();
    if both {
        let key = RelatedPlace { address: seen.address.clone(), path: "kms_key".to_owned() };
        notes.add_beside("sqs_encryption", "it is on, and kms_key names another key", key);
    }
}

fn reuse(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let alone = seen.spec.kms_reuse_seconds.is_some() && seen.spec.kms_key.is_none();
    notes.add_if(alone, "kms_reuse_seconds", || "`kms_key` is not set".to_owned());
}

fn policy(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(document) = &seen.spec.policy else { return };
    let all = statements(document);
    notes.add_if(all.is_empty(), "policy.Statement", || "it has no statement".to_owned());
    for (at, one) in all.into_iter().enumerate() {
        let has = |field: &str| one.get(field).is_some();
        let effect = one.get("Effect").and_then(Value::as_str).unwrap_or("none");
        let wrong = [
            (!["Allow", "Deny"].contains(&effect), format!("Effect is {effect}")),
            (!has("Principal") && !has("NotPrincipal"), "there is no Principal".to_owned()),
            (!has("Action") && !has("NotAction"), "there is no Action".to_owned()),
            (!has("Resource") && !has("NotResource"), "there is no Resource".to_owned()),
        ];
        for (_, problem) in wrong.into_iter().filter(|(wrong, _)| *wrong) {
            notes.add(format!("policy.Statement.{at}"), problem);
        }
    }
    walk(document, "policy", &mut |at, text| {
        if let Some(word) = placeholder(text) {
            notes.add(at, format!("`{text}` still holds the placeholder {word}"));
        }
    });
}

fn open(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(document) = &seen.spec.policy else { return };
    for (at, one) in statements(document).into_iter().enumerate() {
        let path = format!("policy.Statement.{at}.Principal");
        notes.add_if(allows_everybody(one), path.clone(), || "everyone is allowed".to_owned());
        for service in services_of_any_account(one) {
            notes.add(path.clone(), format!("{service} is allowed without a condition on the source"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::RelatedPlace;
    use super::super::testing::{Case, TODAY, case, good};

    const JOBS: &str = "queues.queue.jobs";
    const DEAD: &str = "queues.queue.dead";

    pub(in super::super) fn cases() -> Vec<Case> {
        let ordered = json!({"name": "akidb-orders.fifo", "region": "eu-central-1", "fifo": true,
            "dead_letter": {"target": "${queues.queue.dead#arn}", "max_receives": 3}});
        let send = json!({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:eu-central-1:ACCOUNT_ID:akidb-jobs",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}});
        let open = |principal: serde_json::Value| {
            let one = json!({"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": "*"});
            json!({"Version": "2012-10-17", "Statement": [one]})
        };
        let back = json!({"target": "arn:aws:sqs:eu-central-1:123456789012:akidb-jobs", "max_receives": 3});
        vec![
            case("SQ001-queue-name").set(JOBS, "/name", json!("a b")),
            case("SQ001-queue-name").set(JOBS, "/name", json!("x".repeat(81))),
            case("SQ002-fifo-name").set(DEAD, "/name", json!("akidb-dead.fifo")),
            case("SQ003-number").set(JOBS, "/visibility_timeout_seconds", json!(43_201)),
            case("SQ003-number").set(JOBS, "/retention_seconds", json!(59)),
            case("SQ003-number").set(JOBS, "/receive_wait_seconds", json!(21)),
            case("SQ003-number").set(JOBS, "/delay_seconds", json!(-1)),
            case("SQ003-number").set(JOBS, "/max_message_bytes", json!(1_048_577)),
            case("SQ004-fifo-only").set(JOBS, "/content_based_deduplication", json!(true)),
            case("SQ005-dead-letter-target").set(JOBS, "/dead_letter/target", json!("akidb-dead")),
            case("SQ006-dead-letter-type").set("queues.queue.orders", "", ordered),
            case("SQ007-dead-letter-region").set(
                JOBS,
                "/dead_letter/target",
                json!("arn:aws:sqs:us-east-1:123456789012:other"),
            ),
            case("SQ008-dead-letter-circle").also("SQ009-dead-letter-retention").set(
                DEAD,
                "/dead_letter",
                back.clone(),
            ),
            case("SQ008-dead-letter-circle").also("SQ009-dead-letter-retention").set(JOBS, "/dead_letter", back),
            case("SQ009-dead-letter-retention").set(DEAD, "/retention_seconds", json!(345_600)),
            case("SQ010-max-receives").set(JOBS, "/dead_letter/max_receives", json!(0)),
            case("SQ011-one-encryption").set(JOBS, "/kms_key", json!("alias/aws/sqs")).set(
                JOBS,
                "/sqs_encryption",
                json!(true),
            ),
            case("SQ012-kms-reuse").set(JOBS, "/kms_reuse_seconds", json!(60)),
            case("SQ013-queue-policy").set(JOBS, "/policy", json!({"Version": "2012-10-17", "Statement": [send]})),
            case("SQ013-queue-policy").set(JOBS, "/policy", json!({"Version": "2012-10-17", "Statement": []})),
            case("SQ014-open-queue").set(JOBS, "/policy", open(json!("*"))),
            case("SQ014-open-queue").set(JOBS, "/policy", open(json!({"AWS": ["*"]}))),
            case("SQ014-open-queue").set(JOBS, "/policy", open(json!({"Service": "s3.amazonaws.com"}))),
        ]
    }

    #[test]
    fn both_settings_of_a_contradiction_are_named() {
        let both = case("SQ011-one-encryption").set(JOBS, "/kms_key", json!("alias/aws/sqs"));
        let both = both.set(JOBS, "/sqs_encryption", json!(true));
        let found = super::super::all(&both.desired, TODAY);
        let also = RelatedPlace { address: JOBS.parse().expect("an address"), path: "kms_key".to_owned() };
        let places: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.also.clone())).collect();
        assert_eq!(places, [("sqs_encryption", Some(also))]);
    }

    #[test]
    fn queues_that_sqs_takes() {
        let dead = json!({"name": "akidb-last.fifo", "region": "us-east-1", "fifo": true, "retention_seconds": 60});
        let orders = json!({"name": "akidb-orders.fifo", "region": "us-east-1", "fifo": true, "max_message_bytes": 1_024,
            "content_based_deduplication": true, "kms_key": "alias/aws/sqs", "kms_reuse_seconds": 60, "tags": {"team": "edge"},
            "dead_letter": {"target": "arn:aws:sqs:us-east-1:123456789012:akidb-last.fifo", "max_receives": 1_000}});
        // The same name in two regions is two queues.
        let far = json!({"name": "akidb-jobs", "region": "us-east-1", "sqs_encryption": false, "delay_seconds": 900,
            "dead_letter": {"target": "arn:aws:sqs:us-east-1:123456789012:of-somebody", "max_receives": 1}});
        let case = Case { desired: good(), rules: [].into(), note: String::new() };
        let case = case.set("queues.queue.last", "", dead).set("queues.queue.orders", "", orders);
        let case = case.set("queues.queue.far", "", far);
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
