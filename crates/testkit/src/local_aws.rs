//! The local AWS for tests: one emulator, one account for each test.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Port of the emulator that tests share when the environment names none.
const PORT: &str = "45670";

/// Endpoint of the emulator: `AKIDB_EDGE_TEST_ENDPOINT`, else `localstack/up` starts or finds it.
pub fn endpoint() -> String {
    static ENDPOINT: OnceLock<String> = OnceLock::new();
    ENDPOINT
        .get_or_init(|| match std::env::var("AKIDB_EDGE_TEST_ENDPOINT") {
            Ok(url) => url,
            Err(_) => {
                up(&["--no-seed"]);
                format!("http://127.0.0.1:{PORT}")
            }
        })
        .clone()
}

/// Port of the emulator.
fn port() -> String {
    endpoint().rsplit(':').next().unwrap_or(PORT).to_owned()
}

fn up(more: &[&str]) {
    let script = crate::root().join("localstack/up");
    let answer = Command::new(script).args(["--port", PORT]).args(more).output().expect("localstack/up runs");
    assert!(answer.status.success(), "localstack/up: {}", String::from_utf8_lossy(&answer.stderr));
}

/// A fresh account: twelve digits that no other test of this run uses.
pub fn account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as u64;
    let own = u64::from(std::process::id()) * 7_919 + since * 131 + NEXT.fetch_add(1, Ordering::Relaxed) * 104_729;
    format!("{:012}", 100_000_000_000 + own % 899_999_999_999)
}

/// A fresh account with what week 13 takes as given (three load balancers).
pub fn seeded_account() -> String {
    let account = account();
    let script = crate::root().join("localstack/up");
    let mut seed = Command::new(script);
    seed.args(["--port", &port(), "--account", &account]);
    if std::env::var_os("AKIDB_EDGE_TEST_ENDPOINT").is_some() {
        // Whoever started it started it from a folder of their own.
        seed.arg("--use-running");
    }
    let answer = seed.output().expect("localstack/up runs");
    assert!(answer.status.success(), "localstack/up: {}", String::from_utf8_lossy(&answer.stderr));
    account
}
