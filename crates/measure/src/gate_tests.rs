use super::Verdict::{Fail, Inconclusive, Pass};
use super::*;

fn of(priority: Priority, verdicts: &[Verdict]) -> Vec<(Priority, Verdict)> {
    verdicts.iter().map(|verdict| (priority, *verdict)).collect()
}

#[test]
fn gates_are_texts() {
    for text in ["all P0, 80 % of P1, 60 % of P2", "all P0", "all P0, 66.67 % of P2"] {
        assert_eq!(text.parse::<Gate>().unwrap().to_string(), text);
    }
    assert_eq!(Gate::of_week(13).unwrap().to_string(), "all P0, 80 % of P1, 60 % of P2");
    assert_eq!(Gate::of_week(5).unwrap().to_string(), "all P0, 80 % of P1, 50 % of P2");
    assert_eq!("all P0,80% of P1".parse::<Gate>().unwrap().to_string(), "all P0, 80 % of P1");
    for text in ["", "P0", "all P3", "120 % of P1", "all P0, all P0", "x % of P1"] {
        assert!(text.parse::<Gate>().is_err(), "{text}");
    }
    let json = serde_json::to_string(&Gate::of_week(5).unwrap()).unwrap();
    assert_eq!(json, "\"all P0, 80 % of P1, 50 % of P2\"");
}

#[test]
fn percentages_are_a_gate() {
    let gate = |p1: f64| Gate::of_percentages([(Priority::P0, 100.0), (Priority::P1, p1), (Priority::P2, 60.0)]);
    assert_eq!(gate(80.0), Gate::of_week(13));
    assert_eq!((gate(101.0), gate(f64::NAN)), (None, None));
}

#[test]
fn a_gate_is_passed_by_shares_and_what_is_unknown_is_neither() {
    let gate = Gate::of_week(8).unwrap();
    let decide = |p0: &[Verdict], p1: &[Verdict], p2: &[Verdict]| {
        gate.decide([of(Priority::P0, p0), of(Priority::P1, p1), of(Priority::P2, p2)].concat())
    };
    let good = decide(&[Pass, Pass], &[Pass, Pass, Pass, Pass, Fail], &[Pass, Pass, Pass, Fail, Fail]);
    assert_eq!((good.verdict, good.why.len()), (Pass, 0), "{good:?}");
    let one = decide(&[Pass, Fail], &[Pass], &[]);
    assert_eq!(one.verdict, Fail);
    assert_eq!(one.why, ["P0: 1 of 2 passed, 2 are needed, 1 failed"]);
    assert_eq!(decide(&[Pass, Inconclusive], &[], &[]).verdict, Inconclusive);
    assert_eq!(decide(&[Pass], &[Pass, Pass, Pass, Pass, Inconclusive], &[]).verdict, Pass, "enough without it");
    assert_eq!(
        decide(&[Inconclusive], &[Fail, Fail, Inconclusive], &[]).verdict,
        Fail,
        "it cannot be reached any more"
    );
    assert_eq!(decide(&[], &[], &[]).verdict, Inconclusive, "nothing is not a success");
    let without = decide(&[], &[Pass], &[Pass]);
    assert_eq!((without.verdict, &*without.why[0]), (Inconclusive, "P0: there is nothing to decide about"));
    assert_eq!(one.by_priority[&Priority::P0], Counts { pass: 1, fail: 1, inconclusive: 0 });
}

#[test]
fn expressions_of_a_cutover_are_read() {
    let one: Expression = "p95<25ms@all".parse().unwrap();
    assert_eq!((one.quantile, one.limit, &*one.scope), (0.95, Duration::from_millis(25), "all"));
    assert_eq!(one.to_string(), "p95<25ms@all");
    let other: Expression = " p99.9 < 0.5 s@eu-west-1".parse().unwrap();
    assert_eq!(other.to_string(), "p99.9<500ms@eu-west-1");
    assert_eq!("p50<1.5ms".parse::<Expression>().unwrap().to_string(), "p50<1.5ms@all");
    for text in
        ["", "p95", "p95>25ms", "p95<25", "p95<-1ms", "p95<0ms", "p100<5ms", "p95<5ms@", "p95<5ms@a b", "95<5ms"]
    {
        assert!(text.parse::<Expression>().is_err(), "{text}");
    }
}
