//! Debian packages of a machine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// Packages that are to be installed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackagesSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Package to version (as `apt-get install NAME=VERSION` takes it); an empty text takes any.
    pub packages: BTreeMap<String, String>,
    /// Package files on the machine that are installed instead of asking a repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

pub(super) const FACTS: Facts = Facts {
    replace_on: &["host"],
    identity: &["host"],
    usual_seconds: (30, 30),
    mark: None,
    ..plain("packages", "packages")
};
