//! The configuration files of the AWS CLI: `~/.aws/config` and `~/.aws/credentials`, and the profile in use.

use std::path::{Path, PathBuf};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_runtime::env_config::section::{EnvConfigSections, Profile};
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::{Env, Fs};

use crate::resource::Fault;
use akidb_edge_network::{Environment, wrong};

/// The files, and the profile in use.
#[derive(Clone)]
pub struct Profiles {
    sections: EnvConfigSections,
    /// The profile in use.
    pub name: String,
    /// The variable that names it; none for `default`.
    pub variable: Option<&'static str>,
    /// The file of the configuration.
    pub config: PathBuf,
    /// The file of the keys.
    pub credentials: PathBuf,
}

// Sections hold secrets.
impl std::fmt::Debug for Profiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiles").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Profiles {
    /// Reads both files. One that is not there is an empty one.
    ///
    /// # Errors
    /// When a file cannot be read or is malformed, or a variable names a profile that no file has.
    pub async fn read(environment: &Environment) -> Result<Self, Fault> {
        let place = |variable: &str, usual: &str| expanded(environment, environment.get(variable).unwrap_or(usual));
        let config = place("AWS_CONFIG_FILE", "~/.aws/config");
        let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
        let mut sections = Vec::new();
        for (kind, file) in [(EnvConfigFileKind::Config, &config), (EnvConfigFileKind::Credentials, &credentials)] {
            if readable(file)? {
                sections.push((kind, file.clone()));
            }
        }
        let sections = parsed(sections).await?;
        // The order of the AWS CLI.
        let named = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
        let named = named.into_iter().find_map(|variable| Some((environment.get(variable)?, variable)));
        let (name, variable) = named.map_or(("default", None), |(name, variable)| (name, Some(variable)));
        let all = Self { sections, name: name.to_owned(), variable, config, credentials };
        match variable {
            Some(variable) if all.named(name).is_none() && name != "default" => Err(all.unknown(variable)),
            _ => Ok(all),
        }
    }

    /// A setting of the profile in use; an empty one counts as one that is not there.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.of(&self.name, key)
    }

    /// A setting of any profile.
    pub fn of(&self, profile: &str, key: &str) -> Option<&str> {
        self.named(profile)?.get(key).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Whether the files have a profile.
    pub fn has(&self, profile: &str) -> bool {
        self.named(profile).is_some()
    }

    /// A setting of an `[sso-session NAME]` section; none when there is no such section.
    pub fn session(&self, session: &str, key: &str) -> Option<&str> {
        self.sections.sso_session(session)?.get(key).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A setting of a service in the `[services NAME]` section that the profile in use names.
    pub fn service(&self, service: &str, key: &str) -> Option<&str> {
        let section = self.get("services")?;
        let place = PropertiesKey::builder().section_key("services").section_name(section).property_name(service);
        let place = place.sub_property_name(key).build().ok()?;
        self.sections.other_sections().get(&place).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// What a setting of the profile in use is called in messages.
    pub fn setting(&self, key: &str) -> String {
        self.setting_of(&self.name, key)
    }

    /// What a setting of a profile is called in messages.
    pub fn setting_of(&self, profile: &str, key: &str) -> String {
        format!("{key} of profile {profile}")
    }

    fn named(&self, name: &str) -> Option<&Profile> {
        self.sections.get_profile(name)
    }

    fn unknown(&self, variable: &str) -> Fault {
        let mut known: Vec<&str> = self.sections.profiles().collect();
        known.sort_unstable();
        let known = if known.is_empty() { "no profile".to_owned() } else { format!("only {}", known.join(", ")) };
        let (config, credentials) = (self.config.display(), self.credentials.display());
        wrong(
            "UnknownProfile",
            format!("{variable} names the profile {:?}; {config} and {credentials} have {known}", self.name),
            format!("set {variable} to one of them or unset it, or add [profile {}] to {config}", self.name),
        )
    }
}

/// `~/` at the beginning is the home directory.
fn expanded(environment: &Environment, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), environment.get("HOME")) {
        (Some(below), Some(home)) => Path::new(home).join(below),
        _ => PathBuf::from(path),
    }
}

/// Whether a file is there.
///
/// # Errors
/// When it is there and cannot be read as text.
fn readable(file: &Path) -> Result<bool, Fault> {
    let why = match std::fs::read(file) {
        Err(none) if matches!(none.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(bad) => bad.to_string(),
        Ok(bytes) if std::str::from_utf8(&bytes).is_ok() => return Ok(true),
        Ok(_) => "it is not UTF-8 text".to_owned(),
    };
    let file = file.display();
    Err(wrong(
        "UnreadableConfiguration",
        format!("the AWS configuration file {file} cannot be read: {why}"),
        format!("make {file} a text file that this user may read"),
    ))
}

async fn parsed(files: Vec<(EnvConfigFileKind, PathBuf)>) -> Result<EnvConfigSections, Fault> {
    if files.is_empty() {
        return Ok(EnvConfigSections::default());
    }
    let builder =
        files.into_iter().fold(EnvConfigFiles::builder(), |builder, (kind, file)| builder.with_file(kind, file));
    let malformed = |why: String| {
        wrong(
            "MalformedConfiguration",
            format!("the AWS configuration is malformed: {why}"),
            "correct that line: sections are [default] and [profile NAME], settings are KEY = VALUE",
        )
    };
    let source = source::load(&Env::real(), &Fs::real(), &builder.build()).await;
    let source = source.map_err(|bad| malformed(bad.to_string()))?;
    EnvConfigSections::parse(source).map_err(|bad| {
        // The words of the parser come in two lines: the place, and what is wrong.
        malformed(bad.to_string().split_whitespace().collect::<Vec<_>>().join(" ").replace("error parsing ", ""))
    })
}
