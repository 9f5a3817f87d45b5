//! A database that is published to a bucket and followed from it, with the binary and over HTTP, while S3 fails in each of the ways in
//! which it does: the alarm comes in time, nothing is lost, and it catches up by itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use testkit::cli::TestAccount;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, throttled, wait};

/// More than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(90);
/// Changes wait for three seconds before the publisher says so. Here is what a busy machine may add to that.
const ALARM: std::ops::Range<f64> = 3.0..8.0;

/// A process, and the lines that it has written to standard error.
struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(account: &TestAccount, words: &str) -> Self {
        let mut command = account.command(words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (said, kept) = (child.stderr.take().expect("a pipe"), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                kept.lock().expect("no broken lock").push(line);
            }
        });
        Self { child, lines }
    }

    /// The first line behind the first `behind` ones that has this text; waits for it.
    #[track_caller]
    fn line(&self, behind: usize, text: &str) -> String {
        let find =
            || self.lines.lock().expect("no broken lock").iter().skip(behind).find(|line| line.contains(text)).cloned();
        until(&format!("{text:?} is said: {:?}", self.lines.lock().expect("no broken lock")), || find().is_some());
        find().expect("just seen")
    }

    fn count(&self) -> usize {
        self.lines.lock().expect("no broken lock").len()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < SOON, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Rows of a database; none while it is not there.
fn rows(file: &Path) -> Option<i64> {
    let open = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    open.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).ok()
}

/// The seconds in `changes have waited for 3.012 s`.
fn seconds(line: &str) -> f64 {
    let words: Vec<&str> = line.split(' ').collect();
    let at = words.iter().position(|word| *word == "for").expect("a time");
    words[at + 1].parse().unwrap_or_else(|bad| panic!("{bad}: {line}"))
}

#[test]
fn a_bucket_that_fails_is_told_and_nothing_is_lost() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::of(local_aws::account()).through(proxy.url());
    let bucket = format!("replica-{}", account.number);
    wait(account.s3().create_bucket().bucket(&bucket).send()).expect("a bucket");
    let open = Connection::open(account.path("p.db")).expect("a database");
    open.busy_timeout(SOON).expect("set");
    open.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)").expect("a table");
    let place = format!("s3://{bucket}/metadata");
    let publisher =
        Running::start(&account, &format!("replicate metadata --primary p.db --to {place} --unsigned --continuous"));
    let follow =
        format!("replicate follow --from {place} --db r.db --unsigned --poll-interval 200ms --max-staleness 2s");
    let follower = Running::start(&account, &follow);
    let replica = account.path("r.db");
    until("the replica is made", || rows(&replica) == Some(0));
    let mut wanted = 0;
    let mut insert = || {
        open.execute("INSERT INTO t VALUES (NULL, randomblob(3000))", []).expect("a row");
        wanted += 1;
        wanted
    };
    for (name, trouble) in [
        ("throttled", ProxyAction::Refuse(throttled("s3"))),
        ("connections are lost", ProxyAction::DropBefore),
        ("answers are lost", ProxyAction::DropAfter),
        ("no answers", ProxyAction::Pause),
    ] {
        let (said, told) = (publisher.count(), follower.count());
        proxy.on(|call| call.service == "s3", CallSelector::Each, trouble);
        insert();
        let alarm = publisher.line(said, "changes have waited for");
        assert!(ALARM.contains(&seconds(&alarm)), "{name}: {alarm}");
        follower.line(told, "the replica is ");
        insert();
        proxy.reset();
        let all = insert();
        until(&format!("{name}: all rows arrive"), || rows(&replica) == Some(all));
        publisher.line(said, "has all changes again");
        follower.line(told, "up to date");
    }
    // Slow, but working: late, and no alarm.
    let said = publisher.count();
    proxy.on(|call| call.service == "s3", CallSelector::Each, ProxyAction::Delay(Duration::from_millis(300)));
    insert();
    let all = insert();
    until("all rows arrive slowly", || rows(&replica) == Some(all));
    proxy.reset();
    let lines = publisher.lines.lock().expect("no broken lock")[said..].join("\n");
    assert!(!lines.contains("have waited"), "{lines}");
    let verified = account.run_bare(&format!("replicate verify --from {place} --unsigned --json")).exits(0).json();
    assert_eq!(verified["verdict"], "good");
    // The figure of the criterion `metadata.lag`: the places, and the replica.
    let status =
        account.run_bare(&format!("replicate status --from {place} --db r.db --unsigned --json")).exits(0).json();
    assert_eq!(status["lag"]["measure"], "metadata.lag");
    assert!(status["lag"]["seconds"].as_f64().is_some_and(|seconds| seconds < 60.0), "{status}");
    assert_eq!(status["replicas"][0]["txid"], status["targets"][0]["txid"]);
    let status =
        account.run_bare(&format!("replicate status --from {place} --db none.db --unsigned --json")).exits(2).json();
    assert!(status["lag"]["seconds"].is_null() && status["lag"]["unknown"][0] == "none.db", "{status}");
}
