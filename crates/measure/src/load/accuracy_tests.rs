//! Percentiles within 0.15 ms + 1 % of the server's own log, for delays of several shapes. They need a machine of their own for a
//! minute: `cargo test --release -p akidb-edge-measure -- --ignored accuracy --test-threads 1`.

use std::time::Duration;

use super::known_server::{KnownServer, Reply};
use super::*;
use crate::trust::TrustedRoots;

/// A number from 0 to 1 that belongs to another.
fn mixed(number: u64) -> f64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

async fn compared(name: &str, delay: impl Fn(u64) -> f64 + Send + Sync + 'static) {
    let server = KnownServer::start(move |n, _| Reply::After(Duration::from_secs_f64(delay(n) / 1e3), ""));
    let load = Load { warm_up: Duration::from_secs(1), ..Load::open(1_000.0, Extent::For(Duration::from_secs(10))) };
    let recording = run(&Target::get(&server.url()), &load, &TrustedRoots::none(), &Control::default()).await.unwrap();
    assert_eq!(recording.failed(), 0);
    let (seen, logged) = (recording.answered(), server.log.answered());
    let mut wrong = Vec::new();
    for quantile in [0.5, 0.9, 0.95, 0.99] {
        let of = |latencies: &crate::latencies::Latencies| {
            crate::milliseconds::of(latencies.value_at(quantile).unwrap_or_default())
        };
        let (seen, logged) = (of(&seen), of(&logged));
        let off = seen - logged;
        let line = format!("{name}: {quantile}: {logged:.3} ms in the log, {off:+.3} ms");
        std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()).unwrap();
        if off.abs() > 0.15 + 0.01 * logged {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}; sent late by {:?}", recording.lateness);
}

#[tokio::test]
#[ignore = "needs the machine for itself"]
async fn accuracy_constant() {
    compared("constant", |_| 20.0).await;
}

#[tokio::test]
#[ignore = "needs the machine for itself"]
async fn accuracy_bimodal() {
    compared("bimodal", |n| if mixed(n) < 0.9 { 5.0 } else { 50.0 }).await;
}

#[tokio::test]
#[ignore = "needs the machine for itself"]
async fn accuracy_heavy_tail() {
    // A Pareto distribution with the exponent 2, cut off at a second.
    compared("heavy tail", |n| (3.0 / (1.0 - mixed(n)).sqrt()).min(1_000.0)).await;
}

/// One second of ten in which the server stands still, at 1,000 requests a second: 1,000 requests came within it, so p99 is about 0.9 s.
#[tokio::test]
#[ignore = "needs the machine for itself"]
async fn accuracy_stall() {
    let stall = Duration::from_secs(5)..Duration::from_secs(6);
    let server = KnownServer::start(move |_, since| {
        let left = if stall.contains(&since) { stall.end - since } else { Duration::ZERO };
        Reply::After(left + Duration::from_millis(1), "")
    });
    let load = Load { connections: 20, ..Load::open(1_000.0, Extent::For(Duration::from_secs(10))) };
    let recording = run(&Target::get(&server.url()), &load, &TrustedRoots::none(), &Control::default()).await.unwrap();
    let p99 = crate::milliseconds::of(recording.all().value_at(0.99).unwrap_or_default());
    assert_eq!(recording.requests(), 10_000);
    assert!((880.0..=1_100.0).contains(&p99), "{p99} ms");
}
