//! The settings of a queue as SQS's attributes: texts by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::policy;
use crate::resource::UnmanagedField;
use crate::resource::queue::{DeadLetter, QueueSpec};

/// Attributes as SQS has them.
pub type QueueAttributes = BTreeMap<String, String>;

/// Seconds and bytes that a queue has where no setting states them.
const RETENTION: i32 = 345_600;
const VISIBILITY: i32 = 30;
const LARGEST: i32 = 1_048_576;
/// What it took until August 2025; queues of before have it still.
const LARGEST_BEFORE: i32 = 262_144;
const KMS_REUSE: i32 = 300;

/// The settings that are numbers: ours, its attribute, what is stated, the default.
fn numbers(spec: &QueueSpec) -> [(&'static str, &'static str, Option<i32>, i32); 6] {
    [
        ("retention_seconds", "MessageRetentionPeriod", spec.retention_seconds, RETENTION),
        ("visibility_timeout_seconds", "VisibilityTimeout", spec.visibility_timeout_seconds, VISIBILITY),
        ("receive_wait_seconds", "ReceiveMessageWaitTimeSeconds", spec.receive_wait_seconds, 0),
        ("delay_seconds", "DelaySeconds", spec.delay_seconds, 0),
        ("max_message_bytes", "MaximumMessageSize", spec.max_message_bytes, LARGEST),
        ("kms_reuse_seconds", "KmsDataKeyReusePeriodSeconds", spec.kms_reuse_seconds, KMS_REUSE),
    ]
}

/// What a new queue is made with: what the plan states.
pub fn fresh(spec: &QueueSpec) -> QueueAttributes {
    let mut all = QueueAttributes::new();
    let mut put = |name: &str, text: Option<String>| all.extend(text.map(|text| (name.to_owned(), text)));
    for (_, name, stated, _) in numbers(spec) {
        put(name, stated.map(|number| number.to_string()));
    }
    // SQS accepts no value but true.
    put("FifoQueue", spec.fifo.then(|| true.to_string()));
    put("ContentBasedDeduplication", spec.content_based_deduplication.map(|on| on.to_string()));
    put("RedrivePolicy", spec.dead_letter.as_ref().map(redrive));
    put("SqsManagedSseEnabled", spec.sqs_encryption.filter(|_| spec.kms_key.is_none()).map(|on| on.to_string()));
    put("KmsMasterKeyId", spec.kms_key.clone());
    put("Policy", spec.policy.as_ref().map(Value::to_string));
    all
}

/// What an update writes: the settings that are named in `changed`; those that the plan gave up go back to SQS's default.
/// `held` is what the queue has now.
pub fn changed(
    spec: &QueueSpec,
    changed: &BTreeSet<&str>,
    held: &QueueAttributes,
    stated: policy::StatedPolicy<'_>,
) -> QueueAttributes {
    let mut all = QueueAttributes::new();
    let mut put = |name: &str, text: String| drop(all.insert(name.to_owned(), text));
    for (ours, name, stated, default) in numbers(spec) {
        if changed.contains(ours) {
            put(name, stated.unwrap_or(default).to_string());
        }
    }
    if changed.contains("content_based_deduplication") {
        put("ContentBasedDeduplication", spec.content_based_deduplication.unwrap_or_default().to_string());
    }
    if changed.contains("dead_letter") {
        put("RedrivePolicy", spec.dead_letter.as_ref().map(redrive).unwrap_or_default());
    }
    if changed.contains("kms_key") || changed.contains("sqs_encryption") {
        match &spec.kms_key {
            // SQS switches its own encryption off.
            Some(key) => put("KmsMasterKeyId", key.clone()),
            None => {
                if kms_key(held).is_some() {
                    put("KmsMasterKeyId", String::new());
                }
                put("SqsManagedSseEnabled", spec.sqs_encryption.unwrap_or(true).to_string());
            }
        }
    }
    if changed.contains("policy") {
        put("Policy", policy::written(held.get("Policy").map(String::as_str), stated));
    }
    all
}

/// The settings of a queue, all of them, but without its policy and tags.
pub fn spec(name: &str, region: &str, held: &QueueAttributes) -> QueueSpec {
    let number = |name: &str| held.get(name).and_then(|text| text.parse().ok());
    let flag = |name: &str| held.get(name).map(|text| text == "true");
    let kms_key = kms_key(held);
    QueueSpec {
        name: name.to_owned(),
        region: region.to_owned(),
        fifo: flag("FifoQueue").unwrap_or_default(),
        content_based_deduplication: Some(flag("ContentBasedDeduplication").unwrap_or_default()),
        retention_seconds: number("MessageRetentionPeriod"),
        visibility_timeout_seconds: number("VisibilityTimeout"),
        receive_wait_seconds: number("ReceiveMessageWaitTimeSeconds"),
        delay_seconds: number("DelaySeconds"),
        max_message_bytes: number("MaximumMessageSize"),
        dead_letter: held.get("RedrivePolicy").and_then(|text| dead_letter(text)),
        // Off beside a key of KMS, also at an endpoint that goes on to show it; on where it is not shown.
        sqs_encryption: Some(kms_key.is_none() && flag("SqsManagedSseEnabled").unwrap_or(true)),
        kms_reuse_seconds: number("KmsDataKeyReusePeriodSeconds").filter(|_| kms_key.is_some()),
        kms_key,
        policy: None,
        tags: BTreeMap::new(),
    }
}

