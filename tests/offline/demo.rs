//! `localstack/demo` says what it lacks before it starts anything.

use std::env;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of this machine.
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").expect("a PATH");
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn the_demo_names_everything_that_is_missing_and_starts_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    // What the script itself uses; nothing of what it builds with.
    for name in ["awk", "cut", "df", "dirname", "head", "sed", "sort", "tr"] {
        symlink(program(name), folder.path().join(name)).expect("a link");
    }
    let mut demo = Command::new(program("bash"));
    demo.arg(root.join("localstack/demo")).env("PATH", folder.path()).env_remove("AKIDB_EDGE").env("NO_COLOR", "1");
    let ran = demo.output().expect("bash runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was started"), "{said}");
    for missing in ["python3 3.11 or newer: not on the PATH", "node 20 or newer", "npm: ", "cargo ", "cc: ", "flock: "]
    {
        assert!(said.contains(&format!("  - {missing}")), "{missing} in {said}");
    }
    assert!(!said.contains("== Build"), "{said}");
}
