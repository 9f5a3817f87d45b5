//! Model sync of the binary: versions come and go, and no request fails.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::cli::{self, TestAccount};
use testkit::local_aws;
use testkit::proxy::wait;
use testkit::serve::{Server, fixtures, onnxruntime};

/// A server with an empty store of its own.
fn of(store: &Path, from: &str) -> Command {
    let mut command = cli::bare();
    command
        .args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--sync", from, "--models"])
        .arg(store);
    command.arg("--onnxruntime").arg(onnxruntime());
    command
}

/// Files of a fixture, by their paths in it.
fn files(fixture: &str) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, below: &str, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(root.join(below)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                walk(root, &path, found)
            } else {
                found.push((path, std::fs::read(entry.path()).unwrap()))
            }
        }
    }
    let mut found = Vec::new();
    walk(&fixtures().join(fixture), "", &mut found);
    found
}

fn pointer(version: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let one = |(path, bytes): &(String, Vec<u8>)| json!({"path": path, "size": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes))});
    json!({"version": version, "root": version, "files": files.iter().map(one).collect::<Vec<_>>()})
        .to_string()
        .into_bytes()
}

/// The line of the tiny model in `/models`.
fn model(server: &Server) -> Value {
    let said = server.request("GET", "/models", &[], b"").json();
    said["models"].as_array().unwrap().iter().find(|model| model["id"] == "tiny").cloned().unwrap_or_default()
}

#[track_caller]
fn until(server: &Server, so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let model = model(server);
        if so(&model) {
            return model;
        }
        assert!(Instant::now() < end, "{model:#}\n{}", server.said());
    }
}

fn vector(server: &Server) -> Value {
    let (status, said) = server.post("/api/v1/embed", &json!({"inputs": ["the bird sings"]}));
    assert_eq!(status, 200, "{said}");
    said["embeddings"][0].clone()
}

#[test]
fn two_hundred_versions_under_load_and_no_request_fails() {
    let _turn = crate::turn();
    let (store, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kinds = [files("tiny"), files("tiny-cls")];
    let publish = |number: usize| {
        let (version, files) = (format!("r{number}"), &kinds[number % 2]);
        for (path, bytes) in files {
            let place = source.path().join("tiny").join(&version).join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, bytes).unwrap();
        }
        // What differs makes another folder of it, as a new graph would.
        let mark = source.path().join("tiny").join(&version).join("number");
        std::fs::write(&mark, number.to_string()).unwrap();
        let mut all = files.clone();
        all.push(("number".to_owned(), number.to_string().into_bytes()));
        let new = source.path().join("tiny/.new");
        std::fs::write(&new, pointer(&version, &all)).unwrap();
        std::fs::rename(new, source.path().join("tiny/current.json")).unwrap();
    };
    publish(0);
    let from = format!("file:{}", source.path().display());
    let server = Server::start(of(store.path(), &from).args(["--sync-interval", "10ms"]));
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    vector(&server);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 1..=200 {
            publish(number);
            until(&server, |model| model["version_name"] == format!("r{number}"));
            let _ = std::fs::remove_dir_all(source.path().join(format!("tiny/r{}", number - 1)));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(asked.load(Ordering::Relaxed) > 200, "{asked:?} requests beside 200 swaps");
    // What is counted was written down and cleared up before.
    let counted = "akidb_model_sync_total{model=\"tiny\",status=\"success\"} 201";
    let end = Instant::now() + Duration::from_secs(60);
    while !server.get("/metrics").1.contains(counted) {
        assert!(Instant::now() < end, "{}", server.get("/metrics").1);
    }
    let kept = std::fs::read_dir(store.path().join(".versions/tiny")).unwrap();
    let kept =
        kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| !name.ends_with(".json"));
    assert_eq!(kept.count(), 2, "the one that is served and the one before");
}

struct Bucket {
    account: TestAccount,
    store: tempfile::TempDir,
}

impl Bucket {
    fn new() -> Self {
        let bucket = Self { account: TestAccount::of(local_aws::account()), store: tempfile::tempdir().unwrap() };
        wait(bucket.account.s3().create_bucket().bucket(bucket.name()).send()).unwrap();
        bucket
    }

    fn name(&self) -> String {
        format!("models-{}", self.account.number)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let (s3, key) = (self.account.s3(), format!("live/tiny/{path}"));
        wait(s3.put_object().bucket(self.name()).key(key).body(bytes.to_vec().into()).send()).unwrap();
    }

    fn publish(&self, version: &str, files: &[(String, Vec<u8>)]) {
        for (path, bytes) in files {
            self.put(&format!("{version}/{path}"), bytes);
        }
        self.put("current.json", &pointer(version, files));
    }

    fn serve(&self, endpoint: &str) -> Command {
        let mut command = of(self.store.path(), &format!("s3://{}/live/", self.name()));
        command.args(["--sync-interval", "200ms", "--health-interval", "200ms"]).env("AWS_ENDPOINT_URL", endpoint);
        command
            .env("AWS_ACCESS_KEY_ID", &self.account.number)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1");
        command
    }
}

