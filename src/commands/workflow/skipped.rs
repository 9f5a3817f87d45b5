//! Resources that cannot be reached: they and their dependents are skipped, all others continue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::DiffScope;
use crate::commands::Context;
use crate::exit;
use crate::resource::{Address, Desired, Fault, Kind, Observed, SafeText, StackState, shown};

/// What is left out of a run, and why.
#[derive(Debug, Default)]
pub struct SkippedResources {
    /// Why each machine cannot be used.
    pub machines: BTreeMap<String, Fault>,
    /// Why each cluster cannot be used: its objects are left out, the machines below it are not.
    pub clusters: BTreeMap<String, Fault>,
    /// Why the account cannot be used.
    pub account: Option<Fault>,
    /// Their addresses, the addresses that need them, and what stays because of them.
    pub addresses: BTreeSet<Address>,
    /// What would go and stays, each with what needs it and is left out.
    pub held: BTreeMap<Address, Address>,
}

/// Finds the machines and clusters that could not be read, and everything that needs them or the account, when that could not be
/// reached.
pub fn left_out(
    desired: &Desired,
    recorded: &StackState,
    observed: &Observed,
    account: Option<Fault>,
) -> SkippedResources {
    let mut left = SkippedResources { account, ..SkippedResources::default() };
    for (address, fault) in observed.faults() {
        if let Some(cluster) = cluster(desired, recorded, address) {
            left.clusters.entry(cluster).or_insert_with(|| fault.clone());
        } else if let Some(machine) = machine(desired, recorded, address) {
            left.machines.entry(machine).or_insert_with(|| fault.clone());
        }
    }
    for address in desired.resources.keys().chain(recorded.resources.keys()) {
        let away = match machine(desired, recorded, address) {
            Some(machine) => left.machines.contains_key(&machine),
            None => left.account.is_some(),
        };
        if away || cluster(desired, recorded, address).is_some_and(|cluster| left.clusters.contains_key(&cluster)) {
            left.addresses.insert(address.clone());
        }
    }
    left.add_users(desired);
    left.hold(desired, recorded);
    left
}

impl SkippedResources {
    /// Adds what needs something that is left out, until nothing more is found.
    fn add_users(&mut self, desired: &Desired) {
        loop {
            let step = |address: &Address| desired.resources.get(address).map(|resource| resource.step.as_str());
            let steps: BTreeSet<&str> = self.addresses.iter().filter_map(step).collect();
            let needs = |address: &Address| self.addresses.contains(address) && !is_proof(address);
            let more: Vec<Address> = desired
                .resources
                .values()
                .filter(|resource| !self.addresses.contains(&resource.address))
                .filter(|resource| {
                    resource.needs.keys().any(needs) || resource.after.iter().any(|step| steps.contains(step.as_str()))
                })
                .map(|resource| resource.address.clone())
                .collect();
            if more.is_empty() {
                return;
            }
            self.addresses.extend(more);
        }
    }

    /// The clusters that cannot be used, without those whose server's machine cannot be used either: that says it.
    pub fn clusters_alone(&self) -> impl Iterator<Item = (&String, &Fault)> {
        self.clusters.iter().filter(|(cluster, _)| !self.machines.contains_key(*cluster))
    }

