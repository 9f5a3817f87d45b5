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

fn changes(of: &RunComparison) -> Vec<ChangeVerdict> {
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
    assert_eq!(changes(&slower), [ChangeVerdict::Slower; 4], "{slower:?}");
    let whole = slower.whole.unwrap();
    assert!(whole.p < 1e-6 && whole.slower > 0.5, "{whole:?}");
    assert_eq!(changes(&runs(&after, &before, 0.95)), [ChangeVerdict::Faster; 4]);
    for one in &slower.quantiles {
        assert!(one.low < 1.15 && 1.15 < one.high, "{one:?}");
    }
}

#[test]
fn two_runs_of_the_same_are_seldom_told_apart() {
    let mut told = 0;
    for seed in 0..12 {
        let found = runs(&exponential(10.0, 1_000, 100 + seed), &exponential(10.0, 1_000, 900 + seed), 0.95);
        told += u32::from(found.quantiles[2].change != ChangeVerdict::None);
    }
    // 5 % of them are less than one.
    assert!(told <= 3, "{told} of 12");
}

#[test]
fn a_sample_that_is_too_small_is_said_to_be() {
    let found = runs(&exponential(10.0, 100, 1), &exponential(40.0, 100, 2), 0.95);
    assert_eq!(
        changes(&found),
        [ChangeVerdict::Slower, ChangeVerdict::Slower, ChangeVerdict::Slower, ChangeVerdict::TooFew],
        "{found:?}"
    );
    assert_eq!(runs(&Latencies::default(), &exponential(1.0, 10, 1), 0.95).quantiles, []);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(changes(&serde_json::from_str(&text).unwrap()), changes(&found));
}

/// Made by scipy.stats.ttest_ind with equal_var=False.
#[test]
fn rates_are_compared_by_welchs_test() {
    let found = welch(&[101.0, 99.0, 103.0, 98.0, 100.0, 102.0], &[108.0, 111.0, 95.0, 109.0, 112.0]).unwrap();
    assert!((found.before - 100.5).abs() < 1e-9 && (found.after - 107.0).abs() < 1e-9, "{found:?}");
    assert!((found.p - 0.10237305910421846).abs() < 1e-9, "{found:?}");
    assert_eq!(welch(&[5.0, 5.0], &[5.0, 5.0]).unwrap().p, 1.0);
    assert_eq!(welch(&[5.0, 5.0], &[6.0, 6.0]).unwrap().p, 0.0);
    assert_eq!(welch(&[5.0], &[6.0, 6.0]), None);
}

/// A recording of so many seconds with as many requests in each; `slow` are the seconds in which all of them are slow.
fn recording(seconds: u32, slow: impl Fn(u32) -> bool, seed: u64) -> Recording {
    let mut made = Recording { span: Duration::from_secs(seconds.into()), ..Recording::default() };
    let class = "reused/unstated/warm".parse().unwrap();
    for second in 0..seconds {
        let mean = if slow(second) { 20.0 } else { 10.0 };
        let latencies = exponential(mean, 200, seed * 1_000 + u64::from(second));
        made.intervals.add(second, &latencies).unwrap();
        for (value, times) in latencies.steps() {
            (0..times).for_each(|_| made.timeline.record(Duration::from_secs(second.into()), Some(value)));
        }
        made.classes.entry(class).or_default().total.merge(&latencies);
    }
    made
}

/// A third of the seconds is slow in both; that one run had a few more of them is not a difference of the program.
#[test]
fn requests_that_are_slow_together_say_less() {
    let before = recording(30, |second| second % 3 == 0, 1);
    let after = recording(30, |second| second % 3 == 0 || [4, 7, 10, 20].contains(&second), 2);
    let (plain, weighed) = (runs(&before.all(), &after.all(), 0.95), recordings(&before, &after, 0.95).unwrap());
    assert!(weighed.effects.0 > 5.0 && weighed.effects.1 > 5.0, "{:?}", weighed.effects);
    assert!(plain.whole.unwrap().p < 0.05 && weighed.whole.unwrap().p > 0.05, "{plain:?} {weighed:?}");
    assert_eq!(weighed.quantiles[0].change, ChangeVerdict::None, "{weighed:?}");
    assert!(weighed.quantiles[0].high - weighed.quantiles[0].low > plain.quantiles[0].high - plain.quantiles[0].low);
    assert!(weighed.rates.unwrap().p > 0.9, "each second had as many answers: {weighed:?}");
}
