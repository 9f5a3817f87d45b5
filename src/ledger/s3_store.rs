//! A journal in a bucket. Each write is an object of its own that must not exist yet (`If-None-Match: *`), named by the
//! number of its first entry: of two writers, one is refused. The lease is one object, changed only as it was read
//! (`If-Match`).

use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use super::entry::Entry;
use super::lease::Lease;
use super::store::{LedgerError, Loaded, Store};
use super::text::{Reader, Tail};

/// Tries of one call. Each write is on a condition, so that a second one after a lost answer does no harm: here the SDK tries
/// again by itself, nobody else does.
const TRIES: u32 = 8;

/// The bucket and prefix of one stack.
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    host: String,
    /// ETag of the lease object as we last wrote it.
    etag: Mutex<Option<String>>,
    /// Where the journal ended when it was last read or written.
    tail: std::sync::Mutex<Option<Tail>>,
}

impl S3Store {
    /// The journal of `stack` in `bucket` below `prefix`.
    pub fn new(client: Client, bucket: &str, prefix: &str, stack: &str, host: &str) -> Self {
        let prefix = [prefix.trim_matches('/'), stack]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("/");
        let retry = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(100));
        let client = Client::from_conf(client.config().to_builder().retry_config(retry).build());
        Self {
            client,
            bucket: bucket.to_owned(),
            prefix,
            host: host.to_owned(),
            etag: Mutex::default(),
            tail: Default::default(),
        }
    }

    fn known_tail(&self) -> Option<Tail> {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends_at(&self, tail: Tail) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = Some(tail);
    }

    fn lease_key(&self) -> String {
        format!("{}/lease.json", self.prefix)
    }

    fn fault<E: ProvideErrorMetadata, R>(&self, operation: &'static str, bad: &SdkError<E, R>) -> LedgerError {
        let code = bad.code().unwrap_or("no answer");
        let problem = format!("{code}: {}", bad.message().unwrap_or("the bucket could not be reached"));
        LedgerError::Bucket { operation, place: format!("s3://{}/{}", self.bucket, self.prefix), problem }
    }

    /// The lease that lies there, with its ETag.
    async fn held(&self) -> Result<Option<(Lease, String)>, LedgerError> {
        let text = self.get(&self.lease_key()).await?;
        Ok(text.and_then(|(text, etag)| Some((serde_json::from_slice(&text).ok()?, etag))))
    }

    /// The keys of the journal in the order of their entries: names are numbers of fixed width.
    async fn pages(&self) -> Result<Vec<String>, LedgerError> {
        let prefix = format!("{}/journal/", self.prefix);
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|bad| self.fault("ListObjectsV2", &bad))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|item| item.key));
        }
        keys.sort();
        Ok(keys)
    }

    async fn page(&self, key: String) -> Result<(String, Vec<u8>), LedgerError> {
        let bytes = self.get(&key).await?.map(|(bytes, _)| bytes).unwrap_or_default();
        Ok((key, bytes))
    }

    /// Where the journal of an older format is kept.
    fn backup(&self, format: u32) -> String {
        format!("{}/journal.v{format}.bak", self.prefix)
    }

    /// Keeps the journal as it is, page by page. What an attempt before this one kept is written again.
    async fn keep(&self, format: u32) -> Result<(), LedgerError> {
        for key in self.pages().await? {
            let (key, bytes) = self.page(key).await?;
            let name = key.rsplit('/').next().unwrap_or(&key);
            let copy = format!("{}/{name}", self.backup(format));
            let put = self.client.put_object().bucket(&self.bucket).key(copy).body(ByteStream::from(bytes)).send();
            put.await.map_err(|bad| self.fault("PutObject", &bad))?;
        }
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, LedgerError> {
        let answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Err(bad) if matches!(bad.code(), Some("NoSuchKey")) => return Ok(None),
            Err(bad) => return Err(self.fault("GetObject", &bad)),
            Ok(answer) => answer,
        };
        let etag = answer.e_tag.clone().unwrap_or_default();
        let body = answer.body.collect().await.map_err(|bad| LedgerError::Bucket {
            operation: "GetObject",
            place: key.to_owned(),
            problem: bad.to_string(),
        })?;
        Ok(Some((body.into_bytes().to_vec(), etag)))
    }

    /// Writes the lease if the object there is still the one with `held`, or if there is none and `held` is none.
    async fn put_lease(&self, lease: &Lease, held: Option<String>) -> Result<bool, LedgerError> {
        let text = serde_json::to_string(lease).unwrap_or_default();
        let body = ByteStream::from(text.clone().into_bytes());
        let call = self.client.put_object().bucket(&self.bucket).key(self.lease_key()).body(body);
        let call = match held {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        match call.send().await {
            Ok(answer) => {
                *self.etag.lock().await = answer.e_tag;
                Ok(true)
            }
            Err(bad) if lost_race(bad.code()) => {
                // Our own write whose answer was lost looks the same as somebody else's: read it to tell.
                let standing = self.get(&self.lease_key()).await?.filter(|(held, _)| *held == text.as_bytes());
                let ours = standing.is_some();
                if let Some((_, etag)) = standing {
                    *self.etag.lock().await = Some(etag);
                }
                Ok(ours)
            }
            Err(bad) => Err(self.fault("PutObject", &bad)),
        }
    }
}

