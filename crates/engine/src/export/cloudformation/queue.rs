//! Queues.

use serde_json::json;

use super::{ExportItem, ResourceExport, resource, tags};
use crate::resource::queue::QueueSpec;

pub fn queue(item: &ExportItem<'_>) -> ResourceExport {
    let spec: QueueSpec = item.typed()?;
    let url = item.attributes.get("url").and_then(serde_json::Value::as_str).unwrap_or(item.id);
    let properties = json!({
        "QueueName": spec.name,
        // Only true may stand there.
        "FifoQueue": spec.fifo.then_some(true),
        "ContentBasedDeduplication": spec.content_based_deduplication,
        "MessageRetentionPeriod": spec.retention_seconds, "VisibilityTimeout": spec.visibility_timeout_seconds,
        "ReceiveMessageWaitTimeSeconds": spec.receive_wait_seconds, "DelaySeconds": spec.delay_seconds,
        "MaximumMessageSize": spec.max_message_bytes,
        "SqsManagedSseEnabled": spec.sqs_encryption.filter(|_| spec.kms_key.is_none()),
        "KmsMasterKeyId": spec.kms_key, "KmsDataKeyReusePeriodSeconds": spec.kms_reuse_seconds,
        "RedrivePolicy": spec.dead_letter
            .map(|to| json!({"deadLetterTargetArn": to.target, "maxReceiveCount": to.max_receives})),
        "Tags": tags(item, &spec.tags),
    });
    let note = "its policy is skipped: CloudFormation keeps it in an AWS::SQS::QueuePolicy, which it cannot import";
    let notes = spec.policy.map(|_| item.note(note)).into_iter().collect();
    Ok((resource("AWS::SQS::Queue", ("QueueUrl", url), properties).at(&spec.region), notes))
}