    /// Keeps what would go and is needed, by the journal, by something that is left out: on the other side (the cloud under a device,
    /// a device under the cloud), and all that this in turn needs. Devices among themselves hold up no other.
    fn hold(&mut self, desired: &Desired, recorded: &StackState) {
        let goes = |address: &&Address| !desired.resources.contains_key(*address);
        let mut of_step: BTreeMap<&str, Vec<&Address>> = BTreeMap::new();
        for (address, record) in recorded.resources.iter().filter(|(address, _)| goes(address)) {
            of_step.entry(&record.step).or_default().push(address);
        }
        let known = |address: &Address| recorded.resources.contains_key(address);
        let mut open: Vec<Address> = self.addresses.iter().cloned().collect();
        while let Some(user) = open.pop() {
            let Some(record) = recorded.resources.get(&user) else { continue };
            let is_away = user.is_of_devices() && !self.held.contains_key(&user);
            // What came before in the order of steps is found once.
            let steps: Vec<&Address> =
                record.after.iter().filter_map(|step| of_step.remove(step.as_str())).flatten().collect();
            for need in record.needs.keys().filter(goes).filter(|need| known(need)).chain(steps) {
                let among_devices = is_away && need.is_of_devices();
                if !among_devices && self.addresses.insert(need.clone()) {
                    self.held.insert(need.clone(), user.clone());
                    open.push(need.clone());
                }
            }
        }
        // A reference says more than the order of steps.
        for (need, user) in &mut self.held {
            let refers =
                |one: &Address| recorded.resources.get(one).is_some_and(|record| record.needs.contains_key(need));
            let direct = if refers(user) { None } else { self.addresses.iter().find(|one| refers(one)) };
            if let Some(direct) = direct {
                user.clone_from(direct);
            }
        }
    }

    /// Whether everything could be reached.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.clusters.is_empty() && self.account.is_none()
    }

    /// The exit code of a run that would end with `code`.
    pub fn code(&self, code: u8) -> u8 {
        if self.is_empty() { code } else { exit::ERROR }
    }

    /// What of a run is left out because the account could not be reached: all but what is on a machine that is away.
    pub fn of_account(&self, desired: &Desired, recorded: &StackState, scope: &DiffScope) -> Vec<Address> {
        if self.account.is_none() {
            return Vec::new();
        }
        let away = |address: &Address| {
            machine(desired, recorded, address).is_some_and(|machine| self.machines.contains_key(&machine))
        };
        self.addresses.iter().filter(|address| scope.covers(address) && !away(address)).cloned().collect()
    }

    /// Takes it out of what a run works on.
    pub fn narrow(&self, scope: &mut DiffScope, desired: &Desired, recorded: &StackState) {
        narrow(scope, &self.addresses, desired, recorded);
    }

    /// Says of each what it is and what helps.
    pub fn say(&self, context: &Context) {
        for fault in self.machines.values() {
            context.printer.remark(shown!("left out: {}{}", fault.message.block(), next(fault)));
        }
        for (cluster, fault) in self.clusters_alone() {
            context.printer.remark(shown!("left out: cluster {}: {}{}", cluster, fault.message.block(), next(fault)));
        }
        if let Some(fault) = &self.account {
            context.printer.remark(shown!("left out: the AWS account and what needs it: {}", fault.with_next_step()));
        }
        for (address, user) in &self.held {
            context.printer.remark(shown!("left out: {} is not deleted: {} needs it, and is left out", address, user));
        }
    }
}

/// Takes these addresses out of what a run works on.
pub fn narrow(scope: &mut DiffScope, without: &BTreeSet<Address>, desired: &Desired, recorded: &StackState) {
    if without.is_empty() {
        return;
    }
    let all = || desired.resources.keys().chain(recorded.resources.keys()).cloned().collect();
    let only: BTreeSet<Address> = scope.only.take().unwrap_or_else(all);
    scope.only = Some(only.difference(without).cloned().collect());
}

fn next(fault: &Fault) -> SafeText {
    fault.next_step.as_ref().map_or_else(SafeText::default, |next| shown!("\n  next: {}", next))
}

/// What needs a proof goes on without that of a device which is away: it proves nothing about the others.
fn is_proof(address: &Address) -> bool {
    address.as_str().contains(".manifest.job-cuda-proof-")
}

/// The machine that an address is on: of an object in the devices' cluster, that of the cluster's server. None for what is not
/// of devices.
pub fn machine(desired: &Desired, recorded: &StackState, address: &Address) -> Option<String> {
    if !address.is_of_devices() {
        return None;
    }
    let (_, spec) = settings(desired, recorded, address)?;
    let named = ["host", "cluster", "name"].into_iter().find_map(|field| spec.get(field));
    named.and_then(Value::as_str).map(str::to_owned)
}

