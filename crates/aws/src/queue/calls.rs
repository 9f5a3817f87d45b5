//! What the calls for queues need, and what the errors of SQS mean.

use super::super::rules::{Rule, rule};
use crate::permissions::{Facts, Grant, LOOK, on};
use crate::resource::Class;

fn queue(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:sqs:{}:{}:{}", facts.text("region"), facts.account, facts.text("name"))]
}

/// Whose a queue is, is known by its tags alone.
fn every_queue(facts: &Facts<'_>) -> Vec<String> {
    vec![format!("arn:aws:sqs:{}:{}:*", facts.text("region"), facts.account)]
}

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: on::everything, actions: &["sqs:ListQueues"] },
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
pub const CODES: &[Rule] = &[
    // A name is free again, and a queue can be purged again, a minute later.
    rule("sqs", "AWS.SimpleQueueService.QueueDeletedRecently", Class::Retry),
    rule("sqs", "QueueDeletedRecently", Class::Retry),
    rule("sqs", "AWS.SimpleQueueService.PurgeQueueInProgress", Class::Retry),
    rule("sqs", "PurgeQueueInProgress", Class::Retry),
    // Not there.
    rule("sqs", "AWS.SimpleQueueService.NonExistentQueue", Class::Missing),
    rule("sqs", "QueueDoesNotExist", Class::Missing),
    // There already, with other settings.
    rule("sqs", "QueueAlreadyExists", Class::Exists),
    rule("sqs", "QueueNameExists", Class::Exists),
];
