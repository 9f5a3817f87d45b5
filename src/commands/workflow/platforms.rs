//! The platforms of a run: an AWS account, devices over SSH and the clusters on them. Each has a connection, an identity, a retry
//! policy, and a rule for when it cannot be reached.
//!
//! | world | when it cannot be reached |
//! |---|---|
//! | AWS account | in a run over the account alone, the run ends. Beside devices, its resources and what needs them are left out. A stack in clusters of kubeconfigs alone has none |
//! | a device | its resources and what needs them are left out |
//! | a cluster | its objects and what needs them are left out |

use std::collections::BTreeSet;
use std::sync::Arc;

use super::account::{need_account, without_service};
use super::clusters::{clusters, clusters_of_part, need_same_clusters};
use super::needs_account::{graph_needs, needs_account, state_needs};
use super::skipped::{cluster, left_out, machine};
use super::{AccessArgs, AccountConnection, Journals, RunRequest, RunTarget, RunView, connect, place_of};
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::ledger::Fence;
use crate::observe;
use crate::plan::Plan;
use crate::provider::aws::{self, CallerIdentity};
use crate::provider::device::{self, Fleet};
use crate::provider::retry::NO_ANSWER;
use crate::provider::{ClusterApi, Providers, SendPermission, cluster as kubernetes};
use crate::report::RunHeader;
use crate::resource::{Address, Artifacts, Fault, FaultClass, Observed, PlatformIdentity, SafeText, StackState, shown};

/// How clusters are called where a run has no other endpoint.
pub const CLUSTERS: &str = "Kubernetes clusters";

/// The platforms that a run may need. Devices and clusters are connected when the first of them is asked.
pub struct Platforms<'a> {
    context: &'a Context,
    /// Whether the stack of an account is a part of the run, also where all of it is in clusters.
    cloud: bool,
    /// The account; none where nothing of the run is in one.
    account: Option<AccountConnection>,
    devices: Option<DevicePlatform<'a>>,
    /// Whether the leases of the run are still ours.
    fences: Vec<Arc<Fence>>,
}

/// How devices are reached, and the way to them once it is known which they are.
struct DevicePlatform<'a> {
    access: &'a AccessArgs,
    fleet: Option<Arc<Fleet>>,
}

/// The caller, what was seen, and why the account could not be reached.
type Reading = (Option<CallerIdentity>, Observed, Option<Fault>);

impl<'a> Platforms<'a> {
    /// An AWS account: the configuration of the AWS CLI is read, nothing is sent.
    ///
    /// # Errors
    /// When a setting cannot be used, or no region is configured.
    pub async fn of_account(context: &'a Context) -> Result<Self, Failure> {
        let account = Some(connect(&context.session).await?);
        Ok(Self { context, cloud: true, account, devices: None, fences: Vec::new() })
    }

    /// The account of a stack, where it needs one: a stack in clusters alone does not.
    ///
    /// # Errors
    /// When a setting cannot be used, no region is configured, or the journal cannot be read.
    pub async fn of_stack(context: &'a Context, stack: &str, plan: Option<&Plan>) -> Result<Self, Failure> {
        if needs_account(context, stack, plan).await? {
            return Self::of_account(context).await;
        }
        Ok(Self::of_clusters(context))
    }

    /// Clusters of kubeconfigs alone.
    pub const fn of_clusters(context: &'a Context) -> Self {
        Self { context, cloud: true, account: None, devices: None, fences: Vec::new() }
    }

    /// Devices alone.
    pub const fn of_devices(access: &'a AccessArgs, context: &'a Context) -> Self {
        let devices = Some(DevicePlatform { access, fleet: None });
        Self { context, cloud: false, account: None, devices, fences: Vec::new() }
    }

    /// Devices alone, to which there is a way already.
    #[must_use]
    pub fn through(self, fleet: Arc<Fleet>) -> Self {
        let devices = self.devices.map(|devices| DevicePlatform { fleet: Some(fleet), ..devices });
        Self { devices, ..self }
    }

