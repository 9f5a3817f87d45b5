//! What happened when: the slowest answer of each bin, and how many were answered and failed.

use super::canvas::{Anchor, Canvas, Scale, WIDTH};
use super::{BLUE, RED, SKY};
use crate::timeline::Timeline;

const LEFT: f64 = 60.0;
const RIGHT: f64 = WIDTH - 16.0;
const MIDDLE: f64 = 180.0;
const TOP: f64 = 70.0;
const BELOW: f64 = 215.0;
const BOTTOM: f64 = 330.0;

/// Requests by the time at which they were due. Outages (more than this share of the requests failed) are shaded.
pub fn timeline(title: &str, of: &Timeline, outage_share: f64) -> String {
    let text = "Above, the slowest answer of each bin; below, requests per second that were answered and that failed. Outages are shaded.";
    let mut canvas = Canvas::new(BOTTOM + 44.0, title, text);
    let seconds = of.bins.len() as f64 * of.bin_ms as f64 / 1000.0;
    if of.bins.is_empty() {
        canvas.text(WIDTH / 2.0, BOTTOM / 2.0, Anchor::Middle, "no request was measured");
        return canvas.finish();
    }
    let x = Scale::linear(seconds, LEFT, RIGHT);
    let (per_second, second) = (1000.0 / of.bin_ms as f64, |index: usize| index as f64 * of.bin_ms as f64 / 1000.0);
    let busiest = of.bins.iter().map(|bin| bin.answered + bin.failed).max().unwrap_or(1) as f64 * per_second;
    let slowest = of.bins.iter().map(|bin| bin.worst_ms).fold(0.0, f64::max);
    let (latency, rate) = (Scale::linear(slowest, MIDDLE, TOP), Scale::linear(busiest, BOTTOM, BELOW));
    canvas.legend(
        36.0,
        &[
            (&format!("fill=\"{BLUE}\""), "slowest answer"),
            (&format!("fill=\"{SKY}\""), "answered per second"),
            (&format!("fill=\"{RED}\""), "failed per second"),
            (&format!("fill=\"{RED}\" fill-opacity=\"0.15\""), "outage"),
        ],
    );
    for outage in of.outages(outage_share) {
        let (from, to) = (x.at(outage.from_ms as f64 / 1000.0), x.at(outage.to_ms as f64 / 1000.0));
        let long = (outage.to_ms - outage.from_ms) as f64 / 1000.0;
        let title = format!("{long:.1} s, {} failed", outage.failed);
        let fill = format!("fill=\"{RED}\" fill-opacity=\"0.15\"");
        canvas.rectangle(from, TOP, (to - from).max(1.0), BOTTOM - TOP, &fill, &title);
        canvas.text(f64::midpoint(from, to), TOP - 6.0, Anchor::Middle, &format!("{long:.1} s"));
    }
    canvas.y_axis(&latency, LEFT, RIGHT, "ms");
    canvas.y_axis(&rate, LEFT, RIGHT, "per s");
    canvas.x_axis(&x, TOP, BOTTOM, "seconds since the start");
    let mut line = Vec::new();
    for (index, bin) in of.bins.iter().enumerate() {
        let (left, right) = (x.at(second(index)), x.at(second(index + 1)));
        let (answered, all) = (bin.answered as f64 * per_second, (bin.answered + bin.failed) as f64 * per_second);
        let (level, top) = (rate.at(answered), rate.at(all));
        if bin.answered > 0 {
            canvas.rectangle(left, level, (right - left).max(0.6), BOTTOM - level, &format!("fill=\"{SKY}\""), "");
            line.push((f64::midpoint(left, right), latency.at(bin.worst_ms)));
        } else if bin.failed > 0 && line.len() > 1 {
            canvas.path(&std::mem::take(&mut line), &format!("stroke=\"{BLUE}\" stroke-width=\"1.5\""));
        }
        if bin.failed > 0 {
            canvas.rectangle(left, top, (right - left).max(0.6), level - top, &format!("fill=\"{RED}\""), "");
        }
    }
    if line.len() > 1 {
        canvas.path(&line, &format!("stroke=\"{BLUE}\" stroke-width=\"1.5\""));
    }
    canvas.finish()
}
