//! Resources that a rollback restores and this stack did not create: if they exist, they are adopted.

use std::collections::BTreeSet;

use super::diff::renews;
use super::refusal::{PlanningRefusal, marked_by_others};
use crate::resource::{Action, Address, Change, Changes, Observed, ObservedResource, Owner, ResourceOrigin};

/// The addresses at which something comes back that was taken in then.
pub fn coming_back(changes: &Changes) -> BTreeSet<Address> {
    let back = changes.items.values().filter(|change| renews(change) && change.origin != ResourceOrigin::Made);
    back.map(|change| change.address.clone()).collect()
}

/// Whether what is under the settings that come back is tagged as this stack's: under this address, or of something
/// imported under a former one, at which nothing was updated.
pub fn is_the_former(changes: &Changes, change: &Change, found: &ObservedResource) -> bool {
    let has_it = |other: &Change| {
        let seen = other.found.as_ref().map(|seen| &seen.id);
        let id = seen.or(other.before.as_ref().and_then(|record| record.id.as_ref()));
        other.address != change.address && other.kind == change.kind && id == Some(&found.id)
    };
    let marked =
        change.origin == ResourceOrigin::Imported && found.owner.is_marked_by(changes.stack_of(&change.address));
    found.owner == Owner::Ours || (marked && !changes.items.values().any(has_it))
}

/// Says of each what will happen. `seen` is what is under the settings that it had then. Gives what is in the way: it
/// carries the mark of somebody else now.
#[must_use]
pub fn take_up_again(changes: &mut Changes, seen: &Observed) -> Vec<PlanningRefusal> {
    let mut refused = Vec::new();
    for (address, answer) in &seen.seen {
        let Ok(found) = answer else { continue };
        let of = |change| found.as_ref().is_some_and(|found| is_the_former(changes, change, found));
        let former = changes.items.get(address).is_some_and(of);
        let Some(change) = changes.items.get_mut(address) else { continue };
        if let Some(found) = found
            && !former
            && let Owner::Foreign(why) | Owner::Contested(why) = &found.owner
            && found.owner.is_marked()
        {
            refused.push(marked_by_others(change, found, why));
            continue;
        }
        let replaced = change.found.as_ref().filter(|_| change.action == Action::Replace);
        let goes = replaced.map_or_else(String::new, |old| format!("; {} goes", old.id));
        let title = change.kind.facts().title;
        change.reason = Some(match found {
            Some(found) if former => {
                format!("{title} {}, which existed before this stack, is adopted again{goes}", found.id)
            }
            Some(found) => format!(
                "{title} {} existed before this stack and is not tagged as its own: it is adopted again if its service \
                 can identify it; otherwise this step is refused{goes}",
                found.id
            ),
            None => {
                change.origin = ResourceOrigin::Made;
                format!("the {title} that existed before this stack no longer exists: a new one is created{goes}")
            }
        });
    }
    refused
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Attributes, Kind, Risk};

    fn found(id: &str, owner: Owner) -> ObservedResource {
        ObservedResource {
            id: id.to_owned(),
            spec: json!({"name": id}),
            attributes: Attributes::new(),
            owner,
            extras: Vec::new(),
        }
    }

    fn change(name: &str, action: Action, origin: ResourceOrigin) -> Change {
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
            change("there", Action::Replace, ResourceOrigin::Imported),
            change("gone", Action::Create, ResourceOrigin::Imported),
            change("lost", Action::Replace, ResourceOrigin::Imported),
            change("moved", Action::Replace, ResourceOrigin::Imported),
            change("made", Action::Replace, ResourceOrigin::Made),
            change("kept", Action::Keep, ResourceOrigin::Imported),
        ];
        let items = all.into_iter().map(|change| (change.address.clone(), change)).collect();
        let mut changes = Changes { stack: "s".to_owned(), items, ..Changes::default() };
        let back = coming_back(&changes);
        assert_eq!(back.iter().map(Address::name).collect::<Vec<_>>(), ["gone", "lost", "moved", "there"]);
        let mut seen = Observed::default();
        let at = |name: &str| Address::new("m", Kind::Bucket, name);
        seen.seen.insert(at("there"), Ok(Some(found("theirs", Owner::Ours))));
        seen.seen.insert(at("gone"), Ok(None));
        seen.seen.insert(at("lost"), Ok(Some(found("theirs", Owner::Foreign("tagged as a of stack b".to_owned())))));
        let elsewhere = Owner::Foreign("tagged as m.bucket.former of stack s".to_owned());
        seen.seen.insert(at("moved"), Ok(Some(found("renamed", elsewhere.clone()))));
        let refused = take_up_again(&mut changes, &seen);
        assert_eq!(refused.iter().map(|one| one.address.name()).collect::<Vec<_>>(), ["lost"]);
        assert!(refused[0].problem.contains("tagged as a of stack b"), "{}", refused[0].problem);
        let reason = |name: &str| changes.items[&at(name)].reason.clone().unwrap_or_default();
        assert!(reason("there").ends_with(" theirs, which existed before this stack, is adopted again; own goes"));
        assert!(reason("gone").ends_with("no longer exists: a new one is created"), "{}", reason("gone"));
        assert_eq!(changes.items[&at("gone")].origin, ResourceOrigin::Made);
        assert!(reason("moved").ends_with(" renamed, which existed before this stack, is adopted again; own goes"));
        assert!(reason("made").is_empty());
        // Another address was updated: it is not the former one's.
        let mut other = change("other", Action::Keep, ResourceOrigin::Made);
        other.found = Some(found("renamed", Owner::Ours));
        changes.items.insert(at("other"), other);
        assert!(!is_the_former(&changes, &changes.items[&at("moved")], &found("renamed", elsewhere)));
    }

    #[test]
    fn what_comes_back_without_a_mark_is_left_to_its_service_to_recognize() {
        let there = change("there", Action::Create, ResourceOrigin::Imported);
        let address = there.address.clone();
        let items = [(address.clone(), there)].into();
        let mut changes = Changes { stack: "s".to_owned(), items, ..Changes::default() };
        let mut seen = Observed::default();
        seen.seen.insert(address.clone(), Ok(Some(found("theirs", Owner::Foreign("not tagged".to_owned())))));
        assert!(take_up_again(&mut changes, &seen).is_empty());
        let reason = changes.items[&address].reason.clone().unwrap_or_default();
        let why =
            "theirs existed before this stack and is not tagged as its own: it is adopted again if its service can";
        assert!(reason.contains(why), "{reason}");
    }

    #[test]
    fn something_of_another_kind_with_the_same_id_is_not_what_comes_back() {
        let back = change("b", Action::Create, ResourceOrigin::Imported);
        let mut other = change("other", Action::Keep, ResourceOrigin::Made);
        (other.address, other.kind) = (Address::new("e", Kind::Role, "r"), Kind::Role);
        other.found = Some(found("same", Owner::Ours));
        let items = [other, back.clone()].into_iter().map(|change| (change.address.clone(), change)).collect();
        let changes = Changes { stack: "s".to_owned(), items, ..Changes::default() };
        let marked = found("same", Owner::Foreign("tagged as m.bucket.former of stack s".to_owned()));
        assert!(is_the_former(&changes, &back, &marked));
    }
}
