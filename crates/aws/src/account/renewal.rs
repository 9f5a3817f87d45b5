//! The next step for a user whose credentials are no longer accepted, by the source of the credentials.

use super::CredentialSource;
use akidb_edge_network::Environment;

impl CredentialSource {
    /// The next step.
    pub fn renewal(&self, environment: &Environment) -> String {
        match self {
            Self::Keys { keys, profile: None } if keys.session_token().is_some() => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN again: those of the environment \
                 are not valid or have expired".to_owned()
            }
            Self::Keys { profile: None, .. } => {
                let token = environment.get("AWS_PROFILE").map_or_else(String::new, |profile| {
                    format!(", or unset both of them to use AWS_PROFILE={profile}")
                });
                format!("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a valid key{token}")
            }
            Self::Keys { keys, profile: Some(profile) } => {
                let token = if keys.session_token().is_some() { ", with its aws_session_token" } else { "" };
                format!("put a valid key into profile {profile}{token}: aws configure --profile {profile}")
            }
            Self::Role(role) => role.by.renewal(environment),
            Self::WebIdentity { token, .. } => {
                format!("write a new token to {token}, and check that the role trusts its issuer")
            }
            Self::Sso(sso) => format!("aws sso login --profile {}", sso.profile),
            Self::Login { profile, .. } => format!("aws login --profile {profile}"),
            Self::Process { profile, .. } => {
                format!("log in with the program that credential_process of profile {profile} runs, then run the same command again")
            }
            Self::Container => "check the role of the task or pod, then run the same command again".to_owned(),
            Self::Metadata => {
                "attach a role to the instance; elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
            }
        }
    }
}
