//! Which requests to the hub are retried, and when.

use std::error::Error;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::models::event::{ModelEvent, ModelListener};
use crate::models::fault::ModelsFault;

/// How often and how long the hub is asked.
#[derive(Clone, Copy, Debug)]
pub struct HubRetryPolicy {
    /// Tries in a row that brought nothing new.
    pub tries: u32,
    /// The first pause; each one after it is twice as long.
    pub first: Duration,
    /// No pause is longer, unless the hub asks for it.
    pub longest: Duration,
    /// A pause that the hub asks for is not waited for when it is longer.
    pub most_asked: Duration,
}

impl Default for HubRetryPolicy {
    fn default() -> Self {
        Self {
            tries: 5,
            first: Duration::from_millis(300),
            longest: Duration::from_secs(20),
            // Hugging Face counts requests over five minutes.
            most_asked: Duration::from_secs(300),
        }
    }
}

/// Why a try brought nothing.
#[derive(Debug)]
pub(super) enum TryFailure {
    /// It may be better the next time.
    Again {
        /// What happened.
        why: String,
        /// The pause that the hub asks for.
        after: Option<Duration>,
    },
    /// It is asked too often.
    Limited {
        /// The pause that the hub asks for.
        after: Option<Duration>,
        /// Whether a token was sent.
        token: bool,
    },
    /// The address that the hub had redirected to is refused: another one may be good. What it is told as when it is not.
    Expired(ModelsFault),
    /// It will not.
    Final(ModelsFault),
}

impl From<ModelsFault> for TryFailure {
    fn from(fault: ModelsFault) -> Self {
        Self::Final(fault)
    }
}

impl From<reqwest::Error> for TryFailure {
    fn from(bad: reqwest::Error) -> Self {
        let why = words(&bad);
        if bad.is_redirect() || bad.is_builder() {
            return Self::Final(ModelsFault::Answer { what: "a file".to_owned(), why });
        }
        if is_untrusted(&bad) {
            return Self::Final(ModelsFault::Refused {
                problem: format!("the hub's certificate is not accepted: {why}"),
                next_step: "if a proxy of your network intercepts TLS, set AWS_CA_BUNDLE or SSL_CERT_FILE to its \
                            certificate authority (PEM)"
                    .to_owned(),
            });
        }
        Self::Again { why, after: None }
    }
}

/// Whether a connection broke since the other end's certificate is not accepted.
fn is_untrusted(bad: &(dyn Error + 'static)) -> bool {
    let mut next = Some(bad);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return matches!(tls, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented);
        }
        // What an error of the system wraps is not among its causes.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    false
}

/// What a broken connection says, without the address: it may be signed.
pub(super) fn words(bad: &reqwest::Error) -> String {
    if bad.is_timeout() {
        return "no data for 30 s".to_owned();
    }
    let mut last = None;
    let mut next = bad.source();
    while let Some(cause) = next {
        last = Some(cause);
        next = cause.source();
    }
    last.map_or_else(|| "the connection broke".to_owned(), ToString::to_string)
}

/// A pause that an answer asks for.
pub(super) fn asked(answer: &Response) -> Option<Duration> {
    pause_of(answer.headers(), Timestamp::now())
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), else what `RateLimit` says.
fn pause_of(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
    let date = |text: &str| {
        let until = DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
        Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
    };
    let retry = text(RETRY_AFTER.as_str()).and_then(|text| seconds(text).or_else(|| date(text)));
    retry.or_else(|| text("ratelimit").and_then(until_reset))
}

/// `"api";r=0;t=8`: nothing is left for 8 seconds (draft-ietf-httpapi-ratelimit-headers). Of several limits the longest that is used up
/// counts.
fn until_reset(text: &str) -> Option<Duration> {
    let of_limit = |limit: &str| {
        let parameter = |name: &str| -> Option<u64> {
            let mut all = limit.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
            all.find(|(known, _)| known.trim() == name)?.1.trim().parse().ok()
        };
        let reset = parameter("t")?;
        (parameter("r").unwrap_or_default() == 0).then(|| Duration::from_secs(reset))
    };
    text.split(',').filter_map(of_limit).max()
}

