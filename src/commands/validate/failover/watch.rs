//! The watch: a client on a clock, a direct request to each region every second, and Route 53's word every few seconds.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::MissedTickBehavior;

use super::timeline::RegionTimeline;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::load::{self, Control, Load};
use crate::measure::{Recording, Target, TrustedRoots};
use crate::provider::aws::{self, Clients};
use crate::resource::shown;

/// What takes a client longer has failed.
pub const TIMEOUT: Duration = Duration::from_secs(3);
/// Between two direct requests to a region.
const EACH: Duration = Duration::from_secs(1);
/// Route 53 is asked at every fifth of them.
const STATUS_AT: u32 = 5;

/// A region that is watched.
pub struct WatchedRegion {
    /// Its name.
    pub region: String,
    /// Where it answers.
    pub target: Target,
    /// The ID of its health check; none when it has none that is deployed.
    pub health_check: Option<String>,
}

/// How it is watched.
pub struct FailoverWatch<'a> {
    /// The client.
    pub load: Load,
    /// How long.
    pub length: Duration,
    /// The account, when there are health checks to ask about.
    pub clients: Option<&'a Clients>,
}

/// What was seen.
pub struct Seen {
    /// By the client.
    pub recording: Recording,
    /// Of each region.
    pub regions: Vec<RegionTimeline>,
}

impl FailoverWatch<'_> {
    /// Watches to the end, or until it is interrupted: what was seen until then counts.
    ///
    /// # Errors
    /// When the client can send nothing at all.
    pub async fn run(
        &self,
        client: &Target,
        trust: &TrustedRoots,
        regions: &[WatchedRegion],
        origins: &TrustedRoots,
        context: &Context,
    ) -> Result<Seen, Failure> {
        let (control, begun) = (Control::default(), Instant::now());
        let watches = regions.iter().map(|region| self.region(region, origins, begun, &control, context));
        let all = async { tokio::join!(load::run(client, &self.load, trust, &control), join_all(watches)) };
        tokio::pin!(all);
        let (recording, regions) = tokio::select! {
            seen = &mut all => seen,
            () = context.session.interrupts.asked() => {
                control.stop();
                all.await
            }
        };
        let recording = recording
            .map_err(|bad| codes::MEASUREMENT.error(shown!("{}", bad), "correct the address, --rate or --watch"))?;
        Ok(Seen { recording, regions })
    }

    async fn region(
        &self,
        watched: &WatchedRegion,
        trust: &TrustedRoots,
        begun: Instant,
        control: &Control,
        context: &Context,
    ) -> RegionTimeline {
        let mut seen = RegionTimeline::of(&watched.region);
        let mut clock = tokio::time::interval(EACH);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tick = 0_u32;
        while begun.elapsed() < self.length && !control.is_stopped() {
            clock.tick().await;
            let at = begun.elapsed();
            let answer = load::once(&watched.target, TIMEOUT, trust).await;
            let ready = answer.is_ok_and(|exchange| exchange.wrong.is_none());
            if seen.requested(at, ready) {
                let word = if ready { "ready" } else { "down" };
                context.printer.talk(shown!("{:>6} s  {} is {}", at.as_secs(), watched.region, word));
            }
            if tick.is_multiple_of(STATUS_AT) {
                self.status(watched, &mut seen, begun, context).await;
            }
            tick += 1;
        }
        seen
    }

    async fn status(&self, watched: &WatchedRegion, seen: &mut RegionTimeline, begun: Instant, context: &Context) {
        let (Some(clients), Some(id)) = (self.clients, &watched.health_check) else {
            seen.unasked = Some("it has no health check that is deployed".to_owned());
            return;
        };
        match aws::health_check_status(clients, id).await {
            Ok(reports) => {
                let at = begun.elapsed();
                seen.unasked = None;
                if reports.is_healthy().is_some_and(|healthy| seen.reported(at, healthy)) {
                    context.printer.talk(shown!(
                        "{:>6} s  Route 53 counts {} as unhealthy",
                        at.as_secs(),
                        watched.region
                    ));
                }
            }
            Err(fault) => seen.unasked = Some(fault.to_string()),
        }
    }
}
