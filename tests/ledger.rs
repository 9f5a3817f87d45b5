//! The journal and its lease: the same tests for a directory and for a bucket.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use akidb_edge::ledger::{Entry, FORMAT, Fact, FileStore, Lease, Ledger, LedgerError, S3Store, Store, Subject, fold};
use akidb_edge::resource::{
    Action, Address, Artefacts, Attributes, Class, Ending, Fault, Kind, Leftover, Level, Moves, sha256_hex,
};
use aws_sdk_s3::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::battery::World;
use support::fake_world::began;
use tempfile::TempDir;

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
        let world = World::new(Artefacts::default()).await;
        let config = aws_sdk_s3::config::Builder::from(&world.sdk).force_path_style(true).build();
        let client = Client::from_conf(config);
        let name = format!("journal-{}", world.account);
        client.create_bucket().bucket(&name).send().await.expect("a bucket");
        Self::Bucket(client, name)
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Directory(directory) => Arc::new(FileStore::new(directory.path(), STACK, HERE)),
            Self::Bucket(client, name) => Arc::new(S3Store::new(client.clone(), name, "edge/", STACK, HERE)),
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

fn subject(number: usize) -> Subject {
    Subject {
        address: address(number),
        kind: Kind::Bucket,
        generation: 0,
        spec: json!({"name": format!("b{number}"), "tags": {"of": "${edge.role.reader#arn}"}}),
        needs: BTreeMap::from([("edge.role.reader".parse().expect("an address"), Level::Usable)]),
        step: "models".into(),
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

async fn comes_back(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    for number in 0..3 {
        let intended = Fact::Intended { action: Action::Create, subject: subject(number), id: None };
        ledger.record(intended).await.expect("recorded");
        ledger.record(succeeded(number)).await.expect("recorded");
    }
    let (state, entries) = (ledger.remembered(), ledger.entries().await.expect("readable"));
    ledger.close().await.expect("closed");
    assert!(ground.store().lease().await.expect("readable").is_none(), "the lease was given back");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.entries().await.expect("readable"), entries);
    assert_eq!(again.remembered(), state);
    let refused = again.record(began(2)).await.expect_err("opened for reading");
    assert!(matches!(refused, LedgerError::LeaseLost(_)), "{refused}");
}

async fn many_at_once(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let all = (0..100).map(|number| ledger.record(succeeded(number)));
    for answer in futures::future::join_all(all).await {
        answer.expect("recorded");
    }
    let entries = ledger.entries().await.expect("readable");
    ledger.close().await.expect("closed");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.entries().await.expect("readable"), entries, "all there, in order");
    assert_eq!(again.remembered().resources.len(), 100);
}

async fn one_writer(ground: &Ground) {
    let ledger = ground.open().await.expect("open");
    match Ledger::write(ground.store(), STACK, Lease::new("other", "there", "destroy")).await {
        Err(LedgerError::Locked(held)) => {
            assert_eq!((held.user.as_str(), held.host.as_str(), held.command.as_str()), ("me", HERE, "deploy"));
            assert_eq!(held.pid, std::process::id());
        }
        other => panic!("{:?}", other.err()),
    }
    Ledger::read(ground.store(), STACK).await.expect("reading needs no lease");
    ledger.close().await.expect("closed");
    Ledger::write(ground.store(), STACK, Lease::new("other", "there", "destroy")).await.expect("free again");
}

async fn the_dead_and_the_expired_are_taken_over(ground: &Ground) {
    let now = Timestamp::now();
    let there = Lease::new("they", "there", "deploy");
    // No process has this number: it is above the largest that the kernel gives.
    let dead = Lease { pid: u32::MAX - 1, process_start: Some(1), ..mine() };
    let expired = Lease { expires: now - SignedDuration::from_secs(1), ..there.clone() };
    for stale in [dead, expired] {
        ground.store().break_lease().await.expect("broken");
        ground.store().acquire(&stale).await.expect("put there");
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{}: {bad}", stale.host));
        ledger.record(began(ledger.remembered().revision() + 1)).await.expect("recorded");
        ledger.close().await.expect("closed");
    }
    ground.store().acquire(&there).await.expect("put there");
    assert!(matches!(ground.open().await, Err(LedgerError::Locked(_))), "a living one is left alone");
}

