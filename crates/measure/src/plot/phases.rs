//! What the time goes into: DNS, TCP, TLS, the wait for the first byte, and the rest.

use std::time::Duration;

use super::canvas::{Anchor, Canvas, Scale, WIDTH, short};
use super::{BLUE, GREEN, ORANGE, PURPLE, SKY};
use crate::milliseconds;
use crate::recording::Phases;

const ROW: f64 = 30.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 58.0;

/// The median of each phase, one row for each name. Medians do not add up to the median of the whole exactly, which stands beside.
pub fn phases(title: &str, rows: &[(String, Phases)]) -> String {
    let bottom = TOP + ROW * rows.len() as f64;
    let mut canvas =
        Canvas::new(bottom + 44.0, title, "The median of each phase of a request, one row for each kind of request.");
    let parts: Vec<[Duration; 5]> = rows.iter().map(|(_, phases)| medians(phases)).collect();
    let longest = parts.iter().map(|parts| parts.iter().sum::<Duration>()).max().unwrap_or_default();
    let scale = Scale::linear(milliseconds::of(longest), LEFT, RIGHT);
    let names = ["DNS", "TCP", "TLS", "wait for the first byte", "the rest"];
    let fills = [PURPLE, GREEN, ORANGE, BLUE, SKY].map(|color| format!("fill=\"{color}\""));
    let legend: Vec<(&str, &str)> = fills.iter().map(String::as_str).zip(names).collect();
    canvas.legend(36.0, &legend);
    canvas.x_axis(&scale, TOP, bottom, "ms, medians");
    for (at, ((name, phases), parts)) in rows.iter().zip(&parts).enumerate() {
        let (top, mut before) = (TOP + ROW * at as f64, Duration::ZERO);
        canvas.text(LEFT - 8.0, top + ROW / 2.0 + 4.0, Anchor::End, name);
        for ((part, fill), phase) in parts.iter().zip(&fills).zip(names) {
            let (from, to) = (scale.at(milliseconds::of(before)), scale.at(milliseconds::of(before + *part)));
            if to > from {
                let title = format!("{name}, {phase}: {} ms", short(*part));
                canvas.rectangle(from, top + 6.0, to - from, ROW - 12.0, fill, &title);
            }
            before += *part;
        }
        let whole = phases.total.value_at(0.5).map_or("–".to_owned(), |half| format!("p50 {} ms", short(half)));
        canvas.text(WIDTH, top + ROW / 2.0 + 4.0, Anchor::End, &whole);
    }
    canvas.finish()
}

fn medians(of: &Phases) -> [Duration; 5] {
    let half = |latencies: &crate::latencies::Latencies| latencies.value_at(0.5).unwrap_or_default();
    let parts = [half(&of.dns), half(&of.tcp), half(&of.tls), half(&of.first_byte)];
    let rest = half(&of.total).saturating_sub(parts.iter().sum());
    [parts[0], parts[1], parts[2], parts[3], rest]
}
