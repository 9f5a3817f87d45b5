//! What one does with devices besides provisioning them, on real SSH hosts and a real Kubernetes API. Needs root and the
//! laboratory (`tests/lab`); skipped with a message otherwise.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use testkit::cli::{CommandOutput, bare, finish};
use testkit::lab::Lab;

/// A plan, the inventory, and nothing to fetch.
const PLANNED: &str = "--plan cluster.yaml --inventory hosts.yaml";

fn prepared(lab: Lab) -> Lab {
    fs::copy("tests/fixtures/lab-cluster.yaml", lab.path("cluster.yaml")).expect("the plan");
    lab.artifacts(&["akidb/rest:jetson-v1.0.0"]);
    lab
}

/// The device of this name in a document.
fn device<'a>(document: &'a Value, name: &str) -> &'a Value {
    let all = document["devices"].as_array().expect("devices");
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {document}"))
}

/// The rules that spoke of a device, without what is only good to know.
fn rules(document: &Value, name: &str) -> Vec<String> {
    let found = device(document, name)["findings"].as_array().expect("findings");
    let weighs = found.iter().filter(|one| one["severity"] != "note");
    weighs.map(|one| one["rule"].as_str().expect("a rule").to_owned()).collect()
}

fn mode(lab: &Lab, host: &str) -> String {
    lab.inside(host, "nvpmodel -q | sed -n 's/^NV Power Mode: //p'").trim().to_owned()
}

#[test]
fn the_doctor_finds_what_was_broken() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("doctor", 5).map(prepared) else { return };
    let well = lab.run(&format!("jetson doctor {PLANNED} --host jetson-05 --json")).exits(2).json();
    assert_eq!(rules(&well, "jetson-05"), ["power-mode"], "fresh devices are at 25W, the plan wants 15W");

    lab.does("release", &["jetson-01", "7.2"]);
    lab.inside("jetson-02", "sed -i '/vxlan/d; /nf_tables/d' /var/lib/lab/modules.available; rm -rf /sys/module/vxlan");
    lab.does("fill", &["jetson-03"]);
    lab.does("power", &["jetson-04", "off"]);
    let seen = lab.run(&format!("jetson doctor {PLANNED} --json")).exits(1).json();
    assert_eq!(rules(&seen, "jetson-01"), ["jetpack", "power-mode"]);
    assert_eq!(rules(&seen, "jetson-02"), ["kernel-modules", "iptables-backend", "power-mode"]);
    assert_eq!(rules(&seen, "jetson-03"), ["disk-full", "power-mode"]);
    assert_eq!(device(&seen, "jetson-04")["reachable"], false);
    assert_eq!(rules(&seen, "jetson-05"), ["power-mode"]);

    let text = lab.run(&format!("jetson doctor {PLANNED}")).exits(1).stdout;
    for said in [
        "jetson-01: JetPack 7.2 (L4T 39.2",
        "cannot load vxlan, which k3s requires",
        "CONFIG_VXLAN=m",
        "update-alternatives --set iptables",
        "no answer",
        "5 devices: 1 without an answer, 4 blocking, ",
        "akidb-edge jetson power --mode 15W --host jetson-05",
    ] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    // What is not a device, and a plan without any.
    lab.run(&format!("jetson doctor {PLANNED} --host nowhere")).exits(3);
    assert!(lab.run("jetson doctor --plan cluster.yaml").exits(3).stderr.contains("the plan has no devices"));
}

