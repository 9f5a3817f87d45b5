//! IAM Identity Center: a token that `aws sso login` left becomes the credentials of a role.

use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::sso::SsoTokenProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::token::ProvideToken;
use jiff::SignedDuration;

use super::cache::SsoToken;
use super::context::CredentialContext;
use super::refused;
use crate::account::{CredentialSource, Service, Sso};
use crate::fault;
use crate::resource::{Fault, FaultClass};

/// A token that ends sooner is renewed where that is possible.
const SOON: SignedDuration = SignedDuration::from_mins(5);

/// The credentials of the role.
///
/// # Errors
/// When nobody is logged in, or the role is not given.
pub async fn credentials(
    sso: &Sso,
    source: &CredentialSource,
    means: &CredentialContext,
) -> Result<Credentials, Fault> {
    let operation = "GetRoleCredentials";
    let token = token(sso, source, means).await?;
    let client = aws_sdk_sso::Client::new(&means.config(Service::Sso, &sso.region, None));
    let call = client.get_role_credentials().access_token(token).account_id(&sso.account).role_name(&sso.role);
    let answer = means.waiting(&format!("the portal of {source}"), call.send()).await;
    let answer = answer.map_err(|bad| {
        let status = bad.raw_response().map(|answer| answer.status().as_u16());
        let fault = fault::of("sso", operation, bad);
        let problem = format!("{source}: {}: {}", fault.code.line(), fault.message.text());
        let log_in = source.renewal(&means.account.environment);
        match (status, fault.class) {
            (_, FaultClass::Retry | FaultClass::Unreachable) => fault,
            (Some(401), _) => refused(operation, "SsoTokenNotAccepted", problem, log_in),
            _ => refused(operation, "SsoRoleNotGiven", problem, role_check(sso, means)),
        }
    })?;
    let given = answer.role_credentials.and_then(|given| {
        let expiry =
            u64::try_from(given.expiration).ok().map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        Some(Credentials::new(given.access_key_id?, given.secret_access_key?, given.session_token, expiry, "sso"))
    });
    given.ok_or_else(|| Fault::unexpected("sso", operation, "the answer has no credentials"))
}

fn role_check(sso: &Sso, means: &CredentialContext) -> String {
    let config = means.account.profiles.config.display();
    format!(
        "check sso_account_id and sso_role_name of profile {} in {config}: aws configure sso --profile {}",
        sso.profile, sso.profile
    )
}

async fn token(sso: &Sso, source: &CredentialSource, means: &CredentialContext) -> Result<String, Fault> {
    let log_in = source.renewal(&means.account.environment);
    let operation = "GetToken";
    let Some(token) = SsoToken::of(sso.session.as_ref().unwrap_or(&sso.start_url), means) else {
        return Err(refused(operation, "SsoLoginNeeded", format!("not logged in to the {source}"), log_in));
    };
    let lasts = token.lasts();
    match &sso.session {
        Some(session) if lasts < SOON && token.is_refreshable() => {
            renewed(sso, session, means).await.map_err(|fault| match fault {
                Some(unreachable) => unreachable,
                None => refused(
                    operation,
                    "SsoLoginNeeded",
                    format!("the {source} has ended and could not be renewed"),
                    log_in,
                ),
            })
        }
        _ if lasts.is_positive() => Ok(token.access_token),
        _ => Err(refused(operation, "SsoLoginNeeded", format!("the {source} has ended"), log_in)),
    }
}

/// A new token for the old one. The fault is said when the service was not reached.
async fn renewed(sso: &Sso, session: &str, means: &CredentialContext) -> Result<String, Option<Fault>> {
    let config = means.config(Service::SsoOidc, &sso.region, None);
    let provider = SsoTokenProvider::builder().configure(&config).session_name(session).start_url(&sso.start_url);
    let provider = provider.region(Region::new(sso.region.clone())).build().await;
    let asked = means.waiting(&format!("a new token of SSO session {session}"), provider.provide_token()).await;
    match asked {
        // Where the service refuses, the SDK goes on with the old one.
        Ok(token) if token.expiration().is_some_and(|expiry| expiry <= SystemTime::now()) => Err(None),
        Ok(token) => Ok(token.token().to_owned()),
        Err(bad) => Err(fault::of_network("sso-oidc", "CreateToken", &bad)),
    }
}
