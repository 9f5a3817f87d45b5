//! Model sync from a folder: what lies on disks, in stores and in folders when something has gone wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::cli::{self, finish};
use testkit::serve::{Server, copy, fixtures, onnxruntime, pause};

/// A store and a source, both empty.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["store", "source", "own"] {
            std::fs::create_dir(place.path(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Publishes a fixture as the model tiny.
    #[track_caller]
    fn publish(&self, fixture: &str) -> String {
        copy(&fixtures().join(fixture), &self.path("own").join(fixture));
        let mut command = cli::bare();
        command.args(["models", "publish", fixture, "--as", "tiny", "--to"]);
        command.arg(format!("file:{}", self.path("source").display())).arg("--models").arg(self.path("own"));
        let document = finish(command.arg("--json")).exits(0).json();
        document["published"]["version"].as_str().unwrap().to_owned()
    }

    fn serve(&self) -> Command {
        let mut command = cli::bare();
        command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny"]);
        command.args(["--sync-interval", "100ms", "--health-interval", "200ms", "--sync"]);
        command.arg(format!("file:{}", self.path("source").display())).arg("--models").arg(self.path("store"));
        command.arg("--onnxruntime").arg(onnxruntime());
        command
    }

    /// The folder of a version that was brought.
    fn brought(&self, version: &str) -> PathBuf {
        let versions = std::fs::read_dir(self.path("store/.versions/tiny")).unwrap().map(Result::unwrap);
        let own = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&format!("v{version}-"));
        versions.into_iter().find(own).expect("the version").path()
    }
}

/// The line of the tiny model in `/models`.
fn model(server: &Server) -> Value {
    let said = server.request("GET", "/models", &[], b"").json();
    said["models"].as_array().unwrap().iter().find(|model| model["id"] == "tiny").cloned().unwrap_or_default()
}

#[track_caller]
fn until(server: &Server, what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "{what}: {:#}\n{}", model(server), server.said());
        pause();
    }
}

fn metric(server: &Server, line: &str) -> u64 {
    let text = server.get("/metrics").1;
    let found = text.lines().find_map(|known| known.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_default()
}

#[test]
fn what_was_published_is_served_and_so_is_the_next_version() {
    let place = Place::new();
    let one = place.publish("tiny");
    let server = Server::start(&mut place.serve());
    assert_eq!(model(&server)["version_name"], one);
    let two = place.publish("tiny-cls");
    until(&server, "the second version", || model(&server)["version_name"] == two);
    assert_eq!(model(&server)["pooling"], "cls");
    // The offline API gives the files of the version that embeds, under addresses that name them.
    let list = server.request("GET", "/api/v1/models/offline", &[], b"").json();
    let url = list["models"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&url).0, 200);
    let three = place.publish("tiny");
    assert_eq!(three, one, "the same files are the same version");
    until(&server, "back to the first version", || model(&server)["version_name"] == one);
}

#[test]
fn both_former_layouts_are_read() {
    let place = Place::new();
    let own = place.publish("tiny");
    std::fs::remove_dir_all(place.path("source/tiny")).unwrap();
    let tiny = fixtures().join("tiny");
    let files = [
        "1_Pooling/config.json",
        "config.json",
        "model.onnx",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
    ];
    let facts = |file: &str| {
        use sha2::Digest;
        let bytes = std::fs::read(tiny.join(file)).unwrap();
        (bytes.len(), hex::encode(sha2::Sha256::digest(bytes)))
    };
    let source = place.path("source/tiny");
    copy(&tiny, &source.join("r7"));
    let of_sync = files.map(|file| json!({"path": file, "size": facts(file).0, "sha256": facts(file).1}));
    std::fs::write(
        source.join("current.json"),
        json!({"version": "seven", "root": "r7", "files": of_sync}).to_string(),
    )
    .unwrap();
    let server = Server::start(&mut place.serve());
    assert_eq!(model(&server)["version_name"], "seven");
    // As deploy wrote it: keys from the root of the bucket.
    let mut of_deploy = serde_json::Map::new();
    for file in files {
        let (bytes, sha256) = facts(file);
        let to = source.join(&sha256).join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(tiny.join(file), to).unwrap();
        let key = format!("models/tiny/{sha256}/{file}");
        of_deploy.insert(file.to_owned(), json!({"key": key, "sha256": sha256, "bytes": bytes}));
    }
    std::fs::write(source.join("latest.json"), json!({"model": "tiny", "files": of_deploy}).to_string()).unwrap();
    std::fs::remove_file(source.join("current.json")).unwrap();
    until(&server, "the pointer of deploy", || model(&server)["version_name"] == own);
}

