//! Clusters: looked up, never created.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::clusters::Clusters;
use super::status::SERVICE;
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::cluster::ClusterSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, ObservedResource, Owner};

/// The clusters of a run.
pub(crate) struct ClusterLookups {
    clusters: Arc<Clusters>,
}

impl ClusterLookups {
    /// These clusters.
    pub(crate) fn new(clusters: &Arc<Clusters>) -> Self {
        Self { clusters: Arc::clone(clusters) }
    }
}

fn never_made(operation: &str) -> Fault {
    Fault::new(FaultClass::Refused, SERVICE, operation, "LookupOnly", "a cluster is only looked up, never created")
        .next("create it first, then name it in the plan")
}

/// Refuses another cluster than the one that is recorded: its objects would be taken for gone, and made anew there.
fn same(name: &str, recorded: Option<&str>, uid: Option<&str>) -> Result<(), Fault> {
    let (Some(recorded), Some(uid)) = (recorded, uid) else { return Ok(()) };
    if recorded == uid {
        return Ok(());
    }
    let words =
        format!("{name} is a different cluster: its UID is {uid}, and the journal of this stack has {recorded}");
    Err(Fault::new(FaultClass::Refused, SERVICE, "connect", "AnotherCluster", words).next(
        "check the context of the kubeconfig; for a recreated cluster, give the step another name, or forget the old \
         one: akidb-edge state forget",
    ))
}

#[async_trait]
impl Provider for ClusterLookups {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: ClusterSpec = subject.typed()?;
        let Some(identity) = self.clusters.identity(&spec.name).await? else { return Ok(None) };
        let recorded = subject.attributes.get("uid").and_then(serde_json::Value::as_str);
        same(&spec.name, recorded, identity.uid.as_deref())?;
        let mut attributes = Attributes::from([("version".to_owned(), json!(identity.version))]);
        // What may not be read now stays as it is known.
        if let Some(uid) = identity.uid.as_deref().or(recorded) {
            attributes.insert("uid".to_owned(), json!(uid));
        }
        Ok(Some(ObservedResource {
            id: spec.name,
            spec: subject.spec.clone(),
            attributes,
            owner: Owner::Ours,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, _subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        Err(never_made("create"))
    }

    async fn update(
        &self,
        _subject: &ResourceContext<'_>,
        _found: &ObservedResource,
        _fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        Err(never_made("update"))
    }

    async fn delete(&self, _subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        Ok(DeleteOutcome::Deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_cluster_under_the_same_name_is_refused() {
        assert!(same("a", None, Some("1")).is_ok() && same("a", Some("1"), Some("1")).is_ok());
        assert!(same("a", Some("1"), None).is_ok(), "who may not read it works as before");
        assert_eq!(same("a", Some("1"), Some("2")).expect_err("another one").code.line(), "AnotherCluster");
    }
}
