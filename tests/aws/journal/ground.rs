//! A bucket of a test with a journal in it, seen through a proxy and from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use akidb_edge::ledger::{Fact, Lease, Ledger, LedgerError, ResourceSnapshot, S3Store, Store};
use akidb_edge::provider::aws::journal_store;
use akidb_edge::resource::{Action, Address, Attributes, Kind, RunStatus};
use aws_sdk_s3::Client;
use serde_json::json;

use testkit::cli::{CommandOutput, TestAccount, bare, finish};
use testkit::local_aws;
use testkit::proxy::{FaultProxy, wait};

pub const STACK: &str = "stack";
pub const HERE: &str = "here";
/// A size that a few entries reach.
pub const SMALL: usize = 4_000;

/// The bucket.
pub struct Ground {
    pub account: TestAccount,
    pub bucket: String,
    pub proxy: FaultProxy,
}

impl Ground {
    pub fn new() -> Self {
        Self::in_region(None)
    }

    /// With the bucket in a region of its own.
    pub fn in_region(region: Option<&str>) -> Self {
        let account = TestAccount::of(local_aws::account());
        let bucket = format!("journal-{}", account.number);
        let constraint = region.map(|region| {
            let there = aws_sdk_s3::types::BucketLocationConstraint::from(region);
            aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(there).build()
        });
        let create = account.s3().create_bucket().bucket(&bucket).set_create_bucket_configuration(constraint);
        wait(create.send()).expect("a bucket");
        Self { account, bucket, proxy: FaultProxy::start(&local_aws::endpoint()) }
    }

    /// S3 through the proxy.
    pub fn client(&self) -> Client {
        let config = aws_sdk_s3::config::Builder::from(&self.account.sdk).endpoint_url(self.proxy.url());
        Client::from_conf(config.force_path_style(true).build())
    }

    /// The journal through the proxy, with a head that is short.
    pub fn store(&self) -> S3Store {
        journal_store(&self.client(), &self.bucket, "edge", STACK, HERE).rolling_at(SMALL)
    }

    pub fn shared(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }

    /// The journal as it is, without the proxy.
    pub fn direct(&self) -> Arc<dyn Store> {
        Arc::new(journal_store(&self.account.s3(), &self.bucket, "edge", STACK, HERE).rolling_at(SMALL))
    }

    pub async fn read(&self) -> Result<Ledger, LedgerError> {
        Ledger::read(self.direct(), STACK).await
    }

    pub async fn write(&self) -> Result<Ledger, LedgerError> {
        Ledger::write(self.shared(), STACK, mine()).await
    }

    /// The keys below the stack's prefix, without it.
    pub async fn keys(&self) -> BTreeSet<String> {
        let prefix = format!("edge/{STACK}/");
        let client = self.account.s3();
        let mut all = BTreeSet::new();
        let mut token = None;
        loop {
            let list = client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).set_continuation_token(token);
            let page = list.send().await.expect("listed");
            all.extend(page.contents().iter().filter_map(|item| Some(item.key()?.strip_prefix(&prefix)?.to_owned())));
            token = page.next_continuation_token;
            if token.is_none() {
                return all;
            }
        }
    }

    /// The content of a key.
    pub async fn object(&self, name: &str) -> Vec<u8> {
        let key = format!("edge/{STACK}/{name}");
        let object = self.account.s3().get_object().bucket(&self.bucket).key(key).send().await.expect("there");
        object.body.collect().await.expect("read").to_vec()
    }

    /// Writes an object as another program might.
    pub async fn put(&self, name: &str, bytes: &[u8]) {
        let key = format!("edge/{STACK}/{name}");
        let put = self.account.s3().put_object().bucket(&self.bucket).key(key).body(bytes.to_vec().into());
        put.send().await.expect("written");
    }

    pub async fn delete(&self, name: &str) {
        let key = format!("edge/{STACK}/{name}");
        self.account.s3().delete_object().bucket(&self.bucket).key(key).send().await.expect("deleted");
    }

    pub fn place(&self) -> String {
        format!("s3://{}/edge", self.bucket)
    }

    /// The binary in this account, through the proxy.
    pub fn run(&self, words: &str) -> CommandOutput {
        self.run_with(words, &[])
    }

    pub fn run_with(&self, words: &str, more: &[(&str, &str)]) -> CommandOutput {
        let mut command = bare();
        command.current_dir(self.account.directory.path()).args(words.split_whitespace());
        command.env("AWS_ENDPOINT_URL", self.proxy.url()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &self.account.number).env("AWS_SECRET_ACCESS_KEY", "test");
        command.envs(more.iter().copied());
        if !words.contains("--state") {
            command.args(["--state", &self.place()]);
        }
        finish(&mut command)
    }
}

pub fn mine() -> Lease {
    Lease::new("me", HERE, "deploy")
}

/// The lease of a process that is gone by the time that anybody else looks.
pub fn mortal() -> Lease {
    let mine = mine();
    Lease { process_start: mine.process_start.map(|ticks| ticks + 1).or(Some(1)), ..mine }
}

/// The lease of another machine that ran out.
pub fn expired() -> Lease {
    Lease::new("other", "there", "deploy").lasting(Duration::ZERO)
}

pub fn began(revision: u64) -> Fact {
    Fact::RunBegan {
        revision,
        command: format!("deploy {revision}"),
        by: "me@here".into(),
        account: "123456789012".into(),
        stack: STACK.into(),
        tool: "0".into(),
        requested: BTreeSet::new(),
        fallback: None,
        purpose: None,
        platforms: Vec::new(),
    }
}

pub fn address(number: u64) -> Address {
    Address::new("models", Kind::Bucket, &format!("b{number}"))
}

fn subject(number: u64) -> ResourceSnapshot {
    ResourceSnapshot {
        address: address(number),
        kind: Kind::Bucket,
        generation: 0,
        spec: json!({"name": format!("b{number}"), "tags": {"of": "somebody"}, "versioning": true}),
        needs: BTreeMap::new(),
        step: "models".into(),
        after: std::collections::BTreeSet::new(),
        origin: None,
        seen: Attributes::new(),
    }
}

/// The facts of a run that makes `count` buckets, whose ids name the run.
pub fn run_of(revision: u64, count: u64) -> Vec<Fact> {
    let mut facts = vec![began(revision)];
    for number in 0..count {
        facts.push(Fact::Intended { action: Action::Create, subject: subject(number), id: None });
        let id = format!("b{number}-of-{revision}");
        let attributes =
            Attributes::from([("id".into(), json!(id)), ("arn".into(), json!(format!("arn:aws:s3:::{id}")))]);
        let took_ms = 40 + number;
        facts.push(Fact::Succeeded { action: Action::Create, subject: subject(number), attributes, id, took_ms });
    }
    facts.push(Fact::RunEnded { ending: RunStatus::Done, changes: count });
    facts
}

/// Records all facts of a run in one write.
pub async fn record(ledger: &Ledger, facts: Vec<Fact>) -> Result<(), LedgerError> {
    futures::future::join_all(facts.into_iter().map(|fact| ledger.record(fact))).await.into_iter().collect()
}

/// Runs of three buckets, one after the other, in one session.
pub async fn runs(ground: &Ground, count: u64) {
    let ledger = ground.write().await.expect("open");
    let done = ledger.recorded().revision();
    for revision in done + 1..=done + count {
        record(&ledger, run_of(revision, 3)).await.expect("recorded");
    }
    ledger.close().await.expect("closed");
}