#[test]
fn a_bucket_brings_versions_and_a_bad_one_never_replaces_a_good_one() {
    let _turn = crate::turn();
    let bucket = Bucket::new();
    bucket.publish("one", &files("tiny"));
    let server = Server::start(&mut bucket.serve(&bucket.account.endpoint));
    let one = vector(&server);
    assert_eq!(model(&server)["version_name"], "one");
    bucket.publish("two", &files("tiny-cls"));
    let served = until(&server, |model| model["version_name"] == "two");
    assert_eq!((&served["pooling"], &served["last_sync_error"]), (&json!("cls"), &Value::Null));
    let two = vector(&server);
    assert_ne!(one, two);

    // A file that is not what the pointer says.
    let mut good = files("tiny");
    bucket.publish("three", &good);
    let place = good.iter().position(|(path, _)| path == "model.onnx").unwrap();
    good[place].1[100] ^= 0xff;
    bucket.put("three-b/model.onnx", &good[place].1);
    let mut torn = files("tiny");
    torn.retain(|(path, _)| path != "model.onnx");
    for (path, bytes) in &torn {
        bucket.put(&format!("three-b/{path}"), bytes);
    }
    until(&server, |model| model["version_name"] == "three");
    bucket.put("current.json", &pointer("three-b", &files("tiny")));
    let kept = until(&server, |model| !model["last_sync_error"].is_null());
    assert!(kept["last_sync_error"].as_str().unwrap().contains("SHA-256") && kept["version_name"] == "three", "{kept}");

    // A whole file that is not a graph.
    bucket.publish("four", &files("tiny-corrupt"));
    let kept = until(&server, |model| {
        model["last_sync_error"].as_str().is_some_and(|why| why.contains("model.onnx") && !why.contains("SHA"))
    });
    assert_eq!((&kept["version_name"], &kept["status"]), (&json!("three"), &json!("loaded")));
    assert_eq!(vector(&server), one);

    bucket.publish("five", &files("tiny-cls"));
    until(&server, |model| model["version_name"] == "five" && model["last_sync_error"].is_null());
    assert_eq!(vector(&server), two);
    drop(server);

    // Started again without a network: what was brought is served, and the check says what is wrong.
    let server = Server::start(&mut bucket.serve("http://127.0.0.1:9"));
    assert_eq!((&model(&server)["version_name"], vector(&server)), (&json!("five"), two));
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let said = server.request("GET", "/health", &[], b"").json();
        if said["checks"]["s3"]["status"] == "failed" {
            assert_eq!(said["status"], "degraded");
            break;
        }
        assert!(Instant::now() < end, "{said:#}");
    }
}

#[test]
fn what_deploy_puts_into_a_bucket_is_served_version_by_version() {
    let _turn = crate::turn();
    let account = TestAccount::of(local_aws::account());
    let (name, store) = (format!("deployed-{}", account.number), tempfile::tempdir().unwrap());
    let paths: Vec<String> =
        files("tiny").into_iter().map(|(path, _)| path).filter(|path| path != "expected.json").collect();
    let listed: String = paths.iter().map(|path| format!("            {path}: {{path: \"tiny/{path}\"}}\n")).collect();
    let plan = format!(
        "version: 1\nstack: deployed\nmetadata: {{name: m, title: Models}}\ndays:\n- day: 1\n  title: All\n  steps:\n  - id: models\n    \
         title: Models\n    kind: models\n    with:\n      buckets:\n        b: {{name: {name}, region: us-east-1, versioning: true}}\n      \
         models:\n        tiny:\n          bucket: b\n          name: tiny\n          files:\n{listed}"
    );
    std::fs::write(account.path("models.yaml"), plan).unwrap();
    let deploy = |fixture: &str| {
        testkit::serve::copy(&fixtures().join(fixture), &account.path("tiny"));
        cli::finish(&mut account.command("deploy --plan models.yaml --yes")).exits(0);
    };
    deploy("tiny");
    let mut command = of(store.path(), &format!("s3://{name}/models"));
    command.args(["--sync-interval", "200ms"]).env("AWS_ENDPOINT_URL", &account.endpoint);
    command
        .env("AWS_ACCESS_KEY_ID", &account.number)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1");
    let server = Server::start(&mut command);
    let (one, first) = (vector(&server), model(&server)["version_name"].clone());
    deploy("tiny-cls");
    let served = until(&server, |model| model["pooling"] == "cls");
    assert!(served["version_name"] != first && vector(&server) != one, "{served}");
    // Back by the journal: the files of the version before are still in the bucket.
    cli::finish(&mut account.command("rollback --stack deployed --yes")).exits(0);
    until(&server, |model| model["version_name"] == first && model["last_sync_error"].is_null());
    assert_eq!(vector(&server), one);
}

#[test]
fn files_without_a_pointer_are_taken_when_they_hold_still() {
    let _turn = crate::turn();
    let bucket = Bucket::new();
    for (path, bytes) in files("tiny") {
        bucket.put(&path, &bytes);
    }
    let server = Server::start(&mut bucket.serve(&bucket.account.endpoint));
    let first = vector(&server);
    for (path, bytes) in files("tiny-cls") {
        bucket.put(&path, &bytes);
    }
    until(&server, |model| model["pooling"] == "cls");
    assert_ne!(vector(&server), first);
    let said = server.request("GET", "/health", &[], b"").json();
    assert_eq!(said["checks"]["s3"]["status"], "ok", "{said}");
}
