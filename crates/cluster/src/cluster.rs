//! Clusters: looked up, never made.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::clusters::Clusters;
use super::status::SERVICE;
use crate::provider::{Gone, Made, Provider, Subject};
use crate::resource::cluster::ClusterSpec;
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Owner};

/// The clusters of a run.
pub(crate) struct Lookups {
    clusters: Arc<Clusters>,
}

impl Lookups {
    /// These clusters.
    pub(crate) fn new(clusters: &Arc<Clusters>) -> Self {
        Self { clusters: Arc::clone(clusters) }
    }
}

fn never_made(operation: &str) -> Fault {
    Fault::new(Class::Refused, SERVICE, operation, "LookupOnly", "a cluster is looked up, never made")
        .next("make it first, then name it in the plan")
}

/// Refuses another cluster than the one that is remembered: its objects would be taken for gone, and made anew there.
fn same(name: &str, remembered: Option<&str>, uid: Option<&str>) -> Result<(), Fault> {
    let (Some(remembered), Some(uid)) = (remembered, uid) else { return Ok(()) };
    if remembered == uid {
        return Ok(());
    }
    let words = format!("{name} is another cluster than before: its UID is {uid}, and this stack knows {remembered}");
    Err(Fault::new(Class::Refused, SERVICE, "connect", "AnotherCluster", words).next(
        "check the context of the kubeconfig; for a cluster that was made anew, give the step another name, or forget the old \
         one: akidb-edge state forget",
    ))
}

#[async_trait]
impl Provider for Lookups {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let spec: ClusterSpec = subject.typed()?;
        let Some(identity) = self.clusters.identity(&spec.name).await? else { return Ok(None) };
        let remembered = subject.attributes.get("uid").and_then(serde_json::Value::as_str);
        same(&spec.name, remembered, identity.uid.as_deref())?;
        let mut attributes = Attributes::from([("version".to_owned(), json!(identity.version))]);
        // What may not be read now stays as it is known.
        if let Some(uid) = identity.uid.as_deref().or(remembered) {
            attributes.insert("uid".to_owned(), json!(uid));
        }
        Ok(Some(Found {
            id: spec.name,
            spec: subject.spec.clone(),
            attributes,
            owner: Owner::Ours,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, _subject: &Subject<'_>) -> Result<Made, Fault> {
        Err(never_made("create"))
    }

    async fn update(&self, _subject: &Subject<'_>, _found: &Found, _fields: &[FieldChange]) -> Result<Made, Fault> {
        Err(never_made("update"))
    }

    async fn delete(&self, _subject: &Subject<'_>) -> Result<Gone, Fault> {
        Ok(Gone::Gone)
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
