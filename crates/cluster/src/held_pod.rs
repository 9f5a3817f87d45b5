//! What holds a pod back: what it says of itself, and where it says nothing, the newest event about it. Pure: from what the API says.

use serde_json::Value;

use super::objects::text;
use super::readiness::{condition, shown};

/// What pods lack, where waiting alone does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodProblem {
    /// No node has a free GPU for them.
    Gpu,
    /// Their image cannot be fetched.
    Image,
    /// A Secret, ConfigMap or volume that they name is not there, or the API server does not admit them.
    Settings,
    /// The container runtime of their node refuses to make or start a container.
    Runtime,
    /// Their program ends again and again.
    Program,
}

/// What helps where an image is not for the processor of a node.
const OTHER_PROCESSOR: &str = "the image is for another processor: build it for the devices (docker buildx build --platform linux/arm64), then \
                               push it again";

/// A reason for people, and what is lacking.
type Held = (String, Option<PodProblem>);

/// What a registry or containerd says in an error of an image, and what helps. The first that fits counts. Sources: containerd 1.6 to 2
/// (core/remotes/docker), Go's net/http and crypto/x509, distribution 2.8 and 3.
const IMAGE: [(&[&str], &str); 8] = [
    (
        &["no space left on device"],
        "the disk of the node is full: free some space there (df -h; k3s crictl rmi --prune), then run the same command again",
    ),
    (
        &["server gave HTTP response to HTTPS client"],
        "the registry at that address speaks plain HTTP, and nodes ask by TLS: use the registry of the plan (k3s.registry), or give this \
         one a certificate. If nodes do know it as plain HTTP, the image is not in it: containerd asks again by TLS then",
    ),
    (
        &["x509:", "certificate"],
        "is the image in the registry (akidb-edge jetson image push)? If it is not, containerd asks once more without the authority of the \
         registry and reports that. Otherwise the node does not accept the certificate: for the registry of the plan, akidb-edge jetson \
         provision makes and distributes it again; for another one, name its authority (ca_file) in /etc/rancher/k3s/registries.yaml of \
         each node; a wrong clock of the node has the same effect (akidb-edge jetson doctor)",
    ),
    (
        &[
            "401 Unauthorized",
            "403 Forbidden",
            "no basic auth credentials",
            "authorization failed",
            "pull access denied",
        ],
        "the registry requires a login, or has no such image for it: for the registry of the plan, akidb-edge jetson provision gives \
         nodes the login again; for another one, set auth in /etc/rancher/k3s/registries.yaml of each node, or imagePullSecrets in the pod",
    ),
    (&["no match for platform", "no matching manifest"], OTHER_PROCESSOR),
    (
        &["toomanyrequests", "429 Too Many Requests"],
        "the public registry limits anonymous downloads: bring the image as an archive (k3s.images, or akidb-edge jetson image push)",
    ),
    (
        &[
            "no such host",
            "connection refused",
            "i/o timeout",
            "no route to host",
            "network is unreachable",
            "context deadline exceeded",
        ],
        "the node cannot reach the registry: check its network, its DNS and, for the registry of the plan, that the deployment registry of \
         kube-system is available (akidb-edge jetson status); without a network, bring the image as an archive (k3s.images)",
    ),
    (
        &["not found", "manifest unknown", "name unknown"],
        "the registry has no image of that name and tag: push it (akidb-edge jetson image push ARCHIVE), or correct the image in the plan",
    ),
];

impl PodProblem {
    /// What the scheduler's message says. The API has it in words only.
    fn of_scheduler(message: &str) -> Option<Self> {
        message.contains("Insufficient nvidia.com/gpu").then_some(Self::Gpu)
    }

    /// What the reason says for which a container waits.
    fn of_container(reason: &str) -> Option<Self> {
        match reason {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "ImageInspectError"
            | "RegistryUnavailable" => Some(Self::Image),
            "CreateContainerConfigError" => Some(Self::Settings),
            "CreateContainerError" | "RunContainerError" | "StartError" => Some(Self::Runtime),
            "CrashLoopBackOff" => Some(Self::Program),
            _ => None,
        }
    }

    /// What the reason of an event says: of a volume, or of the container that holds the namespaces of a pod.
    fn of_event(reason: &str) -> Option<Self> {
        match reason {
            "FailedMount" | "FailedAttachVolume" | "FailedCreate" => Some(Self::Settings),
            "FailedCreatePodSandBox" => Some(Self::Runtime),
            _ => None,
        }
    }

    /// What helps, when these are the words of the cluster.
    pub fn next(self, words: &str) -> &'static str {
        let says = |all: &[&str]| all.iter().any(|one| words.contains(one));
        match self {
            Self::Gpu => {
                "there are fewer free GPUs than replicas: check that all nodes are ready and that the device plugin runs \
                 on them and found their GPU (kubectl -n kube-system logs daemonset/nvidia-device-plugin), or use fewer replicas"
            }
            Self::Image => IMAGE.iter().find(|(known, _)| says(known)).map_or(
                "the image cannot be pulled: check that it is in the registry or among the images of the plan",
                |(_, next)| *next,
            ),
            Self::Settings if says(&["violates PodSecurity"]) => {
                "the namespace enforces a Pod Security Standard that the pod does not meet: correct what is named in the pod, or the label \
                 pod-security.kubernetes.io/enforce of the namespace"
            }
            Self::Settings if says(&["exceeded quota"]) => {
                "a ResourceQuota of the namespace does not allow it: raise the quota, or use fewer replicas or resources"
            }
            Self::Settings => {
                "create what is named (a Secret, a ConfigMap, a key in one, a volume) in the namespace of the pod, then run the same \
                 command again"
            }
            Self::Runtime | Self::Program if says(&["exec format error"]) => OTHER_PROCESSOR,
            Self::Program => {
                "its program ends by itself: correct what it says (kubectl logs --previous shows all of it), then run the same command again"
            }
            Self::Runtime if says(&["no runtime for", "runtime handler"]) => {
                "k3s on that node did not find the runtime when it started: install the NVIDIA container toolkit there, then restart k3s \
                 (systemctl restart k3s or k3s-agent); akidb-edge jetson doctor shows such nodes"
            }
            Self::Runtime => {
                "the container runtime of its node refuses it for the reason named; there: journalctl -u k3s -u k3s-agent, and nvidia-ctk --version where it is about the GPU"
            }
        }
    }
}

