//! How many requests took how long.

use std::time::Duration;

use super::canvas::{Anchor, Canvas, Scale, WIDTH, number, short};
use super::{BLUE, RED, SKY};
use crate::latencies::Latencies;
use crate::milliseconds;
use crate::statistics::percentile_name;

const LEFT: f64 = 60.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 280.0;
const BARS: usize = 80;

/// How many requests took how long, on a logarithmic scale, with p50, p95 and p99, and the limit.
pub fn histogram(title: &str, latencies: &Latencies, limit: Option<Duration>) -> String {
    let mut canvas =
        Canvas::new(BOTTOM + 44.0, title, "How many requests took how long; the time is on a logarithmic scale.");
    let (Some(least), Some(most)) = (latencies.min(), latencies.max()) else {
        canvas.text(WIDTH / 2.0, BOTTOM / 2.0, Anchor::Middle, "no request was measured");
        return canvas.finish();
    };
    let (least, most) = (milliseconds::of(least), milliseconds::of(most.max(limit.unwrap_or_default())));
    let x = Scale::logarithmic(least * 0.98, most * 1.02, LEFT, WIDTH - 4.0);
    let parts: Vec<(f64, f64)> = x.parts(BARS).collect();
    let mut counts = vec![0_u64; BARS];
    for (value, count) in latencies.steps() {
        let value = milliseconds::of(value);
        let place = parts.partition_point(|(_, end)| *end < value).min(BARS - 1);
        counts[place] += count;
    }
    let y = Scale::linear(counts.iter().copied().max().unwrap_or(1) as f64, BOTTOM, TOP);
    canvas.x_axis(&x, TOP, BOTTOM, "ms");
    canvas.y_axis(&y, LEFT, WIDTH - 4.0, "requests");
    for ((from, to), count) in parts.iter().zip(&counts).filter(|(_, count)| **count > 0) {
        let (left, top) = (x.at(*from), y.at(*count as f64));
        let title = format!("{} to {} ms: {count}", number(*from), number(*to));
        canvas.rectangle(left, top, x.at(*to) - left - 0.5, BOTTOM - top, &format!("fill=\"{SKY}\""), &title);
    }
    for (level, quantile) in [0.5, 0.95, 0.99].into_iter().enumerate() {
        let value = latencies.value_at(quantile).unwrap_or_default();
        let (at, top) = (x.at(milliseconds::of(value)), TOP - 24.0 + 13.0 * (level as f64));
        canvas.line((at, top), (at, BOTTOM), &format!("stroke=\"{BLUE}\" stroke-width=\"1.5\""));
        let anchor = if at > WIDTH - 120.0 { Anchor::End } else { Anchor::Start };
        let beside = if at > WIDTH - 120.0 { at - 4.0 } else { at + 4.0 };
        canvas.text(beside, top + 9.0, anchor, &format!("{} {} ms", percentile_name(quantile), short(value)));
    }
    if let Some(limit) = limit {
        let at = x.at(milliseconds::of(limit));
        canvas.line(
            (at, TOP),
            (at, BOTTOM),
            &format!("stroke=\"{RED}\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\""),
        );
        canvas.text(at, BOTTOM + 32.0, Anchor::Middle, &format!("limit {} ms", short(limit)));
    }
    canvas.finish()
}