async fn who_lost_the_lease_writes_no_more(ground: &Ground) {
    let old = ground.open().await.expect("open");
    old.record(began(1)).await.expect("recorded");
    ground.store().break_lease().await.expect("broken");
    let new = Ledger::write(ground.store(), STACK, Lease::new("other", "there", "deploy")).await.expect("taken");
    new.record(began(2)).await.expect("recorded");
    let lost = old.record(succeeded(1)).await.expect_err("the lease is somebody else's");
    assert!(matches!(lost, LedgerError::LeaseLost(_)), "{lost}");
    old.close().await.expect("closed");
    let held = ground.store().lease().await.expect("readable").expect("still held");
    assert_eq!(held.user, "other", "who lost it does not give it back");
    new.record(succeeded(2)).await.expect("the new holder goes on");
    let facts = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable").len();
    assert_eq!(facts, 3);
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

async fn what_cannot_be_read_is_refused_with_its_line(ground: &Ground) {
    let text = fixture();
    let lines = lines_of(&text);
    let broken = [lines[0], &lines[1][..20], lines[2], ""].join("\n");
    ground.put(&broken).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Corrupt { line, .. }) => assert_eq!(line, 2),
        other => panic!("{other:?}"),
    }
    assert!(ground.store().lease().await.expect("readable").is_none(), "the lease was given back");
    ground
        .put(&format!(
            "{}\n{}\n",
            lines[0],
            lines[1].replace(&format!("\"v\":{FORMAT}"), &format!("\"v\":{}", FORMAT + 1))
        ))
        .await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Newer { found, known, .. }) => assert_eq!((found, known), (FORMAT + 1, FORMAT)),
        other => panic!("{other:?}"),
    }
    // Format 1 has no checksums, but its entries are counted.
    let old = treaty(1, "every-fact");
    let old = lines_of(&old);
    ground.put(&format!("{}\n{}\n", old[0], old[2])).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Contradicts { source, .. }) => assert_eq!(source.seq, 3),
        other => panic!("{other:?}"),
    }
    ground.put(&format!("{}\n{}\n", lines[0], old[1])).await;
    match ground.open().await.map(drop) {
        Err(LedgerError::Corrupt { line, problem, .. }) => {
            assert_eq!(
                (line, problem.as_str()),
                (2, format!("it has format 1 behind a line of format {FORMAT}").as_str())
            );
        }
        other => panic!("{other:?}"),
    }
}

async fn a_journal_of_each_format_is_read(ground: &Ground) {
    for format in 1..=FORMAT {
        ground.put(&treaty(format, "every-fact")).await;
        let entries = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable");
        let facts: Vec<Fact> = entries.iter().map(|entry| entry.fact.clone()).collect();
        assert_eq!(facts, facts_of(format), "format {format}");
        let state = fold(STACK, &entries).expect("it folds");
        let snapshot = serde_json::to_string_pretty(&state).expect("plain data");
        let name = if format < 3 { "journal_v1_folds_to" } else { "journal_v3_folds_to" };
        insta::assert_snapshot!(name, snapshot);
    }
}

/// What lies in the store besides lease and guard, as (name, content).
async fn everything_in(ground: &Ground) -> BTreeMap<String, String> {
    match ground {
        Ground::Directory(directory) => {
            let folder = std::fs::read_dir(directory.path().join(STACK)).into_iter().flatten();
            let files = folder.map(|entry| entry.expect("an entry").path());
            let named = files.map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).expect("text"))
            });
            named.filter(|(name, _)| !name.starts_with("lease")).collect()
        }
        Ground::Bucket(client, name) => {
            let listed = client.list_objects_v2().bucket(name).prefix(format!("edge/{STACK}/journal"));
            let mut all = BTreeMap::new();
            for item in listed.send().await.expect("listed").contents() {
                let key = item.key().expect("a key");
                let object = client.get_object().bucket(name).key(key).send().await.expect("there");
                let bytes = object.body.collect().await.expect("read").into_bytes();
                let short = key.trim_start_matches(&format!("edge/{STACK}/")).to_owned();
                all.insert(short, String::from_utf8(bytes.to_vec()).expect("text"));
            }
            all
        }
    }
}

