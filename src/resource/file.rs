//! A path of a machine: a file with known content, a directory, a link, or a line in a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

/// A path and what is to be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// The machine's name in the plan.
    pub host: String,
    /// Absolute path.
    pub path: String,
    /// What is to be there.
    pub content: Content,
    /// Mode in octal digits (`0644`); left as it is when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Owning user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Owning group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A file with this text.
    Text(String),
    /// A file with the artefact of this SHA-256 (hex).
    Sha256(String),
    /// A file that the machine fetches itself when it is not there.
    Url(String),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(String),
    /// A file with this line in it, wherever.
    Line(String),
}

pub(super) const FACTS: Facts =
    Facts { replace_on: &["host", "path"], identity: &["host", "path"], mark: None, ..plain("file", "file") };
