//! The way to the devices' cluster: a tunnel through real OpenSSH to a real API server, and what is said when it leads nowhere.
//! Needs root and the laboratory (`tests/lab`); skipped with a message otherwise.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use testkit::lab::Lab;

const PLANNED: &str = "--plan cluster.yaml --inventory hosts.yaml";
/// More than enough for a process to end.
const SOON: Duration = Duration::from_secs(30);

fn deployed(name: &str, hosts: usize) -> Option<Lab> {
    let lab = Lab::up(name, hosts)?;
    fs::copy("tests/fixtures/lab-cluster.yaml", lab.path("cluster.yaml")).expect("the plan");
    lab.artifacts(&["akidb/rest:jetson-v1.0.0"]);
    lab.run(&format!("jetson provision --yes {PLANNED} --artifacts artifacts")).exits(0);
    Some(lab)
}

fn address(lab: &Lab, number: usize) -> String {
    lab.inventory["hosts"][number]["address"].as_str().expect("an address").to_owned()
}

/// The clients with a tunnel to a host that run on this machine.
fn tunnels(address: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let words = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let words = words.map(|words| String::from_utf8_lossy(&words).replace('\0', " "));
    words.filter(|words| words.contains(" -W 127.0.0.1:6443 ") && words.contains(address)).count()
}

/// No client outlives the command that it was started for.
#[track_caller]
fn no_tunnel_is_left(address: &str) {
    let begun = Instant::now();
    while tunnels(address) > 0 {
        assert!(begun.elapsed() < SOON, "a tunnel is left");
        std::thread::yield_now();
    }
}

fn node(lab: &Lab, name: &str) -> Value {
    let printed = lab.inside("jetson-01", &format!("k3s kubectl get node {name} -o json"));
    serde_json::from_str(&printed).expect("a node")
}

#[test]
fn a_tunnel_that_leads_nowhere_is_told_and_the_rest_goes_on() {
    let _turn = crate::turn();
    let Some(lab) = deployed("tunnel", 2) else { return };
    let server = address(&lab, 0);
    no_tunnel_is_left(&server);
    let again = lab.run(&format!("jetson provision --yes {PLANNED} --artifacts artifacts")).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());

    // The login may not forward. That is of the next connection on, with no restart of sshd.
    let keys = "/home/edge/.ssh/authorized_keys";
    lab.inside("jetson-01", &format!("sed -i 's/^ssh-/no-port-forwarding &/' {keys}"));
    let refused = lab.run(&format!("jetson drain jetson-02 {PLANNED}")).exits(1);
    for said in ["its sshd does not forward connections to 127.0.0.1:6443", "next:", "AllowTcpForwarding local"] {
        assert!(refused.stdout.contains(said), "{said}: {}", refused.all());
    }
    let seen = lab.run(&format!("jetson status {PLANNED} --json")).exits(2).json();
    assert_eq!(seen["devices"][1]["node"], Value::Null, "{seen}");
    let left = lab.run(&format!("jetson provision --yes {PLANNED} --artifacts artifacts")).exits(1);
    assert!(left.stderr.contains("left out: ") && left.stderr.contains("does not forward"), "{}", left.all());
    lab.inside("jetson-01", &format!("sed -i 's/^no-port-forwarding //' {keys}"));

    // The server's unit does not run: there is no cluster, and a run starts it again.
    lab.inside("jetson-01", "systemctl stop k3s");
    let gone = lab.run(&format!("jetson drain jetson-02 {PLANNED}")).exits(1);
    assert!(gone.stdout.contains("no k3s server runs on jetson-01 yet"), "{}", gone.all());
    lab.run(&format!("jetson provision --yes {PLANNED} --artifacts artifacts")).exits(0);

    // The server is away: it is told, and not taken for a cluster without nodes.
    lab.does("cut", &["jetson-01"]);
    let away = lab.run(&format!("jetson uncordon jetson-02 {PLANNED}")).exits(1);
    assert!(away.stdout.contains("jetson-01") && away.stdout.contains("cannot be reached"), "{}", away.all());
    lab.does("mend", &["jetson-01"]);
    no_tunnel_is_left(&server);
}

#[test]
fn labels_follow_the_plan_and_taints_of_others_stay() {
    let _turn = crate::turn();
    let Some(lab) = deployed("labels", 2) else { return };
    lab.inside("jetson-01", "k3s kubectl taint node jetson-02 others.dev/own=x:PreferNoSchedule");
    let plan = fs::read_to_string(lab.path("cluster.yaml")).expect("the plan");
    let changed = plan.replace("tier: edge}", "zone: a}");
    assert_ne!(changed, plan);
    fs::write(lab.path("cluster.yaml"), &changed).expect("a plan");
    lab.run(&format!("jetson provision --yes {PLANNED} --artifacts artifacts")).exits(0);
    let there = node(&lab, "jetson-02");
    let labels = &there["metadata"]["labels"];
    assert_eq!((&labels["zone"], &labels["tier"]), (&"a".into(), &Value::Null), "{there}");
    assert_eq!(there["spec"]["taints"][0]["key"], "others.dev/own", "{there}");

    lab.run(&format!("jetson drain jetson-02 {PLANNED} --timeout 60")).exits(0);
    assert_eq!(node(&lab, "jetson-02")["spec"]["unschedulable"], true);
    lab.run(&format!("jetson uncordon jetson-02 {PLANNED}")).exits(0);
    assert_eq!(node(&lab, "jetson-02")["spec"]["unschedulable"], Value::Null);
}
