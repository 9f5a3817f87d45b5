//! What the calls for roles need, and what the errors of IAM mean.

use super::super::rules::{Rule, rule};
use crate::permissions::{Grant, LOOK, on};
use crate::resource::Class;

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: on::everything, actions: &["iam:ListRoles"] },
    Grant { sid: "WhoseRoles", on: on::every_role, actions: &["iam:ListRoleTags"] },
    Grant {
        sid: "Roles",
        on: on::role,
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
pub const CODES: &[Rule] = &[
    // In trouble for a moment.
    rule("iam", "ServiceFailure", Class::Retry),
    // Busy with something else, or not known everywhere yet.
    rule("iam", "ConcurrentModification", Class::Retry),
    rule("iam", "EntityTemporarilyUnmodifiable", Class::Retry),
    // Not there.
    rule("iam", "NoSuchEntity", Class::Missing),
    // There already.
    rule("iam", "EntityAlreadyExists", Class::Exists),
];
