use super::*;

/// A generator whose numbers are the same everywhere.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Looks after every request: the evidence grows only with a request beyond the limit, so those in between are taken in together.
fn rollout(random: &mut Random, target: f64, truth: f64, most: u64) -> Option<u64> {
    let mut watch = Watch::new([("all".to_owned(), target)], 0.01).unwrap();
    let (mut sent, mut run) = (0, 0);
    while sent < most {
        sent += 1;
        if random.uniform() < truth {
            run += 1;
            continue;
        }
        watch.observe_many("all", run, 1).unwrap();
        run = 0;
        if let State::Breached { requests, .. } = watch.state() {
            assert_eq!(requests, sent);
            return Some(sent);
        }
    }
    None
}

fn stopped_after(seed: u64, target: f64, truth: f64, rollouts: usize, most: u64) -> Vec<Option<u64>> {
    let mut random = Random(seed);
    (0..rollouts).map(|_| rollout(&mut random, target, truth, most)).collect()
}

fn median(of: &[Option<u64>]) -> u64 {
    let mut sorted: Vec<u64> = of.iter().map(|one| one.unwrap_or(u64::MAX)).collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn a_release_at_its_target_is_hardly_ever_rolled_back_whenever_it_is_looked_at() {
    for (seed, target) in [(1, 0.95), (2, 0.99)] {
        let wrong = stopped_after(seed, target, target, 1_000, 5_000).iter().flatten().count();
        assert!(wrong <= 10, "{target}: {wrong} of 1000");
    }
    let better = stopped_after(3, 0.95, 0.97, 1_000, 5_000).iter().flatten().count();
    assert!(better <= 1, "{better} of 1000");
}

#[test]
fn a_release_that_misses_its_target_is_stopped_soon() {
    let (bad, worse) = (stopped_after(4, 0.95, 0.90, 1_000, 5_000), stopped_after(5, 0.95, 0.80, 1_000, 5_000));
    assert!(median(&bad) <= 300, "{}", median(&bad));
    assert_eq!(bad.iter().filter(|one| one.is_none()).count(), 0);
    assert!(median(&worse) <= 60, "{}", median(&worse));
    let near = stopped_after(6, 0.95, 0.93, 300, 20_000);
    assert!(median(&near) <= 2_000, "{}", median(&near));
}

/// The mean over ten regions of which one is bad: it is found, and ten good ones are not punished for being ten.
#[test]
fn several_regions_are_one_test() {
    let regions: Vec<String> = (0..10).map(|region| format!("region-{region}")).collect();
    let mut random = Random(7);
    let mut run = |bad: Option<usize>| {
        let mut watch = Watch::new(regions.iter().map(|region| (region.clone(), 0.95)), 0.01).unwrap();
        for _ in 0..500 {
            for (number, region) in regions.iter().enumerate() {
                let truth = if bad == Some(number) { 0.85 } else { 0.95 };
                let is_within = random.uniform() < truth;
                watch.observe(region, is_within).unwrap();
            }
            if watch.state() != State::Holding {
                break;
            }
        }
        watch.state()
    };
    let wrong = (0..10).filter(|_| run(None) != State::Holding).count();
    assert!(wrong <= 1, "{wrong} of 10");
    for _ in 0..3 {
        let State::Breached { scope, requests, .. } = run(Some(3)) else { panic!("it was not found") };
        assert_eq!(scope, "region-3");
        assert!(requests < 500, "{requests}");
    }
}

/// The expectation of the evidence is at most 1 for every share from the target on: summed over all outcomes of some requests.
#[test]
fn the_evidence_is_a_fair_bet() {
    let target = SequentialTarget { share: 0.95 };
    for truth in [0.95_f64, 0.96, 0.99, 0.9999] {
        for requests in [1_u64, 10, 50, 300] {
            let of = |beyond: u64| {
                let (within, beyond_f) = ((requests - beyond) as f64, beyond as f64);
                let ways = -beta::ln_beta(within + 1.0, beyond_f + 1.0) - (requests as f64 + 1.0).ln();
                let probability = ways + within * truth.ln() + beyond_f * (1.0 - truth).ln();
                (probability + target.ln_evidence(ScopeCounts { within: requests - beyond, beyond })).exp()
            };
            let expected: f64 = (0..=requests).map(of).sum();
            assert!(expected <= 1.0 + 1e-6, "{truth} {requests}: {expected}");
            if truth.to_bits() == 0.95_f64.to_bits() {
                assert!(expected > 1.0 - 1e-6, "exactly 1 at the target: {expected}");
            }
        }
    }
}

#[test]
fn a_watch_survives_a_kill_and_a_breach_is_not_forgotten() {
    let mut watch = Watch::new([("eu".to_owned(), 0.95), ("us".to_owned(), 0.95)], 0.01).unwrap();
    watch.observe_many("eu", 500, 20).unwrap();
    watch.observe_many("us", 90, 2).unwrap();
    let text = serde_json::to_string(&watch).unwrap();
    let mut again: Watch = serde_json::from_str(&text).unwrap();
    assert_eq!((&again, again.fewest(), again.counts("eu").unwrap().requests()), (&watch, 92, 520));
    again.observe_many("eu", 0, 60).unwrap();
    let breached = State::Breached { scope: "eu".to_owned(), requests: 580, within: 500 };
    assert_eq!(again.state(), breached);
    again.observe_many("eu", 100_000, 0).unwrap();
    assert_eq!(again.state(), breached);
    let text = serde_json::to_string(&again).unwrap();
    assert_eq!(serde_json::from_str::<Watch>(&text).unwrap().state(), breached);
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let scopes = |share: f64| [("all".to_owned(), share)];
    assert!(matches!(Watch::new(scopes(1.0), 0.01), Err(BadWatch::Target(..))));
    assert!(matches!(Watch::new(scopes(0.95), 0.0), Err(BadWatch::Alpha(_))));
    assert!(matches!(Watch::new([], 0.01), Err(BadWatch::Nothing)));
    assert!(matches!(Watch::new(scopes(0.95), 0.01).unwrap().observe("eu", true), Err(BadWatch::Scope(_))));
}
