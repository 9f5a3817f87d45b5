//! A plan that changes what can never change in an object: shown as a replacement with its reason, done, done again by nobody, and
//! undone. What holds data is left alone until the plan allows it.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use testkit::cli::{CommandOutput, bare, finish};
use testkit::control_plane::ControlPlane;

const NAME: &str = "recreated";

const PLAN: &str = r#"
version: 1
stack: recreated
metadata: {name: recreated, title: Made again}
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
          namespace: recreated
          wait: false
          recreate: []
          objects:
            - apiVersion: rbac.authorization.k8s.io/v1
              kind: RoleBinding
              metadata: {name: view}
              roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
              subjects: [{kind: ServiceAccount, name: default, namespace: recreated}]
            - apiVersion: v1
              kind: PersistentVolumeClaim
              metadata: {name: data}
              spec: {accessModes: [ReadWriteOnce], storageClassName: one, resources: {requests: {storage: 1Gi}}}
"#;

struct Ground {
    plane: Arc<ControlPlane>,
    folder: TempDir,
}

impl Ground {
    fn run(&self, plan: &str, words: &str) -> CommandOutput {
        std::fs::write(self.folder.path().join("plan.yaml"), plan).expect("a plan");
        let mut command = bare();
        command.args(words.split(' ')).args(["--plan", "plan.yaml", "--state", "file:state"]);
        finish(command.current_dir(self.folder.path()).env("KUBECONFIG", self.plane.kubeconfig()))
    }

    fn object(&self, what: &str) -> Value {
        self.plane.object(&format!("{what} -n {NAME}"))
    }

    fn role(&self) -> Value {
        self.object("rolebinding view")["roleRef"]["name"].clone()
    }
}

#[test]
fn what_can_never_change_is_replaced_in_sight_and_undone() {
    let _turn = crate::turn();
    let Some(plane) = ControlPlane::shared() else { return };
    let ground = Ground { plane, folder: tempfile::tempdir().expect("a folder") };
    ground.plane.kubectl("create namespace recreated");
    ground.run(PLAN, "deploy --yes").exits(0);

    let changed = PLAN.replace("name: view}\n              subjects", "name: edit}\n              subjects");
    let shown = ground.run(&changed, "deploy --dry-run").exits(2);
    assert!(shown.all().contains("replace"), "{}", shown.all());
    assert!(shown.all().contains("it is deleted, then made again: roleRef"), "{}", shown.all());
    assert!(shown.all().contains("1 to replace; risk: disruptive"), "{}", shown.all());
    assert_eq!(ground.role(), "view", "a dry run does nothing");
    ground.run(&changed, "deploy --yes").exits(0);
    assert_eq!(ground.role(), "edit");
    assert!(ground.run(&changed, "deploy --yes").exits(0).stdout.contains("no changes"));
    let journal =
        std::fs::read_to_string(ground.folder.path().join("state/recreated/journal.jsonl")).expect("a journal");
    assert!(!journal.contains("recreate\""), "readers of earlier versions know no such action");
    ground.run(&changed, "rollback --yes").exits(0);
    assert_eq!(ground.role(), "view");

    // A claim has data behind it.
    let other_class = PLAN.replace("storageClassName: one", "storageClassName: two");
    let refused = ground.run(&other_class, "deploy --yes").exits(3);
    assert!(refused.all().contains("it has data"), "{}", refused.all());
    assert!(refused.all().contains("recreate: [PersistentVolumeClaim/data]"), "{}", refused.all());
    let allowed = other_class.replace("recreate: []", "recreate: [PersistentVolumeClaim/data]");
    let shown = ground.run(&allowed, "deploy --dry-run").exits(2);
    assert!(shown.all().contains("destroys data"), "{}", shown.all());
    ground.run(&allowed, "deploy --yes").exits(0);
    assert_eq!(ground.object("persistentvolumeclaim data")["spec"]["storageClassName"], "two");
    let unknown = PLAN.replace("recreate: []", "recreate: [PersistentVolumeClaim/other]");
    let refused = ground.run(&unknown, "validate plan");
    assert_ne!(refused.code, 0);
    assert!(refused.all().contains("no object of this step is"), "{}", refused.all());

    ground.run(PLAN, "destroy --yes").exits(0);
    ground.plane.kubectl("delete namespace recreated --wait=false");
}
