//! An AWS account, devices with their cluster, and a cluster of somebody else in one graph: deployed, killed, resumed, changed,
//! rolled back, destroyed. Needs root and the laboratory (`tests/lab`); skipped with a message otherwise.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::cli::{CommandOutput, finish};
use testkit::control_plane::ControlPlane;
use testkit::lab::Lab;
use testkit::local_aws;

const PLAN: &str = r#"
version: 1
stack: whole
metadata: {name: whole, title: "An account, devices, and two clusters"}
days:
  - day: 1
    title: All of it
    steps:
      - id: bucket
        title: A bucket
        kind: models
        with: {buckets: {data: {name: NAME, region: us-east-1}}}
      - id: devices
        title: Devices and their cluster
        kind: jetson
        needs: [bucket]
        with:
          k3s: {version: v1.36.3+k3s1, disable: [traefik]}
          files: {/opt/bucket: {text: "${models.bucket.data#name}\n"}}
          manifests: [objects.yaml]
      - id: central
        title: A cluster of somebody else
        kind: kubernetes
        needs: [devices]
        with:
          name: central
          cluster: {kubeconfig: {context: default}}
          objects:
            - {apiVersion: v1, kind: Namespace, metadata: {name: whole}}
            - apiVersion: v1
              kind: ConfigMap
              metadata: {name: place, namespace: whole}
              data: {bucket: "${models.bucket.data#name}", edition: "1"}
"#;
const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: place, namespace: default}
data: {bucket: "${models.bucket.data#name}"}
"#;
/// More than a deploy of two devices takes.
const SOON: Duration = Duration::from_secs(120);

fn in_worlds(mut command: Command, account: &str, plane: &ControlPlane) -> Command {
    command.env("AWS_ENDPOINT_URL", local_aws::endpoint()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("KUBECONFIG", plane.kubeconfig());
    command
}

#[test]
fn one_graph_over_an_account_devices_and_two_clusters() {
    let _turn = crate::turn();
    let Some(lab) = Lab::up("whole", 2) else { return };
    let Some(plane) = ControlPlane::shared() else { return };
    let account = local_aws::account();
    let name = format!("whole-{account}");
    let plan = PLAN.replace("NAME", &name);
    fs::write(lab.path("whole.yaml"), &plan).expect("a plan");
    fs::write(lab.path("objects.yaml"), OBJECTS).expect("objects");
    lab.artifacts(&[]);
    let command = |words: &str| in_worlds(lab.command(words), &account, &plane);
    let run = |words: &str| -> CommandOutput { finish(&mut command(words)) };
    let deploy = "deploy --devices --plan whole.yaml --inventory hosts.yaml --artifacts artifacts --yes";

    // Killed while the server of the devices' cluster is installed, the same command goes on.
    let mut child = command(deploy).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let (journal, begun) = (lab.path("state/whole-devices/journal.jsonl"), Instant::now());
    while !fs::read_to_string(&journal).unwrap_or_default().contains("jetson.node.jetson-01") {
        assert!(begun.elapsed() < SOON, "the first node begins");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
    run(deploy).exits(0);
    let again = run(deploy).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());

    let on_devices = || lab.inside("jetson-01", "k3s kubectl get configmap place -o jsonpath='{.data.bucket}'");
    let elsewhere = |field: &str| plane.kubectl(&format!("get configmap place -n whole -o jsonpath={{.data.{field}}}"));
    assert_eq!((on_devices(), elsewhere("bucket")), (name.clone(), name.clone()));
    assert_eq!(lab.inside("jetson-02", "cat /opt/bucket"), format!("{name}\n"));

    // A change in two worlds is undone in both by one command.
    fs::write(
        lab.path("whole.yaml"),
        plan.replace("edition: \"1\"", "edition: \"2\"").replace("#name}\\n", "#name}!\\n"),
    )
    .expect("a plan");
    run(deploy).exits(0);
    assert_eq!((elsewhere("edition"), lab.inside("jetson-02", "cat /opt/bucket")), ("2".into(), format!("{name}!\n")));
    run("rollback --devices --stack whole --yes").exits(0);
    assert_eq!((elsewhere("edition"), lab.inside("jetson-02", "cat /opt/bucket")), ("1".into(), format!("{name}\n")));

    // Nothing is left anywhere.
    run("destroy --devices --stack whole --yes").exits(0);
    lab.inside("jetson-01", "! test -e /opt/bucket && ! test -e /var/lib/akidb-edge && ! command -v k3s");
    assert_eq!(plane.kubectl("get namespace whole --ignore-not-found -o name"), "");
}