/// The name of the cluster that an address is, or is in; none for what is in no cluster.
pub fn cluster(desired: &Desired, recorded: &StackState, address: &Address) -> Option<String> {
    let (kind, spec) = settings(desired, recorded, address)?;
    let field = match kind {
        Kind::Cluster => "name",
        Kind::Manifest => "cluster",
        _ => return None,
    };
    spec.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// What is wanted at an address, else what is recorded there.
fn settings<'s>(desired: &'s Desired, recorded: &'s StackState, address: &Address) -> Option<(Kind, &'s Value)> {
    let wanted = desired.resources.get(address).map(|resource| (resource.kind, &resource.spec));
    wanted.or_else(|| recorded.resources.get(address).map(|record| (record.kind, &record.spec)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{FaultClass, Kind, Resource, ResourceOrigin, ResourceRecord, ResourceStatus};

    fn at(text: &str) -> Address {
        text.parse().expect("an address")
    }

    /// A bucket, a file on a device that names it, a file that does not, and a zone whose step comes after the devices.
    fn both() -> Desired {
        let mut desired = Desired::new("s");
        desired.devices = Some("s-devices".to_owned());
        let mut add = |address: &str, kind: Kind, spec: Value, step: &str, after: &str| {
            let mut resource = Resource::new(at(address), kind, &spec).from_step(step, "");
            resource.after = Some(after.to_owned()).into_iter().filter(|step| !step.is_empty()).collect();
            desired.add(resource);
        };
        let text = |text: &str| json!({"host": "a", "path": "/x", "content": {"text": text}});
        add("models.bucket.b", Kind::Bucket, json!({"name": "b"}), "buckets", "");
        add("jetson.file.a-one", Kind::File, text("${models.bucket.b#name}"), "devices", "");
        add("jetson.file.a-two", Kind::File, text("plain"), "devices", "");
        add("routing.zone.main", Kind::Zone, json!({"name": "example.net"}), "zone", "devices");
        desired
    }

    fn names(left: &SkippedResources) -> Vec<&str> {
        left.addresses.iter().map(Address::as_str).collect()
    }

    #[test]
    fn an_account_that_is_away_takes_along_what_needs_it() {
        let away = Fault::new(FaultClass::Unreachable, "sts", "GetCallerIdentity", "DispatchFailure", "no route");
        let left = left_out(&both(), &StackState::default(), &Observed::default(), Some(away));
        assert_eq!(names(&left), ["jetson.file.a-one", "models.bucket.b", "routing.zone.main"]);
        assert_eq!((left.code(exit::DONE), left.machines.len()), (exit::ERROR, 0));
        let of_account = |scope: &DiffScope| left.of_account(&both(), &StackState::default(), scope).len();
        let only = DiffScope { only: Some(BTreeSet::from([at("models.bucket.b")])), ..DiffScope::default() };
        assert_eq!((of_account(&DiffScope::default()), of_account(&only)), (3, 1));
    }

    #[test]
    fn a_machine_that_is_away_takes_along_the_steps_that_come_after_it() {
        let away = Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", "a cannot be reached");
        let mut observed = Observed::default();
        observed.seen.insert(at("jetson.file.a-two"), Err(away));
        let left = left_out(&both(), &StackState::default(), &observed, None);
        assert_eq!(names(&left), ["jetson.file.a-one", "jetson.file.a-two", "routing.zone.main"]);
        let mut scope = DiffScope::default();
        left.narrow(&mut scope, &both(), &StackState::default());
        assert_eq!(scope.only, Some(BTreeSet::from([at("models.bucket.b")])));
        assert!(
            SkippedResources::default().is_empty() && SkippedResources::default().code(exit::PENDING) == exit::PENDING
        );
    }

    #[test]
    fn a_cluster_that_is_away_takes_along_its_objects_alone() {
        let mut desired = both();
        let object = |cluster: &str| json!({"cluster": cluster, "api_version": "v1", "kind": "ConfigMap", "name": "c", "object": {}});
        for (address, kind, spec) in [
            ("kubernetes.cluster.west", Kind::Cluster, json!({"name": "west", "reach": {"k3s": {"host": "b"}}})),
            ("kubernetes.manifest.west-c", Kind::Manifest, object("west")),
            ("kubernetes.manifest.east-c", Kind::Manifest, object("east")),
            ("jetson.manifest.c", Kind::Manifest, object("a")),
        ] {
            desired.add(Resource::new(at(address), kind, &spec));
        }
        let away = || Fault::new(FaultClass::Unreachable, "kubernetes", "get", "NotReachable", "no route");
        let mut observed = Observed::default();
        observed.seen.insert(at("kubernetes.cluster.west"), Err(away()));
        let left = left_out(&desired, &StackState::default(), &observed, None);
        assert_eq!(names(&left), ["kubernetes.cluster.west", "kubernetes.manifest.west-c"]);
        assert_eq!((left.code(exit::DONE), left.machines.len()), (exit::ERROR, 0));

        // The API server of the devices' cluster does not answer: what is on its machine goes on.
        observed.seen.insert(at("jetson.manifest.c"), Err(away()));
        let left = left_out(&desired, &StackState::default(), &observed, None);
        assert!(
            left.addresses.contains(&at("jetson.manifest.c")) && !left.addresses.contains(&at("jetson.file.a-two"))
        );
        assert_eq!(left.clusters_alone().map(|(cluster, _)| cluster.as_str()).collect::<Vec<_>>(), ["a", "west"]);
        // Its machine is away, too: that is told once.
        observed.seen.insert(at("jetson.file.a-two"), Err(away()));
        let left = left_out(&desired, &StackState::default(), &observed, None);
        assert_eq!(left.clusters_alone().map(|(cluster, _)| cluster.as_str()).collect::<Vec<_>>(), ["west"]);
    }

    /// What a journal knows after `both` was made.
    fn made() -> StackState {
        let mut state = StackState::empty("s");
        for resource in both().resources.into_values() {
            let record = ResourceRecord {
                kind: resource.kind,
                id: Some("x".to_owned()),
                generation: 0,
                spec: resource.spec,
                attributes: BTreeMap::new(),
                needs: resource.needs,
                step: resource.step,
                after: resource.after,
                standing: ResourceStatus::Present,
                pending: None,
                made_at: None,
                origin: ResourceOrigin::Made,
            };
            state.resources.insert(resource.address, record);
        }
        state
    }

    #[test]
    fn what_a_device_that_is_away_needs_is_not_deleted_under_it() {
        let away = Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", "a cannot be reached");
        let mut observed = Observed::default();
        observed.seen.insert(at("jetson.file.a-two"), Err(away));
        let (nothing, state) = (Desired::new("s"), made());
        let left = left_out(&nothing, &state, &observed, None);
        // The zone only came after the devices: it goes.
        assert_eq!(names(&left), ["jetson.file.a-one", "jetson.file.a-two", "models.bucket.b"]);
        assert_eq!(left.held, BTreeMap::from([(at("models.bucket.b"), at("jetson.file.a-one"))]));
        // What the run wants is changed, not deleted: nothing holds it.
        let mut desired = Desired::new("s");
        desired.add(both().resources.remove(&at("models.bucket.b")).expect("a bucket"));
        assert_eq!(names(&left_out(&desired, &state, &observed, None)), ["jetson.file.a-one", "jetson.file.a-two"]);
    }

    #[test]
    fn what_an_account_that_is_away_needs_is_not_taken_from_devices() {
        let away = Fault::new(FaultClass::Unreachable, "sts", "GetCallerIdentity", "DispatchFailure", "no route");
        let left = left_out(&Desired::new("s"), &made(), &Observed::default(), Some(away));
        // The step of the zone came after all of that of the devices.
        assert_eq!(
            left.held.keys().map(Address::as_str).collect::<Vec<_>>(),
            ["jetson.file.a-one", "jetson.file.a-two"]
        );
        assert_eq!(left.addresses.len(), 4);
    }
}
