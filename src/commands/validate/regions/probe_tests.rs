use serde_json::{Value, json};

use super::*;

fn sample(due_ms: u64, total_ms: u64, more: Value) -> Value {
    let mut sample = json!({
        "due": due_ms * 1000, "late": 40, "total": total_ms * 1000, "first_byte": total_ms * 900, "status": 200,
        "cache": "hit", "bytes": 10, "new": false, "dns": 0, "tcp": 0, "tls": 0,
    });
    if let (Some(all), Value::Object(more)) = (sample.as_object_mut(), more) {
        all.extend(more);
    }
    sample
}

fn answer(samples: Vec<Value>) -> ProbeAnswer {
    let opening = sample(0, 90, json!({"new": true, "dns": 5000, "tcp": 12_000, "tls": 25_000}));
    let answer = json!({
        "format": 1, "node": "v24.0.0", "started_ms": 1_700_000_000_000_u64, "span": 3_000_000,
        "openings": [opening], "samples": samples,
    });
    ProbeAnswer::read(answer.to_string().as_bytes()).expect("an answer")
}

#[test]
fn an_answer_becomes_a_recording_with_everything_that_was_counted() {
    let new = json!({"new": true, "dns": 4000, "tcp": 11_000, "tls": 24_000, "cache": "miss"});
    let samples = vec![
        sample(0, 60, new),
        sample(1000, 20, json!({})),
        sample(2000, 30, json!({"failure": "status", "status": 503})),
        sample(2500, 5, json!({"failure": "connect", "status": 0})),
    ];
    let answer = answer(samples);
    let recording = answer.recording("eu-west-1").expect("a recording");
    assert_eq!((recording.vantage.as_str(), recording.requests(), recording.failed()), ("eu-west-1", 4, 2));
    assert_eq!(recording.cache_hits(), (1, 2));
    assert_eq!(recording.statuses, [(200, 2), (503, 1)].into());
    assert_eq!(recording.failures.by_kind, [(FailureKind::Status, 1), (FailureKind::Connect, 1)].into());
    let least = recording.failures.latencies.min().expect("two failures");
    assert!(least >= Duration::from_millis(9_990), "a failure counts as slow as the time-out: {least:?}");
    assert_eq!(recording.on_new_connections().tls.len(), 1);
    assert_eq!(recording.on_reused_connections().tcp.len(), 0);
    let counts = |of: fn(&Bin) -> u64| recording.timeline.bins.iter().map(of).sum::<u64>();
    assert_eq!((counts(|bin| bin.answered), counts(|bin| bin.failed)), (2, 2));
    assert_eq!(recording.intervals.each.iter().map(|one| one.requests).sum::<u64>(), 4);
    assert_eq!(recording.span, Duration::from_secs(3));
    assert_eq!(answer.round_trips().len(), 2);
    assert!(answer.first_visit().is_some_and(|median| median > Duration::from_millis(89)));
}

#[test]
fn a_long_measurement_has_no_more_bins_and_loses_nothing() {
    let samples = (0..840).map(|second| sample(second * 1000, 20, json!({}))).collect();
    let recording = answer(samples).recording("r").expect("a recording");
    assert!(recording.timeline.bins.len() as u64 <= MOST_BINS, "{}", recording.timeline.bins.len());
    assert_eq!(recording.timeline.bins.iter().map(|bin| bin.answered).sum::<u64>(), 840);
    assert!(recording.intervals.each.len() as u64 <= MOST_INTERVALS);
    assert_eq!(recording.intervals.each.iter().map(|one| one.requests).sum::<u64>(), 840);
}

#[test]
fn what_is_no_answer_of_a_probe_is_refused() {
    assert!(matches!(ProbeAnswer::read(b"<html>"), Err(BadAnswer::Json(_))));
    let of = |format: u32, samples: Vec<Value>| {
        let text = json!({
            "format": format, "node": "v24", "started_ms": 0, "span": 1, "openings": [], "samples": samples,
        });
        ProbeAnswer::read(text.to_string().as_bytes())
    };
    assert!(matches!(of(2, vec![]), Err(BadAnswer::Format(2))));
    assert!(matches!(of(1, vec![sample(0, 1, json!({"cache": "perhaps"}))]), Err(BadAnswer::Json(_))));
    assert!(matches!(of(1, vec![sample(0, 1, json!({})); 5001]), Err(BadAnswer::TooMany(5001))));
}

#[test]
fn an_order_has_the_fields_that_the_probe_reads() {
    let order = ProbeOrder::new("h".to_owned(), vec!["https://h/".to_owned()], 10, 5.0);
    let text = serde_json::to_value(&order).expect("JSON");
    let names: Vec<&str> = text.as_object().expect("an object").keys().map(String::as_str).collect();
    let code = include_str!("../../../../templates/lambda/probe/index.mjs");
    for name in &names {
        assert!(code.contains(&format!("order.{name}")) || code.contains(&format!("order?.{name}")), "{name}");
    }
    assert_eq!((names.len(), &text["timeout_ms"]), (11, &json!(10_000)));
    let python = include_str!("../../../../templates/probe/probe.py");
    for name in names.iter().filter(|name| !["bodies", "own_time"].contains(*name)) {
        assert!(python.contains(&format!("order[\"{name}\"]")), "{name}");
    }
}

#[test]
fn vectors_are_counted_where_that_was_asked_for() {
    let counted = sample(0, 20, json!({"numbers": 384, "own": 12_500}));
    let answer = answer(vec![counted, sample(1000, 20, json!({"failure": "status", "status": 503}))]);
    let seen: Vec<VectorAnswer> = answer.vectors().collect();
    assert_eq!((seen[0].numbers, seen[0].own), (Some(384), Some(Duration::from_micros(12_500))));
    assert_eq!((seen[1].numbers, seen[1].failure), (None, Some(FailureKind::Status)));
}
