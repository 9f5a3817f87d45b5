//! How far places and replicas are behind: the largest of it is the figure of the criterion `metadata.lag`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::place::seconds;
use crate::commands::Context;
use crate::replica::status::Lag;
use crate::replica::{Position, Txid};
use crate::resource::shown;

/// The lags of all that was looked at.
#[derive(Debug, Default)]
pub struct Lags {
    largest: Option<(String, Lag)>,
    of_primary: bool,
    missing: Vec<String>,
}

impl Lags {
    /// One that is known.
    pub fn add(&mut self, name: &str, lag: Lag) {
        self.of_primary = lag.of_primary && (self.largest.is_none() || self.of_primary);
        if self.largest.as_ref().is_none_or(|(_, largest)| largest.at_most < lag.at_most) {
            self.largest = Some((name.to_owned(), lag));
        }
    }

    /// One that is not known.
    pub fn miss(&mut self, name: &str) {
        self.missing.push(name.to_owned());
    }

    /// The figure: no `seconds` when one of them is not known.
    pub fn document(&self) -> Value {
        let known = self.largest.as_ref().filter(|_| self.missing.is_empty());
        json!({
            "measure": "metadata.lag", "unit": "s", "seconds": known.map(|(_, lag)| lag.at_most.as_secs_f64()),
            "of": known.map(|(name, _)| name), "of_primary": self.of_primary, "unknown": self.missing,
        })
    }
}

/// Replicas on this machine, and where each is.
#[derive(Debug)]
pub struct Replicas(Vec<(PathBuf, Result<Position, String>)>);

impl Replicas {
    /// Reads what their followers have written beside them.
    pub fn read(files: &[PathBuf]) -> Self {
        let position = |file: &PathBuf| match Position::of(file) {
            Ok(Some(position)) if file.exists() => Ok(position),
            Ok(_) => Err("no follower has written it: run akidb-edge replicate follow".to_owned()),
            Err(bad) => Err(bad.to_string()),
        };
        Self(files.iter().map(|file| (file.clone(), position(file))).collect())
    }

    /// Whether each of them was read.
    pub fn are_all_known(&self) -> bool {
        self.0.iter().all(|(_, position)| position.is_ok())
    }

    /// Says where they are, and adds their lags. Returns them as data.
    pub fn tell(&self, newest: Option<Txid>, now: Timestamp, lags: &mut Lags, context: &Context) -> Vec<Value> {
        let mut rows = Vec::new();
        for (file, position) in &self.0 {
            let name = file.display().to_string();
            match position {
                Ok(position) => {
                    let lag = lag(position, newest, now);
                    lags.add(&name, lag);
                    rows.push(json!({
                        "db": name, "txid": position.txid.to_string(), "published_at": position.published_at.to_string(),
                        "seen_at": position.seen_at.to_string(), "lag_seconds": lag.at_most.as_secs_f64(),
                    }));
                    if !context.global.json {
                        let (txid, at_most) = (position.txid.to_string(), seconds(lag.at_most));
                        context.printer.data(shown!("{}: transaction {}, at most {} s behind", name, txid, at_most));
                    }
                }
                Err(why) => {
                    lags.miss(&name);
                    rows.push(json!({"db": name, "problem": why}));
                    context.printer.remark(shown!("{}: {}", name, why));
                }
            }
        }
        rows
    }
}

/// How far a replica is behind: the time since it was last known to be up to date. One that lacks a state of a place that was looked at
/// just now is as old as its own state.
fn lag(position: &Position, newest: Option<Txid>, now: Timestamp) -> Lag {
    let age = Duration::try_from(now.duration_since(position.published_at)).unwrap_or_default();
    let staleness = position.staleness(now);
    let at_most = if newest.is_some_and(|newest| position.txid < newest) { age.max(staleness) } else { staleness };
    Lag { at_most, of_primary: position.alive_at.is_some() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Lag, Lags};

    fn lag(seconds: u64, of_primary: bool) -> Lag {
        Lag { at_most: Duration::from_secs(seconds), of_primary }
    }

    #[test]
    fn the_largest_counts_and_what_is_not_known_is_no_figure() {
        let mut lags = Lags::default();
        assert!(lags.document()["seconds"].is_null());
        lags.add("us", lag(3, true));
        lags.add("eu", lag(9, true));
        lags.add("ap", lag(4, true));
        let document = lags.document();
        assert_eq!(
            (&document["seconds"], &document["of"], &document["of_primary"]),
            (&9.0_f64.into(), &"eu".into(), &true.into())
        );
        lags.add("sa", lag(1, false));
        assert_eq!(lags.document()["of_primary"], false);
        lags.miss("af");
        let document = lags.document();
        assert!(document["seconds"].is_null() && document["unknown"][0] == "af", "{document}");
    }
}
