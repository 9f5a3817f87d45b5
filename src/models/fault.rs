//! Errors of models: what, why, and the next step.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::delivery::disk::FileFault;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ModelsFault {
    /// Not a name of a model.
    #[error("invalid model name {name:?}: letters, digits, '.', '_' and '-', a letter or digit first")]
    Name {
        /// What was said.
        name: String,
    },
    /// Not a repository.
    #[error("invalid repository {repo:?}: write OWNER/NAME, or NAME alone")]
    Repo {
        /// What was said.
        repo: String,
    },
    /// Not a revision.
    #[error("invalid revision {revision:?}: write a branch, a tag or a commit")]
    Revision {
        /// What was said.
        revision: String,
    },
    /// No such model in the store.
    #[error("no model {name} in {store}{}", listed(known))]
    Unknown {
        /// Its name.
        name: String,
        /// The store.
        store: String,
        /// The models that are there.
        known: Vec<String>,
    },
    /// Something of that name is there already.
    #[error("{name} is already in {store}: {what}")]
    Taken {
        /// Its name.
        name: String,
        /// The store.
        store: String,
        /// What is there.
        what: String,
    },
    /// A folder, or what a repository has, that is not a model.
    #[error("{path} is not a model folder: {why}")]
    NoModel {
        /// The folder, or the repository.
        path: String,
        /// What is missing.
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
    /// Something in the store that is not ours to delete.
    #[error("{path} is not deleted: {why}")]
    Foreign {
        /// The path.
        path: String,
        /// What it is.
        why: String,
    },
    /// Another process is at work on the same model.
    #[error("{name} is being changed by another akidb-edge{}", by(*process))]
    Busy {
        /// Its name.
        name: String,
        /// That process, where it said so.
        process: Option<u32>,
    },
    /// Without the network it cannot be done.
    #[error("{name} is not available offline: {why}")]
    Offline {
        /// Its name.
        name: String,
        /// What is not here.
        why: String,
    },
    /// The hub does not give it.
    #[error("{problem}")]
    Refused {
        /// What and why.
        problem: String,
        /// What to do.
        next_step: String,
    },
    /// The hub cannot be reached, or breaks off.
    #[error("cannot download {what} from {host}: {why} (tried {tries} times)")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Whom.
        host: String,
        /// What happened the last time.
        why: String,
        /// How often.
        tries: u32,
    },
    /// The hub wants to be asked less often.
    #[error("{host} is rate limiting requests for {what} (429){}", waits(*wait))]
    Limited {
        /// What was asked for.
        what: String,
        /// Whom.
        host: String,
        /// The pause that it asks for, when it says one.
        wait: Option<Duration>,
        /// Whether a token was sent.
        token: bool,
    },
    /// The bytes are not what they are to be.
    #[error("{file} does not match what the hub listed: {why}")]
    WrongBytes {
        /// The file.
        file: String,
        /// What differs.
        why: String,
    },
    /// The answer of the hub cannot be used.
    #[error("the hub's answer about {what} cannot be used: {why}")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// A file of this machine.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<FileFault> for ModelsFault {
    fn from(FileFault { path, source }: FileFault) -> Self {
        Self::File { path, source }
    }
}

impl ModelsFault {
    /// What keeps a folder, or what a repository has, from being a model.
    pub fn no_model(path: impl Into<String>, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::NoModel { path: path.into(), why: why.into() }
    }

    /// A fault of a file.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Whether it was refused before anything was done.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Name { .. }
                | Self::Repo { .. }
                | Self::Revision { .. }
                | Self::Taken { .. }
                | Self::NoModel { .. }
                | Self::Foreign { .. }
        )
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        match self {
            Self::Name { .. } => "akidb-edge models list shows the names; --as gives a model another one".to_owned(),
            Self::Repo { .. } => "akidb-edge models pull sentence-transformers/all-MiniLM-L6-v2".to_owned(),
            Self::Revision { .. } => "--revision main".to_owned(),
            Self::Unknown { .. } => {
                "akidb-edge models list shows the models; models pull NAME downloads one".to_owned()
            }
            Self::Taken { name, .. } => format!("akidb-edge models remove {name}, or choose another name with --as"),
            Self::NoModel { .. } => {
                "name a folder with config.json, tokenizer.json, 1_Pooling/config.json and an ONNX \
                                     graph (model.onnx or model_int8.onnx)"
                    .to_owned()
            }
            Self::Foreign { .. } => "delete it manually if nothing needs it".to_owned(),
            Self::Busy { .. } => "wait until it ends, then run the same command again".to_owned(),
            Self::Offline { name, .. } => format!(
                "run akidb-edge models pull {name} without --offline and HF_HUB_OFFLINE on a machine with network \
                 access, or copy the folder here and run akidb-edge models import"
            ),
            Self::Refused { next_step, .. } => next_step.clone(),
            Self::Unreachable { .. } => {
                "check the network and the proxy (HTTPS_PROXY, HF_ENDPOINT), then run the same command again: files \
                 that are already here are not downloaded again"
                    .to_owned()
            }
            Self::Limited { token: false, .. } => {
                "set HF_TOKEN for a higher rate limit; or run the same command again later: files that are already \
                 here are not downloaded again"
                    .to_owned()
            }
            Self::Limited { .. } => {
                "run the same command again later: files that are already here are not downloaded again".to_owned()
            }
            Self::WrongBytes { .. } => {
                "it was discarded; run the same command again, and if this persists, ask the operator of the hub, \
                 mirror or proxy"
                    .to_owned()
            }
            Self::Answer { .. } => "check HF_ENDPOINT: it must be a hub with Hugging Face's API".to_owned(),
            Self::File { source, .. } => of_the_disk(source).to_owned(),
        }
    }
}

fn of_the_disk(source: &io::Error) -> &'static str {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match source.kind() {
        StorageFull | QuotaExceeded => {
            "free space on that file system, or name another folder with --models, then run the same command again"
        }
        PermissionDenied | ReadOnlyFilesystem | NotADirectory => {
            "make it readable and writable for this user, or name another folder with --models"
        }
        NotFound => "check the path",
        _ => "fix that, then run the same command again",
    }
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "; it is empty".to_owned() } else { format!("; there are {}", known.join(", ")) }
}

fn waits(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!("; retry after {} s", wait.as_secs()))
}

fn by(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}
