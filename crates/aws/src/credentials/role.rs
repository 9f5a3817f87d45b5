//! Roles: assumed with other credentials, with an MFA code where the role wants one, or for a token of an identity provider.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use jiff::Timestamp;

use super::context::CredentialContext;
use super::{cache, refused};
use crate::account::{CredentialSource, Role};
use crate::fault;
use crate::resource::{Fault, FaultClass};

/// Assumes a role.
///
/// # Errors
/// What STS answered, or that nobody can say the MFA code.
pub async fn assumed(
    role: &Role,
    by: Credentials,
    means: &CredentialContext,
    again: bool,
) -> Result<Credentials, Fault> {
    let code = match &role.mfa {
        Some(device) => {
            if let Some(session) = cache::session_of(role, means) {
                return Ok(session);
            }
            if again {
                return Err(refused(
                    "AssumeRole",
                    "MfaSessionEnded",
                    format!("the session of role {} has ended, and a new one needs an MFA code", role.arn),
                    "run the same command again to continue",
                ));
            }
            Some(mfa_code(role, device, means).await?)
        }
        None => None,
    };
    let session = role.session.clone().unwrap_or_else(session_name);
    let call = means.sts(Some(by)).assume_role().role_arn(&role.arn).role_session_name(session);
    let call = call.set_external_id(role.external_id.clone()).set_duration_seconds(role.duration);
    let call = call.set_serial_number(role.mfa.clone()).set_token_code(code);
    let answer = means.waiting(&format!("STS to give role {}", role.arn), call.send()).await;
    let answer = answer.map_err(|bad| explained(fault::of("sts", "AssumeRole", bad), role, means))?;
    keys(answer.credentials, "AssumeRole")
}

async fn mfa_code(role: &Role, device: &str, means: &CredentialContext) -> Result<String, Fault> {
    let profile = &role.profile;
    let code = means.code(format!("MFA code for {device}: ")).await;
    code.ok_or_else(|| {
        let why = if means.person.ask.is_some() { "none was given" } else { "there is no terminal to ask for it" };
        refused(
            "AssumeRole",
            "MfaCodeNeeded",
            format!("profile {profile} needs an MFA code of {device}, and {why}"),
            format!(
                "run the same command in a terminal, or first run there: aws sts get-caller-identity --profile {profile} \
                 (its session is taken from the cache of the AWS CLI)"
            ),
        )
    })
}

fn explained(mut fault: Fault, role: &Role, means: &CredentialContext) -> Fault {
    let config = means.account.profiles.config.display();
    match fault.class {
        FaultClass::Denied => {
            fault.message = format!(
                "role {} of profile {} cannot be assumed with {}: {}",
                role.arn,
                role.profile,
                role.by,
                fault.message.text()
            )
            .into();
            let mfa = if role.mfa.is_some() { ", and that the MFA code is the current one" } else { "" };
            fault.class = FaultClass::Credentials;
            fault.next(format!("check the trust policy of the role, and role_arn, external_id and mfa_serial of profile {} in {config}{mfa}", role.profile))
        }
        FaultClass::Credentials => {
            fault.message = format!(
                "role {} of profile {}: {} are not accepted: {}",
                role.arn,
                role.profile,
                role.by,
                fault.message.text()
            )
            .into();
            fault.next(role.by.renewal(&means.account.environment))
        }
        _ => fault,
    }
}

/// Exchanges a token of an identity provider for a role.
///
/// # Errors
/// When the token cannot be read, or STS refuses it.
pub async fn for_token(
    arn: &str,
    file: &str,
    session: Option<&str>,
    source: &CredentialSource,
    means: &CredentialContext,
) -> Result<Credentials, Fault> {
    let operation = "AssumeRoleWithWebIdentity";
    // It is read each time: whoever gave it renews the file.
    let token = tokio::fs::read_to_string(file).await.map_err(|bad| {
        refused(
            operation,
            "NoToken",
            format!("the web identity token {file} cannot be read: {bad}"),
            source.renewal(&means.account.environment),
        )
    })?;
    let session = session.map_or_else(session_name, str::to_owned);
    let call = means
        .sts(None)
        .assume_role_with_web_identity()
        .role_arn(arn)
        .role_session_name(session)
        .web_identity_token(token.trim());
    let answer = means.waiting(&format!("STS to give role {arn}"), call.send()).await;
    let answer = answer.map_err(|bad| {
        let fault = fault::of("sts", operation, bad);
        if matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable) {
            return fault;
        }
        let problem = format!("{source}: {}: {}", fault.code.line(), fault.message.text());
        refused(operation, fault.code, problem, source.renewal(&means.account.environment))
    })?;
    keys(answer.credentials, operation)
}

fn keys(given: Option<aws_sdk_sts::types::Credentials>, operation: &str) -> Result<Credentials, Fault> {
    let given = given.ok_or_else(|| Fault::unexpected("sts", operation, "the answer has no credentials"))?;
    let expiry = SystemTime::try_from(given.expiration).ok();
    Ok(Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), expiry, "sts"))
}

fn session_name() -> String {
    format!("akidb-edge-{}", Timestamp::now().as_second())
}
