//! Files that are read again when they change, or when SIGHUP comes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};

use super::log::{Level, Log};

/// How often a file's time and size are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Something that is made of files.
pub struct Watched {
    /// What it is, for the log.
    pub what: &'static str,
    /// Its files.
    pub files: Vec<PathBuf>,
    /// Reads them; says what is there now, or why the old is kept.
    pub reload: Box<dyn Fn() -> Result<String, String> + Send + Sync>,
}

type Mark = Vec<Option<(SystemTime, u64)>>;

/// Looks at the files for ever.
pub async fn watch(all: Vec<Watched>, log: Arc<Log>) {
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
                *known = now;
                again(watched, &log);
            }
        }
    }
}

fn again(watched: &Watched, log: &Log) {
    match (watched.reload)() {
        Ok(now) => log.say(Level::Info, &format!("{} read again: {now}", watched.what), &[]),
        Err(why) => log.say(Level::Error, &format!("{} kept as they were: {why}", watched.what), &[]),
    }
}

fn mark(files: &[PathBuf]) -> Mark {
    let facts = |file: &PathBuf| std::fs::metadata(file).ok();
    files.iter().map(|file| facts(file).and_then(|facts| Some((facts.modified().ok()?, facts.len())))).collect()
}
