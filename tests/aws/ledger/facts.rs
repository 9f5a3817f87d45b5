//! Every fact that a journal may hold, and the fixture that is written of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use akidb_edge::ledger::{Entry, Fact, ResourceSnapshot};
use akidb_edge::resource::{Action, Attributes, Fault, FaultClass, Kind, Moves, PendingDeletion, RunStatus};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Ground, STACK, address, attributes, mine, subject, succeeded};

/// Every fact that a journal may hold, in an order that a run might write.
fn every_fact() -> Vec<Fact> {
    let fault =
        Fault::new(FaultClass::Refused, "s3", "CreateBucket", "InvalidBucketName", "not valid").next("another name");
    let left = PendingDeletion {
        address: address(3),
        kind: Kind::Bucket,
        id: "id-3".into(),
        spec: json!({"name": "b3"}),
        attributes: attributes("id-3"),
        reason: "a newer one took its place".into(),
        held_by: Default::default(),
    };
    let again = PendingDeletion { id: "id-4".into(), address: address(4), ..left.clone() };
    let intended = |action: Action, number, id: Option<&str>| Fact::Intended {
        action,
        subject: subject(number),
        id: id.map(str::to_owned),
    };
    let balancer = ResourceSnapshot {
        address: "routing.load-balancer.eu".parse().expect("an address"),
        kind: Kind::LoadBalancer,
        generation: 0,
        spec: json!({"name": "eu"}),
        needs: BTreeMap::new(),
        step: "routing".into(),
        after: std::collections::BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    };
    let renewed = ResourceSnapshot { generation: 1, ..subject(3) };
    vec![
        Fact::RunBegan {
            revision: 1,
            command: "deploy cdn".into(),
            by: "me@here".into(),
            account: "123456789012".into(),
            stack: String::new(),
            tool: "0.1.0".into(),
            requested: BTreeSet::from(["cutover".to_owned()]),
            fallback: None,
            purpose: None,
            platforms: Vec::new(),
        },
        Fact::Learned { subject: balancer, id: "arn:eu".into(), attributes: attributes("arn:eu") },
        intended(Action::Create, 1, None),
        succeeded(1),
        intended(Action::Create, 2, None),
        Fact::Failed { action: Action::Create, address: address(2), fault },
        intended(Action::Create, 3, None),
        succeeded(3),
        intended(Action::Create, 4, None),
        succeeded(4),
        intended(Action::Create, 5, None),
        succeeded(5),
        Fact::RunEnded { ending: RunStatus::Partial, changes: 4 },
        Fact::RunBegan {
            revision: 2,
            command: "rollback".into(),
            by: "me@here".into(),
            account: "123456789012".into(),
            stack: String::new(),
            tool: "0.1.0".into(),
            requested: BTreeSet::new(),
            fallback: Some("dns-to-origin".into()),
            purpose: None,
            platforms: Vec::new(),
        },
        Fact::SetAside(left.clone()),
        Fact::Intended { action: Action::Create, subject: renewed.clone(), id: None },
        Fact::Succeeded {
            action: Action::Create,
            subject: renewed,
            id: "id-3b".into(),
            attributes: attributes("id-3b"),
            took_ms: 7,
        },
        Fact::Cleared { address: left.address, id: left.id },
        Fact::SetAside(again),
        intended(Action::Delete, 5, Some("id-5")),
        Fact::Removed { address: address(5), id: "id-5".into() },
        Fact::Forgotten { address: "routing.load-balancer.eu".parse().expect("an address") },
        intended(Action::Update, 1, Some("id-1")),
        intended(Action::Create, 6, None),
        Fact::Moved(Moves { addresses: BTreeMap::from([(address(1), address(7))]), sets: Vec::new() }),
        Fact::RunEnded { ending: RunStatus::Done, changes: 2 },
    ]
}

/// The facts that a format knows.
pub fn facts_of(format: u32) -> Vec<Fact> {
    every_fact().into_iter().filter(|fact| format >= 3 || !matches!(fact, Fact::Moved(_))).collect()
}

/// Writes the fixture of this version's format; only for a new format, never over an old one.
#[tokio::test]
#[ignore = "writes a file of the source tree"]
async fn write_the_fixture() {
    let run = uuid::Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);
    let at: Timestamp = "2026-11-21T06:00:00Z".parse().expect("a time");
    let v = akidb_edge::ledger::FORMAT;
    let entries = every_fact().into_iter().zip(1..).map(|(fact, seq)| {
        let at = at + SignedDuration::from_secs(i64::try_from(seq).expect("small"));
        Entry { v, seq, run, at, fact }
    });
    let ground = Ground::directory();
    let lease = mine();
    ground.store().acquire(&lease).await.expect("the lease");
    ground.store().append(&entries.collect::<Vec<_>>(), &lease).await.expect("written");
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/state/v{v}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut file = std::fs::File::create_new(folder.join("every-fact.jsonl")).expect("no fixture of this format yet");
    let text = std::fs::read(directory.path().join(STACK).join("journal.jsonl")).expect("written");
    std::io::Write::write_all(&mut file, &text).expect("written");
}