/// The values of a queue like this one where no setting states them.
pub fn usual(held: &QueueSpec, before: Option<&QueueSpec>) -> Value {
    let mut usual: serde_json::Map<String, Value> =
        numbers(held).into_iter().map(|(ours, _, _, default)| (ours.to_owned(), default.into())).collect();
    usual.insert("content_based_deduplication".to_owned(), false.into());
    usual.insert("sqs_encryption".to_owned(), held.kms_key.is_none().into());
    let stated = before.is_some_and(|before| before.max_message_bytes.is_some());
    if held.max_message_bytes == Some(LARGEST_BEFORE) && !stated {
        usual.insert("max_message_bytes".to_owned(), LARGEST_BEFORE.into());
    }
    Value::Object(usual)
}

/// What no setting of ours is about, where it is not as SQS makes it.
pub fn others(held: &QueueAttributes) -> Vec<UnmanagedField> {
    let all = [
        ("deduplication_scope", "DeduplicationScope", "queue"),
        ("throughput_limit", "FifoThroughputLimit", "perQueue"),
        ("redrive_allow_policy", "RedriveAllowPolicy", ""),
    ];
    let there = all.into_iter().filter_map(|(path, name, usual)| {
        let text = held.get(name).filter(|text| *text != usual)?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        Some(UnmanagedField { path: path.to_owned(), value, theirs: false })
    });
    there.filter(|extra| extra.value != json!({"redrivePermission": "allowAll"})).collect()
}

/// How many messages are in it, about: those to be received, those that were, and those that are delayed.
pub fn messages(held: &QueueAttributes) -> u64 {
    let counts =
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];
    counts.iter().filter_map(|name| held.get(*name)?.parse::<u64>().ok()).sum()
}

/// Whether a read shows what was asked for. Texts that the service may write otherwise (a policy, a key) are left out: nothing
/// would end the wait for them.
pub fn shows(held: &QueueAttributes, spec: &QueueSpec) -> bool {
    let same = |name: &str, wanted: Option<String>| wanted.is_none_or(|wanted| held.get(name) == Some(&wanted));
    numbers(spec).into_iter().all(|(_, name, stated, _)| same(name, stated.map(|number| number.to_string())))
        && same("ContentBasedDeduplication", spec.content_based_deduplication.map(|on| on.to_string()))
}

fn kms_key(held: &QueueAttributes) -> Option<String> {
    held.get("KmsMasterKeyId").filter(|key| !key.is_empty()).cloned()
}

fn redrive(to: &DeadLetter) -> String {
    json!({"deadLetterTargetArn": to.target, "maxReceiveCount": to.max_receives}).to_string()
}

