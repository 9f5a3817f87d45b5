//! Sends a row from the primary through the bucket.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::replay::replay;
use super::{Sentinel, VerifyOptions, VerifyOutcome, VerifyReport};
use crate::calls::Calls;
use crate::chain::Chain;
use crate::image::frozen;
use crate::restore::build::Built;
use crate::txid::Txid;

/// Between two looks at the bucket.
const LOOK: Duration = Duration::from_millis(500);
/// What is published this long after the row was written has to have it.
const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
/// What is written into the primary.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS _akidb_replica_sentinel (id INTEGER PRIMARY KEY, nonce TEXT NOT NULL, at TEXT NOT NULL)";
const ROW: &str =
    "INSERT INTO _akidb_replica_sentinel VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE SET nonce = ?1, at = ?2";

/// Writes the row, and replays what is published until it is there.
pub(super) async fn round_trip(
    calls: &Calls,
    options: &VerifyOptions,
    primary: &Path,
    report: &mut VerifyReport,
) -> Result<(), VerifyOutcome> {
    let mut seen = newest(calls).await?;
    let nonce = match written(primary).await {
        Ok(nonce) => nonce,
        Err(why) => {
            report.sentinel = Sentinel::Unwritten(why.clone());
            replay(calls, options, report).await?;
            return Err(VerifyOutcome::Inconclusive(format!("the sentinel could not be written: {why}")));
        }
    };
    let (begun, at) = (Instant::now(), jiff::Timestamp::now());
    let mut late = false;
    while begun.elapsed() < options.sentinel_timeout {
        let now = newest(calls).await?;
        if now == seen {
            sleep(LOOK).await;
            continue;
        }
        seen = now;
        let built = replay(calls, options, report).await?;
        if holds(built, &nonce).await? {
            report.sentinel = Sentinel::Returned(begun.elapsed());
            return Ok(());
        }
        late = report.published_at.is_some_and(|published| published.duration_since(at) > GRACE);
    }
    if late {
        report.sentinel = Sentinel::Lost;
        return Err(VerifyOutcome::Bad(
            "the sentinel was committed, and what was published later does not have it".to_owned(),
        ));
    }
    report.sentinel = Sentinel::NotYet;
    replay(calls, options, report).await?;
    let waited = options.sentinel_timeout.as_secs();
    Err(VerifyOutcome::Inconclusive(format!("the sentinel was not published within {waited} s: does a publisher run?")))
}

async fn newest(calls: &Calls) -> Result<Option<Txid>, VerifyOutcome> {
    let chain = Chain::list(calls).await.map_err(|bad| VerifyOutcome::Inconclusive(bad.to_string()))?;
    Ok(chain.newest())
}

async fn written(primary: &Path) -> Result<String, String> {
    let path = primary.to_owned();
    let write = move || -> Result<String, String> {
        let nonce = random()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let put = || -> rusqlite::Result<()> {
            let open = Connection::open_with_flags(&path, flags)?;
            open.busy_timeout(Duration::from_secs(5))?;
            open.execute_batch(TABLE)?;
            open.execute(ROW, [&nonce, &jiff::Timestamp::now().to_string()]).map(drop)
        };
        put().map_err(|bad| bad.to_string())?;
        Ok(nonce)
    };
    spawn_blocking(write).await.map_err(|ended| ended.to_string())?
}

fn random() -> Result<String, String> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 16];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gave no random bytes".to_owned())?;
    Ok(hex::encode(bytes))
}

async fn holds(built: Built, nonce: &str) -> Result<bool, VerifyOutcome> {
    let nonce = nonce.to_owned();
    let look = move || -> rusqlite::Result<bool> {
        let open = frozen(&built.path)?;
        let table = "SELECT 1 FROM sqlite_schema WHERE name = '_akidb_replica_sentinel'";
        if open.query_row(table, [], |_| Ok(())).optional()?.is_none() {
            return Ok(false);
        }
        let row = "SELECT 1 FROM _akidb_replica_sentinel WHERE nonce = ?1";
        Ok(open.query_row(row, [nonce], |_| Ok(())).optional()?.is_some())
    };
    match spawn_blocking(look).await {
        Ok(Ok(there)) => Ok(there),
        Ok(Err(bad)) => Err(VerifyOutcome::Bad(bad.to_string())),
        Err(ended) => Err(VerifyOutcome::Inconclusive(ended.to_string())),
    }
}
