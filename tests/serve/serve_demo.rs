//! `--demo`: the page that embeds in the browser, and the models behind it in the layout of a bucket.

use sha2::{Digest, Sha256};
use testkit::cli::finish;
use testkit::serve::{HttpAnswer, Server, fixtures, tiny};

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A folder that stands for what `templates/browser/build` makes.
fn page() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(folder.path().join("assets")).expect("a directory");
    for (name, text) in [("index.html", "<!doctype html>"), ("sw.js", "0"), ("assets/main.5feceb66ffc86f38.js", "0")] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    std::fs::write(folder.path().join(".hidden"), "a secret").expect("a file");
    folder
}

fn served(folder: &tempfile::TempDir) -> Server {
    Server::start(tiny().arg("--demo").arg("--demo-page").arg(folder.path()))
}

#[track_caller]
fn found(answer: &HttpAnswer, kind: &str, cached: &str) {
    let of = |name: &str| answer.header(name).map(str::to_owned);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((of("content-type").as_deref(), of("cache-control").as_deref()), (Some(kind), Some(cached)));
    assert_eq!(of("cross-origin-embedder-policy").as_deref(), Some("require-corp"));
    assert!(of("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
}

#[test]
fn the_page_is_served_with_its_headers_and_nothing_beside_it() {
    let folder = page();
    let server = served(&folder);
    let get = |path: &str| server.request("GET", path, &[], b"");
    let entered = get("/demo/");
    assert_eq!((entered.status, entered.header("location")), (308, Some("/demo/index.html")));
    found(&get("/demo/index.html"), "text/html; charset=utf-8", "no-cache");
    found(&get("/demo/sw.js"), "text/javascript; charset=utf-8", "no-cache");
    let forever = "public, max-age=31536000, immutable";
    found(&get("/demo/assets/main.5feceb66ffc86f38.js"), "text/javascript; charset=utf-8", forever);
    for outside in ["nothing.js", ".hidden", "assets", "..%2Fsecret", "%2e%2e/secret", "assets/../.hidden"] {
        assert_eq!(get(&format!("/demo/{outside}")).status, 404, "{outside}");
    }
    assert!(server.said().contains("/demo/"), "{}", server.said());
}

#[test]
fn the_models_are_there_as_in_a_bucket() {
    let folder = page();
    let server = served(&folder);
    let get = |path: &str| server.request("GET", &format!("/demo/{path}"), &[], b"");
    let site = get("site.json").json();
    assert_eq!((site["embed"].as_str(), site["models"][0]["name"].as_str()), (Some("/api/v1/embed"), Some("tiny")));
    let at = site["models"][0]["pointer"].as_str().expect("a pointer").to_owned();
    let current = get(&at).json();
    assert_eq!(current["format"], 2);
    let base = at.trim_end_matches("current.json");
    let listed = get(&format!("{base}{}", current["manifest"]["path"].as_str().expect("a path")));
    assert_eq!(sha256(&listed.body), current["manifest"]["sha256"]);
    let manifest = listed.json();
    let files = manifest["files"].as_array().expect("files");
    let graph = files.iter().find(|file| file["path"] == "model.onnx").expect("the graph");
    let bytes = std::fs::read(fixtures().join("tiny/model.onnx")).expect("a file");
    assert_eq!((graph["sha256"].as_str(), graph["size"].as_u64()), (Some(&*sha256(&bytes)), Some(bytes.len() as u64)));
    let address = format!("/demo/{base}{}/model.onnx", sha256(&bytes));
    let part = server.request("GET", &address, &[("range", "bytes=10-19")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[10..20]));
    let other = get(&format!("{base}{}/model.onnx", "0".repeat(64)));
    assert_eq!(other.status, 404, "an address names its content");
}

#[test]
fn without_the_flag_there_is_no_page_and_without_the_page_no_server() {
    let server = Server::start(&mut tiny());
    assert_eq!(server.get("/demo/index.html").0, 404);
    let empty = tempfile::tempdir().expect("a directory");
    let refused = finish(tiny().arg("--demo").arg("--demo-page").arg(empty.path())).exits(3).stderr;
    assert!(refused.contains("has no index.html; templates/browser/build makes the page"), "{refused}");
    let folder = page();
    let keys = tempfile::NamedTempFile::new().expect("a file");
    let both = finish(tiny().arg("--demo").arg("--demo-page").arg(folder.path()).arg("--api-keys").arg(keys.path()));
    let both = both.exits(3).stderr;
    assert!(both.contains("a page cannot keep an API key"), "{both}");
}
