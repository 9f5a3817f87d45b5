//! A container image in the store of a machine's containerd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

/// An image that was brought as an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Its reference, such as `akidb/rest:jetson-v1.0.0`.
    pub reference: String,
    /// SHA-256 (hex) of the archive.
    pub archive_sha256: String,
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
}

impl CheckedSettings for ImageSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("reference", &self.reference, syntax_check::image(&self.reference), syntax_check::IMAGE);
        look.must(
            "archive_sha256",
            &self.archive_sha256,
            syntax_check::sha256(&self.archive_sha256),
            syntax_check::SHA256,
        );
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host", "reference"],
    identity: &["host", "reference"],
    usual_seconds: (20, 20),
    label: &[],
    ..on_device::<ImageSpec>("image", "container image")
};
