//! The source of the credentials, from the environment and the profile only, in the order of the AWS CLI.

use std::fmt;

use aws_credential_types::Credentials;

use super::Profiles;
use crate::resource::Fault;
use akidb_edge_network::{Environment, wrong};

/// A source of credentials.
#[derive(Clone)]
pub enum CredentialSource {
    /// Keys, as they are.
    Keys {
        /// The keys.
        keys: Credentials,
        /// The profile that has them; none for the environment.
        profile: Option<String>,
    },
    /// A role that other credentials assume.
    Role(Box<Role>),
    /// A role for a token of an identity provider.
    WebIdentity {
        /// The role.
        arn: String,
        /// The file of the token.
        token: String,
        /// The name of the session.
        session: Option<String>,
        /// The profile; none for the environment.
        profile: Option<String>,
    },
    /// A session of IAM Identity Center.
    Sso(Box<Sso>),
    /// A session of `aws login`.
    Login {
        /// The ARN of who logged in.
        arn: String,
        /// The profile.
        profile: String,
    },
    /// A program.
    Process {
        /// The command line.
        command: String,
        /// The profile.
        profile: String,
    },
    /// The agent of a container.
    Container,
    /// The instance metadata service.
    Metadata,
}

/// A role to assume.
#[derive(Clone)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The profile that names it.
    pub profile: String,
    /// A condition of the role's owner.
    pub external_id: Option<String>,
    /// The name of the session.
    pub session: Option<String>,
    /// Seconds that the session lasts.
    pub duration: Option<i32>,
    /// The serial number of an MFA device.
    pub mfa: Option<String>,
    /// Who assumes it.
    pub by: CredentialSource,
}

/// A session of IAM Identity Center.
#[derive(Clone)]
pub struct Sso {
    /// The profile.
    pub profile: String,
    /// The `[sso-session]` section; none for a profile of the old form.
    pub session: Option<String>,
    /// The start URL.
    pub start_url: String,
    /// The region of the portal.
    pub region: String,
    /// The account.
    pub account: String,
    /// The role.
    pub role: String,
}

impl CredentialSource {
    /// The first source that is configured.
    ///
    /// # Errors
    /// When that one is configured wrongly.
    pub fn of(environment: &Environment, profiles: &Profiles) -> Result<Self, Fault> {
        if let Some(keys) = keys_of_environment(environment)? {
            return Ok(Self::Keys { keys, profile: None });
        }
        let name = profiles.name.as_str();
        if let Some(role) = role(environment, profiles, name, &mut Vec::new())? {
            return Ok(role);
        }
        if let Some(found) = web_identity_of_environment(environment, profiles)? {
            return Ok(found);
        }
        if let Some(found) = of_profile(profiles, name)? {
            return Ok(found);
        }
        Ok(if has_container(environment) { Self::Container } else { Self::Metadata })
    }
}

fn has_container(environment: &Environment) -> bool {
    ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        .iter()
        .any(|name| environment.get(name).is_some())
}

fn keys_of_environment(environment: &Environment) -> Result<Option<Credentials>, Fault> {
    let Some(id) = environment.get("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret) = environment.get("AWS_SECRET_ACCESS_KEY") else {
        return Err(wrong(
            "IncompleteCredentials",
            "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
            "set both of them, or unset AWS_ACCESS_KEY_ID",
        ));
    };
    let tokens = ["AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"];
    let token = tokens.into_iter().find_map(|name| Some((name, environment.get(name)?)));
    for (name, value) in [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)].into_iter().chain(token) {
        sendable(name, value)?;
    }
    Ok(Some(Credentials::new(id, secret, token.map(|(_, token)| token.to_owned()), None, "environment")))
}

/// Keys go into headers of requests: blanks and line breaks do not belong to them.
fn sendable(setting: &str, value: &str) -> Result<(), Fault> {
    let why = if value.ends_with(['\n', '\r']) {
        "ends with a line break"
    } else if value.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        "contains a space or a line break"
    } else if !value.is_ascii() {
        "contains characters that are not ASCII"
    } else {
        return Ok(());
    };
    Err(wrong(
        "InvalidCredentials",
        format!("{setting} {why}, so it is not a valid AWS key"),
        format!("set {setting} again, without it"),
    ))
}

