//! Debian packages of a machine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

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

impl CheckedSettings for PackagesSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        for (name, version) in &self.packages {
            look.must("packages", name, syntax_check::package(name), syntax_check::PACKAGE);
            let fits = version.is_empty() || syntax_check::package_version(version);
            look.must(&format!("packages.{name}"), version, fits, syntax_check::PACKAGE_VERSION);
        }
        for file in &self.files {
            look.must("files", file, syntax_check::path(file), syntax_check::PATH);
        }
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host"],
    identity: &["host"],
    usual_seconds: (30, 30),
    label: &[],
    same_by: Some(&["host", "packages", "files"]),
    ..on_device::<PackagesSpec>("packages", "packages")
};