#[test]
fn power_by_name_by_load_and_back() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("power", 2).map(prepared) else { return };
    assert_eq!(mode(&lab, "jetson-01"), "25W");
    let none = lab.run(&format!("jetson power --mode 9W {PLANNED} --yes")).exits(3);
    assert!(none.stderr.contains("has no power mode \"9W\"; it has 15W, 25W, MAXN_SUPER, 7W"), "{}", none.stderr);

    let set = lab.run(&format!("jetson power --mode MAXN_SUPER {PLANNED} --host jetson-01 --yes")).exits(0);
    assert!(set.stderr.contains("the plan says 15W"), "{}", set.stderr);
    assert_eq!((mode(&lab, "jetson-01"), mode(&lab, "jetson-02")), ("MAXN_SUPER".to_owned(), "25W".to_owned()));
    // A mode that needs a restart is refused by the device; the other one goes on.
    let boot = lab.run(&format!("jetson power --mode 7W {PLANNED} --yes")).exits(1);
    assert!(boot.stdout.contains("answer YES"), "{}", boot.all());
    assert_eq!(mode(&lab, "jetson-01"), "MAXN_SUPER");

    // Following the load: up at once, down without it. The bounds are the plan's.
    let plan = fs::read_to_string(lab.path("cluster.yaml")).expect("the plan");
    let bounds = "power_mode: 15W\n          adaptive_power: {modes: [15W, 25W], idle_minutes: 0}";
    fs::write(lab.path("cluster.yaml"), plan.replace("power_mode: 15W", bounds)).expect("a file");
    lab.inside("jetson-01", "echo 90 >/var/lib/lab/gpu-load");
    lab.run(&format!("jetson power --mode auto {PLANNED} --yes")).exits(0);
    let becomes = |host: &str, mode: &str| {
        let wait =
            format!("timeout 30 sh -c 'until nvpmodel -q | grep -qx \"NV Power Mode: {mode}\"; do sleep 0.1; done'");
        lab.inside(host, &wait);
    };
    becomes("jetson-01", "25W");
    becomes("jetson-02", "15W");
    lab.inside("jetson-01", "echo 0 >/var/lib/lab/gpu-load");
    becomes("jetson-01", "15W");

    // A fixed mode ends it; a rollback brings it back; at the end all is as it was.
    lab.run(&format!("jetson power --mode 25W {PLANNED} --yes")).exits(0);
    lab.inside(
        "jetson-01",
        "! systemctl is-active --quiet akidb-adaptive-power && ! test -e /usr/local/sbin/akidb-adaptive-power",
    );
    assert_eq!(mode(&lab, "jetson-01"), "25W");
    lab.run("jetson rollback --stack lab --yes").exits(0);
    lab.inside("jetson-01", "systemctl is-active --quiet akidb-adaptive-power");
    let refused = lab.run("jetson rollback --stack lab --to 99 --yes").exits(3);
    assert!(refused.stderr.contains("revision 99"), "{}", refused.stderr);
    lab.run("jetson uninstall --stack lab --yes").exits(0);
    for host in ["jetson-01", "jetson-02"] {
        assert_eq!(mode(&lab, host), "25W", "{host}: what it had before");
        lab.inside(host, "! test -e /var/lib/akidb-edge && ! test -e /usr/local/sbin/akidb-adaptive-power");
    }
}

/// A verb that knows nothing of devices.
fn of_the_cloud(lab: &Lab, words: &str) -> CommandOutput {
    let state = format!("file:{}", lab.path("state").display());
    finish(bare().args(words.split_whitespace()).args(["--state", &state]))
}

