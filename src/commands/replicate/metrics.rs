//! Metrics as a file of Prometheus text, replaced as a whole each time.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commands::write_private;
use crate::exit::{Failure, codes};
use crate::replica::metrics::{Board, FollowMetrics, PublishMetrics};
use crate::resource::shown;

/// The file is written so often.
const EVERY: Duration = Duration::from_secs(1);

/// The renamed metrics: former name, name. Both are written for one version (`docs/reference/renames.md`).
pub const FORMER: &[(&str, &str)] = &[("akidb_replica_store_faults_total", "akidb_replica_store_errors_total")];

/// A file that metrics are written to.
pub struct MetricsFile {
    path: PathBuf,
}

/// The task that writes it.
pub struct MetricsTask {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl MetricsFile {
    /// A file; one that cannot be written is refused before anything is published.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        write_private(path, b"")
            .map_err(|bad| codes::ARGUMENT.refused(shown!("{}: {}", path.display(), bad), "name another file"))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes it each second until it is ended.
    pub fn keep<T: Text + Clone + Send + 'static>(self, board: Board<T>) -> MetricsTask {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let write = move || {
            // A disk that is full for a moment does not stop the replication; the file then shows its age.
            let _ = write_private(&self.path, board.read().text().as_bytes());
        };
        let task = tokio::spawn(async move {
            let mut clock = tokio::time::interval(EVERY);
            loop {
                tokio::select! {
                    _ = clock.tick() => write(),
                    _ = &mut stopped => return write(),
                }
            }
        });
        MetricsTask { stop, task }
    }
}

impl MetricsTask {
    /// Writes it for the last time.
    pub async fn end(self) {
        let Self { stop, task } = self;
        let _ = stop.send(());
        let _ = task.await;
    }
}

/// Metrics that have a text.
pub trait Text {
    /// Prometheus text.
    fn text(&self) -> String;
}

struct Lines(String);

/// A name with its help, and its former names with theirs.
fn names<'a>(name: &'a str, help: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    let former = FORMER.iter().filter(move |(_, now)| *now == name);
    let former = former.map(move |(former, _)| (*former, format!("Former name of {name}.")));
    std::iter::once((name, help.to_owned())).chain(former)
}

impl Lines {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, target: Option<&str>, value: f64) {
        let label = target.map_or_else(String::new, |target| {
            format!("{{target=\"{}\"}}", target.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        });
        let _ = writeln!(self.0, "{name}{label} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        for (name, help) in names(name, help) {
            self.family(name, kind, &help);
            self.sample(name, None, value);
        }
    }
}

fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

fn seconds(at: Option<jiff::Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0)
}

impl Text for PublishMetrics {
    fn text(&self) -> String {
        let mut lines = Lines(String::new());
        type Value = fn(&crate::replica::metrics::TargetMetrics) -> f64;
        let of_targets: [(&str, &str, &str, Value); 9] = [
            ("akidb_replica_txid", "gauge", "Last published transaction.", |target| target.txid.0 as f64),
            ("akidb_replica_lag_seconds", "gauge", "Age of the oldest change that is not published.", |target| {
                target.lag_seconds
            }),
            (
                "akidb_replica_last_success_timestamp_seconds",
                "gauge",
                "When the last publication succeeded.",
                |target| seconds(target.last_success),
            ),
            ("akidb_replica_published_bytes_total", "counter", "Bytes that were published.", |target| {
                target.bytes as f64
            }),
            ("akidb_replica_published_objects_total", "counter", "Objects that were published.", |target| {
                target.files as f64
            }),
            ("akidb_replica_chain_length", "gauge", "Objects since the last snapshot.", |target| {
                target.chain_length as f64
            }),
            ("akidb_replica_store_errors_total", "counter", "Calls of the store that failed.", |target| {
                target.faults as f64
            }),
            ("akidb_replica_stalls_total", "counter", "Times that changes waited longer than they may.", |target| {
                target.stalls as f64
            }),
            ("akidb_replica_stalled", "gauge", "1 while changes are pending longer than allowed.", |target| {
                flag(target.stalled)
            }),
        ];
        for (name, kind, help, value) in of_targets {
            for (name, help) in names(name, help) {
                lines.family(name, kind, &help);
                for (target, metrics) in &self.targets {
                    lines.sample(name, Some(target), value(metrics));
                }
            }
        }
        lines.one(
            "akidb_replica_verify_failures_total",
            "counter",
            "Snapshots that failed their check and were not published.",
            self.verify_failures as f64,
        );
        lines.one("akidb_replica_wal_bytes", "gauge", "Bytes of the primary's WAL.", self.wal_bytes as f64);
        lines.one("akidb_replica_paused", "gauge", "1 while publishing is paused.", flag(self.paused));
        lines.0
    }
}

impl Text for FollowMetrics {
    fn text(&self) -> String {
        let mut lines = Lines(String::new());
        let (gauge, counter) = ("gauge", "counter");
        lines.one("akidb_replica_txid", gauge, "Transaction that readers see.", self.txid.0 as f64);
        lines.one(
            "akidb_replica_published_timestamp_seconds",
            gauge,
            "When the state that readers see was published.",
            seconds(self.published_at),
        );
        lines.one(
            "akidb_replica_last_success_timestamp_seconds",
            gauge,
            "Time of the last successful poll of the bucket.",
            seconds(self.last_success),
        );
        lines.one("akidb_replica_followed_bytes_total", counter, "Bytes that were read.", self.bytes as f64);
        lines.one("akidb_replica_followed_objects_total", counter, "Objects that were read.", self.files as f64);
        lines.one(
            "akidb_replica_verify_failures_total",
            counter,
            "Objects that were refused.",
            self.verify_failures as f64,
        );
        lines.one("akidb_replica_store_errors_total", counter, "Calls of the store that failed.", self.faults as f64);
        lines.one("akidb_replica_stalls_total", counter, "Times that the replica was too old.", self.stalls as f64);
        lines.one("akidb_replica_stalled", gauge, "1 while the replica is too old.", flag(self.stalled));
        lines.one("akidb_replica_swap_seconds", gauge, "Time of the last transaction of SQLite.", self.swap_seconds);
        lines.one("akidb_replica_paused", gauge, "1 while following is paused.", flag(self.paused));
        lines.0
    }
}
