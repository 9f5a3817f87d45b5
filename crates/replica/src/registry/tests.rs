//! Migrations, rows of others, and revisions.

use std::path::PathBuf;

use super::*;

fn model(name: &str, version: &str) -> RegistryModel {
    RegistryModel {
        name: name.to_owned(),
        version: Some(version.to_owned()),
        path: Some(format!("{name}/{version}")),
        dimension: Some(384),
        enabled: true,
    }
}

fn at() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    (folder, path)
}

fn models(path: &Path) -> Vec<(String, Option<String>, bool)> {
    let open = Connection::open(path).unwrap();
    let mut asked = open.prepare("SELECT name, version, enabled FROM models ORDER BY name").unwrap();
    let rows = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn rows_are_added_changed_and_removed_and_revisions_kept() {
    let (_folder, path) = at();
    let first = write(&path, &Registry::new(vec![model("a", "1"), model("b", "1")]), false).unwrap();
    assert_eq!((first.revision, first.added.len()), (1, 2));
    let mode: String = Connection::open(&path).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let second = Registry::new(vec![RegistryModel { enabled: false, ..model("a", "2") }]);
    let change = write(&path, &second, false).unwrap();
    assert_eq!((change.changed, change.removed), (vec!["models a".to_owned()], vec!["models b".to_owned()]));
    assert_eq!(models(&path), [("a".to_owned(), Some("2".to_owned()), false)]);
    let kept = "SELECT count(*), max(revision) FROM akidb_registry_revisions";
    let kept: (i64, i64) =
        Connection::open(&path).unwrap().query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, (2, 2));
}

/// A registry that is read again and again must not make the publisher write.
#[test]
fn the_same_registry_writes_nothing() {
    let (_folder, path) = at();
    let registry = Registry::new(vec![model("a", "1")]);
    write(&path, &registry, false).unwrap();
    let open = Connection::open(&path).unwrap();
    let version = || open.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    let again = write(&path, &registry, false).unwrap();
    assert!(again.is_empty() && again.revision == 1);
    assert_eq!(version(), before);
    // What somebody changed by hand is corrected, under the same revision.
    open.execute("UPDATE models SET version = 'mine'", []).unwrap();
    let again = write(&path, &registry, false).unwrap();
    assert_eq!((again.revision, again.changed.len()), (1, 1));
}

#[test]
fn tables_and_rows_of_others_stay() {
    let (_folder, path) = at();
    let open = Connection::open(&path).unwrap();
    open.execute_batch(
        "PRAGMA user_version = 77;
         CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER, note TEXT);
         INSERT INTO models VALUES ('theirs', '9', NULL, NULL, 1, 'keep'), ('a', '0', NULL, NULL, 1, 'keep')",
    )
    .unwrap();
    let registry = Registry::new(vec![model("a", "1")]);
    let refused = write(&path, &registry, false).unwrap_err();
    assert!(matches!(&refused, RegistryFault::Foreign { row, .. } if row == "models a"), "{refused}");
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'akidb%'";
    assert_eq!(open.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "nothing was written");
    write(&path, &registry, true).unwrap();
    write(&path, &Registry::new(Vec::new()), false).unwrap();
    assert_eq!(models(&path), [("theirs".to_owned(), Some("9".to_owned()), true)]);
    let note: String = open.query_row("SELECT note FROM models", [], |row| row.get(0)).unwrap();
    let version: i64 = open.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!((note.as_str(), version), ("keep", 77));
}

#[test]
fn other_columns_and_newer_versions_are_refused() {
    let (_folder, path) = at();
    let open = Connection::open(&path).unwrap();
    open.execute_batch("CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT)").unwrap();
    let registry = Registry::new(vec![model("a", "1")]);
    let refused = write(&path, &registry, false).unwrap_err();
    assert!(matches!(refused, RegistryFault::Columns { table: "models", column: "path", .. }), "{refused}");
    open.execute_batch("DROP TABLE models").unwrap();
    write(&path, &registry, false).unwrap();
    open.execute("INSERT INTO akidb_registry_migrations VALUES (99, 'later')", []).unwrap();
    let refused = write(&path, &registry, false).unwrap_err();
    assert!(matches!(refused, RegistryFault::Newer { found: 99, .. }), "{refused}");
}

#[test]
fn collections_belong_to_tenants() {
    let (_folder, path) = at();
    let text = r#"{"format":1,"models":[{"name":"m","version":null,"path":null,"dimension":3,"enabled":true}],
        "tenants":[{"name":"acme","enabled":true}],
        "collections":[{"tenant":"acme","name":"t","model":"m","dimension":3}]}"#;
    let registry = Registry::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(write(&path, &registry, false).unwrap().added.len(), 3);
    // The rows that refer to others go first.
    let removed = write(&path, &Registry::new(Vec::new()), false).unwrap().removed;
    assert_eq!(removed, ["collections acme/t", "tenants acme", "models m"]);
}

#[tokio::test]
async fn the_document_is_read_when_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::FolderStore::at(folder.path());
    let limit = Duration::from_secs(5);
    let absent = fetch(&store, None, limit).await.unwrap_err();
    assert!(matches!(absent, RegistryFault::Store(ref fault) if fault.is_absent()), "{absent}");
    let registry = Registry::new(vec![model("a", "1")]);
    std::fs::write(folder.path().join("registry.json"), registry.text()).unwrap();
    let (etag, read) = fetch(&store, None, limit).await.unwrap().unwrap();
    assert_eq!(read, registry);
    assert_eq!(fetch(&store, Some(&etag), limit).await.unwrap(), None);
    std::fs::write(folder.path().join("registry.json"), r#"{"format":2,"anything":1}"#).unwrap();
    let newer = fetch(&store, Some(&etag), limit).await.unwrap_err();
    assert!(matches!(newer, RegistryFault::Document { .. }) && newer.to_string().contains("format 2"), "{newer}");
}
