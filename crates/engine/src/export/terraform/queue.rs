//! Queues.

use serde_json::json;

use super::compute::tags;
use super::hcl::Body;
use super::{ExportItem, TerraformResource, resource};
use crate::resource::queue::QueueSpec;

pub fn queue(item: &ExportItem<'_>) -> TerraformResource {
    let spec: QueueSpec = item.typed()?;
    let mut body = Body::new()
        .set("name", spec.name)
        .set_some("fifo_queue", spec.fifo.then_some(true))
        .set_some("content_based_deduplication", spec.content_based_deduplication)
        .set_some("message_retention_seconds", spec.retention_seconds)
        .set_some("visibility_timeout_seconds", spec.visibility_timeout_seconds)
        .set_some("receive_wait_time_seconds", spec.receive_wait_seconds)
        .set_some("delay_seconds", spec.delay_seconds)
        .set_some("max_message_size", spec.max_message_bytes)
        .set_some("sqs_managed_sse_enabled", spec.sqs_encryption.filter(|_| spec.kms_key.is_none()))
        .set_some("kms_master_key_id", spec.kms_key)
        .set_some("kms_data_key_reuse_period_seconds", spec.kms_reuse_seconds);
    if let Some(to) = spec.dead_letter {
        body =
            body.json("redrive_policy", &json!({"deadLetterTargetArn": to.target, "maxReceiveCount": to.max_receives}));
    }
    if let Some(policy) = &spec.policy {
        body = body.json("policy", policy);
    }
    let body = body.set("tags", tags(item, &spec.tags));
    // Version 5 of the provider knows the size that new queues had before.
    let unread: &'static [&'static str] = if spec.max_message_bytes.is_none() { &["max_message_size"] } else { &[] };
    let url = item.attributes.get("url").and_then(serde_json::Value::as_str).unwrap_or(item.id);
    Ok((vec![resource("aws_sqs_queue", item, url, body).at(&spec.region).unread(unread)], Vec::new()))
}
