//! Figures that were measured before, held to another limit; and figures of several vantage points as one.

use crate::measure::verdict::{MeasuredFinding, Verdict, Wanted};

/// The same figure against another limit.
pub fn against(found: &MeasuredFinding, wish: &Wanted) -> MeasuredFinding {
    let holds = |value: f64| wish.compare.holds(value, wish.threshold);
    let (verdict, why) = match (found.low.map(holds), found.high.map(holds)) {
        (Some(true), Some(true)) => (Verdict::Pass, "the whole interval is on the right side"),
        (Some(false), Some(false)) => (Verdict::Fail, "the whole interval is on the wrong side"),
        (None, _) | (_, None) => (Verdict::Inconclusive, "the sample is too small to bound it"),
        _ => (Verdict::Inconclusive, "the threshold is within the interval"),
    };
    let (name, threshold) = (wish.name.clone(), wish.threshold);
    MeasuredFinding { name, verdict, compare: wish.compare, threshold, why: why.to_owned(), ..found.clone() }
}

/// Latencies of several regions as one: the slowest region's. It passes when each region passes, and fails when one fails. A
/// region of which nothing is known leaves the upper end open.
pub fn slowest(wish: &Wanted, all: &[(String, MeasuredFinding)]) -> MeasuredFinding {
    let largest = |values: Vec<f64>| values.into_iter().reduce(f64::max);
    let every =
        |part: fn(&MeasuredFinding) -> Option<f64>| all.iter().map(|(_, one)| part(one)).collect::<Option<Vec<f64>>>();
    let of = |verdict: Verdict| {
        let names = all.iter().filter(|(_, one)| one.verdict == verdict).map(|(region, _)| region.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let has = |verdict: Verdict| all.iter().any(|(_, one)| one.verdict == verdict);
    let (verdict, why) = if all.is_empty() {
        (Verdict::Inconclusive, "nothing was measured".to_owned())
    } else if has(Verdict::Fail) {
        (Verdict::Fail, format!("too slow: {}", of(Verdict::Fail)))
    } else if has(Verdict::Inconclusive) {
        (Verdict::Inconclusive, format!("there is no result for {}", of(Verdict::Inconclusive)))
    } else {
        (Verdict::Pass, format!("each of {} passes", all.len()))
    };
    let known = all.iter().filter_map(|(_, one)| one.low).collect::<Vec<_>>();
    MeasuredFinding {
        name: wish.name.clone(),
        verdict,
        value: every(|one| one.value).and_then(largest),
        low: largest(known),
        high: every(|one| one.high).and_then(largest),
        unit: wish.unit,
        compare: wish.compare,
        threshold: wish.threshold,
        samples: all.iter().map(|(_, one)| one.samples).sum(),
        window: None,
        confidence: all.iter().find_map(|(_, one)| one.confidence),
        why,
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::{Compare, Unit, known, unmeasured};

    fn wish(threshold: f64) -> Wanted {
        Wanted::new("p95", Unit::Milliseconds, Compare::Less, threshold)
    }

    fn between(low: f64, high: f64) -> MeasuredFinding {
        MeasuredFinding { low: Some(low), high: Some(high), ..known(&wish(25.0), f64::midpoint(low, high)) }
    }

    #[test]
    fn another_limit_gives_another_verdict() {
        let found = between(18.0, 22.0);
        for (threshold, verdict) in [(30.0, Verdict::Pass), (20.0, Verdict::Inconclusive), (10.0, Verdict::Fail)] {
            let judged = against(&found, &wish(threshold));
            assert_eq!((judged.verdict, judged.value, judged.threshold), (verdict, Some(20.0), threshold));
        }
        let unbounded = MeasuredFinding { high: None, ..found };
        assert_eq!(against(&unbounded, &wish(30.0)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn one_slow_region_fails_all_and_a_silent_one_leaves_it_open() {
        let of = |all: Vec<(&str, MeasuredFinding)>| {
            let all: Vec<_> = all.into_iter().map(|(region, one)| (region.to_owned(), one)).collect();
            slowest(&wish(25.0), &all)
        };
        let silent = || unmeasured(&wish(25.0), "no answer");
        let slow = MeasuredFinding { verdict: Verdict::Fail, ..between(30.0, 34.0) };
        let both = of(vec![("a", between(10.0, 12.0)), ("b", between(18.0, 22.0))]);
        assert_eq!(
            (both.verdict, both.low, both.value, both.high),
            (Verdict::Pass, Some(18.0), Some(20.0), Some(22.0))
        );
        let open = of(vec![("a", between(10.0, 12.0)), ("b", silent())]);
        assert_eq!((open.verdict, open.value, open.high), (Verdict::Inconclusive, None, None));
        assert_eq!(of(vec![("a", slow), ("b", silent())]).verdict, Verdict::Fail);
        assert_eq!(of(vec![]).verdict, Verdict::Inconclusive);
    }
}
