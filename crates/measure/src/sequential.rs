//! The sequential test of a cutover: it can be evaluated after every request without inflating the error rate.
//!
//! A test for a fixed sample is wrong as soon as somebody looks at it again and again: with a look every 50 requests an ordinary 95 % test
//! rolls back a third of the releases that are exactly at their target. This one is an e-process: a bet against "at least the
//! target share of requests is within the limit", whose capital, if that is true, reaches `1 / alpha` with a probability of at most
//! `alpha`, however often it is looked at and whenever it is ended (Ville's inequality). The bet is a mixture: the share is below the target,
//! distributed like a Beta that is cut off there, so that it is valid for every share from the target on and not for the target alone.
//!
//! Several scopes (regions, errors beside latency) are several bets. Their mean is a bet again, so the level holds for all together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::beta;

/// Counts of one scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeCounts {
    /// Requests within the limit.
    pub within: u64,
    /// Requests beyond it, failures included.
    pub beyond: u64,
}

impl ScopeCounts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.within + self.beyond
    }
}

/// A bet against one target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequentialTarget {
    /// The share of requests that has to be within the limit: 0.95 for a p95.
    pub share: f64,
}

impl SequentialTarget {
    /// The parameters of the Beta: its mean is twice as many beyond the limit as the target has, with the weight of some dozens of requests.
    fn prior(self) -> (f64, f64) {
        const WEIGHT: f64 = 24.0;
        let beyond = (2.0 * (1.0 - self.share)).min(0.9);
        (WEIGHT * (1.0 - beyond), WEIGHT * beyond)
    }

    /// The logarithm of the evidence against the target.
    pub fn ln_evidence(self, counts: ScopeCounts) -> f64 {
        if counts.requests() == 0 {
            return 0.0;
        }
        let ((a, b), within, beyond) = (self.prior(), counts.within as f64, counts.beyond as f64);
        let of = |a: f64, b: f64| beta::ln_beta(a, b) + beta::ln_regularized(a, b, self.share);
        let at_target = within * self.share.ln() + beyond * (-self.share).ln_1p();
        of(a + within, b + beyond) - of(a, b) - at_target
    }
}

/// What a cutover may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing speaks against it.
    Holding,
    /// The target is missed.
    Breached {
        /// Where the evidence is strongest.
        scope: String,
        /// How many requests there were in this scope.
        requests: u64,
        /// How many of them were within the limit.
        within: u64,
    },
}

/// One test over all scopes of a cutover. In JSON it survives a kill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The probability of a rollback when every scope is at its target.
    alpha: f64,
    /// What is watched, with its target and its counts. Fixed from the start: a scope that is added later would be a new test.
    scopes: BTreeMap<String, Scope>,
    /// The evidence once reached the bound. It stays so, whatever comes.
    #[serde(default)]
    breached: Option<(String, ScopeCounts)>,
}

/// One scope.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    target: SequentialTarget,
    #[serde(default)]
    counts: ScopeCounts,
}

/// A test that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadWatch {
    /// A target that nothing can miss or meet.
    #[error("the target of {0} is {1}; it has to be between 0 and 1")]
    Target(String, f64),
    /// A level that is none.
    #[error("the probability of a false rollback is {0}; it has to be between 0 and 0.5")]
    Alpha(f64),
    /// Nothing to watch.
    #[error("there is nothing to watch")]
    Nothing,
    /// A scope that is not watched.
    #[error("{0} is not watched; scopes are named when the watch begins")]
    Scope(String),
}

impl Watch {
    /// A test of these scopes, each with the share of requests that has to be within its limit.
    ///
    /// # Errors
    /// A target or a level that is none.
    pub fn new(scopes: impl IntoIterator<Item = (String, f64)>, alpha: f64) -> Result<Self, BadWatch> {
        if !(alpha > 0.0 && alpha < 0.5) {
            return Err(BadWatch::Alpha(alpha));
        }
        let scopes = scopes.into_iter().map(|(name, share)| match share > 0.0 && share < 1.0 {
            true => Ok((name, Scope { target: SequentialTarget { share }, counts: ScopeCounts::default() })),
            false => Err(BadWatch::Target(name, share)),
        });
        let scopes: BTreeMap<_, _> = scopes.collect::<Result<_, _>>()?;
        if scopes.is_empty() { Err(BadWatch::Nothing) } else { Ok(Self { alpha, scopes, breached: None }) }
    }

    /// Takes one request in.
    ///
    /// # Errors
    /// A scope that is not watched.
    pub fn observe(&mut self, scope: &str, is_within: bool) -> Result<(), BadWatch> {
        self.observe_many(scope, u64::from(is_within), u64::from(!is_within))
    }

    /// Takes several requests in, as one look.
    ///
    /// # Errors
    /// A scope that is not watched.
    pub fn observe_many(&mut self, scope: &str, within: u64, beyond: u64) -> Result<(), BadWatch> {
        let found = self.scopes.get_mut(scope).ok_or_else(|| BadWatch::Scope(scope.to_owned()))?;
        found.counts.within += within;
        found.counts.beyond += beyond;
        // A request within the limit is not evidence against the target: only the others can reach the bound.
        if beyond > 0 && self.breached.is_none() && self.evidence() >= 1.0 / self.alpha {
            self.breached = self.strongest();
        }
        Ok(())
    }

    /// The evidence against "every scope is at its target": 1 is none, `1 / alpha` is a breach.
    pub fn evidence(&self) -> f64 {
        let all = self.scopes.values().map(|scope| scope.target.ln_evidence(scope.counts).exp());
        all.sum::<f64>() / self.scopes.len() as f64
    }

    fn strongest(&self) -> Option<(String, ScopeCounts)> {
        let against = |scope: &Scope| scope.target.ln_evidence(scope.counts);
        let found = self.scopes.iter().max_by(|one, other| against(one.1).total_cmp(&against(other.1)));
        found.map(|(name, scope)| (name.clone(), scope.counts))
    }

    /// What the cutover may do.
    pub fn state(&self) -> State {
        match &self.breached {
            None => State::Holding,
            Some((scope, counts)) => {
                State::Breached { scope: scope.clone(), requests: counts.requests(), within: counts.within }
            }
        }
    }

    /// The counts of a scope.
    pub fn counts(&self, scope: &str) -> Option<ScopeCounts> {
        self.scopes.get(scope).map(|scope| scope.counts)
    }

    /// The fewest requests that any scope has: a step of a cutover waits until each has enough.
    pub fn fewest(&self) -> u64 {
        self.scopes.values().map(|scope| scope.counts.requests()).min().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "sequential_tests.rs"]
mod tests;
