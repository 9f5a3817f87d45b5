//! The gate of a plan: the percentage of its criteria that must be met.

use std::fmt::Write as _;

use crate::commands::validate::Found;
use crate::measure::gate::{Decision, Gate, Priority};
use crate::measure::verdict::{Compare, MeasuredFinding, Unit, Verdict, Wanted, unmeasured};
use crate::plan::{Criteria, GatePlan};
use crate::report::{CriterionResult, GateResult};

/// The measure, as reports show it.
const MEASURE: &str = "criteria.gate";

/// What the gate of a plan says of its criteria; none when the plan has no gate.
pub fn decided(criteria: &Criteria, judged: &[CriterionResult]) -> Option<GateResult> {
    let gate = gate(criteria.gate?)?;
    let findings = judged.iter().filter_map(|one| Some((priority(one.priority)?, verdict(one.verdict))));
    let Decision { verdict, by_priority, mut why } = gate.decide(findings);
    let counts = by_priority.iter().map(|(priority, counts)| {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write!(text, "{priority}: {} of {} met, {} missed", counts.pass, counts.total(), counts.fail);
        let _ = write!(text, ", {} not known", counts.inconclusive);
        text
    });
    if verdict == Verdict::Pass {
        why = vec!["each priority has its share".to_owned()];
    }
    let said = match verdict {
        Verdict::Pass => "met",
        Verdict::Fail => "missed",
        Verdict::Inconclusive => "inconclusive",
    };
    Some(GateResult { gate: gate.to_string(), verdict: said, counts: counts.collect(), why })
}

/// The same as a finding of a check.
pub fn finding(result: &GateResult) -> Found {
    let wish = Wanted::new(format!("gate ({})", result.gate), Unit::Count, Compare::AtLeast, 1.0);
    let of = |verdict, value: Option<f64>, low, high| MeasuredFinding {
        verdict,
        value,
        low: Some(low),
        high: Some(high),
        samples: 1,
        ..unmeasured(&wish, result.why.join("; "))
    };
    let finding = match result.verdict {
        "met" => of(Verdict::Pass, Some(1.0), 1.0, 1.0),
        "missed" => of(Verdict::Fail, Some(0.0), 0.0, 0.0),
        _ => of(Verdict::Inconclusive, None, 0.0, 1.0),
    };
    let finding = result.counts.iter().fold(finding, |finding, count| finding.with_note(count.as_str()));
    Found { measure: MEASURE.to_owned(), of: None, finding }
}

/// The plan refuses what is not a percentage.
fn gate(plan: GatePlan) -> Option<Gate> {
    Gate::of_percentages([(Priority::P0, plan.p0), (Priority::P1, plan.p1), (Priority::P2, plan.p2)])
}

fn priority(name: &str) -> Option<Priority> {
    [Priority::P0, Priority::P1, Priority::P2].into_iter().find(|one| one.to_string() == name)
}

fn verdict(said: &str) -> Verdict {
    match said {
        "met" => Verdict::Pass,
        "missed" => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(all: &[(&'static str, &'static str)]) -> Vec<CriterionResult> {
        let one = |(priority, verdict): &(&'static str, &'static str)| CriterionResult {
            priority,
            id: "a".to_owned(),
            title: "t".into(),
            wanted: String::new(),
            measured: None,
            verdict,
            how: String::new(),
            note: None,
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn the_gate_of_the_plan_decides_and_what_is_not_measured_is_not_known() {
        let gate = GatePlan { p0: 100.0, p1: 80.0, p2: 60.0 };
        let criteria = Criteria { gate: Some(gate), ..Criteria::default() };
        let decide = |all: &[(&'static str, &'static str)]| decided(&criteria, &judged(all)).expect("a gate");
        let good = decide(&[("P0", "met"), ("P1", "met"), ("P2", "met")]);
        assert_eq!((good.gate.as_str(), good.verdict), ("all P0, 80 % of P1, 60 % of P2", "met"));
        assert_eq!(finding(&good).finding.verdict, Verdict::Pass);
        let open = decide(&[("P0", "met"), ("P0", "not measured"), ("P1", "met")]);
        assert_eq!(open.verdict, "inconclusive");
        let found = finding(&open).finding;
        assert_eq!((found.verdict, found.value), (Verdict::Inconclusive, None));
        assert!(found.notes.iter().any(|note| note == "P0: 1 of 2 met, 0 missed, 1 not known"), "{found:?}");
        let missed = decide(&[("P0", "missed"), ("P1", "met")]);
        assert_eq!((missed.verdict, finding(&missed).finding.verdict), ("missed", Verdict::Fail));
        assert_eq!(decided(&Criteria::default(), &judged(&[("P0", "met")])), None);
    }
}
