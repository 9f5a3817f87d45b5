//! Latency by region: a bar from p50 to p95, a line to p99, the interval of p95, the floor of the network, and the limits.

use std::time::Duration;

use super::canvas::{Anchor, Canvas, Scale, WIDTH, short};
use super::{BLUE, GREEN, ORANGE, RED, SKY};
use crate::latencies::Latencies;
use crate::milliseconds;
use crate::statistics::{Percentile, percentile, percentile_name};
use crate::verdict::CONFIDENCE;

const ROW: f64 = 30.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 74.0;

/// One region.
#[derive(Clone, Debug, Default)]
pub struct RegionRow {
    /// Its name.
    pub name: String,
    /// All its requests.
    pub latencies: Latencies,
    /// What the network alone takes.
    pub floor: Option<Duration>,
    /// Why there is nothing, when there is nothing.
    pub missing: Option<String>,
}

/// Latency by region. The limits are percentiles with what they have to stay below.
pub fn latency_by_region(title: &str, rows: &[RegionRow], limits: &[(f64, Duration)]) -> String {
    let bottom = TOP + ROW * rows.len() as f64;
    let text = "Per region: the bar reaches from the median to p95, the line to p99; marks show the floor of the network and the limits.";
    let mut canvas = Canvas::new(bottom + 44.0, title, text);
    let slowest = rows.iter().filter_map(|row| row.latencies.value_at(0.99)).max().unwrap_or_default();
    let limit = limits.iter().map(|(_, limit)| *limit).max().unwrap_or_default();
    let floor = rows.iter().filter_map(|row| row.floor).max().unwrap_or_default();
    // A failure counts as the time-out; it must not press everything else to the left.
    let most = milliseconds::of(slowest).min(8.0 * milliseconds::of(limit.max(floor)).max(1.0));
    let scale = Scale::linear(most.max(milliseconds::of(limit)).max(milliseconds::of(floor)), LEFT, RIGHT);
    canvas.legend(
        36.0,
        &[
            (&format!("fill=\"{SKY}\""), "p50 to p95"),
            (&format!("fill=\"{BLUE}\""), "p95 to p99"),
            (&format!("fill=\"{ORANGE}\""), "interval of p95 (95 %)"),
            (&format!("fill=\"{GREEN}\""), "floor of the network"),
            (&format!("fill=\"{RED}\""), "limit"),
        ],
    );
    canvas.x_axis(&scale, TOP, bottom, "ms");
    for (at, row) in rows.iter().enumerate() {
        draw(&mut canvas, &scale, TOP + ROW * at as f64, row);
    }
    for (quantile, limit) in limits {
        let x = scale.at(milliseconds::of(*limit));
        canvas.line(
            (x, TOP - 4.0),
            (x, bottom),
            &format!("stroke=\"{RED}\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\""),
        );
        canvas.text(x, TOP - 6.0, Anchor::Middle, &percentile_name(*quantile));
    }
    canvas.finish()
}

fn draw(canvas: &mut Canvas, scale: &Scale, top: f64, row: &RegionRow) {
    let (middle, at) = (top + ROW / 2.0, |duration: Duration| scale.at(milliseconds::of(duration)));
    canvas.text(LEFT - 8.0, middle + 4.0, Anchor::End, &row.name);
    let found = [0.5, 0.95, 0.99].map(|quantile| percentile(&row.latencies, quantile, CONFIDENCE).ok());
    let said = |found: &Option<Percentile>| found.map_or("–".to_owned(), |found| short(found.value));
    if let (Some(half), Some(slow)) = (&found[0], &found[1]) {
        let (from, to) = (at(half.value), at(slow.value));
        let title = format!("{}: p50 {}, p95 {} ms", row.name, short(half.value), short(slow.value));
        canvas.rectangle(from, middle - 8.0, to - from, 16.0, &format!("fill=\"{SKY}\""), &title);
        let slowest = found[2].map(|found| at(found.value));
        if let Some(x) = slowest {
            canvas.line((to, middle), (x, middle), &format!("stroke=\"{BLUE}\" stroke-width=\"3\""));
            canvas.line((x, middle - 5.0), (x, middle + 5.0), &format!("stroke=\"{BLUE}\" stroke-width=\"3\""));
        }
        canvas.line((from, middle - 8.0), (from, middle + 8.0), "stroke=\"currentColor\" stroke-width=\"2\"");
        let interval = ((at(slow.low), middle), (at(slow.high), middle));
        canvas.line(interval.0, interval.1, &format!("stroke=\"{ORANGE}\" stroke-width=\"6\" stroke-opacity=\"0.9\""));
    }
    if let Some(floor) = row.floor {
        canvas.diamond(at(floor), middle, &format!("fill=\"{GREEN}\""), &format!("floor {} ms", short(floor)));
    }
    let figures = match &row.missing {
        Some(why) => why.chars().take(34).collect(),
        None => {
            format!("{} / {} / {} ms, n {}", said(&found[0]), said(&found[1]), said(&found[2]), row.latencies.len())
        }
    };
    canvas.text(WIDTH, middle + 4.0, Anchor::End, &figures);
}