    /// The same with devices.
    #[must_use]
    pub fn and_devices(self, access: &'a AccessArgs) -> Self {
        Self { devices: Some(DevicePlatform { access, fleet: None }), ..self }
    }

    /// The account, when it is one of them.
    pub const fn account(&self) -> Option<&AccountConnection> {
        self.account.as_ref()
    }

    /// Whether the stack of an account is a part of the run.
    pub const fn has_cloud(&self) -> bool {
        self.cloud
    }

    /// Refuses what needs an account in a run that began without one: somebody else changed the stack meanwhile.
    ///
    /// # Errors
    /// When there is such a thing.
    pub fn need_account_for(&self, wanted: &RunTarget) -> Result<(), Failure> {
        let may_lack = self.cloud && self.account.is_none();
        if !may_lack || !(graph_needs(&wanted.built.desired) || state_needs(&wanted.recorded)) {
            return Ok(());
        }
        let problem = "the stack needs an AWS account now, and did not when this run began: nothing was done";
        Err(codes::CHANGED_MEANWHILE.error(problem, "run the same command again"))
    }

    /// Whether devices are among them.
    pub const fn has_devices(&self) -> bool {
        self.devices.is_some()
    }

    /// Refuses a journal with resources of a platform that the run does not reach, or that belong into another journal.
    ///
    /// # Errors
    /// When there are some: which, and how the stack gets rid of them.
    pub fn need_apart(&self, journals: &Journals) -> Result<(), Failure> {
        let own = journals.own();
        let Some(devices) = journals.devices() else {
            return own.ask(|state| all_within(state, self.cloud, self.has_devices()));
        };
        own.ask(|state| all_within(state, true, false))?;
        devices.ask(|state| all_within(state, false, true))
    }

    /// From now on nothing is sent anywhere once one of these leases is lost.
    pub fn ask_first(&mut self, fences: Vec<Arc<Fence>>) {
        self.fences = fences;
        if let Some(connection) = &self.account {
            connection.clients.ask_first(permission(&self.fences));
        }
    }

    /// The providers of all of them, each with the retry policy of its platform.
    ///
    /// # Errors
    /// When the password for devices cannot be read, or a cluster has the name of a device.
    pub fn providers(&mut self, wanted: &RunTarget, artifacts: &Arc<Artifacts>) -> Result<Providers, Failure> {
        let mut all = self.account.as_ref().map_or_else(Providers::default, |connection| {
            aws::providers(&connection.clients, artifacts).with_retry_policy(connection.retry_policy.clone())
        });
        let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
        let fleet = self.fleet(wanted)?;
        let clusters = clusters(desired, recorded, self.account.as_ref(), fleet.as_ref())?;
        if !self.fences.is_empty() {
            clusters.ask_first(permission(&self.fences));
        }
        let retry_policy = &self.context.session.retry_policy;
        all = all.and(kubernetes::providers(&clusters).with_retry_policy(retry_policy.clone()));
        if let Some(fleet) = &fleet {
            let api: Arc<dyn ClusterApi> = clusters;
            all = all.and(device::providers(fleet, artifacts, &api).with_retry_policy(retry_policy.clone()));
        }
        Ok(all)
    }

    /// The way to the devices; none when they are not part of the run.
    fn fleet(&mut self, wanted: &RunTarget) -> Result<Option<Arc<Fleet>>, Failure> {
        let Some(devices) = &mut self.devices else { return Ok(None) };
        let fleet = match &devices.fleet {
            Some(fleet) => Arc::clone(fleet),
            None => devices.access.fleet(&wanted.built.desired, &wanted.recorded, self.context)?,
        };
        if !self.fences.is_empty() {
            fleet.ask_first(permission(&self.fences));
        }
        devices.fleet = Some(Arc::clone(&fleet));
        Ok(Some(fleet))
    }

