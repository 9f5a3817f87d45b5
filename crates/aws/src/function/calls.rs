//! What the calls for functions need, and what the errors of Lambda mean.

use super::super::permissions::{Facts, Grant, everything};
use super::super::rules::{Rule, rule, saying};
use crate::resource::Class;

fn function(facts: &Facts<'_>) -> Vec<String> {
    let (region, name) = (facts.text("region"), facts.text("name"));
    vec![
        format!("arn:aws:lambda:{region}:{}:function:{name}", facts.account),
        format!("arn:aws:lambda:{region}:{}:function:{name}:*", facts.account),
    ]
}

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: "FindOwnFunctions", on: everything, actions: &["lambda:ListFunctions", "lambda:ListTags"] },
    Grant {
        sid: "Functions",
        on: function,
        actions: &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:EnableReplication*",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ],
    },
];

/// What the errors of Lambda mean.
pub const CODES: &[Rule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("lambda", "ResourceNotReadyException", Class::Retry),
    saying("lambda", "ResourceConflictException", "in progress", Class::Retry),
    saying("lambda", "InvalidParameterValueException", "cannot be assumed by Lambda", Class::Retry),
    // Held by something that a later run finds gone.
    saying("lambda", "InvalidParameterValueException", "replicated function", Class::Deferred),
    // Changed since it was read.
    rule("lambda", "PreconditionFailedException", Class::Stale),
    // Not there.
    rule("lambda", "ResourceNotFoundException", Class::Missing),
    // There already.
    rule("lambda", "ResourceConflictException", Class::Exists),
];
