//! A user or a group of a machine.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, on_device};
use super::words::{self, Look, Sound, Wrong};

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Name of the user or group.
    pub name: String,
    /// `user` or `group`.
    pub what: AccountKind,
    /// Groups that a user is in, besides others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Login shell of a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
}

/// User or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// A system user.
    User,
    /// A system group.
    Group,
}

impl Sound for AccountSpec {
    fn wrong(&self) -> Vec<Wrong> {
        let mut look = Look::default();
        look.must("name", &self.name, words::account(&self.name), words::ACCOUNT);
        for group in &self.groups {
            look.must("groups", group, words::account(group), words::ACCOUNT);
        }
        if let Some(shell) = &self.shell {
            look.must("shell", shell, words::path(shell) && !shell.contains(':'), words::PATH);
        }
        look.done()
    }
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["host", "name", "what"],
    identity: &["host", "name", "what"],
    unordered: &["groups"],
    ..on_device::<AccountSpec>("account", "user or group")
};