/// Why a pod does not run, and what it lacks: it has no node, a container waits, its program ends, or what the newest event says.
pub fn held_back(pod: &Value, events: &[Value]) -> Option<Held> {
    said_by_itself(pod).or_else(|| said_by_events(pod, events)).or_else(|| {
        (text(pod, "/status/phase") == "Pending")
            .then(|| ("Pending: its containers are being created".to_owned(), None))
    })
}

/// Whether only events can say why the pod does not run.
pub fn is_silent(pod: &Value) -> bool {
    is_on_its_way(pod) && said_by_itself(pod).is_none()
}

/// It has not ended, and does not serve.
fn is_on_its_way(pod: &Value) -> bool {
    ["Pending", "Running"].contains(&text(pod, "/status/phase")) && condition(pod, "Ready").is_none()
}

fn said_by_itself(pod: &Value) -> Option<Held> {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let homeless = conditions.filter(|one| text(one, "/type") == "PodScheduled" && text(one, "/status") == "False");
    if let Some(message) = homeless.filter_map(|one| one.get("message")?.as_str()).next() {
        let words = format!("Pending: {}", message.split(". preemption").next().unwrap_or(message));
        return Some((shown(&words), PodProblem::of_scheduler(message)));
    }
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    lists.iter().filter_map(|path| pod.pointer(path)?.as_array()).flatten().find_map(waits)
}

/// Why a container waits, where the reason says more than that it is on its way.
fn waits(container: &Value) -> Option<Held> {
    let (reason, message) = (text(container, "/state/waiting/reason"), text(container, "/state/waiting/message"));
    if reason == "CrashLoopBackOff" {
        let end = container.pointer("/lastState/terminated");
        let words = end.map_or_else(|| shown(reason), |end| crashed(text(container, "/name"), end));
        return Some((words, PodProblem::of_container(reason)));
    }
    if ["", "ContainerCreating", "PodInitializing"].contains(&reason) {
        return None;
    }
    let lack = PodProblem::of_container(reason);
    // What the runtime or the registry says is the only place where its error stands: the pod goes with its job.
    let words = if lack.is_some() && !message.is_empty() { format!("{reason}: {message}") } else { reason.to_owned() };
    Some((cause(&words), lack))
}

/// How the program of a container ended that is started again and again.
fn crashed(name: &str, end: &Value) -> String {
    let code = end.get("exitCode").and_then(Value::as_i64).unwrap_or(0);
    let (reason, message) = (text(end, "/reason"), text(end, "/message").trim());
    let reason = if ["", "Error"].contains(&reason) { String::new() } else { format!(" ({reason})") };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    cause(&format!("CrashLoopBackOff: container {name} ended with exit code {code}{reason}{message}"))
}

/// What the newest event about a pod says, when it is a warning: a later one that is none says that the trouble is over.
fn said_by_events(pod: &Value, events: &[Value]) -> Option<Held> {
    let uid = text(pod, "/metadata/uid");
    let last = newest(events, uid).filter(|event| is_on_its_way(pod) && text(event, "/type") == "Warning")?;
    let (reason, message) = (text(last, "/reason"), text(last, "/message"));
    Some((cause(&format!("{reason}: {message}")), PodProblem::of_event(reason)))
}

/// Why an object has no pods: the API server did not admit them.
pub fn refused(object: &Value, events: &[Value]) -> Option<Held> {
    if let Some((reason, message)) = condition(object, "ReplicaFailure") {
        return Some((cause(&format!("{reason}: {message}")), Some(PodProblem::Settings)));
    }
    let last =
        newest(events, text(object, "/metadata/uid")).filter(|event| text(event, "/reason") == "FailedCreate")?;
    Some((cause(&format!("FailedCreate: {}", text(last, "/message"))), Some(PodProblem::Settings)))
}

fn newest<'e>(events: &'e [Value], uid: &str) -> Option<&'e Value> {
    let about = |event: &&Value| !uid.is_empty() && text(event, "/involvedObject/uid") == uid;
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    // Whole seconds: of two in the same one, the server wrote the one with the higher number later.
    let at = |event: &&Value| {
        let time = times.iter().map(|path| text(event, path)).find(|time| !time.is_empty()).unwrap_or_default();
        let second = time.get(..19).unwrap_or(time).to_owned();
        (second, text(event, "/metadata/resourceVersion").parse::<u64>().unwrap_or(0))
    };
    events.iter().filter(about).max_by_key(at)
}

/// The cluster's words in one line. Of long ones the end stays: errors that contain one another have their cause there.
fn cause(words: &str) -> String {
    const BEGIN: usize = 90;
    const END: usize = 200;
    let all = words.chars().count();
    if all <= BEGIN + END {
        return shown(words);
    }
    let begin: String = words.chars().take(BEGIN).collect();
    let end: String = words.chars().skip(all - END).collect();
    shown(&format!("{begin} … {end}"))
}

#[cfg(test)]
#[path = "held_pod_tests.rs"]
mod tests;
