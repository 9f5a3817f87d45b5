//! What the calls for functions need, and what the errors of Lambda mean.

use super::super::rules::{Rule, rule, saying};
use crate::permissions::{Grant, LOOK, on};
use crate::resource::Class;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: on::everything, actions: &["lambda:ListFunctions"] },
    Grant { sid: "WhoseFunctions", on: on::every_function, actions: &["lambda:ListTags"] },
    Grant {
        sid: "Functions",
        on: on::function,
        actions: &[
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:GetFunction",
            "lambda:GetFunctionConfiguration",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:TagResource",
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
