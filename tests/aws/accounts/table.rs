//! The table of the documentation names tests that exist, and every test of this folder is in it.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn each_row_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/accounts.md")).expect("the documentation");
    let named: BTreeSet<String> = table
        .split('`')
        .filter(|word| word.contains("::") && !word.contains(char::is_whitespace) && !word.starts_with("provider"))
        .map(str::to_owned)
        .collect();
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("tests/aws/accounts")).expect("this folder").flatten() {
        let module = entry.file_name().to_string_lossy().replace(".rs", "");
        let text = std::fs::read_to_string(entry.path()).expect("a file");
        let names = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next());
        there.extend(names.map(|name| format!("{module}::{name}")));
    }
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "the table names tests that do not exist: {missing:?}");
    assert!(named.len() > 50, "{}", named.len());
}
