//! What is lost with an object that Kubernetes deletes others with, or data: a Namespace, a CustomResourceDefinition, a
//! PersistentVolumeClaim. Only metadata is asked for: no content of a Secret is read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::try_join_all;
use serde_json::Value;

use super::call::ApiCall;
use super::connection::{ApiConnection, RequestFailure};
use super::discovery::ServedKind;
use super::kinds::ListedKind;
use super::lost_objects::{DepartingObjects, LostObjects, MOST, is_by_product, is_passing, kind_name};
use super::objects::{ClusterObject, is_terminating, text};
use crate::provider::ResourceContext;
use crate::resource::Fault;
use crate::resource::manifest::{ManifestSpec, api_group};

/// Lists of metadata alone; an aggregated API server that does not know them answers with whole objects.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

/// The settings of an object that was found. What it lacks is in `ready` then, which is not a setting.
///
/// # Errors
/// When the rest is not of the shape of an object's settings.
pub(crate) fn spec_of(subject: &ResourceContext<'_>) -> Result<ManifestSpec, Fault> {
    let mut spec = subject.spec.clone();
    if let Some(all) = spec.as_object_mut() {
        all.remove("ready");
    }
    ResourceContext { spec: &spec, ..*subject }.typed()
}

/// What is lost when this object is deleted and those with the keys `going` are gone, in words. None when nothing is, and when it
/// is being deleted already.
///
/// # Errors
/// When the API server cannot be reached, or refuses more than a list.
pub(crate) async fn lost_with(
    at: &ClusterObject,
    spec: &ManifestSpec,
    going: &BTreeSet<String>,
) -> Result<Option<String>, Fault> {
    let Some(holder) = at.get().await?.filter(|holder| !is_terminating(holder)) else { return Ok(None) };
    let (connection, going) = (&*at.connection, DepartingObjects { cluster: &spec.cluster, keys: going });
    let search = |namespace| Search { connection, namespace, going, counted: AtomicUsize::new(0) };
    match (api_group(&spec.api_version), spec.kind.as_str()) {
        ("", "Namespace") => search(Some(&spec.name)).of_all_kinds().await.map(|lost| lost.words()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            search(None).of_definition(&holder).await.map(|lost| lost.words())
        }
        ("", "PersistentVolumeClaim") => Ok(volume(&holder)),
        _ => Ok(None),
    }
}

/// The volume that is bound to a claim, with its capacity. With the reclaim policy Delete, it goes with the claim.
fn volume(claim: &Value) -> Option<String> {
    let name = text(claim, "/spec/volumeName");
    match (text(claim, "/status/phase"), text(claim, "/status/capacity/storage")) {
        ("Bound", "") => Some(name.to_owned()),
        ("Bound", size) => Some(format!("{name} ({size})")),
        _ => None,
    }
}

/// A search for what is lost in one namespace, or anywhere.
struct Search<'s> {
    connection: &'s ApiConnection,
    /// The namespace that goes; none when a kind does.
    namespace: Option<&'s str>,
    going: DepartingObjects<'s>,
    /// The objects that were counted.
    counted: AtomicUsize,
}

