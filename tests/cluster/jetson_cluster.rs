//! Devices from bare to a GPU cluster and back, on real SSH hosts and a real Kubernetes API. Needs root and the
//! laboratory (`tests/lab`); skipped with a message otherwise.

use std::fs;
use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use testkit::lab::{Lab, sum};

const DEPLOY: &str = "jetson deploy --yes --plan cluster.yaml --inventory hosts.yaml --artifacts artifacts";

fn prepared(lab: Lab) -> Lab {
    fs::copy("tests/fixtures/lab-cluster.yaml", lab.path("cluster.yaml")).expect("the plan");
    lab.artifacts(&["akidb/rest:jetson-v1.0.0"]);
    lab
}

/// What the cluster's own API says.
#[track_caller]
fn api(lab: &Lab, what: &str) -> Value {
    let printed = lab.inside("jetson-01", &format!("k3s kubectl get {what} -o json"));
    serde_json::from_str(&printed).unwrap_or_else(|bad| panic!("{bad}: {printed}"))
}

/// Names of the nodes that are Ready and have these labels.
#[track_caller]
fn nodes(lab: &Lab) -> Vec<String> {
    let all = api(lab, "nodes --selector hardware=jetson-orin-nano,tier=edge");
    let ready = |node: &&Value| {
        let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
        conditions.clone().any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<String> = all["items"].as_array().expect("nodes").iter().filter(ready).map(name).collect();
    names.sort();
    names
}

/// The registry asks for TLS under its own authority and for a login, which root of the nodes knows and nobody else.
fn registry(lab: &Lab, kept: &str) {
    let keys = "/var/lib/akidb-edge-registry";
    let password = lab.inside("jetson-01", &format!("cat {keys}/password; find {keys} -perm /077"));
    let password = password.trim();
    assert_eq!(password.len(), 48, "{password}");
    assert!(!kept.contains(password), "the login is in what was said or kept");
    let authority = lab.inside("jetson-01", &format!("cat {keys}/authority/ca.crt"));
    for host in ["jetson-01", "jetson-04"] {
        let file = lab.inside(
            host,
            "stat -c %a:%U /etc/rancher/k3s/akidb-registries.yaml; cat /etc/rancher/k3s/akidb-registries.yaml",
        );
        assert!(file.starts_with("600:root\n") && file.contains(password), "{host}: {file}");
        assert!(file.contains("\"https://10.77.") && !file.contains("http://") && !file.contains("insecure"), "{file}");
        assert_eq!(lab.inside(host, "cat /etc/rancher/k3s/akidb-registry-ca.crt"), authority, "{host}");
    }
    let there = api(lab, "deployment registry --namespace kube-system");
    let container = &there["spec"]["template"]["spec"]["containers"][0];
    let environment = container["env"].to_string();
    assert!(environment.contains("htpasswd") && environment.contains("/served/tls.key"), "{environment}");
    assert!(container["image"].as_str().is_some_and(|image| image.contains("@sha256:")), "{container}");
    // What others changed on a node is put right.
    lab.inside("jetson-04", "sed -i s/https/http/ /etc/rancher/k3s/akidb-registries.yaml");
    let mended = lab.run(DEPLOY).exits(0);
    assert!(mended.stdout.contains("registry"), "{}", mended.all());
    assert!(lab.inside("jetson-04", "cat /etc/rancher/k3s/akidb-registries.yaml").contains("\"https://10.77."));
}

/// Everything below a directory, as one text.
fn everything(directory: &std::path::Path) -> String {
    let mut text = String::new();
    for file in fs::read_dir(directory).expect("a directory").flatten() {
        if file.path().is_dir() {
            text.push_str(&everything(&file.path()));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(file.path()).expect("a file")));
        }
    }
    text
}

/// Whether a text holds a token with which a machine joins: `K10`, the hash of the authority, and the secret.
fn holds_join_token(text: &str) -> bool {
    let hash = |rest: &str| rest.get(..64).is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.split("K10").skip(1).any(hash)
}

