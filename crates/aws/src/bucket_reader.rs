//! The objects of a bucket below a prefix, to read: what `serve --sync` brings models from. Nothing is written, and no account is
//! connected: region, endpoint and credentials come from the usual AWS environment, and a server starts without any of them.

use std::error::Error;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls;
use bytes::Bytes;

use super::requests::RequestLogger;
use super::response_limit::{Download, LimitedClient, MarkDownloads, ResponseTooLong, too_long};
use crate::resource::syntax_check;

/// Letters of a missing answer that are shown.
const SHOWN: usize = 300;
/// A connection is made within this time, or the call fails.
const CONNECT: Duration = Duration::from_secs(5);
/// The first byte of an answer comes within this time, or the call fails.
const READ: Duration = Duration::from_secs(30);
/// Objects of a list. A bucket that somebody else fills takes no more memory than those: at most about 150 MB, since a key has at
/// most 1,024 bytes.
const MOST_OBJECTS: usize = 100_000;

/// Why a bucket does not give what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum BucketFault {
    /// The environment or the profile names something else than a region.
    #[error("AWS_REGION, or region of the AWS profile, is {found:?}, which is not the name of an AWS region")]
    Region {
        /// What it names.
        found: String,
    },
    /// There are more objects than are listed.
    #[error("it has more than {most} objects below this prefix: sync from a prefix that contains only the models")]
    TooMany {
        /// The most.
        most: usize,
    },
    /// An answer that is not an object's content does not end.
    #[error("{limit}, which is not an answer of S3: check AWS_ENDPOINT_URL and proxies")]
    TooLong {
        /// The bound.
        limit: ResponseTooLong,
    },
    /// An object is not the one that was listed any longer.
    #[error("a file has changed since it was listed; the next poll uses the new one")]
    Changed,
    /// S3 refuses.
    #[error("S3 answered {code}: {}", message.as_deref().unwrap_or("no reason"))]
    Refused {
        /// The code of its answer.
        code: String,
        /// Its words.
        message: Option<String>,
        /// The answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// S3 does not answer.
    #[error("S3 did not answer: {why}")]
    Silent {
        /// The cause, at most 300 letters of it.
        why: String,
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An answer broke off.
    #[error("{path}: {source}")]
    BrokeOff {
        /// The object, below the prefix.
        path: String,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// An object as a list names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListedObject {
    /// Its key, below the prefix.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Changes whenever its content does.
    pub etag: String,
}

/// A bucket and a prefix.
#[derive(Debug)]
pub struct BucketReader {
    client: Client,
    bucket: String,
    /// With a slash at its end, unless it is empty.
    prefix: String,
    /// Objects that are listed.
    most: usize,
}

/// The bytes of an object, as they come.
#[derive(Debug)]
pub struct ObjectBody {
    path: String,
    stream: ByteStream,
}

impl BucketReader {
    /// A reader of what is below `prefix`, which has no slash at its ends. No service is called.
    ///
    /// # Errors
    /// The environment or the profile names something else than a region. That there is none is an error of the first call.
    pub async fn open(bucket: &str, prefix: &str) -> Result<Self, BucketFault> {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { client: client().await?, bucket: bucket.to_owned(), prefix, most: MOST_OBJECTS })
    }

    /// All objects but those that stand for folders, in one call for each thousand.
    ///
    /// # Errors
    /// What S3 says, or that there are more than 100,000.
    pub async fn list(&self) -> Result<Vec<ListedObject>, BucketFault> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix);
        let (mut pages, mut found, mut asked) = (list.into_paginator().send(), Vec::new(), 0);
        while let Some(page) = pages.next().await {
            asked += 1;
            // Pages without objects are too many, too.
            if asked > self.most {
                return Err(BucketFault::TooMany { most: self.most });
            }
            for object in page.map_err(refused)?.contents.unwrap_or_default() {
                let path = object.key().and_then(|key| key.strip_prefix(self.prefix.as_str())).unwrap_or_default();
                if path.is_empty() || path.ends_with('/') {
                    continue;
                }
                if found.len() == self.most {
                    return Err(BucketFault::TooMany { most: self.most });
                }
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                let etag = object.e_tag().unwrap_or_default().to_owned();
                found.push(ListedObject { path: path.to_owned(), size, etag });
            }
        }
        Ok(found)
    }

    /// The bytes of an object from `from` on, as long as it is the one that was listed.
    ///
    /// # Errors
    /// [`BucketFault::Changed`] when it is another one now; else what S3 says.
    pub async fn get(&self, path: &str, etag: &str, from: u64) -> Result<ObjectBody, BucketFault> {
        let get = self.client.get_object().bucket(&self.bucket).key(format!("{}{path}", self.prefix)).if_match(etag);
        let get = if from > 0 { get.range(format!("bytes={from}-")) } else { get };
        let answer = get.send().await.map_err(refused)?;
        Ok(ObjectBody { path: path.to_owned(), stream: answer.body })
    }

    /// Whether S3 answers: one call for at most one object.
    ///
    /// # Errors
    /// What S3 says.
    pub async fn answers(&self) -> Result<(), BucketFault> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(1);
        list.send().await.map(drop).map_err(refused)
    }
}

