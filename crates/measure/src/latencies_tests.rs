use super::*;

fn ms(of: u64) -> Duration {
    Duration::from_millis(of)
}

fn near(found: Duration, wanted: Duration) -> bool {
    found.abs_diff(wanted).as_secs_f64() <= wanted.as_secs_f64() * 0.001 + 1e-6
}

fn thousand() -> Latencies {
    let mut all = Latencies::default();
    (1..=1000).for_each(|value| all.record(ms(value)));
    all
}

#[test]
fn values_come_back_within_a_thousandth_from_a_microsecond_to_an_hour() {
    for nanoseconds in [1_000, 17_000, 999_999, 25_000_000, 3_000_000_000, LONGEST] {
        let mut one = Latencies::default();
        one.record(Duration::from_nanos(nanoseconds));
        assert!(near(one.value_at(0.5).unwrap(), Duration::from_nanos(nanoseconds)), "{nanoseconds}: {one:?}");
    }
    let mut longer = Latencies::default();
    longer.record(Duration::from_secs(40_000));
    assert_eq!(longer.len(), 1);
    assert!(near(longer.max().unwrap(), Duration::from_secs(3600)));
}

#[test]
fn ranks_and_shares_are_those_of_the_sample() {
    let all = thousand();
    assert!(near(all.value_at_rank(1).unwrap(), ms(1)));
    assert!(near(all.value_at_rank(950).unwrap(), ms(950)));
    assert!(near(all.value_at_rank(1000).unwrap(), ms(1000)));
    assert_eq!(all.value_at_rank(1001), None);
    assert!(near(all.value_at(0.95).unwrap(), ms(950)));
    // 500 ms itself is not below 500 ms, and neither is what shares its step.
    assert!((498..=499).contains(&all.count_below(ms(500))), "{}", all.count_below(ms(500)));
    assert_eq!(Latencies::default().value_at(0.5), None);
}

#[test]
fn merged_is_what_one_would_have_counted() {
    let (mut low, mut high, mut both) = (Latencies::default(), Latencies::default(), Latencies::default());
    for value in 1..5000 {
        let half = if value % 3 == 0 { &mut low } else { &mut high };
        let long = Duration::from_micros(value * value);
        half.record(long);
        both.record(long);
    }
    low.merge(&high);
    assert_eq!(low, both);
    let mut none = Latencies::default();
    none.merge(&both);
    none.merge(&Latencies::default());
    assert_eq!(none, both);
}

#[test]
fn a_text_holds_the_whole_histogram_and_rubbish_is_refused() {
    let all = thousand();
    let text = serde_json::to_string(&all).unwrap();
    assert!(text.len() < 8_000, "{}", text.len());
    assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), all);
    assert_eq!(serde_json::from_str::<Latencies>("\"\"").unwrap(), Latencies::default());
    assert!(matches!(Latencies::decode("***"), Err(BadHistogram::Base64(_))));
    assert!(matches!(Latencies::decode("AAAA"), Err(BadHistogram::Format(_))));
    assert!(matches!(Latencies::decode(&"A".repeat(2 << 20)), Err(BadHistogram::TooLong(_))));
    let cut = all.encode().unwrap();
    assert!(Latencies::decode(&cut[..cut.len() / 8 * 4]).is_err());
}

/// The example `memory` holds the whole of a run to 50 MB for ten million samples; here it is that more samples take no more.
#[test]
fn memory_depends_on_the_longest_value_and_not_on_the_number() {
    let buckets = |count: u64| {
        let mut all = Latencies::default();
        (0..count).for_each(|number| all.record(Duration::from_micros(100 + number % 100_000)));
        assert_eq!(all.len(), count);
        all.histogram().unwrap().distinct_values()
    };
    let (few, many) = (buckets(200_000), buckets(2_000_000));
    assert_eq!(few, many);
    assert!(many * 8 <= 200_000, "{many} buckets of 8 bytes");
    let mut longest = Latencies::default();
    longest.record(Duration::from_secs(10_000));
    assert!(longest.histogram().unwrap().distinct_values() * 8 <= 250_000);
}
