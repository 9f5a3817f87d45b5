use super::*;
use crate::plan::{PlanSettings, load};

fn plan(criteria: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    let days = "days: [{day: 1, title: d, steps: [{id: q, title: q, kind: queues, with: {queues: {a: {name: a-a, region: us-east-1}}}}]}]";
    let head = "version: 1\nstack: small\nmetadata: {name: small, title: Small}\n";
    std::fs::write(&file, format!("{head}{days}\ncriteria:\n  P0:\n{criteria}")).unwrap();
    load(file.to_str().unwrap(), &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"))
}

fn row(id: &str, measure: &str, compare: &str, threshold: u32) -> String {
    format!(
        "  - {{id: {id}, title: t, measure: {measure}, subject: \"*\", compare: \"{compare}\", threshold: {threshold}, unit: things}}\n"
    )
}

fn verdicts(plan: &Plan, known: &ReportInput) -> Vec<(&'static str, Option<String>, String)> {
    let built = crate::desired::build(plan, &std::collections::BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    judged(plan, &built, known).into_iter().map(|one| (one.verdict, one.measured, one.how)).collect()
}

#[test]
fn an_empty_journal_claims_nothing() {
    let plan = plan(&(row("a", "resources.present", ">=", 0) + &row("b", "resources.missing", ">=", 0)));
    let nothing = ("not measured", None, "the journal is empty: nothing was deployed".to_owned());
    assert_eq!(verdicts(&plan, &ReportInput::default()), [nothing.clone(), nothing]);
}

#[test]
fn nodes_are_counted_by_the_cluster_alone() {
    let plan = plan(&(row("a", "jetson.nodes_ready", "=", 1) + &row("b", "jetson.devices_provisioned", "=", 2)));
    let asks = ("not measured", None, ASK_DEVICES.to_owned());
    assert_eq!(verdicts(&plan, &ReportInput::default()), [asks.clone(), asks]);
    let node = |node, has_jetpack_of_plan| NodeSeen { node, has_jetpack_of_plan, gpu_percent: None };
    let seen = |nodes| ReportInput { nodes: Some(nodes), ..ReportInput::default() };
    let how = || "the cluster, as jetson status shows it".to_owned();
    assert_eq!(
        verdicts(&plan, &seen(vec![node(Some("ready"), true), node(Some("not ready"), true), node(None, true)])),
        [("met", Some("1 thing".to_owned()), how()), ("met", Some("2 things".to_owned()), how())]
    );
    let away = verdicts(&plan, &seen(vec![node(None, false)]));
    assert!(away.iter().all(|one| one.0 == "not measured" && one.2.contains("did not answer")), "{away:?}");
}

#[test]
fn a_figure_is_held_to_the_criterion_and_one_without_a_bound_decides_nothing() {
    use crate::commands::validate::Measurement;
    use crate::measure::verdict::{Compare, MeasuredFinding, Wanted, known, share};

    let rows = [("a", "latency.p95", "<", 25), ("b", "cdn.cache_hit_rate", ">=", 95), ("c", "latency.p99", "<", 40)];
    let plan = plan(&rows.map(|(id, measure, compare, threshold)| row(id, measure, compare, threshold)).concat());
    let wish = Wanted::new("latency", Unit::Milliseconds, Compare::Less, 10.0);
    let p95 = MeasuredFinding { low: Some(18.0), high: Some(22.0), ..known(&wish, 20.0) };
    let p99 = MeasuredFinding { value: None, low: Some(30.0), high: None, samples: 20, ..known(&wish, 30.0) };
    let hits = share("hits", 990, 1000, Compare::AtLeast, 0.5, 0.95);
    let found = |(measure, finding): (&str, MeasuredFinding)| Found {
        measure: measure.to_owned(),
        of: Some("*".to_owned()),
        finding,
    };
    let all = [("latency.p95", p95), ("latency.p99", p99), ("cdn.cache_hit_rate", hits)].map(found).to_vec();
    let measurements = vec![Measurement::now("latency", Some("q"), vec!["here".to_owned()], all)];
    let known = ReportInput { measurements, ..ReportInput::default() };
    let judged: Vec<_> = verdicts(&plan, &known).into_iter().map(|one| (one.0, one.1)).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(judged, [("met", text("20 things")), ("met", text("99 things")), ("inconclusive", None)]);
}

#[test]
fn one_of_something_is_said_in_the_singular() {
    assert_eq!(with_unit(1.0, "resources"), "1 resource");
    assert_eq!(with_unit(1, "browsers"), "1 browser");
    assert_eq!(with_unit(3, "resources"), "3 resources");
    for unit in ["ms", "s", "status", "requests/s", "%"] {
        assert_eq!(with_unit(1, unit), format!("1 {unit}"));
    }
}

#[test]
fn the_use_of_gpus_is_known_when_each_device_says_it() {
    let plan = plan(&row("a", "jetson.gpu_use", ">=", 70));
    let seen = |used: &[Option<u8>]| {
        let node = |gpu_percent: &Option<u8>| NodeSeen {
            node: Some("ready"),
            has_jetpack_of_plan: true,
            gpu_percent: *gpu_percent,
        };
        let known = ReportInput { nodes: Some(used.iter().map(node).collect()), ..ReportInput::default() };
        verdicts(&plan, &known).remove(0)
    };
    assert_eq!(seen(&[Some(72), Some(90)]).0, "met");
    assert_eq!(seen(&[Some(60), Some(90)]).0, "inconclusive");
    let (verdict, measured, how) = seen(&[Some(72), None]);
    assert_eq!((verdict, measured), ("not measured", None));
    assert!(how.contains("1 of 2 devices"), "{how}");
}

#[test]
fn what_was_not_measured_names_the_verb_that_measures_it() {
    let plan = plan(&row("a", "cost.month", "<=", 10));
    let (verdict, measured, how) = verdicts(&plan, &ReportInput::default()).remove(0);
    assert_eq!((verdict, measured), ("not measured", None));
    assert!(how.contains("akidb-edge validate cost"), "{how}");
}

#[test]
fn a_report_of_nothing_is_no_report() {
    let plan = plan(&row("a", "report.written", "=", 1));
    let of_nothing = verdicts(&plan, &ReportInput { is_report: true, ..ReportInput::default() }).remove(0);
    assert_eq!((of_nothing.0, of_nothing.2.as_str()), ("not measured", "the journal is empty: nothing was deployed"));
}
