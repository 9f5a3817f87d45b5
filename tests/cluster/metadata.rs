//! The example of the metadata database, applied to a real API server and a local AWS: buckets, roles and objects, of both regions in
//! one cluster. The commands of the applied objects then run as processes: the registry reaches a replica, and so does a change of the
//! primary. Needs the control plane (`tests/lab/kubernetes/build`); skipped with a message otherwise.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::cli::{CommandOutput, TestAccount, finish};
use testkit::control_plane::ControlPlane;
use testkit::local_aws;

/// More than a publisher, a bucket and a follower take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A process; it ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example, in a cluster without volumes, so that no rollout is waited for.
fn plan() -> String {
    let text = std::fs::read_to_string(testkit::root().join("plans/examples/metadata.yaml")).expect("the example");
    let text = text.replace("\n          namespace: akidb\n", "\n          namespace: akidb\n          wait: false\n");
    // There is one cluster here, which has one name in a plan.
    text.replace("\n          name: replica\n", "\n          name: primary\n")
}

/// Runs what a container of the applied object runs, with folders of this machine in place of its volumes.
fn started(account: &TestAccount, container: &Value, folders: &[(&str, &Path)]) -> Process {
    let words = container["command"].as_array().expect("a command").iter();
    let mut words: Vec<String> = words.map(|word| word.as_str().expect("a word").to_owned()).collect();
    assert_eq!(words.remove(0), "akidb-edge");
    for (mount, folder) in folders {
        let (from, to) = (format!("={mount}/"), format!("={}/", folder.display()));
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        assert!(mounts.iter().any(|one| one["mountPath"] == *mount), "{mount} in {mounts:?}");
        words.iter_mut().for_each(|word| *word = word.replace(&from, &to));
    }
    let mut command = account.command("");
    for variable in container["env"].as_array().into_iter().flatten() {
        command.env(variable["name"].as_str().expect("a name"), variable["value"].as_str().expect("a value"));
    }
    // `--state` is the last of the command's own words.
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("the binary starts"))
}

#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < SOON, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// One value of a database that may not be there yet.
fn value(file: &Path, ask: &str) -> Option<String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let open = rusqlite::Connection::open_with_flags(file, flags).ok()?;
    open.query_row(ask, [], |row| row.get(0)).ok()
}

/// The document of a policy that IAM has.
fn policy(account: &TestAccount, role: &str) -> Value {
    let iam = aws_sdk_iam::Client::new(&account.sdk);
    let read = iam.get_role_policy().role_name(role).policy_name("snapshots").send();
    let read = testkit::proxy::wait(read).unwrap_or_else(|bad| panic!("{role}: {bad:?}"));
    serde_json::from_str(&decoded(read.policy_document())).expect("a document")
}

/// Text of a URI.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |digit: Option<u8>| char::from(digit.unwrap_or_default()).to_digit(16).unwrap_or_default();
        bytes.push(match byte {
            b'%' => u8::try_from(hex(rest.next()) * 16 + hex(rest.next())).expect("a byte"),
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_example_of_metadata_publishes_and_follows() {
    let _turn = crate::turn();
    let Some(plane) = ControlPlane::shared() else { return };
    plane.person_applies(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "akidb"}}));
    let account = TestAccount::of(local_aws::account());
    std::fs::write(account.path("metadata.yaml"), plan()).expect("a plan");
    let prefix = format!("t{}", account.number);
    let provider = |name: &str| format!("arn:aws:iam::{}:oidc-provider/{name}.example/id/1", account.number);
    let run = |words: &str| -> CommandOutput {
        let mut command: Command = account.command(words);
        command.env("KUBECONFIG", plane.kubeconfig());
        if words.starts_with("deploy") {
            let (primary, replica) = (provider("primary"), provider("replica"));
            let set = [
                ("image", "akidb-edge:1"),
                ("primary", "default"),
                ("replica", "default"),
                ("prefix", prefix.as_str()),
            ];
            let set = set.into_iter().chain([("primary_oidc", primary.as_str()), ("replica_oidc", replica.as_str())]);
            for (name, value) in set {
                command.args(["--var", &format!("{name}={value}")]);
            }
        }
        finish(&mut command)
    };
    let deploy = "deploy --plan metadata.yaml --yes";
    run(deploy).exits(0);
    let again = run(deploy).exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());

    // The service accounts take on the roles that the stack created, and these have no more than their task needs.
    for (name, actions) in [("publisher", 5), ("follower", 2)] {
        let object = plane.object(&format!("serviceaccount metadata-{name} -n akidb"));
        let arn = format!("arn:aws:iam::{}:role/{prefix}-metadata-{name}", account.number);
        assert_eq!(object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], arn.as_str());
        let policy = policy(&account, &format!("{prefix}-metadata-{name}"));
        let statements = policy["Statement"].as_array().expect("statements").iter();
        let count: usize = statements.map(|one| one["Action"].as_array().map_or(1, Vec::len)).sum();
        assert_eq!(count, actions, "{policy}");
    }
    let primary = plane.object("statefulset metadata-primary -n akidb");
    let replica = plane.object("statefulset metadata-replica -n akidb");
    for object in [&primary, &replica] {
        let claim = &object["spec"]["volumeClaimTemplates"][0]["spec"];
        assert_eq!(
            (&claim["storageClassName"], &claim["resources"]["requests"]["storage"]),
            (&json!("gp3"), &json!("50Gi"))
        );
    }
    let (publisher, follower) = (
        &primary["spec"]["template"]["spec"]["containers"][0],
        &replica["spec"]["template"]["spec"]["initContainers"][0],
    );
    let resources = json!({"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}});
    assert_eq!(publisher["resources"], resources);
    let server = &replica["spec"]["template"]["spec"]["containers"][0];
    let mounts = server["volumeMounts"].as_array().expect("mounts");
    assert!(mounts.iter().any(|one| one["mountPath"] == "/data" && one["readOnly"] == true), "{mounts:?}");

    // What these containers run, on this machine.
    let [data, copy, keys] = ["data", "copy", "keys"].map(|name| account.path(name));
    for folder in [&data, &copy, &keys] {
        std::fs::create_dir(folder).expect("a directory");
    }
    account.run_bare("replicate key --out keys/replica.key").exits(0);
    let published =
        started(&account, publisher, &[("/data", data.as_path()), ("/run/secrets/metadata", keys.as_path())]);
    let followed = started(&account, follower, &[("/data", copy.as_path()), ("/run/metadata", keys.as_path())]);
    let replica = copy.join("replica.db");
    let model = "SELECT name FROM models WHERE enabled = 1";
    until("the registry reaches the replica", || value(&replica, model).as_deref() == Some("all-MiniLM-L6-v2"));
    let open = rusqlite::Connection::open(data.join("metadata.db")).expect("the primary");
    open.busy_timeout(SOON).expect("set");
    open.execute_batch("CREATE TABLE own(a); INSERT INTO own VALUES ('told')").expect("written");
    until("a change reaches the replica", || value(&replica, "SELECT a FROM own").as_deref() == Some("told"));
    drop((published, followed));

    run("destroy --stack metadata --empty-buckets --yes").exits(0);
    assert_eq!(plane.kubectl("get statefulset -n akidb --ignore-not-found -o name"), "");
}
