//! kubectl on the machine that runs a cluster's server: k3s brings it, and its rights are root's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Fleet;
use super::channel::Reply;
use super::readiness::node_is_ready;
use super::script::{Script, input, quoted, script};
use super::together::{Answer, Together};
use crate::resource::manifest::ManifestSpec;
use crate::resource::{Class, Fault};

/// Who we are among those that set fields of an object.
pub const MANAGER: &str = "akidb-edge";

/// An object as it is, and as it would be after an apply.
#[derive(Clone, Debug)]
pub struct Seen {
    /// As it is.
    pub now: Value,
    /// As the server would make it; none when it would refuse.
    pub then: Option<Value>,
}

/// The clusters of a fleet, each by the machine of its server.
pub struct Kubectl {
    fleet: Arc<Fleet>,
    looks: Together<(String, Value), Option<Seen>>,
    objects: Together<(String, Value), Option<Value>>,
    applies: Together<Apply, (i32, String)>,
    nodes: Together<String, Vec<Value>>,
}

/// An object that is to be as it is said here.
struct Apply {
    host: String,
    object: Value,
    /// Fields that others set are taken over.
    take: bool,
}

impl Kubectl {
    /// Clusters on these machines.
    pub fn new(fleet: &Arc<Fleet>) -> Arc<Self> {
        Arc::new(Self {
            fleet: Arc::clone(fleet),
            looks: Together::default(),
            objects: Together::default(),
            applies: Together::default(),
            nodes: Together::default(),
        })
    }

    /// Runs kubectl with these arguments; `data` is its standard input. The exit status and all that it printed.
    ///
    /// # Errors
    /// When the machine cannot be reached.
    pub async fn run(&self, host: &str, arguments: &Script, data: Option<&Value>) -> Answer<(i32, String)> {
        let data = data.map_or_else(Script::default, input);
        let reply = self.fleet.run(host, script!("k3s kubectl {arguments}{data}", arguments, data)).await?;
        Ok((reply.code, reply.output))
    }

    /// As [`run`](Self::run), and it must succeed.
    ///
    /// # Errors
    /// What it said otherwise.
    pub async fn must(&self, host: &str, arguments: &Script, data: Option<&Value>) -> Answer<String> {
        match self.run(host, arguments, data).await? {
            (0, output) => Ok(output),
            (_, output) => Err(refused(arguments.split(' ').next().unwrap_or("run"), &output)),
        }
    }

    /// The nodes of a cluster; none when there is no cluster (yet).
    ///
    /// # Errors
    /// When the machine cannot be reached or its API does not answer.
    pub async fn nodes(&self, host: &str) -> Answer<Vec<Value>> {
        let all = |hosts: Vec<String>| async move {
            let mut answers = Vec::new();
            for at in &hosts {
                answers.push(match answers.iter().zip(&hosts).find(|(_, before)| *before == at) {
                    Some((Ok::<Vec<Value>, Fault>(known), _)) => Ok(known.clone()),
                    _ => self.list_nodes(at).await,
                });
            }
            Ok(answers)
        };
        self.nodes.ask(host.to_owned(), all).await
    }

    async fn list_nodes(&self, host: &str) -> Answer<Vec<Value>> {
        let printed = self
            .fleet
            .run(host, script!("{UNLESS_IT_RUNS}\nk3s kubectl get nodes -o json 2>&1", UNLESS_IT_RUNS))
            .await?;
        if printed.code != 0 {
            return Err(refused("get", &printed.output));
        }
        Ok(items(&printed.output))
    }

    /// An object as it is and as it would be; none when it is not there.
    ///
    /// # Errors
    /// When the machine cannot be reached or its API does not answer.
    pub async fn look(&self, spec: &ManifestSpec, wanted: Value) -> Answer<Option<Seen>> {
        let question = (spec.host.clone(), wanted);
        self.looks.ask(question, |all| self.look_at_all(all)).await
    }

    async fn look_at_all(&self, all: Vec<(String, Value)>) -> Answer<Vec<Answer<Option<Seen>>>> {
        let mut answers: Vec<Answer<Option<Seen>>> = all.iter().map(|_| Ok(None)).collect();
        for (host, places) in by_host(all.iter().map(|(host, _)| host)) {
            let wanted: Vec<&Value> = places.iter().map(|at| &all[*at].1).collect();
            match self.look_at_host(host, &wanted).await {
                Ok(seen) => places.iter().zip(seen).for_each(|(at, seen)| answers[*at] = Ok(seen)),
                Err(fault) => places.iter().for_each(|at| answers[*at] = Err(fault.clone())),
            }
        }
        Ok(answers)
    }

