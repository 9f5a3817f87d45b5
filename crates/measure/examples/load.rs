//! One run with its figures, for comparisons with other load tools.
//!
//! `cargo run --release -p akidb-edge-measure --example load -- http://127.0.0.1:8099/ --connections 50 --seconds 5 [--rate 1000]`

use std::time::Duration;

use akidb_edge_measure::load::{self, Control, Extent, Load};
use akidb_edge_measure::statistics::percentile_name;
use akidb_edge_measure::{Latencies, Protocol, Target, TrustedRoots};

fn micros(of: &Latencies, quantile: f64) -> f64 {
    of.value_at(quantile).unwrap_or_default().as_secs_f64() * 1e6
}

/// The most memory that this process had, as Linux tells it.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |size| size.trim().to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse::<f64>().ok())
    };
    let url = arguments.first().ok_or("give an URL")?;
    let seconds = Duration::from_secs_f64(after("--seconds").unwrap_or(5.0));
    let connections = after("--connections").unwrap_or(50.0) as u32;
    let extent = after("--requests").map_or(Extent::For(seconds), |count| Extent::Requests(count as u64));
    let mut load = match after("--rate") {
        Some(rate) => Load { connections, ..Load::open(rate, extent) },
        None => Load::closed(connections, extent),
    };
    load.workers = after("--workers").unwrap_or(1.0) as u16;
    load.streams = after("--streams").unwrap_or(1.0) as u32;
    load.warm_up = Duration::from_secs_f64(after("--warm-up").unwrap_or(0.5));
    let mut target = Target::get(url);
    if arguments.iter().any(|argument| argument == "--http2") {
        target.protocol = Protocol::Http2;
    }
    let recording = load::run(&target, &load, &TrustedRoots::none(), &Control::default()).await?;
    let all = recording.all();
    println!("requests {} failed {} {:?}", recording.requests(), recording.failed(), recording.failures.by_kind);
    println!("rate {:.0}/s", recording.throughput());
    for quantile in [0.5, 0.9, 0.99, 0.999] {
        println!("{} {:.1} us", percentile_name(quantile), micros(&all, quantile));
    }
    println!(
        "sent late: p50 {:.1} us, p99 {:.1} us",
        micros(&recording.lateness, 0.5),
        micros(&recording.lateness, 0.99)
    );
    println!("memory {}", most_memory());
    Ok(())
}
