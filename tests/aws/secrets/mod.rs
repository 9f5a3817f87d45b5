//! What is secret is found nowhere: not in what is said, not in what is written, not in what other processes see. And what the
//! tool asks to be allowed is no more than it needs.

mod lifecycle;
mod output;
mod policy;
mod processes;
mod variables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::cli::TestAccount;

const CANARY: &str = "canary-f3a9c1-never-shown";
/// The same in base64, as saved plans hold bytes, at each of the three places that it can have within a group of bytes.
const IN_BASE64: [&str; 3] =
    ["Y2FuYXJ5LWYzYTljMS1uZXZlci1zaG", "NhbmFyeS1mM2E5YzEtbmV2ZXItc2hv", "jYW5hcnktZjNhOWMxLW5ldmVyLXNob"];

fn holds(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains(CANARY) || IN_BASE64.iter().any(|form| text.contains(form))
}

#[track_caller]
fn nowhere_below(folder: &Path, except: &[PathBuf]) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            nowhere_below(&entry, except);
        } else if !except.contains(&entry) {
            assert!(!holds(&fs::read(&entry).expect("a file")), "{}", entry.display());
        }
    }
}

/// Secrets wherever a user may have some: keys, a token, a profile, variables of other programs, a variable that no plan has.
fn with_secrets(account: &TestAccount, command: &mut Command) {
    command
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .env("AWS_SESSION_TOKEN", CANARY)
        .env("DATABASE_PASSWORD", CANARY)
        .env("AKIDB_EDGE_VAR_password", CANARY)
        .env("AWS_SHARED_CREDENTIALS_FILE", account.path("credentials"));
}
