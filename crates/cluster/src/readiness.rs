//! When an object of a cluster counts as usable, and what is missing until then. Pure: from what the API says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::failed_job::failed;
use super::held_pod::{PodProblem, held_back, refused};
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::untrusted::line;
use crate::resource::{Fault, FaultClass};

/// Images come over slow lines to small devices.
const ROLLOUT: Duration = Duration::from_secs(10 * 60);
/// A proof runs in seconds once its image is there; its job gives up after five minutes by itself.
const PROOF: Duration = Duration::from_secs(6 * 60);
/// A proof without its image or a GPU: less than the five minutes after which the job takes its pods away, and their reason with them.
const PROOF_HELD: Duration = Duration::from_secs(4 * 60);

/// How far something has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadinessState {
    /// Usable.
    Ready,
    /// On its way: how far it is.
    NotYet(String),
    /// It will not come.
    Failed(String),
}

/// The device plugin is there before those who want a GPU: one that is not free by then will not be.
const GPU_FREE: Duration = Duration::from_secs(90);

/// A runtime that refused a container so long refuses it again: a device id that it does not know, a library that is not there.
const RUNTIME: Duration = Duration::from_secs(60);

/// Somebody may be making what is named; after a volume could not be mounted, the kubelet waits for up to two minutes.
const SETTINGS: Duration = Duration::from_secs(3 * 60);

/// How far something has come, with what holds its pods back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadinessReport {
    /// For people.
    pub words: String,
    /// What its pods lack.
    pub lack: Option<PodProblem>,
}

/// How long it is waited for at most, when its pods lack this.
pub fn longest(ready: &Readiness, lack: Option<PodProblem>) -> Duration {
    match (ready, lack) {
        (_, Some(PodProblem::Runtime)) => RUNTIME,
        (_, Some(PodProblem::Settings)) => SETTINGS,
        (Readiness::Logged(_), Some(PodProblem::Image | PodProblem::Gpu)) => PROOF_HELD,
        (Readiness::Logged(_), _) => PROOF,
        (_, Some(PodProblem::Gpu)) => GPU_FREE,
        _ => ROLLOUT,
    }
}

/// Why a recorded object is not as usable as it must be; none when it is, or when that is told elsewhere.
pub fn lacks(ready: &Readiness, object: &Value) -> Option<String> {
    match ready {
        Readiness::Taken => None,
        Readiness::Logged(text) => {
            let proven = object.pointer("/metadata/annotations").and_then(|all| all.get(PROVEN));
            (proven.and_then(Value::as_str) != Some(text)).then(|| match job(object) {
                ReadinessState::Failed(why) => format!("failed: {why}"),
                _ => "not verified".to_owned(),
            })
        }
        // What a daemon set lacks may be on a node that does not answer: that is told where it is waited for.
        Readiness::RolledOut if object.get("kind").and_then(Value::as_str) == Some("DaemonSet") => None,
        Readiness::RolledOut => match usable(object) {
            ReadinessState::Ready => None,
            ReadinessState::NotYet(state) | ReadinessState::Failed(state) => Some(state),
        },
    }
}

/// On a job whose log said what it must: the text.
pub const PROVEN: &str = "akidb.dev/proven";

fn number(object: &Value, path: &str) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

/// A condition that is true: its reason and message.
pub fn condition<'v>(object: &'v Value, name: &str) -> Option<(&'v str, &'v str)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let text = |one: &'v Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default();
    let found = conditions.iter().find(|one| text(one, "type") == name && text(one, "status") == "True")?;
    Some((text(found, "reason"), text(found, "message")))
}

/// Whether a node answers.
pub fn node_is_ready(node: &Value) -> bool {
    condition(node, "Ready").is_some()
}

/// Deployment, StatefulSet, DaemonSet: all pods of the newest revision are available.
pub fn rollout(object: &Value) -> ReadinessState {
    if number(object, "/status/observedGeneration") < number(object, "/metadata/generation") {
        return ReadinessState::NotYet("not processed by its controller yet".to_owned());
    }
    let daemons = object.get("kind").and_then(Value::as_str) == Some("DaemonSet");
    let (wanted, newest, usable) = if daemons {
        ("/status/desiredNumberScheduled", "/status/updatedNumberScheduled", "/status/numberAvailable")
    } else {
        ("/spec/replicas", "/status/updatedReplicas", "/status/availableReplicas")
    };
    let (wanted, newest, usable) = (number(object, wanted), number(object, newest), number(object, usable));
    let stay = stay_old(object, wanted);
    let old = if daemons { 0 } else { number(object, "/status/replicas").saturating_sub(newest) };
    if newest >= wanted - stay && usable >= wanted && old <= stay && (!daemons || wanted > 0) {
        return ReadinessState::Ready;
    }
    ReadinessState::NotYet(format!("{} of {wanted} available", usable.min(newest + stay)))
}

