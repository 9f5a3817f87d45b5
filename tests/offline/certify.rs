//! `models certify` from collected responses, and what `deploy` takes of a certificate. No tier runs here: the vectors are made up.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use akidb_edge::edge::about::{GRAPH, ModelFile, PackageInfo, RUNTIME, STATIC, TOKENS};
use akidb_edge::edge::signature::{Signed, Signer, verify};
use akidb_edge::edge::suite::suite;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use testkit::cli::{CommandOutput, bare, finish};

const TIERS: &str = "server-fp32,server-int8,edge,browser,static";

/// The responses of a tier as its program writes them, with vectors that differ from the reference's by `off`.
fn responses(folder: &Path, tier: &str, graph: &str, off: f32) -> String {
    let questions = suite().all().len() - suite().queries.len();
    let vectors = (0..suite().all().len()).map(|at| {
        // A question points where its answer does.
        let question = at.checked_sub(questions).map(|number| suite().texts.len() + suite().queries[number].answer);
        let angle = question.unwrap_or(at) as f32 * 0.37;
        let bytes = [angle.cos(), angle.sin(), off].iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        STANDARD.encode(bytes)
    });
    let ids: Vec<[usize; 3]> = (0..suite().all().len()).map(|at| [101, 2000 + at, 102]).collect();
    let files = match tier {
        "static" => json!({"static": hash('5'), "tokens": hash('2')}),
        _ => json!({"graph": graph, "tokens": hash('2'), "runtime": hash('3')}),
    };
    let document = json!({"tier": tier, "model": "m", "version": "v", "files": files, "runs_on": "a test", "ids": ids,
                          "vectors": vectors.collect::<Vec<String>>()});
    let file = folder.join(format!("{tier}.json"));
    std::fs::write(&file, document.to_string()).expect("a file");
    format!("{tier}={}", file.display())
}

fn hash(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A package of the function: what it says of itself, and no more.
fn package(folder: &Path, graph: &str) {
    let of = |sha256: &str| ModelFile { path: "x".to_owned(), sha256: sha256.to_owned(), crc32: None, bytes: 1 };
    let own = [(GRAPH, graph.to_owned()), (TOKENS, hash('2')), (RUNTIME, hash('3')), (STATIC, hash('5'))];
    let files: BTreeMap<String, ModelFile> = own.iter().map(|(key, hash)| ((*key).to_owned(), of(hash))).collect();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(folder.join("p.zip")).expect("a file"));
    let about = serde_json::to_string(&PackageInfo::new("m", 3, files)).expect("plain data");
    for (name, text) in
        [("model.json", about.as_str()), ("index.mjs", "export const handler = async (event) => event;\n")]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("content");
    }
    zip.finish().expect("a zip");
}

fn certify(folder: &Path, tiers: &str, given: &[String]) -> CommandOutput {
    let mut command = bare();
    command.current_dir(folder).args(["models", "certify", "--models", ".", "--package", "p.zip", "--worker", "none"]);
    command.args(["--key", "k.key", "--out", "parity.json", "--tiers", tiers]);
    for one in given {
        command.args(["--responses", one]);
    }
    finish(&mut command)
}

/// `deploy` of a plan with the package as its function.
fn deploy(folder: &Path, key: &str, parity: &str) -> CommandOutput {
    let head =
        "version: 1\nstack: small\nmetadata: {name: small, title: Small}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let function = format!(
        "{{name: f, runtime: nodejs24.x, memory_mb: 1024, timeout_seconds: 5, code: {{zip: p.zip}}, parity: {{file: parity.json, keys: ['{key}']{parity}}}}}"
    );
    let plan =
        format!("{head}  - {{id: one, title: one, kind: edge-function, with: {{functions: {{f: {function}}}}}}}\n");
    std::fs::write(folder.join("small.yaml"), plan).expect("a file");
    finish(bare().current_dir(folder).args(["deploy", "--plan", "small.yaml", "--yes"]))
}

/// Everything in place: certified responses, a key and a package. The second is the public key.
fn certified() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path();
    package(path, &hash('1'));
    let given = [
        ("server-fp32", hash('9'), 0.0),
        ("server-int8", hash('1'), 0.05),
        ("edge", hash('1'), 0.05),
        ("static", hash('0'), 0.3),
    ];
    let given: Vec<String> = given.iter().map(|(tier, graph, off)| responses(path, tier, graph, *off)).collect();
    // The browser is not asked.
    let output = certify(path, TIERS, &given).exits(1);
    assert!(output.stderr.contains("browser is left out"), "{}", output.all());
    let key = document(path)["key"].as_str().expect("a key").to_owned();
    (folder, key)
}

fn document(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("parity.json")).expect("a certificate")).expect("JSON")
}

