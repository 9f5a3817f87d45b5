use super::*;
use crate::class::Start;

const REUSED: Class = Class { connection: Connection::Reused, cache: Cache::Hit, start: Start::Warm };
const MISSED: Class = Class { connection: Connection::New, cache: Cache::Miss, start: Start::Cold };

fn ms(of: u64) -> Duration {
    Duration::from_millis(of)
}

fn recording(vantage: &str, started_ms: i64, latencies: &[(Class, u64)]) -> Recording {
    let mut made = Recording { vantage: vantage.to_owned(), started_ms, span: ms(1_000), ..Recording::default() };
    for (class, latency) in latencies {
        made.classes.entry(*class).or_default().total.record(ms(*latency));
        made.timeline.record(ms(0), Some(ms(*latency)));
    }
    let total = made.answered();
    made.intervals.add(0, &total).unwrap();
    made
}

#[test]
fn failures_are_in_the_latency_and_in_the_count() {
    let mut one = recording("local", 0, &[(REUSED, 10), (REUSED, 12), (MISSED, 80)]);
    one.failures.by_kind.insert(FailureKind::Connect, 1);
    one.failures.latencies.record(ms(5_000));
    assert_eq!((one.requests(), one.answers(), one.failed()), (4, 3, 1));
    assert!(one.all().max().unwrap() >= ms(4_995));
    assert!(one.answered().max().unwrap() < ms(81));
    assert!((one.throughput() - 3.0).abs() < 1e-9);
    assert_eq!(one.cache_hits(), (2, 3));
    assert_eq!(one.on_new_connections().total.len(), 1);
    assert_eq!(one.on_reused_connections().total.len(), 2);
}

#[test]
fn two_regions_are_one_recording_on_one_clock() {
    let mut one = recording("eu-west-1", 10_000, &[(REUSED, 10)]);
    let other = recording("us-east-1", 7_000, &[(REUSED, 20), (MISSED, 90)]);
    let before = one.clone();
    one.merge(&other).unwrap();
    assert_eq!(one.window(), (7_000, 11_000));
    assert_eq!(one.vantage, "eu-west-1, us-east-1");
    assert_eq!(one.requests(), 3);
    assert_eq!(
        one.intervals.each.iter().map(|interval| (interval.index, interval.requests)).collect::<Vec<_>>(),
        [(0, 2), (3, 1)]
    );
    let mut none = Recording::default();
    none.merge(&before).unwrap();
    assert_eq!(none, before);
    none.merge(&Recording::default()).unwrap();
    assert_eq!(none, before);
}

#[test]
fn json_holds_all_of_it() {
    let mut one = recording("local", 5, &[(REUSED, 10), (MISSED, 80)]);
    one.failures.by_kind.insert(FailureKind::NotSent, 2);
    one.statuses.insert(200, 2);
    one.headers.entry("x-amz-cf-pop".to_owned()).or_default().insert("FRA50-P1".to_owned(), 2);
    let text = serde_json::to_string(&one).unwrap();
    assert!(text.contains("\"reused/hit/warm\":{"), "{text}");
    assert!(text.contains("\"not_sent\":2"), "{text}");
    assert_eq!(serde_json::from_str::<Recording>(&text).unwrap(), one);
    assert!(serde_json::from_str::<Recording>("{\"clases\": {}}").is_err());
    assert!(serde_json::from_str::<Recording>("{\"span\": -1}").is_err());
}

#[test]
fn values_of_a_header_take_bounded_memory() {
    let mut values = BTreeMap::new();
    (0..10_000).for_each(|value| count_value(&mut values, &format!("v{value}"), 1));
    assert_eq!(values.len(), MOST_VALUES + 1);
    assert_eq!(values.values().sum::<u64>(), 10_000);
    assert_eq!(values[OTHER_VALUES], 10_000 - MOST_VALUES as u64);
}
