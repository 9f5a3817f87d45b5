//! Objects of clusters: the server applies them and merges, and a dry run of the same apply is the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::clusters::{Clusters, ObjectPlace};
use super::discovery::unknown_kind;
use super::inventory::{Inventories, set_id};
use super::object::{AppliedObject, extras, found, id, owner, wanted, without_bookkeeping};
use super::objects::{ClusterObject, text};
use super::readiness::{self, ReadinessState};
use super::status::SERVICE;
use super::{autoscaler, data_loss, events, job, preview};
use crate::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::{
    Attributes, CheckedSettings, Fault, FaultClass, FieldChange, Level, ObservedResource, Owner, Preview, syntax_check,
};

/// What takes longer than this is asked for its reasons.
const LOOK_CLOSER: Duration = Duration::from_secs(3);
/// How often it is looked until then.
const QUICK: Duration = Duration::from_millis(150);
/// One try of a delete looks so long whether the object is gone: others have something to ask, too.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Objects of the clusters of a run.
pub(crate) struct Manifests {
    clusters: Arc<Clusters>,
    pub(crate) inventories: Inventories,
    /// Since when each is waited for.
    waiting: Mutex<BTreeMap<String, Instant>>,
}

impl Manifests {
    /// Objects of these clusters.
    pub(crate) fn new(clusters: &Arc<Clusters>) -> Self {
        Self { clusters: Arc::clone(clusters), inventories: Inventories::default(), waiting: Mutex::default() }
    }

    /// Where an object is; a fault when nothing can be there.
    pub(crate) async fn target(&self, operation: &str, spec: &ManifestSpec) -> Result<ClusterObject, Fault> {
        match self.clusters.place(spec, id(spec)).await? {
            ObjectPlace::At(target) => Ok(target),
            ObjectPlace::UnknownKind => Err(unknown_kind(operation, &id(spec), &spec.api_version, &spec.kind)),
            ObjectPlace::NoCluster => {
                let words = format!("{}: no cluster runs there", id(spec));
                Err(Fault::new(FaultClass::Retry, SERVICE, operation, "NoCluster", words)
                    .next("check the server: systemctl status k3s, journalctl -u k3s"))
            }
        }
    }

    /// An object as it is and as an apply would make it; none when it is not there.
    async fn look(&self, subject: &ResourceContext<'_>, spec: &ManifestSpec) -> Result<Option<AppliedObject>, Fault> {
        let ObjectPlace::At(at) = self.clusters.place(spec, id(spec)).await? else { return Ok(None) };
        let Some(now) = at.get().await? else { return Ok(None) };
        let mut object = wanted(subject, spec, &set_id(subject.stack), Some(&now));
        if autoscaler::is_scaled(&at, spec).await? {
            object = autoscaler::with_live_replicas(object, &now);
        }
        let then = at.dry_run(&object).await?.map(without_bookkeeping);
        Ok(Some(AppliedObject { now: without_bookkeeping(now), then }))
    }

    pub(crate) fn waits_from_now(&self, address: &str) {
        self.since().insert(address.to_owned(), Instant::now());
    }

    fn waited(&self, address: &str) -> Duration {
        self.since().entry(address.to_owned()).or_insert_with(Instant::now).elapsed()
    }

    fn since(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        // Nothing can fail while it is held: what a poisoned map holds is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remove(
        &self,
        subject: &ResourceContext<'_>,
        spec: &ManifestSpec,
        at: &ClusterObject,
    ) -> Result<DeleteOutcome, Fault> {
        let set = self.inventories.of(subject.stack, spec);
        let leaving = set.members.leaves(&id(spec));
        if leaving.is_last().await {
            set.end(&at.connection, subject.stack, spec).await?;
        }
        if let Some(left) = at.delete("Background", None, GONE_WITHIN).await? {
            return Err(at.terminating("delete", &left));
        }
        leaving.gone();
        at.connection.autoscalers.forget().await;
        Ok(DeleteOutcome::Deleted)
    }

    /// What it says when it does not become usable by itself: its pods, the nodes that do not answer, the time.
    async fn look_closer(
        &self,
        subject: &ResourceContext<'_>,
        spec: &ManifestSpec,
        at: &ClusterObject,
        not_yet: NotYet<'_>,
    ) -> Result<Progress, Fault> {
        let NotYet { object, state } = not_yet;
        let waited = self.waited(&subject.address.to_string());
        if waited < LOOK_CLOSER {
            return Ok(Progress::NotYet(state.into(), QUICK));
        }
        let pods = job::pods(at, object).await?;
        if readiness::only_on(object, &pods, &job::silent_nodes(&at.connection).await?) {
            // Nothing can roll out to a node that does not answer: it gets there when it comes back.
            return Ok(Progress::Ready(Attributes::new()));
        }
        let events = events::about(at, object, &pods).await;
        let state = readiness::told(&state, object, &pods, &events);
        if waited > readiness::longest(&spec.ready, state.lack) {
            return Err(readiness::too_long(spec, &state));
        }
        Ok(Progress::NotYet(state.words.into(), Duration::from_secs(2)))
    }
}

/// An object that is not usable yet, and how far it is.
struct NotYet<'o> {
    object: &'o Value,
    state: String,
}

/// The settings of an object that is to be made, when they may be sent.
///
/// # Errors
/// What cannot be sent, and what may stand there.
fn sound(subject: &ResourceContext<'_>) -> Result<ManifestSpec, Fault> {
    let spec: ManifestSpec = subject.typed()?;
    let Some(wrong) = spec.wrong().into_iter().next() else { return Ok(spec) };
    let words = format!("{}: {}: {}", subject.address, wrong.field, wrong.problem);
    Err(Fault::new(FaultClass::Refused, SERVICE, "check", "Unsound", words).next(wrong.next_step))
}

