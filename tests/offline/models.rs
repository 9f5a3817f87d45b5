//! `models`: listed, checked, taken in and out.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::cli;
use testkit::hub::TestHub;
use testkit::model_user::User;

/// A model's folder that nobody manages.
fn folder(parent: &Path, name: &str, hub: &TestHub) -> PathBuf {
    let folder = parent.join(name);
    let files = ["config.json", "tokenizer.json", "sentence_bert_config.json", "modules.json", "1_Pooling/config.json"];
    for path in files.into_iter().chain(["onnx/model.onnx"]) {
        let file = folder.join(path.trim_start_matches("onnx/"));
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, hub.file(path)).expect("a file");
    }
    folder
}

#[test]
fn imported_verified_spoilt_and_removed() {
    let user = User::new();
    let source = folder(user.home.path(), "mine", &user.hub);
    insta::assert_snapshot!("imported", user.redact(&user.run("import mine").exits(0).all()));
    insta::assert_snapshot!("import_taken", user.redact(&user.run("import mine").exits(3).stderr));
    user.run("import mine --as second").exits(0);
    insta::assert_snapshot!("verified", user.redact(&user.run("verify").exits(0).all()));
    let document = user.run("verify mine --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/models-verify/v1");
    assert_eq!(document["models"][0]["state"], "verified");

    let kept = user.store().join("mine");
    let mut bytes = fs::read(kept.join("model.onnx")).expect("the graph");
    bytes[7] ^= 1;
    fs::write(kept.join("model.onnx"), bytes).expect("a file");
    fs::remove_file(kept.join("tokenizer.json")).expect("it goes");
    fs::write(kept.join("model_int8.onnx"), "from nowhere").expect("a file");
    let run = user.run("verify").exits(1);
    insta::assert_snapshot!("damaged", cli::redact(&user.redact(&run.all())));
    let row = user.run("list --json").exits(0).json()["models"][0].clone();
    assert_eq!((&row["state"], row["verified"].is_null()), (&"broken".into(), true));

    insta::assert_snapshot!("remove_asks", user.redact(&user.run("remove mine").exits(3).stderr));
    assert!(kept.exists());
    insta::assert_snapshot!("removed", user.redact(&user.run("remove mine --yes").exits(0).all()));
    assert!(!kept.exists() && source.exists());
    user.run("remove second --yes --json").exits(0).json();
    assert_eq!(user.run("list --json").exits(0).json()["models"], serde_json::json!([]));
}

#[test]
fn a_pointer_of_large_file_storage_is_refused_by_name() {
    let user = User::new();
    let source = folder(user.home.path(), "mine", &user.hub);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 90405214\n";
    fs::write(source.join("model.onnx"), pointer).expect("a file");
    let said = |text: &str| text.contains("model.onnx") && text.contains("large-file storage (LFS)");
    let refused = user.run("import mine").exits(3);
    assert!(said(&refused.stderr), "{}", refused.stderr);
    folder(&user.store(), "cloned", &user.hub);
    fs::write(user.store().join("cloned/model.onnx"), pointer).expect("a file");
    let row = user.run("list --json").exits(0).json()["models"][0].clone();
    assert_eq!((&row["name"], &row["state"]), (&"cloned".into(), &"broken".into()));
    assert!(said(row["problem"].as_str().expect("a problem")), "{row}");
    let run = user.run("verify cloned").exits(1);
    assert!(said(&run.all()), "{}", run.all());
}

#[test]
fn versions_that_model_sync_brought_are_listed_verified_and_removed() {
    let user = User::new();
    let versions = user.store().join(".versions/tiny");
    let place = folder(&versions, "v1", &user.hub);
    let hash = |path: &str| {
        use sha2::Digest;
        let bytes = fs::read(place.join(path)).expect("a file");
        serde_json::json!({"size": bytes.len(), "sha256": hex::encode(sha2::Sha256::digest(bytes))})
    };
    let files = ["1_Pooling/config.json", "config.json", "model.onnx", "modules.json", "tokenizer.json"];
    let files: serde_json::Map<_, _> =
        files.into_iter().chain(["sentence_bert_config.json"]).map(|path| (path.to_owned(), hash(path))).collect();
    let manifest = serde_json::json!({
        "format": 1, "name": "tiny", "source": {"kind": "sync", "from": "s3://models", "version": "abc"}, "files": files,
        "made": "2026-11-30T00:00:00Z", "verified": null,
    });
    fs::write(place.join("akidb-model.json"), manifest.to_string()).expect("a file");
    let current = serde_json::json!({"id": "v1", "version": "abc", "mark": "x", "previous": null});
    fs::write(versions.join("current.json"), current.to_string()).expect("a file");

    let row = user.run("list --json").exits(0).json()["models"][0].clone();
    assert_eq!(
        (&row["name"], &row["state"], &row["source"]["version"]),
        (&"tiny".into(), &"ready".into(), &"abc".into())
    );
    user.run("verify tiny").exits(0);
    let mut bytes = fs::read(place.join("model.onnx")).expect("the graph");
    bytes[7] ^= 1;
    fs::write(place.join("model.onnx"), bytes).expect("a file");
    let run = user.run("verify").exits(1);
    assert!(run.stdout.contains("model.onnx has the SHA-256"), "{}", run.all());
    let run = user.run("remove tiny --yes").exits(0);
    assert!(run.stderr.contains("a server with --sync downloads it again"), "{}", run.all());
    assert!(!versions.exists());
    assert_eq!(user.run("list --json").exits(0).json()["models"], serde_json::json!([]));
}

