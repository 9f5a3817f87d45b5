//! The replicas of the embedding server on the devices, and what runs the model of each: read from their metrics, through the API of the
//! cluster.

use super::channel::ScriptOutput;
use super::script::{Script, quoted, script};

/// Providers of ONNX Runtime that run on a GPU of NVIDIA.
const ON_GPU: [&str; 2] = ["cuda", "tensorrt"];
/// What is in front of the name of each replica in the answer.
const REPLICA: &str = "replica ";
/// What the script prints of a replica that shows no metrics.
const SILENT: &str = "no metrics";
/// The metric that names the provider of each model.
const METRIC: &str = "akidb_execution_provider_info";

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSeen {
    /// Its pod.
    pub pod: String,
    /// The providers of its models, as the metric has them; empty before a model is loaded. None when it shows no metrics.
    pub providers: Option<Vec<String>>,
}

impl ReplicaSeen {
    /// The replicas in what [`replica_script`] printed.
    pub fn all(answer: &ScriptOutput) -> Vec<Self> {
        read(&answer.output)
    }

    /// Whether a model is loaded and each runs on a GPU.
    pub fn is_on_gpu(&self) -> bool {
        // `cuda fp16`: the precision stands behind it.
        let on_gpu = |provider: &String| provider.split(' ').next().is_some_and(|word| ON_GPU.contains(&word));
        self.providers.as_ref().is_some_and(|all| !all.is_empty() && all.iter().all(on_gpu))
    }
}

/// A script for the server of the cluster, which asks each pod of a Deployment for its metrics. It ends with 5 when the pods cannot be
/// listed.
pub fn replica_script(namespace: &str, name: &str, port: u16) -> Script {
    let (namespace, name, port) = (quoted(namespace), quoted(name), u32::from(port));
    script!(
        "k='/usr/local/bin/k3s kubectl --request-timeout=10s'\n\
         pods=$($k -n {namespace} get pods -l app.kubernetes.io/name={name} -o name) || exit 5\n\
         for pod in $pods; do\n\
         echo \"{replica}${{pod#pod/}}\"\n\
         seen=$($k get --raw /api/v1/namespaces/{namespace}/pods/\"${{pod#pod/}}\":{port}/proxy/metrics 2>/dev/null) || seen='{silent}'\n\
         printf '%s\\n' \"$seen\" | grep -e '^{metric}{{' -e '^{silent}$' || :\n\
         done\n",
        namespace,
        name,
        port,
        replica = REPLICA,
        silent = SILENT,
        metric = METRIC,
    )
}

fn read(text: &str) -> Vec<ReplicaSeen> {
    let mut all: Vec<ReplicaSeen> = Vec::new();
    for line in text.lines() {
        if let Some(pod) = line.strip_prefix(REPLICA) {
            all.push(ReplicaSeen { pod: pod.to_owned(), providers: Some(Vec::new()) });
            continue;
        }
        let Some(replica) = all.last_mut() else { continue };
        if line == SILENT {
            replica.providers = None;
        } else if let (Some(providers), Some(provider)) = (&mut replica.providers, provider(line)) {
            providers.push(provider.to_owned());
        }
    }
    all
}

/// The label `provider` of a line of the metric.
fn provider(line: &str) -> Option<&str> {
    let (_, rest) = line.strip_prefix(METRIC)?.split_once("provider=\"")?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_counts_when_each_of_its_models_is_on_a_gpu() {
        let text = "replica a\nakidb_execution_provider_info{model=\"m\",provider=\"cuda\",variant=\"fp16\"} 1\nreplica b\n\
                    akidb_execution_provider_info{model=\"m\",provider=\"cuda fp16\",variant=\"x\"} 1\n\
                    akidb_execution_provider_info{model=\"n\",provider=\"cpu\",variant=\"int8\"} 1\nreplica c\nreplica d\nno metrics\n";
        let all = read(text);
        let counts: Vec<(&str, bool)> = all.iter().map(|one| (one.pod.as_str(), one.is_on_gpu())).collect();
        assert_eq!(counts, [("a", true), ("b", false), ("c", false), ("d", false)]);
        assert_eq!(all.iter().filter(|one| one.providers.is_none()).count(), 1);
    }

    #[test]
    fn the_script_runs_and_a_replica_without_metrics_is_named() {
        // A program stands for kubectl: it lists two pods and shows the metrics of one.
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("k3s");
        let text = "#!/bin/sh\ncase \"$*\" in *'get pods'*) printf 'pod/a\\npod/b\\n';;\n\
                    *pods/a:8080/proxy*) echo 'akidb_execution_provider_info{provider=\"cuda\"} 1';;\n*) exit 1;; esac\n";
        std::fs::write(&program, text).expect("a file");
        let script = replica_script("akidb", "rest", 8080);
        let script = script.as_str().replace("/usr/local/bin/k3s", &format!("sh {}", program.display()));
        let ran = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let all = read(&String::from_utf8_lossy(&ran.stdout));
        assert!(ran.status.success(), "{ran:?}");
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0].is_on_gpu() && all[1].providers.is_none(), "{all:?}");
    }
}