    /// Two calls for any number of objects: what is there, then what an apply would make of that.
    async fn look_at_host(&self, host: &str, wanted: &[&Value]) -> Answer<Vec<Option<Seen>>> {
        let now = self.get(host, wanted).await?;
        let known: Vec<&Value> =
            wanted.iter().zip(&now).filter(|(_, now)| now.is_some()).map(|(wanted, _)| *wanted).collect();
        let after = if known.is_empty() { Vec::new() } else { self.after(host, &known).await? };
        let seen = |(wanted, now): (&&Value, Option<Value>)| {
            let then = after.iter().find(|then| same(then, wanted)).cloned();
            now.map(|now| Seen { now, then })
        };
        Ok(wanted.iter().zip(now).map(seen).collect())
    }

    /// What is there of these.
    async fn get(&self, host: &str, wanted: &[&Value]) -> Answer<Vec<Option<Value>>> {
        let (look, list) = ("k3s kubectl get --ignore-not-found -o json -f - 2>&1", input(&list(wanted)));
        let script = script!("{UNLESS_IT_RUNS}\n{look}{list}", UNLESS_IT_RUNS, look, list);
        let reply = self.fleet.run(host, script).await?;
        // A kind that the cluster does not know cannot have objects.
        if reply.code != 0 && !reply.output.contains("no matches for kind") {
            return Err(refused("get", &reply.output));
        }
        let there = items(&reply.output);
        Ok(wanted.iter().map(|wanted| there.iter().find(|there| same(there, wanted)).cloned()).collect())
    }

    /// An object as it is.
    ///
    /// # Errors
    /// When the machine cannot be reached or its API does not answer.
    pub async fn object(&self, host: &str, wanted: Value) -> Answer<Option<Value>> {
        let all = |all: Vec<(String, Value)>| async move {
            let mut answers: Vec<Answer<Option<Value>>> = all.iter().map(|_| Ok(None)).collect();
            for (host, places) in by_host(all.iter().map(|(host, _)| host)) {
                let wanted: Vec<&Value> = places.iter().map(|at| &all[*at].1).collect();
                match self.get(host, &wanted).await {
                    Ok(there) => places.iter().zip(there).for_each(|(at, there)| answers[*at] = Ok(there)),
                    Err(fault) => places.iter().for_each(|at| answers[*at] = Err(fault.clone())),
                }
            }
            Ok(answers)
        };
        self.objects.ask((host.to_owned(), wanted), all).await
    }

    /// Lets the server apply an object; `take` takes over fields that others set. The exit status and what was said.
    ///
    /// # Errors
    /// When the machine cannot be reached.
    pub async fn apply(&self, host: &str, object: Value, take: bool) -> Answer<(i32, String)> {
        let all = |all: Vec<Apply>| async move {
            let mut answers: Vec<Answer<(i32, String)>> = all.iter().map(|_| Ok((0, String::new()))).collect();
            for (host, places) in by_host(all.iter().map(|apply| &apply.host)) {
                let (plain, taking): (Vec<usize>, Vec<usize>) = places.into_iter().partition(|at| !all[*at].take);
                for group in [plain, taking].iter().filter(|group| !group.is_empty()) {
                    let said = self.apply_all(host, &group.iter().map(|at| &all[*at]).collect::<Vec<_>>()).await;
                    group.iter().zip(said).for_each(|(at, said)| answers[*at] = said);
                }
            }
            Ok(answers)
        };
        self.applies.ask(Apply { host: host.to_owned(), object, take }, all).await
    }

    /// All in one call; when that fails, each alone: which of them was refused is only said then.
    async fn apply_all(&self, host: &str, all: &[&Apply]) -> Vec<Answer<(i32, String)>> {
        let force = if all.iter().any(|apply| apply.take) { " --force-conflicts" } else { "" };
        let arguments = script!("apply {SERVER_SIDE}{force} -f - 2>&1", SERVER_SIDE, force);
        let objects: Vec<&Value> = all.iter().map(|apply| &apply.object).collect();
        let together = self.run(host, &arguments, Some(&list(&objects))).await;
        if objects.len() == 1 || !matches!(together, Ok((1.., _))) {
            return all.iter().map(|_| together.clone()).collect();
        }
        let mut answers = Vec::new();
        for object in objects {
            answers.push(self.run(host, &arguments, Some(object)).await);
        }
        answers
    }

    /// What the server would make of them. When it refuses one, kubectl prints none: then each is asked for alone.
    async fn after(&self, host: &str, wanted: &[&Value]) -> Answer<Vec<Value>> {
        let apply = script!("apply {SERVER_SIDE} --dry-run=server --force-conflicts -o json -f - 2>&1", SERVER_SIDE);
        let (code, output) = self.run(host, &apply, Some(&list(wanted))).await?;
        if code == 0 {
            return Ok(items(&output));
        }
        let mut after = Vec::new();
        for wanted in wanted.iter().filter(|_| wanted.len() > 1) {
            let (_, output) = self.run(host, &apply, Some(wanted)).await?;
            after.extend(items(&output));
        }
        Ok(after)
    }
}

