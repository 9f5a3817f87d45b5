use super::*;

fn of(values: impl Iterator<Item = f64>) -> Latencies {
    let mut all = Latencies::default();
    values.for_each(|value| all.record(Duration::from_secs_f64(value / 1e3)));
    all
}

/// Exponential latencies with this mean in milliseconds.
fn exponential(mean: f64, count: u32, seed: u64) -> Latencies {
    let mut state = seed;
    of((0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        -mean * (1.0 - (state >> 33) as f64 / f64::from(1_u32 << 31)).ln()
    }))
}

fn changes(of: &Comparison) -> Vec<Change> {
    of.quantiles.iter().map(|one| one.change).collect()
}

/// Made by scipy.stats.mannwhitneyu without its correction for continuity.
#[test]
fn ranks_are_compared_as_scipy_does() {
    let before = of((1..=100).map(f64::from));
    let after = of((1..=100).step_by(2).map(|value| f64::from(value) + 5.0));
    let found = mann_whitney(&before, &after).unwrap();
    assert!((found.slower - 2_720.0 / 5_000.0).abs() < 1e-12, "{found:?}");
    assert!((found.p - 0.380_422_180_295_652_1).abs() < 1e-9, "{found:?}");
    assert_eq!(mann_whitney(&before, &Latencies::default()), None);
}

#[test]
fn a_slower_run_is_told_and_so_is_a_faster_one() {
    let (before, after) = (exponential(10.0, 5_000, 1), exponential(11.5, 5_000, 2));
    let slower = runs(&before, &after, 0.95);
    assert_eq!(changes(&slower), [Change::Slower; 4], "{slower:?}");
    let whole = slower.whole.unwrap();
    assert!(whole.p < 1e-6 && whole.slower > 0.5, "{whole:?}");
    assert_eq!(changes(&runs(&after, &before, 0.95)), [Change::Faster; 4]);
    for one in &slower.quantiles {
        assert!(one.low < 1.15 && 1.15 < one.high, "{one:?}");
    }
}

#[test]
fn two_runs_of_the_same_are_seldom_told_apart() {
    let mut told = 0;
    for seed in 0..12 {
        let found = runs(&exponential(10.0, 1_000, 100 + seed), &exponential(10.0, 1_000, 900 + seed), 0.95);
        told += u32::from(found.quantiles[2].change != Change::None);
    }
    // 5 % of them are less than one.
    assert!(told <= 3, "{told} of 12");
}

#[test]
fn a_sample_that_is_too_small_is_said_to_be() {
    let found = runs(&exponential(10.0, 100, 1), &exponential(40.0, 100, 2), 0.95);
    assert_eq!(changes(&found), [Change::Slower, Change::Slower, Change::Slower, Change::TooFew], "{found:?}");
    assert_eq!(runs(&Latencies::default(), &exponential(1.0, 10, 1), 0.95).quantiles, []);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(changes(&serde_json::from_str(&text).unwrap()), changes(&found));
}
