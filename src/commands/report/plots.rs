//! Plots of what was measured, for the page: each is an SVG that stands by itself.

use std::time::Duration;

use crate::commands::validate::Measurement;
use crate::measure::Recording;
use crate::measure::plot::{self, RegionRow};
use crate::measure::verdict::MeasuredFinding;

/// A page has no more of them.
const MOST: usize = 24;
/// A bin in which more than this share of the requests failed is an outage.
const OUTAGE: f64 = 0.5;

/// The plots of all measurements that have recordings, in the order of the measurements.
pub fn of(measurements: &[Measurement]) -> Vec<String> {
    measurements.iter().flat_map(of_one).take(MOST).collect()
}

fn of_one(measurement: &Measurement) -> Vec<String> {
    let step = measurement.step.as_deref().map_or_else(String::new, |step| format!(" ({step})"));
    let title = format!("validate {}{step}, {}", measurement.check, measurement.at);
    let all: Vec<&Recording> = measurement.recordings.values().collect();
    match all.as_slice() {
        [] => Vec::new(),
        [only] if measurement.from.len() < 2 => of_recording(measurement, &title, only),
        _ => vec![plot::latency_by_region(&title, &rows(measurement), &limits(measurement))],
    }
}

/// An outage is seen over time, a load or latency in how many requests took how long.
fn of_recording(measurement: &Measurement, title: &str, recording: &Recording) -> Vec<String> {
    let over_time = plot::timeline(&format!("{title}: over time"), &recording.timeline, OUTAGE);
    if measurement.check == "failover" {
        return vec![over_time];
    }
    let limit = limits(measurement).into_iter().find(|(quantile, _)| *quantile > 0.9).map(|(_, limit)| limit);
    let mut all = vec![plot::histogram(&format!("{title}: latency"), &recording.all(), limit)];
    if recording.failed() > 0 {
        all.push(over_time);
    }
    let new = recording.on_new_connections();
    if !new.tcp.is_empty() {
        let rows = [("new".to_owned(), new), ("reused".to_owned(), recording.on_reused_connections())];
        all.push(plot::phases(&format!("{title}: phases by connection"), &rows));
    }
    all
}

/// Every region that was asked, also one from which nothing came.
fn rows(measurement: &Measurement) -> Vec<RegionRow> {
    let row = |name: &String| match measurement.recordings.get(name) {
        Some(recording) => RegionRow {
            name: name.clone(),
            latencies: recording.all(),
            floor: recording.on_new_connections().tcp.min(),
            missing: None,
        },
        None => RegionRow { name: name.clone(), missing: Some("not measured".to_owned()), ..RegionRow::default() },
    };
    measurement.from.iter().map(row).collect()
}

/// The limits of percentiles: `latency.p95` has one of the 95th.
fn limits(measurement: &Measurement) -> Vec<(f64, Duration)> {
    let mut all: Vec<(f64, Duration)> = Vec::new();
    for found in &measurement.found {
        let Some(limit) = limit(&found.measure, &found.finding) else { continue };
        if !all.contains(&limit) {
            all.push(limit);
        }
    }
    all
}

fn limit(measure: &str, finding: &MeasuredFinding) -> Option<(f64, Duration)> {
    let percent: f64 = measure.rsplit(['.', '_']).next()?.strip_prefix('p')?.parse().ok()?;
    let limit = Duration::try_from_secs_f64(finding.threshold / 1000.0).ok()?;
    Some((percent / 100.0, limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::validate::Found;
    use crate::measure::verdict::{Compare, Unit, Wanted, unmeasured};

    fn measurement(check: &str, from: &[&str], recorded: &[&str]) -> Measurement {
        let wish = Wanted::new("p95", Unit::Milliseconds, Compare::Less, 25.0);
        let found = Found { measure: "latency.p95".to_owned(), of: None, finding: unmeasured(&wish, "nobody looked") };
        let from = from.iter().map(|name| (*name).to_owned()).collect();
        let mut one = Measurement::now(check, Some("a<b>"), from, vec![found]);
        for name in recorded {
            let recording = Recording { vantage: (*name).to_owned(), ..Recording::default() };
            one.recordings.insert((*name).to_owned(), recording);
        }
        one
    }

    #[test]
    fn regions_are_one_plot_with_those_that_are_missing() {
        let all = of(&[measurement("latency", &["eu-west-1", "us-east-1"], &["eu-west-1"])]);
        assert_eq!(all.len(), 1);
        assert!(
            all[0].contains("us-east-1") && all[0].contains("not measured") && all[0].contains("p95"),
            "{}",
            all[0]
        );
        assert!(!all[0].contains("<b>") && !all[0].contains("<script"), "{}", all[0]);
    }

    #[test]
    fn what_was_measured_here_is_a_histogram_and_an_outage_a_time_line() {
        assert!(of(&[measurement("dns", &["the journal"], &[])]).is_empty());
        let latency = of(&[measurement("latency", &["this machine"], &["this machine"])]);
        assert!(latency.len() == 1 && latency[0].contains(": latency"), "{latency:?}");
        let outage = of(&[measurement("failover", &["this machine"], &["this machine"])]);
        assert!(outage.len() == 1 && outage[0].contains(": over time"), "{outage:?}");
        let many: Vec<Measurement> = (0..40).map(|_| measurement("latency", &["here"], &["here"])).collect();
        assert_eq!(of(&many).len(), MOST);
    }

    #[test]
    fn the_limit_of_a_percentile_is_known_by_its_measure() {
        let wish = |threshold| Wanted::new("x", Unit::Milliseconds, Compare::Less, threshold);
        let of = |measure: &str| limit(measure, &unmeasured(&wish(20.0), ""));
        assert_eq!(of("jetson.latency_p95"), Some((0.95, Duration::from_millis(20))));
        assert_eq!(of("latency.p99").map(|(quantile, _)| quantile), Some(0.99));
        assert_eq!(of("cdn.cache_hit_rate"), None);
    }
}
