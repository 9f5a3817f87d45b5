//! The region for calls that name none.

use serde::Serialize;

use super::Profiles;
use crate::resource::{Fault, syntax_check};
use akidb_edge_network::{Environment, wrong};

/// A region and the setting that named it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RegionChoice {
    /// The region.
    pub name: String,
    /// A variable, a profile, or the instance metadata service.
    pub setting: String,
}

/// The region that is configured: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile.
///
/// # Errors
/// When it cannot be the name of a region.
pub fn of(environment: &Environment, profiles: &Profiles) -> Result<Option<RegionChoice>, Fault> {
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(name) = environment.get(variable) {
            return checked(name, variable.to_owned()).map(Some);
        }
    }
    profiles.get("region").map(|name| checked(name, profiles.setting("region"))).transpose()
}

/// A name that may be one of a region, with the setting that named it.
///
/// # Errors
/// When it is not.
pub fn checked(name: &str, setting: String) -> Result<RegionChoice, Fault> {
    if syntax_check::region(name) {
        return Ok(RegionChoice { name: name.to_owned(), setting });
    }
    Err(wrong(
        "InvalidRegion",
        format!("{setting} is {name:?}, which is not the name of an AWS region"),
        format!("set {setting} to a region such as us-east-1, in lower case, without spaces"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_region_is_named() {
        for good in ["us-east-1", "eu-central-1", "us-gov-west-1", "local"] {
            assert!(checked(good, "AWS_REGION".to_owned()).is_ok(), "{good}");
        }
        for bad in ["us east-1", " us-east-1", "us-east-1\n", "-x", "x-", "1", "us_east_1", "us.east", "EU-WEST-1"] {
            let fault = checked(bad, "AWS_REGION".to_owned()).expect_err(bad);
            assert!(fault.message.contains("AWS_REGION"), "{fault}");
        }
    }
}
