//! `credential_process`: a program that prints credentials as JSON.

use std::process::{Output, Stdio};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::context::CredentialContext;
use super::refused;
use crate::account::program;
use crate::resource::Fault;

const OPERATION: &str = "credential_process";
/// Credentials are shorter than this, tokens included.
const MOST: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

/// Runs the program, for as long as it takes: it may ask a person.
///
/// # Errors
/// When it fails, or prints something else.
pub async fn credentials(command: &str, profile: &str, means: &CredentialContext) -> Result<Credentials, Fault> {
    let name = format!("credential_process {} of profile {profile}", program(command));
    let config = means.account.profiles.config.display();
    let next = format!("run the command in credential_process of profile {profile} in {config} on its own, and fix it");
    let bad = |code: &str, why: String| refused(OPERATION, code, format!("{name} {why}"), next.clone());
    let output = means.waiting(&name, run(command, means)).await;
    let output = output.map_err(|bad_start| bad("ProcessFailed", format!("cannot be run: {bad_start}")))?;
    if !output.status.success() {
        return Err(bad("ProcessFailed", format!("failed ({})", output.status)));
    }
    // The words of the parser may quote a secret: only the place is said.
    let printed: Printed = serde_json::from_slice(&output.stdout).map_err(|wrong| {
        let place = format!("line {}, column {}", wrong.line(), wrong.column());
        bad("InvalidCredentials", format!("did not print the JSON that AWS specifies (at {place})"))
    })?;
    if printed.version != 1 {
        return Err(bad(
            "InvalidCredentials",
            format!("printed version {} of the JSON; only version 1 is known", printed.version),
        ));
    }
    let expiry = printed.expiration.map(|text| text.parse::<Timestamp>());
    let expiry = expiry
        .transpose()
        .map_err(|_| bad("InvalidCredentials", "printed an Expiration that is not a time".to_owned()))?;
    if expiry.is_some_and(|expiry| expiry <= Timestamp::now()) {
        return Err(bad("ExpiredCredentials", "printed credentials that have expired".to_owned()));
    }
    let expiry = expiry.map(SystemTime::from);
    for (key, value) in [("AccessKeyId", &printed.access_key_id), ("SecretAccessKey", &printed.secret_access_key)] {
        if value.is_empty() || value.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(bad("InvalidCredentials", format!("printed an {key} that is empty or contains spaces")));
        }
    }
    let (id, secret) = (printed.access_key_id, printed.secret_access_key);
    Ok(Credentials::new(id, secret, printed.session_token, expiry, "credential_process"))
}

/// The program may ask on the terminal, and says there why it fails: what it prints on standard error goes to ours, and into no
/// message, document or log.
async fn run(command: &str, means: &CredentialContext) -> std::io::Result<Output> {
    let person = means.person.ask.is_some();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdout(Stdio::piped()).kill_on_drop(true);
    shell.stdin(if person { Stdio::inherit() } else { Stdio::null() });
    let mut child = shell.spawn()?;
    let mut stdout = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(MOST).read_to_end(&mut stdout).await?;
    }
    if stdout.len() as u64 == MOST {
        child.kill().await?;
        return Err(std::io::Error::other(format!("it prints more than {MOST} bytes")));
    }
    Ok(Output { status: child.wait().await?, stdout, stderr: Vec::new() })
}
