//! Log lines on standard error: JSON for programs, text for people. They contain no texts of clients and no keys.

mod budget;

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::str::FromStr;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use serde_json::Value;

use super::config::InvalidValue;
use super::shown::is_hidden;
use budget::LineBudget;

/// Lines about requests in a second; the others are counted.
const LINES_A_SECOND: u64 = 20;
/// Lines about requests that came to no route: whoever has no key takes none from those that have one.
const REFUSALS_A_SECOND: u64 = 10;

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// What may not work for long.
    Warn,
    /// What happens to the server, and requests that were refused.
    Info,
    /// Every request.
    Debug,
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl FromStr for LogLevel {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug];
        let found = all.into_iter().find(|level| level.name() == text);
        found.ok_or_else(|| InvalidValue::new(text, "error, warn, info or debug"))
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    /// Text where a person sees it, JSON elsewhere.
    pub fn usual() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

impl FromStr for LogFormat {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(InvalidValue::new(text, "json or text")),
        }
    }
}

/// A value beside a line's message.
pub type Field<'a> = (&'a str, Value);

/// Where lines go.
#[derive(Debug)]
pub struct LogWriter {
    level: LogLevel,
    shape: LogFormat,
    began: Instant,
    requests: LineBudget,
    refusals: LineBudget,
    dropped: Counter,
}

impl LogWriter {
    /// A log on standard error. `dropped` counts the lines that it leaves out.
    pub fn new(level: LogLevel, shape: LogFormat, dropped: Counter) -> Self {
        let (requests, refusals) = (LineBudget::new(LINES_A_SECOND), LineBudget::new(REFUSALS_A_SECOND));
        Self { level, shape, began: Instant::now(), requests, refusals, dropped }
    }

    /// A log of errors alone, for tests.
    #[cfg(test)]
    pub fn silent() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self::new(LogLevel::Error, LogFormat::Text, Counter::default()))
    }

    /// Whether a line of this level is written.
    pub fn wants(&self, level: LogLevel) -> bool {
        level <= self.level
    }

    /// A line.
    pub fn say(&self, level: LogLevel, message: &str, fields: &[Field<'_>]) {
        if self.wants(level) {
            let line = self.line(level, message, fields);
            // Nobody reads the other end: there is nobody to tell.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    /// Whether a line about a request may still be written in this second. The first one of a later second tells how many were
    /// left out.
    pub fn admits(&self) -> bool {
        self.within(&self.requests, "request log lines were dropped")
    }

    /// The same of a line about a request that was refused before it came to a route.
    pub fn admits_refusal(&self) -> bool {
        self.within(&self.refusals, "log lines about rejected requests were dropped")
    }

    fn within(&self, budget: &LineBudget, what: &str) -> bool {
        let Some(left_out) = budget.take(self.began.elapsed().as_secs()) else {
            self.dropped.inc();
            return false;
        };
        if left_out > 0 {
            self.say(LogLevel::Info, what, &[("count", left_out.into())]);
        }
        true
    }

    fn line(&self, level: LogLevel, message: &str, fields: &[Field<'_>]) -> String {
        let time = jiff::Timestamp::now();
        let mut line = String::with_capacity(256);
        match self.shape {
            LogFormat::Json => {
                let message = Value::from(message);
                let _ = write!(line, "{{\"time\":\"{time:.3}\",\"level\":\"{}\",\"message\":{message}", level.name());
                for (name, value) in fields {
                    let _ = write!(line, ",{}:{value}", Value::from(*name));
                }
                line.push('}');
            }
            LogFormat::Text => {
                let _ = write!(line, "{time:.3} {:<5} {message}", level.name());
                for (name, value) in fields {
                    let _ = write!(line, "  {name}={value}");
                }
            }
        }
        let mut line = visible(line, self.shape);
        line.push('\n');
        line
    }
}

/// What clients and model files say moves no cursor of whoever reads the log: what is hidden is written out, in JSON as JSON does.
fn visible(line: String, shape: LogFormat) -> String {
    if !line.chars().any(is_hidden) {
        return line;
    }
    let mut shown = String::with_capacity(line.len() + 16);
    for letter in line.chars() {
        match shape {
            _ if !is_hidden(letter) => shown.push(letter),
            LogFormat::Text => shown.extend(letter.escape_default()),
            LogFormat::Json => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(shape: LogFormat) -> LogWriter {
        LogWriter::new(LogLevel::Info, shape, Counter::default())
    }

    #[test]
    fn a_line_is_one_object_whatever_it_says() {
        let line =
            log(LogFormat::Json).line(LogLevel::Warn, "a \"b\"\nc", &[("id", "x\ny".into()), ("ms", 1.5.into())]);
        assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((read["message"].as_str(), read["level"].as_str()), (Some("a \"b\"\nc"), Some("warn")));
        assert_eq!((read["id"].as_str(), read["ms"].as_f64()), (Some("x\ny"), Some(1.5)));
        assert!(read["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn text_keeps_to_one_line_and_levels_are_kept() {
        let log = log(LogFormat::Text);
        let line = log.line(LogLevel::Info, "words", &[("id", "x\ny".into())]);
        assert!(line.ends_with("info  words  id=\"x\\ny\"\n"), "{line}");
        assert!(log.wants(LogLevel::Error) && log.wants(LogLevel::Info) && !log.wants(LogLevel::Debug));
        assert_eq!("debug".parse(), Ok(LogLevel::Debug));
        assert!("loud".parse::<LogLevel>().is_err());
    }

    #[test]
    fn nothing_hidden_reaches_a_terminal() {
        let said = "a\u{1b}]52;c;x\u{7}\u{9b}2J\u{202e}\n\u{e0041}\u{7f}";
        for shape in [LogFormat::Json, LogFormat::Text] {
            let line = log(shape).line(LogLevel::Warn, said, &[("model", said.into())]);
            assert!(!line.trim_end_matches('\n').chars().any(is_hidden), "{line:?}");
            assert_eq!(line.matches('\n').count(), 1);
        }
        let line = log(LogFormat::Json).line(LogLevel::Warn, said, &[("model", said.into())]);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((read["message"].as_str(), read["model"].as_str()), (Some(said), Some(said)));
    }

    #[test]
    fn a_flood_is_counted_instead() {
        let log = log(LogFormat::Json);
        let admitted = (0..10_000).filter(|_| log.admits()).count() as u64;
        // A second may end in between.
        assert!((LINES_A_SECOND..=3 * LINES_A_SECOND).contains(&admitted), "{admitted}");
        assert_eq!(log.dropped.get(), 10_000 - admitted);
        assert!(log.admits_refusal(), "refusals have lines of their own");
    }
}
