//! Tags of services that take them one by one: only the plan's own differences are written.

use std::collections::BTreeMap;

use crate::provider::ResourceContext;
use crate::resource::FieldChange;

/// What is to be done with the tags of one thing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// Tags to write.
    pub set: BTreeMap<String, String>,
    /// Keys to take away.
    pub drop: Vec<String>,
}

/// The tags among `fields`; `tags` are all that the plan states. When tags change at all, the stack's marks are written
/// again with them, so that a thing that was adopted carries them.
pub fn of(subject: &ResourceContext<'_>, tags: &BTreeMap<String, String>, fields: &[FieldChange]) -> TagChanges {
    let mut changes = TagChanges::default();
    for field in fields {
        match (field.path.strip_prefix("tags"), &field.new) {
            // None are there at all: every one of the plan's is new.
            (Some(""), Some(_)) => changes.set.extend(tags.clone()),
            (Some(key), Some(value)) if key.starts_with('.') => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                changes.set.insert(key[1..].to_owned(), text);
            }
            (Some(key), None) if key.starts_with('.') => changes.drop.push(key[1..].to_owned()),
            _ => {}
        }
    }
    if !changes.set.is_empty() {
        changes.set.extend(super::tags::wanted(subject, &BTreeMap::new()));
    }
    changes
}
