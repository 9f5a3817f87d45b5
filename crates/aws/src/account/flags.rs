//! Settings that are booleans, one of two words, or small numbers.

use super::Profiles;
use crate::resource::Fault;
use akidb_edge_network::{Environment, wrong};

/// Whether a setting is on: the variable first, then the profile.
///
/// # Errors
/// When it is neither `true` nor `false`.
pub fn on(environment: &Environment, profiles: &Profiles, variable: &str, key: &str) -> Result<bool, Fault> {
    let (value, setting) = match (environment.get(variable), profiles.get(key)) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some(value)) => (value, profiles.setting(key)),
        (None, None) => return Ok(false),
    };
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(
            "InvalidSetting",
            format!("{setting} is {value:?}, which is neither true nor false"),
            format!("set {setting} to true or false"),
        )),
    }
}

/// `AWS_STS_REGIONAL_ENDPOINTS`: whether it is `legacy`.
///
/// # Errors
/// When it is neither `legacy` nor `regional`.
pub fn legacy_sts(environment: &Environment, profiles: &Profiles) -> Result<bool, Fault> {
    let variable = "AWS_STS_REGIONAL_ENDPOINTS";
    let key = "sts_regional_endpoints";
    let (value, setting) = match (environment.get(variable), profiles.get(key)) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some(value)) => (value, profiles.setting(key)),
        (None, None) => return Ok(false),
    };
    match value.trim().to_ascii_lowercase().as_str() {
        "legacy" => Ok(true),
        "regional" => Ok(false),
        _ => Err(wrong(
            "InvalidSetting",
            format!("{setting} is {value:?}, which is neither regional nor legacy"),
            format!("set {setting} to regional, or remove it"),
        )),
    }
}

/// `AWS_MAX_ATTEMPTS`: how often the SDK tries a single call at most; none when it is not set.
///
/// # Errors
/// When it is not a whole number from 1 on.
pub fn tries(environment: &Environment, profiles: &Profiles) -> Result<Option<u32>, Fault> {
    let variable = "AWS_MAX_ATTEMPTS";
    let key = "max_attempts";
    let (value, setting) = match (environment.get(variable), profiles.get(key)) {
        (Some(value), _) => (value, variable.to_owned()),
        (None, Some(value)) => (value, profiles.setting(key)),
        (None, None) => return Ok(None),
    };
    match value.trim().parse::<u32>() {
        Ok(tries) if tries > 0 => Ok(Some(tries)),
        _ => Err(wrong(
            "InvalidSetting",
            format!("{setting} is {value:?}, which is not a whole number of at least 1"),
            format!("set {setting} to a number such as 3, or remove it"),
        )),
    }
}