/// How objects are applied.
const SERVER_SIDE: &str = "--server-side --field-manager=akidb-edge";
/// Ends a script, well, when no server runs here: then there is no object, and to make it right begins with the server.
const UNLESS_IT_RUNS: &str = "if ! systemctl is-active --quiet k3s || ! command -v k3s >/dev/null; then exit 0; fi; export KUBECONFIG=/etc/rancher/k3s/k3s.yaml";

/// The places of each machine in a list of machines.
fn by_host<'a>(hosts: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, host) in hosts.enumerate() {
        places.entry(host).or_default().push(at);
    }
    places
}

fn list(objects: &[&Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects})
}

/// The objects in what kubectl printed: a list, one object, or nothing; with warnings before and after.
pub fn items(printed: &str) -> Vec<Value> {
    let json = printed.find("{\n").or_else(|| printed.find('{')).map_or("", |at| &printed[at..]);
    let Some(Ok(value)) = serde_json::Deserializer::from_str(json).into_iter::<Value>().next() else {
        return Vec::new();
    };
    match value.get("items") {
        Some(Value::Array(items)) => items.clone(),
        _ if value.get("kind").is_some() => vec![value],
        _ => Vec::new(),
    }
}

/// What the API says of each node, in words of our own: by name.
pub fn node_states(reply: &Reply) -> BTreeMap<String, &'static str> {
    let named = |node: &Value| Some((node.pointer("/metadata/name")?.as_str()?.to_owned(), state(node)));
    items(&reply.output).iter().filter_map(named).collect()
}

fn state(node: &Value) -> &'static str {
    let cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    match (node_is_ready(node), cordoned) {
        (true, false) => "ready",
        (true, true) => "cordoned",
        (false, _) => "not ready",
    }
}

/// Whether both say the same object.
fn same(one: &Value, other: &Value) -> bool {
    ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"]
        .iter()
        .all(|path| one.pointer(path) == other.pointer(path))
}

/// What kubectl said no to, and what helps.
pub fn refused(operation: &str, said: &str) -> Fault {
    // kubectl's own advice is about flags that nobody here can give it.
    let said_so = said.split("Please review the fields above").next().unwrap_or(said);
    let words = said_so.lines().filter(|line| !line.starts_with("Warning:")).collect::<Vec<_>>().join(" / ");
    let words: String = words.trim_matches([' ', '/']).chars().take(1500).collect();
    let away = ["connection refused", "was refused", "i/o timeout", "ServiceUnavailable", "not ready", "TLS handshake"];
    if away.iter().any(|sign| said.contains(sign)) {
        return Fault::new(Class::Retry, "kubectl", operation, "NotAnswering", words)
            .next("look at the server: systemctl status k3s, journalctl -u k3s");
    }
    if said.contains("conflict with") {
        return Fault::new(Class::Refused, "kubectl", operation, "Conflict", words).next(
            "somebody else set these fields: put the plan's values there by hand (equal values are no conflict) or change the plan",
        );
    }
    let next = if said.contains("field not declared in schema") || said.contains("unknown field") {
        "the cluster does not know this field: compare the versions of k3s and of the object"
    } else if said.contains("exceeded quota") || said.contains("forbidden") {
        "the cluster's own rules refuse it: look at quotas and admission policies of the namespace"
    } else {
        "correct what the words above name, then run the same command again"
    };
    Fault::new(Class::Refused, "kubectl", operation, "Refused", words).next(next)
}

/// `--namespace NAMESPACE -- KIND.GROUP NAME`, quoted: the last arguments of a command about one object.
pub fn naming(spec: &ManifestSpec) -> Script {
    let kind = match spec.api_version.split_once('/') {
        Some((group, version)) => format!("{}.{version}.{group}", spec.kind),
        None => spec.kind.clone(),
    };
    let namespace = spec
        .namespace
        .as_ref()
        .map_or_else(Script::default, |namespace| script!("--namespace {namespace} ", namespace = quoted(namespace)));
    script!("{namespace}-- {kind} {name}", namespace, kind = quoted(&kind), name = quoted(&spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_between_warnings() {
        assert_eq!(items(""), Vec::<Value>::new());
        let list = "Warning: skew\n{\n \"kind\": \"List\", \"items\": [{\"kind\": \"Job\"}]}\nmore";
        assert_eq!(items(list), [json!({"kind": "Job"})]);
        assert_eq!(items("{\"kind\": \"Job\"}"), [json!({"kind": "Job"})]);
    }

    #[test]
    fn conflicts_and_silence_are_told_apart() {
        let said = "error: Apply failed with 1 conflict: conflict with \"nimbus\" using apps/v1: .spec.replicas";
        assert_eq!(refused("apply", said).code, "Conflict");
        assert_eq!(refused("get", "The connection to the server 127.0.0.1:6443 was refused").class, Class::Retry);
    }
}
