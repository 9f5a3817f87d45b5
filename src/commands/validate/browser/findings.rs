//! Compares the results of the browsers with the check. A browser that could not be driven neither passes nor fails.

use super::suite::{EngineReport, Report, engine};
use crate::commands::validate::measurements::Found;
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Verdict, Wanted};
use crate::plan::validation::BrowserCheck;

/// A figure of a browser.
type Figure = fn(&EngineReport) -> Option<f64>;

/// The findings of a check.
pub fn of(check: &BrowserCheck, report: &Report) -> Vec<Found> {
    let engines = &report.engines;
    let mut found = vec![passed(check, engines)];
    found.extend(limits(check).map(|(measure, wish, figure)| limited(measure, &wish, figure, engines)));
    if check.offline {
        found.push(offline(engines));
    }
    found.push(webgpu(engines));
    found
}

/// The same where no browser was driven: nothing is known, and why.
pub fn skipped(check: &BrowserCheck, why: &str) -> Vec<Found> {
    let unmeasured = |measure: &str, wish: &Wanted| found(measure, verdict::unmeasured(wish, why));
    let mut all = vec![unmeasured("browser.engines_passed", &all_pass(check))];
    all.extend(limits(check).map(|(measure, wish, _)| unmeasured(measure, &wish)));
    if check.offline {
        all.push(unmeasured("browser.offline", &works_offline()));
    }
    all
}

fn found(measure: &str, finding: MeasuredFinding) -> Found {
    Found { measure: measure.to_owned(), of: None, finding }
}

fn all_pass(check: &BrowserCheck) -> Wanted {
    Wanted::new("browsers in which the page embeds", Unit::Count, Compare::AtLeast, check.browsers.len() as f64)
}

fn works_offline() -> Wanted {
    Wanted::new("browsers that embed without the network", Unit::Count, Compare::AtLeast, 1.0)
}

