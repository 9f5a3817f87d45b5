//! Objects of a Kubernetes cluster, applied by the server with our field manager.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::failed_job;
use super::kubectl::{Kubectl, MANAGER, Seen, items, naming};
use super::on_host::sound;
use super::readiness::{self, Verdict};
use super::script::{quoted, script};
use crate::provider::{Gone, Made, Provider, Settled, Subject};
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Level, Owner, words};

/// What takes longer than this is asked for its reasons.
const LOOK_CLOSER: Duration = Duration::from_secs(3);
/// Says who made an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Says which address of which stack it stands for.
const ADDRESS: &str = "akidb.dev/address";

/// Objects of the clusters on a fleet's machines.
pub struct Manifests {
    kubectl: Arc<Kubectl>,
    /// Since when each is waited for.
    waiting: Mutex<BTreeMap<String, Instant>>,
}

impl Manifests {
    /// Objects of these clusters.
    pub fn new(kubectl: &Arc<Kubectl>) -> Self {
        Self { kubectl: Arc::clone(kubectl), waiting: Mutex::default() }
    }

    /// Applies it; `take` takes over fields that others set.
    async fn apply(&self, subject: &Subject<'_>, spec: &ManifestSpec, take: bool) -> Result<Made, Fault> {
        let (code, said) = self.kubectl.apply(&spec.host, wanted(subject, spec), take).await?;
        if code != 0 && spec.kind == "Job" && said.contains("immutable") {
            return self.renew(subject, spec).await;
        }
        self.applied(subject, spec, code, &said)
    }

    /// A job cannot be changed: the next one takes its place.
    async fn renew(&self, subject: &Subject<'_>, spec: &ManifestSpec) -> Result<Made, Fault> {
        let arguments = script!(
            "delete --ignore-not-found --cascade=foreground --timeout=60s {naming} 2>&1",
            naming = naming(spec)
        );
        self.kubectl.must(&spec.host, &arguments, None).await?;
        let (code, said) = self.kubectl.apply(&spec.host, wanted(subject, spec), false).await?;
        self.applied(subject, spec, code, &said)
    }

    fn applied(&self, subject: &Subject<'_>, spec: &ManifestSpec, code: i32, said: &str) -> Result<Made, Fault> {
        if code != 0 {
            return Err(super::kubectl::refused("apply", said));
        }
        self.waits_from_now(&subject.address.to_string());
        Ok(Made { id: id(spec), attributes: Attributes::new() })
    }

    fn waits_from_now(&self, address: &str) {
        self.since().insert(address.to_owned(), Instant::now());
    }

    fn waited(&self, address: &str) -> Duration {
        self.since().entry(address.to_owned()).or_insert_with(Instant::now).elapsed()
    }

