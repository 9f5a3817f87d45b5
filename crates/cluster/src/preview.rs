//! The preview of an apply, from dry runs: conflicting field managers, immutable fields, removed fields.

use serde_json::{Value, json};

use super::client_side::{self, CLIENT_SIDE};
use super::connection::RequestFailure;
use super::dropped;
use super::inventory::set_id;
use super::manifest::is_adopted;
use super::object::wanted;
use super::objects::{ClusterObject, is_terminating};
use super::readiness::shown;
use super::status::{self, FieldConflict, SERVICE};
use super::{autoscaler, objects};
use crate::provider::ResourceContext;
use crate::resource::manifest::{ManifestSpec, Readiness, api_group};
use crate::resource::{Expected, Fault, FaultClass, ObservedResource, Preview, Untrusted};

/// Fields that are named.
const NAMED: usize = 5;

/// What an apply of this object would meet. What is being deleted is waited for.
///
/// # Errors
/// When the API server cannot be reached, or is busy.
pub(crate) async fn of(
    subject: &ResourceContext<'_>,
    spec: &ManifestSpec,
    at: &ClusterObject,
    found: &ObservedResource,
) -> Result<Preview, Fault> {
    let Some(live) = at.get().await?.filter(|live| !is_terminating(live)) else { return Ok(Preview::default()) };
    if matches!(spec.ready, Readiness::Logged(_)) && found.spec.get("ready") != Some(&json!(spec.ready)) {
        return Ok(Preview::recreate("a Job runs once, and its log does not contain the required text"));
    }
    let adopted = is_adopted(subject, found);
    let mut object = wanted(subject, spec, &set_id(subject.stack), Some(&live));
    let scaled = autoscaler::is_scaled(at, spec).await?;
    if scaled {
        object = autoscaler::with_live_replicas(object, &live);
    }
    let becomes_ours = client_side::becomes_ours(&live, adopted);
    let (then, held) = match at.try_apply(&object, false).await {
        Ok(then) => (then, Vec::new()),
        Err(refused) => {
            let Some(conflicts) = conflicts_of(&refused) else { return refusal(spec, at, &object, refused).await };
            let held = in_the_way(conflicts, becomes_ours, scaled);
            if !held.is_empty() && !adopted && !spec.force_conflicts {
                return Ok(Preview::refused(status::conflict("dry run", &at.about, &held)));
            }
            match at.try_apply(&object, true).await {
                Ok(then) => (then, held),
                Err(refused) => return refusal(spec, at, &object, refused).await,
            }
        }
    };
    let also = if becomes_ours { dropped::fields(&live, &then) } else { Vec::new() };
    Ok(Preview { expected: Expected::InPlace, also, note: taken_over(&held) })
}

fn conflicts_of(refused: &RequestFailure) -> Option<Vec<FieldConflict>> {
    let RequestFailure::Status(said) = refused else { return None };
    let conflicts = status::conflicts(said);
    (!conflicts.is_empty()).then_some(conflicts)
}

/// The conflicts that an apply would meet: client-side fields become ours first, and what an autoscaler left behind is taken back.
fn in_the_way(mut conflicts: Vec<FieldConflict>, becomes_ours: bool, scaled: bool) -> Vec<FieldConflict> {
    conflicts.retain(|one| !(becomes_ours && one.name == CLIENT_SIDE));
    if !scaled && autoscaler::are_left_behind(&conflicts) {
        conflicts.clear();
    }
    conflicts
}

fn taken_over(held: &[FieldConflict]) -> Option<Untrusted> {
    let each = held.iter().map(|one| format!("{} of {}", one.fields.join(", "), one.manager));
    let all = each.collect::<Vec<_>>().join("; ");
    (!all.is_empty()).then(|| format!("it takes over {}", shown(&all)).into())
}

/// What a refused dry run says of the apply itself. A refusal that may be about dry runs, or that another change of the same run may
/// lift (a role, a quota, a policy), says nothing.
async fn refusal(
    spec: &ManifestSpec,
    at: &ClusterObject,
    object: &Value,
    refused: RequestFailure,
) -> Result<Preview, Fault> {
    if let Some(fields) = never_changes(at, object, &refused).await? {
        return Ok(made_again(spec, at, &fields));
    }
    let is_of_object = objects::is_about_the_object(&refused);
    let fault = refused.fault("dry run", &at.about);
    match fault.class {
        FaultClass::Retry | FaultClass::Credentials | FaultClass::Unreachable | FaultClass::Away => Err(fault),
        _ if is_of_object => Ok(Preview::refused(fault)),
        _ => {
            let note = format!("the dry run failed: {}", shown(&fault.message.text()));
            Ok(Preview { note: Some(note.into()), ..Preview::default() })
        }
    }
}

