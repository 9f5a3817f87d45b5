//! The table of AWS's API models: the constraints of each member of each input. `generate.py` writes it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The table as it is checked in.
const TEXT: &str = include_str!("models.json");

/// What the table says of itself, of regions and of structures.
#[derive(Deserialize)]
struct Models {
    /// Where it comes from.
    header: Header,
    /// Regions by partition.
    regions: BTreeMap<String, Vec<String>>,
    /// Members of structures, by service and structure.
    structures: BTreeMap<String, BTreeMap<String, BTreeMap<String, MemberConstraint>>>,
}

/// Where the table comes from.
#[derive(Deserialize)]
struct Header {
    /// The version of botocore.
    botocore: String,
}

/// What a member demands. Bounds are of the length of a text, the size of a number, or the count of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct MemberConstraint {
    /// It must be there.
    #[serde(default)]
    pub required: bool,
    /// The lower bound.
    pub min: Option<f64>,
    /// The upper bound.
    pub max: Option<f64>,
    /// The whole text matches this.
    pub pattern: Option<String>,
    /// It is one of these.
    #[serde(default, rename = "enum")]
    pub words: Vec<String>,
    /// What each item of a list demands.
    list: Option<Box<Self>>,
    /// What each key of a map demands.
    key: Option<Box<Self>>,
    /// What each value of a map demands.
    value: Option<Box<Self>>,
}

/// The table, read once; none when it does not fit, which a test rules out.
static MODELS: LazyLock<Option<Models>> = LazyLock::new(|| serde_json::from_str(TEXT).ok());

/// What a member demands: `s3.Tag.Key`; behind it `[]` for the items of a list, `{key}` and `{value}` for those of a map.
pub(super) fn demand(member: &str) -> Option<&'static MemberConstraint> {
    let stem = member.trim_end_matches("[]").trim_end_matches("{key}").trim_end_matches("{value}");
    let mut parts = stem.split('.');
    let service = MODELS.as_ref()?.structures.get(parts.next()?)?;
    let whole = service.get(parts.next()?)?.get(parts.next()?)?;
    match &member[stem.len()..] {
        "" => Some(whole),
        "[]" => whole.list.as_deref(),
        "{key}" => whole.key.as_deref(),
        "{value}" => whole.value.as_deref(),
        _ => None,
    }
}

/// The version of botocore whose models these are.
pub(super) fn version() -> &'static str {
    MODELS.as_ref().map_or("none", |models| models.header.botocore.as_str())
}

/// Whether AWS has such a region, in any partition.
pub(in super::super) fn is_region(name: &str) -> bool {
    regions().any(|known| known == name)
}

/// All regions.
pub(in super::super) fn regions() -> impl Iterator<Item = &'static str> {
    MODELS.iter().flat_map(|models| models.regions.values().flatten()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::sha256_hex;

    #[test]
    fn the_table_is_the_one_that_the_script_wrote() {
        let whole: serde_json::Value = serde_json::from_str(TEXT).expect("the table can be read");
        let says = |field: &str| whole["header"][field].as_str().unwrap_or_default().to_owned();
        let script = include_str!("generate.py");
        assert!(script.contains(&format!("VERSION = \"{}\"", version())));
        assert!(script.contains(&format!("WHEEL_SHA256 = \"{}\"", says("wheel_sha256"))));
        assert_eq!(says("generator_sha256"), sha256_hex(script.as_bytes()), "run generate.py again");
        let body = TEXT.split_once("\"structures\":{\n").and_then(|(_, rest)| rest.strip_suffix("\n}}\n"));
        assert_eq!(says("structures_sha256"), sha256_hex(body.expect("a body").as_bytes()), "edited by hand");
        assert_eq!(whole["header"]["models_sha256"].as_object().map(serde_json::Map::len), Some(11));
    }

    #[test]
    fn members_are_found() {
        assert_eq!(demand("iam.CreateRoleRequest.RoleName").and_then(|demand| demand.max), Some(64.0));
        assert_eq!(demand("cloudfront.OriginGroupMembers.Items").and_then(|demand| demand.min), Some(2.0));
        assert!(demand("cloudfront.AllowedMethods.Items[]").is_some_and(|demand| demand.words.len() == 7));
        assert!(demand("lambda.Environment.Variables{key}").is_some_and(|demand| demand.pattern.is_some()));
        assert!(demand("iam.CreateRoleRequest.Nobody").is_none() && demand("iam.Tag.Key[]").is_none());
    }

    #[test]
    fn regions_of_all_partitions() {
        assert!(is_region("eu-central-1") && is_region("us-gov-west-1") && !is_region("eu-central-9"));
    }
}
