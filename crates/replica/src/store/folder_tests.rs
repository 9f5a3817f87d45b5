use super::super::{Etag, ObjectBody, ObjectMetadata, ObjectStore, Precondition, ReadAnswer, StoreFault};
use super::FolderStore;

fn store() -> (tempfile::TempDir, FolderStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::at(&folder.path().join("bucket"));
    (folder, store)
}

async fn put(store: &FolderStore, key: &str, text: &'static str, on: &Precondition) -> Result<Etag, StoreFault> {
    store.put(key, &ObjectBody::Bytes(text.into()), &ObjectMetadata::new(), on).await
}

#[tokio::test]
async fn a_write_on_a_condition_is_refused_when_it_does_not_hold() {
    let (_folder, store) = store();
    let first = put(&store, "a/b", "1", &Precondition::Absent).await.unwrap();
    assert!(put(&store, "a/b", "2", &Precondition::Absent).await.unwrap_err().is_taken());
    let second = put(&store, "a/b", "2", &Precondition::Unchanged(first.clone())).await.unwrap();
    assert!(put(&store, "a/b", "3", &Precondition::Unchanged(first)).await.unwrap_err().is_taken());
    assert!(matches!(store.get("a/b", Some(&second)).await.unwrap(), ReadAnswer::Unchanged));
    let ReadAnswer::Object(object) = store.get("a/b", None).await.unwrap() else { panic!("it has changed") };
    assert_eq!(object.bytes(1).await.unwrap(), "2");
}

#[tokio::test]
async fn of_many_that_write_at_once_one_wins() {
    let (_folder, store) = store();
    let tries = (0..16).map(|_| put(&store, "head", "x", &Precondition::Absent));
    let won = futures::future::join_all(tries).await.iter().filter(|tried| tried.is_ok()).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn metadata_and_ranges_come_back() {
    let (_folder, store) = store();
    let metadata = ObjectMetadata::from([("a".to_owned(), "b".to_owned())]);
    store.put("x", &ObjectBody::Bytes("0123456789".into()), &metadata, &Precondition::None).await.unwrap();
    let ReadAnswer::Object(object) = store.get("x", None).await.unwrap() else { panic!("no object") };
    assert_eq!(object.metadata, metadata);
    assert!(object.bytes(9).await.is_err());
    assert_eq!(store.get_range("x", 7..99).await.unwrap(), "789");
    store.delete("x").await.unwrap();
    store.delete("x").await.unwrap();
    assert!(store.get("x", None).await.unwrap_err().is_absent());
}

#[tokio::test]
async fn a_listing_comes_in_order_and_in_pages() {
    let (_folder, store) = store();
    for number in 0..1003 {
        store
            .put(
                &format!("ltx/0/{number:04}"),
                &ObjectBody::Bytes("x".into()),
                &ObjectMetadata::new(),
                &Precondition::None,
            )
            .await
            .unwrap();
    }
    put(&store, "ltx/9/0001", "x", &Precondition::None).await.unwrap();
    let first = store.list("ltx/0/", None).await.unwrap();
    let rest = store.list("ltx/0/", first.next.as_deref()).await.unwrap();
    assert_eq!((first.objects.len(), rest.objects.len(), rest.next), (1000, 3, None));
    assert_eq!(rest.objects[0].key, "ltx/0/1000");
    assert_eq!(store.list("ltx/0/100", None).await.unwrap().objects.len(), 3);
}

#[tokio::test]
async fn a_key_that_leads_out_is_refused() {
    let (_folder, store) = store();
    for key in ["../a", "a/../../b", "/etc/passwd", "", ".lock", "a/.metadata/b"] {
        assert!(matches!(put(&store, key, "x", &Precondition::None).await, Err(StoreFault::Other { .. })), "{key}");
    }
}
