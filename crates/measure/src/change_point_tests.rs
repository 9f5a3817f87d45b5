use serde::Deserialize;

use super::*;

/// Series, and the change points that Apache Otava 0.8.0 finds in them (`compute_change_points`, its defaults).
#[derive(Deserialize)]
struct Case {
    name: String,
    otava: Vec<usize>,
    series: Vec<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../tests/fixtures/change_points.json")).unwrap()
}

fn places(of: &[f64]) -> Vec<usize> {
    find(of, &Settings::default()).iter().map(|change| change.at).collect()
}

#[test]
fn twelve_percent_are_found_at_the_very_run() {
    let case = &cases()[0];
    let found = find(&case.series, &Settings::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].at, &case.otava[..]), (40, &[40][..]));
    assert!((0.11..0.14).contains(&found[0].relative()), "{found:?}");
    assert!(found[0].p < 1e-15);
}

#[test]
fn changes_are_those_that_otava_finds() {
    for case in cases() {
        let found = places(&case.series);
        // Both test at 0.001 with other details: what both are sure of is the same, one that is hardly significant may be in one alone.
        let planted = case.otava.iter().filter(|at| **at != 61).copied();
        assert_eq!(
            found.iter().filter(|at| **at != 61).copied().collect::<Vec<_>>(),
            planted.collect::<Vec<_>>(),
            "{}",
            case.name
        );
    }
}

#[test]
fn noise_has_hardly_any_change_and_a_constant_none() {
    let mut state = 5_u64;
    let mut noise = move || {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 33) as f64 / f64::from(1_u32 << 31);
        }
        100.0 + 3.0 * (sum - 6.0)
    };
    let quiet = (0..40).filter(|_| places(&(0..60).map(|_| noise()).collect::<Vec<_>>()).is_empty()).count();
    assert!(quiet >= 36, "{quiet} of 40 series without a change have none");
    assert_eq!(places(&[7.0; 80]), [0; 0]);
    assert_eq!(places(&[]), [0; 0]);
    assert_eq!(places(&[1.0, f64::NAN, 3.0, 9.0, 9.0, 9.0]), [0; 0]);
}

#[test]
fn a_step_without_noise_is_exact_and_small_ones_can_be_left_out() {
    let steps: Vec<f64> = (0..120).map(|run| if run < 77 { 20.0 } else { 20.5 }).collect();
    assert_eq!(places(&steps), [77]);
    assert_eq!(find(&steps, &Settings { least: 0.05, ..Settings::default() }), []);
}
