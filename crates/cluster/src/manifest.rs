//! Objects of clusters: the server applies them and merges, and a dry run of the same apply is the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::clusters::{Clusters, Place};
use super::discovery::unknown_kind;
use super::inventory::{Inventories, set_id};
use super::object::{Seen, extras, found, id, owner, wanted, without_bookkeeping};
use super::objects::{Target, text};
use super::readiness::{self, Verdict};
use super::status::SERVICE;
use super::{autoscaler, holds, job, preview};
use crate::provider::{Gone, Made, Provider, Settled, Subject};
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Level, Owner, Preview, Sound, words};

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
    pub(crate) async fn target(&self, operation: &str, spec: &ManifestSpec) -> Result<Target, Fault> {
        match self.clusters.place(spec, id(spec)).await? {
            Place::At(target) => Ok(target),
            Place::UnknownKind => Err(unknown_kind(operation, &id(spec), &spec.api_version, &spec.kind)),
            Place::NoCluster => {
                let words = format!("{}: no cluster runs there", id(spec));
                Err(Fault::new(Class::Retry, SERVICE, operation, "NoCluster", words)
                    .next("look at the server: systemctl status k3s, journalctl -u k3s"))
            }
        }
    }

    /// An object as it is and as an apply would make it; none when it is not there.
    async fn look(&self, subject: &Subject<'_>, spec: &ManifestSpec) -> Result<Option<Seen>, Fault> {
        let Place::At(at) = self.clusters.place(spec, id(spec)).await? else { return Ok(None) };
        let Some(now) = at.get().await? else { return Ok(None) };
        let mut object = wanted(subject, spec, &set_id(subject.stack), Some(&now));
        if autoscaler::is_scaled(&at, spec).await? {
            object = autoscaler::with_live_replicas(object, &now);
        }
        let then = at.dry_run(&object).await?.map(without_bookkeeping);
        Ok(Some(Seen { now: without_bookkeeping(now), then }))
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

    async fn remove(&self, subject: &Subject<'_>, spec: &ManifestSpec, at: &Target) -> Result<Gone, Fault> {
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
        Ok(Gone::Gone)
    }

    /// What it says when it does not become usable by itself: its pods, the nodes that do not answer, the time.
    async fn look_closer(
        &self,
        subject: &Subject<'_>,
        spec: &ManifestSpec,
        at: &Target,
        not_yet: NotYet<'_>,
    ) -> Result<Settled, Fault> {
        let NotYet { object, state } = not_yet;
        let waited = self.waited(&subject.address.to_string());
        if waited < LOOK_CLOSER {
            return Ok(Settled::NotYet(state.into(), QUICK));
        }
        let pods = job::pods(at, object).await?;
        if readiness::only_on(object, &pods, &job::silent_nodes(&at.connection).await?) {
            // Nothing can roll out to a node that does not answer: it gets there when it comes back.
            return Ok(Settled::Ready(Attributes::new()));
        }
        let state = readiness::told(&state, &pods);
        if waited > readiness::longest(&spec.ready, state.lack) {
            return Err(readiness::too_long(spec, &state));
        }
        Ok(Settled::NotYet(state.words.into(), Duration::from_secs(2)))
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
fn sound(subject: &Subject<'_>) -> Result<ManifestSpec, Fault> {
    let spec: ManifestSpec = subject.typed()?;
    let Some(wrong) = spec.wrong().into_iter().next() else { return Ok(spec) };
    let words = format!("{}: {}: {}", subject.address, wrong.field, wrong.problem);
    Err(Fault::new(Class::Refused, SERVICE, "check", "Unsound", words).next(wrong.next_step))
}

/// Whether somebody else's object is taken over: it comes to an update only when it is adopted on purpose. One that carries this
/// stack's mark under a former address is its own.
pub(crate) fn is_adopted(subject: &Subject<'_>, found: &Found) -> bool {
    !found.owner.is_marked_by(subject.stack)
}

/// Whether other objects need more of it than that the server has taken it: its kind must be served.
fn is_definition(spec: &ManifestSpec) -> bool {
    spec.kind == "CustomResourceDefinition" && spec.api_version.starts_with("apiextensions.k8s.io/")
}

#[async_trait]
impl Provider for Manifests {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        let set = self.inventories.of(subject.stack, &spec);
        let Some(seen) = self.look(subject, &spec).await? else { return Ok(None) };
        let owner = owner(subject, &seen.now);
        if owner == Owner::Ours {
            set.members.has(&id(&spec));
        }
        let uid = Some(text(&seen.now, "/metadata/uid")).filter(|uid| words::object_name(uid));
        let attributes = Attributes::from([("uid".to_owned(), json!(uid))]);
        let extras = extras(&seen.now);
        Ok(Some(Found { id: id(&spec), spec: found(&spec, &seen), attributes, owner, extras }))
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec = sound(subject)?;
        let at = self.target("apply", &spec).await?;
        let live = if subject.seen_absent { None } else { at.get().await? };
        if let Some(Owner::Foreign(why) | Owner::Contested(why)) = live.as_ref().map(|live| owner(subject, live)) {
            return Err(Fault::new(Class::Exists, SERVICE, "apply", "Foreign", format!("{}: {why}", id(&spec)))
                .next(format!("choose another name, or take it over on purpose with --adopt {}", subject.address)));
        }
        self.apply(subject, &spec, &at, live, false).await
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        let spec = sound(subject)?;
        let at = self.target("apply", &spec).await?;
        if matches!(spec.ready, Readiness::Logged(_)) && fields.iter().any(|field| field.path.starts_with("ready")) {
            // A proof that failed is not run again by applying it once more.
            return self.renew(subject, &spec, &at, None).await;
        }
        let live = at.get().await?;
        self.apply(subject, &spec, &at, live, is_adopted(subject, found)).await
    }

    async fn preview(&self, subject: &Subject<'_>, found: &Found) -> Result<Preview, Fault> {
        let spec = sound(subject)?;
        match self.clusters.place(&spec, id(&spec)).await? {
            Place::At(at) => preview::of(subject, &spec, &at, found).await,
            // What cannot be there is made: nothing is known of it.
            Place::NoCluster | Place::UnknownKind => Ok(Preview::default()),
        }
    }

    async fn recreate(&self, subject: &Subject<'_>, found: &Found) -> Result<Made, Fault> {
        let spec = sound(subject)?;
        let at = self.target("recreate", &spec).await?;
        let uid = found.attributes.get("uid").and_then(Value::as_str);
        self.renew(subject, &spec, &at, uid).await
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        match self.clusters.place(&spec, id(&spec)).await? {
            Place::At(at) => self.remove(subject, &spec, &at).await,
            // What cannot be there is gone.
            Place::NoCluster | Place::UnknownKind => Ok(Gone::Gone),
        }
    }

    /// Nothing is asked to empty it: what is in it goes with it.
    async fn data(&self, subject: &Subject<'_>, going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        let spec = holds::spec_of(subject)?;
        match self.clusters.place(&spec, id(&spec)).await? {
            Place::At(at) => holds::lost_with(&at, &spec, going).await,
            Place::NoCluster | Place::UnknownKind => Ok(None),
        }
    }

    async fn settled(&self, subject: &Subject<'_>, _level: Level) -> Result<Settled, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        if spec.ready == Readiness::Taken && !is_definition(&spec) {
            return Ok(Settled::Ready(Attributes::new()));
        }
        let at = self.target("get", &spec).await?;
        let Some(object) = at.get().await? else {
            let words = format!("{} went away while it was waited for", id(&spec));
            return Err(Fault::unexpected(SERVICE, "get", words).next("run the same command again"));
        };
        let verdict = match &spec.ready {
            Readiness::Logged(_) => readiness::job(&object),
            _ if is_definition(&spec) => self.defined(&at, &object).await?,
            _ => readiness::rollout(&object),
        };
        let state = match (verdict, &spec.ready) {
            (Verdict::Ready, Readiness::Logged(text)) => {
                job::prove(&at, &spec, text, &object).await?;
                return Ok(Settled::Ready(Attributes::new()));
            }
            (Verdict::Ready, _) => return Ok(Settled::Ready(Attributes::new())),
            (Verdict::Failed(why), _) if is_definition(&spec) => {
                let words = format!("{}: {why}", id(&spec));
                return Err(Fault::new(Class::Refused, SERVICE, "apply", "NamesNotAccepted", words)
                    .next("another CustomResourceDefinition has these names: change them"));
            }
            (Verdict::Failed(why), _) => return Err(job::failed(&at, &spec, &why, &object).await),
            (Verdict::NotYet(state), _) => state,
        };
        self.look_closer(subject, &spec, &at, NotYet { object: &object, state }).await
    }
}