#[test]
fn five_devices_become_a_gpu_cluster_and_bare_again() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("cluster", 5).map(prepared) else { return };
    // What is on a device before anything was done.
    let bare = "ls -A /usr/local/bin /etc/rancher /var/lib/rancher /var/lib/akidb-edge /var/lib/akidb-edge-registry /etc/apt/sources.list.d 2>/dev/null; ls /etc/systemd/system; dpkg-query -W";
    let before: Vec<String> = (1..=5).map(|at| lab.inside(&format!("jetson-0{at}"), bare)).collect();

    // One of five is dead: the others go on, and the end says so.
    lab.does("power", &["jetson-05", "off"]);
    let first = lab.run(DEPLOY).exits(1);
    assert!(first.stderr.contains("left out: jetson-05"), "{}", first.all());
    assert_eq!(nodes(&lab), ["jetson-01", "jetson-02", "jetson-03", "jetson-04"]);
    let app = api(&lab, "deployment akidb-rest-jetson --namespace akidb");
    assert_eq!(app["status"]["availableReplicas"], 3, "{app}");
    assert_eq!(app["metadata"]["labels"]["app.kubernetes.io/managed-by"], "akidb-edge");

    // The API server says which pods of the namespace Pod Security would refuse.
    let level = "pod-security.kubernetes.io/enforce=restricted";
    let label = format!("k3s kubectl label --dry-run=server --overwrite namespace akidb {level} 2>&1");
    let said = lab.inside("jetson-01", &label);
    assert!(said.contains("labeled") && !said.contains("violate"), "{said}");

    // It is back: only what is missing is done.
    lab.does("power", &["jetson-05", "on"]);
    let second = lab.run(&format!("{DEPLOY} -vvv")).exits(0);
    assert!(second.stderr.contains("jetson-02: as it was"), "{}", second.all());
    assert_eq!(nodes(&lab).len(), 5);
    let proof = api(&lab, "job cuda-proof-jetson-05 --namespace kube-system");
    assert_eq!(proof["status"]["succeeded"], 1, "{proof}");
    // Nodes are counted by the cluster, the rest of the report is read from the devices' journal.
    let told = lab.run("report --devices --format json --plan cluster.yaml --inventory hosts.yaml").exits(0).json();
    let ready = &told["criteria"][0];
    assert!(ready["verdict"] == "met" && ready["measured"] == "5 nodes", "{ready}");
    let steps = told["days"].as_array().into_iter().flatten().flat_map(|day| day["steps"].as_array().cloned());
    for step in steps.flatten() {
        assert_eq!(step["state"], "done", "{step}");
    }
    let third = lab.run(DEPLOY).exits(0);
    assert!(third.stdout.contains("no changes"), "{}", third.all());

    // The join tokens are gone from the cluster, and were never written down here.
    let tokens = lab.inside("jetson-01", "k3s kubectl -n kube-system get secrets -o name | grep bootstrap-token || :");
    assert_eq!(tokens, "");
    let kept = format!("{}{}{}{}", first.all(), second.all(), third.all(), everything(&lab.path("state")));
    assert!(!holds_join_token(&kept) && kept.contains("jetson.node.jetson-05"));
    // On a device, the agent's unit has the one that it joined with, for root alone. Nothing of ours has one.
    let environment = "/etc/systemd/system/k3s-agent.service.env";
    let private = lab.inside("jetson-05", &format!("stat -c %a:%U {environment}; cat {environment}"));
    assert!(private.starts_with("600:root\n") && holds_join_token(&private), "the lab's installer keeps it there");
    for host in ["jetson-01", "jetson-05"] {
        let left = "grep -rlE 'K10[0-9a-f]{64}::' /var/lib/akidb-edge /opt /tmp 2>/dev/null; :";
        assert_eq!(lab.inside(host, left), "", "{host}");
    }
    registry(&lab, &kept);

    // What others changed is seen and put right.
    lab.inside("jetson-01", "k3s kubectl label node jetson-02 tier-");
    assert_eq!(nodes(&lab).len(), 4);
    let drift = lab.run(DEPLOY).exits(0);
    assert!(drift.stdout.contains("labels.tier: (not set) -> edge  (changed outside)"), "{}", drift.all());
    assert_eq!(nodes(&lab).len(), 5);

    // Taken down by what the journal knows: nothing is left.
    lab.run("jetson uninstall --yes --stack lab").exits(0);
    for (at, before) in (1..=5).zip(before) {
        assert_eq!(lab.inside(&format!("jetson-0{at}"), bare), before, "jetson-0{at}");
    }
}