fn role(
    environment: &Environment,
    profiles: &Profiles,
    name: &str,
    seen: &mut Vec<String>,
) -> Result<Option<CredentialSource>, Fault> {
    let setting = |key: &str| profiles.of(name, key).map(str::to_owned);
    let (Some(arn), None) = (setting("role_arn"), setting("web_identity_token_file")) else { return Ok(None) };
    seen.push(name.to_owned());
    let config = profiles.config.display();
    let by = match (setting("source_profile"), setting("credential_source")) {
        (Some(_), Some(_)) => {
            let problem = format!("profile {name} has both source_profile and credential_source");
            return Err(wrong("InvalidProfile", problem, format!("remove one of them in {config}")));
        }
        (None, None) => {
            let problem = format!("profile {name} has role_arn, but no source of credentials to assume the role");
            return Err(wrong(
                "InvalidProfile",
                problem,
                format!("add source_profile or credential_source to it in {config}"),
            ));
        }
        (Some(other), None) => source_profile(environment, profiles, name, &other, seen)?,
        (None, Some(kind)) => credential_source(environment, profiles, name, &kind)?,
    };
    let duration = setting("duration_seconds").map(|text| {
        text.parse().map_err(|_| {
            let problem =
                format!("{} is {text:?}, which is not a number", profiles.setting_of(name, "duration_seconds"));
            wrong("InvalidProfile", problem, format!("set it to seconds (900 to 43200) in {config}"))
        })
    });
    Ok(Some(CredentialSource::Role(Box::new(Role {
        arn,
        profile: name.to_owned(),
        external_id: setting("external_id"),
        session: setting("role_session_name"),
        duration: duration.transpose()?,
        mfa: setting("mfa_serial"),
        by,
    }))))
}

fn source_profile(
    environment: &Environment,
    profiles: &Profiles,
    name: &str,
    other: &str,
    seen: &mut Vec<String>,
) -> Result<CredentialSource, Fault> {
    let config = profiles.config.display();
    if !profiles.has(other) {
        let problem =
            format!("{} is {other:?}, and there is no such profile", profiles.setting_of(name, "source_profile"));
        return Err(wrong("UnknownProfile", problem, format!("name an existing profile in {config}")));
    }
    // Keys in the profile itself come first there: so a profile may name itself.
    if let Some(keys) = keys_of_profile(profiles, other)? {
        return Ok(CredentialSource::Keys { keys, profile: Some(other.to_owned()) });
    }
    if seen.iter().any(|before| before == other) {
        let problem = format!("circular source_profile: {} -> {other}", seen.join(" -> "));
        return Err(wrong("InvalidProfile", problem, format!("name a profile with credentials in {config}")));
    }
    if let Some(found) = role(environment, profiles, other, seen)? {
        return Ok(found);
    }
    of_profile(profiles, other)?.ok_or_else(|| {
        let problem = format!("profile {other}, the source_profile of {name}, has no credentials");
        wrong("NoCredentials", problem, format!("add them in {config}: {WAYS}"))
    })
}

const WAYS: &str = "keys, sso_session, credential_process or role_arn";

fn credential_source(
    environment: &Environment,
    profiles: &Profiles,
    name: &str,
    kind: &str,
) -> Result<CredentialSource, Fault> {
    match kind.to_ascii_lowercase().as_str() {
        "environment" => match keys_of_environment(environment)? {
            Some(keys) => Ok(CredentialSource::Keys { keys, profile: None }),
            None => Err(wrong(
                "NoCredentials",
                format!(
                    "{} is Environment, and AWS_ACCESS_KEY_ID is not set",
                    profiles.setting_of(name, "credential_source")
                ),
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )),
        },
        "ecscontainer" => Ok(CredentialSource::Container),
        "ec2instancemetadata" => Ok(CredentialSource::Metadata),
        _ => Err(wrong(
            "InvalidProfile",
            format!("{} is {kind:?}", profiles.setting_of(name, "credential_source")),
            format!("set it to Environment, EcsContainer or Ec2InstanceMetadata in {}", profiles.config.display()),
        )),
    }
}

fn web_identity_of_environment(
    environment: &Environment,
    profiles: &Profiles,
) -> Result<Option<CredentialSource>, Fault> {
    let Some(token) = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
    let arn = environment.get("AWS_ROLE_ARN").or_else(|| profiles.get("role_arn"));
    let Some(arn) = arn else {
        let problem = "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not";
        return Err(wrong("IncompleteCredentials", problem, "set AWS_ROLE_ARN to the role that the token is for"));
    };
    let session = environment.get("AWS_ROLE_SESSION_NAME").map(str::to_owned);
    Ok(Some(CredentialSource::WebIdentity { arn: arn.to_owned(), token: token.to_owned(), session, profile: None }))
}

