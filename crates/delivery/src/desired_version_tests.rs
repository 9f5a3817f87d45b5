use akidb_edge_engine::resource::sha256_hex;

use super::*;

fn entry(path: &str, size: u64, etag: &str) -> SourceEntry {
    SourceEntry { path: path.to_owned(), size, etag: etag.to_owned() }
}

fn of(path: &str, bytes: &[u8]) -> SourceEntry {
    entry(path, bytes.len() as u64, "x")
}

fn former(path: &str) -> Vec<u8> {
    format!(r#"{{"version": "../7 b", "root": "r7", "files": [{{"path": "{path}", "size": 3, "sha256": "AB"}}]}}"#)
        .into_bytes()
}

fn read(bytes: &[u8], listed: &[SourceEntry]) -> Result<PointerTarget, VersionFault> {
    PointerTarget::read("m", &of("m/current.json", bytes), bytes, listed)
}

fn files(pointed: PointerTarget) -> DesiredVersion {
    match pointed {
        PointerTarget::Files(wanted) => wanted,
        PointerTarget::Manifest(listed) => panic!("{listed:?}"),
    }
}

/// A version in the layout, and what the source lists of it.
fn published() -> (layout::VersionManifest, Vec<SourceEntry>) {
    let file = |path: &str, content: &str| VersionFile {
        path: path.to_owned(),
        size: content.len() as u64,
        sha256: sha256_hex(content.as_bytes()),
    };
    let manifest = layout::VersionManifest::new("m", vec![file("config.json", "{}"), file("onnx/model.onnx", "graph")]);
    let mut listed: Vec<SourceEntry> =
        manifest.files.iter().map(|file| entry(&format!("m/{}", file.key()), file.size, "x")).collect();
    listed.push(of(&format!("m/{}", manifest.key()), &manifest.bytes()));
    (manifest, listed)
}

#[test]
fn a_pointer_leads_over_its_manifest_to_the_files() {
    let (manifest, listed) = published();
    let Ok(PointerTarget::Manifest(found)) = read(&manifest.pointer().bytes(), &listed) else { panic!("a manifest") };
    assert_eq!(found.entry.path, format!("m/{}", manifest.key()));
    let wanted = found.read("m", &manifest.bytes(), &listed).expect("a version");
    assert_eq!(wanted.version, manifest.version);
    let places: Vec<&str> = wanted.files.iter().map(|file| file.place.as_str()).collect();
    assert_eq!(places, ["config.json", "onnx/model.onnx"]);
    assert!(wanted.files[1].entry.path.ends_with(&format!("{}/onnx/model.onnx", sha256_hex(b"graph"))));
    assert!(wanted.is_model("m").is_ok());
}

#[test]
fn another_manifest_than_the_pointer_names_is_refused() {
    let (manifest, mut listed) = published();
    let Ok(PointerTarget::Manifest(found)) = read(&manifest.pointer().bytes(), &listed) else { panic!("a manifest") };
    let mut other = manifest.clone();
    other.files.pop();
    assert!(matches!(found.read("m", &other.bytes(), &listed), Err(VersionFault::Hash { .. })));
    // A manifest whose version does not follow from its files, under a pointer that names its bytes.
    listed.push(of(&format!("m/{}", other.key()), &other.bytes()));
    listed.remove(2);
    let Ok(PointerTarget::Manifest(found)) = read(&other.pointer().bytes(), &listed) else { panic!("a manifest") };
    assert!(matches!(found.read("m", &other.bytes(), &listed), Err(VersionFault::OtherVersion { .. })));
    let newer = br#"{"format": 3, "model": "m"}"#;
    assert!(matches!(read(newer, &listed), Err(VersionFault::Newer { format: 3, .. })));
    let another = PointerTarget::read("n", &of("n/current.json", b""), &manifest.pointer().bytes(), &listed);
    assert!(matches!(another, Err(VersionFault::OtherVersion { .. })));
}

#[test]
fn the_former_pointer_of_sync_names_files_below_its_root() {
    let listed = [entry("m/r7/onnx/model.onnx", 3, "x")];
    let wanted = files(read(&former("onnx/model.onnx"), &listed).expect("a version"));
    assert_eq!((wanted.version.as_str(), wanted.files[0].sha256.as_deref()), ("../7 b", Some("ab")));
    assert!(wanted.id.starts_with("v-7-b-") && !wanted.id.contains('/'), "{}", wanted.id);
}

#[test]
fn the_former_pointer_of_deploy_names_keys_of_the_bucket() {
    let pointer =
        br#"{"model": "m", "files": {"config.json": {"key": "models/m/ab/config.json", "sha256": "ab", "bytes": 2}}}"#;
    let listed = [of("m/latest.json", pointer), entry("m/ab/config.json", 2, "x")];
    let found = super::pointer("m", &listed).expect("the pointer");
    let wanted = files(PointerTarget::read("m", found, pointer, &listed).expect("a version"));
    assert_eq!(
        (wanted.files[0].place.as_str(), wanted.files[0].entry.path.as_str()),
        ("config.json", "m/ab/config.json")
    );
    // The new pointer counts where both are there.
    let both = [listed[0].clone(), entry("m/current.json", 1, "y")];
    assert_eq!(super::pointer("m", &both).map(|entry| entry.path.as_str()), Some("m/current.json"));
}

#[test]
fn what_leads_out_or_is_not_there_is_refused() {
    let listed = [entry("m/r7/a", 4, "x")];
    for (path, why) in [
        ("../a", "outside the folder"),
        ("/etc/passwd", "outside the folder"),
        ("", "outside the folder"),
        ("b", "does not exist"),
        ("a", "4 bytes"),
    ] {
        let refused = read(&former(path), &listed).expect_err("it is refused").to_string();
        assert!(refused.contains(why), "{path}: {refused}");
    }
    let empty = read(b"{}", &listed).expect_err("no pointer");
    assert!(matches!(empty, VersionFault::Document { .. }) && empty.to_string().contains("version"), "{empty}");
    assert!(matches!(DesiredVersion::listed("m", "0", &[]), Err(VersionFault::Empty { .. })));
}

#[test]
fn a_file_without_the_name_of_a_model_belongs_to_none() {
    let paths = ["m/a", "/config.json", "alone", ".work/a", "../a", "m/b/c", "m//d", "a b/c"];
    let (models, skipped) = by_model(paths.map(|path| entry(path, 1, "x")).to_vec());
    let counts: Vec<_> = models.into_iter().map(|(name, files)| (name, files.len())).collect();
    assert_eq!(counts, [("m".to_owned(), 2)]);
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(skipped[1].contains("m//d"), "{skipped:?}");
}

#[test]
fn a_folder_that_is_no_model_is_known_before_it_is_fetched() {
    let listed = [entry("logs/2026.gz", 1 << 40, "x"), entry("logs/config.json", 2, "x")];
    let wanted = DesiredVersion::listed("logs", "0", &listed).expect("files");
    assert!(matches!(wanted.is_model("logs"), Err(VersionFault::NoModel { lacks: "ONNX graph", .. })));
}

#[test]
fn another_content_is_another_version() {
    let (one, two) = ([entry("m/a", 1, "x")], [entry("m/a", 1, "y")]);
    assert_ne!(mark(&one), mark(&two));
    let id = |listed: &[SourceEntry]| DesiredVersion::listed("m", &mark(listed), listed).expect("files").id;
    assert_ne!(id(&one), id(&two));
}
