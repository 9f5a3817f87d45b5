//! The gate: requests to the distribution, evaluated by a sequential test.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::GradualArgs;
use crate::commands::Context;
use crate::commands::validate::send;
use crate::exit::{Failure, codes};
use crate::measure::gate::Expression;
use crate::measure::load::{Extent, Load};
use crate::measure::sequential::{State, Watch};
use crate::measure::{Target, TrustedRoots};
use crate::plan::validation::RequestPlan;
use crate::resource::shown;

/// The probability that a release exactly at its target is led back.
const ALPHA: f64 = 0.01;
/// Requests between two looks.
const LOOK: u64 = 100;
/// Where it is measured from in this version.
const SCOPE: &str = "all";

/// A test over all steps of a cutover: what a step showed counts at the next one.
pub struct CutoverGate {
    limit: Duration,
    requests: u64,
    rate: f64,
    targets: Vec<Target>,
    trust: TrustedRoots,
    watch: Watch,
}

/// What a look at the gate says.
#[derive(Debug, Serialize)]
pub struct Judgement {
    /// Requests so far, over all steps.
    requests: u64,
    /// Those within the limit.
    within: u64,
    limit_ms: f64,
    /// The evidence against the target: 100 leads back.
    evidence: f64,
    holds: bool,
}

impl Judgement {
    /// Whether nothing speaks against going on.
    pub const fn holds(&self) -> bool {
        self.holds
    }

    /// In words.
    pub fn line(&self) -> String {
        let (within, requests, limit) = (self.within, self.requests, self.limit_ms);
        let most = 1.0 / ALPHA;
        // Far beyond the limit its size says nothing more.
        let evidence = if self.evidence < 1e6 { format!("{:.2}", self.evidence) } else { "over 1000000".to_owned() };
        format!(
            "{within} of {requests} requests within {limit} ms, evidence against the target {evidence} of {most:.0}"
        )
    }
}

impl CutoverGate {
    /// A gate on a host, whose requests go to this address where no other one was named.
    ///
    /// # Errors
    /// When it cannot be measured like this.
    pub fn new(
        limit: &Expression,
        args: &GradualArgs,
        host: &str,
        address: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        if limit.scope != SCOPE {
            return Err(codes::ARGUMENT.refused(
                shown!("this version measures from this machine alone, not from {:?}", limit.scope),
                "write --gate 'p95<25ms@all'",
            ));
        }
        let request = RequestPlan { host: host.to_owned(), path: args.path.clone(), texts: Vec::new(), model: None };
        let mut targets = args.reach.gets(&request)?;
        for target in &mut targets {
            target.connect_to = target.connect_to.or(address);
        }
        let load = Load::open(args.rate, Extent::Requests(args.requests));
        load.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct --requests and --rate"))?;
        let watch = Watch::new([(SCOPE.to_owned(), limit.quantile)], ALPHA);
        let watch = watch.map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct --gate"))?;
        let trust = args.reach.trust(&targets[0])?;
        Ok(Self { limit: limit.limit, requests: args.requests, rate: args.rate, targets, trust, watch })
    }

    /// Sends the requests of one step and looks after every hundred of them.
    ///
    /// # Errors
    /// When nothing can be sent, or it is interrupted: the name stays where it is then.
    pub async fn look(&mut self, context: &Context) -> Result<Judgement, Failure> {
        let mut left = self.requests;
        while left > 0 && self.watch.state() == State::Holding {
            let part = left.min(LOOK);
            let load = Load::open(self.rate, Extent::Requests(part));
            let recording = send(&self.targets, &load, &self.trust, context).await?;
            if recording.stopped {
                return Err(codes::MEASUREMENT.error(
                    "interrupted: the name stays at the step that it was led to",
                    "run the same command again to go on, or akidb-edge rollback to undo the last step",
                ));
            }
            let all = recording.all();
            let within = all.count_below(self.limit);
            let beyond = all.len().saturating_sub(within);
            let observed = self.watch.observe_many(SCOPE, within, beyond);
            observed.map_err(|bad| Failure { internal: true, ..codes::MEASUREMENT.error(shown!("{}", bad), "") })?;
            left -= part;
        }
        Ok(self.judged())
    }

    fn judged(&self) -> Judgement {
        let counts = self.watch.counts(SCOPE).unwrap_or_default();
        Judgement {
            requests: counts.requests(),
            within: counts.within,
            limit_ms: self.limit.as_secs_f64() * 1000.0,
            evidence: self.watch.evidence(),
            holds: self.watch.state() == State::Holding,
        }
    }
}
