//! SQS queue.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id_form::IdForm;
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;
use super::syntax_check;

/// An SQS queue and the settings that the plan states; what it leaves out is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSpec {
    /// Name, up to 80 letters, digits, dashes and underscores; that of a FIFO queue ends with `.fifo`, which counts.
    pub name: String,
    /// Region, e.g. `eu-central-1`.
    pub region: String,
    /// Whether it is a FIFO queue: messages in order, each once. It cannot be changed later.
    #[serde(default)]
    pub fifo: bool,
    /// Whether messages of a FIFO queue with the same content are duplicates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_based_deduplication: Option<bool>,
    /// Seconds that a message is kept, 60 to 1,209,600 (14 days); AWS's default is 345,600 (4 days).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_seconds: Option<i32>,
    /// Seconds that a received message is hidden from others, 0 to 43,200 (12 hours); AWS's default is 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_timeout_seconds: Option<i32>,
    /// Seconds that a receive waits for a message (long polling), 0 to 20; AWS's default is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_wait_seconds: Option<i32>,
    /// Seconds until a sent message can be received, 0 to 900; AWS's default is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<i32>,
    /// Largest message in bytes, 1,024 to 1,048,576 (1 MiB, AWS's default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_message_bytes: Option<i32>,
    /// Queue for messages that were received too often without being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// Encryption under a key of SQS (SSE-SQS). AWS's default is on; beside `kms_key` it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs_encryption: Option<bool>,
    /// KMS key of the encryption (SSE-KMS): ARN, id or `alias/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Seconds that SQS uses one data key of KMS, 60 to 86,400; AWS's default is 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_reuse_seconds: Option<i32>,
    /// Policy document. Statements that were added by other means stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Queue for messages that were received too often without being deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// ARN of the queue that takes them, of the same type and region; in a plan also the queue's name there.
    pub target: String,
    /// Number of receives after which a message is moved there, 1 to 1,000.
    pub max_receives: i32,
}

/// The region, the account and the name of the queue that an ARN names.
pub fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, _, region, account, name] = parts[..] else { return None };
    let formed = arn.starts_with("arn:aws:sqs:") && syntax_check::region(region) && is_name(name);
    (formed && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some((region, account, name))
}

/// The ARN of the queue that a person names: by its ARN, its URL, or its name in a region and account.
fn arn_of(given: &str, region: &str, account: &str) -> Option<String> {
    let formed = |region: &str, account: &str, name: &str| {
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        parts(&arn).is_some().then_some(arn)
    };
    let Some(rest) = given.strip_prefix("https://").or_else(|| given.strip_prefix("http://")) else {
        return if is_name(given) { formed(region, account, given) } else { read_id(given).map(str::to_owned) };
    };
    let of_url: Vec<&str> = rest.split('/').collect();
    let [host, account, name] = of_url[..] else { return None };
    // The host of another endpoint than AWS's names no region.
    let now = host.strip_prefix("sqs.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let named = now.or_else(|| host.strip_suffix(".queue.amazonaws.com"));
    formed(named.unwrap_or(region), account, name)
}

/// The ARN of the queue that a person named, in the region of its settings.
fn arn_in_account(given: &str, spec: &Value, account: &str) -> Option<String> {
    arn_of(given, spec.get("region").and_then(Value::as_str).unwrap_or_default(), account)
}

/// Whether it is a name that a queue may have.
pub fn is_name(text: &str) -> bool {
    let stem = text.strip_suffix(".fifo").unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !stem.is_empty() && text.len() <= 80 && stem.bytes().all(fits)
}

fn read_id(given: &str) -> Option<&str> {
    parts(given).map(|_| given)
}

/// All that SQS calls attributes are texts to its model, whatever they mean.
const SETTINGS: &[ApiRow] = &[
    ("name", "sqs.CreateQueueRequest.QueueName"),
    ("region", NO_MEMBER),
    ("fifo", NO_MEMBER),
    ("content_based_deduplication", NO_MEMBER),
    ("retention_seconds", NO_MEMBER),
    ("visibility_timeout_seconds", NO_MEMBER),
    ("receive_wait_seconds", NO_MEMBER),
    ("delay_seconds", NO_MEMBER),
    ("max_message_bytes", NO_MEMBER),
    ("dead_letter.target", NO_MEMBER),
    ("dead_letter.max_receives", NO_MEMBER),
    ("sqs_encryption", NO_MEMBER),
    ("kms_key", NO_MEMBER),
    ("kms_reuse_seconds", NO_MEMBER),
    ("policy", NO_MEMBER),
    ("tags.~", "sqs.CreateQueueRequest.tags{key}"),
    ("tags.*", "sqs.CreateQueueRequest.tags{value}"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["name", "region", "fifo"],
    identity: &["name"],
    same_by: Some(&["name", "region"]),
    data: Some("messages"),
    exact: &["policy"],
    disruptive: &["policy"],
    usual_seconds: (1, 60),
    attributes: &["arn", "name", "url"],
    id: IdForm {
        words: "the queue's ARN, URL or name",
        example: "arn:aws:sqs:eu-central-1:123456789012:akidb-jobs",
        read: read_id,
        made_of: &[],
    },
    id_in_account: Some(arn_in_account),
    naming: Naming { id: true, attributes: &["url"], ..Naming::NONE },
    ..on_aws::<QueueSpec>("queue", "SQS queue")
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_where_a_queue_is() {
        let arn = "arn:aws:sqs:eu-central-1:123456789012:jobs.fifo";
        assert_eq!(parts(arn), Some(("eu-central-1", "123456789012", "jobs.fifo")));
        for bad in [
            "jobs",
            "arn:aws:sns:eu-central-1:123456789012:jobs",
            "arn:aws:sqs:eu-central-1:1234:jobs",
            "arn:aws:sqs:eu central:123456789012:jobs",
            "arn:aws:sqs:eu-central-1:123456789012:jo/bs",
            "arn:aws:sqs:eu-central-1:123456789012:.fifo",
            "arn:aws:sqs:eu-central-1:123456789012:",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_queue_is_named_by_its_arn_its_url_or_its_name() {
        let far = "arn:aws:sqs:us-east-1:210987654321:jobs.fifo";
        let near = "arn:aws:sqs:eu-central-1:123456789012:jobs.fifo";
        for (given, arn) in [
            (far, Some(far)),
            ("jobs.fifo", Some(near)),
            ("https://sqs.us-east-1.amazonaws.com/210987654321/jobs.fifo", Some(far)),
            ("https://us-east-1.queue.amazonaws.com/210987654321/jobs.fifo", Some(far)),
            ("http://localhost:4566/123456789012/jobs.fifo", Some(near)),
            ("https://example.com/x", None),
            ("https://sqs.us-east-1.amazonaws.com/210987654321/jobs.fifo/x", None),
            ("https://sqs.us-east-1.amazonaws.com/2109/jobs.fifo", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(arn_of(given, "eu-central-1", "123456789012").as_deref(), arn, "{given}");
        }
    }
}
