//! Images and units that are shipped: what they set is known to the server, and they are what they promise.
//! Needs no engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use akidb_edge::serve::config::setting::{SETTINGS, find};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn dockerfiles() -> Vec<(String, String)> {
    let folder = root().join("templates/docker");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: Vec<_> = names.filter(|name| name.starts_with("Dockerfile.")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    files.into_iter().map(|name| (name.clone(), read(Path::new("templates/docker").join(name)))).collect()
}

/// Words of a text that look like variables of the server.
fn variables(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'));
    words.filter(|word| word.starts_with("AKIDB_") || *word == "ORT_DYLIB_PATH" || word.starts_with("OTEL_")).collect()
}

/// Seconds of the first `NAME=5s` or `NAME: 5s`.
fn seconds(text: &str, name: &str) -> u64 {
    let line = text.lines().map(str::trim).find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    line[name.len()..].trim_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap()
}

#[test]
fn every_variable_and_flag_is_known() {
    let others = ["compose.yml", "ready", "README.md"].map(|name| format!("templates/docker/{name}"));
    let units = ["akidb-edge-serve.service", "serve.env"].map(|name| format!("templates/jetson/{name}"));
    let texts = others.into_iter().chain(units).map(|name| (name.clone(), read(name)));
    for (file, text) in texts.chain(dockerfiles()) {
        for variable in variables(&text) {
            assert!(SETTINGS.iter().any(|setting| setting.variable == variable), "{file}: {variable}");
        }
        for (_, flags) in text.lines().filter_map(|line| line.split_once("akidb-edge serve ")) {
            for flag in flags.split_whitespace().filter_map(|word| word.strip_prefix("--")) {
                let flag = flag.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
                let own = ["new-api-key", "help", "check", "config"];
                assert!(own.contains(&flag) || find(flag).is_some(), "{file}: --{flag}");
            }
        }
    }
}

#[test]
fn images_run_as_a_plain_user_from_fixed_tags() {
    for (file, text) in dockerfiles() {
        assert!(!text.contains(":latest"), "{file}");
        let arguments: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('=')).collect();
        for (name, value) in arguments.iter().filter(|(name, _)| ["RUST", "BASE", "CUDA"].contains(name)) {
            assert!(value.contains(':'), "{file}: {name} has no tag");
        }
        for from in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
            assert!(from.starts_with("${") || from.starts_with("scratch"), "{file}: {from}");
        }
        let end = text.rsplit_once("\nFROM ").unwrap().1;
        let user = end.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
        assert!(["10001:10001", "akidb-edge"].contains(&user), "{file}: {user}");
        for wanted in ["HEALTHCHECK ", "EXPOSE 8080 9090", "VOLUME /models", "ENTRYPOINT [", "STOPSIGNAL SIGTERM"] {
            assert!(end.contains(wanted), "{file}: no {wanted}");
        }
        let checked = text.contains("sha256sum -c") || text.contains("--hash=sha256:");
        assert!(checked, "{file}: ONNX Runtime is not checked");
    }
    let compose = read("templates/docker/compose.yml");
    assert!(!compose.contains(":latest"));
    for wanted in
        ["read_only: true", "cap_drop:\n      - ALL", "no-new-privileges:true", "tmpfs:", "healthcheck:", "secrets:"]
    {
        assert!(compose.contains(wanted), "compose.yml: no {wanted}");
    }
}