#[test]
fn without_a_comparison_there_is_no_certificate_and_an_earlier_one_stays() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path();
    std::fs::write(path.join("parity.json"), "an earlier one").expect("a file");
    // Nothing answers: there is no package, and nobody asks a browser.
    let output = certify(path, "edge,static,browser", &[]).exits(1);
    assert!(output.stderr.contains("ED001-parity"), "{}", output.all());
    assert!(output.stderr.contains("no certificate is written"), "{}", output.all());
    assert!(output.stderr.contains("p.zip: it cannot be read as a zip"), "{}", output.all());
    // The reference alone is compared with nothing, and so is a tier without it.
    for tier in ["server-fp32", "edge"] {
        let given = [responses(path, tier, &hash('1'), 0.0)];
        let output = certify(path, tier, &given).exits(1);
        assert!(output.stderr.contains("no certificate is written"), "{}", output.all());
    }
    assert_eq!(std::fs::read_to_string(path.join("parity.json")).expect("it is there"), "an earlier one");
}

#[test]
fn responses_that_are_cut_off_leave_their_tier_out() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path();
    let given = ["server-fp32", "server-int8", "edge"].map(|tier| responses(path, tier, &hash('1'), 0.0));
    let text = std::fs::read(path.join("edge.json")).expect("a file");
    std::fs::write(path.join("edge.json"), &text[..text.len() / 2]).expect("a file");
    let output = certify(path, "server-fp32,server-int8,edge", &given).exits(1);
    assert!(output.stderr.contains("edge is left out: EOF"), "{}", output.all());
    let found = &document(path)["certificate"];
    assert_eq!(found["tiers"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["skipped"][0]["tier"], "edge");
}

#[test]
fn deploy_takes_a_fresh_certificate_for_this_very_model_and_no_other() {
    let (folder, key) = certified();
    let path = folder.path();
    let good = std::fs::read_to_string(path.join("parity.json")).expect("a certificate");
    let refused = |output: CommandOutput, why: &str| {
        let output = output.exits(3);
        assert!(output.stderr.contains(why), "{why}: {}", output.all());
    };
    // What is certified gets as far as AWS, for which nothing is configured here.
    let output = deploy(path, &key, "");
    assert!(output.stderr.contains("SV012-configuration"), "{}", output.all());

    refused(
        deploy(path, &key, ", tiers: [edge, browser]"),
        "the tier browser was not measured (a browser is asked by another program",
    );
    refused(deploy(path, &key, ", tiers: [workers]"), "the tier workers was not measured");
    refused(deploy(path, &hash('a'), ""), "it is not signed with a key that the plan trusts");
    package(path, &hash('7'));
    refused(deploy(path, &key, ""), "edge: it is for the graph 111111111111, the package has 777777777777");
    package(path, &hash('1'));

    // A changed copy for people changes nothing; a changed payload is not signed any more.
    let mut edited: Signed = serde_json::from_str(&good).expect("a signed certificate");
    edited.certificate["tiers"] = json!([]);
    write(path, &edited);
    assert!(deploy(path, &key, "").stderr.contains("SV012-configuration"));
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(&edited.payload).expect("base64url")).expect("text");
    let payload = payload.replace(&hash('1'), &hash('7'));
    write(path, &Signed { payload: URL_SAFE_NO_PAD.encode(payload), ..edited });
    package(path, &hash('7'));
    refused(deploy(path, &key, ""), "it is not signed with a key that the plan trusts");
    package(path, &hash('1'));
    std::fs::write(path.join("parity.json"), &good[..300]).expect("a file");
    refused(deploy(path, &key, ""), "not a signed certificate");
    std::fs::remove_file(path.join("parity.json")).expect("it was there");
    refused(deploy(path, &key, ""), "parity.json");

    // Old, and from the future.
    let signer = Signer::read(&std::fs::read(path.join("k.key")).expect("a key")).expect("a key");
    let mut aged = verify(&good, std::slice::from_ref(&key)).expect("it is signed");
    let made = aged.made_at;
    aged.made_at = made - 31 * 86_400;
    write(path, &signer.sign(&aged));
    refused(deploy(path, &key, ""), "it is 31 days old, 30 at most count");
    assert!(deploy(path, &key, ", max_age_days: 40").stderr.contains("SV012-configuration"));
    aged.made_at = made + 3 * 86_400;
    write(path, &signer.sign(&aged));
    refused(deploy(path, &key, ""), "it was made in the future");
}

#[test]
fn deploy_refuses_a_tier_below_its_bounds() {
    let (folder, key) = certified();
    let path = folder.path();
    let given = [
        ("server-fp32", hash('9'), 0.0),
        ("server-int8", hash('1'), 0.05),
        ("edge", hash('1'), 0.2),
        ("static", hash('0'), 0.3),
    ];
    let given: Vec<String> = given.iter().map(|(tier, graph, off)| responses(path, tier, graph, *off)).collect();
    let output = certify(path, "server-fp32,server-int8,edge,static", &given).exits(1);
    assert!(output.stderr.contains("edge: mean cosine is 0.98"), "{}", output.all());
    let output = deploy(path, &key, "").exits(3);
    assert!(output.stderr.contains("edge: mean cosine is 0.98"), "{}", output.all());
    let output = deploy(path, &key, ", tiers: [static]");
    assert!(output.stderr.contains("SV012-configuration"), "the other tier is good: {}", output.all());
}

fn write(folder: &Path, document: &Signed) {
    std::fs::write(folder.join("parity.json"), serde_json::to_string(document).expect("plain data")).expect("a file");
}
