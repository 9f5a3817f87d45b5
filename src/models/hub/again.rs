//! What is worth asking again, and when.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use crate::models::event::{Event, Listener};
use crate::models::fault::ModelsFault;

/// How often and how long the hub is asked.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Tries in a row that brought nothing.
    pub tries: u32,
    /// Tries of one file altogether.
    pub altogether: u32,
    /// The first pause; each one after it is twice as long.
    pub first: Duration,
    /// No pause is longer, unless the hub asks for it.
    pub longest: Duration,
    /// A pause that the hub asks for is not waited for when it is longer.
    pub most_asked: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            altogether: 50,
            first: Duration::from_millis(300),
            longest: Duration::from_secs(20),
            most_asked: Duration::from_secs(120),
        }
    }
}

/// Why a try brought nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may be better the next time.
    Again {
        /// What happened.
        why: String,
        /// The pause that the hub asks for.
        after: Option<Duration>,
    },
    /// It will not.
    Final(ModelsFault),
}

impl From<ModelsFault> for Trouble {
    fn from(fault: ModelsFault) -> Self {
        Self::Final(fault)
    }
}

impl From<reqwest::Error> for Trouble {
    fn from(bad: reqwest::Error) -> Self {
        let why = words(&bad);
        if bad.is_redirect() || bad.is_builder() {
            return Self::Final(ModelsFault::Answer { what: "a file".to_owned(), why });
        }
        if is_untrusted(&bad) {
            return Self::Final(ModelsFault::Refused {
                problem: format!("the hub's certificate is not accepted: {why}"),
                next_step: "when a proxy of your network stands between, name its certificate authority (PEM) with AWS_CA_BUNDLE or SSL_CERT_FILE"
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
        return "nothing came for 30 s".to_owned();
    }
    let mut last = None;
    let mut next = bad.source();
    while let Some(cause) = next {
        last = Some(cause);
        next = cause.source();
    }
    last.map_or_else(|| "the connection broke".to_owned(), ToString::to_string)
}

/// A pause that an answer asks for, in seconds.
pub(super) fn asked(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Counts tries and waits between them.
pub(super) struct Tries<'t> {
    pub patience: Patience,
    pub what: &'t str,
    pub host: String,
    pub listener: Listener<'t>,
    in_a_row: u32,
    altogether: u32,
}

impl<'t> Tries<'t> {
    pub fn new(patience: Patience, what: &'t str, host: String, listener: Listener<'t>) -> Self {
        Self { patience, what, host, listener, in_a_row: 0, altogether: 0 }
    }

    /// Something came.
    pub fn progress(&mut self) {
        self.in_a_row = 0;
    }

    /// Waits until the next try.
    ///
    /// # Errors
    /// When there is none.
    pub async fn pause(&mut self, trouble: Trouble) -> Result<(), ModelsFault> {
        let (why, asked) = match trouble {
            Trouble::Final(fault) => return Err(fault),
            Trouble::Again { why, after } => (why, after),
        };
        self.in_a_row += 1;
        self.altogether += 1;
        let usual = self.patience.first.saturating_mul(1 << (self.in_a_row - 1).min(16)).min(self.patience.longest);
        let after = asked.unwrap_or(usual);
        let over = self.in_a_row >= self.patience.tries || self.altogether >= self.patience.altogether;
        if over || after > self.patience.most_asked {
            return Err(ModelsFault::Unreachable {
                what: self.what.to_owned(),
                host: self.host.clone(),
                why: asked.map_or(why.clone(), |after| format!("{why}; it asks to wait {} s", after.as_secs())),
                tries: self.altogether,
            });
        }
        let attempt = self.altogether + 1;
        (self.listener)(&Event::Retrying { file: self.what, attempt, after, why: &why });
        tokio::time::sleep(after).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError::UnknownIssuer;
    use rustls::Error as Tls;

    use super::*;

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
