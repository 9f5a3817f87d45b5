use std::fs;

use super::*;
use crate::folder_store::UploadFolder;
use crate::layout;

/// A model's folder with this graph.
fn model(graph: &str) -> (tempfile::TempDir, BTreeSet<RelativePath>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("1_Pooling")).expect("a folder");
    let files = [("1_Pooling/config.json", "{}"), ("config.json", "{\"hidden_size\":8}"), ("model.onnx", graph)];
    for (path, content) in files {
        fs::write(folder.path().join(path), content).expect("a file");
    }
    (folder, files.iter().map(|(path, _)| RelativePath::parse(path).expect("a path")).collect())
}

async fn published(place: &Path, graph: &str, keep: u32) -> Published {
    let (folder, files) = model(graph);
    let publication = Publication::of("m", folder.path(), &files).expect("it can be read");
    publication.publish(&UploadFolder::at(place.to_owned()), keep, false).await.expect("it is published")
}

fn pointer(place: &Path) -> layout::VersionPointer {
    serde_json::from_slice(&fs::read(place.join("m/current.json")).expect("a pointer")).expect("its form")
}

fn manifests(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place.join("m/manifests")).expect("manifests");
    let mut names: Vec<String> =
        entries.map(|entry| format!("manifests/{}", entry.expect("it").file_name().to_string_lossy())).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_come_once_and_the_pointer_leads_to_the_last_version() {
    let place = tempfile::tempdir().expect("a folder");
    let one = published(place.path(), "one", 1).await;
    assert_eq!((one.uploaded, one.unchanged, one.removed.len()), (4, false, 0));
    assert_eq!(pointer(place.path()).version, one.version);
    let again = published(place.path(), "one", 1).await;
    assert_eq!((again.uploaded, again.unchanged, &again.version), (0, true, &one.version));
    let two = published(place.path(), "two", 1).await;
    assert_eq!(two.uploaded, 2, "the graph and the manifest; the settings are there");
    let pointer = pointer(place.path());
    let manifest = fs::read(place.path().join("m").join(&pointer.manifest.path)).expect("a manifest");
    assert_eq!((sha256_hex(&manifest), manifest.len() as u64), (pointer.manifest.sha256, pointer.manifest.size));
}

#[tokio::test]
async fn old_versions_go_with_the_files_that_no_kept_one_has() {
    let place = tempfile::tempdir().expect("a folder");
    let one = published(place.path(), "one", 1).await;
    // Within one second: the order is that of the times.
    let manifest = place.path().join("m").join(pointer(place.path()).manifest.path);
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    fs::File::options().write(true).open(&manifest).and_then(|file| file.set_modified(old)).expect("a time");
    let two = published(place.path(), "two", 1).await;
    let of_two = pointer(place.path()).manifest.path;
    let three = published(place.path(), "three", 1).await;
    assert_eq!(three.removed, [one.version]);
    let mut kept = vec![of_two, pointer(place.path()).manifest.path];
    kept.sort();
    assert_eq!(manifests(place.path()), kept);
    let graph = |content: &str| place.path().join(format!("m/{}/model.onnx", sha256_hex(content.as_bytes())));
    assert!(!graph("one").exists() && graph("two").exists() && graph("three").exists());
    assert!(place.path().join(format!("m/{}/1_Pooling/config.json", sha256_hex(b"{}"))).exists());
    // Back to the version before: nothing is uploaded but the pointer.
    let back = published(place.path(), "two", 1).await;
    assert_eq!((back.uploaded, back.unchanged), (0, false));
    assert_eq!(pointer(place.path()).version, two.version);
}

/// A store that says that a stack manages all of it: the mark is metadata, which a folder does not have.
struct OfAStack(UploadFolder);

#[async_trait]
impl UploadStore for OfAStack {
    async fn list(&self, begin: &str) -> Result<Vec<ExistingObject>, ModelPublishFault> {
        self.0.list(begin).await
    }

    async fn stack_of(&self, key: &str) -> Result<Option<String>, ModelPublishFault> {
        Ok(self.0.read(key).await?.map(|_| "akidb".to_owned()))
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, ModelPublishFault> {
        self.0.read(key).await
    }

    async fn put(&self, upload: &Upload) -> Result<(), ModelPublishFault> {
        self.0.put(upload).await
    }

    async fn delete(&self, key: &str) -> Result<(), ModelPublishFault> {
        panic!("{key} is the stack's")
    }
}

#[tokio::test]
async fn what_a_stack_manages_is_refused_and_never_deleted() {
    let place = tempfile::tempdir().expect("a folder");
    published(place.path(), "one", 0).await;
    let store = OfAStack(UploadFolder::at(place.path().to_owned()));
    let (folder, files) = model("two");
    let two = Publication::of("m", folder.path(), &files).expect("it can be read");
    let refused = two.publish(&store, 0, false).await.expect_err("it is managed");
    assert!(matches!(&refused, ModelPublishFault::Managed { stack, .. } if stack == "akidb"), "{refused}");
    let done = two.publish(&store, 0, true).await.expect("it is said to be replaced");
    assert_eq!((done.removed, pointer(place.path()).version), (Vec::new(), two.manifest.version));
}
