//! Week 13 as one system on this machine: what `make demo` shows (`localstack/system`), run with the binary of the tests, and what came
//! of it. Needs the local AWS, ONNX Runtime and the real model; a device with a real pod needs root and the laboratory besides, and is
//! left out with its reason where they are not.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use testkit::cli::{TestAccount, bare, nothing};
use testkit::{local_aws, serve};

/// The folder of ONNX Runtime's library.
fn library() -> PathBuf {
    let named = serve::onnxruntime();
    if named.is_dir() { named } else { named.parent().expect("a file lies in a folder").to_owned() }
}

/// The figure of this name.
#[track_caller]
fn figure(measured: &Value, name: &str) -> f64 {
    let all = measured["figures"].as_array().expect("figures");
    let one = all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {measured:#}"));
    one["value"].as_f64().expect("a number")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|bad| panic!("{}: {bad}", path.display()))
}

/// The viewers' side by itself: keys, times, conditions, groups, names.
#[test]
fn the_harness_does_what_cloudfront_and_route_53_do() {
    local_aws::endpoint();
    let root = testkit::root();
    let mut tests = Command::new(root.join("localstack/.venv/bin/python"));
    tests
        .args(["-m", "unittest", "discover", "localstack/harness"])
        .current_dir(root)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let told = tests.output().expect("the tests of the harness run");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.contains("Ran ") && !said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn from_the_plan_to_the_vector_and_back_to_nothing() {
    let root = testkit::root();
    let page = root.join("templates/browser/dist/index.html");
    assert!(page.is_file(), "{} is not there: run templates/browser/build", page.display());
    let account = TestAccount::new();
    let (work, report) = (account.path("system"), account.path("report"));
    let mut demo = Command::new(root.join("localstack/.venv/bin/python"));
    demo.arg(root.join("localstack/system"))
        .arg("--binary")
        .arg(bare().get_program())
        .arg("--work")
        .arg(&work)
        .arg("--report")
        .arg(&report)
        .arg("--model")
        .arg(serve::models().join("all-MiniLM-L6-v2"))
        .arg("--onnxruntime")
        .arg(library())
        .args(["--endpoint", &local_aws::endpoint(), "--account", &account.number])
        .args(["--prefix", &format!("t{}", account.number)])
        .current_dir(root);
    // Nothing of whoever runs the tests: the binary gets what `localstack/up` would export.
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("AWS_") || key.starts_with("AKIDB_")) {
        demo.env_remove(key);
    }
    demo.env("AWS_ENDPOINT_URL", local_aws::endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1");
    demo.env("AWS_ACCESS_KEY_ID", &account.number).env("AWS_SECRET_ACCESS_KEY", "test");
    demo.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_COLOR", "1");
    let told = demo.output().expect("localstack/system runs");
    let said = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{said}");

    let measured: Value = serde_json::from_str(&read(&work.join("measured.json"))).expect("JSON");
    assert!(figure(&measured, "requests meanwhile") > 0.0, "requests went on while the model changed");
    assert!(figure(&measured, "requests that failed meanwhile") == 0.0, "{said}");
    for name in
        ["GET from EU, second", "new version everywhere", "region back in service", "cutover", "destroy of the cloud"]
    {
        assert!(figure(&measured, name) > 0.0, "{name}");
    }
    let left_out = measured["skipped"].as_array().expect("a list");
    if left_out.is_empty() {
        assert!(figure(&measured, "requests cut off by the drain") == 0.0, "{said}");
        assert!(figure(&measured, "device drained") < 120.0, "{said}");
        assert!(figure(&measured, "device back in service") > 0.0, "{said}");
    } else {
        eprintln!("SKIPPED in part: {left_out:?}");
    }
    // What a person opens at the end.
    let page = read(&report.join("report.html"));
    for held in ["Measured: Week 13 on one machine", "requests that failed meanwhile", "GET from EU, second"] {
        assert!(page.contains(held), "{held}");
    }
    assert!(said.contains(&format!("file://{}", report.join("report.html").display())), "{said}");
    assert_eq!(account.inventory(), nothing(), "{said}");
}