/// Whether somebody else's object is taken over: it comes to an update only when it is adopted on purpose. One that carries this
/// stack's mark under a former address is its own.
pub(crate) fn is_adopted(subject: &ResourceContext<'_>, found: &ObservedResource) -> bool {
    !found.owner.is_marked_by(subject.stack)
}

/// Whether other objects need more of it than that the server has taken it: its kind must be served.
fn is_definition(spec: &ManifestSpec) -> bool {
    spec.kind == "CustomResourceDefinition" && spec.api_version.starts_with("apiextensions.k8s.io/")
}

#[async_trait]
impl Provider for Manifests {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        let set = self.inventories.of(subject.stack, &spec);
        let Some(seen) = self.look(subject, &spec).await? else { return Ok(None) };
        let owner = owner(subject, &seen.now);
        if owner == Owner::Ours {
            set.members.has(&id(&spec));
        }
        let uid = Some(text(&seen.now, "/metadata/uid")).filter(|uid| syntax_check::object_name(uid));
        let attributes = Attributes::from([("uid".to_owned(), json!(uid))]);
        let extras = extras(&seen.now);
        Ok(Some(ObservedResource { id: id(&spec), spec: found(&spec, &seen), attributes, owner, extras }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec = sound(subject)?;
        let at = self.target("apply", &spec).await?;
        let live = if subject.seen_absent { None } else { at.get().await? };
        if let Some(Owner::Foreign(why) | Owner::Contested(why)) = live.as_ref().map(|live| owner(subject, live)) {
            return Err(Fault::new(FaultClass::Exists, SERVICE, "apply", "Foreign", format!("{}: {why}", id(&spec)))
                .next(format!("choose another name, or adopt it with --adopt {}", subject.address)));
        }
        self.apply(subject, &spec, &at, live, false).await
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec = sound(subject)?;
        let at = self.target("apply", &spec).await?;
        if matches!(spec.ready, Readiness::Logged(_)) && fields.iter().any(|field| field.path.starts_with("ready")) {
            // A proof that failed is not run again by applying it once more.
            return self.renew(subject, &spec, &at, None).await;
        }
        let live = at.get().await?;
        self.apply(subject, &spec, &at, live, is_adopted(subject, found)).await
    }

    async fn preview(&self, subject: &ResourceContext<'_>, found: &ObservedResource) -> Result<Preview, Fault> {
        let spec = sound(subject)?;
        match self.clusters.place(&spec, id(&spec)).await? {
            ObjectPlace::At(at) => preview::of(subject, &spec, &at, found).await,
            // What cannot be there is made: nothing is known of it.
            ObjectPlace::NoCluster | ObjectPlace::UnknownKind => Ok(Preview::default()),
        }
    }

    async fn recreate(&self, subject: &ResourceContext<'_>, found: &ObservedResource) -> Result<Applied, Fault> {
        let spec = sound(subject)?;
        let at = self.target("recreate", &spec).await?;
        let uid = found.attributes.get("uid").and_then(Value::as_str);
        self.renew(subject, &spec, &at, uid).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        match self.clusters.place(&spec, id(&spec)).await? {
            ObjectPlace::At(at) => self.remove(subject, &spec, &at).await,
            // What cannot be there is gone.
            ObjectPlace::NoCluster | ObjectPlace::UnknownKind => Ok(DeleteOutcome::Deleted),
        }
    }

    /// Nothing is asked to empty it: what is in it goes with it.
    async fn data(&self, subject: &ResourceContext<'_>, going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        let spec = data_loss::spec_of(subject)?;
        match self.clusters.place(&spec, id(&spec)).await? {
            ObjectPlace::At(at) => data_loss::lost_with(&at, &spec, going).await,
            ObjectPlace::NoCluster | ObjectPlace::UnknownKind => Ok(None),
        }
    }

    async fn settled(&self, subject: &ResourceContext<'_>, _level: Level) -> Result<Progress, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        if spec.ready == Readiness::Taken && !is_definition(&spec) {
            return Ok(Progress::Ready(Attributes::new()));
        }
        let at = self.target("get", &spec).await?;
        let Some(object) = at.get().await? else {
            let words = format!("{} disappeared during the wait", id(&spec));
            return Err(Fault::unexpected(SERVICE, "get", words).next("run the same command again"));
        };
        let verdict = match &spec.ready {
            Readiness::Logged(_) => readiness::job(&object),
            _ if is_definition(&spec) => self.defined(&at, &object).await?,
            _ => readiness::rollout(&object),
        };
        let state = match (verdict, &spec.ready) {
            (ReadinessState::Ready, Readiness::Logged(text)) => {
                job::prove(&at, &spec, text, &object).await?;
                return Ok(Progress::Ready(Attributes::new()));
            }
            (ReadinessState::Ready, _) => return Ok(Progress::Ready(Attributes::new())),
            (ReadinessState::Failed(why), _) if is_definition(&spec) => {
                let words = format!("{}: {why}", id(&spec));
                return Err(Fault::new(FaultClass::Refused, SERVICE, "apply", "NamesNotAccepted", words)
                    .next("another CustomResourceDefinition has these names: change them"));
            }
            (ReadinessState::Failed(why), _) => return Err(job::failed(&at, &spec, &why, &object).await),
            (ReadinessState::NotYet(state), _) => state,
        };
        self.look_closer(subject, &spec, &at, NotYet { object: &object, state }).await
    }
}
