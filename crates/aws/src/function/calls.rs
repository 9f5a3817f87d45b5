//! What the calls for functions need, and what the errors of Lambda mean.

use super::super::error_rules::{ErrorRule, rule, saying};
use crate::permissions::{Grant, LOOK, context};
use crate::resource::FaultClass;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["lambda:ListFunctions"] },
    Grant { sid: "WhoseFunctions", on: context::every_function, actions: &["lambda:ListTags"] },
    Grant {
        sid: "Functions",
        on: context::function,
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
pub const CODES: &[ErrorRule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("lambda", "ResourceNotReadyException", FaultClass::Retry),
    saying("lambda", "ResourceConflictException", "in progress", FaultClass::Retry),
    saying("lambda", "InvalidParameterValueException", "cannot be assumed by Lambda", FaultClass::Retry),
    // Held by something that a later run finds gone.
    saying("lambda", "InvalidParameterValueException", "replicated function", FaultClass::Deferred),
    // Changed since it was read.
    rule("lambda", "PreconditionFailedException", FaultClass::Stale),
    // Not there.
    rule("lambda", "ResourceNotFoundException", FaultClass::Missing),
    // There already.
    rule("lambda", "ResourceConflictException", FaultClass::Exists),
];
