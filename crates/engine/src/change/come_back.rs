//! What an undoing gives back that this stack did not make: where it still stands, it is taken up again and not made.

use std::collections::BTreeSet;

use super::diff::renews;
use crate::resource::{Action, Address, Changes, Observed, Origin, Owner};

/// The addresses at which something comes back that was taken in then.
pub fn coming_back(changes: &Changes) -> BTreeSet<Address> {
    let back = changes.items.values().filter(|change| renews(change) && change.origin != Origin::Made);
    back.map(|change| change.address.clone()).collect()
}

/// Says of each what will happen. `seen` is what stands under the settings that it had then.
pub fn take_up_again(changes: &mut Changes, seen: &Observed) {
    for (address, answer) in &seen.seen {
        let Some(change) = changes.items.get_mut(address) else { continue };
        let Ok(found) = answer else { continue };
        let replaced = change.found.as_ref().filter(|_| change.action == Action::Replace);
        let goes = replaced.map_or_else(String::new, |old| format!("; {} goes", old.id));
        let title = change.kind.facts().title;
        change.reason = Some(match found {
            Some(found) if found.owner.is_marked() => format!(
                "{title} {} carries the mark of another stack now: it is not taken up again, and this step will be refused",
                found.id
            ),
            Some(found) if matches!(found.owner, Owner::Foreign(_) | Owner::Contested(_)) => format!(
                "{title} {} existed before this stack and does not carry its mark: it is taken up again, or this step is \
                 refused, as its service tells them apart{goes}",
                found.id
            ),
            Some(found) => format!("{title} {}, which existed before this stack, is taken up again{goes}", found.id),
            None => {
                change.origin = Origin::Made;
                format!("the {title} that existed before this stack is not there any more: a new one is made{goes}")
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Attributes, Change, Found, Kind, Risk};

    fn found(id: &str, owner: Owner) -> Found {
        Found { id: id.to_owned(), spec: json!({"name": id}), attributes: Attributes::new(), owner, extras: Vec::new() }
    }

    fn change(name: &str, action: Action, origin: Origin) -> Change {
        let address = Address::new("m", Kind::Bucket, name);
        Change {
            address,
            kind: Kind::Bucket,
            action,
            fields: Vec::new(),
            risk: Risk::DestroysData,
            moved_from: Vec::new(),
            reason: None,
            origin,
            after: None,
            before: None,
            found: Some(found("own", Owner::Ours)),
        }
    }

    #[test]
    fn what_comes_back_is_told_as_what_it_is() {
        let all = [
            change("there", Action::Replace, Origin::Imported),
            change("gone", Action::Create, Origin::Imported),
            change("lost", Action::Replace, Origin::Imported),
            change("made", Action::Replace, Origin::Made),
            change("kept", Action::Keep, Origin::Imported),
        ];
        let items = all.into_iter().map(|change| (change.address.clone(), change)).collect();
        let mut changes = Changes { stack: "s".to_owned(), items, ..Changes::default() };
        let back = coming_back(&changes);
        assert_eq!(back.iter().map(Address::name).collect::<Vec<_>>(), ["gone", "lost", "there"]);
        let mut seen = Observed::default();
        let at = |name: &str| Address::new("m", Kind::Bucket, name);
        seen.seen.insert(at("there"), Ok(Some(found("theirs", Owner::Ours))));
        seen.seen.insert(at("gone"), Ok(None));
        seen.seen.insert(at("lost"), Ok(Some(found("theirs", Owner::Foreign("tagged as a of stack b".to_owned())))));
        take_up_again(&mut changes, &seen);
        let reason = |name: &str| changes.items[&at(name)].reason.clone().unwrap_or_default();
        assert!(reason("there").ends_with(" theirs, which existed before this stack, is taken up again; own goes"));
        assert!(reason("gone").ends_with("is not there any more: a new one is made"), "{}", reason("gone"));
        assert_eq!(changes.items[&at("gone")].origin, Origin::Made);
        assert!(reason("lost").contains("will be refused") && reason("made").is_empty());
    }
}