#[test]
fn two_servers_on_one_store_both_go_on() {
    let place = Place::new();
    place.publish("tiny");
    let (one, two) = (Server::start(&mut place.serve()), Server::start(&mut place.serve()));
    for fixture in ["tiny-cls", "tiny", "tiny-cls"] {
        let version = place.publish(fixture);
        for server in [&one, &two] {
            until(server, "the new version", || model(server)["version_name"] == version);
            until(server, "no error stays", || model(server)["last_sync_error"].is_null());
        }
    }
}

#[test]
fn the_dimension_is_asked_of_every_version() {
    let place = Place::new();
    let one = place.publish("tiny");
    let dimension = |server: &Server| model(server)["dimension"].as_u64().unwrap();
    // An empty store: sync brings the first version.
    let right = Server::start(&mut place.serve());
    let numbers = dimension(&right).to_string();
    drop(right);
    std::fs::remove_dir_all(place.path("store")).unwrap();
    std::fs::create_dir(place.path("store")).unwrap();
    let server = Server::start(place.serve().args(["--model-dimension", &numbers]));
    assert_eq!(model(&server)["version_name"], one);
    drop(server);
    let wrong = Server::start_cold(place.serve().args(["--model-dimension", "7"]));
    until(&wrong, "the version is refused", || {
        let ready = wrong.get("/ready");
        ready.0 == 503 && ready.1.contains("requires 7")
    });
}

#[test]
fn a_damaged_or_lost_file_is_not_served_and_fetched_again() {
    let place = Place::new();
    let version = place.publish("tiny");
    drop(Server::start(&mut place.serve()));
    let graph = place.brought(&version).join("model.onnx");
    let good = std::fs::read(&graph).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&graph, &bad).unwrap();
    // Without its source it is refused; every verb sees it.
    let hidden = place.path("hidden");
    std::fs::rename(place.path("source"), &hidden).unwrap();
    let alone = Server::start_cold(&mut place.serve());
    until(&alone, "it is refused", || alone.get("/ready").1.contains("it is damaged"));
    until(&alone, "the source is told", || {
        let health = alone.request("GET", "/health", &[], b"").json();
        health["checks"]["s3"]["status"] == "failed" && !model(&alone)["last_sync_error"].is_null()
    });
    drop(alone);
    let mut verify = cli::bare();
    verify.args(["models", "verify", "tiny", "--models"]).arg(place.path("store"));
    assert!(finish(&mut verify).exits(1).stdout.contains("model.onnx has the SHA-256"));
    std::fs::rename(&hidden, place.path("source")).unwrap();
    let server = Server::start(&mut place.serve());
    assert_eq!(std::fs::read(&graph).unwrap(), good, "it was fetched again");
    std::fs::remove_file(&graph).unwrap();
    until(&server, "the lost file comes again", || graph.is_file());
    drop(server);
    // Both versions are gone, and the source has not changed.
    std::fs::remove_dir_all(place.brought(&version)).unwrap();
    let server = Server::start(&mut place.serve());
    assert_eq!(model(&server)["version_name"], version);
}

#[test]
fn a_wrong_hash_is_fetched_once() {
    let place = Place::new();
    let good = place.publish("tiny");
    let server = Server::start(&mut place.serve());
    let bad = place.publish("tiny-cls");
    let pointer = std::fs::read(place.path("source/tiny/current.json")).unwrap();
    until(&server, "the version", || model(&server)["version_name"] == bad);
    place.publish("tiny");
    until(&server, "and back", || model(&server)["version_name"] == good);
    // A file of another version with one more changed byte, under a pointer that names its old hash.
    std::fs::remove_dir_all(place.brought(&bad)).unwrap();
    let manifest: Value = serde_json::from_slice(&pointer).unwrap();
    let manifest = place.path("source/tiny").join(manifest["manifest"]["path"].as_str().unwrap());
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    let config = manifest["files"].as_array().unwrap().iter().find(|file| file["path"] == "config.json").unwrap();
    let file = place.path("source/tiny").join(config["sha256"].as_str().unwrap()).join("config.json");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[0] = b' ';
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(place.path("source/tiny/current.json"), pointer).unwrap();
    until(&server, "the hash is told", || {
        model(&server)["last_sync_error"].as_str().is_some_and(|why| why.contains("SHA-256"))
    });
    let failures = || metric(&server, "akidb_model_sync_total{model=\"tiny\",status=\"error\"}");
    let once = failures();
    // Another model shows that the source was looked at again.
    copy(&fixtures().join("tiny"), &place.path("source/other"));
    until(&server, "another look", || server.get("/models").1.contains("\"other\""));
    assert_eq!(failures(), once, "it is not fetched again before it changes");
    assert_eq!(model(&server)["version_name"], good);
}

