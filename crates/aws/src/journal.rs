//! The four calls that a journal in a bucket is made of, in whatever region the bucket is. The only place of the journal that
//! knows the SDK.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use akidb_edge_engine::ledger::{
    BucketRefusal, LedgerError, ObjectApi, ObjectListing, S3Store, StoredObject, WriteCondition, WriteOutcome,
};
use akidb_edge_engine::resource::syntax_check;
use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;

use super::response_limit::too_long;

/// Tries of one call. Each write is on a condition or names its content, so that a second one after a lost answer does no
/// harm: here the SDK tries again by itself, nobody else does.
const TRIES: u32 = 8;
/// Keys of a list: journal, content and leases of one stack. A list without end takes no more memory than those.
const MOST_KEYS: usize = 100_000;
/// Where a service says in which region a bucket is.
const REGION: &str = "x-amz-bucket-region";

/// The journal of `stack` in `bucket` below `prefix`, written by `host`.
pub fn store(client: &Client, bucket: &str, prefix: &str, stack: &str, host: &str) -> S3Store {
    S3Store::new(Arc::new(Bucket::new(client, bucket)), prefix, stack, host)
}

/// A bucket of small objects, for what is kept beside a journal.
pub fn objects(client: &Client, bucket: &str) -> Arc<dyn ObjectApi> {
    Arc::new(Bucket::new(client, bucket))
}

/// A bucket.
struct Bucket {
    client: RwLock<Client>,
    name: String,
}

/// Runs a call, and once more when the bucket turns out to be in another region.
macro_rules! anywhere {
    ($bucket:expr, |$client:ident| $call:expr) => {{
        let $client = $bucket.client();
        match $call.send().await {
            Err(bad) => match $bucket.region_said(&$client, &bad).await {
                Some(region) => {
                    let $client = $bucket.move_to(region);
                    $call.send().await
                }
                None => Err(bad),
            },
            answer => answer,
        }
    }};
}

impl Bucket {
    /// The bucket of that name.
    fn new(client: &Client, name: &str) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(100));
        let client = Client::from_conf(client.config().to_builder().retry_config(retry).build());
        Self { client: RwLock::new(client), name: name.to_owned() }
    }

    fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn move_to(&self, region: String) -> Client {
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        *client = Client::from_conf(client.config().to_builder().region(Region::new(region)).build());
        client.clone()
    }

    /// The region that the bucket is in, when an answer says that it is another one than the client's. An answer that names
    /// something else than a region is told as the refusal that it is: a client for it would panic.
    async fn region_said<E>(&self, client: &Client, bad: &SdkError<E, HttpResponse>) -> Option<String>
    where
        E: ProvideErrorMetadata,
    {
        let raw = bad.raw_response()?;
        let elsewhere = matches!(raw.status().as_u16(), 301 | 302 | 307)
            || matches!(bad.code(), Some("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"));
        let now = client.config().region().map(ToString::to_string);
        let other = |region: &String| Some(region) != now.as_ref() && syntax_check::region(region);
        let header = raw.headers().get(REGION).map(str::to_owned);
        if !elsewhere {
            return None;
        }
        let element = || {
            let body = std::str::from_utf8(raw.body().bytes()?).ok()?;
            Some(body.split_once("<Region>")?.1.split_once("</Region>")?.0.to_owned())
        };
        if let Some(region) = header.or_else(element) {
            return Some(region).filter(other);
        }
        // The answer does not say where: ask.
        let region = match client.head_bucket().bucket(&self.name).send().await {
            Ok(answer) => answer.bucket_region,
            Err(bad) => bad.raw_response().and_then(|raw| raw.headers().get(REGION).map(str::to_owned)),
        };
        region.filter(other)
    }

    fn fault<E>(&self, operation: &'static str, key: &str, bad: &SdkError<E, HttpResponse>) -> LedgerError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (problem, cause) = match (too_long(bad), bad.raw_response()) {
            (Some(limit), _) => (limit.to_string(), BucketRefusal::Other),
            (None, Some(raw)) => {
                let status = raw.status().as_u16();
                let code = bad.code().map_or_else(|| format!("HTTP {status}"), str::to_owned);
                let cause = BucketRefusal::of(&code, status);
                (format!("{code}: {}", bad.message().unwrap_or("the service gave no reason")), cause)
            }
            (None, None) => no_answer(bad),
        };
        LedgerError::Bucket { operation, place: self.place(key), problem, cause }
    }
}

