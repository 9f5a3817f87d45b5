//! What the calls for queues need, and what the errors of SQS mean.

use super::super::error_rules::{ErrorRule, rule};
use crate::permissions::{Grant, LOOK, PolicyContext, context};
use crate::resource::FaultClass;

fn queue(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:sqs:{}:{}:{}", facts.text("region"), facts.account, facts.text("name"))]
}

/// Whose a queue is, is known by its tags alone.
fn every_queue(facts: &PolicyContext<'_>) -> Vec<String> {
    vec![format!("arn:aws:sqs:{}:{}:*", facts.text("region"), facts.account)]
}

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["sqs:ListQueues"] },
    Grant { sid: "WhoseQueues", on: every_queue, actions: &["sqs:ListQueueTags"] },
    Grant {
        sid: "Queues",
        on: queue,
        actions: &[
            "sqs:CreateQueue",
            "sqs:DeleteQueue",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ListQueueTags",
            "sqs:SetQueueAttributes",
            "sqs:TagQueue",
            "sqs:UntagQueue",
        ],
    },
];

/// What the errors of SQS mean: AWS answers with the codes of its older protocol, other endpoints with the names of the model.
pub const CODES: &[ErrorRule] = &[
    // A name is free again, and a queue can be purged again, a minute later.
    rule("sqs", "AWS.SimpleQueueService.QueueDeletedRecently", FaultClass::Retry),
    rule("sqs", "QueueDeletedRecently", FaultClass::Retry),
    rule("sqs", "AWS.SimpleQueueService.PurgeQueueInProgress", FaultClass::Retry),
    rule("sqs", "PurgeQueueInProgress", FaultClass::Retry),
    // Not there.
    rule("sqs", "AWS.SimpleQueueService.NonExistentQueue", FaultClass::Missing),
    rule("sqs", "QueueDoesNotExist", FaultClass::Missing),
    // There already, with other settings.
    rule("sqs", "QueueAlreadyExists", FaultClass::Exists),
    rule("sqs", "QueueNameExists", FaultClass::Exists),
];