/// How many pods stay of an older revision because the object says so: below the partition of a StatefulSet, or until
/// somebody deletes them.
fn stay_old(object: &Value, wanted: i64) -> i64 {
    let on_delete = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete");
    if on_delete {
        wanted
    } else {
        number(object, "/spec/updateStrategy/rollingUpdate/partition").clamp(0, wanted.max(0))
    }
}

/// Whether all that is missing of a DaemonSet is on nodes that do not answer.
pub fn only_on(object: &Value, pods: &[Value], silent: &[String]) -> bool {
    if object.get("kind").and_then(Value::as_str) != Some("DaemonSet") || silent.is_empty() {
        return false;
    }
    let on = |pod: &Value| pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let usable = pods.iter().filter(|pod| condition(pod, "Ready").is_some() && !silent.contains(&on(pod))).count();
    let wanted = number(object, "/status/desiredNumberScheduled");
    let silent = i64::try_from(silent.len()).unwrap_or(i64::MAX);
    i64::try_from(usable).unwrap_or(0) >= wanted.saturating_sub(silent) && usable > 0
}

/// How far an object has come that is waited for, by its kind.
pub fn usable(object: &Value) -> ReadinessState {
    match object.get("kind").and_then(Value::as_str) {
        Some("CustomResourceDefinition") => established(object),
        _ => rollout(object),
    }
}

/// A CustomResourceDefinition: its kind can be used once its names are accepted and it is served.
pub fn established(object: &Value) -> ReadinessState {
    if let Some(conditions) = object.pointer("/status/conditions").and_then(Value::as_array) {
        let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let clash =
            conditions.iter().find(|one| text(one, "type") == "NamesAccepted" && text(one, "status") == "False");
        if let Some(clash) = clash {
            return ReadinessState::Failed(shown(&format!("{}: {}", text(clash, "reason"), text(clash, "message"))));
        }
    }
    match condition(object, "Established") {
        Some(_) => ReadinessState::Ready,
        None => ReadinessState::NotYet("not established yet".to_owned()),
    }
}

/// A job: complete, failed, or running.
pub fn job(object: &Value) -> ReadinessState {
    if condition(object, "Complete").is_some() {
        return ReadinessState::Ready;
    }
    match condition(object, "Failed") {
        Some((reason, message)) => ReadinessState::Failed(shown(&format!("{reason}: {message}"))),
        None if number(object, "/status/active") > 0 => ReadinessState::NotYet("its pod has not ended".to_owned()),
        None => ReadinessState::NotYet("no pod yet".to_owned()),
    }
}

/// The state of an object with what holds its pods back. `events` are those about the object and about pods that say nothing themselves.
pub fn told(state: &str, object: &Value, pods: &[Value], events: &[Value]) -> ReadinessReport {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut lacks = Vec::new();
    let pods = pods.iter().filter_map(|pod| held_back(pod, events));
    for (reason, lack) in pods.chain(refused(object, events)) {
        *reasons.entry(reason).or_default() += 1;
        lacks.extend(lack);
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .take(MOST_REASONS)
        .map(|(reason, pods)| if pods == 1 { reason } else { format!("{pods} pods: {reason}") })
        .collect();
    let words = if reasons.is_empty() { state.to_owned() } else { format!("{state}; {}", reasons.join("; ")) };
    ReadinessReport { words, lack: lacks.into_iter().min() }
}

/// More of them say nothing new.
const MOST_REASONS: usize = 5;

/// A cluster's own words, fit to be shown: in one line, and not more than a line.
pub(super) fn shown(words: &str) -> String {
    const LONGEST: usize = 300;
    let few: String = words.chars().take(LONGEST).collect();
    line(&few).into_owned()
}

/// What the log of a complete job says.
///
/// # Errors
/// When it does not say what it must.
pub fn judge_log(spec: &ManifestSpec, text: &str, log: &str) -> Result<(), Fault> {
    if log.contains(text) {
        return Ok(());
    }
    Err(failed(spec, &format!("it succeeded, but its log does not contain {text:?}"), &[], log))
}

/// The fault of something that does not come.
pub fn too_long(spec: &ManifestSpec, state: &ReadinessReport) -> Fault {
    let seconds = longest(&spec.ready, state.lack).as_secs();
    let words = format!("{} {} is not usable after {seconds} s: {}", spec.kind, spec.name, state.words);
    let next = match state.lack {
        Some(lack) => lack.next(&state.words),
        None => "check its pods (kubectl describe pods), then run the same command again",
    };
    Fault::new(FaultClass::Refused, "kubernetes", "rollout", "NotUsable", words).next(next)
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
