//! A journal in a bucket. Each write is an object of its own that must not exist yet (`If-None-Match: *`), named by the
//! number of its first entry: of two writers, one is refused. The lease is one object, changed only as it was read
//! (`If-Match`).

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
use super::store::{LedgerError, Store, lines, parse};

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
        Self { client, bucket: bucket.to_owned(), prefix, host: host.to_owned(), etag: Mutex::default() }
    }

    fn lease_key(&self) -> String {
        format!("{}/lease.json", self.prefix)
    }

    fn fault<E: ProvideErrorMetadata, R>(&self, operation: &'static str, bad: &SdkError<E, R>) -> LedgerError {
        let code = bad.code().unwrap_or("no answer");
        let problem = format!("{code}: {}", bad.message().unwrap_or("the bucket could not be reached"));
        LedgerError::Bucket { operation, place: format!("s3://{}/{}", self.bucket, self.prefix), problem }
    }

    async fn get(&self, key: &str) -> Result<Option<(String, String)>, LedgerError> {
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
        Ok(Some((String::from_utf8_lossy(&body.into_bytes()).into_owned(), etag)))
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
                let standing = self.get(&self.lease_key()).await?.filter(|(held, _)| *held == text);
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

    async fn load(&self) -> Result<Vec<Entry>, LedgerError> {
        let prefix = format!("{}/journal/", self.prefix);
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|bad| self.fault("ListObjectsV2", &bad))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|item| item.key));
        }
        // Names are numbers of fixed width: their order is the order of the entries.
        keys.sort();
        let read = |key: String| async move {
            let text = self.get(&key).await?.map(|(text, _)| text).unwrap_or_default();
            parse(&format!("s3://{}/{key}", self.bucket), &text)
        };
        let pages: Vec<Vec<Entry>> = stream::iter(keys.into_iter().map(read)).buffered(16).try_collect().await?;
        Ok(pages.into_iter().flatten().collect())
    }

    async fn append(&self, entries: &[Entry], _: &Lease) -> Result<(), LedgerError> {
        let Some(first) = entries.first() else { return Ok(()) };
        let key = format!("{}/journal/{:020}.jsonl", self.prefix, first.seq);
        let body = ByteStream::from(lines(entries).into_bytes());
        let put = self.client.put_object().bucket(&self.bucket).key(&key).body(body).if_none_match("*").send().await;
        match put {
            Ok(_) => Ok(()),
            Err(bad) if lost_race(bad.code()) => {
                // Our own write whose answer was lost looks the same as somebody else's: read it to tell.
                match self.get(&key).await? {
                    Some((text, _)) if text == lines(entries) => Ok(()),
                    _ => Err(LedgerError::LeaseLost("somebody else wrote to the journal".to_owned())),
                }
            }
            Err(bad) => Err(self.fault("PutObject", &bad)),
        }
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        Ok(self.get(&self.lease_key()).await?.and_then(|(text, _)| serde_json::from_str(&text).ok()))
    }

    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        if self.put_lease(lease, None).await? {
            return Ok(());
        }
        let Some((text, etag)) = self.get(&self.lease_key()).await? else {
            return if self.put_lease(lease, None).await? { Ok(()) } else { Err(lost()) };
        };
        match serde_json::from_str::<Lease>(&text) {
            Ok(held) if !held.is_stale(&self.host) => Err(LedgerError::Locked(Box::new(held))),
            _ if self.put_lease(lease, Some(etag)).await? => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        let held = self.etag.lock().await.clone();
        match held {
            Some(etag) if self.put_lease(lease, Some(etag.clone())).await? => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        match self.lease().await? {
            Some(held) if held.token == lease.token => self.break_lease().await,
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