#[test]
fn only_models_come_in_and_only_models_go() {
    let user = User::new();
    let source = folder(user.home.path(), "mine", &user.hub);
    fs::remove_file(source.join("1_Pooling/config.json")).expect("it goes");
    insta::assert_snapshot!("import_no_model", user.redact(&user.run("import mine").exits(3).stderr));
    insta::assert_snapshot!("import_absent", user.redact(&user.run("import nowhere").exits(1).stderr));
    fs::create_dir_all(user.store().join("photos")).expect("a folder");
    insta::assert_snapshot!("remove_no_model", user.redact(&user.run("remove photos --yes").exits(3).stderr));
    std::os::unix::fs::symlink(user.home.path(), user.store().join("link")).expect("a link");
    insta::assert_snapshot!("remove_link", user.redact(&user.run("remove link --yes").exits(3).stderr));
    assert!(user.store().join("photos").exists() && user.store().join("link").exists());
}

#[test]
fn links_of_a_cache_are_followed() {
    let user = User::new();
    let source = folder(user.home.path(), "blobs", &user.hub);
    let snapshot = user.home.path().join("snapshot");
    fs::create_dir_all(snapshot.join("1_Pooling")).expect("a folder");
    for path in ["config.json", "tokenizer.json", "1_Pooling/config.json", "model.onnx"] {
        std::os::unix::fs::symlink(source.join(path), snapshot.join(path)).expect("a link");
    }
    user.run("import snapshot --as cached").exits(0);
    let graph = user.store().join("cached/model.onnx");
    assert!(fs::symlink_metadata(&graph).expect("the graph").is_file(), "a file of its own");
    user.run("verify cached").exits(0);
}

#[test]
fn a_link_that_leads_out_and_a_list_that_is_none_stay_out() {
    let user = User::new();
    let secret = user.home.path().join("secret");
    fs::write(&secret, "uid=0(root) gid=0(root)\n").expect("a file");
    for (number, (path, kind)) in
        [("vocab.txt", "link"), ("config.json", "link"), ("export.json", "link"), ("vocab.txt", "copy")]
            .into_iter()
            .enumerate()
    {
        let name = format!("mine{number}");
        let source = folder(user.home.path(), &name, &user.hub);
        let _ = fs::remove_file(source.join(path));
        if kind == "link" {
            std::os::unix::fs::symlink(&secret, source.join(path)).expect("a link");
        } else {
            fs::copy(&secret, source.join(path)).expect("a file");
        }
        let run = user.run(&format!("import {name}")).exits(3);
        let wanted =
            if kind == "link" { "is a link that points outside the folder" } else { "does not match the tokens of" };
        assert!(run.stderr.contains(&format!("{path} {wanted}")), "{path}: {}", run.stderr);
        assert!(!run.stderr.contains("uid=0"), "{}", run.stderr);
        assert!(!user.store().join(&name).exists(), "{path}");
    }
    // The tokenizer's own list comes in.
    let source = folder(user.home.path(), "own", &user.hub);
    fs::write(source.join("vocab.txt"), "[PAD]\n[UNK]\n").expect("a file");
    user.run("import own").exits(0);
    assert!(user.store().join("own/vocab.txt").is_file());
}

/// Nothing of it is read or hashed: a file of so many bytes would take minutes, and all memory.
#[test]
fn files_that_are_too_large_stay_out_at_once() {
    let user = User::new();
    for (number, path) in ["tokenizer.json", "config.json", "modules.json", "export.json"].into_iter().enumerate() {
        let name = format!("mine{number}");
        let source = folder(user.home.path(), &name, &user.hub);
        let file = fs::File::create(source.join(path)).expect("a file");
        file.set_len(20 << 30).expect("its length");
        let began = std::time::Instant::now();
        let run = user.run(&format!("import {name}")).exits(3);
        assert!(run.stderr.contains(&format!("{path} has 21474836480 bytes; at most")), "{path}: {}", run.stderr);
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{path}: {:?}", began.elapsed());
        assert!(!user.store().join(&name).exists(), "{path}");
    }
}

#[test]
fn folders_that_nobody_manages_are_shown_and_checked() {
    let user = User::new();
    let made = folder(&user.home.path().join("models"), "made", &user.hub);
    insta::assert_snapshot!("unmanaged", user.redact(&user.run("list").exits(0).all()));
    insta::assert_snapshot!("unmanaged_verified", user.redact(&user.run("verify").exits(0).all()));
    let run = user.run("pull tiny --as made").exits(3);
    insta::assert_snapshot!("pull_over_unmanaged", user.redact(&run.stderr));

    let sha256 = |path: &str| {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(fs::read(made.join(path)).expect("a file")))
    };
    let files =
        serde_json::json!({"model.onnx": {"sha256": sha256("model.onnx")}, "config.json": sha256("config.json")});
    fs::write(made.join("export.json"), serde_json::json!({"files": files}).to_string()).expect("a file");
    let run = user.run("verify made").exits(0);
    assert!(run.stdout.starts_with("made: 2 files, all hashes match\n  version "), "{}", run.stdout);
    user.run("import models/made --as own").exits(0);
    let mut graph = fs::read(made.join("model.onnx")).expect("the graph");
    *graph.last_mut().expect("a byte") ^= 1;
    fs::write(made.join("model.onnx"), graph).expect("a file");
    let run = user.run("verify made").exits(1);
    assert!(run.stdout.contains("model.onnx has the SHA-256"), "{}", run.stdout);
    let run = user.run("import models/made --as third").exits(3);
    assert!(run.stderr.contains("is not a model folder: model.onnx has the SHA-256"), "{}", run.stderr);
}