    fn since(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        // Nothing can fail while it is held: what a poisoned map holds is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods of an object, and the nodes that do not answer.
    async fn pods(&self, spec: &ManifestSpec, object: &Value) -> Result<Vec<Value>, Fault> {
        let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
        let selector = pairs.collect::<Vec<_>>().join(",");
        let namespace = spec.namespace.as_deref().unwrap_or("default");
        let arguments = script!(
            "get pods --namespace {namespace} --selector {selector} -o json 2>&1",
            namespace = quoted(namespace),
            selector = quoted(&selector)
        );
        Ok(items(&self.kubectl.must(&spec.host, &arguments, None).await?))
    }

    async fn log(&self, spec: &ManifestSpec) -> Result<String, Fault> {
        let namespace = spec.namespace.as_deref().unwrap_or("default");
        let arguments = script!(
            "logs --namespace {namespace} --tail=40 -- {name} 2>&1",
            namespace = quoted(namespace),
            name = quoted(&format!("job/{}", spec.name))
        );
        Ok(self.kubectl.run(&spec.host, &arguments, None).await?.1)
    }

    /// Its log must say so; then the job itself remembers it.
    async fn prove(&self, spec: &ManifestSpec, text: &str) -> Result<(), Fault> {
        readiness::judge_log(spec, text, &self.log(spec).await?)?;
        let note = quoted(&format!("{}={text}", readiness::PROVEN));
        let arguments = script!("annotate --overwrite {naming} {note} 2>&1", naming = naming(spec), note);
        self.kubectl.must(&spec.host, &arguments, None).await.map(drop)
    }

    /// The fault of a job that failed, with how its pods ended. What the job itself says is told without them, too.
    async fn failed(&self, spec: &ManifestSpec, why: &str, object: &Value) -> Result<Fault, Fault> {
        let pods = self.pods(spec, object).await.unwrap_or_default();
        Ok(failed_job::failed(spec, why, &pods, &self.log(spec).await?))
    }

    /// Why it is not there yet, from its pods and their nodes.
    async fn missing(&self, spec: &ManifestSpec, object: &Value) -> Result<(Vec<Value>, Vec<String>), Fault> {
        let pods = self.pods(spec, object).await?;
        let nodes = self.kubectl.nodes(&spec.host).await?;
        let silent = nodes.iter().filter(|node| !readiness::node_is_ready(node));
        let silent = silent.filter_map(|node| node.pointer("/metadata/name")?.as_str().map(str::to_owned)).collect();
        Ok((pods, silent))
    }
}

/// What it is called on its machine.
fn id(spec: &ManifestSpec) -> String {
    let namespace = spec.namespace.as_ref().map_or_else(String::new, |namespace| format!("{namespace}/"));
    format!("{}:{}/{namespace}{}", spec.host, spec.kind, spec.name)
}

/// Which address an object stands for.
fn mark(subject: &Subject<'_>) -> String {
    format!("{}/{}", subject.stack, subject.address)
}

/// The whole object with our marks.
fn wanted(subject: &Subject<'_>, spec: &ManifestSpec) -> Value {
    let mut object = if spec.object.is_object() { spec.object.clone() } else { json!({}) };
    object["apiVersion"] = spec.api_version.clone().into();
    object["kind"] = spec.kind.clone().into();
    object["metadata"]["name"] = spec.name.clone().into();
    if let Some(namespace) = &spec.namespace {
        object["metadata"]["namespace"] = namespace.clone().into();
    }
    object["metadata"]["labels"][MANAGED_BY] = MANAGER.into();
    object["metadata"]["annotations"][ADDRESS] = mark(subject).into();
    object
}

fn owner(subject: &Subject<'_>, now: &Value) -> Owner {
    let says = now.pointer("/metadata/annotations").and_then(|all| all.get(ADDRESS)).and_then(Value::as_str);
    match says {
        Some(says) if says == mark(subject) => Owner::Ours,
        Some(says) => Owner::Foreign(format!("it is {says} of another stack or address")),
        None => Owner::Foreign("it does not carry this stack's annotation".to_owned()),
    }
}

/// What is there, in the shape of what is wanted: where an apply would change nothing, it says what is wanted (the
/// server fills in defaults and writes quantities in its own way); elsewhere it says what is there.
fn as_wanted(wanted: &Value, now: &Value, then: &Value) -> Value {
    match (wanted, now, then) {
        (Value::Object(wanted), Value::Object(now), Value::Object(then)) => {
            let mut there = serde_json::Map::new();
            for (key, now) in now {
                match (wanted.get(key), then.get(key)) {
                    (Some(wanted), Some(then)) => drop(there.insert(key.clone(), as_wanted(wanted, now, then))),
                    (None, Some(then)) if then == now => {}
                    _ => drop(there.insert(key.clone(), now.clone())),
                }
            }
            // What the server drops without a word (an empty list) is neither there nor missing.
            let dropped = wanted.iter().filter(|(key, _)| !now.contains_key(*key) && !then.contains_key(*key));
            there.extend(dropped.map(|(key, value)| (key.clone(), value.clone())));
            Value::Object(there)
        }
        (Value::Array(wanted), Value::Array(now), Value::Array(then))
            if wanted.len() == now.len() && now.len() == then.len() =>
        {
            let all = wanted.iter().zip(now).zip(then);
            Value::Array(all.map(|((wanted, now), then)| as_wanted(wanted, now, then)).collect())
        }
        (wanted, now, then) if now == then => wanted.clone(),
        (_, now, _) => now.clone(),
    }
}

/// The settings as they are.
fn found(spec: &ManifestSpec, seen: &Seen) -> Value {
    let mut object = match &seen.then {
        Some(then) => as_wanted(&spec.object, &seen.now, then),
        None => seen.now.clone(),
    };
    if let (Some(all), Some(wanted)) = (object.as_object_mut(), spec.object.as_object()) {
        all.retain(|key, _| wanted.contains_key(key));
    }
    let ready = readiness::lacks(&spec.ready, &seen.now).map_or_else(|| json!(spec.ready), Value::from);
    let mut all = json!({
        "host": spec.host, "api_version": spec.api_version, "kind": spec.kind, "name": spec.name, "object": object,
        "ready": ready,
    });
    if let Some(namespace) = &spec.namespace {
        all["namespace"] = namespace.clone().into();
    }
    all
}

#[async_trait]
impl Provider for Manifests {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        let Some(seen) = self.kubectl.look(&spec, wanted(subject, &spec)).await? else { return Ok(None) };
        let uid = seen.now.pointer("/metadata/uid").and_then(Value::as_str).filter(|uid| words::object_name(uid));
        let attributes = Attributes::from([("uid".to_owned(), json!(uid))]);
        Ok(Some(Found {
            id: id(&spec),
            spec: found(&spec, &seen),
            attributes,
            owner: owner(subject, &seen.now),
            extras: Vec::new(),
        }))
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec: ManifestSpec = sound(subject, "kubectl")?;
        let there = if subject.seen_absent { None } else { self.kubectl.look(&spec, wanted(subject, &spec)).await? };
        if let Some(Owner::Foreign(why)) = there.map(|seen| owner(subject, &seen.now)) {
            return Err(Fault::new(Class::Exists, "kubectl", "apply", "Foreign", format!("{}: {why}", id(&spec)))
                .next(format!("choose another name, or take it up on purpose with --adopt {}", subject.address)));
        }
        self.apply(subject, &spec, false).await
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        let spec: ManifestSpec = sound(subject, "kubectl")?;
        if matches!(spec.ready, Readiness::Logged(_)) && fields.iter().any(|field| field.path.starts_with("ready")) {
            // A proof that failed is not run again by applying it once more.
            return self.renew(subject, &spec).await;
        }
        // Somebody else's object comes here only when it is taken up on purpose.
        let take = matches!(found.owner, Owner::Foreign(_));
        self.apply(subject, &spec, take).await
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        // Short tries: others have something to ask on this machine, too.
        let arguments = script!("delete --ignore-not-found --timeout=1s {naming} 2>&1", naming = naming(&spec));
        let (code, said) = self.kubectl.run(&spec.host, &arguments, None).await?;
        if code == 0 || said.contains("no matches for kind") {
            return Ok(Gone::Gone);
        }
        if !said.contains("timed out waiting") {
            return Err(super::kubectl::refused("delete", &said));
        }
        Err(Fault::new(Class::Retry, "kubectl", "delete", "Terminating", format!("{} is still going", id(&spec)))
            .next("look at its finalizers and at what is in it, then run the same command again"))
    }

