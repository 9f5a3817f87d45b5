//! What the AWS CLI keeps below `~/.aws`: sessions of roles and tokens of IAM Identity Center. It is only read.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::context::CredentialContext;
use crate::account::Role;

/// A session that ends sooner is not begun with.
const ENOUGH: SignedDuration = SignedDuration::from_mins(5);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Session {
    credentials: Keys,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

/// The session that the AWS CLI has for a role, if it lasts for a while.
pub fn session_of(role: &Role, means: &CredentialContext) -> Option<Credentials> {
    let file = means.home(".aws/cli/cache")?.join(format!("{}.json", key(role)));
    let session: Session = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let keys = session.credentials;
    // The AWS CLI writes either "Z" or "UTC".
    let expiry: Timestamp = keys.expiration.replace("UTC", "Z").parse().ok()?;
    let lasts = expiry.duration_since(Timestamp::now()) > ENOUGH;
    let expiry = Some(SystemTime::from(expiry));
    lasts.then(|| {
        Credentials::new(keys.access_key_id, keys.secret_access_key, Some(keys.session_token), expiry, "aws-cli-cache")
    })
}

/// The name of the file: a hash over the arguments of the call as Python writes them.
fn key(role: &Role) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let mut members = Vec::new();
    let mut member =
        |name: &str, value: Option<String>| members.extend(value.map(|value| format!("\"{name}\": {value}")));
    member("DurationSeconds", role.duration.map(|seconds| seconds.to_string()));
    member("ExternalId", role.external_id.as_deref().map(text));
    member("RoleArn", Some(text(&role.arn)));
    member("RoleSessionName", role.session.as_deref().map(text));
    member("SerialNumber", role.mfa.as_deref().map(text));
    hex::encode(Sha1::digest(format!("{{{}}}", members.join(", "))))
}

/// A token of IAM Identity Center.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SsoToken {
    /// The token.
    pub access_token: String,
    expires_at: String,
    refresh_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

impl SsoToken {
    /// The token that `aws sso login` left for a session, or a start URL in profiles of the old form.
    pub fn of(identifier: &str, means: &CredentialContext) -> Option<Self> {
        let file = means.home(".aws/sso/cache")?.join(format!("{}.json", hex::encode(Sha1::digest(identifier))));
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// How long it is valid; negative when it has expired.
    pub fn lasts(&self) -> SignedDuration {
        let expiry: Result<Timestamp, _> = self.expires_at.replace("UTC", "Z").parse();
        expiry.map_or(SignedDuration::MIN, |expiry| expiry.duration_since(Timestamp::now()))
    }

    /// Whether a new one can be had for it without a person.
    pub fn is_refreshable(&self) -> bool {
        [&self.refresh_token, &self.client_id, &self.client_secret].iter().all(|part| part.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::CredentialSource;

    #[test]
    fn the_key_is_that_of_the_aws_cli() {
        let role = Role {
            arn: "arn:aws:iam::123456789012:role/deploy".to_owned(),
            profile: "dev".to_owned(),
            external_id: Some("x".to_owned()),
            session: None,
            duration: Some(3600),
            mfa: Some("arn:aws:iam::123456789012:mfa/me".to_owned()),
            by: CredentialSource::Metadata,
        };
        // python3 -c 'import json,hashlib; print(hashlib.sha1(json.dumps({...}, sort_keys=True).encode()).hexdigest())'
        assert_eq!(key(&role), "2a81e5c3957b46ac9260ca402e09b5ed768a3f20");
    }
}
