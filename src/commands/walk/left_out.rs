//! What cannot be reached now: it and what needs it are left out, everything else goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::change::Scope;
use crate::commands::Context;
use crate::exit;
use crate::provider::patience::NO_ANSWER;
use crate::resource::{Address, Class, Desired, Fault, Kind, Observed, Remembered, Shown, World, shown};

/// What is left out of a run, and why.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// Why each machine cannot be used.
    pub machines: BTreeMap<String, Fault>,
    /// Why each cluster that is not on machines of the run cannot be used.
    pub clusters: BTreeMap<String, Fault>,
    /// Why the account cannot be used.
    pub account: Option<Fault>,
    /// Their addresses, and the addresses that need them.
    pub addresses: BTreeSet<Address>,
}

/// Where an address lives.
enum Place {
    Machine(String),
    Cluster(String),
    Account,
}

/// Finds the machines that could not be read, the clusters that could not be reached, and everything that needs them or the
/// account, when that could not be reached.
pub fn left_out(desired: &Desired, remembered: &Remembered, observed: &Observed, account: Option<Fault>) -> LeftOut {
    let mut left = LeftOut { account, ..LeftOut::default() };
    for (address, fault) in observed.faults() {
        match place(desired, remembered, address) {
            Place::Machine(machine) => {
                left.machines.entry(machine).or_insert_with(|| fault.clone());
            }
            // A cluster that answers and refuses one object is not away: the run ends with that fault.
            Place::Cluster(cluster) if is_away(fault) => {
                left.clusters.entry(cluster).or_insert_with(|| fault.clone());
            }
            Place::Cluster(_) | Place::Account => {}
        }
    }
    for address in desired.resources.keys().chain(remembered.resources.keys()) {
        let away = match place(desired, remembered, address) {
            // Without the account, a cluster that is reached by it was not asked.
            Place::Cluster(_) if left.account.is_some() && !observed.seen.contains_key(address) => true,
            Place::Account => left.account.is_some(),
            on => left.holds(&on),
        };
        if away {
            left.addresses.insert(address.clone());
        }
    }
    left.add_users(desired);
    left
}

impl LeftOut {
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

