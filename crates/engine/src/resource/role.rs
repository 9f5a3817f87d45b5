//! IAM role.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id_form::{self, IdForm, IdPart};
use super::kind_facts::{ApiRow, KindFacts, NO_MEMBER, on_aws};
use super::naming::Naming;

/// An IAM role; its policies are generated from what it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleSpec {
    /// Role name, up to 64 characters.
    pub name: String,
    /// Its purpose.
    pub description: String,
    /// Trust policy document.
    pub trust: Value,
    /// Inline policies: name to document.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inline: BTreeMap<String, Value>,
    /// ARNs of attached managed policies, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed: Vec<String>,
    /// ARN of the managed policy that none of its policies can go beyond: its permissions boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    /// Tags besides the tool's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn read_id(given: &str) -> Option<&str> {
    id_form::plain(id_form::tail(given, "arn:aws:iam::", ":role/"))
}

const SETTINGS: &[ApiRow] = &[
    ("name", "iam.CreateRoleRequest.RoleName"),
    ("description", "iam.CreateRoleRequest.Description"),
    ("trust", NO_MEMBER),
    ("inline.~", "iam.PutRolePolicyRequest.PolicyName"),
    ("inline.*", NO_MEMBER),
    ("managed", NO_MEMBER),
    ("managed.*", "iam.AttachRolePolicyRequest.PolicyArn"),
    ("boundary", "iam.CreateRoleRequest.PermissionsBoundary"),
    ("tags.~", "iam.Tag.Key"),
    ("tags.*", "iam.Tag.Value"),
];

pub(super) const FACTS: KindFacts = KindFacts {
    api: &[("", SETTINGS)],
    replace_on: &["name"],
    identity: &["name"],
    exact: &["trust", "inline", "managed"],
    usual_seconds: (10, 10),
    attributes: &["arn", "name"],
    id: IdForm {
        words: "the role's name or ARN",
        example: "akidb-gateway",
        read: read_id,
        made_of: &[IdPart::Setting("name")],
    },
    naming: Naming { attributes: &["arn"], ..Naming::NONE },
    ..on_aws::<RoleSpec>("role", "IAM role")
};