/// The laboratory's own kubectl with a kubeconfig.
fn kubectl(config: &Path, words: &str) -> Value {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/kubernetes/build");
    let there = Command::new(build).arg("--check").output().expect("the script runs").stdout;
    let program = Path::new(String::from_utf8(there).expect("text").trim()).join("bin/kubectl");
    let said = Command::new(program).arg("--kubeconfig").arg(config).args(words.split_whitespace()).output();
    let said = said.expect("kubectl runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("JSON")
}

const OWN: &str = "# mine\napiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    server: https://prod:6443\n  name: prod\ncontexts:\n- context: {cluster: prod, user: me}\n  name: prod\ncurrent-context: prod\nusers:\n- name: me\n  user: {token: abc}\n";

#[test]
fn nodes_are_shown_drained_and_switched_off() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("nodes", 3).map(prepared) else { return };
    let early = lab.run(&format!("jetson kubeconfig {PLANNED}")).exits(1);
    assert!(early.stderr.contains("k3s does not run on it yet"), "{}", early.stderr);
    lab.run(&format!("jetson deploy --yes {PLANNED} --artifacts artifacts")).exits(0);

    let seen = lab.run(&format!("jetson status {PLANNED} --json")).exits(0).json();
    let first = device(&seen, "jetson-01");
    assert_eq!((&first["role"], &first["node"]), (&"server".into(), &"ready".into()));
    assert_eq!(first["facts"]["k3s"], "v1.36.3+k3s1");
    assert_eq!((&first["load"]["gpu_percent"], &first["load"]["ram_mib"]), (&0.into(), &7620.into()));
    let text = lab.run(&format!("jetson status {PLANNED}")).exits(0).stdout;
    assert!(text.contains("jetson-02  agent   ready  v1.36.3+k3s1  6.2      15W   0 %"), "{text}");

    kubeconfig(&lab);

    // One of three may go, by the budget; the pods of the next are held.
    let held = lab.run(&format!("jetson drain jetson-02 jetson-03 {PLANNED} --timeout 8")).exits(1);
    assert!(held.stdout.contains("jetson-02: drained") || held.stdout.contains("jetson-03: drained"), "{}", held.all());
    assert!(held.stdout.contains("disruption budgets hold akidb/akidb-rest-jetson-"), "{}", held.all());
    let seen = lab.run(&format!("jetson status {PLANNED} --json")).exits(2).json();
    assert_eq!(device(&seen, "jetson-02")["node"], "cordoned");
    lab.run(&format!("jetson uncordon jetson-02 jetson-03 {PLANNED}")).exits(0);
    lab.run(&format!("jetson status {PLANNED}")).exits(0);
    lab.run(&format!("jetson drain nowhere {PLANNED}")).exits(3);

    // Nothing without a yes; then agents before the server.
    lab.run(&format!("jetson shutdown {PLANNED}")).exits(3);
    let off = lab.run(&format!("jetson shutdown {PLANNED} --yes --timeout 30")).exits(0).stdout;
    let goes: Vec<&str> = off.lines().filter_map(|line| line.strip_suffix(": shutting down")).collect();
    assert_eq!(goes, ["jetson-02", "jetson-03", "jetson-01"]);
    // Verbs of the cloud have nothing to ask AWS about.
    let wrong = of_the_cloud(&lab, "destroy --stack lab-devices --yes").exits(3);
    assert!(wrong.stderr.contains("akidb-edge jetson uninstall --stack lab-devices"), "{}", wrong.stderr);
    let wrong = of_the_cloud(&lab, "rollback --stack lab-devices --yes").exits(3);
    assert!(wrong.stderr.contains("akidb-edge jetson rollback --stack lab-devices"), "{}", wrong.stderr);
}

fn kubeconfig(lab: &Lab) {
    let config = lab.path(".kube/config");
    fs::create_dir_all(lab.path(".kube")).expect("a directory");
    fs::write(&config, OWN).expect("a file");
    let said = lab.run(&format!("jetson kubeconfig --context edge {PLANNED} --json")).exits(0).json();
    let backup = said["backup"].as_str().expect("a backup");
    assert_eq!(fs::read_to_string(backup).expect("the backup"), OWN);
    let text = fs::read_to_string(&config).expect("the file");
    for line in OWN.lines() {
        assert!(text.lines().any(|there| there == line), "{line} in\n{text}");
    }
    for file in [config.as_path(), Path::new(backup)] {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let nodes = kubectl(&config, "--context edge get nodes -o json");
    assert_eq!(nodes["items"].as_array().map(Vec::len), Some(3));
    let view = kubectl(&config, "config view -o json");
    assert_eq!((&view["current-context"], &view["contexts"].as_array().map(Vec::len)), (&"prod".into(), &Some(2)));
    let again = lab.run(&format!("jetson kubeconfig --context edge {PLANNED} --json")).exits(0).json();
    assert_eq!((&again["changed"], &again["backup"]), (&false.into(), &Value::Null));

    lab.run(&format!("jetson kubeconfig --out own.yaml {PLANNED}")).exits(0);
    let own = kubectl(&lab.path("own.yaml"), "get nodes -o json");
    assert_eq!(own["items"].as_array().map(Vec::len), Some(3));
    fs::write(lab.path("broken.yaml"), "- no kubeconfig\n").expect("a file");
    lab.run(&format!("jetson kubeconfig --out broken.yaml --merge {PLANNED}")).exits(3);
    assert_eq!(fs::read_to_string(lab.path("broken.yaml")).expect("the file"), "- no kubeconfig\n");
}
