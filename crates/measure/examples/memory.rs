//! The memory that ten million samples take: histograms of each phase and of 600 intervals, as a run keeps them.
//!
//! `cargo run --release -p akidb-edge-measure --example memory -- 10000000`

use std::time::{Duration, Instant};

use akidb_edge_measure::{Class, Latencies, Recording};

/// How many samples are in one interval.
const INTERVALS: u64 = 600;

/// The most memory that this process had in kB, as Linux tells it.
fn most_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// Log-normal latencies with a median of 5 ms, from seeded numbers.
fn latency(state: &mut u64) -> Duration {
    let mut sum = 0.0;
    for _ in 0..4 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sum += (*state >> 33) as f64 / f64::from(1_u32 << 31);
    }
    Duration::from_secs_f64(0.005 * ((sum - 2.0) * 1.7).exp())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let samples: u64 = std::env::args().nth(1).map_or(Ok(10_000_000), |text| text.parse())?;
    let (class, mut recording, mut state) = ("reused/unstated/warm".parse::<Class>()?, Recording::default(), 7);
    let began = Instant::now();
    for interval in 0..INTERVALS {
        let mut latencies = Latencies::default();
        let phases = recording.classes.entry(class).or_default();
        for _ in 0..samples / INTERVALS {
            let total = latency(&mut state);
            latencies.record(total);
            phases.total.record(total);
            phases.first_byte.record(total.mul_f64(0.9));
            recording.lateness.record(total / 100);
        }
        let index = u32::try_from(interval)?;
        let histogram = latencies.encode()?;
        let each = akidb_edge_measure::intervals::Interval { index, requests: latencies.len(), histogram };
        recording.intervals.each.push(each);
    }
    let memory = most_memory().map_or_else(|| "unknown".to_owned(), |size| (size / 1024).to_string());
    println!(
        "{{\"samples\": {}, \"memory_mb\": {memory}, \"seconds\": {:.1}}}",
        recording.requests(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