#[test]
fn nobody_is_killed_before_the_end_of_shutdown() {
    let compose = read("templates/docker/compose.yml");
    let needed = seconds(&compose, "AKIDB_DRAIN_TIME:") + seconds(&compose, "AKIDB_SHUTDOWN_TIME:");
    assert!(seconds(&compose, "stop_grace_period:") > needed);
    let environment = read("templates/jetson/serve.env");
    let needed = seconds(&environment, "AKIDB_DRAIN_TIME=") + seconds(&environment, "AKIDB_SHUTDOWN_TIME=");
    assert!(seconds(&read("templates/jetson/akidb-edge-serve.service"), "TimeoutStopSec=") > needed);
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    // Its program need not be installed where this runs.
    let unit = read("templates/jetson/akidb-edge-serve.service").replace("/usr/local/bin/akidb-edge", "/bin/true");
    let file = folder.path().join("akidb-edge-serve.service");
    std::fs::write(&file, unit).unwrap();
    let Ok(done) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output() else {
        eprintln!("skipped: no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("akidb-edge-serve")).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

/// Whether an image is named by its digest, or by a tag that is never given to another one: a version of three numbers, or a date.
fn is_exact(image: &str) -> bool {
    if let Some((_, digest)) = image.split_once("@sha256:") {
        return digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag);
    tag.split('-').any(|part| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (part.len() == 8 && digits(part)) || {
            let numbers: Vec<&str> = part.trim_start_matches(['r', 'v']).split('.').collect();
            numbers.len() >= 3 && numbers.iter().all(|number| digits(number))
        }
    })
}

/// Images that no digest is written down for: only their registry knows it. Their tag is never given to another image.
const BY_TAG: [(&str, &str); 2] = [
    ("akidb-edge:0.1.0-cpu", "built on the machine that runs it"),
    (
        "ministackorg/ministack:1.5.33",
        "MINISTACK_IMAGE takes one by digest; localstack/up runs the same from a wheel with its hash",
    ),
];

#[test]
fn every_image_is_named_by_its_digest_or_stands_in_a_list() {
    for (image, exact) in [
        ("debian:bookworm-20251229-slim", true),
        ("nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04", true),
        ("localhost:5000/a:1.2.3", true),
        ("rust:1.95-slim@sha256:abc", false),
        ("debian:bookworm-slim", false),
        ("ubuntu:24.04", false),
        ("localstack/localstack:latest", false),
        ("localhost:5000/a", false),
    ] {
        assert_eq!(is_exact(image), exact, "{image}");
    }
    let mut images = Vec::new();
    for (name, text) in dockerfiles() {
        let values = text.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('='));
        images
            .extend(values.filter(|(_, value)| value.contains(':')).map(|(_, value)| (name.clone(), value.to_owned())));
        // Stages are built on these, on nothing, or on one another.
        let stages: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
        assert!(
            stages.iter().all(|stage| stage.starts_with("${") || stage.starts_with("scratch")),
            "{name}: {stages:?}"
        );
    }
    for file in ["templates/docker/compose.yml", "localstack/docker-compose.yml", "plans/examples/kubernetes/web.yaml"]
    {
        let text = read(file);
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("image: "));
        let plain =
            |image: &str| image.split_once(":-").map_or(image, |(_, image)| image.trim_end_matches('}')).to_owned();
        images.extend(lines.map(|image| (file.to_owned(), plain(image))));
    }
    assert!(images.len() >= 12, "{images:?}");
    for (file, image) in &images {
        assert!(is_exact(image), "{file}: {image} may be another image tomorrow");
        let listed = BY_TAG.iter().any(|(tag, _)| tag == image);
        assert!(image.contains("@sha256:") || listed, "{file}: {image} has no digest");
    }
    for (tag, _) in BY_TAG {
        assert!(images.iter().any(|(_, image)| image == tag), "{tag} is not used any more");
    }
}

/// Every file that git keeps, as a path from the root.
fn kept() -> Vec<String> {
    let done = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names = String::from_utf8(done.stdout).unwrap();
    names.split('\0').filter(|name| !name.is_empty() && root().join(name).is_file()).map(str::to_owned).collect()
}

#[test]
fn every_list_of_packages_has_the_hash_of_each() {
    let lists: Vec<String> = kept()
        .into_iter()
        .filter(|name| name.ends_with("requirements.txt") && !name.starts_with("tests/fixtures/"))
        .collect();
    assert!(lists.len() >= 13, "{lists:?}");
    for list in lists {
        let text = read(&list).replace("\\\n", " ");
        let pins: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(!pins.is_empty(), "{list} is empty");
        for pin in pins {
            let name = pin.split(' ').next().unwrap();
            assert!(name.contains("==") && pin.contains("--hash=sha256:"), "{list}: {name} has no hash (supply/lock)");
        }
    }
    let locks: Vec<String> = kept().into_iter().filter(|name| name.ends_with("package-lock.json")).collect();
    assert!(locks.len() >= 2, "{locks:?}");
    for file in locks {
        let lock: serde_json::Value = serde_json::from_str(&read(&file)).unwrap();
        for (name, package) in lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty()) {
            assert!(package["integrity"].is_string(), "{file}: {name}");
        }
    }
}

