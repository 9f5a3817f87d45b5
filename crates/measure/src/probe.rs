//! A measurement as text: the same for a function in a region, a machine behind SSH and this process.
//!
//! The order says what to measure and how; the answer holds the recording, its histograms as base64 of HdrHistogram's V2 format, or why there
//! is none. Both are JSON with a format number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latencies::Latencies;
use crate::load::{self, Control, Load, LoadError};
use crate::recording::Recording;
use crate::target::Target;
use crate::trust::{BadTrust, TrustedRoots};

/// The format of orders and answers.
pub const FORMAT: u32 = 1;
/// The longest text of an order: the largest body of a request, in base64, and the rest.
pub const MOST_ORDER: usize = 24 << 20;
/// The longest text of an answer that is read.
pub const MOST_ANSWER: usize = 64 << 20;
/// The most TCP handshakes that measure the round trip.
const MOST_TRIPS: u32 = 100;
/// How long one of them may take.
const TRIP: Duration = Duration::from_secs(5);

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// 1.
    pub format: u32,
    /// Where it is measured, for the recording: a region, a host.
    pub vantage: String,
    /// What is asked for.
    pub target: Target,
    /// How.
    pub load: Load,
    /// Authorities to hold TLS servers to, in PEM, instead of those of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_pem: Option<String>,
    /// How many TCP handshakes measure the round trip before.
    #[serde(default)]
    pub round_trips: u32,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// 1.
    pub format: u32,
    /// Of the program that measured.
    pub version: String,
    /// The TCP handshakes; empty when none was asked for, or none came about.
    #[serde(default, skip_serializing_if = "Latencies::is_empty")]
    pub round_trip: Latencies,
    /// The recording, or why there is none.
    pub outcome: Outcome,
}

/// A recording, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was measured.
    Recording(Box<Recording>),
    /// Why nothing was.
    Error(String),
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// An order that is too long.
    #[error("the order has {0} bytes, more than {MOST_ORDER}")]
    TooLong(usize),
    /// An order that cannot be read.
    #[error("the order cannot be read: {0}")]
    Order(serde_json::Error),
    /// An order of another version.
    #[error("the order has format {0}, this probe knows {FORMAT}; put the probe of the same version there")]
    Format(u32),
    /// Authorities.
    #[error(transparent)]
    Trust(#[from] BadTrust),
    /// The load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An answer that is too long.
    #[error("the answer of the probe has {0} bytes, more than {MOST_ANSWER}")]
    LongAnswer(usize),
    /// An answer that cannot be read.
    #[error("the answer of the probe cannot be read: {0}")]
    Answer(serde_json::Error),
    /// What the probe said.
    #[error("the probe did not measure: {0}")]
    Remote(String),
}

impl Order {
    /// An order of this version.
    pub fn new(vantage: &str, target: Target, load: Load) -> Self {
        Self { format: FORMAT, vantage: vantage.to_owned(), target, load, trust_pem: None, round_trips: 0 }
    }

    /// As a text.
    ///
    /// # Errors
    /// A figure that is not a number.
    pub fn text(&self) -> Result<String, ProbeError> {
        serde_json::to_string(self).map_err(ProbeError::Order)
    }

    /// Reads an order.
    ///
    /// # Errors
    /// A text that is none, or one of another version.
    pub fn parse(text: &str) -> Result<Self, ProbeError> {
        if text.len() > MOST_ORDER {
            return Err(ProbeError::TooLong(text.len()));
        }
        let Formatted { format } = serde_json::from_str(text).map_err(ProbeError::Order)?;
        if format != FORMAT {
            return Err(ProbeError::Format(format));
        }
        serde_json::from_str(text).map_err(ProbeError::Order)
    }
}

/// Only the format, which is looked at before the rest.
#[derive(Deserialize)]
struct Formatted {
    format: u32,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// A text that is none, one of another version, or why the probe did not measure.
    pub fn parse(text: &str) -> Result<(Recording, Latencies), ProbeError> {
        if text.len() > MOST_ANSWER {
            return Err(ProbeError::LongAnswer(text.len()));
        }
        let Formatted { format } = serde_json::from_str(text).map_err(ProbeError::Answer)?;
        if format != FORMAT {
            return Err(ProbeError::Format(format));
        }
        let answer: Self = serde_json::from_str(text).map_err(ProbeError::Answer)?;
        match answer.outcome {
            Outcome::Recording(recording) => Ok((*recording, answer.round_trip)),
            Outcome::Error(why) => Err(ProbeError::Remote(why)),
        }
    }
}

/// Measures what an order says. The answer is a text whatever happens; the authorities are used when the order brings none.
pub async fn run(order: &str, trust: &TrustedRoots, control: &Control) -> String {
    let (round_trip, outcome) = match measured(order, trust, control).await {
        Ok((round_trip, recording)) => (round_trip, Outcome::Recording(Box::new(recording))),
        Err(why) => (Latencies::default(), Outcome::Error(why.to_string())),
    };
    let answer = Answer { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned(), round_trip, outcome };
    serde_json::to_string(&answer).unwrap_or_else(|why| {
        // Only a histogram that cannot be written is not JSON; a text always is.
        let outcome = serde_json::json!({ "error": format!("the answer cannot be written: {why}") });
        serde_json::json!({ "format": FORMAT, "version": answer.version, "outcome": outcome }).to_string()
    })
}

async fn measured(order: &str, trust: &TrustedRoots, control: &Control) -> Result<(Latencies, Recording), ProbeError> {
    let order = Order::parse(order)?;
    let own = order.trust_pem.as_deref().map(TrustedRoots::pem).transpose()?;
    let trust = own.as_ref().unwrap_or(trust);
    let round_trip = round_trip(&order).await;
    let mut recording = load::run(&order.target, &order.load, trust, control).await?;
    recording.vantage = order.vantage;
    Ok((round_trip, recording))
}

/// The round trip to the first address. That it cannot be measured is not a failure: the requests will show why.
async fn round_trip(order: &Order) -> Latencies {
    let times = order.round_trips.min(MOST_TRIPS);
    if times == 0 {
        return Latencies::default();
    }
    match order.target.address().await {
        Some(address) => load::connect_times(address, times, TRIP).await.unwrap_or_default(),
        None => Latencies::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Extent;

    fn order() -> Order {
        Order::new("eu-west-1", Target::get("http://127.0.0.1:9/"), Load::closed(1, Extent::Requests(1)))
    }

    #[test]
    fn an_order_is_a_text() {
        let text = order().text().unwrap();
        assert_eq!(Order::parse(&text).unwrap(), order());
        assert!(matches!(Order::parse("{}"), Err(ProbeError::Order(_))));
        assert!(matches!(Order::parse(&text.replace("\"format\":1", "\"format\":2")), Err(ProbeError::Format(2))));
        assert!(matches!(Order::parse(&" ".repeat(MOST_ORDER + 1)), Err(ProbeError::TooLong(_))));
    }

    #[tokio::test]
    async fn an_order_that_cannot_be_carried_out_is_answered_with_the_reason() {
        let bad = Order { target: Target::get("ftp://host/"), ..order() };
        for (text, why) in [("rubbish", "the order cannot be read"), (&*bad.text().unwrap(), "cannot be measured")] {
            let answer = run(text, &TrustedRoots::none(), &Control::default()).await;
            let said = Answer::parse(&answer).unwrap_err();
            assert!(matches!(&said, ProbeError::Remote(said) if said.contains(why)), "{said}");
        }
    }
}
