//! What is in a repository at a revision: names, sizes and hashes.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Response;
use serde::Deserialize;

use super::Hub;
use super::retry::{RetryState, TryFailure};
use crate::files::RelativePath;
use crate::models::digest::ExpectedDigest;
use crate::models::event::ModelListener;
use crate::models::fault::ModelsFault;
use crate::models::name::{Repo, is_commit};

/// No listing is longer.
const LONGEST: usize = 16 << 20;

/// A file of the hub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RemoteFile {
    /// Bytes.
    pub size: u64,
    /// What they are to be.
    pub expected: ExpectedDigest,
}

/// A repository at a commit.
#[derive(Clone, Debug)]
pub struct RepoListing {
    /// The commit.
    pub commit: String,
    files: BTreeMap<RelativePath, Option<RemoteFile>>,
}

impl RepoListing {
    /// From the hub's answer to a question for this revision.
    ///
    /// # Errors
    /// It is not as expected, or names another commit.
    pub fn read(bytes: &[u8], repo: &Repo, revision: &str) -> Result<Self, ModelsFault> {
        read(bytes, repo, revision)
    }

    /// The paths of all files.
    pub fn paths(&self) -> BTreeSet<&str> {
        self.files.keys().map(RelativePath::as_str).collect()
    }

    /// A file, and its path in the model's folder.
    ///
    /// # Errors
    /// When the hub gave no size or hash for it: then its bytes cannot be checked.
    pub fn remote(&self, path: &str) -> Result<(&RelativePath, &RemoteFile), ModelsFault> {
        let known = self.files.get_key_value(path).and_then(|(below, remote)| Some((below, remote.as_ref()?)));
        known.ok_or_else(|| ModelsFault::Answer {
            what: path.to_owned(),
            why: "it has no size or no hash for it".to_owned(),
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    #[serde(rename = "rfilename")]
    path: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Sibling {
    fn remote(&self) -> Option<RemoteFile> {
        let hex = |text: &str, length: usize| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
        let (size, expected) = match &self.lfs {
            Some(large) => {
                let sha256 = large.sha256.as_ref().filter(|sha256| hex(sha256, 64))?;
                (large.size.or(self.size)?, ExpectedDigest::Sha256(sha256.to_lowercase()))
            }
            None => {
                let blob = self.blob.as_ref().filter(|blob| hex(blob, 40))?;
                (self.size?, ExpectedDigest::GitBlob(blob.to_lowercase()))
            }
        };
        Some(RemoteFile { size, expected })
    }
}

impl Hub {
    /// Asks for it.
    ///
    /// # Errors
    /// When it cannot be had, or cannot be used.
    pub async fn listing(
        &self,
        repo: &Repo,
        revision: &str,
        listener: ModelListener<'_>,
    ) -> Result<RepoListing, ModelsFault> {
        let what = format!("revision {revision}");
        let mut tries = RetryState::new(self.retry_policy, &what, self.host(), listener);
        loop {
            match self.list_once(repo, revision, &what).await {
                Ok(bytes) => return read(&bytes, repo, revision),
                Err(trouble) => tries.pause(trouble).await?,
            }
        }
    }

    async fn list_once(&self, repo: &Repo, revision: &str, what: &str) -> Result<Vec<u8>, TryFailure> {
        let mut url = self.url(&["api", "models", &repo.owner, &repo.name, "revision", revision]);
        url.set_query(Some("blobs=true"));
        let answer = self.get(url).send().await?;
        if !answer.status().is_success() {
            return Err(self.refusal(&answer, repo, what));
        }
        whole(answer, repo).await
    }
}

async fn whole(mut answer: Response, repo: &Repo) -> Result<Vec<u8>, TryFailure> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST {
            let why = "it is longer than 16 MB".to_owned();
            return Err(ModelsFault::Answer { what: repo.to_string(), why }.into());
        }
    }
    Ok(bytes)
}

fn read(bytes: &[u8], repo: &Repo, revision: &str) -> Result<RepoListing, ModelsFault> {
    let bad = |why: String| ModelsFault::Answer { what: repo.to_string(), why };
    let answer: Answer = serde_json::from_slice(bytes).map_err(|why| bad(format!("not as expected: {why}")))?;
    if !is_commit(&answer.sha) || (is_commit(revision) && !answer.sha.eq_ignore_ascii_case(revision)) {
        return Err(bad("it names a different commit than requested, or none".to_owned()));
    }
    let mut files = BTreeMap::new();
    for sibling in answer.siblings {
        // A file of a model has a plain path: one that would be outside of its folder is none, and is never asked for.
        if let Some(below) = RelativePath::parse(&sibling.path) {
            files.insert(below, sibling.remote());
        }
    }
    Ok(RepoListing { commit: answer.sha.to_lowercase(), files })
}
