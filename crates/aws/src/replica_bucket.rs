//! A bucket that a replicated database is published to and read from: the calls of [`ObjectStore`], each a single try of the SDK.

use std::collections::HashMap;
use std::error::Error;
use std::ops::Range;

use akidb_edge_replica::StoreFault;
use akidb_edge_replica::store::{
    Etag, Layout, ListPage, Listed, Object, ObjectBody, ObjectMetadata, ObjectStore, Precondition, ReadAnswer,
};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use jiff::Timestamp;

use super::Clients;
use super::response_limit::{Download, MarkDownloads};
use crate::resource::Fault;

/// The most bytes that one request of S3 writes (5 GiB); a larger snapshot is refused with that reason.
const MOST_BYTES: u64 = 5 << 30;
/// Characters of an answer's words that are shown.
const SHOWN: usize = 300;

/// A bucket and a prefix.
#[derive(Debug)]
pub struct ReplicaBucket {
    client: Client,
    bucket: String,
    /// With a slash at its end, unless it is empty.
    prefix: String,
}

impl ReplicaBucket {
    /// A bucket in a region; `prefix` has no slash at its ends. No service is called.
    ///
    /// # Errors
    /// The region is not the name of one.
    pub fn open(clients: &Clients, region: &str, bucket: &str, prefix: &str) -> Result<Self, Fault> {
        // Who publishes or follows repeats calls by itself and looks first what became of a write.
        let client = clients.state_s3(region)?;
        let config = client.config().to_builder().retry_config(RetryConfig::disabled());
        let client = Client::from_conf(config.interceptor(MarkDownloads(Download::Stream)).build());
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { client, bucket: bucket.to_owned(), prefix })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn fault<E>(&self, key: &str, bad: &SdkError<E, HttpResponse>) -> StoreFault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (store, key) = (self.name(), key.to_owned());
        let detail = || -> String {
            let words = match (bad.code(), bad.message()) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.to_owned(),
                _ => DisplayErrorContext(bad).to_string(),
            };
            words.chars().take(SHOWN).collect()
        };
        let Some(raw) = bad.raw_response() else { return StoreFault::Unreachable { store, detail: detail() } };
        match (raw.status().as_u16(), bad.code()) {
            (_, Some("NoSuchBucket")) => StoreFault::Other { store, detail: detail() },
            (404, _) => StoreFault::NotFound { store, key },
            (409 | 412, _) => StoreFault::PreconditionFailed { store, key },
            (_, Some("SlowDown" | "RequestLimitExceeded" | "Throttling")) | (429 | 503, _) => {
                StoreFault::Throttled { store, detail: detail() }
            }
            (401 | 403, _) => StoreFault::Denied { store, key, detail: detail() },
            (408 | 500..=599, _) => StoreFault::Unreachable { store, detail: detail() },
            _ => StoreFault::Other { store, detail: detail() },
        }
    }

    fn broken(&self, why: impl std::fmt::Display) -> StoreFault {
        StoreFault::Unreachable { store: self.name(), detail: why.to_string() }
    }
}

#[async_trait]
impl ObjectStore for ReplicaBucket {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix.trim_end_matches('/'))
    }

    fn layout(&self) -> Layout {
        Layout::Bucket
    }

    async fn get(&self, key: &str, known: Option<&Etag>) -> Result<ReadAnswer, StoreFault> {
        let call = self.client.get_object().bucket(&self.bucket).key(self.key(key));
        let call = call.set_if_none_match(known.map(|etag| etag.0.clone()));
        let found = match call.send().await {
            Ok(found) => found,
            Err(bad) if bad.raw_response().is_some_and(|raw| raw.status().as_u16() == 304) => {
                return Ok(ReadAnswer::Unchanged);
            }
            Err(bad) => return Err(self.fault(key, &bad)),
        };
        let size = found.content_length.and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| self.broken(format!("{key}: the response has no Content-Length")))?;
        let metadata: ObjectMetadata = found.metadata.unwrap_or_default().into_iter().collect();
        let etag = Etag(found.e_tag.unwrap_or_default());
        Ok(ReadAnswer::Object(Object { etag, size, metadata, body: Box::pin(found.body.into_async_read()) }))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreFault> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = format!("bytes={}-{}", range.start, range.end - 1);
        let call = self.client.get_object().bucket(&self.bucket).key(self.key(key)).range(wanted);
        let found = match call.send().await {
            Ok(found) => found,
            // The range begins after the end of the object.
            Err(bad) if bad.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => return Ok(Bytes::new()),
            Err(bad) => return Err(self.fault(key, &bad)),
        };
        let most = range.end - range.start;
        let length = found.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
        if length > most {
            return Err(self.broken(format!("{key}: the response is longer than requested")));
        }
        let bytes = found.body.collect().await.map_err(|bad| self.broken(bad))?;
        Ok(bytes.into_bytes())
    }

    async fn put(
        &self,
        key: &str,
        body: &ObjectBody,
        metadata: &ObjectMetadata,
        on: &Precondition,
    ) -> Result<Etag, StoreFault> {
        let content = match body {
            ObjectBody::Bytes(bytes) => ByteStream::from(bytes.clone()),
            ObjectBody::File(path) => {
                let size = tokio::fs::metadata(path).await.map_err(|bad| self.local(key, &bad))?.len();
                if size > MOST_BYTES {
                    let detail = format!("{key} has {size} bytes, and S3 takes {MOST_BYTES} in one conditional write");
                    return Err(StoreFault::Other { store: self.name(), detail });
                }
                ByteStream::from_path(path).await.map_err(|bad| self.local(key, &bad))?
            }
        };
        let metadata: HashMap<String, String> = metadata.clone().into_iter().collect();
        let call = self.client.put_object().bucket(&self.bucket).key(self.key(key)).body(content);
        let call = call.set_metadata((!metadata.is_empty()).then_some(metadata));
        let call = match on {
            Precondition::None => call,
            Precondition::Absent => call.if_none_match("*"),
            Precondition::Unchanged(etag) => call.if_match(&etag.0),
        };
        match call.send().await {
            Ok(written) => Ok(Etag(written.e_tag.unwrap_or_default())),
            // S3 answers 404 to If-Match when the object is gone: somebody else removed it.
            Err(bad) if *on != Precondition::None && bad.code() == Some("NoSuchKey") => {
                Err(StoreFault::PreconditionFailed { store: self.name(), key: key.to_owned() })
            }
            Err(bad) => Err(self.fault(key, &bad)),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreFault> {
        let call = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.key(prefix));
        let call = call.set_continuation_token(after.map(str::to_owned));
        let page = call.send().await.map_err(|bad| self.fault(prefix, &bad))?;
        let listed = |object: aws_sdk_s3::types::Object| {
            Some(Listed {
                key: object.key?.strip_prefix(&self.prefix)?.to_owned(),
                size: object.size.and_then(|size| u64::try_from(size).ok())?,
                written: object.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok()),
            })
        };
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(listed).collect();
        Ok(ListPage { objects, next: page.next_continuation_token })
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFault> {
        let gone = self.client.delete_object().bucket(&self.bucket).key(self.key(key)).send().await;
        match gone.map_err(|bad| self.fault(key, &bad)) {
            Err(bad) if !bad.is_absent() => Err(bad),
            _ => Ok(()),
        }
    }
}

impl ReplicaBucket {
    /// A file of this machine that cannot be read.
    fn local(&self, key: &str, why: &dyn std::fmt::Display) -> StoreFault {
        StoreFault::Other { store: self.name(), detail: format!("{key} cannot be read on this machine: {why}") }
    }
}