impl Search<'_> {
    async fn of_all_kinds(&self) -> Result<LostObjects, Fault> {
        let kinds = self.connection.namespaced_kinds().await?;
        let mut lost = LostObjects::default();
        kinds.unknown.into_iter().for_each(|version| lost.add_unlisted(version));
        let lasting = kinds.all.iter().filter(|listed| !is_passing(&listed.group, &listed.kind));
        let lists = try_join_all(lasting.map(|listed| self.of_kind(listed))).await?;
        lists.into_iter().for_each(|list| lost.merge(list));
        Ok(lost)
    }

    async fn of_definition(&self, definition: &Value) -> Result<LostObjects, Fault> {
        let (group, kind) = (text(definition, "/spec/group"), text(definition, "/spec/names/kind"));
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        let mut served = versions.filter(|version| version.get("served") == Some(&Value::Bool(true)));
        let version = served.next().map(|version| text(version, "/name"));
        let namespaced = text(definition, "/spec/scope") == "Namespaced";
        let plural = text(definition, "/spec/names/plural");
        match version.and_then(|version| ServedKind::of(&format!("{group}/{version}"), plural, namespaced)) {
            Some(served) => self.of_kind(&ListedKind { group: group.to_owned(), kind: kind.to_owned(), served }).await,
            None => {
                // A version that is stored and not served has objects that cannot be asked for.
                let mut lost = LostObjects::default();
                lost.add_unlisted(kind_name(group, kind));
                Ok(lost)
            }
        }
    }

    async fn of_kind(&self, listed: &ListedKind) -> Result<LostObjects, Fault> {
        let kind = kind_name(&listed.group, &listed.kind);
        let call = ApiCall::get("list", &listed.served.all(self.namespace)?).accepting(METADATA);
        let mut lost = LostObjects::default();
        let each = |page: Vec<Value>| {
            let mut found = 0;
            for object in page.iter().filter(|object| self.is_lost(listed, object)) {
                lost.add(&kind, object);
                found += 1;
            }
            let all = self.counted.fetch_add(found, Ordering::Relaxed) + found;
            if all > MOST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let listing = self.connection.pages(&call, each).await;
        match listing {
            Ok(()) => {}
            // Its definition went a moment ago.
            Err(refused) if refused.is_missing() => {}
            Err(refused) if cannot_be_listed(&refused) => lost.add_unlisted(kind),
            Err(refused) => return Err(refused.fault("list", &kind)),
        }
        Ok(lost)
    }

    fn is_lost(&self, listed: &ListedKind, object: &Value) -> bool {
        let (group, kind) = (listed.group.as_str(), listed.kind.as_str());
        let goes_with_another = match self.namespace {
            Some(_) => is_by_product(group, kind, object),
            None => self.going.has_owner(object),
        };
        !is_terminating(object) && !goes_with_another && !self.going.has(group, kind, object)
    }
}

/// Whether the caller may not list it, or it cannot be listed for good: a conversion webhook that is gone is code 500.
fn cannot_be_listed(refused: &RequestFailure) -> bool {
    match refused {
        RequestFailure::Status(said) => {
            matches!(said.code, 403 | 405) || said.code == 500 && said.reason != "ServerTimeout"
        }
        RequestFailure::TooLong(_) => true,
        RequestFailure::Fault(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Attributes;

    #[test]
    fn a_bound_claim_has_data() {
        let claim = |phase: &str| json!({"spec": {"volumeName": "pv-1"}, "status": {"phase": phase, "capacity": {"storage": "1Gi"}}});
        assert_eq!(volume(&claim("Bound")).as_deref(), Some("pv-1 (1Gi)"));
        assert_eq!((volume(&claim("Pending")), volume(&claim("Lost")), volume(&json!({}))), (None, None, None));
    }

    #[test]
    fn what_an_object_lacks_is_no_setting() {
        let spec = json!({"cluster": "c", "api_version": "v1", "kind": "Namespace", "name": "n", "object": {},
            "ready": "being deleted"});
        let (address, attributes) = ("k.manifest.a".parse().expect("an address"), Attributes::new());
        let subject = ResourceContext {
            stack: "s",
            address: &address,
            token: "",
            spec: &spec,
            id: None,
            attributes: &attributes,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
        assert!(subject.typed::<ManifestSpec>().is_err());
        assert_eq!(spec_of(&subject).map(|spec| spec.name).as_deref(), Ok("n"));
    }

    #[test]
    fn trouble_is_another_thing_than_a_list_that_is_refused() {
        let refused = |code: u16, reason: &str| {
            let mut said = kube::core::Status::failure("no", reason);
            said.code = code;
            cannot_be_listed(&RequestFailure::Status(said.boxed()))
        };
        assert!(refused(403, "Forbidden") && refused(405, "MethodNotAllowed") && refused(500, "InternalError"));
        assert!(
            !refused(500, "ServerTimeout") && !refused(429, "TooManyRequests") && !refused(503, "ServiceUnavailable")
        );
    }
}
