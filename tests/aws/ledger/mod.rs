//! The journal and its lease: the same tests for a directory and for a bucket.

/// Tests for a directory and the same for a bucket.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod directory {
            $(#[tokio::test] async fn $name() { super::$name(&crate::ledger::Ground::directory()).await; })+
        }
        mod bucket {
            $(#[tokio::test] async fn $name() { super::$name(&crate::ledger::Ground::bucket().await).await; })+
        }
    };
}

mod damage;
mod entries;
mod facts;
mod formats;
mod leases;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use akidb_edge::ledger::{FORMAT, Fact, FileStore, Lease, Ledger, LedgerError, ResourceSnapshot, Store};
use akidb_edge::provider::aws::journal_store;
use akidb_edge::resource::{Action, Address, Artifacts, Attributes, Kind, Level};
use aws_sdk_s3::Client;
use serde_json::json;
use tempfile::TempDir;
use testkit::battery::TestAccountWorld;

const STACK: &str = "stack";
const HERE: &str = "here";

/// Where a journal lies, and how to look at it from outside.
enum Ground {
    Directory(TempDir),
    Bucket(Client, String),
}

impl Ground {
    fn directory() -> Self {
        Self::Directory(TempDir::new().expect("a directory"))
    }

    async fn bucket() -> Self {
        let world = TestAccountWorld::new(Artifacts::default()).await;
        let config = aws_sdk_s3::config::Builder::from(&world.sdk).force_path_style(true).build();
        let client = Client::from_conf(config);
        let name = format!("journal-{}", world.account);
        client.create_bucket().bucket(&name).send().await.expect("a bucket");
        Self::Bucket(client, name)
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Directory(directory) => Arc::new(FileStore::new(directory.path(), STACK, HERE)),
            Self::Bucket(client, name) => Arc::new(journal_store(client, name, "edge/", STACK, HERE)),
        }
    }

    /// Puts the text of a journal there, as another program might.
    async fn put(&self, text: &str) {
        match self {
            Self::Directory(directory) => {
                std::fs::create_dir_all(directory.path().join(STACK)).expect("a directory");
                std::fs::write(directory.path().join(STACK).join("journal.jsonl"), text).expect("written");
            }
            Self::Bucket(client, name) => {
                let key = format!("edge/{STACK}/journal/{:020}.jsonl", 1);
                let body = text.as_bytes().to_vec().into();
                client.put_object().bucket(name).key(key).body(body).send().await.expect("written");
            }
        }
    }

    /// Deletes what is kept apart from the journal.
    async fn lose_contents(&self) {
        match self {
            Self::Directory(directory) => {
                std::fs::remove_dir_all(directory.path().join(STACK).join("content")).expect("it is there");
            }
            Self::Bucket(client, name) => {
                let prefix = format!("edge/{STACK}/content/");
                let listed = client.list_objects_v2().bucket(name).prefix(prefix).send().await.expect("listed");
                assert!(!listed.contents().is_empty(), "contents lie below it");
                for object in listed.contents() {
                    let key = object.key().expect("a key");
                    client.delete_object().bucket(name).key(key).send().await.expect("deleted");
                }
            }
        }
    }

    async fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::write(self.store(), STACK, mine()).await
    }
}

fn mine() -> Lease {
    Lease::new("me", HERE, "deploy")
}

fn address(number: usize) -> Address {
    Address::new("models", Kind::Bucket, &format!("b{number}"))
}

fn subject(number: usize) -> ResourceSnapshot {
    ResourceSnapshot {
        address: address(number),
        kind: Kind::Bucket,
        generation: 0,
        spec: json!({"name": format!("b{number}"), "tags": {"of": "${edge.role.reader#arn}"}}),
        needs: BTreeMap::from([("edge.role.reader".parse().expect("an address"), Level::Usable)]),
        step: "models".into(),
        after: std::collections::BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    }
}

fn attributes(id: &str) -> Attributes {
    Attributes::from([("id".into(), json!(id)), ("arn".into(), json!(format!("arn:{id}")))])
}

fn succeeded(number: usize) -> Fact {
    let id = format!("id-{number}");
    Fact::Succeeded { action: Action::Create, subject: subject(number), attributes: attributes(&id), id, took_ms: 40 }
}

/// The treaty's journals: what akidb-edge of that format wrote.
fn treaty(format: u32, name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/state/v{format}/{name}.jsonl"));
    std::fs::read_to_string(path).expect("the fixture")
}

fn fixture() -> String {
    treaty(FORMAT, "every-fact")
}

fn lines_of(text: &str) -> Vec<&str> {
    text.lines().collect()
}
