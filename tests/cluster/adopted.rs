//! What a person made in a cluster and a stack adopted: it outlives the stack, whatever becomes of the journal. The runs have no AWS
//! account: no region, no credentials, nothing that answers.

use std::sync::Arc;

use tempfile::TempDir;
use testkit::cli::{CommandOutput, bare, finish};
use testkit::control_plane::ControlPlane;

/// A plan with one object of a person and one of its own.
const PLAN: &str = r#"
version: 1
stack: STACK
metadata: {name: STACK, title: Adopted}
days:
  - day: 1
    title: Objects
    steps:
      - id: objects
        title: Objects
        kind: kubernetes
        with:
          name: lab
          cluster: {kubeconfig: {context: default}}
          namespace: NAMESPACE
          force_conflicts: []
          objects:
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: theirs}, data: {a: "2"}}
            - {apiVersion: v1, kind: ConfigMap, metadata: {name: own}, data: {a: "1"}}
"#;

struct Ground {
    plane: Arc<ControlPlane>,
    folder: TempDir,
    /// Name of the stack and of its namespace.
    name: &'static str,
}

impl Ground {
    /// With a namespace in which a person has an object; none without a control plane.
    fn new(name: &'static str) -> Option<Self> {
        let plane = ControlPlane::shared()?;
        plane.kubectl(&format!("create namespace {name}"));
        plane.kubectl(&format!("create configmap theirs --from-literal a=1 --namespace {name}"));
        let folder = tempfile::tempdir().expect("a folder");
        let plan = PLAN.replace("STACK", name).replace("NAMESPACE", name);
        std::fs::write(folder.path().join("plan.yaml"), plan).expect("a plan");
        Some(Self { plane, folder, name })
    }

    fn run(&self, words: &str) -> CommandOutput {
        let mut command = bare();
        command.args(words.split(' ')).args(["--state", "file:state"]).current_dir(self.folder.path());
        finish(command.env("KUBECONFIG", self.plane.kubeconfig()))
    }

    fn deploy(&self, more: &str) -> CommandOutput {
        self.run(&format!("deploy --plan plan.yaml --yes{more}"))
    }

    fn adopt(&self) -> CommandOutput {
        self.deploy(&format!(" --adopt {}", self.address()))
    }

    fn address(&self) -> String {
        format!("kubernetes.manifest.lab-configmap-{}-theirs", self.name)
    }

    /// The journal is lost.
    fn lose_the_journal(&self) {
        std::fs::remove_dir_all(self.folder.path().join("state").join(self.name)).expect("it was there");
    }

    /// Destroys the stack: what it made goes, what the person made stays.
    #[track_caller]
    fn destroy(&self) {
        let said = self.run(&format!("destroy --stack {} --yes", self.name)).exits(0);
        assert!(said.all().contains("left: imported, not created by this stack"), "{}", said.all());
        let left = self.plane.kubectl(&format!("get configmap -n {} -o name", self.name));
        assert!(left.contains("configmap/theirs") && !left.contains("configmap/own"), "{left}");
    }

    fn clean(&self) {
        self.plane.kubectl(&format!("delete namespace {} --wait=false", self.name));
        self.plane.kubectl(&format!("delete configmap akidb-edge-{} -n default --ignore-not-found", self.name));
    }
}

#[test]
fn what_was_adopted_stays_after_it_was_forgotten_and_deployed_again() {
    let _turn = crate::turn();
    let Some(ground) = Ground::new("adopted-forgotten") else { return };
    let refused = ground.deploy("").exits(3);
    assert!(refused.all().contains(&format!("--adopt {}", ground.address())), "{}", refused.all());
    let adopted = ground.adopt().exits(0);
    // Its value changes: that is shown, and is not safe.
    assert!(adopted.all().contains("object.data.a: 1 -> 2"), "{}", adopted.all());
    assert!(adopted.all().contains("risk: brief"), "{}", adopted.all());
    ground.run(&format!("state forget {} --stack {} --yes", ground.address(), ground.name)).exits(0);
    let again = ground.deploy("").exits(0);
    assert!(again.all().contains("[imported, not created by this stack]"), "{}", again.all());
    ground.destroy();
    ground.clean();
}

#[test]
fn what_was_adopted_stays_after_a_lost_journal() {
    let _turn = crate::turn();
    let Some(ground) = Ground::new("adopted-lost") else { return };
    ground.adopt().exits(0);
    ground.lose_the_journal();
    ground.deploy("").exits(0);
    // It is changed in place, and still says so.
    let object = ground.plane.object("configmap theirs -n adopted-lost");
    assert_eq!(object["metadata"]["annotations"]["akidb.dev/origin"], "imported");
    ground.destroy();
    ground.clean();
}

#[test]
fn what_was_adopted_stays_after_a_rollback_of_the_adoption() {
    let _turn = crate::turn();
    let Some(ground) = Ground::new("adopted-undone") else { return };
    ground.adopt().exits(0);
    ground.run(&format!("rollback --stack {} --yes", ground.name)).exits(0);
    let left = ground.plane.kubectl("get configmap -n adopted-undone -o name");
    assert!(left.contains("configmap/theirs"), "{left}");
    ground.deploy("").exits(0);
    ground.destroy();
    ground.clean();
}

#[test]
fn a_conflict_is_told_by_a_dry_run_and_by_drift() {
    let _turn = crate::turn();
    let Some(ground) = Ground::new("adopted-held") else { return };
    ground.adopt().exits(0);
    let patch = ["patch", "configmap", "own", "-n", "adopted-held", "--type=merge", "--field-manager=person", "-p"];
    let (well, said) = ground.plane.kubectl_with(&[&patch[..], &[r#"{"data": {"a": "9"}}"#]].concat(), "");
    assert!(well, "{said}");
    let refused = ground.run("deploy --plan plan.yaml --dry-run").exits(3);
    assert!(refused.all().contains("conflict with \"person\": .data.a"), "{}", refused.all());
    assert!(refused.all().contains("force_conflicts"), "{}", refused.all());
    let drift = ground.run("status --plan plan.yaml --drift").exits(2);
    assert!(drift.all().contains("deploy cannot restore it"), "{}", drift.all());
    let file = ground.folder.path().join("plan.yaml");
    let plan = std::fs::read_to_string(&file).expect("a plan");
    let allowed = plan.replace("force_conflicts: []", "force_conflicts: [ConfigMap/own]");
    std::fs::write(&file, allowed).expect("a plan");
    let taken = ground.deploy("").exits(0);
    assert!(taken.all().contains("it takes over .data.a of \"person\""), "{}", taken.all());
    ground.destroy();
    ground.clean();
}
