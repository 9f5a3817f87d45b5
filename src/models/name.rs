//! Names of models, repositories and revisions: validated once, at input.

use std::fmt;

use super::fault::ModelsFault;
use crate::delivery::layout::is_model_name as is_plain;

/// A folder of the store: letters, digits, `.`, `_` and `-`, and it begins with a letter or a digit.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct ModelName(String);

impl ModelName {
    /// Checks a name.
    ///
    /// # Errors
    /// When it cannot be a folder of the store.
    pub fn parse(text: &str) -> Result<Self, ModelsFault> {
        if is_plain(text) { Ok(Self(text.to_owned())) } else { Err(ModelsFault::Name { name: text.to_owned() }) }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository of the hub: `OWNER/NAME`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repo {
    /// Who it belongs to.
    pub owner: String,
    /// Its own name.
    pub name: String,
}

impl Repo {
    /// Whose a name without an owner is.
    pub const USUAL_OWNER: &'static str = "sentence-transformers";

    /// Checks `OWNER/NAME` or `NAME`.
    ///
    /// # Errors
    /// When it cannot be a repository.
    pub fn parse(text: &str) -> Result<Self, ModelsFault> {
        let (owner, name) = text.split_once('/').unwrap_or((Self::USUAL_OWNER, text));
        if is_plain(owner) && is_plain(name) {
            return Ok(Self { owner: owner.to_owned(), name: name.to_owned() });
        }
        Err(ModelsFault::Repo { repo: text.to_owned() })
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Checks the name of a branch, a tag or a commit.
///
/// # Errors
/// When it cannot be one.
pub fn revision(text: &str) -> Result<String, ModelsFault> {
    let fits = !text.is_empty() && text.len() <= 200 && text.split('/').all(is_plain);
    if fits { Ok(text.to_owned()) } else { Err(ModelsFault::Revision { revision: text.to_owned() }) }
}

/// Whether it is the full hash of a commit.
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["all-MiniLM-L6-v2", "bge-small-en-v1.5", "a", "Model_1"] {
            assert!(ModelName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".work", "a/b", "a\\b", "-a", "a b", "a..b", "é", "a\0"] {
            assert!(ModelName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_repository_without_an_owner_has_the_usual_one() {
        assert_eq!(Repo::parse("x").map(|repo| repo.to_string()).ok().as_deref(), Some("sentence-transformers/x"));
        assert_eq!(Repo::parse("BAAI/bge-m3").map(|repo| repo.to_string()).ok().as_deref(), Some("BAAI/bge-m3"));
        for bad in ["a/b/c", "/b", "a/", "../b", "a/..", "a?b", "https://x/y"] {
            assert!(Repo::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn revisions_are_plain() {
        for good in ["main", "v1.0", "refs/pr/12", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"] {
            assert!(revision(good).is_ok(), "{good}");
        }
        for bad in ["", "../x", "a//b", "/a", "a?x=1", "a b"] {
            assert!(revision(bad).is_err(), "{bad}");
        }
    }
}
