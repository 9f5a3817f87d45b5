//! What is worth asking again, and when.

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
        if why.contains("certificate") {
            return Self::Final(ModelsFault::Refused {
                problem: format!("the hub's certificate is not accepted: {why}"),
                next_step: "when a proxy of your network stands between, name its certificate authority (PEM) with AWS_CA_BUNDLE or SSL_CERT_FILE"
                    .to_owned(),
            });
        }
        Self::Again { why, after: None }
    }
}

/// What a broken connection says, without the address: it may be signed.
pub(super) fn words(bad: &reqwest::Error) -> String {
    if bad.is_timeout() {
        return "nothing came for 30 s".to_owned();
    }
    let mut last = None;
    let mut next = std::error::Error::source(bad);
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
