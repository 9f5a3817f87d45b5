//! The input of `state import`: pairs on the command line, or a file from `state export`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::exit::{Failure, codes};
use crate::resource::records::previous::{PreviousSets, kept};
use crate::resource::{Address, Attributes, Kind, ResourceOrigin, shown};

/// One thing to take in.
#[derive(Clone, Debug, Default)]
pub struct ImportItem {
    /// What the service calls it, as it was written.
    pub id: String,
    /// How it had come into the state that the file is of.
    pub origin: Option<ResourceOrigin>,
    /// The record sets that existed before, of a group.
    pub earlier: PreviousSets,
}

/// What is given, by address.
pub type ImportItems = BTreeMap<Address, ImportItem>;

/// The pairs of the command line.
///
/// # Errors
/// When one of them is none.
pub fn pairs(given: &[String]) -> Result<ImportItems, Failure> {
    let mut pairs = ImportItems::new();
    for text in given {
        let next = "write ADDRESS=ID, e.g. models.bucket.primary=akidb-models-edge";
        let Some((address, id)) = text.split_once('=') else {
            return Err(codes::ARGUMENT.refused(shown!("expected ADDRESS=ID, got {:?}", text), next));
        };
        let address: Address = address.parse().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), next))?;
        if pairs.insert(address.clone(), ImportItem { id: id.to_owned(), ..ImportItem::default() }).is_some() {
            return Err(codes::ARGUMENT.refused(shown!("{} is named twice", address), "name each address once"));
        }
    }
    Ok(pairs)
}

/// A resource in a file: of `state export` under its address, of `state show` and `state list` with it.
#[derive(Deserialize)]
struct ExportedResource {
    address: Option<Address>,
    kind: Kind,
    id: Option<String>,
    origin: Option<ResourceOrigin>,
    #[serde(default)]
    attributes: Attributes,
}

/// What a JSON document of `state export`, `state show` or `state list` names. What is only looked up is left out: a deploy
/// finds it.
///
/// # Errors
/// When the file cannot be read, or is not such a document.
pub fn from_file(path: &Path) -> Result<ImportItems, Failure> {
    let next = "write it with akidb-edge state export --out FILE";
    let bad = |why: String| codes::INPUT_FILE.refused(shown!("{}: {}", path.display(), why), next);
    let text = crate::commands::read_bounded(path).map_err(|why| bad(why.to_string()))?;
    let document: Value = serde_json::from_slice(&text).map_err(|why| bad(why.to_string()))?;
    let resources = document.get("state").unwrap_or(&document).get("resources").cloned();
    let none = || bad("it is not a document of state export: it has no resources".to_owned());
    let held: Vec<(Option<Address>, Value)> = match resources.ok_or_else(none)? {
        Value::Object(all) => all.into_iter().map(|(address, one)| (address.parse().ok(), one)).collect(),
        Value::Array(all) => all.into_iter().map(|one| (None, one)).collect(),
        _ => return Err(none()),
    };
    let mut given = ImportItems::new();
    for (address, one) in held {
        let one = ExportedResource::deserialize(one).map_err(|why| bad(why.to_string()))?;
        let address = address.or(one.address).ok_or_else(|| bad("a resource has no address".to_owned()))?;
        if one.kind.facts().lookup || !one.kind.in_aws() {
            continue;
        }
        let id = one.id.ok_or_else(|| bad(format!("{address} has no ID: its creation was never answered")))?;
        given.insert(address, ImportItem { id, origin: one.origin, earlier: kept(&one.attributes) });
    }
    Ok(given)
}
