//! A path of a machine: a file with known content, a directory, a link, or a line in a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

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
    /// A file with the artifact of this SHA-256 (hex).
    Sha256(String),
    /// A file that the machine fetches itself when it is not there. Only earlier journals have it: nothing says what it is.
    Url(String),
    /// A file that the machine fetches itself, and that is this one or is not taken.
    Fetched {
        /// Where it is.
        url: String,
        /// Its SHA-256 (hex).
        sha256: String,
    },
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Link(String),
    /// A file with this line in it, wherever.
    Line(String),
}

impl CheckedSettings for FileSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("path", &self.path, syntax_check::path(&self.path), syntax_check::PATH);
        if let Some(mode) = &self.mode {
            look.must("mode", mode, syntax_check::mode(mode), syntax_check::MODE);
        }
        for (field, name) in [("owner", &self.owner), ("group", &self.group)] {
            if let Some(name) = name {
                look.must(field, name, syntax_check::account(name), syntax_check::ACCOUNT);
            }
        }
        match &self.content {
            Content::Link(target) => {
                look.must("link", target, !target.is_empty() && syntax_check::line(target), syntax_check::LINE);
                let mode = self.mode.as_deref().unwrap_or_default();
                look.must("mode", mode, mode.is_empty(), "leave it out: a link has the mode of what it leads to");
            }
            Content::Line(line) => {
                look.must("lines", line, !line.is_empty() && syntax_check::line(line), syntax_check::LINE)
            }
            Content::Sha256(sum) => look.must("sha256", sum, syntax_check::sha256(sum), syntax_check::SHA256),
            Content::Url(url) => look.must("url", url, syntax_check::url(url), syntax_check::URL),
            Content::Fetched { url, sha256 } => {
                look.must("url", url, syntax_check::url(url), syntax_check::URL);
                look.must("sha256", sha256, syntax_check::sha256(sha256), syntax_check::SHA256);
            }
            Content::Text(_) | Content::Directory => {}
        }
        look.done()
    }
}

pub(super) const FACTS: KindFacts = KindFacts {
    replace_on: &["host", "path"],
    identity: &["host", "path"],
    label: &["path"],
    // A text, a hash and a link are forms of one setting.
    exact: &["content"],
    ..on_device::<FileSpec>("file", "file")
};