/// The number may stand as a text, as whoever wrote it gave it.
fn dead_letter(text: &str) -> Option<DeadLetter> {
    let held: Value = serde_json::from_str(text).ok()?;
    let count = held.get("maxReceiveCount")?;
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    let target = held.get("deadLetterTargetArn")?.as_str()?.to_owned();
    Some(DeadLetter { target, max_receives: i32::try_from(count).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(settings: Value) -> QueueSpec {
        let mut all = json!({"name": "jobs", "region": "eu-central-1"});
        all.as_object_mut().expect("fields").extend(settings.as_object().expect("fields").clone());
        serde_json::from_value(all).expect("a spec")
    }

    fn texts(all: &[(&str, &str)]) -> QueueAttributes {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    const NOTHING: policy::StatedPolicy<'static> = policy::StatedPolicy { now: None, before: None };

    #[test]
    fn a_new_queue_is_made_with_what_the_plan_states() {
        let all = plan(json!({"fifo": true, "content_based_deduplication": true, "retention_seconds": 60,
            "dead_letter": {"target": "arn:aws:sqs:eu-central-1:123456789012:dead.fifo", "max_receives": 3},
            "kms_key": "alias/aws/sqs"}));
        let wanted = texts(&[
            ("ContentBasedDeduplication", "true"),
            ("FifoQueue", "true"),
            ("KmsMasterKeyId", "alias/aws/sqs"),
            ("MessageRetentionPeriod", "60"),
            (
                "RedrivePolicy",
                r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:123456789012:dead.fifo","maxReceiveCount":3}"#,
            ),
        ]);
        assert_eq!(fresh(&all), wanted);
        assert_eq!(fresh(&plan(json!({}))), QueueAttributes::new());
        assert_eq!(fresh(&plan(json!({"sqs_encryption": false}))), texts(&[("SqsManagedSseEnabled", "false")]));
    }

    #[test]
    fn only_what_changed_is_written_and_what_was_given_up_goes_back() {
        let now = plan(json!({"delay_seconds": 5, "visibility_timeout_seconds": 60}));
        let tops = BTreeSet::from(["delay_seconds", "retention_seconds", "dead_letter"]);
        let wanted = texts(&[("DelaySeconds", "5"), ("MessageRetentionPeriod", "345600"), ("RedrivePolicy", "")]);
        assert_eq!(changed(&now, &tops, &QueueAttributes::new(), NOTHING), wanted);
    }

    #[test]
    fn one_encryption_takes_the_place_of_the_other() {
        let held = texts(&[("KmsMasterKeyId", "alias/aws/sqs"), ("SqsManagedSseEnabled", "false")]);
        let back = changed(&plan(json!({})), &BTreeSet::from(["kms_key"]), &held, NOTHING);
        assert_eq!(back, texts(&[("KmsMasterKeyId", ""), ("SqsManagedSseEnabled", "true")]));
        let plain = texts(&[("SqsManagedSseEnabled", "true")]);
        let to = changed(&plan(json!({"kms_key": "k"})), &BTreeSet::from(["kms_key"]), &plain, NOTHING);
        assert_eq!(to, texts(&[("KmsMasterKeyId", "k")]));
        let off =
            changed(&plan(json!({"sqs_encryption": false})), &BTreeSet::from(["sqs_encryption"]), &plain, NOTHING);
        assert_eq!(off, texts(&[("SqsManagedSseEnabled", "false")]));
    }

    #[test]
    fn defaults_are_told_from_settings() {
        let held = texts(&[
            ("VisibilityTimeout", "30"),
            ("MaximumMessageSize", "262144"),
            ("MessageRetentionPeriod", "345600"),
            ("DelaySeconds", "0"),
            ("ReceiveMessageWaitTimeSeconds", "0"),
            ("SqsManagedSseEnabled", "true"),
            ("RedriveAllowPolicy", r#"{"redrivePermission":"allowAll"}"#),
            ("FifoThroughputLimit", "perMessageGroupId"),
        ]);
        let spec = spec("jobs", "eu-central-1", &held);
        let told = serde_json::to_value(&spec).expect("a spec");
        let usual = usual(&spec, None);
        for (path, default) in usual.as_object().expect("fields") {
            assert!(told.get(path).is_none_or(|held| held == default), "{path}");
        }
        let others = others(&held);
        assert_eq!(others.iter().map(|extra| extra.path.as_str()).collect::<Vec<_>>(), ["throughput_limit"]);
        // Of a queue under a key of KMS, that of SQS is off.
        for shown in ["false", "true"] {
            let under = texts(&[("KmsMasterKeyId", "k"), ("SqsManagedSseEnabled", shown)]);
            let spec = super::spec("jobs", "eu-central-1", &under);
            assert_eq!(spec.sqs_encryption, Some(false), "{shown}");
            assert_eq!(super::usual(&spec, None)["sqs_encryption"], json!(false));
        }
    }

    #[test]
    fn a_redrive_policy_is_read_however_its_number_is_written() {
        for count in ["5", "\"5\""] {
            let text = format!(r#"{{"deadLetterTargetArn":"a","maxReceiveCount":{count}}}"#);
            assert_eq!(dead_letter(&text), Some(DeadLetter { target: "a".to_owned(), max_receives: 5 }));
        }
        for bad in ["", "5", "{}", r#"{"deadLetterTargetArn":"a","maxReceiveCount":"x"}"#] {
            assert_eq!(dead_letter(bad), None, "{bad}");
        }
    }

    #[test]
    fn messages_are_counted_in_every_state() {
        let held = texts(&[
            ("ApproximateNumberOfMessages", "2"),
            ("ApproximateNumberOfMessagesNotVisible", "1"),
            ("ApproximateNumberOfMessagesDelayed", "x"),
        ]);
        assert_eq!((messages(&held), messages(&QueueAttributes::new())), (3, 0));
    }

    #[test]
    fn a_change_is_shown_once_every_number_is() {
        let spec = plan(json!({"delay_seconds": 5, "policy": {"Version": "2012-10-17"}}));
        assert!(shows(&texts(&[("DelaySeconds", "5"), ("VisibilityTimeout", "30")]), &spec));
        assert!(!shows(&texts(&[("DelaySeconds", "0")]), &spec));
    }
}
