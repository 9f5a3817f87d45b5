use std::time::Duration;

use super::canvas::escaped;
use super::*;
use crate::latencies::Latencies;
use crate::recording::Phases;
use crate::timeline::Timeline;

fn latencies(mean_ms: f64, count: u32) -> Latencies {
    let mut all = Latencies::default();
    for n in 0..count {
        let share = (f64::from(n) + 0.5) / f64::from(count);
        all.record(Duration::from_secs_f64((mean_ms * 0.6 - mean_ms * 0.4 * (1.0 - share).ln()) / 1e3));
    }
    all
}

fn row(name: &str, mean_ms: f64, count: u32, floor: u64) -> RegionRow {
    let (latencies, floor) = (latencies(mean_ms, count), Some(Duration::from_millis(floor)));
    RegionRow { name: name.to_owned(), latencies, floor, missing: None }
}

fn outage() -> Timeline {
    let mut line = Timeline::default();
    for due in (0..30_000_u64).step_by(10) {
        let fails = (12_000..15_400).contains(&due);
        let slow = if (15_400..17_000).contains(&due) { 180 } else { 12 + due % 7 };
        line.record(Duration::from_millis(due), (!fails).then_some(Duration::from_millis(slow)));
    }
    line
}

fn all() -> Vec<(&'static str, String)> {
    let limits = [(0.95, Duration::from_millis(25)), (0.99, Duration::from_millis(40))];
    let missing = RegionRow {
        name: "af-south-1".to_owned(),
        missing: Some("the probe did not answer".to_owned()),
        ..RegionRow::default()
    };
    let rows = [
        row("us-east-1", 12.0, 1_000, 1),
        row("eu-west-1", 18.0, 1_000, 10),
        row("ap-northeast-1", 21.0, 80, 8),
        row("<script>\"&'", 30.0, 1_000, 28),
        missing,
    ];
    let phases_of = |new: bool| {
        let mut made = Phases {
            first_byte: latencies(9.0, 100),
            total: latencies(if new { 24.0 } else { 11.0 }, 100),
            ..Phases::default()
        };
        if new {
            (made.dns, made.tcp, made.tls) = (latencies(2.0, 100), latencies(3.0, 100), latencies(7.0, 100));
        }
        made
    };
    vec![
        ("regions", latency_by_region("Latency by region", &rows, &limits)),
        ("histogram", histogram("Latency", &latencies(14.0, 20_000), Some(Duration::from_millis(25)))),
        (
            "phases",
            phases(
                "Phases",
                &[("new connections".to_owned(), phases_of(true)), ("reused <b>".to_owned(), phases_of(false))],
            ),
        ),
        ("timeline", timeline("Fail-over", &outage(), 0.5)),
        ("nothing", histogram("Nothing", &Latencies::default(), None)),
        ("empty", latency_by_region("Nothing", &[], &[])),
        ("still", timeline("Nothing", &Timeline::default(), 0.5)),
        ("none", phases("Nothing", &[])),
    ]
}

/// Tags are closed in the order in which they were opened, and there is no other markup than that of the plot.
fn well_formed(svg: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        let Some(end) = rest[at..].find('>') else { return false };
        let tag = &rest[at + 1..at + end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if !["svg", "title", "desc", "text", "rect", "line", "polyline", "path"].contains(&name) {
            return false;
        }
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[at + end + 1..];
    }
    open.is_empty()
}

#[test]
fn plots_are_whole_and_hold_nothing_that_runs_or_is_fetched() {
    for (name, svg) in all() {
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && well_formed(&svg), "{name}: {svg}");
        let plain = svg.replace("http://www.w3.org/2000/svg", "");
        for bad in ["<script", "href", "url(", "http://", "https://", "NaN", "inf", "@import"] {
            assert!(!plain.contains(bad), "{name} has {bad}: {svg}");
        }
        let mut tags = svg.split('<').map(|tag| tag.split('>').next().unwrap_or_default());
        assert!(tags.all(|tag| !tag.contains(" on")), "{name} runs something: {svg}");
    }
}

#[test]
fn figures_and_names_are_there_and_escaped() {
    let all = all();
    let of = |name: &str| &all.iter().find(|one| one.0 == name).unwrap().1;
    let regions = of("regions");
    assert!(regions.contains("&lt;script&gt;&quot;&amp;&#39;"), "{regions}");
    assert!(regions.contains("the probe did not answer"));
    // 80 requests have a p95 and no p99.
    assert!(regions.contains(" / – ms, n 80<"), "{regions}");
    assert!(of("phases").contains("reused &lt;b&gt;"));
    let timeline = of("timeline");
    assert!(timeline.contains(">3.4 s<") && timeline.contains("3.4 s, 340 failed"), "{timeline}");
    assert!(of("histogram").contains("limit 25 ms"));
    assert_eq!(escaped("a\u{0}b\u{202e}c"), "a\u{fffd}b\u{fffd}c");
}

/// Writes the plots, to be looked at: `AKIDB_EDGE_PLOTS=FOLDER cargo test -p akidb-edge-measure -- --ignored plots_to_look_at`.
#[test]
#[ignore = "writes files for eyes"]
fn plots_to_look_at() {
    let folder = std::env::var("AKIDB_EDGE_PLOTS").unwrap();
    let plots: String = all().into_iter().map(|(_, svg)| svg).collect();
    std::fs::write(format!("{folder}/plots.html"), format!("<!doctype html><meta charset=utf-8><body>{plots}"))
        .unwrap();
}
