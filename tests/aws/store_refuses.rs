//! A journal that cannot be written: a full disk, a bucket that refuses. Nothing is changed that was not announced before, the
//! run ends, and the next one goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use akidb_edge::ledger::Store;
use akidb_edge::provider::aws::journal_store;
use serde_json::Value;
use testkit::cli::{TestAccount, bare, finish, own_files, whole};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

/// A small file system that only processes in its own mount namespace see; it is gone with its holder.
struct Disk {
    holder: Child,
    at: PathBuf,
}

impl Disk {
    /// None where this user may not mount.
    fn of(kilobytes: usize, at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let script = format!("mount -t tmpfs -o size={kilobytes}k state {} && echo ready && exec cat", at.display());
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = String::new();
        BufReader::new(holder.stdout.as_mut()?).read_line(&mut said).ok()?;
        let disk = Self { holder, at: at.to_owned() };
        (said == "ready\n").then_some(disk)
    }

    /// The same command on this disk.
    fn enter(&self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.id().to_string()]);
        command.arg(format!("--wd={}", inner.get_current_dir().unwrap_or(Path::new("/")).display()));
        command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
        for (key, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command
    }

    fn grow(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-o", "remount,size=8m"]).arg(&self.at);
        assert!(self.enter(&mount).status().expect("mount runs").success());
    }

    /// The journal as it lies there.
    fn journal(&self, stack: &str) -> String {
        let inside = self.at.join(stack).join("journal.jsonl");
        let path = format!("/proc/{}/root{}", self.holder.id(), inside.display());
        String::from_utf8(fs::read(path).unwrap_or_default()).expect("text")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Its standard input ends with it; a holder that is gone already needs no end.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The call that makes a thing of each kind.
const MAKES: [(&str, &str); 7] = [
    ("CreateBucket", "bucket"),
    ("CreateRole", "role"),
    ("CreateFunction", "function"),
    ("CreateHostedZone", "zone"),
    ("CreateHealthCheck", "health-check"),
    ("CreateDistribution", "distribution"),
    ("RequestCertificate", "certificate"),
];

/// Every thing that was made had been announced in the journal as it lies there.
#[track_caller]
fn all_announced(how: &str, journal: &str, calls: &[ProxyCall]) {
    let mut announced: BTreeMap<String, usize> = BTreeMap::new();
    for line in journal.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|bad| panic!("{how}: {bad}: {line}"));
        if entry["fact"] == "intended" && entry["action"] == "create" {
            *announced.entry(entry["kind"].as_str().expect("a kind").to_owned()).or_default() += 1;
        }
    }
    for (operation, kind) in MAKES {
        let made = calls.iter().filter(|call| call.operation == operation).count();
        let announced = announced.get(kind).copied().unwrap_or(0);
        assert!(made <= announced, "{how}: {made} calls of {operation}, {announced} announced");
    }
    if announced.is_empty() {
        let changed: Vec<&ProxyCall> = calls.iter().filter(|call| call.mutates()).collect();
        assert!(changed.is_empty(), "{how}: nothing was announced: {changed:?}");
    }
}

#[test]
fn a_full_disk_ends_the_run_and_the_next_one_goes_on() {
    let scratch = tempfile::tempdir().expect("a directory");
    if Disk::of(64, &scratch.path().join("try")).is_none() {
        eprintln!("skipped: a file system of its own needs root, `unshare` and `nsenter` (util-linux)");
        return;
    }
    let mut ended_within_the_journal = 0;
    for kilobytes in [4, 40, 48, 56, 64] {
        let proxy = FaultProxy::start(&local_aws::endpoint());
        let account = TestAccount::new().through(proxy.url());
        let disk = Disk::of(kilobytes, &account.path("state")).expect("as before");
        let how = format!("{kilobytes} KB");
        let output = finish(&mut disk.enter(&account.planned("deploy --yes"))).exits(1);
        all_announced(&how, &disk.journal(testkit::cli::STACK), &proxy.take_calls());
        let full = ["the file system is full", "No space left on device"];
        assert!(full.iter().any(|words| output.stderr.contains(words)), "{how}: {}", output.stderr);
        assert!(output.stderr.contains("next: free"), "{how}: {}", output.stderr);
        eprintln!("{how}: {}", output.stderr.lines().find(|line| line.contains("error")).unwrap_or_default());
        if output.stderr.contains("more bytes must fit for the next entries of the journal") {
            ended_within_the_journal += 1;
            assert!(output.stderr.contains("journal.jsonl"), "{how}: it says which file: {}", output.stderr);
        }
        disk.grow();
        let again = finish(&mut disk.enter(&account.planned("deploy --yes")));
        assert_eq!(again.code, 0, "{how}: {}", again.all());
        assert_eq!(account.inventory(), whole(), "{how}: all there, nothing twice");
    }
    assert!(ended_within_the_journal >= 2, "the sizes meet the journal: {ended_within_the_journal}");
}

/// The binary with its state in a bucket.
fn in_bucket(account: &TestAccount, bucket: &str) -> Command {
    let mut command = bare();
    let place = format!("s3://{bucket}/edge");
    let prefix = format!("prefix=t{}", account.number);
    command
        .env("AWS_ENDPOINT_URL", &account.endpoint)
        .env("AWS_ACCESS_KEY_ID", &account.number)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .args(["deploy", "--yes", "--plan", "week13", "--var", &prefix, "--state", &place])
        .args(own_files(account.directory.path()));
    command
}

fn journal_in(account: &TestAccount, bucket: &str) -> String {
    let store = journal_store(&account.s3(), bucket, "edge", testkit::cli::STACK, "here");
    wait(store.text()).expect("readable")
}

#[test]
fn a_bucket_that_refuses_ends_the_run_and_the_next_one_goes_on() {
    let refusals = [
        (1, 403, "AccessDenied", "Access Denied"),
        (12, 500, "InternalError", "We encountered an internal error. Please try again."),
    ];
    for (from, status, code, words) in refusals {
        let proxy = FaultProxy::start(&local_aws::endpoint());
        let account = TestAccount::new().through(proxy.url());
        let bucket = format!("state-{}", account.number);
        wait(account.s3().create_bucket().bucket(&bucket).send()).expect("a bucket");
        let puts = AtomicUsize::new(0);
        let journal = |call: &ProxyCall| call.method == "PUT" && call.path.contains("/head.jsonl");
        let refused = move |call: &ProxyCall| journal(call) && puts.fetch_add(1, Ordering::Relaxed) + 1 >= from;
        let body = format!("<Error><Code>{code}</Code><Message>{words}</Message></Error>");
        proxy.on(refused, CallSelector::Each, ProxyAction::Answer(status, body));
        let how = format!("{code} from write {from} on");
        let output = finish(&mut in_bucket(&account, &bucket)).exits(1);
        let calls = proxy.take_calls().into_iter().filter(|call| !call.path.starts_with(&format!("/{bucket}/")));
        all_announced(&how, &journal_in(&account, &bucket), &calls.collect::<Vec<_>>());
        assert!(output.stderr.contains(&format!("s3 PutObject on s3://{bucket}/edge")), "{how}: {}", output.stderr);
        assert!(output.stderr.contains(code), "{how}: {}", output.stderr);
        proxy.reset();
        let again = finish(&mut in_bucket(&account, &bucket));
        assert_eq!(again.code, 0, "{how}: {}", again.all());
        assert_eq!(account.inventory(), whole(), "{how}: all there, nothing twice");
    }
}