/// Counts tries and waits between them.
pub(super) struct RetryState<'t> {
    pub retry_policy: HubRetryPolicy,
    pub what: &'t str,
    pub host: String,
    pub listener: ModelListener<'t>,
    in_a_row: u32,
    altogether: u32,
}

impl<'t> RetryState<'t> {
    pub fn new(retry_policy: HubRetryPolicy, what: &'t str, host: String, listener: ModelListener<'t>) -> Self {
        Self { retry_policy, what, host, listener, in_a_row: 0, altogether: 0 }
    }

    /// Something came.
    pub fn progress(&mut self) {
        self.in_a_row = 0;
    }

    /// Waits until the next try.
    ///
    /// # Errors
    /// When there is none.
    pub async fn pause(&mut self, trouble: TryFailure) -> Result<(), ModelsFault> {
        let (why, asked, limited) = match trouble {
            TryFailure::Final(fault) | TryFailure::Expired(fault) => return Err(fault),
            TryFailure::Again { why, after } => (why, after, None),
            TryFailure::Limited { after, token } => ("the hub answers 429".to_owned(), after, Some(token)),
        };
        self.in_a_row += 1;
        self.altogether += 1;
        let usual =
            self.retry_policy.first.saturating_mul(1 << (self.in_a_row - 1).min(16)).min(self.retry_policy.longest);
        let after = asked.unwrap_or(usual);
        if self.in_a_row >= self.retry_policy.tries || after > self.retry_policy.most_asked {
            if let Some(token) = limited {
                let (what, host) = (self.what.to_owned(), self.host.clone());
                return Err(ModelsFault::Limited { what, host, wait: asked, token });
            }
            return Err(ModelsFault::Unreachable {
                what: self.what.to_owned(),
                host: self.host.clone(),
                why: asked.map_or(why.clone(), |after| format!("{why}; retry after {} s", after.as_secs())),
                tries: self.altogether,
            });
        }
        let attempt = self.altogether + 1;
        (self.listener)(&ModelEvent::Retrying { file: self.what, attempt, after, why: &why });
        tokio::time::sleep(after).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError::UnknownIssuer;
    use rustls::Error as Tls;

    use super::*;

    #[test]
    fn the_pause_is_read_as_it_is_asked_for() {
        let now: Timestamp = "2026-11-30T10:00:00Z".parse().unwrap();
        for (name, value, seconds) in [
            ("retry-after", "240", Some(240)),
            ("retry-after", "Mon, 30 Nov 2026 10:00:30 GMT", Some(30)),
            ("retry-after", "Mon, 30 Nov 2026 09:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("ratelimit", "\"api\";r=0;t=8", Some(8)),
            ("ratelimit", "\"pages\";r=12;t=90, \"api\";r=0;t=8", Some(8)),
            ("ratelimit", "\"api\";r=3;t=8", None),
            ("ratelimit", "nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(pause_of(&headers, now), seconds.map(Duration::from_secs), "{name}: {value}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_asked_for_without_end_and_none_ends_soon() {
        let broke = || TryFailure::Again { why: "it broke off".to_owned(), after: None };
        let listener = |_: &ModelEvent<'_>| {};
        let mut tries = RetryState::new(HubRetryPolicy::default(), "model.onnx", "hub".to_owned(), &listener);
        for _ in 0..1000 {
            tries.progress();
            tries.pause(broke()).await.unwrap();
        }
        tries.progress();
        let mut more = 0;
        while tries.pause(broke()).await.is_ok() {
            more += 1;
        }
        assert_eq!(more, 4);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the connection broke")]
    struct Broke(#[source] io::Error);

    #[test]
    fn a_certificate_is_told_from_other_reasons_of_a_connection_that_broke() {
        let broke = |tls: Tls| Broke(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls)));
        assert!(is_untrusted(&broke(Tls::InvalidCertificate(UnknownIssuer))));
        assert!(!is_untrusted(&broke(Tls::General("a word about a certificate".to_owned()))));
        assert!(!is_untrusted(&Broke(io::Error::other("certificate"))));
    }
}
