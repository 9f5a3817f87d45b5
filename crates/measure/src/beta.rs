//! The incomplete beta function, which is the binomial distribution's and Student's, for samples of any size.
//!
//! Written here because the libraries stop their continued fraction after a fixed number of terms, without a word: with a million
//! requests it needs some hundreds.

/// ln B(a, b)
pub fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// I_x(a, b): the probability that a Beta(a, b) variable does not exceed x.
pub fn regularized(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 || x.is_nan() {
        return if x >= 1.0 { 1.0 } else { 0.0 };
    }
    if x < (a + 1.0) / (a + b + 2.0) { ln_lower(a, b, x).exp() } else { 1.0 - ln_lower(b, a, 1.0 - x).exp() }
}

/// ln I_x(a, b), where I_x itself may be too small for a number.
pub fn ln_regularized(a: f64, b: f64, x: f64) -> f64 {
    if x < (a + 1.0) / (a + b + 2.0) { ln_lower(a, b, x) } else { (-ln_lower(b, a, 1.0 - x).exp()).ln_1p() }
}

/// The value that a Beta(a, b) variable does not exceed with this probability.
pub fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Each turn halves the interval; 60 reach the last digit of a value near one half.
    for _ in 0..1100 {
        let at = f64::midpoint(low, high);
        if regularized(a, b, at) < probability {
            low = at;
        } else {
            high = at;
        }
        if high - low <= 4.0 * f64::EPSILON * high {
            break;
        }
    }
    f64::midpoint(low, high)
}

/// The logarithm by Lentz's continued fraction, for x below the mean, where it converges.
fn ln_lower(a: f64, b: f64, x: f64) -> f64 {
    let front = a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b);
    front + fraction(a, b, x).ln() - a.ln()
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut found = d;
    // The number of terms grows with the square root of the larger parameter.
    let most = 200 + 10 * a.max(b).sqrt() as u64;
    for term in 1..=most {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for step in [even, odd] {
            d = 1.0 / away(1.0 + step * d);
            c = away(1.0 + step / c);
            change = d * c;
            found *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-7 * wanted.abs(), "{found} is not {wanted}");
    }

    /// The expected figures are scipy.special.betainc's.
    #[test]
    fn it_is_what_scipy_says_for_small_and_large_samples() {
        VALUES.iter().for_each(|(a, b, x, wanted)| {
            let found = regularized(*a, *b, *x);
            assert!((found - wanted).abs() <= 2e-7 * wanted.abs() + 1e-300, "{a} {b} {x}: {found} is not {wanted}");
            let ln = ln_regularized(*a, *b, *x);
            assert!((ln - wanted.ln()).abs() <= 2e-7, "{a} {b} {x}: {ln} is not {}", wanted.ln());
        });
    }

    #[test]
    fn quantiles_lead_back() {
        for (a, b) in [(0.5, 0.5), (1.0, 20.0), (950.0, 51.0), (1_000_000.0, 3.0), (5e6, 5e6)] {
            for probability in [0.005, 0.025, 0.5, 0.975] {
                close(regularized(a, b, quantile(a, b, probability)), probability);
            }
        }
    }

    const VALUES: &[(f64, f64, f64, f64)] = &[
        (0.5, 0.5, 0.3, 0.36901011956554536),
        (2.0, 3.0, 0.4, 0.5247999999999999),
        (5.0, 1.0, 0.9, 0.5904900000000001),
        (69.0, 4.0, 0.95, 0.5119496650735922),
        (951.0, 50.0, 0.95, 0.4797410570873188),
        (951.0, 50.0, 0.93, 0.003981514565326248),
        (95001.0, 5000.0, 0.95, 0.4979740385401762),
        (999001.0, 1000.0, 0.999, 0.4957884448329966),
        (9500001.0, 500000.0, 0.9501, 0.926660470332466),
        (9500001.0, 500000.0, 0.94995, 0.2339944601917686),
        (30.0, 5.0, 0.2, 2.1069984272744487e-17),
        (1.0, 1000000.0, 1e-06, 0.6321207427683548),
    ];
}
