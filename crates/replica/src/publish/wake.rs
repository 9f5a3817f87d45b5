//! Wakes when a WAL is written to: with inotify on Linux, by polling elsewhere.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
pub(super) use linux::Wake;
#[cfg(not(target_os = "linux"))]
pub(super) use others::Wake;

#[cfg(target_os = "linux")]
mod linux {
    use std::path::PathBuf;

    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use rustix::io::Errno;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::{Path, io};
    use crate::wal::Wal;

    #[expect(
        deprecated,
        reason = "its successor cannot be called from safe code: any descriptor might be closed; an owned one is not"
    )]
    fn registered(inotify: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
        AsyncFd::with_interest(inotify, Interest::READABLE)
    }

    /// Watches a log, and the folder that it comes and goes in.
    pub(in crate::publish) struct Wake {
        inotify: AsyncFd<OwnedFd>,
        log: PathBuf,
    }

    impl Wake {
        /// Watches the log of this database.
        pub fn on(database: &Path) -> io::Result<Self> {
            let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            let folder = database.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            add_watch(&inotify, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE)?;
            let own = Self { inotify: registered(inotify)?, log: Wal::beside(database) };
            own.watch_log()?;
            Ok(own)
        }

        fn watch_log(&self) -> io::Result<()> {
            match add_watch(self.inotify.get_ref(), &self.log, WatchFlags::MODIFY) {
                Err(Errno::NOENT) => Ok(()),
                other => Ok(other.map(drop)?),
            }
        }

        /// Returns once something was written. Whatever was written before the call is told, too, but once.
        pub async fn woken(&mut self) -> io::Result<()> {
            let mut events = [0; 4096];
            let mut ready = self.inotify.readable().await?;
            loop {
                match rustix::io::read(self.inotify.get_ref(), &mut events[..]) {
                    Ok(_) => {}
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => continue,
                    Err(bad) => return Err(bad.into()),
                }
            }
            ready.clear_ready();
            drop(ready);
            // It may be another file by now; to watch the same one again changes nothing.
            self.watch_log()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod others {
    use std::time::Duration;

    use super::{Path, io};

    /// Between two looks.
    const LOOK: Duration = Duration::from_millis(20);

    /// Wakes all the time.
    pub(in crate::publish) struct Wake {}

    impl Wake {
        /// Wakes all the time.
        pub fn on(_: &Path) -> io::Result<Self> {
            Ok(Self {})
        }

        /// Returns after a moment.
        pub async fn woken(&mut self) -> io::Result<()> {
            tokio::time::sleep(LOOK).await;
            Ok(())
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;
    use tokio::time::timeout;

    use super::Wake;

    #[tokio::test]
    async fn a_commit_wakes_and_silence_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let open = Connection::open(&path).unwrap();
        open.execute_batch("PRAGMA journal_mode=WAL").unwrap();
        let mut wake = Wake::on(&path).unwrap();
        // The log comes with the first transaction.
        open.execute_batch("CREATE TABLE t(a)").unwrap();
        timeout(Duration::from_secs(5), wake.woken()).await.unwrap().unwrap();
        for _ in 0..3 {
            while timeout(Duration::from_millis(30), wake.woken()).await.is_ok() {}
            open.execute_batch("INSERT INTO t VALUES (1)").unwrap();
            timeout(Duration::from_secs(5), wake.woken()).await.unwrap().unwrap();
        }
    }
}