#[async_trait]
impl ObjectApi for Bucket {
    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    async fn get(&self, key: &str) -> Result<Option<StoredObject>, LedgerError> {
        let answer = anywhere!(self, |client| client.get_object().bucket(&self.name).key(key));
        let answer = match answer {
            Err(bad) if matches!(bad.code(), Some("NoSuchKey")) => return Ok(None),
            Err(bad) => return Err(self.fault("GetObject", key, &bad)),
            Ok(answer) => answer,
        };
        let etag = answer.e_tag.clone().unwrap_or_default();
        let body = answer.body.collect().await.map_err(|bad| {
            let (problem, cause) = match too_long(&bad) {
                Some(limit) => (limit.to_string(), BucketRefusal::Other),
                None => (bad.to_string(), BucketRefusal::Unreachable),
            };
            LedgerError::Bucket { operation: "GetObject", place: self.place(key), problem, cause }
        })?;
        Ok(Some(StoredObject { bytes: body.into_bytes().to_vec(), etag }))
    }

    async fn put(&self, key: &str, bytes: &[u8], condition: &WriteCondition) -> Result<WriteOutcome, LedgerError> {
        let answer = anywhere!(self, |client| {
            let call = client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes.to_vec()));
            match condition {
                WriteCondition::Always => call,
                WriteCondition::New => call.if_none_match("*"),
                WriteCondition::Same(etag) => call.if_match(etag),
            }
        });
        match answer {
            Ok(answer) => Ok(WriteOutcome::Done(answer.e_tag.unwrap_or_default())),
            Err(bad) if *condition != WriteCondition::Always && lost_race(bad.code()) => Ok(WriteOutcome::Refused),
            Err(bad) if *condition != WriteCondition::Always && bad.code() == Some("NotImplemented") => {
                let header = if *condition == WriteCondition::New { "If-None-Match" } else { "If-Match" };
                Err(LedgerError::Unconditional { place: self.place(""), header })
            }
            Err(bad) => Err(self.fault("PutObject", key, &bad)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectListing>, LedgerError> {
        let (mut all, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            pages += 1;
            let page = anywhere!(self, |client| {
                client.list_objects_v2().bucket(&self.name).prefix(prefix).set_continuation_token(token.clone())
            });
            let page = page.map_err(|bad| self.fault("ListObjectsV2", prefix, &bad))?;
            token = page.next_continuation_token;
            all.extend(page.contents.into_iter().flatten().filter_map(|item| {
                let modified = item.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
                Some(ObjectListing { key: item.key?, modified })
            }));
            // Pages without keys are too many, too.
            if all.len() > MOST_KEYS || pages > MOST_KEYS {
                let problem = format!("the list has more than {MOST_KEYS} keys");
                let place = self.place(prefix);
                return Err(LedgerError::Bucket {
                    operation: "ListObjectsV2",
                    place,
                    problem,
                    cause: BucketRefusal::Other,
                });
            }
            if token.is_none() {
                all.sort_by(|one: &ObjectListing, other| one.key.cmp(&other.key));
                return Ok(all);
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), LedgerError> {
        let answer = anywhere!(self, |client| client.delete_object().bucket(&self.name).key(key));
        answer.map(drop).map_err(|bad| self.fault("DeleteObject", key, &bad))
    }
}

/// Why no answer came: no credentials to ask with, or nobody to ask.
fn no_answer<E: Error + 'static>(bad: &SdkError<E, HttpResponse>) -> (String, BucketRefusal) {
    let (mut cause, mut at, mut last) = (BucketRefusal::Unreachable, bad.source(), bad.to_string());
    while let Some(error) = at {
        if error.is::<CredentialsError>() {
            cause = BucketRefusal::Credentials;
        }
        last = error.to_string();
        at = error.source();
    }
    let what = if cause == BucketRefusal::Credentials { "no credentials" } else { "no answer" };
    (format!("{what}: {last}"), cause)
}

/// What a service says when a condition did not hold, or when somebody else writes at the same moment.
fn lost_race(code: Option<&str>) -> bool {
    matches!(code, Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey"))
}