async fn an_older_journal_goes_on_in_this_format_and_is_kept(ground: &Ground) {
    let old = treaty(1, "every-fact");
    ground.put(&old).await;
    let before = everything_in(ground).await;
    let reader = Ledger::read(ground.store(), STACK).await.expect("readable");
    let state = reader.remembered();
    let ledger = ground.open().await.expect("open");
    assert_eq!(ledger.older().map(|(format, _)| format), Some(1), "who opens it for writing is told");
    ledger.close().await.expect("closed");
    assert_eq!(everything_in(ground).await, before, "opened and nothing to say: nothing is written");

    let ledger = ground.open().await.expect("open");
    ledger.record(began(state.revision() + 1)).await.expect("recorded");
    ledger.record(succeeded(7)).await.expect("recorded");
    assert_eq!(ledger.older(), None, "it has this format now");
    let there = everything_in(ground).await;
    let kept: Vec<&String> = there.iter().filter(|(name, _)| name.contains("v1.bak")).map(|(_, text)| text).collect();
    assert_eq!(kept, [&old], "the journal of format 1, byte by byte");
    let all = ground.store().text().await.expect("readable");
    let new = all.strip_prefix(&old).expect("entries are only ever added");
    assert!(
        new.lines().count() == 2 && new.lines().all(|line| line.starts_with(&format!("{{\"v\":{FORMAT},"))),
        "{new}"
    );
    let (expected, entries) = (ledger.remembered(), ledger.entries().await.expect("readable"));
    ledger.close().await.expect("closed");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!((again.remembered(), again.entries().await.expect("readable")), (expected, entries));
    // From the first line of format 2 on, the lines of format 1 are sealed, too.
    if let Ground::Directory(_) = ground {
        ground.put(&all.replacen("deploy cdn", "deploy cdm", 1)).await;
        let line = old.lines().count() + 1;
        match ground.open().await.map(drop) {
            Err(LedgerError::Corrupt { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{other:?}"),
        }
    }
}

/// A file on a device with a password in it.
fn with_content(text: &str) -> Subject {
    let address = Address::new("jetson", Kind::File, "a-etc-x");
    let spec = json!({"host": "a", "path": "/etc/x", "content": {"text": text}, "mode": "0600"});
    Subject { address, kind: Kind::File, spec, needs: BTreeMap::new(), ..subject(0) }
}

async fn contents_lie_apart(ground: &Ground) {
    const TEXT: &str = "PASSWORD=journal-canary-51c2\n";
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let (subject, id) = (with_content(TEXT), "a:/etc/x".to_owned());
    let intended = Fact::Intended { action: Action::Create, subject: subject.clone(), id: None };
    ledger.record(intended).await.expect("recorded");
    let succeeded = Fact::Succeeded { action: Action::Create, subject, attributes: Attributes::new(), id, took_ms: 1 };
    ledger.record(succeeded).await.expect("recorded");
    let (state, entries) = (ledger.remembered(), ledger.entries().await.expect("readable"));
    // What a saved plan holds is kept in the same way.
    let mut saved = json!({"after": {"content": {"text": "saved-canary-51c2"}}});
    let whole = saved.clone();
    ledger.keep_apart(&mut saved).await.expect("kept");
    assert!(!saved.to_string().contains("canary"), "{saved}");
    ledger.bring_back(&mut saved).await.expect("brought back");
    assert_eq!(saved, whole);
    ledger.close().await.expect("closed");
    let text = ground.store().text().await.expect("readable");
    assert!(!text.contains("canary"), "{text}");
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    assert_eq!(again.remembered(), state, "a rollback finds the content");
    assert_eq!(again.entries().await.expect("readable"), entries);

    ground.lose_contents().await;
    let again = Ledger::read(ground.store(), STACK).await.expect("readable");
    let spec = &again.remembered().resources[&Address::new("jetson", Kind::File, "a-etc-x")].spec;
    assert_eq!(spec["content"], json!({"sha256": sha256_hex(TEXT.as_bytes())}), "its hash is still known");
}

#[tokio::test]
async fn a_journal_is_for_its_user_alone() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { return };
    let root = directory.path().join("state");
    let store = || Arc::new(FileStore::new(&root, STACK, HERE));
    let stack = root.join(STACK);
    // An earlier version left it open to all.
    std::fs::create_dir_all(stack.join("artefacts")).expect("folders");
    for name in ["journal.jsonl", "journal.v3.bak"] {
        std::fs::write(stack.join(name), "").expect("a file");
        std::fs::set_permissions(stack.join(name), Permissions::from_mode(0o644)).expect("its mode");
    }
    std::fs::set_permissions(&stack, Permissions::from_mode(0o755)).expect("its mode");
    let ledger = Ledger::write(store(), STACK, mine()).await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let intended = Fact::Intended { action: Action::Create, subject: with_content("text of a file"), id: None };
    ledger.record(intended).await.expect("recorded");
    all_private(&stack);
    ledger.close().await.expect("closed");
    let fresh = directory.path().join("fresh");
    let ledger = Ledger::write(Arc::new(FileStore::new(&fresh, STACK, HERE)), STACK, mine()).await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    all_private(&fresh);
    ledger.close().await.expect("closed");
}

/// Files are 0600, folders 0700.
fn all_private(path: &std::path::Path) {
    let facts = std::fs::metadata(path).expect("it is there");
    let wanted = if facts.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(facts.permissions().mode() & 0o777, wanted, "{}", path.display());
    if facts.is_dir() {
        std::fs::read_dir(path).expect("a folder").for_each(|entry| all_private(&entry.expect("an entry").path()));
    }
}

macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod directory {
            $(#[tokio::test] async fn $name() { super::$name(&super::Ground::directory()).await; })+
        }
        mod bucket {
            $(#[tokio::test] async fn $name() { super::$name(&super::Ground::bucket().await).await; })+
        }
    };
}

on_both!(
    comes_back,
    contents_lie_apart,
    many_at_once,
    one_writer,
    the_dead_and_the_expired_are_taken_over,
    who_lost_the_lease_writes_no_more,
    what_cannot_be_read_is_refused_with_its_line,
    a_journal_of_each_format_is_read,
    an_older_journal_goes_on_in_this_format_and_is_kept,
);

#[tokio::test]
async fn an_unfinished_last_line_is_left_out_and_written_over() {
    let text = fixture().replace("me@here", "mé@here");
    let whole = resealed(&text);
    let lines = lines_of(&whole);
    let (kept, last) = (format!("{}\n{}\n", lines[0], lines[1]), lines[2].as_bytes());
    let accent = lines[13].find('é').expect("the second run has it");
    let torn: [(&str, Vec<u8>); 4] = [
        ("cut", last[..30].to_vec()),
        ("cut within a letter of two bytes", lines[13].as_bytes()[..=accent].to_vec()),
        ("zeros of a file system that lost power", vec![0; 4096]),
        ("cut, then zeros", [&last[..30], &[0; 512]].concat()),
    ];
    for (how, rest) in torn {
        let ground = Ground::directory();
        ground.put("").await;
        let Ground::Directory(directory) = &ground else { unreachable!() };
        let path = directory.path().join(STACK).join("journal.jsonl");
        std::fs::write(&path, [kept.as_bytes(), &rest].concat()).expect("written");
        let reader = Ledger::read(ground.store(), STACK).await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(reader.entries().await.expect("readable").len(), 2, "{how}");
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        ledger.record(succeeded(9)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let entries = Ledger::read(ground.store(), STACK).await.expect("readable").entries().await.expect("readable");
        assert_eq!(entries.len(), 3, "{how}");
        assert_eq!(entries[2].fact, succeeded(9), "{how}");
    }
}

#[tokio::test]
async fn what_editors_do_to_line_ends_is_no_damage() {
    let text = fixture();
    let count = lines_of(&text).len();
    let spoilt: [(&str, String); 6] = [
        ("CRLF", text.replace('\n', "\r\n")),
        ("a blank last line", format!("{text}\n")),
        ("blank lines with blanks", text.replace('\n', "\n  \r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("the end of the last line taken away", text.trim_end().to_owned()),
        ("CRLF without the last", text.trim_end().replace('\n', "\r\n")),
    ];
    for (how, text) in spoilt {
        let ground = Ground::directory();
        ground.put(&text).await;
        let ledger = ground.open().await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(ledger.entries().await.expect("readable").len(), count, "{how}: no entry is dropped");
        ledger.record(began(ledger.remembered().revision() + 1)).await.expect("recorded");
        ledger.record(succeeded(9)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let again = Ledger::read(ground.store(), STACK).await.unwrap_or_else(|bad| panic!("{how}: {bad}"));
        assert_eq!(again.entries().await.expect("readable").len(), count + 2, "{how}");
        let Ground::Directory(directory) = &ground else { unreachable!() };
        let now = std::fs::read_to_string(directory.path().join(STACK).join("journal.jsonl")).expect("a journal");
        assert!(now.starts_with(&text), "{how}: what was there stays");
    }
}

#[tokio::test]
async fn after_a_write_that_failed_nothing_is_written_that_would_leave_a_gap() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let (journal, away) = (directory.path().join(STACK).join("journal.jsonl"), directory.path().join("away"));
    std::fs::rename(&journal, &away).expect("moved");
    std::fs::create_dir(&journal).expect("in its place");
    let failed = ledger.record(succeeded(1)).await.expect_err("a directory is no file");
    assert!(matches!(failed, LedgerError::File { .. }), "{failed}");
    std::fs::remove_dir(&journal).expect("gone");
    std::fs::rename(&away, &journal).expect("back");
    let broken = ledger.record(succeeded(2)).await.expect_err("entry 2 is missing");
    assert!(matches!(broken, LedgerError::Broken(_)), "{broken}");
    ledger.close().await.expect("closed");
    let entries =
        Ledger::read(ground.store(), STACK).await.expect("readable, without a gap").entries().await.expect("readable");
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn who_wrote_in_between_is_noticed() {
    let ground = Ground::directory();
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let ledger = ground.open().await.expect("open");
    ledger.record(began(1)).await.expect("recorded");
    let journal = directory.path().join(STACK).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    std::fs::write(&journal, format!("{text}{text}")).expect("written");
    let lost = ledger.record(succeeded(1)).await.expect_err("somebody else wrote");
    assert!(matches!(lost, LedgerError::LeaseLost(_)), "{lost}");
}

/// The journal with the same entries and right checksums, after a test changed its words.
fn resealed(text: &str) -> String {
    let mut before = [0; 32];
    let lines = text.lines().map(|line| {
        let body = format!("{}}}", line.rsplit_once(",\"sum\"").expect("sealed").0);
        before = <sha2::Sha256 as sha2::Digest>::digest([&before[..], body.as_bytes()].concat()).into();
        format!("{},\"sum\":\"{}\"}}\n", &body[..body.len() - 1], hex::encode(&before[..8]))
    });
    lines.collect()
}

#[tokio::test]
async fn damage_is_found_at_its_line_wherever_it_is() {
    let text = fixture();
    let lines = lines_of(&text);
    for at in 0..lines.len() {
        let ground = Ground::directory();
        let refused_at = |text: String| {
            let ground = &ground;
            async move {
                ground.put(&text).await;
                match Ledger::read(ground.store(), STACK).await.map(drop) {
                    Err(LedgerError::Corrupt { line, .. }) => line,
                    other => panic!("line {at}: {other:?}"),
                }
            }
        };
        let whole = |lines: &[&str]| lines.join("\n") + "\n";
        let with = |line: &str| {
            let mut changed = lines.clone();
            changed[at] = line;
            whole(&changed)
        };
        // One letter of a word, so that it is still JSON and still an entry.
        let edited = lines[at].replacen("2026-11-21", "2026-11-22", 1);
        assert_eq!(refused_at(with(&edited)).await, at + 1, "edited");
        let unsealed = format!("{}}}", lines[at].rsplit_once(",\"sum\"").expect("sealed").0);
        assert_eq!(refused_at(with(&unsealed)).await, at + 1, "without its checksum");
        if at + 1 < lines.len() {
            assert_eq!(refused_at(with("")).await, at + 2, "a blank line in its place");
            let mut fewer = lines.clone();
            fewer.remove(at);
            assert_eq!(refused_at(whole(&fewer)).await, at + 1, "taken out");
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert_eq!(refused_at(whole(&swapped)).await, at + 1, "out of order");
        }
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert_eq!(refused_at(whole(&twice)).await, at + 2, "twice");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_with_their_line() {
    let ground = Ground::directory();
    ground.put("").await;
    let Ground::Directory(directory) = &ground else { unreachable!() };
    let mut bytes = treaty(1, "every-fact").into_bytes();
    let second = bytes.iter().position(|byte| *byte == b'\n').expect("lines") + 1;
    bytes[second + 100] = 0xff;
    std::fs::write(directory.path().join(STACK).join("journal.jsonl"), bytes).expect("written");
    match Ledger::read(ground.store(), STACK).await.map(drop) {
        Err(LedgerError::Corrupt { line, problem, .. }) => {
            assert_eq!((line, problem.as_str()), (2, "byte 101 is not UTF-8"));
        }
        other => panic!("{other:?}"),
    }
}

/// Journals that the first version wrote against a local AWS: the same state, whatever reads them.
#[tokio::test]
async fn real_journals_of_format_1_fold_to_the_state_that_they_had() {
    for name in ["deployed-cut-over-rolled-back", "killed", "destroyed"] {
        let ground = Ground::directory();
        ground.put(&treaty(1, name)).await;
        let state = Ledger::read(ground.store(), STACK).await.expect("readable").remembered();
        let resources = state.resources.iter().map(|(address, record)| {
            let id = record.id.as_ref().map_or("-", |_| "known");
            format!("{address} {:?} generation {} {id}\n", record.standing, record.generation)
        });
        let runs = state.runs.iter().map(|run| format!("{} {:?} {}\n", run.command, run.ending, run.changes));
        let whole = serde_json::to_vec(&state).expect("plain data");
        let summary = format!(
            "{}{}requested {:?}, fallback {:?}, {} leftovers\nsha256 of the whole state {}\n",
            runs.collect::<String>(),
            resources.collect::<String>(),
            state.requested,
            state.fallback,
            state.leftovers.len(),
            hex::encode(<sha2::Sha256 as sha2::Digest>::digest(whole)),
        );
        insta::assert_snapshot!(format!("real_v1_{name}"), summary);
        // The same entries, written by this version, fold to the same.
        let ledger = ground.open().await.expect("open");
        ledger.record(began(state.revision() + 1)).await.expect("recorded");
        ledger.close().await.expect("closed");
        let again = Ledger::read(ground.store(), STACK).await.expect("readable");
        assert_eq!(again.remembered_at(state.revision()).await.expect("it folds"), state, "{name}");
    }
}

/// Every fact that a journal may hold, in an order that a run might write.
fn every_fact() -> Vec<Fact> {
    let fault = Fault::new(Class::Refused, "s3", "CreateBucket", "InvalidBucketName", "not valid").next("another name");
    let left = Leftover {
        address: address(3),
        kind: Kind::Bucket,
        id: "id-3".into(),
        spec: json!({"name": "b3"}),
        attributes: attributes("id-3"),
        reason: "a newer one took its place".into(),
        held_by: Default::default(),
    };
    let again = Leftover { id: "id-4".into(), address: address(4), ..left.clone() };
    let intended = |action: Action, number, id: Option<&str>| Fact::Intended {
        action,
        subject: subject(number),
        id: id.map(str::to_owned),
    };
    let balancer = Subject {
        address: "routing.load-balancer.eu".parse().expect("an address"),
        kind: Kind::LoadBalancer,
        generation: 0,
        spec: json!({"name": "eu"}),
        needs: BTreeMap::new(),
        step: "routing".into(),
        origin: None,
        seen: Attributes::new(),
    };
    let renewed = Subject { generation: 1, ..subject(3) };
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
        Fact::RunEnded { ending: Ending::Partial, changes: 4 },
        Fact::RunBegan {
            revision: 2,
            command: "rollback".into(),
            by: "me@here".into(),
            account: "123456789012".into(),
            stack: String::new(),
            tool: "0.1.0".into(),
            requested: BTreeSet::new(),
            fallback: Some("dns-to-origin".into()),
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
        Fact::RunEnded { ending: Ending::Done, changes: 2 },
    ]
}

/// The facts that a format knows.
fn facts_of(format: u32) -> Vec<Fact> {
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
