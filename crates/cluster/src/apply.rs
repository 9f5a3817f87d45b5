//! How an object is applied, and which field managers own which fields before and after.

use std::time::Duration;

use serde_json::Value;

use super::call::MANAGER;
use super::connection::RequestFailure;
use super::inventory::set_id;
use super::manifest::Manifests;
use super::object::{id, wanted};
use super::objects::{ClusterObject, is_terminating, text};
use super::readiness::{self, ReadinessState};
use super::status;
use super::{autoscaler, client_side, job, preview};
use crate::provider::{Applied, ResourceContext};
use crate::resource::manifest::ManifestSpec;
use crate::resource::{Attributes, Fault};

/// A job that is renewed is gone with its pods within this time.
const RENEWED_WITHIN: Duration = Duration::from_secs(60);

impl Manifests {
    /// Applies it; `live` is what is there, and `adopted` takes over fields that others hold.
    pub(crate) async fn apply(
        &self,
        subject: &ResourceContext<'_>,
        spec: &ManifestSpec,
        at: &ClusterObject,
        live: Option<Value>,
        adopted: bool,
    ) -> Result<Applied, Fault> {
        if let Some(live) = live.as_ref().filter(|live| is_terminating(live)) {
            return Err(at.terminating("apply", live));
        }
        let set = self.inventories.of(subject.stack, spec);
        set.cover(&at.connection, subject.stack).await?;
        let mut object = wanted(subject, spec, &set_id(subject.stack), live.as_ref());
        let scaled = autoscaler::is_scaled(at, spec).await?;
        if scaled {
            object = autoscaler::without_replicas(object);
        }
        if let Some(live) = &live {
            client_side::migrate(at, live, adopted).await?;
            if scaled {
                // What was client-side a moment ago is ours now: the managers are looked at again.
                let live = at.get().await?;
                if let Some(live) = &live {
                    autoscaler::hand_over(at, live).await?;
                }
            }
        }
        match at.apply(&object, MANAGER, adopted || spec.force_conflicts).await {
            Ok(_) => {}
            Err(refused) if job::needs_renewal(spec, &refused) => return self.renew(subject, spec, at, None).await,
            Err(RequestFailure::Status(said)) if !scaled && autoscaler::are_left_behind(&status::conflicts(&said)) => {
                let again = at.apply(&object, MANAGER, true).await;
                again.map_err(|refused| refused.fault("apply", &at.about))?;
            }
            Err(refused) => return Err(preview::refused_for_good(at, &object, refused).await),
        }
        Ok(self.applied(subject, spec, at).await)
    }

    /// Deletes it and makes it again: most fields of a Job can never change, and some of other kinds. With a `uid`, only the object that
    /// has it is deleted: one that an earlier try has made already stays.
    pub(crate) async fn renew(
        &self,
        subject: &ResourceContext<'_>,
        spec: &ManifestSpec,
        at: &ClusterObject,
        uid: Option<&str>,
    ) -> Result<Applied, Fault> {
        self.inventories.of(subject.stack, spec).cover(&at.connection, subject.stack).await?;
        let live = at.get().await?;
        let goes = live.is_some_and(|live| uid.is_none_or(|uid| text(&live, "/metadata/uid") == uid));
        if goes && let Some(left) = at.delete("Foreground", uid, RENEWED_WITHIN).await? {
            return Err(at.terminating("delete", &left));
        }
        let object = wanted(subject, spec, &set_id(subject.stack), None);
        let applied = at.apply(&object, MANAGER, spec.force_conflicts).await;
        applied.map_err(|refused| refused.fault("apply", &at.about))?;
        Ok(self.applied(subject, spec, at).await)
    }

    async fn applied(&self, subject: &ResourceContext<'_>, spec: &ManifestSpec, at: &ClusterObject) -> Applied {
        self.inventories.of(subject.stack, spec).members.has(&id(spec));
        if spec.kind == "HorizontalPodAutoscaler" {
            at.connection.autoscalers.forget().await;
        }
        self.waits_from_now(&subject.address.to_string());
        Applied { id: id(spec), attributes: Attributes::new() }
    }

    /// Whether the kind of a CustomResourceDefinition can be used: it is established, and every version is served.
    pub(crate) async fn defined(&self, at: &ClusterObject, object: &Value) -> Result<ReadinessState, Fault> {
        let verdict = readiness::established(object);
        if verdict != ReadinessState::Ready {
            return Ok(verdict);
        }
        let (group, kind) = (text(object, "/spec/group"), text(object, "/spec/names/kind"));
        let versions = object.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        for version in versions.filter(|version| version.get("served") == Some(&Value::Bool(true))) {
            let api_version = format!("{group}/{}", text(version, "/name"));
            if at.connection.served(&api_version, kind).await?.is_none() {
                return Ok(ReadinessState::NotYet("established, not served yet".to_owned()));
            }
        }
        Ok(ReadinessState::Ready)
    }
}