/// The measure, the limit, and the figure of a browser.
fn limits(check: &BrowserCheck) -> impl Iterator<Item = (&'static str, Wanted, Figure)> {
    let time = |name: &str, limit: u64| Wanted::new(name, Unit::Milliseconds, Compare::Less, limit as f64);
    let memory = Wanted::new("memory of the page", Unit::Bytes, Compare::Less, check.memory_mb as f64 * 1e6);
    let threads = Wanted::new("threads of the runtime", Unit::Count, Compare::AtLeast, f64::from(check.threads));
    let all: [(&'static str, Wanted, Figure); 5] = [
        ("browser.load", time("model loaded on the first visit", check.load_ms), |one| one.load_ms),
        ("browser.inference_cold_p95", time("p95 of the first embedding", check.cold_ms), |one| {
            one.inference_cold_p95_ms
        }),
        ("browser.inference_warm_p95", time("p95 of further embeddings", check.warm_ms), |one| {
            one.inference_warm_p95_ms
        }),
        ("browser.memory", memory, |one| one.memory_mb.map(|megabytes| megabytes * 1e6)),
        ("browser.threads", threads, |one| one.threads),
    ];
    all.into_iter()
}

/// A figure of each browser that was driven; the worst one counts.
fn limited(measure: &str, wish: &Wanted, figure: Figure, engines: &[EngineReport]) -> Found {
    let values: Vec<f64> = engines.iter().filter_map(figure).filter(|value| value.is_finite()).collect();
    let finding = verdict::each(wish, &values, 1);
    let notes = engines.iter().filter_map(|one| Some(format!("{}: {:.1}", one.engine, figure(one)?)));
    found(measure, notes.fold(finding, MeasuredFinding::with_note))
}

/// How many browsers passed: those that were skipped leave the upper end open.
fn passed(check: &BrowserCheck, engines: &[EngineReport]) -> Found {
    let wish = all_pass(check);
    let right = engines.iter().filter(|one| one.passed == Some(true)).count();
    let failed = engines.iter().filter(|one| one.passed == Some(false)).count();
    // What the suite does not know by this name was not driven either.
    let open = check.browsers.len().saturating_sub(right + failed);
    let (low, high) = (right as f64, (right + open) as f64);
    let (verdict, why) = match (wish.compare.holds(low, wish.threshold), wish.compare.holds(high, wish.threshold)) {
        (true, _) => (Verdict::Pass, "each browser passes"),
        (_, false) => (Verdict::Fail, "a browser does not pass"),
        _ => (Verdict::Inconclusive, "not every browser could be driven on this machine"),
    };
    let finding = MeasuredFinding {
        verdict,
        value: Some(low),
        low: Some(low),
        high: Some(high),
        samples: (right + failed) as u64,
        ..verdict::unmeasured(&wish, why)
    };
    let unknown = check.browsers.keys().filter(|name| engine(name).is_none());
    let unknown = unknown.map(|name| format!("{name}: skipped: the suite drives no browser of this name"));
    found("browser.engines_passed", engines.iter().map(said).chain(unknown).fold(finding, MeasuredFinding::with_note))
}

fn said(one: &EngineReport) -> String {
    let version = one.version.as_deref().unwrap_or_default();
    let name = format!("{} {version}", one.engine).trim_end().to_owned();
    match (&one.skipped, one.passed, &one.why) {
        (Some(why), ..) => format!("{name}: skipped: {why}"),
        (_, Some(true), _) => format!("{name}: passed"),
        (.., Some(why)) => format!("{name}: {why}"),
        _ => format!("{name}: did not pass"),
    }
}

/// In each browser that was driven.
fn offline(engines: &[EngineReport]) -> Found {
    let driven: Vec<bool> = engines.iter().filter_map(|one| one.offline).collect();
    let wish = Wanted { threshold: driven.len().max(1) as f64, ..works_offline() };
    let finding = match driven.len() {
        0 => verdict::unmeasured(&wish, "no browser was driven that far"),
        _ => verdict::known(&wish, driven.iter().filter(|works| **works).count() as f64),
    };
    found("browser.offline", finding)
}

/// WebGPU is nice to have: without it the page embeds all the same.
fn webgpu(engines: &[EngineReport]) -> Found {
    let driven: Vec<bool> = engines.iter().filter_map(|one| one.webgpu).collect();
    let wish = Wanted::new("browsers that embed by WebGPU", Unit::Count, Compare::AtLeast, 0.0);
    let finding = match driven.len() {
        0 => verdict::unmeasured(&wish, "no browser was driven that far"),
        _ => verdict::known(&wish, driven.iter().filter(|used| **used).count() as f64),
    };
    found("browser.webgpu_passed", finding.with_note("not required: without WebGPU the page embeds by WebAssembly"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> BrowserCheck {
        let text = r#"{"browsers": {"chrome": 90, "firefox": 89, "safari": 15}, "threads": 2, "load_ms": 2000, "cold_ms": 100,
            "warm_ms": 50, "memory_mb": 100, "offline": true}"#;
        serde_json::from_str(text).expect("a check")
    }

    fn report(engines: &str) -> Vec<Found> {
        let text = format!(r#"{{"schema": "x", "engines": {engines}}}"#);
        of(&check(), &serde_json::from_str(&text).expect("a report"))
    }

    fn verdict(all: &[Found], measure: &str) -> Verdict {
        all.iter().find(|one| one.measure == measure).expect(measure).finding.verdict
    }

    const GOOD: &str = r#""passed": true, "load_ms": 900, "inference_cold_p95_ms": 60, "inference_warm_p95_ms": 12, "threads": 4,
        "memory_mb": null, "offline": true, "webgpu": false"#;

    #[test]
    fn a_browser_that_is_skipped_is_neither_passed_nor_failed() {
        let two = report(&format!(
            r#"[{{"engine": "chromium", {GOOD}}}, {{"engine": "firefox", {GOOD}}}, {{"engine": "webkit", "skipped": "no driver"}}]"#
        ));
        assert_eq!(verdict(&two, "browser.engines_passed"), Verdict::Inconclusive);
        let finding = &two[0].finding;
        assert_eq!((finding.low, finding.high), (Some(2.0), Some(3.0)));
        assert!(finding.notes.contains(&"webkit: skipped: no driver".to_owned()), "{finding:?}");
        for measure in ["browser.load", "browser.inference_cold_p95", "browser.threads", "browser.offline"] {
            assert_eq!(verdict(&two, measure), Verdict::Pass, "{measure}");
        }
        assert_eq!(verdict(&two, "browser.memory"), Verdict::Inconclusive);
    }

    #[test]
    fn one_that_does_not_pass_fails_and_the_slowest_counts() {
        let slow =
            GOOD.replace("\"load_ms\": 900", "\"load_ms\": 2900").replace("\"passed\": true", "\"passed\": false");
        let all = report(&format!(r#"[{{"engine": "chromium", {GOOD}}}, {{"engine": "firefox", {slow}}}]"#));
        assert_eq!(verdict(&all, "browser.engines_passed"), Verdict::Fail);
        assert_eq!(verdict(&all, "browser.load"), Verdict::Fail);
        assert_eq!(verdict(&all, "browser.inference_warm_p95"), Verdict::Pass);
    }

    #[test]
    fn without_the_suite_nothing_is_known() {
        let all = skipped(&check(), "skipped: no suite");
        assert!(all.iter().all(|one| one.finding.verdict == Verdict::Inconclusive && one.finding.samples == 0));
        assert_eq!(all[0].finding.why, "skipped: no suite");
    }
}