/// Files with words of `pip` that install nothing, or whose wheel is checked elsewhere.
const NO_HASHES: [(&str, &str); 4] = [
    ("bench/serve/image", "the build that takes the wheel checks its hash"),
    ("crates/engine/src/check/shapes/generate.py", "it checks the hash of the wheel that it reads"),
    ("src/inference/onnx/library.rs", "words of a message"),
    ("tests/offline/shipping.rs", "this file"),
];

#[test]
fn no_script_installs_a_package_without_its_hash() {
    const WORDS: [&str; 5] =
        ["pip install", "pip download", "pip\" install", "pip\", \"install\"", "pip\", \"download\""];
    let mut installs = 0;
    for name in kept() {
        let excused = name.ends_with(".md") || NO_HASHES.iter().any(|(file, _)| *file == name);
        let Ok(text) = std::fs::read_to_string(root().join(&name)) else { continue };
        if excused || name.starts_with("tests/serve/serve_config") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).filter(|at| WORDS.iter().any(|words| lines[*at].contains(words))) {
            // A command may go on over some lines. A list that is made for one command has hashes in it.
            let command = lines[at..lines.len().min(at + 3)].concat();
            let hashed = command.contains("--require-hashes") || command.contains("-r /wanted");
            assert!(hashed, "{name}: {} names no hashes", lines[at].trim());
            installs += 1;
        }
    }
    assert!(installs >= 10, "{installs}");
}

/// By cargo-cyclonedx, which `make supply` compiles once; without it the test is skipped.
#[test]
fn the_bill_of_materials_has_every_crate_of_the_binary_with_its_hash() {
    let tool = |word: &str| {
        Command::new(root().join("supply/sbom")).args((!word.is_empty()).then_some(word)).output().unwrap()
    };
    if std::env::var_os("AKIDB_EDGE_SUPPLY").is_none() && !tool("--check").status.success() {
        eprintln!("skipped: cargo-cyclonedx is not installed (make supply)");
        return;
    }
    let done = tool("");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(!text.contains(&root().display().to_string()), "it names a path of this machine");
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    assert_eq!(bill["specVersion"], "1.5");
    assert_eq!(bill["metadata"]["component"]["name"], "akidb-edge");
    let lock = read("Cargo.lock");
    let components = bill["components"].as_array().unwrap();
    assert!(components.len() > 200, "{}", components.len());
    for component in components {
        // A crate of the workspace comes out of no registry, so there is no hash of it.
        if !component["name"].as_str().unwrap().starts_with("akidb-edge-") {
            let hash = &component["hashes"][0];
            assert_eq!(hash["alg"], "SHA-256", "{component}");
            assert!(lock.contains(hash["content"].as_str().unwrap()), "{component}");
        }
        let license = &component["licenses"][0];
        assert!(license["expression"].is_string() || license["license"].is_object(), "{component}");
    }
    let names: BTreeSet<&str> = components.iter().filter_map(|component| component["name"].as_str()).collect();
    for name in ["rustls", "tokio", "tonic", "ort"] {
        assert!(names.contains(name), "{name}");
    }
    // What only tests use is not shipped.
    assert!(!names.contains("insta"));
    let refs: BTreeSet<&str> =
        bill["dependencies"].as_array().unwrap().iter().filter_map(|one| one["ref"].as_str()).collect();
    assert!(components.iter().all(|component| refs.contains(component["bom-ref"].as_str().unwrap())));
}

/// A clean checkout can be deployed: the files of the model are built, none has to be made by hand.
#[test]
fn the_exporter_makes_every_file_of_the_model_that_week_13_uploads() {
    let (plan, steps) = (read("plans/week13.yaml"), read("exporter/make.py"));
    let path = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
    let named = plan.split("${var.model_dir}/").skip(1);
    let names: BTreeSet<&str> = named.filter_map(|rest| rest.split(|letter| !path(letter)).next()).collect();
    assert!(names.contains("model_int8.onnx") && names.contains("static.bin"), "{names:?}");
    for name in names {
        assert!(steps.contains(&format!("\"{name}\"")), "exporter/make.py makes no {name}");
    }
}