    /// Looks at everything that the run works on, and asks the account who is calling.
    ///
    /// # Errors
    /// When the account does not answer and nothing else is to be looked at, or it or a cluster is another one than the journal says.
    pub async fn look(
        &self,
        request: &RunRequest<'_>,
        wanted: &RunTarget,
        providers: &Providers,
    ) -> Result<RunView, Failure> {
        let (identity, mut observed, away) = self.read(wanted, providers).await?;
        let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
        need_same_clusters(recorded, &observed)?;
        let mut left = left_out(desired, recorded, &observed, away);
        left.held.retain(|address, _| wanted.scope.covers(address));
        let header = self.header(request, wanted, identity.as_ref());
        let account = identity.map(|identity| identity.account).or_else(|| recorded.account.clone());
        let account = account.unwrap_or_default();
        // A reference to the account of a stack beyond this run is known, too.
        observed.account.clone_from(&account);
        Ok(RunView { header, observed, left, account })
    }

    async fn read(&self, wanted: &RunTarget, providers: &Providers) -> Result<Reading, Failure> {
        let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
        let clusters = clusters_of_part(desired, recorded, |address| wanted.scope.covers(address));
        let covers = |address: &Address| wanted.scope.covers(address) || clusters.contains(address);
        let Some(connection) = &self.account else {
            return Ok((None, observe::read(desired, recorded, providers, covers).await, None));
        };
        if !self.has_devices() {
            let (identity, observed) = connection.look(desired, recorded, providers, covers).await?;
            return Ok((Some(identity), observed, None));
        }
        match connection.caller().await {
            Ok(identity) => {
                need_account(desired, recorded, &identity)?;
                let observed = observe::read(desired, recorded, providers, covers).await;
                Ok((Some(identity), observed, None))
            }
            Err(fault) if is_away(&fault) => {
                let on_devices = |address: &Address| covers(address) && address.is_of_devices();
                Ok((None, observe::read(desired, recorded, providers, on_devices).await, Some(fault)))
            }
            Err(fault) => Err(without_service(fault)),
        }
    }

    fn header(&self, request: &RunRequest<'_>, wanted: &RunTarget, identity: Option<&CallerIdentity>) -> RunHeader {
        let session = &self.context.session;
        let caller = || format!("{}@{}", session.user, session.host);
        let account = identity.map(|identity| identity.account.clone());
        let mut platforms: Vec<PlatformIdentity> = identity.into_iter().map(of_account).collect();
        let with_account = identity.is_some() || (self.cloud && self.account.is_none());
        platforms.extend(beside_the_account(wanted, with_account));
        let place = self.account.as_ref().map(place_of);
        let others = if self.has_devices() { "devices over SSH" } else { CLUSTERS };
        let (region, endpoint) = place.unwrap_or_else(|| (String::new(), others.to_owned()));
        RunHeader {
            stack: request.stack.clone(),
            devices: request.devices.clone(),
            plan: request.plan.clone(),
            account: account.unwrap_or_default(),
            caller: identity.map_or_else(caller, |identity| identity.arn.clone()),
            region,
            endpoint,
            state: self.context.global.state.clone(),
            platforms,
        }
    }
}

/// Refuses a state with resources of the cloud, or of machines, where such are not to be.
fn all_within(state: &StackState, cloud: bool, machines: bool) -> Result<(), Failure> {
    let beyond = |address: &&Address| if address.is_of_devices() { !machines } else { !cloud };
    let other: Vec<&Address> = state.resources.keys().filter(beyond).collect();
    let Some(first) = other.first() else { return Ok(()) };
    let (there, whole) = (&state.stack, other.len() == state.resources.len());
    let what = if machines { "resources of an AWS account" } else { "devices" };
    let problem = shown!(
        "the journal of stack {} holds {} ({}), which this command does not manage: nothing was done",
        there,
        what,
        first
    );
    let next = match (whole, machines) {
        (true, true) => {
            shown!("akidb-edge destroy --stack {} removes them; or give the plan's stack another name", there)
        }
        (true, false) => shown!("akidb-edge jetson uninstall --stack {} removes them; or name another stack", there),
        (false, _) => {
            let all = SafeText::join(other.iter().map(|address| shown!("{}", address)), " ");
            shown!("to stop managing them without deleting them: akidb-edge state forget {} --stack {}", all, there)
        }
    };
    Err(codes::UNNAMED_DEVICE.refused(problem, next))
}