#[test]
fn a_cut_link_a_failed_proof_and_a_foreign_cluster_are_told_and_mended() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("broken", 3).map(prepared) else { return };

    // Somebody else's k3s is not taken over.
    lab.inside("jetson-02", "touch /etc/systemd/system/k3s-agent.service");
    let foreign = lab.run(DEPLOY).exits(3);
    assert!(foreign.stderr.contains("jetson-02 exists and is not owned by this stack"), "{}", foreign.all());
    assert!(foreign.stderr.contains("--adopt jetson.node.jetson-02"), "{}", foreign.all());
    lab.inside("jetson-02", "rm /etc/systemd/system/k3s-agent.service");

    // The link goes while agents join: the others go on.
    let mut child = lab.start(&format!("{DEPLOY} --var proof=registry.k8s.io/pause:3.10"));
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains("create  jetson.node.jetson-01") {
        assert_ne!(lines.read_line(&mut said).expect("a line"), 0, "it ended early: {said}");
    }
    lab.does("cut", &["jetson-03"]);
    lines.read_to_string(&mut said).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(1), "{said}");
    assert!(said.contains("jetson-03: failed at jetson.node.jetson-03"), "{said}");
    assert_eq!(nodes(&lab)[..2], ["jetson-01", "jetson-02"]);
    // A pod that runs no kernel proves nothing, and its log is shown.
    assert!(said.contains("its log does not contain \"PASSED\"; log: this pod runs nothing"), "{said}");

    // Mended, with an image that does: it goes on from where it stood.
    lab.does("mend", &["jetson-03"]);
    let resumed = lab.run(DEPLOY).exits(0);
    assert!(resumed.stdout.contains("done: "), "{}", resumed.all());
    assert_eq!(nodes(&lab).len(), 3);
    let app = api(&lab, "deployment akidb-rest-jetson --namespace akidb");
    assert_eq!(app["status"]["availableReplicas"], 3, "{app}");

    // Another version: the server first, then each agent with its pods elsewhere.
    let (plan, program) = (lab.path("cluster.yaml"), lab.path("artifacts/k3s"));
    for (file, version) in [(&plan, "version: v1.36.3"), (&program, "version=v1.36.3")] {
        let text = fs::read_to_string(file).expect("a file");
        assert!(text.contains(version), "{} has no {version}", file.display());
        fs::write(file, text.replace(version, &version.replace("36.3", "36.4"))).expect("a file");
    }
    sum(&lab.path("artifacts"));
    lab.run(DEPLOY).exits(0);
    let all = api(&lab, "nodes");
    for node in all["items"].as_array().expect("nodes") {
        assert_eq!(node["status"]["nodeInfo"]["kubeletVersion"], "v1.36.4+k3s1", "{node}");
        assert_eq!(node["spec"]["unschedulable"], Value::Null, "{node}");
    }

    // A field that somebody else holds is not taken from him, and the objects of others are not taken over.
    lab.inside("jetson-01", "k3s kubectl --namespace akidb scale deployment akidb-rest-jetson --replicas 2");
    let held = lab.run(DEPLOY).exits(3);
    assert!(held.all().contains("conflict with \"kubectl\""), "{}", held.all());
    assert!(held.all().contains("equal values do not conflict"), "{}", held.all());
}

#[test]
fn artefacts_that_are_not_what_their_hash_says_are_refused() {
    let _turn = crate::turn();
    let folder = tempfile::tempdir().expect("a directory");
    let artifacts = folder.path().join("artifacts");
    fs::create_dir(&artifacts).expect("a directory");
    for name in ["k3s", "k3s-install.sh", "nvidia-container-toolkit-keyring.asc", "images.tar"] {
        fs::write(artifacts.join(name), name).expect("a file");
    }
    sum(&artifacts);
    fs::write(artifacts.join("k3s"), "something else").expect("a file");
    fs::write(folder.path().join("hosts.yaml"), "one: {address: 192.0.2.1, role: server}\n").expect("a file");
    let mut command = testkit::cli::bare();
    command.current_dir(folder.path()).args(["--state", "file:state"]).args(DEPLOY.split(' '));
    fs::copy("tests/fixtures/lab-cluster.yaml", folder.path().join("cluster.yaml")).expect("the plan");
    let refused = testkit::cli::finish(&mut command).exits(3);
    assert!(refused.stderr.contains("artifacts/k3s has the hash") && refused.stderr.contains("SHA256SUMS says"));
    assert!(refused.stderr.contains("sha256sum * > SHA256SUMS"), "{}", refused.all());
}
