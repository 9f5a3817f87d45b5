//! Each plan lives by exactly the policy that is printed for it: `tests/permissions/README.md` says how that is judged.

use std::path::Path;
use std::process::Command;

use testkit::local_aws;

#[test]
fn each_plan_lives_by_exactly_its_policy() {
    let upstream = local_aws::endpoint();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lab = root.join("tests/permissions");
    let installed = Command::new(lab.join("install")).status().expect("tests/permissions/install runs");
    assert!(installed.success(), "tests/permissions/install: {installed}");
    let other = std::env::var_os("AKIDB_EDGE_TEST_BINARY");
    let binary = other.unwrap_or_else(|| env!("CARGO_BIN_EXE_akidb-edge").into());
    let mut judged = Command::new(root.join("localstack/.venv/bin/python"));
    judged.arg(lab.join("lifecycle.py")).arg("--binary").arg(binary).args(["--upstream", &upstream]);
    let output = judged.output().expect("Python runs");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
}
