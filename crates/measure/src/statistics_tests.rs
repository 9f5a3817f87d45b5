use super::*;

fn of(values: impl Iterator<Item = u64>) -> Latencies {
    let mut all = Latencies::default();
    values.for_each(|value| all.record(Duration::from_millis(value)));
    all
}

/// Made by scipy.stats.binom, rank by rank.
#[test]
fn ranks_are_those_of_the_binomial_distribution() {
    for (samples, quantile, wanted) in [
        (71, 0.99, (68, 72)),
        (367, 0.99, (359, 368)),
        (368, 0.99, (360, 368)),
        (100, 0.95, (90, 100)),
        (72, 0.95, (64, 72)),
        (71, 0.95, (63, 72)),
        (1000, 0.95, (936, 964)),
        (6, 0.5, (1, 6)),
        (5, 0.5, (0, 6)),
        (1000, 0.5, (469, 532)),
        (10_000, 0.99, (9880, 9920)),
    ] {
        assert_eq!(ranks(samples, quantile, 0.95), wanted, "{samples} {quantile}");
    }
}

#[test]
fn the_99th_percentile_of_71_requests_is_refused_with_what_it_needs() {
    let bad = percentile(&of(1..=71), 0.99, 0.95).unwrap_err();
    assert_eq!(bad, TooFew { quantile: 0.99, samples: 71, needed: 368 });
    assert_eq!(bad.to_string(), "p99 of 71 requests has no bound; at least 368 are needed");
    assert!(percentile(&of(1..=367), 0.99, 0.95).is_err());
    let found = percentile(&of(1..=368), 0.99, 0.95).unwrap();
    assert_eq!((found.low.as_millis(), found.high.as_millis()), (360, 368));
    let half = bounds(&of(1..=71), 0.99, 0.95);
    assert_eq!((half.low.map(|low| low.as_millis()), half.high), (Some(68), None), "how fast it can be is known");
    let none = percentile(&Latencies::default(), 0.5, 0.95).unwrap_err();
    assert_eq!(none.to_string(), "no request was measured, so p50 is unknown; at least 6 are needed");
}

#[test]
fn what_is_needed_is_just_enough() {
    for quantile in [0.5, 0.9, 0.95, 0.99, 0.999] {
        for confidence in [0.9, 0.95, 0.99] {
            let needed = samples_needed(quantile, confidence);
            let enough = |samples| {
                let (low, high) = ranks(samples, quantile, confidence);
                low > 0 && high <= samples
            };
            assert!(enough(needed) && !enough(needed - 1), "{quantile} {confidence}: {needed}");
        }
    }
}

/// An interval of 95 % contains the percentile in at least 95 % of the samples, and not in nearly all of them.
#[test]
fn intervals_contain_the_percentile_as_often_as_they_say() {
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    // An exponential latency with a mean of 10 ms: its 95th percentile is 10 ms * ln 20.
    let truth = Duration::from_secs_f64(0.01 * 20_f64.ln());
    let mut contained = 0;
    for _ in 0..1_000 {
        let mut sample = Latencies::default();
        (0..300).for_each(|_| sample.record(Duration::from_secs_f64(-0.01 * (1.0 - uniform()).ln())));
        let found = percentile(&sample, 0.95, 0.95).unwrap();
        contained += u32::from(found.low <= truth && truth <= found.high);
    }
    assert!((945..=985).contains(&contained), "{contained} of 1000");
}

/// Made by scipy.stats.beta.
#[test]
fn shares_have_the_exact_interval() {
    for (hits, total, low, high) in [
        (0, 10, 0.0, 0.308_497_107_818_760_8),
        (10, 10, 0.691_502_892_181_239_2, 1.0),
        (95, 100, 0.887_165_088_894_537_3, 0.983_568_120_817_947_9),
        (9_990, 10_000, 0.998_161_735_865_789_4, 0.999_520_360_276_228_9),
        (1, 1_000_000, 2.531_780_766e-8, 5.571_630_655e-6),
    ] {
        let found = share(hits, total, 0.95).unwrap();
        let off = |found: f64, wanted: f64| (found - wanted).abs() > 1e-7 * wanted.max(1e-6);
        assert!(!off(found.low, low) && !off(found.high, high), "{hits} of {total}: {found:?}");
    }
    assert_eq!(share(0, 0, 0.95), None);
    assert_eq!(share(5, 4, 0.95), None);
}

/// Made by scipy.stats.t.
#[test]
fn means_of_a_few_have_students_interval() {
    let found = mean(&[1.0, 2.0, 3.0], 0.95).unwrap();
    let half = 4.302_652_73 / 3_f64.sqrt();
    assert!((found.value - 2.0).abs() < 1e-12 && (found.high - 2.0 - half).abs() < 1e-6, "{found:?}");
    assert_eq!(mean(&[1.0], 0.95), None);
    assert!((student_two_sided(2.262_157_16, 9.0) - 0.05).abs() < 1e-7);
    assert!((normal_two_sided(1.959_963_985) - 0.05).abs() < 1e-9);
}

#[test]
fn percentiles_have_their_usual_names() {
    let names = [0.5, 0.95, 0.999, 0.9999].map(percentile_name);
    assert_eq!(names, ["p50", "p95", "p99.9", "p99.99"]);
}

#[test]
fn requests_that_are_slow_together_count_as_fewer() {
    // Each tenth second is slow as a whole: 5 % of all, but never one request alone.
    let together: Vec<(u64, u64)> = (0..60).map(|second| (100, if second % 20 == 0 { 0 } else { 100 })).collect();
    let found = design_effect(&together);
    assert!((95.0..=105.0).contains(&found), "{found}");
    let apart: Vec<(u64, u64)> = (0..60).map(|second| (100, 95 + second % 3 - 1)).collect();
    assert_eq!(design_effect(&apart).to_bits(), 1.0_f64.to_bits());
    assert_eq!(design_effect(&together[..9]).to_bits(), 1.0_f64.to_bits());
    let sample = of(1..=10_000);
    let (exact, wide) = (bounds(&sample, 0.95, 0.95), bounds_widened(&sample, 0.95, 0.95, 100.0));
    assert!(wide.low < exact.low && wide.high > exact.high, "{exact:?} {wide:?}");
    assert_eq!(bounds_widened(&sample, 0.95, 0.95, 150.0).high, None, "66 independent ones do not bound a p95");
}
