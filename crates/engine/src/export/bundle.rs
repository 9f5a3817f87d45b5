//! The input and output of an export.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::resource::cache_policy::Choice;
use crate::resource::{
    ACCEPTED_EXTRAS, ADDRESS_TAG, Address, Attributes, IMPORTED, Kind, ORIGIN_TAG, Platform, ResourceRecord,
    ResourceStatus, STACK_TAG, StackState, has_references, resolve, sensitive,
};

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its name, without a directory.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Something that the other tool cannot say, or says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ExportNote {
    /// What it is about.
    pub address: Address,
    /// What is not as one would expect.
    pub text: String,
}

/// What is said of a kind of AWS that nobody wrote the other tool's words for; a test finds such a kind.
pub(super) const UNSAID: &str = "skipped: this version cannot export this kind";

/// What is said of a resource with a sensitive value: the file would set what is in its place.
const SENSITIVE: &str =
    "skipped: it holds a sensitive value, which is written to no file; describe it to the other tool by hand";

/// What no journal knows, and what the other tool does with it.
pub const OTHERS: &str = "tags, policy statements and rules that others added are not in the state: a first apply would remove \
     them; akidb-edge status --drift lists them";

/// The files and what they cannot say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The files, in the order in which they are read best.
    pub files: Vec<ExportFile>,
    /// What the other tool cannot say, by address.
    pub notes: Vec<ExportNote>,
}

/// One resource of the state, ready to be said in other words.
#[derive(Clone, Debug)]
pub struct ExportItem<'a> {
    /// Name of the stack.
    pub stack: &'a str,
    /// Its address.
    pub address: &'a Address,
    /// Its kind.
    pub kind: Kind,
    /// What the service calls it.
    pub id: &'a str,
    /// The settings, without open references.
    pub spec: Value,
    /// What it makes known.
    pub attributes: &'a Attributes,
    /// Whether it existed before the stack took it in.
    pub imported: bool,
}

impl ExportItem<'_> {
    /// The typed settings.
    ///
    /// # Errors
    /// A note when they do not fit.
    pub fn typed<S: DeserializeOwned>(&self) -> Result<S, ExportNote> {
        S::deserialize(&self.spec).map_err(|bad| self.note(format!("skipped: its settings are invalid ({bad})")))
    }

    /// A remark about this one.
    pub fn note(&self, text: impl Into<String>) -> ExportNote {
        ExportNote { address: self.address.clone(), text: text.into() }
    }

    /// The remark about what neither tool says, since it is not in AWS.
    pub fn outside_of_aws(&self) -> ExportNote {
        let facts = self.kind.facts();
        self.note(match (facts.platform, facts.lookup) {
            (Platform::Cluster, true) => "skipped: a Kubernetes cluster is only looked up",
            (Platform::Cluster, false) => "skipped: it is in a Kubernetes cluster, not in AWS",
            _ => "skipped: it is on a device, not in AWS",
        })
    }

    /// The plan's tags with the tool's own, which are on the thing and must stay there.
    pub fn tags(&self, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = tags.clone();
        all.insert(STACK_TAG.to_owned(), self.stack.to_owned());
        all.insert(ADDRESS_TAG.to_owned(), self.address.to_string());
        if self.imported {
            all.insert(ORIGIN_TAG.to_owned(), IMPORTED.to_owned());
        }
        all
    }

    /// A comment with the tool's mark, as it is on the thing.
    pub fn marked(&self, text: &str, limit: usize) -> String {
        crate::resource::marked(self.stack, self.address, text, limit).unwrap_or_else(|| text.to_owned())
    }
}

/// The resources of a state with their references filled in by `say`; what cannot be exported becomes a note.
pub fn items<'a>(
    state: &'a StackState,
    say: &dyn Fn(&Address, &ResourceRecord, &str) -> Option<Value>,
) -> (Vec<ExportItem<'a>>, Vec<ExportNote>) {
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    let known = |address: &str, attribute: &str| {
        if address.is_empty() {
            return (attribute == "account").then(|| state.account.clone().map(Value::from)).flatten();
        }
        let address: Address = address.parse().ok()?;
        let record = state.resources.get(&address)?;
        say(&address, record, attribute).or_else(|| record.attributes.get(attribute).cloned())
    };
    for (address, record) in &state.resources {
        let mut item = ExportItem {
            stack: &state.stack,
            address,
            kind: record.kind,
            id: record.id.as_deref().unwrap_or_default(),
            spec: resolve(&record.spec, &known),
            attributes: &record.attributes,
            imported: record.is_imported(),
        };
        if record.id.is_none() || record.standing != ResourceStatus::Present {
            notes.push(item.note("skipped: its last change got no answer; run deploy first"));
        } else if holds_noncharacters(record) {
            notes.push(item.note("skipped: its settings contain Unicode noncharacters, which other tools reject"));
        } else if sensitive::is_in(&item.spec) {
            notes.push(item.note(SENSITIVE));
        } else if has_references(&item.spec) {
            notes.push(item.note("skipped: it refers to something that is not in the state"));
        } else {
            notes.extend(add_accepted(&mut item));
            items.push(item);
        }
    }
    let left = state.pending_deletions.iter().map(|left| ExportNote {
        address: left.address.clone(),
        text: format!("skipped: {} is pending deletion ({})", left.id, left.reason.line()),
    });
    notes.extend(left);
    (items, notes)
}

/// Adds what was accepted beside the plan to the settings: it is there, and stays only where the other tool is told of it. Gives a
/// note of what the kind has no setting for.
fn add_accepted(item: &mut ExportItem<'_>) -> Option<ExportNote> {
    let accepted = item.attributes.get(ACCEPTED_EXTRAS).and_then(Value::as_object);
    let mut left: Vec<&str> = Vec::new();
    for (path, value) in accepted.into_iter().flatten() {
        let mut with = item.spec.clone();
        let Some(slot) = slot(&mut with, path) else {
            left.push(path);
            continue;
        };
        // What a later plan has set is the plan's.
        if slot.is_null() {
            *slot = value.clone();
        }
        if (item.kind.facts().shape)(&with).is_none() {
            item.spec = with;
        } else {
            left.push(path);
        }
    }
    let text = "was accepted in addition to the plan and is not exported: a first apply may remove it";
    (!left.is_empty()).then(|| item.note(format!("{} {text}", left.join(", "))))
}

/// The place of a setting in settings, made when it is free; none where the way leads through no mapping.
fn slot<'v>(settings: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let fields = settings.as_object_mut()?;
    match path.split_once('.') {
        Some((key, below)) => slot(fields.get_mut(key)?, below),
        None => Some(fields.entry(path).or_insert(Value::Null)),
    }
}

/// Whether a text holds what marks code among texts here.
fn holds_noncharacters(record: &ResourceRecord) -> bool {
    let texts = format!("{}{}", record.spec, serde_json::json!(record.attributes));
    texts.contains(|letter| ('\u{FDD0}'..='\u{FDEF}').contains(&letter))
}

/// CloudFront's word for a choice.
pub fn word(choice: &Choice) -> &'static str {
    match choice {
        Choice::None => "none",
        Choice::All => "all",
        Choice::Only(_) => "whitelist",
        Choice::AllExcept(_) => "allExcept",
    }
}
