//! REST as clients speak it: our own shape, OpenAI's, the one of text-embeddings-inference, downloads, the description.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::serve::{HttpAnswer, Server, fixtures, tiny};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Status, code and message of a refusal.
#[track_caller]
fn refused(answer: &HttpAnswer) -> (u16, String) {
    let body = answer.json();
    assert!(!body["request_id"].as_str().unwrap().is_empty(), "{body}");
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
    let error = body["error"].as_str().or(body["error"]["message"].as_str());
    (answer.status, format!("{}: {}", body["code"].as_str().unwrap(), error.unwrap()))
}

#[test]
fn refusals_say_what_and_where() {
    let server = Server::start(&mut tiny());
    let cases: &[(&str, &str)] = &[
        ("/api/v1/embed", r#"{"inputs": []}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "texts": ["b"]}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "normalise": true}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "encoding": "hex"}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "dimensions": 1e999}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "dimensions": 9}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "model": "nobody"}"#),
        ("/api/v1/embed", r#"{"inputs": "a", "version": "0000"}"#),
        ("/api/v1/embed", r#"{"model": "tiny"}"#),
        ("/v1/embeddings", r#"{"input": [1, 2, 3]}"#),
        ("/v1/embeddings", r#"{"input": [[1, 2], [3]]}"#),
        ("/v1/embeddings", r#"{"input": "a", "encoding_format": "int8"}"#),
        ("/embed", r#"{"inputs": "a", "truncation_direction": "up"}"#),
        ("/embed", r#"{"inputs": {"text": "a"}}"#),
    ];
    let mut said = String::new();
    for (path, body) in cases {
        let (status, error) = refused(&server.request("POST", path, &[JSON], body.as_bytes()));
        assert!((400..500).contains(&status), "{body}: {status}");
        said.push_str(&format!("{path} {body}\n    {status} {}\n", without_hash(&error)));
    }
    insta::assert_snapshot!(said);
}

/// The beginning of a model's hash is another one when its files are, and more models may be there.
fn without_hash(text: &str) -> String {
    let text =
        text.split_once("there are: ").map_or(text.to_owned(), |(before, _)| format!("{before}there are: [MODELS]"));
    let word = |word: &str| word.len() == 13 && word.trim_end_matches(',').bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(' ').map(|each| if word(each) { "[HASH]," } else { each }).collect::<Vec<_>>().join(" ")
}

#[test]
fn bodies_are_json_whatever_they_are_not_called() {
    let server = Server::start(&mut tiny());
    let body = br#"{"inputs": ["hello world"]}"#;
    for headers in
        [&[][..], &[("content-type", "application/json; charset=utf-8")], &[("content-type", "application/x+json")]]
    {
        assert_eq!(server.request("POST", "/embed", headers, body).status, 200, "{headers:?}");
    }
    let form = server.request("POST", "/api/v1/embed", &[("content-type", "application/x-www-form-urlencoded")], body);
    let (status, error) = refused(&form);
    assert_eq!(status, 415);
    insta::assert_snapshot!(error);
}

#[test]
fn the_shapes_agree() {
    let server = Server::start(&mut tiny());
    let texts = json!(["hello world", "", "errors"]);
    let own = server.post("/api/v1/embed", &json!({"texts": texts, "model": "tiny"})).1;
    let tei = server
        .post("/embed", &json!({"inputs": texts, "truncation_direction": "Right", "prompt_name": null, "extra": 1}));
    assert_eq!((tei.0, &tei.1), (200, &own["embeddings"]));
    let (status, openai) =
        server.post("/v1/embeddings", &json!({"input": texts, "model": "tiny", "user": "me", "extra": [[]]}));
    assert_eq!(status, 200, "{openai}");
    for (index, row) in openai["data"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&row["embedding"], &row["index"]), (&own["embeddings"][index], &json!(index)));
    }
    assert_eq!(openai["usage"]["total_tokens"], own["usage"]["total_tokens"]);
    let raw = server.post("/api/v1/embed", &json!({"inputs": "errors", "normalize": false})).1;
    assert_ne!(raw["embeddings"][0], own["embeddings"][2]);
    let short = server.post("/api/v1/embed", &json!({"inputs": "errors", "dimensions": 3})).1;
    let short: Vec<f64> = serde_json::from_value(short["embeddings"][0].clone()).unwrap();
    assert!((short.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-6);
}

#[test]
fn the_cacheable_answer_is_the_same_byte_for_byte() {
    let server = Server::start(&mut tiny());
    let path = "/api/v1/embed?model=tiny&input=hello+world&input=%F0%9F%9A%80&dimensions=4";
    let first = server.request("GET", path, &[], b"");
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.json()["embeddings"].as_array().unwrap().len(), 2);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    for _ in 0..5 {
        let again = server.request("GET", path, &[], b"");
        assert_eq!(
            (again.body, again.headers.iter().find(|(name, _)| name == "etag").unwrap().1.clone()),
            (first.body.clone(), tag.clone())
        );
    }
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let answer = server.request("GET", path, &[("if-none-match", &known)], b"");
        assert_eq!((answer.status, answer.body.len(), answer.header("etag")), (304, 0, Some(tag.as_str())));
    }
    let head = server.request("HEAD", path, &[], b"");
    assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag.as_str())));
    assert_eq!(head.header("content-length"), Some(first.body.len().to_string().as_str()));
    let other = server.request("GET", &format!("{path}&normalize=false"), &[], b"");
    assert_ne!(other.header("etag"), Some(tag.as_str()));
    let version = first.json()["version"].as_str().unwrap().to_owned();
    let named = server.request("GET", &format!("{path}&version={version}"), &[("authorization", "Bearer x")], b"");
    assert_eq!(named.header("cache-control"), Some("private, max-age=31536000, immutable"));
    let named = server.request("GET", &format!("{path}&version={version}"), &[], b"");
    assert_eq!(named.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let posted = server.request(
        "POST",
        "/api/v1/embed",
        &[("content-type", "application/json")],
        br#"{"model": "tiny", "inputs": ["hello world"]}"#,
    );
    assert_eq!((posted.status, posted.header("cache-control"), posted.header("etag")), (200, None, None));
    let mut said = String::new();
    for query in [
        "",
        "?input=%FF",
        "?input=a&model=tiny&model=tiny",
        "?input=a&dimensions=x",
        "?input=a&truncate=maybe",
        "?input=a&b=c",
    ] {
        let (status, error) = refused(&server.request("GET", &format!("/api/v1/embed{query}"), &[], b""));
        said.push_str(&format!("{query:?}\n    {status} {error}\n"));
    }
    insta::assert_snapshot!(said);
    let long = server.request("GET", path, &[("x-request-timeout-ms", "18446744073709551615")], b"");
    assert_eq!(long.status, 200);
}

#[test]
fn models_can_be_downloaded_in_parts() {
    let server = Server::start(&mut tiny());
    let (status, list) = server.get("/api/v1/models/offline");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(status, 200, "{list}");
    let model = list["models"].as_array().unwrap().iter().find(|model| model["name"] == "tiny").unwrap();
    let whole = std::fs::read(fixtures().join("tiny/model.onnx")).unwrap();
    let hash = hex::encode(Sha256::digest(&whole));
    assert_eq!(model["sha256"], hash);
    for file in model["files"].as_array().unwrap() {
        let answer = server.request("GET", file["url"].as_str().unwrap(), &[], b"");
        assert_eq!(answer.status, 200, "{file}");
        // The address names the content, so that it never becomes another one.
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{file}");
        assert_eq!(json!(hex::encode(Sha256::digest(&answer.body))), file["sha256"], "{file}");
        assert_eq!(answer.header("x-sha256"), file["sha256"].as_str());
        assert_eq!(json!(answer.body.len()), file["bytes"]);
    }
    let path = "/api/v1/models/offline/tiny";
    let tag = format!("\"{hash}\"");
    let get = |headers: &[(&str, &str)]| server.request("GET", path, headers, b"");
    assert_eq!(get(&[]).body, whole);
    let part = get(&[("range", "bytes=100-199")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole[100..200]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 100-199/{}", whole.len()).as_str()));
    assert_eq!(get(&[("range", "bytes=-5")]).body, whole[whole.len() - 5..]);
    assert_eq!(get(&[("range", "bytes=5-9"), ("if-range", &tag)]).status, 206);
    assert_eq!(get(&[("range", "bytes=5-9"), ("if-range", "\"other\"")]).body, whole);
    assert_eq!(get(&[("if-none-match", &tag)]).status, 304);
    assert_eq!(get(&[]).header("cache-control"), Some("no-cache"), "the next version has the same address");
    assert_eq!((get(&[("if-match", &tag)]).status, get(&[("if-match", "*")]).status), (200, 200));
    let unmatched = get(&[("if-match", "\"other\""), ("range", "bytes=0-1")]);
    let (status, why) = refused(&unmatched);
    assert!(status == 412 && why.starts_with("PRECONDITION_FAILED: "), "{status} {why}");
    let other = "0".repeat(64);
    let of_other = server.request("GET", &format!("{path}?sha256={other}"), &[], b"");
    let (status, why) = refused(&of_other);
    assert!(status == 404 && why.starts_with("FILE_NOT_FOUND: another version"), "{status} {why}");
    let behind = get(&[("range", "bytes=99999999-")]);
    assert_eq!(behind.header("content-range"), Some(format!("bytes */{}", whole.len()).as_str()));
    assert_eq!(refused(&behind).0, 416);
    let head = server.request("HEAD", path, &[], b"");
    assert_eq!((head.status, head.body.len(), head.header("accept-ranges")), (200, 0, Some("bytes")));
    assert_eq!(head.header("content-length"), Some(whole.len().to_string().as_str()));
    for outside in
        ["tiny?file=../golden.json", "tiny?file=/etc/passwd", "..%2Ftiny", "tiny?file=%2e%2e/golden.json", "nobody"]
    {
        assert_eq!(
            refused(&server.request("GET", &format!("/api/v1/models/offline/{outside}"), &[], b"")).0,
            404,
            "{outside}"
        );
    }
}

#[test]
fn downloads_are_sent_to_the_content_network() {
    // As docs/model-layout.md has it in a bucket.
    let of = |file: &str| hex::encode(Sha256::digest(std::fs::read(fixtures().join("tiny").join(file)).unwrap()));
    let server = Server::start(tiny().args(["--offline-cdn", "https://cdn.example/models/"]));
    let answer = server.request("GET", "/api/v1/models/offline/tiny?file=1_Pooling/config.json", &[], b"");
    assert_eq!(
        (answer.status, answer.header("location")),
        (
            302,
            Some(
                format!("https://cdn.example/models/tiny/{}/1_Pooling/config.json", of("1_Pooling/config.json"))
                    .as_str()
            )
        )
    );
    let (_, list) = server.get("/api/v1/models/offline");
    let graph = format!("https://cdn.example/models/tiny/{}/model.onnx", of("model.onnx"));
    assert!(list.contains(&graph), "{list}");
}

/// Method and path of each route, as `src/serve/http/mod.rs` has them.
fn routes() -> BTreeSet<(String, String)> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/http/mod.rs")).unwrap();
    // The values of a constant: `OWN`, `TEI[1]`, or all of `OPENAI` for the `path` of a closure.
    let constant = |name: &str| -> Vec<String> {
        let named = if name == "path" { "OPENAI" } else { name };
        let (named, at) =
            named.trim_end_matches(']').split_once('[').map_or((named, None), |(name, at)| (name, Some(at)));
        let (_, value) = source.split_once(&format!("const {named}: ")).expect("a constant of this file");
        let (_, value) = value.split_once(" = ").expect("a value");
        let value = &value[..value.find(";\n").expect("the end of a value")];
        let all: Vec<String> = value.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        at.map_or(all.clone(), |at| vec![all[at.parse::<usize>().unwrap()].clone()])
    };
    let mut found = BTreeSet::new();
    for part in source.split(".route(").skip(1) {
        let call = &part[..part.find("\n        .").unwrap_or(part.len())];
        let first = call.split(',').next().unwrap();
        let paths = if first.starts_with('"') { vec![first.trim_matches('"').to_owned()] } else { constant(first) };
        for method in ["get", "post", "put", "delete", "patch"] {
            if call.contains(&format!("{method}(")) {
                found.extend(paths.iter().map(|path| (method.to_owned(), path.replace("{*", "{"))));
            }
        }
    }
    found
}

#[test]
fn every_route_is_described_and_everything_described_is_a_route() {
    let server = Server::start(&mut tiny());
    let answer = server.request("GET", "/openapi.json", &[], b"");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    assert_eq!(
        (&document["openapi"], &document["info"]["version"]),
        (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION")))
    );
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    assert_eq!(described, routes());
    for (method, path) in &described {
        let answer = server.request(
            &method.to_uppercase(),
            &path.replace("{name}", "tiny").replace("{id}", "tiny").replace("{model}", "tiny"),
            &[],
            b"",
        );
        assert!(![404, 405].contains(&answer.status), "{method} {path}: {}", answer.status);
    }
    let text = document.to_string();
    for (at, reference) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + reference.len()..].split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let printed = testkit::cli::bare().args(["serve", "--print-openapi"]).output().unwrap();
    assert!(printed.status.success());
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), document);
}

#[test]
fn the_page_asks_nobody_else() {
    let server = Server::start(&mut tiny());
    let page = server.request("GET", "/docs", &[], b"");
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let text = page.text();
    assert!(!text.contains("http://") && !text.contains("https://"), "nothing is fetched from elsewhere");
}

/// The official Python client of OpenAI, in an environment that `tests/clients/install` makes once.
#[test]
fn the_official_openai_client_works() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let installed = Command::new(clients.join("install")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let server = Server::start(&mut tiny());
    let ran = Command::new(clients.join(".venv/bin/python"))
        .arg(clients.join("openai_client.py"))
        .arg(&server.url)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(out.contains("7 checks passed"), "{out}");
}