/// Open as long as all of these leases are ours.
fn permission(fences: &[Arc<Fence>]) -> SendPermission {
    let fences = fences.to_vec();
    Box::new(move || fences.iter().try_for_each(|fence| fence.check()))
}

/// Whether a fault means that a service cannot be reached, and not that it refused.
fn is_away(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Unreachable | FaultClass::Away) || fault.code == NO_ANSWER
}

/// The account that answered.
pub fn of_account(identity: &CallerIdentity) -> PlatformIdentity {
    PlatformIdentity::Aws { account: identity.account.clone(), caller: identity.arn.clone() }
}

/// The machines and the clusters that a run works on. Those of the account's journal are left out when the account did not answer.
fn beside_the_account(wanted: &RunTarget, with_account: bool) -> Vec<PlatformIdentity> {
    let (desired, recorded) = (&wanted.built.desired, &wanted.recorded);
    let (mut hosts, mut clusters) = (BTreeSet::new(), BTreeSet::new());
    let all: BTreeSet<&Address> = desired.resources.keys().chain(recorded.resources.keys()).collect();
    let in_run = |address: &&Address| wanted.scope.covers(address) && (with_account || address.is_of_devices());
    for address in all.into_iter().filter(in_run) {
        hosts.extend(machine(desired, recorded, address));
        clusters.extend(cluster(desired, recorded, address));
    }
    let devices = (!hosts.is_empty()).then_some(PlatformIdentity::Devices { hosts });
    devices.into_iter().chain(clusters.into_iter().map(|name| PlatformIdentity::Cluster { name })).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::REFUSED;
    use crate::resource::{Kind, ResourceOrigin, ResourceRecord, ResourceStatus};

    fn state(resources: &[(&str, Kind)]) -> StackState {
        let mut state = StackState::empty("s-devices");
        for (address, kind) in resources {
            let record = ResourceRecord {
                kind: *kind,
                id: Some("x".to_owned()),
                generation: 0,
                spec: json!({}),
                attributes: Default::default(),
                needs: Default::default(),
                step: String::new(),
                after: BTreeSet::new(),
                standing: ResourceStatus::Present,
                pending: None,
                made_at: None,
                origin: ResourceOrigin::Made,
            };
            state.resources.insert(address.parse().expect("an address"), record);
        }
        state
    }

    #[test]
    fn a_journal_with_resources_of_another_world_is_refused() {
        let (host, queue) = (("jetson.host.one", Kind::Host), ("q.queue.a", Kind::Queue));
        for (resources, cloud, machines, next) in [
            (vec![host, queue], false, true, "state forget q.queue.a --stack s-devices"),
            (vec![host, queue], true, false, "state forget jetson.host.one --stack s-devices"),
            (vec![queue], false, true, "akidb-edge destroy --stack s-devices"),
            (vec![host], true, false, "akidb-edge jetson uninstall --stack s-devices"),
        ] {
            let refused = all_within(&state(&resources), cloud, machines).expect_err(next);
            assert_eq!(refused.code, REFUSED);
            assert!(refused.next_step.contains(next), "{refused}");
        }
        for (resources, cloud, machines) in
            [(vec![host], false, true), (vec![queue], true, false), (vec![], true, false)]
        {
            assert!(all_within(&state(&resources), cloud, machines).is_ok());
        }
        assert!(all_within(&state(&[host, queue]), true, true).is_ok());
    }
}
