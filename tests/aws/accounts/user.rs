//! A person with a home directory, configuration files and an environment of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use testkit::cli::{CommandOutput, bare, finish};
use testkit::local_aws;

pub struct User {
    /// The account whose keys are given out: the local AWS takes the access key id for its number.
    pub account: String,
    pub home: TempDir,
    variables: BTreeMap<String, Option<String>>,
}

impl User {
    /// Somebody in a fresh account with a region, the local AWS as endpoint, and no credentials.
    pub fn new() -> Self {
        let user =
            Self { account: local_aws::account(), home: TempDir::new().expect("a folder"), variables: BTreeMap::new() };
        std::fs::create_dir(user.home.path().join(".aws")).expect("a folder");
        let plan = format!(
            "version: 1\nstack: a{0}\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: d\n  steps:\n  - title: m\n    id: m\n    kind: models\n    with:\n      buckets:\n        b: {{name: accounts-{0}, region: us-east-1}}\n",
            user.account
        );
        user.file("plan.yaml", &plan);
        user.with("AWS_REGION", "us-east-1").with("AWS_ENDPOINT_URL", &local_aws::endpoint())
    }

    /// The same with a variable.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.variables.insert(key.to_owned(), Some(value.to_owned()));
        self
    }

    /// The same without a variable.
    pub fn without(mut self, key: &str) -> Self {
        self.variables.insert(key.to_owned(), None);
        self
    }

    /// The same with keys of the account in the environment.
    pub fn with_keys(self) -> Self {
        let account = self.account.clone();
        self.with("AWS_ACCESS_KEY_ID", &account).with("AWS_SECRET_ACCESS_KEY", "test")
    }

    /// Writes a file below the home directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text.replace("ACCOUNT", &self.account)).expect("a file");
        path
    }

    /// Writes `~/.aws/config`; `ACCOUNT` in it is the number of the account.
    pub fn config(self, text: &str) -> Self {
        self.file(".aws/config", text);
        self
    }

    /// Writes `~/.aws/credentials`.
    pub fn credentials(self, text: &str) -> Self {
        self.file(".aws/credentials", text);
        self
    }

    /// Writes a program and gives its path.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.file(name, &format!("#!/bin/sh\n{text}"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        path
    }

    /// The binary with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare();
        let own =
            ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"];
        for key in own {
            command.env_remove(key);
        }
        for name in ["http_proxy", "https_proxy", "no_proxy", "all_proxy"] {
            command.env_remove(name).env_remove(name.to_ascii_uppercase());
        }
        command.env("HOME", self.home.path()).current_dir(self.home.path()).args(arguments);
        for (key, value) in &self.variables {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        finish(&mut self.command(arguments))
    }

    /// Looks at the account without changing anything.
    pub fn look(&self) -> CommandOutput {
        self.run(&["deploy", "--plan", "plan.yaml", "--dry-run"])
    }

    /// Looks, and is in the account.
    #[track_caller]
    pub fn is_known(&self) -> CommandOutput {
        let output = self.look().exits(2);
        let account = format!("account {} ", self.account);
        assert!(output.stderr.contains(&account), "{account}\n{}", output.stderr);
        output
    }

    /// Looks, and is refused with exit code 1: the problem and the next step say all of these.
    #[track_caller]
    pub fn is_refused(&self, says: &[&str]) -> CommandOutput {
        let output = self.look().exits(1);
        for word in says {
            assert!(output.stderr.contains(word), "{word:?} is not said\n{}", output.stderr);
        }
        assert!(output.stderr.contains("\n  next: "), "no next step\n{}", output.stderr);
        assert!(!output.stderr.contains("fault of akidb-edge itself"), "{}", output.stderr);
        output
    }
}
