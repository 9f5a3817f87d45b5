//! One request with all of its answer, and the round trip to an address.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::answer::{CapturedAnswer, MOST_KEPT};
use crate::client::Client;
use crate::failure::{ConnectionFailure, Failed, FailureKind};
use crate::latencies::Latencies;
use crate::target::Target;
use crate::trust::TrustedRoots;

use super::run::LoadError;

/// How long the parts of one request took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Name to addresses; none where the address was given.
    #[serde(with = "maybe", default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Duration>,
    /// The TCP handshake.
    #[serde(with = "crate::milliseconds")]
    pub tcp: Duration,
    /// The TLS handshake.
    #[serde(with = "maybe", default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Duration>,
    /// From the request to the first byte of its answer.
    #[serde(with = "crate::milliseconds")]
    pub first_byte: Duration,
    /// All of it.
    #[serde(with = "crate::milliseconds")]
    pub total: Duration,
}

/// A request that was answered, whatever the status. Not every answer is the right one: `wrong` says why.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How long it took.
    pub timing: Timing,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// What came after the body, with HTTP/2 and gRPC.
    pub trailers: Option<HeaderMap>,
    /// The body, up to 1 MiB of it, or as much as was asked for.
    pub body: Bytes,
    /// How long the body was.
    pub bytes: u64,
    /// Who answered.
    pub remote: SocketAddr,
    /// Why it is not the answer that was expected.
    pub wrong: Option<Failed>,
}

/// A single request that brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// It cannot be made at all.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It failed on its way.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// Sends one request on a connection of its own and brings its answer.
///
/// # Errors
/// A target that cannot be asked for, or no answer. An answer with an unexpected status is not an error.
pub async fn once(target: &Target, timeout: Duration, trust: &TrustedRoots) -> Result<Exchange, OnceError> {
    once_up_to(target, timeout, trust, MOST_KEPT).await
}

/// The same, and keeps up to `most` bytes of the body: for a download. `Exchange::bytes` says how long the whole was.
///
/// # Errors
/// As `once`.
pub async fn once_up_to(
    target: &Target,
    timeout: Duration,
    trust: &TrustedRoots,
    most: usize,
) -> Result<Exchange, OnceError> {
    let client = Client::new(target, trust).map_err(LoadError::from)?;
    let began = Instant::now();
    let failed = |broken: ConnectionFailure| Failed { kind: broken.kind, why: broken.why, after: began.elapsed() };
    let one = async {
        let mut kept = CapturedAnswer::up_to(most);
        let (mut link, opened) = client.open().await?;
        let sent = Instant::now();
        let (seen, _) = client.exchange(&mut link, Some(&mut kept)).await?;
        let (total, first_byte) = (began.elapsed(), seen.first_byte.saturating_duration_since(sent));
        let timing = Timing { dns: opened.dns, tcp: opened.tcp, tls: opened.tls, first_byte, total };
        let (headers, trailers, body) = kept.into_parts();
        let wrong = client.wrong(&seen).map(failed);
        let (status, bytes, remote) = (seen.status, seen.bytes, opened.remote);
        Ok(Exchange { timing, status, headers, trailers, body, bytes, remote, wrong })
    };
    match tokio::time::timeout(timeout, one).await {
        Ok(answer) => Ok(answer.map_err(failed)?),
        Err(_elapsed) => Err(failed(ConnectionFailure::new(FailureKind::Timeout, format!("{timeout:?}"))).into()),
    }
}

/// Round trips to an address: the times of TCP handshakes, one after another.
///
/// # Errors
/// The first connection that fails.
pub async fn connect_times(address: SocketAddr, times: u32, timeout: Duration) -> io::Result<Latencies> {
    let mut all = Latencies::default();
    for _ in 0..times {
        let began = Instant::now();
        let connected = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
        drop(connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??);
        all.record(began.elapsed());
    }
    Ok(all)
}

mod maybe {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(of: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match of {
            Some(duration) => crate::milliseconds::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.and_then(crate::milliseconds::duration))
    }
}
