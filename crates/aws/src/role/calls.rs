//! What the calls for roles need, and what the errors of IAM mean.

use super::super::error_rules::{ErrorRule, rule};
use crate::permissions::{Grant, LOOK, context};
use crate::resource::FaultClass;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["iam:ListRoles"] },
    Grant { sid: "WhoseRoles", on: context::every_role, actions: &["iam:ListRoleTags"] },
    Grant {
        sid: "Roles",
        on: context::role,
        actions: &[
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:TagRole",
            "iam:UpdateRole",
        ],
    },
];

/// What the errors of IAM mean.
pub const CODES: &[ErrorRule] = &[
    // In trouble for a moment.
    rule("iam", "ServiceFailure", FaultClass::Retry),
    // Busy with something else, or not known everywhere yet.
    rule("iam", "ConcurrentModification", FaultClass::Retry),
    rule("iam", "EntityTemporarilyUnmodifiable", FaultClass::Retry),
    // Not there.
    rule("iam", "NoSuchEntity", FaultClass::Missing),
    // There already.
    rule("iam", "EntityAlreadyExists", FaultClass::Exists),
];