impl ObjectBody {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The answer broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BucketFault> {
        match self.stream.next().await {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(why)) => Err(BucketFault::BrokeOff { path: self.path.clone(), source: Box::new(why) }),
        }
    }
}

async fn client() -> Result<Client, BucketFault> {
    let endpoint =
        std::env::var("AWS_ENDPOINT_URL_S3").or_else(|_| std::env::var("AWS_ENDPOINT_URL")).unwrap_or_default();
    let builder = aws_smithy_http_client::Builder::new();
    // A local endpoint without TLS needs no certificates of the system, which a slim image does not have.
    let http = if endpoint.starts_with("http://") {
        builder.build_http()
    } else {
        builder.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
    };
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build();
    let loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(LimitedClient::over(http)).timeout_config(timeouts);
    let config = loader.load().await;
    need_region(config.region().map(AsRef::as_ref))?;
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(!endpoint.is_empty());
    Ok(Client::from_conf(config.interceptor(MarkDownloads(Download::Stream)).interceptor(RequestLogger).build()))
}

/// Refuses what is not the name of a region, on which a client of the SDK panics.
fn need_region(region: Option<&str>) -> Result<(), BucketFault> {
    match region.filter(|region| !syntax_check::region(region)) {
        Some(other) => Err(BucketFault::Region { found: other.to_owned() }),
        None => Ok(()),
    }
}

/// What S3 says, for a person. A missing answer is shown with its cause.
fn refused<E, R>(why: SdkError<E, R>) -> BucketFault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if let Some(limit) = too_long(&why) {
        return BucketFault::TooLong { limit };
    }
    match (why.code().map(str::to_owned), why.message().map(str::to_owned)) {
        (Some(code), _) if code == "PreconditionFailed" => BucketFault::Changed,
        (Some(code), message) => BucketFault::Refused { code, message, source: why.into() },
        (None, _) => {
            let shown = DisplayErrorContext(&why).to_string().chars().take(SHOWN).collect();
            BucketFault::Silent { why: shown, source: why.into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::{Credentials, Region};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A service whose list of a bucket has no end: each page of three objects names another page. Its address.
    async fn endless() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut page = 0;
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    head.extend_from_slice(&bytes[..count]);
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    head.clear();
                    page += 1;
                    stream.write_all(answer(page).as_bytes()).await.unwrap();
                }
            }
        });
        address
    }

    fn answer(page: usize) -> String {
        let object = |at| format!("<Contents><Key>p/{page}-{at}</Key><Size>1</Size><ETag>e</ETag></Contents>");
        let objects = [0, 1, 2].map(object).concat();
        let body = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t{page}</NextContinuationToken>\
             <Contents><Key>p/folder/</Key><Size>0</Size></Contents>{objects}</ListBucketResult>"
        );
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn a_list_without_end_is_given_up() {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endless().await)
            .force_path_style(true)
            .credentials_provider(Credentials::new("x", "x", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let client = Client::from_conf(config.build());
        let reader = BucketReader { client, bucket: "models".to_owned(), prefix: "p/".to_owned(), most: 7 };
        let why = reader.list().await.unwrap_err();
        assert!(matches!(why, BucketFault::TooMany { most: 7 }), "{why}");
        assert!(why.to_string().contains("sync from a prefix"), "{why}");
    }

    #[test]
    fn a_region_of_the_environment_that_is_none_is_named() {
        assert!(need_region(None).is_ok() && need_region(Some("eu-central-1")).is_ok());
        for bad in ["eu-central-1\u{1}", "eu central", ""] {
            let why = need_region(Some(bad)).unwrap_err().to_string();
            assert!(why.contains("AWS_REGION") && !why.contains('\u{1}'), "{why}");
        }
    }
}