fn lost_race(code: Option<&str>) -> bool {
    matches!(code, Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey"))
}

#[async_trait]
impl Store for S3Store {
    fn place(&self) -> String {
        format!("s3://{}/{}/journal/", self.bucket, self.prefix)
    }

    async fn load(&self) -> Result<Loaded, LedgerError> {
        let pages: Vec<(String, Vec<u8>)> =
            stream::iter(self.pages().await?.into_iter().map(|key| self.page(key))).buffered(16).try_collect().await?;
        let mut reader = Reader::default();
        for (key, bytes) in &pages {
            let place = format!("s3://{}/{key}", self.bucket);
            // An object is written as a whole or not at all: one that ends within a line was cut by somebody.
            if !reader.page(&place, bytes)?.is_empty() {
                let line = bytes.split(|byte| *byte == b'\n').count();
                let problem = "it ends in the middle of a line".to_owned();
                return Err(LedgerError::Corrupt { place, line, problem });
            }
        }
        self.ends_at(reader.tail);
        Ok(Loaded { entries: reader.entries, ..Loaded::default() })
    }

    async fn append(&self, entries: &[Entry], _: &Lease) -> Result<(), LedgerError> {
        let Some(first) = entries.first() else { return Ok(()) };
        if self.known_tail().is_none() {
            self.load().await?;
        }
        let before = self.known_tail().unwrap_or_default();
        if let Some(format) = before.older() {
            self.keep(format).await?;
        }
        let (text, after) = before.lines(entries);
        let key = format!("{}/journal/{:020}.jsonl", self.prefix, first.seq);
        let body = ByteStream::from(text.clone().into_bytes());
        let put = self.client.put_object().bucket(&self.bucket).key(&key).body(body).if_none_match("*").send().await;
        match put {
            Ok(_) => {}
            Err(bad) if lost_race(bad.code()) => {
                // Our own write whose answer was lost looks the same as somebody else's: read it to tell.
                if self.get(&key).await?.is_none_or(|(there, _)| there != text.as_bytes()) {
                    return Err(LedgerError::LeaseLost("somebody else wrote to the journal".to_owned()));
                }
            }
            Err(bad) => return Err(self.fault("PutObject", &bad)),
        }
        self.ends_at(after);
        Ok(())
    }

    fn older(&self) -> Option<(u32, String)> {
        let format = self.known_tail()?.older()?;
        Some((format, format!("s3://{}/{}/", self.bucket, self.backup(format))))
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.held().await?.map(|(lease, _)| lease))
    }

    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        if self.put_lease(lease, None).await? {
            return Ok(());
        }
        let Some((text, etag)) = self.get(&self.lease_key()).await? else {
            return if self.put_lease(lease, None).await? { Ok(()) } else { Err(lost()) };
        };
        match serde_json::from_slice::<Lease>(&text) {
            Ok(held) if !held.is_stale(&self.host) => Err(LedgerError::Locked(Box::new(held))),
            _ if self.put_lease(lease, Some(etag)).await? => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        let held = self.etag.lock().await.clone();
        if held.is_some() && self.put_lease(lease, held).await? {
            return Ok(());
        }
        // Our own heartbeat whose answer was lost looks the same as somebody else's lease: read it to tell.
        let Some((held, etag)) = self.held().await? else {
            return Err(LedgerError::LeaseLost("it was taken away (state unlock)".to_owned()));
        };
        if held.token != lease.token {
            return Err(LedgerError::LeaseLost(format!("{}@{} took it", held.user, held.host)));
        }
        if self.put_lease(lease, Some(etag)).await? { Ok(()) } else { Err(lost()) }
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        let Some((_, etag)) = self.held().await?.filter(|(held, _)| held.token == lease.token) else { return Ok(()) };
        // Only as it was read: somebody may take it over in between.
        let call = self.client.delete_object().bucket(&self.bucket).key(self.lease_key()).if_match(etag);
        match call.send().await {
            Err(bad) if !lost_race(bad.code()) => Err(self.fault("DeleteObject", &bad)),
            _ => Ok(()),
        }
    }

    async fn break_lease(&self) -> Result<(), LedgerError> {
        let answer = self.client.delete_object().bucket(&self.bucket).key(self.lease_key()).send().await;
        answer.map(drop).map_err(|bad| self.fault("DeleteObject", &bad))
    }
}

fn lost() -> LedgerError {
    LedgerError::LeaseLost("somebody else took it".to_owned())
}