    /// Whether a machine or a cluster is left out.
    fn holds(&self, place: &Place) -> bool {
        match place {
            Place::Machine(machine) => self.machines.contains_key(machine),
            Place::Cluster(cluster) => self.clusters.contains_key(cluster),
            Place::Account => false,
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

    /// What of a run is left out because the account could not be reached: all but what is on a machine or in a cluster that is
    /// away.
    pub fn of_account(&self, desired: &Desired, remembered: &Remembered, scope: &Scope) -> Vec<Address> {
        if self.account.is_none() {
            return Vec::new();
        }
        let away = |address: &Address| self.holds(&place(desired, remembered, address));
        self.addresses.iter().filter(|address| scope.covers(address) && !away(address)).cloned().collect()
    }

    /// Takes it out of what a run works on.
    pub fn narrow(&self, scope: &mut Scope, desired: &Desired, remembered: &Remembered) {
        narrow(scope, &self.addresses, desired, remembered);
    }

    /// Says of each what it is and what helps.
    pub fn say(&self, context: &Context) {
        for fault in self.machines.values() {
            context.voice.remark(shown!("left out: {}{}", fault.message.block(), next(fault)));
        }
        for (name, fault) in &self.clusters {
            let why = fault.with_next_step();
            context.voice.remark(shown!("left out: the cluster {} and what needs it: {}", name, why));
        }
        if let Some(fault) = &self.account {
            context.voice.remark(shown!("left out: the AWS account and what needs it: {}", fault.with_next_step()));
        }
    }
}

/// Takes these addresses out of what a run works on.
pub fn narrow(scope: &mut Scope, without: &BTreeSet<Address>, desired: &Desired, remembered: &Remembered) {
    if without.is_empty() {
        return;
    }
    let all = || desired.resources.keys().chain(remembered.resources.keys()).cloned().collect();
    let only: BTreeSet<Address> = scope.only.take().unwrap_or_else(all);
    scope.only = Some(only.difference(without).cloned().collect());
}

fn next(fault: &Fault) -> Shown {
    fault.next_step.as_ref().map_or_else(Shown::default, |next| shown!("\n  next: {}", next))
}

/// What needs a proof goes on without that of a device which is away: it proves nothing about the others.
fn is_proof(address: &Address) -> bool {
    address.as_str().contains(".manifest.job-cuda-proof-")
}

/// Whether a fault means that a cluster cannot be reached, and not that it refused.
fn is_away(fault: &Fault) -> bool {
    matches!(fault.class, Class::Unreachable | Class::Away) || fault.code == NO_ANSWER
}

fn place(desired: &Desired, remembered: &Remembered, address: &Address) -> Place {
    if let Some(machine) = machine(desired, remembered, address) {
        return Place::Machine(machine);
    }
    let text = |kind: Kind, spec: &Value| {
        let key = if kind == Kind::Cluster { "name" } else { "cluster" };
        spec.get(key).filter(|_| kind.facts().world == World::Cluster).and_then(Value::as_str).map(str::to_owned)
    };
    let wanted = desired.resources.get(address).and_then(|resource| text(resource.kind, &resource.spec));
    let held = || remembered.resources.get(address).and_then(|record| text(record.kind, &record.spec));
    wanted.or_else(held).map_or(Place::Account, Place::Cluster)
}

/// The machine that an address is on; none for what is in no machine's reach. An object of the devices' cluster is on the machine
/// of its server.
pub fn machine(desired: &Desired, remembered: &Remembered, address: &Address) -> Option<String> {
    if !address.is_of_devices() {
        return None;
    }
    let wanted = desired.resources.get(address).map(|resource| &resource.spec);
    let spec = wanted.or_else(|| remembered.resources.get(address).map(|record| &record.spec))?;
    ["host", "cluster", "name"].into_iter().find_map(|key| spec.get(key)).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Resource;

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

    fn names(left: &LeftOut) -> Vec<&str> {
        left.addresses.iter().map(Address::as_str).collect()
    }

    #[test]
    fn an_account_that_is_away_takes_along_what_needs_it() {
        let away = Fault::new(Class::Unreachable, "sts", "GetCallerIdentity", "DispatchFailure", "no route");
        let left = left_out(&both(), &Remembered::default(), &Observed::default(), Some(away));
        assert_eq!(names(&left), ["jetson.file.a-one", "models.bucket.b", "routing.zone.main"]);
        assert_eq!((left.code(exit::DONE), left.machines.len()), (exit::ERROR, 0));
        let of_account = |scope: &Scope| left.of_account(&both(), &Remembered::default(), scope).len();
        let only = Scope { only: Some(BTreeSet::from([at("models.bucket.b")])), ..Scope::default() };
        assert_eq!((of_account(&Scope::default()), of_account(&only)), (3, 1));
    }

    /// Objects of two clusters, one of the devices' cluster, and a bucket whose step comes after the first cluster.
    fn clusters() -> Desired {
        let mut desired = both();
        let mut add = |address: &str, kind: Kind, spec: Value, step: &str, after: &str| {
            let mut resource = Resource::new(at(address), kind, &spec).from_step(step, "");
            resource.after = Some(after.to_owned()).into_iter().filter(|step| !step.is_empty()).collect();
            desired.add(resource);
        };
        let object = |cluster: &str| json!({"cluster": cluster, "api_version": "v1", "kind": "Service", "name": "s"});
        for name in ["east", "west"] {
            let reach = json!({"name": name, "reach": {"kubeconfig": {"context": name}}});
            add(&format!("kubernetes.cluster.{name}"), Kind::Cluster, reach, name, "");
            add(&format!("kubernetes.manifest.{name}-s"), Kind::Manifest, object(name), name, "");
        }
        add("jetson.manifest.service-s", Kind::Manifest, object("a"), "devices", "");
        add("models.bucket.after", Kind::Bucket, json!({"name": "after"}), "later", "west");
        desired
    }

    #[test]
    fn a_cluster_that_is_away_takes_along_its_objects_and_what_comes_after_them() {
        let fault = |class: Class| Fault::new(class, "kubernetes", "get", "Timeout", "west does not answer");
        let mut observed = Observed::default();
        observed.seen.insert(at("kubernetes.cluster.west"), Err(fault(Class::Unreachable)));
        let left = left_out(&clusters(), &Remembered::default(), &observed, None);
        assert_eq!(names(&left), ["kubernetes.cluster.west", "kubernetes.manifest.west-s", "models.bucket.after"]);
        assert_eq!((left.clusters.len(), left.machines.len(), left.code(exit::DONE)), (1, 0, exit::ERROR));
        observed.seen.insert(at("kubernetes.cluster.west"), Err(fault(Class::Denied)));
        assert!(left_out(&clusters(), &Remembered::default(), &observed, None).is_empty(), "it answers, and refuses");
        // Without the account, what was not looked at is not said to be absent.
        observed.seen.insert(at("kubernetes.cluster.west"), Ok(None));
        observed.seen.insert(at("kubernetes.manifest.west-s"), Ok(None));
        let left = left_out(&clusters(), &Remembered::default(), &observed, Some(fault(Class::Unreachable)));
        assert!(names(&left).contains(&"kubernetes.manifest.east-s"), "{:?}", names(&left));
        assert!(!names(&left).contains(&"kubernetes.manifest.west-s"), "{:?}", names(&left));
    }

    #[test]
    fn an_object_of_the_devices_cluster_is_on_the_machine_of_its_server() {
        let (desired, nothing) = (clusters(), Remembered::default());
        let on = |address: &str| machine(&desired, &nothing, &at(address));
        assert_eq!(on("jetson.manifest.service-s").as_deref(), Some("a"));
        assert_eq!(on("jetson.file.a-one").as_deref(), Some("a"));
        assert_eq!(on("kubernetes.manifest.west-s"), None);
    }

    #[test]
    fn a_machine_that_is_away_takes_along_the_steps_that_come_after_it() {
        let away = Fault::new(Class::Away, "ssh", "connect", "Unreachable", "a cannot be reached");
        let mut observed = Observed::default();
        observed.seen.insert(at("jetson.file.a-two"), Err(away));
        let left = left_out(&both(), &Remembered::default(), &observed, None);
        assert_eq!(names(&left), ["jetson.file.a-one", "jetson.file.a-two", "routing.zone.main"]);
        let mut scope = Scope::default();
        left.narrow(&mut scope, &both(), &Remembered::default());
        assert_eq!(scope.only, Some(BTreeSet::from([at("models.bucket.b")])));
        assert!(LeftOut::default().is_empty() && LeftOut::default().code(exit::PENDING) == exit::PENDING);
    }
}
