//! A user or a group of a machine.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

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

impl CheckedSettings for AccountSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("name", &self.name, syntax_check::account(&self.name), syntax_check::ACCOUNT);
        for group in &self.groups {
            look.must("groups", group, syntax_check::account(group), syntax_check::ACCOUNT);
        }
        if let Some(shell) = &self.shell {
            look.must("shell", shell, syntax_check::path(shell) && !shell.contains(':'), syntax_check::PATH);
        }
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host", "name", "what"],
    identity: &["host", "name", "what"],
    unordered: &["groups"],
    ..on_device::<AccountSpec>("account", "user or group")
};