#[test]
fn what_no_model_is_stays_out_and_is_named() {
    let place = Place::new();
    let version = place.publish("tiny");
    let logs = place.path("source/logs");
    std::fs::create_dir(&logs).unwrap();
    std::fs::write(logs.join("large.gz"), vec![0; 1 << 20]).unwrap();
    std::fs::create_dir(place.path("source/not a name")).unwrap();
    std::fs::write(place.path("source/not a name/config.json"), "{}").unwrap();
    std::os::unix::fs::symlink("..", place.path("source/tiny/up")).unwrap();
    let server = Server::start(&mut place.serve());
    assert_eq!(model(&server)["version_name"], version);
    for words in ["not a name/config.json", "tiny/up: it is a link to one of its parent folders", "logs is not a model"]
    {
        server.wait_for(words);
    }
    assert!(!place.path("store/.versions/logs/").join("large.gz").exists());
    let staged = std::fs::read_dir(place.path("store/.versions/logs")).into_iter().flatten().count();
    assert_eq!(staged, 0, "nothing of it was fetched");
}

/// Puts a fixture in the place of the model tiny by a rename, as `models pull` does.
fn replace(store: &Path, fixture: &str) {
    let (new, old) = (store.join(".new"), store.join(".old"));
    copy(&fixtures().join(fixture), &new);
    std::fs::rename(store.join("tiny"), &old).unwrap();
    std::fs::rename(&new, store.join("tiny")).unwrap();
    std::fs::remove_dir_all(old).unwrap();
}

#[test]
fn a_folder_that_is_replaced_under_a_running_server_is_one_version_for_all() {
    let place = Place::new();
    copy(&fixtures().join("tiny"), &place.path("store/tiny"));
    let mut command = cli::bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]);
    let server = Server::start(command.arg(place.path("store")).arg("--onnxruntime").arg(onnxruntime()));
    let pooling_of = |list: &Value| -> Option<String> {
        let files =
            list["models"].as_array()?.iter().find(|model| model["name"] == "tiny")?["files"].as_array()?.clone();
        let config = files.iter().find(|file| file["name"] == "1_Pooling/config.json")?;
        Some(config["sha256"].as_str()?.to_owned())
    };
    let list = || server.request("GET", "/api/v1/models/offline", &[], b"").json();
    let (before, old) = (pooling_of(&list()).unwrap(), model(&server)["version"].clone());
    replace(&place.path("store"), "tiny-cls");
    until(&server, "the new folder is loaded", || {
        // What is listed is always that of the version which embeds.
        let (first, listed, second) =
            (model(&server)["version"].clone(), pooling_of(&list()), model(&server)["version"].clone());
        if first == second {
            assert!(listed.as_ref().is_none_or(|listed| (*listed == before) == (first == old)), "{listed:?}");
        }
        first != old && listed.is_some()
    });
    assert_eq!(model(&server)["pooling"], "cls");
}

#[test]
fn a_model_that_the_source_does_not_have_or_lost_is_named() {
    let place = Place::new();
    let source = place.path("source");
    // A wrong prefix: the source has another model.
    place.publish("tiny");
    std::fs::rename(source.join("tiny"), source.join("other")).unwrap();
    let server = Server::start_cold(&mut place.serve());
    let health = || server.get("/health").1;
    until(&server, "what it waits for is named", || health().contains("does not have this model; it has other"));
    assert_eq!(server.get("/ready").0, 503);
    std::fs::rename(source.join("other"), source.join("tiny")).unwrap();
    until(&server, "it is there", || server.get("/ready").0 == 200);
    assert_eq!(model(&server)["last_sync_error"], Value::Null);
    // Somebody deletes it: what is served stays, and that is said.
    std::fs::rename(source.join("tiny"), place.path("gone")).unwrap();
    let said = || model(&server)["last_sync_error"].as_str().unwrap_or_default().to_owned();
    until(&server, "it is missed", || said().contains("does not have this model; it has no model"));
    assert_eq!(server.get("/ready").0, 200);
    assert!(
        metric(&server, "akidb_model_sync_total{model=\"tiny\",status=\"error\"}") > 0,
        "{}",
        server.get("/metrics").1
    );
    std::fs::rename(place.path("gone"), source.join("tiny")).unwrap();
    until(&server, "it is back", || said().is_empty());
}
