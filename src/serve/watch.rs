//! Files that are reloaded when they change, or on SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use super::log::{LogLevel, LogWriter};

/// How often a file's time and size are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Something that is made of files.
pub struct Watched {
    /// What it is, for the log.
    pub what: &'static str,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// Reads them.
    pub reload: Box<dyn Fn() -> ReloadResult + Send + Sync>,
}

/// What came of reading files again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReloadResult {
    /// What is there now.
    Read(String),
    /// What is there now, which somebody may not have meant.
    Doubtful(String),
    /// The old is kept, since what is there is wrong. Told once, until the files change.
    Kept(String),
    /// The old is kept, since nothing could be read. Read and told again at each look.
    Unread(String),
}

type Mark = Vec<Option<(SystemTime, u64)>>;

/// Looks at the files for ever.
pub async fn watch(all: Vec<Watched>, log: Arc<LogWriter>) {
    let Ok(mut hup) = signal(SignalKind::hangup()) else { return };
    let mut marks: Vec<Mark> = all.iter().map(|watched| mark(&watched.files)).collect();
    loop {
        let told = tokio::select! {
            _ = hup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        for (watched, known) in all.iter().zip(&mut marks) {
            let now = mark(&watched.files);
            if told || now != *known {
                let look = (watched.reload)();
                // No files have this mark: they are read at the next look, whether they have changed or not.
                *known = if matches!(look, ReloadResult::Unread(_)) { Mark::new() } else { now };
                tell(watched.what, look, &log);
            }
        }
    }
}

fn tell(what: &str, look: ReloadResult, log: &LogWriter) {
    match look {
        ReloadResult::Read(now) => log.say(LogLevel::Info, &format!("{what} read again: {now}"), &[]),
        ReloadResult::Doubtful(now) => log.say(LogLevel::Warn, &format!("{what} read again: {now}"), &[]),
        ReloadResult::Kept(why) | ReloadResult::Unread(why) => {
            log.say(LogLevel::Error, &format!("{what} kept as they were: {why}"), &[]);
        }
    }
}

fn mark(files: &[PathBuf]) -> Mark {
    let facts = |file: &PathBuf| std::fs::metadata(file).ok();
    files.iter().map(|file| facts(file).and_then(|facts| Some((facts.modified().ok()?, facts.len())))).collect()
}