    async fn settled(&self, subject: &Subject<'_>, _level: Level) -> Result<Settled, Fault> {
        let spec: ManifestSpec = subject.typed()?;
        if spec.ready == Readiness::Taken {
            return Ok(Settled::Ready(Attributes::new()));
        }
        let Some(object) = self.kubectl.object(&spec.host, wanted(subject, &spec)).await? else {
            return Err(Fault::unexpected(
                "kubectl",
                "get",
                format!("{} went away while it was waited for", id(&spec)),
            )
            .next("run the same command again"));
        };
        let verdict = match &spec.ready {
            Readiness::Logged(_) => readiness::job(&object),
            _ => readiness::rollout(&object),
        };
        let state = match (verdict, &spec.ready) {
            (Verdict::Ready, Readiness::Logged(text)) => {
                self.prove(&spec, text).await?;
                return Ok(Settled::Ready(Attributes::new()));
            }
            (Verdict::Ready, _) => return Ok(Settled::Ready(Attributes::new())),
            (Verdict::Failed(why), _) => return Err(self.failed(&spec, &why, &object).await?),
            (Verdict::NotYet(state), _) => state,
        };
        let waited = self.waited(&subject.address.to_string());
        if waited < LOOK_CLOSER {
            return Ok(Settled::NotYet(state.into(), Duration::from_millis(500)));
        }
        let (pods, silent) = self.missing(&spec, &object).await?;
        if readiness::only_on(&object, &pods, &silent) {
            // Nobody can roll out to a node that does not answer: it gets there when it comes back.
            return Ok(Settled::Ready(Attributes::new()));
        }
        let state = readiness::told(&state, &pods);
        if waited > readiness::longest(&spec.ready, state.lack) {
            return Err(readiness::too_long(&spec, &state));
        }
        Ok(Settled::NotYet(state.words.into(), Duration::from_secs(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_quantities_are_no_difference() {
        let wanted = json!({"replicas": 3, "cpu": "1000m", "list": [{"name": "a"}], "env": []});
        let now = json!({"replicas": 3, "cpu": "1", "list": [{"name": "a", "policy": "Always"}], "filled": "in"});
        assert_eq!(as_wanted(&wanted, &now, &now), wanted);
    }

    #[test]
    fn what_an_apply_would_change_is_shown_as_it_is() {
        let wanted = json!({"replicas": 3, "image": "new", "gone": {}});
        let now = json!({"replicas": 5, "image": "old", "gone": {"a": 1}});
        let then = json!({"replicas": 3, "image": "new", "gone": {}});
        assert_eq!(as_wanted(&wanted, &now, &then), json!({"replicas": 5, "image": "old", "gone": {"a": 1}}));
    }
}
