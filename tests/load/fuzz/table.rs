//! What a long run prints in the end: one line for each parser.

use super::child::{Counts, Kind};

/// A parser, and what came of its cases.
pub struct Row {
    pub name: &'static str,
    pub cases: u64,
    pub seconds: f64,
    /// Cases that were taken as they were.
    pub accepted: u64,
    /// The most memory of a process that ran them.
    pub peak_kb: u64,
    /// What they left behind.
    pub growth_kb: u64,
    /// Milliseconds of the longest case, where cases are timed one by one.
    pub slowest_ms: Option<u64>,
}

impl Row {
    pub fn of(kind: Kind, counts: &Counts, seconds: f64) -> Self {
        let Counts { cases, good, peak_kb, growth_kb, slowest, .. } = counts;
        let (name, slowest_ms) = (kind.name(), Some(slowest.0));
        Self { name, cases: *cases, seconds, accepted: *good, peak_kb: *peak_kb, growth_kb: *growth_kb, slowest_ms }
    }
}

pub fn print(rows: &[Row]) {
    println!("\n| parser | cases | seconds | cases/s | accepted | slowest | peak | left behind |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let share = 100.0 * row.accepted as f64 / row.cases.max(1) as f64;
        let slowest = row.slowest_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        println!(
            "| {} | {} | {:.0} | {:.0} | {share:.1} % | {slowest} | {} MiB | {} KiB |",
            row.name,
            row.cases,
            row.seconds,
            row.cases as f64 / row.seconds.max(0.001),
            row.peak_kb >> 10,
            row.growth_kb
        );
    }
}
