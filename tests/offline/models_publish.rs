//! `models publish` to a folder: what lies there is what docs/model-layout.md says.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};
use testkit::model_user::User;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()))).expect("JSON")
}

fn sha256(path: &Path) -> String {
    hex::encode(Sha256::digest(fs::read(path).expect("a file")))
}

#[test]
fn a_version_lies_under_hashes_and_the_pointer_leads_to_it() {
    let user = User::new();
    user.run("pull tiny").exits(0);
    let document = user.run("publish tiny --to file:there --json").exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/models-publish/v1");
    let there = user.home.path().join("there/tiny");
    let pointer = json(&there.join("current.json"));
    assert_eq!((&pointer["format"], &pointer["version"]), (&2.into(), &document["published"]["version"]));
    let manifest = there.join(pointer["manifest"]["path"].as_str().expect("a path"));
    assert_eq!(pointer["manifest"]["sha256"], sha256(&manifest));
    let files = json(&manifest)["files"].as_array().expect("files").clone();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().expect("a path")).collect();
    assert!(paths.contains(&"onnx/model.onnx") && paths.contains(&"1_Pooling/config.json"), "{paths:?}");
    assert!(!paths.contains(&"akidb-model.json"), "the manifest of this machine's store stays here");
    for file in &files {
        let (path, hash) = (file["path"].as_str().expect("a path"), file["sha256"].as_str().expect("a hash"));
        let place = there.join(hash).join(path);
        assert_eq!(
            (sha256(&place), fs::metadata(&place).expect("it").len()),
            (hash.to_owned(), file["size"].as_u64().expect("a size"))
        );
    }

    let again = user.run("publish tiny --to file:there --json").exits(0).json();
    assert_eq!((&again["published"]["unchanged"], &again["published"]["uploaded"]), (&true.into(), &0.into()));
    let other = user.run("publish tiny --to file:there --as other --json").exits(0).json();
    assert_eq!(other["published"]["version"], document["published"]["version"], "the same files are the same version");
    assert_eq!(json(&user.home.path().join("there/other/current.json"))["model"], "other");
}

#[test]
fn what_is_damaged_or_no_model_is_not_published() {
    let user = User::new();
    user.run("pull tiny").exits(0);
    user.run("publish tiny --to file:there").exits(0);
    let pointer = fs::read(user.home.path().join("there/tiny/current.json")).expect("a pointer");
    fs::write(user.path("config.json"), "{}").expect("a file");
    let refused = user.run("publish tiny --to file:there").exits(3);
    assert!(refused.stderr.contains("config.json has"), "{}", refused.stderr);
    assert_eq!(fs::read(user.home.path().join("there/tiny/current.json")).expect("a pointer"), pointer);
    let int8 = user.run("publish tiny --to file:there --variant int8");
    assert_ne!(int8.code, 0, "{}", int8.stderr);
    user.run("publish nobody --to file:there").exits(1);
    let refused = user.run("publish tiny --to /somewhere").exits(3);
    assert!(refused.stderr.contains("s3://BUCKET/PREFIX"), "{}", refused.stderr);
}