/// The fields that can never change, when an update was refused only for that: the cluster would take the same object as a new one.
/// No `Status` says so by its type.
async fn never_changes(at: &ClusterObject, object: &Value, refused: &RequestFailure) -> Result<Option<String>, Fault> {
    let RequestFailure::Status(said) = refused else { return Ok(None) };
    if !said.is_invalid() || !at.would_be_taken(object).await? {
        return Ok(None);
    }
    let mut fields: Vec<&str> = status::fields(said).filter(|field| !field.is_empty()).collect();
    fields.dedup();
    fields.truncate(NAMED);
    Ok(Some(if fields.is_empty() { "some of it".to_owned() } else { shown(&fields.join(", ")) }))
}

/// An apply that met what can never change, and that no preview could tell before: it referred to what was made in the same run.
pub(crate) async fn refused_for_good(at: &ClusterObject, object: &Value, refused: RequestFailure) -> Fault {
    match never_changes(at, object, &refused).await {
        Ok(Some(fields)) => {
            let words = format!("{}: {fields} can never change", at.about);
            Fault::new(FaultClass::Refused, SERVICE, "apply", "Immutable", words)
                .next("run the same command again: it shows then that the object is deleted and made again")
        }
        _ => refused.fault("apply", &at.about),
    }
}

fn made_again(spec: &ManifestSpec, at: &ClusterObject, fields: &str) -> Preview {
    let why = format!("{fields} of a {} can never change", spec.kind);
    match data_of(spec).filter(|_| !spec.recreate) {
        None => Preview::recreate(why),
        Some(data) => {
            let words = format!("{}: {why}, and {data}", at.about);
            let next = format!(
                "put the former value back, or give the new one another name; to have it deleted and made again, add recreate: \
                 [{}/{}] to the step",
                spec.kind, spec.name
            );
            Preview::refused(Fault::new(FaultClass::Refused, SERVICE, "dry run", "Immutable", words).next(next))
        }
    }
}

/// What is lost or stops with an object that would be deleted; none for what holds no data.
fn data_of(spec: &ManifestSpec) -> Option<&'static str> {
    let has_claims = || spec.object.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    match (api_group(&spec.api_version), spec.kind.as_str()) {
        ("", "PersistentVolumeClaim" | "PersistentVolume") => Some("it has data"),
        ("apps", "StatefulSet") if has_claims().is_some_and(|claims| !claims.is_empty()) => {
            Some("its pods have volumes with data")
        }
        ("", "Namespace") => Some("everything in it would be deleted"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("every object of its kind would be deleted"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(api_version: &str, kind: &str, object: Value) -> ManifestSpec {
        serde_json::from_value(json!({"cluster": "c", "api_version": api_version, "kind": kind, "name": "a",
            "object": object}))
        .expect("a spec")
    }

    fn conflict(name: &str, manager: &str, field: &str) -> FieldConflict {
        FieldConflict { manager: manager.to_owned(), name: name.to_owned(), fields: vec![field.to_owned()] }
    }

    #[test]
    fn what_becomes_ours_before_is_no_conflict() {
        let client = conflict(CLIENT_SIDE, "\"kubectl-client-side-apply\"", ".data.a");
        let person = conflict("kubectl-edit", "\"kubectl-edit\"", ".data.b");
        let both = || vec![client.clone(), person.clone()];
        assert_eq!(in_the_way(both(), true, false), vec![person.clone()]);
        assert_eq!(in_the_way(both(), false, false), both());
        let scaled = conflict("k3s", "\"k3s\" with subresource \"scale\"", ".spec.replicas");
        assert_eq!(in_the_way(vec![scaled.clone()], false, false), Vec::new());
        assert_eq!(in_the_way(vec![scaled.clone()], false, true), vec![scaled]);
        let note = taken_over(&[person]).expect("a note");
        assert_eq!(note, "it takes over .data.b of \"kubectl-edit\"");
        assert_eq!(taken_over(&[]), None);
    }

    #[test]
    fn what_holds_data_is_told_from_what_can_be_made_again() {
        let claims = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}});
        assert!(data_of(&spec("apps/v1", "StatefulSet", claims)).is_some());
        assert!(data_of(&spec("apps/v1", "StatefulSet", json!({"spec": {}}))).is_none());
        assert!(data_of(&spec("v1", "PersistentVolumeClaim", json!({}))).is_some());
        assert!(data_of(&spec("apps/v1", "Deployment", json!({}))).is_none());
        assert!(data_of(&spec("example.com/v1", "PersistentVolume", json!({}))).is_none(), "another group");
    }
}
