//! What was read of the real resources before a change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Address, Attributes, Fault, IMPORTED, IMPORTED_METADATA, Kind, ORIGIN_TAG, StackState};

/// Whose a found resource is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// It carries this stack's and this address's mark.
    Ours,
    /// It exists and carries another mark or none.
    Foreign(String),
    /// The journal knows it as ours, but it is tagged as another stack's now, or things of others stand where the plan wants
    /// it: it is not touched without `--adopt`.
    Contested(String),
}

impl Owner {
    /// Whether it carries this tool's mark, but of another stack or address.
    pub fn is_marked(&self) -> bool {
        let marks = ["of stack ", "akidb-edge "];
        matches!(self, Self::Foreign(why) | Self::Contested(why) if marks.iter().any(|mark| why.contains(mark)))
    }

    /// Whether it carries the mark of `stack`, under whatever address.
    pub fn is_marked_by(&self, stack: &str) -> bool {
        let (tags, comment) = (format!(" of stack {stack}"), format!("akidb-edge {stack} "));
        match self {
            Self::Ours => true,
            Self::Foreign(why) | Self::Contested(why) => why.ends_with(&tags) || why.contains(&comment),
        }
    }
}

/// One resource as it is in reality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObservedResource {
    /// What the service calls it.
    pub id: String,
    /// Its settings in the shape of its kind's spec, with all the defaults that the service fills in.
    pub spec: Value,
    /// What it makes known.
    pub attributes: Attributes,
    /// Whose it is.
    pub owner: Owner,
    /// What else the service shows of it: neither the plan nor an earlier run asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<UnmanagedField>,
}

impl ObservedResource {
    /// Whether it carries no mark of this tool.
    pub fn is_unmarked(&self) -> bool {
        matches!(self.owner, Owner::Foreign(_)) && !self.owner.is_marked()
    }

    /// Whether its mark says that it was imported: it existed before the stack that marked it.
    pub fn says_imported(&self) -> bool {
        let tag = self.spec.get("tags").and_then(|tags| tags.get(ORIGIN_TAG));
        tag.and_then(Value::as_str) == Some(IMPORTED) || self.extras.iter().any(UnmanagedField::is_origin)
    }
}

impl UnmanagedField {
    /// Whether it is the part of the mark that says how the thing came into its stack.
    pub fn is_origin(&self) -> bool {
        self.path == ORIGIN_TAG || self.path.strip_prefix("metadata.") == Some(IMPORTED_METADATA)
    }
}

/// The attribute of a recorded resource that holds the extras which were accepted: path to value.
pub const ACCEPTED_EXTRAS: &str = "accepted_extras";

/// The attribute of a resource that existed before this stack took it in: in journals of older versions, and for providers
/// that write marks.
pub const TAKEN_IN: &str = "taken_in";

/// Something on a resource that no plan asked for. An update keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnmanagedField {
    /// Where: a dotted path in the words of the kind's settings (`lifecycle.archive`, `managed.arn:aws:iam::…`).
    pub path: String,
    /// What the service shows there.
    pub value: Value,
    /// It is somebody else's by right (a tag, a record set, a statement of their own): shown, and no drift. Otherwise it
    /// changes how the resource itself behaves, and counts as drift until it is accepted.
    pub theirs: bool,
}

/// Something that is tagged as this stack's, found by a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OwnedResource {
    /// Its kind.
    pub kind: Kind,
    /// What the service calls it.
    pub id: String,
    /// The address that its mark names, when it names one.
    pub address: Option<Address>,
}

/// What was seen, by address: found, absent, or not to be read.
#[derive(Debug, Default)]
pub struct Observed {
    /// The answers. An address that was not asked for is missing.
    pub seen: BTreeMap<Address, Result<Option<ObservedResource>, Fault>>,
    /// The account that answered.
    pub account: String,
}

impl Observed {
    /// What was found at an address.
    pub fn found(&self, address: &Address) -> Option<&ObservedResource> {
        self.seen.get(address).and_then(|answer| answer.as_ref().ok()).and_then(Option::as_ref)
    }

    /// The addresses that could not be read.
    pub fn faults(&self) -> impl Iterator<Item = (&Address, &Fault)> {
        self.seen.iter().filter_map(|(address, answer)| answer.as_ref().err().map(|fault| (address, fault)))
    }

    /// The attribute of something found.
    pub fn attribute(&self, address: &str, attribute: &str) -> Option<Value> {
        let address: Address = address.parse().ok()?;
        self.found(&address)?.attributes.get(attribute).cloned()
    }
}

/// An attribute: of what was seen, else of what is recorded; the empty address stands for the account itself.
pub fn known(observed: &Observed, recorded: &StackState, address: &str, attribute: &str) -> Option<Value> {
    if address.is_empty() {
        // While it is being asked for, it is what the journal says: another account would be refused.
        let all = [Some(&observed.account), recorded.account.as_ref()];
        let account = all.into_iter().flatten().find(|account| !account.is_empty());
        return account.filter(|_| attribute == "account").map(|account| account.clone().into());
    }
    observed.attribute(address, attribute).or_else(|| recorded.attribute(address, attribute))
}
