//! What services say of the updates of a difference before they are sent: refusals, what has to be made again, what else changes.

use std::collections::BTreeMap;

use super::refusal::{PlanningRefusal, cannot_recreate, refused_beforehand, unreadable};
use crate::resource::{Action, Address, Change, Changes, Expected, Fault, Owner, Preview, ResourceOrigin, Risk};

/// Takes the previews into the difference. Gives what stands in the way.
#[must_use]
pub fn previewed(changes: &mut Changes, previews: BTreeMap<Address, Result<Preview, Fault>>) -> Vec<PlanningRefusal> {
    let mut refused = Vec::new();
    for (address, preview) in previews {
        let Some(change) = changes.items.get_mut(&address) else { continue };
        match preview {
            Ok(preview) => refused.extend(take(change, preview)),
            Err(fault) => refused.push(unreadable((&address, &fault))),
        }
    }
    refused
}

fn take(change: &mut Change, preview: Preview) -> Option<PlanningRefusal> {
    let Preview { expected, also, note } = preview;
    if !also.is_empty() {
        change.risk = change.risk.max(Risk::Brief);
        change.fields.extend(also);
    }
    if let Some(note) = note {
        add_reason(change, &note.line());
    }
    match expected {
        Expected::InPlace => None,
        Expected::Refused(fault) => Some(refused_beforehand(&change.address, &fault)),
        Expected::Recreate(why) if !is_own(change) => Some(cannot_recreate(&change.address, &why)),
        Expected::Recreate(why) => {
            let there = change.found.as_ref().map(|found| &found.spec);
            let has_data = there.is_some_and(|spec| change.kind.data(spec).is_some());
            change.risk = if has_data { Risk::DestroysData } else { Risk::Disruptive };
            (change.action, change.origin) = (Action::Recreate, ResourceOrigin::Made);
            add_reason(change, &format!("it is deleted, then made again: {}", why.line()));
            None
        }
    }
}

fn add_reason(change: &mut Change, more: &str) {
    let before = change.reason.take().map_or_else(String::new, |reason| format!("{reason}; "));
    change.reason = Some(format!("{before}{more}"));
}

/// Whether this stack made what is there, so that it may delete it.
fn is_own(change: &Change) -> bool {
    let ours = change.found.as_ref().is_some_and(|found| found.owner == Owner::Ours);
    ours && change.origin != ResourceOrigin::Imported
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{Place, at, found, record};
    use super::*;
    use crate::resource::{FaultClass, FieldChange, ObservedResource, ResourceRecord};

    const WEB: &str = "k.manifest.web";
    const CLAIM: &str = "k.manifest.claim";

    fn object(kind: &str, replicas: u32) -> Value {
        let api_version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        json!({"cluster": "west", "api_version": api_version, "kind": kind, "namespace": "n", "name": "a",
               "object": {"spec": {"replicas": replicas}}, "ready": "taken"})
    }

    fn place(address: &str, kind: &str, origin: ResourceOrigin, owner: Owner) -> Place {
        let there = ObservedResource { owner, ..found("west:a", object(kind, 1)) };
        let held = ResourceRecord { origin, ..record(address, Some("west:a"), object(kind, 1)) };
        Place::new().want(address, object(kind, 2)).know(address, held).see(address, there)
    }

    fn told(address: &str, place: &Place, preview: Result<Preview, Fault>) -> (Change, Vec<String>) {
        let mut changes = place.changes();
        let refused = previewed(&mut changes, BTreeMap::from([(at(address), preview)]));
        let change = changes.items.remove(&at(address)).expect("a change");
        (change, refused.into_iter().map(|one| format!("{} / {}", one.problem, one.next_step)).collect())
    }

    #[test]
    fn what_can_never_change_is_deleted_and_made_again_and_said_so() {
        let own = place(WEB, "Deployment", ResourceOrigin::Made, Owner::Ours);
        let (change, refused) = told(WEB, &own, Ok(Preview::recreate("spec.selector cannot change")));
        assert!(refused.is_empty());
        assert_eq!((change.action, change.risk), (Action::Recreate, Risk::Disruptive));
        assert_eq!(change.reason.as_deref(), Some("it is deleted, then made again: spec.selector cannot change"));
        let claim = place(CLAIM, "PersistentVolumeClaim", ResourceOrigin::Made, Owner::Ours);
        assert_eq!(told(CLAIM, &claim, Ok(Preview::recreate("x"))).0.risk, Risk::DestroysData);
    }

    #[test]
    fn what_others_made_is_not_deleted_for_it() {
        let imported = place(WEB, "Deployment", ResourceOrigin::Imported, Owner::Ours);
        let (change, refused) = told(WEB, &imported, Ok(Preview::recreate("spec.selector cannot change")));
        assert_eq!(change.action, Action::Update);
        assert!(
            refused[0].contains("was not created by this stack") && refused[0].contains("spec.selector"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_refusal_is_told_before_and_so_is_a_service_that_does_not_answer() {
        let own = place(WEB, "Deployment", ResourceOrigin::Made, Owner::Ours);
        let conflict =
            Fault::new(FaultClass::Refused, "kubernetes", "dry run", "Conflict", "kubectl has it").next("ask");
        let (change, refused) = told(WEB, &own, Ok(Preview::refused(conflict.clone())));
        assert_eq!((change.action, refused), (Action::Update, vec!["kubectl has it / ask".to_owned()]));
        let (_, refused) = told(WEB, &own, Err(Fault { class: FaultClass::Unreachable, ..conflict }));
        assert!(refused[0].starts_with("it could not be read"), "{refused:?}");
    }

    #[test]
    fn what_an_adoption_takes_away_is_shown_and_no_longer_safe() {
        let foreign = Owner::Foreign("it does not carry this stack's annotation".to_owned());
        let mut place = place(WEB, "Deployment", ResourceOrigin::Made, foreign);
        place.recorded.resources.clear();
        place.desired.resources.clear();
        place = place.want(WEB, object("Deployment", 1));
        place.scope.adopt.insert(at(WEB));
        let gone = FieldChange { path: "object.data.b".to_owned(), old: Some(json!("2")), new: None, drifted: false };
        let preview =
            Preview { also: vec![gone.clone()], note: Some("it takes fields over".into()), ..Preview::default() };
        let (change, refused) = told(WEB, &place, Ok(preview));
        assert!(refused.is_empty() && change.fields.contains(&gone));
        assert_eq!((change.action, change.risk), (Action::Adopt, Risk::Brief));
        assert!(
            change.reason.as_ref().is_some_and(|why| why.ends_with("; it takes fields over")),
            "{:?}",
            change.reason
        );
    }
}
