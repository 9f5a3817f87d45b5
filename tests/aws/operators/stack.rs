//! A small stack of a test: plans as text, the binary run on them, and the world looked at from outside.

use std::path::PathBuf;
use std::process::Command;

use aws_config::{BehaviorVersion, SdkConfig};
use tempfile::TempDir;

use testkit::cli::{CommandOutput, bare, finish};
use testkit::local_aws;
use testkit::proxy::wait;

/// An account of its own with a folder for plans and state.
pub struct Stack {
    pub account: String,
    pub home: TempDir,
    pub sdk: SdkConfig,
}

impl Stack {
    /// A fresh account.
    pub fn new() -> Self {
        Self::of(local_aws::account())
    }

    /// A given account.
    pub fn of(account: String) -> Self {
        let credentials = aws_credential_types::Credentials::new(&account, "test", None, None, "operators");
        let sdk = wait(
            aws_config::defaults(BehaviorVersion::latest())
                .endpoint_url(local_aws::endpoint())
                .region("us-east-1")
                .credentials_provider(credentials)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .load(),
        );
        Self { account, home: TempDir::new().expect("a folder"), sdk }
    }

    /// Writes a plan of one day with these steps (YAML list items, indented by two) and gives its path.
    pub fn plan(&self, name: &str, steps: &str) -> PathBuf {
        let text = format!(
            "version: 1\nstack: s{}\nmetadata: {{name: small, title: Small}}\ndays:\n- day: 1\n  title: d\n  steps:\n{steps}",
            self.account
        );
        self.file(name, &text)
    }

    /// Writes a file beside the plans and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Runs a verb with these arguments.
    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_at(&local_aws::endpoint(), arguments)
    }

    /// Runs a verb against another endpoint (a proxy in front of the local AWS).
    pub fn run_at(&self, endpoint: &str, arguments: &[&str]) -> CommandOutput {
        finish(&mut self.command_at(endpoint, arguments))
    }

    /// A verb against another endpoint, not started yet.
    pub fn command_at(&self, endpoint: &str, arguments: &[&str]) -> Command {
        let mut command = bare();
        command.current_dir(self.home.path()).args(arguments);
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &self.account).env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// Deploys a plan, without a question.
    pub fn deploy(&self, plan: &std::path::Path) -> CommandOutput {
        self.run(&["deploy", "--plan", &plan.to_string_lossy(), "--yes"])
    }

    /// The name of the stack.
    pub fn name(&self) -> String {
        format!("s{}", self.account)
    }
}