/// What a profile has besides a role.
fn of_profile(profiles: &Profiles, name: &str) -> Result<Option<CredentialSource>, Fault> {
    let setting = |key: &str| profiles.of(name, key).map(str::to_owned);
    if let Some(token) = setting("web_identity_token_file") {
        let Some(arn) = setting("role_arn") else {
            let problem = format!("profile {name} has web_identity_token_file and no role_arn");
            return Err(wrong(
                "InvalidProfile",
                problem,
                format!("add role_arn to it in {}", profiles.config.display()),
            ));
        };
        let session = setting("role_session_name");
        return Ok(Some(CredentialSource::WebIdentity { arn, token, session, profile: Some(name.to_owned()) }));
    }
    if let Some(sso) = sso(profiles, name)? {
        return Ok(Some(sso));
    }
    if let Some(keys) = keys_of_profile(profiles, name)? {
        return Ok(Some(CredentialSource::Keys { keys, profile: Some(name.to_owned()) }));
    }
    if let Some(arn) = setting("login_session") {
        return Ok(Some(CredentialSource::Login { arn, profile: name.to_owned() }));
    }
    Ok(setting("credential_process").map(|command| CredentialSource::Process { command, profile: name.to_owned() }))
}

fn keys_of_profile(profiles: &Profiles, name: &str) -> Result<Option<Credentials>, Fault> {
    let (id_key, secret_key) = ("aws_access_key_id", "aws_secret_access_key");
    let (id, secret) = match (profiles.of(name, id_key), profiles.of(name, secret_key)) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => return Ok(None),
        (id, _) => {
            let (has, lacks) = if id.is_some() { (id_key, secret_key) } else { (secret_key, id_key) };
            let problem = format!("profile {name} has {has} and no {lacks}");
            let next = format!("add it in {}", profiles.credentials.display());
            return Err(wrong("IncompleteCredentials", problem, next));
        }
    };
    let token = profiles.of(name, "aws_session_token").or_else(|| profiles.of(name, "aws_security_token"));
    for (key, value) in
        [(id_key, id), (secret_key, secret)].into_iter().chain(token.map(|token| ("aws_session_token", token)))
    {
        sendable(&profiles.setting_of(name, key), value)?;
    }
    Ok(Some(Credentials::new(id, secret, token.map(str::to_owned), None, "profile")))
}

fn sso(profiles: &Profiles, name: &str) -> Result<Option<CredentialSource>, Fault> {
    let setting = |key: &str| profiles.of(name, key).map(str::to_owned);
    let session = setting("sso_session");
    if session.is_none() && setting("sso_start_url").is_none() {
        return Ok(None);
    }
    let config = profiles.config.display();
    let lacking = |where_: &str, key: &str| {
        wrong(
            "InvalidProfile",
            format!("{where_} has no {key}"),
            format!("add it in {config}, or run aws configure sso"),
        )
    };
    let of_session = |key: &str| match &session {
        Some(session) => profiles
            .session(session, key)
            .map(str::to_owned)
            .ok_or_else(|| lacking(&format!("the section [sso-session {session}] of profile {name}"), key)),
        None => setting(key).ok_or_else(|| lacking(&format!("profile {name}"), key)),
    };
    let of_profile = |key: &str| setting(key).ok_or_else(|| lacking(&format!("profile {name}"), key));
    Ok(Some(CredentialSource::Sso(Box::new(Sso {
        profile: name.to_owned(),
        start_url: of_session("sso_start_url")?,
        region: super::region::checked(&of_session("sso_region")?, profiles.setting_of(name, "sso_region"))?.name,
        account: of_profile("sso_account_id")?,
        role: of_profile("sso_role_name")?,
        session,
    }))))
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |profile: &Option<String>| {
            profile.as_ref().map_or("the environment".to_owned(), |name| format!("profile {name}"))
        };
        match self {
            Self::Keys { profile, .. } => write!(f, "keys of {}", of(profile)),
            Self::Role(role) => {
                let mfa = if role.mfa.is_some() { " with MFA" } else { "" };
                write!(f, "role {} of profile {}{mfa}, assumed with {}", role.arn, role.profile, role.by)
            }
            Self::WebIdentity { arn, token, profile, .. } => {
                write!(f, "role {arn} for the web identity token {token} of {}", of(profile))
            }
            Self::Sso(sso) => {
                let session = sso.session.as_ref().unwrap_or(&sso.start_url);
                write!(
                    f,
                    "SSO session {session} of profile {}, role {} in account {}",
                    sso.profile, sso.role, sso.account
                )
            }
            Self::Login { arn, profile } => write!(f, "aws login session of profile {profile} ({arn})"),
            Self::Process { command, profile } => {
                write!(f, "credential_process {} of profile {profile}", program(command))
            }
            Self::Container => f.write_str("the container's credentials agent"),
            Self::Metadata => f.write_str("the instance metadata service"),
        }
    }
}

/// The program of a command line: its arguments may be secret.
pub fn program(command: &str) -> &str {
    let command = command.trim();
    match command.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => command.split_whitespace().next().unwrap_or_default(),
    }
}
