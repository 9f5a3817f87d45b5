//! Somebody who works with `models` and a hub of their own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::cli::{self, CommandOutput, finish};
use super::hub::{HubRequest, TestHub};

/// A user with an empty home, and a hub.
pub struct User {
    pub home: TempDir,
    pub hub: TestHub,
}

impl User {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), hub: TestHub::start() }
    }

    pub fn command(&self, words: &str) -> Command {
        let mut command = cli::bare();
        let foreign = ["HF_", "HTTP", "http", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "AKIDB_", "XDG_"];
        let foreign = foreign.into_iter().chain(["HUGGING_FACE_", "TRANSFORMERS_"]).collect::<Vec<_>>();
        for (key, _) in std::env::vars().filter(|(key, _)| foreign.iter().any(|start| key.starts_with(start))) {
            command.env_remove(key);
        }
        command.env("HOME", self.home.path()).env("HF_ENDPOINT", &self.hub.url).current_dir(self.home.path());
        command.arg("models").args(words.split_whitespace());
        command
    }

    #[track_caller]
    pub fn run(&self, words: &str) -> CommandOutput {
        finish(&mut self.command(words))
    }

    #[track_caller]
    pub fn run_with(&self, words: &str, key: &str, value: &str) -> CommandOutput {
        finish(self.command(words).env(key, value))
    }

    pub fn store(&self) -> PathBuf {
        self.home.path().join(".local/share/akidb-edge/models")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.store().join("tiny").join(path)
    }

    /// What is left of a pull that did not end.
    pub fn partial(&self) -> Option<PathBuf> {
        let parts = fs::read_dir(self.store().join(".work/tiny/parts")).ok()?;
        parts.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "partial"))
    }

    /// Text without what differs from run to run.
    pub fn redact(&self, text: &str) -> String {
        let text = self.hub.redact(&text.replace(&self.home.path().display().to_string(), "[HOME]"));
        let time = |word: &str| word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
        let words = text.split(' ').map(|word| if time(word) { "[TIME]              " } else { word });
        let text = words.collect::<Vec<_>>().join(" ");
        // It depends on the processor's arithmetic, too.
        regex::Regex::new("version [0-9a-f]{12}")
            .expect("a pattern")
            .replace_all(&text, "version [VERSION]")
            .into_owned()
    }
}

/// The requests for one file.
pub fn of<'r>(requests: &'r [HubRequest], path: &str) -> Vec<&'r HubRequest> {
    requests.iter().filter(|request| request.target.ends_with(path)).collect()
}
