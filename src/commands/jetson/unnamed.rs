//! Devices in the journal that neither plan nor inventory names: they are left unchanged until their removal is requested.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::same_machine;
use crate::change::{DiffScope, OutsideResources};
use crate::commands::workflow::{machine, narrow};
use crate::exit::{Failure, codes};
use crate::report;
use crate::resource::host::HostSpec;
use crate::resource::node::{NodeRole, NodeSpec};
use crate::resource::{Address, Desired, Kind, ResourceRecord, SafeText, StackState, shown};

/// What a run leaves as it is, because it is on devices that are not named any longer, or belongs to one.
#[derive(Debug, Default)]
pub struct UnnamedDevices {
    /// The devices.
    pub machines: BTreeSet<String>,
    /// The addresses.
    pub addresses: BTreeSet<Address>,
}

impl UnnamedDevices {
    /// Finds them.
    pub fn of(desired: &Desired, recorded: &StackState) -> Self {
        let hosts = desired.resources.values().filter(|resource| resource.kind == Kind::Host);
        let named: BTreeSet<String> =
            hosts.filter_map(|resource| resource.typed::<HostSpec>()).map(|host| host.name).collect();
        let mut left = Self::default();
        let unwanted = recorded.resources.iter().filter(|(address, _)| !desired.resources.contains_key(*address));
        let unwanted: Vec<(&Address, &ResourceRecord)> = unwanted.collect();
        for (address, _) in &unwanted {
            let on = machine(desired, recorded, address).filter(|name| !named.contains(name));
            if let Some(name) = on {
                left.machines.insert(name);
                left.addresses.insert((*address).clone());
            }
        }
        // What the cluster runs for such a device (a proof) is on the server. Nothing needs it in turn.
        let of_theirs = unwanted.iter().filter(|(address, record)| {
            address.is_of_devices() && record.needs.keys().any(|need| left.addresses.contains(need))
        });
        let of_theirs: Vec<Address> = of_theirs.map(|(address, _)| (*address).clone()).collect();
        left.addresses.extend(of_theirs);
        left
    }

    /// Refuses a run on such a device: taking things away has a verb of its own.
    ///
    /// # Errors
    /// Which one, and the verb.
    pub fn refuse(&self, hosts: &[String], stack: &str) -> Result<(), Failure> {
        match hosts.iter().find(|name| self.machines.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(codes::UNNAMED_DEVICE.refused(
                shown!("{} is in the journal, but neither the plan nor an inventory names it: nothing was done", name),
                shown!("name it there, or remove what is installed on it: {}", uninstall(stack, [name])),
            )),
        }
    }

    /// Refuses a run in which such a device is named by another name: it is in use.
    ///
    /// # Errors
    /// Both names, and the ways on.
    pub fn refuse_renamed(&self, desired: &Desired, recorded: &StackState, stack: &str) -> Result<(), Failure> {
        same_machine::refuse_renamed(&self.machines, desired, recorded, stack)
    }

    /// Refuses a cluster with another server while the device of the present one is not named: its nodes would leave it, and
    /// what others keep in it would be out of reach.
    ///
    /// # Errors
    /// Which devices, and the ways on.
    pub fn refuse_other_server(&self, desired: &Desired, recorded: &StackState, stack: &str) -> Result<(), Failure> {
        let nodes = desired.resources.values().filter(|resource| resource.kind == Kind::Node);
        let wanted = nodes.filter_map(|resource| resource.typed::<NodeSpec>()).map(|node| node.server).next();
        let records = self.addresses.iter().filter_map(|address| recorded.resources.get(address));
        let nodes = records.filter(|record| record.kind == Kind::Node && record.id.is_some());
        let servers = nodes.filter_map(|record| NodeSpec::deserialize(&record.spec).ok());
        let server = servers.filter(|node| node.role == NodeRole::Server).map(|node| node.host).next();
        let (Some(wanted), Some(server)) = (wanted, server) else { return Ok(()) };
        Err(codes::OTHER_SERVER.refused(
            shown!(
                "the server of the cluster is {}, which is no longer named; with {} as the server, another cluster \
                 would take its place. Nothing was done",
                server,
                wanted
            ),
            shown!(
                "name {} with role: server; or take the cluster down first: akidb-edge jetson uninstall --stack {}; or \
                 write another stack: NAME into the plan, for a cluster beside this one",
                server,
                stack
            ),
        ))
    }

    /// Takes it out of what a run works on. The user's selection is not what leaves it out.
    pub fn leave_out(
        &self,
        scope: &mut DiffScope,
        unselected: &mut OutsideResources,
        desired: &Desired,
        recorded: &StackState,
    ) {
        narrow(scope, &self.addresses, desired, recorded);
        unselected.addresses.retain(|address| !self.addresses.contains(address));
        unselected.would_change.retain(|address| !self.addresses.contains(address));
    }

    /// The names of the devices.
    pub fn names(&self) -> Vec<String> {
        self.machines.iter().cloned().collect()
    }

    /// Says that they stay, and how they go; none when there are none.
    pub fn remark(&self, stack: &str) -> Option<SafeText> {
        if self.machines.is_empty() {
            return None;
        }
        let names = self.names();
        let next = uninstall(stack, &names);
        Some(shown!(
            "in the journal, but not named by the plan or an inventory: {}; they are left as they are\n  next: {} \
             removes what is installed on them",
            report::names(&names),
            next
        ))
    }
}

/// The command that takes everything away from devices.
pub fn uninstall<'n>(stack: &str, names: impl IntoIterator<Item = &'n String>) -> String {
    let hosts: String = names.into_iter().map(|name| format!(" --host {name}")).collect();
    format!("akidb-edge jetson uninstall --stack {stack}{hosts}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::resource::{Level, Resource, ResourceOrigin, ResourceStatus};

    fn record(kind: Kind, spec: Value, needs: &[&str]) -> ResourceRecord {
        let needs = needs.iter().map(|need| (need.parse().expect("an address"), Level::Usable)).collect();
        ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec,
            attributes: Default::default(),
            needs,
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    fn node(host: &str, role: &str, server: &str) -> Value {
        let url = format!("https://{server}:6443");
        json!({"host": host, "role": role, "version": "v1.36.3+k3s1", "server": server, "server_url": url})
    }

    /// A cluster of `one`, its server, and `two`, with a proof of `two`.
    fn cluster() -> StackState {
        let mut state = StackState::empty("s-devices");
        let mut add = |address: &str, kind: Kind, spec: Value, needs: &[&str]| {
            state.resources.insert(address.parse().expect("an address"), record(kind, spec, needs));
        };
        for (name, role) in [("one", "server"), ("two", "agent")] {
            add(&format!("jetson.host.{name}"), Kind::Host, json!({"name": name, "address": "192.0.2.1"}), &[]);
            add(&format!("jetson.node.{name}"), Kind::Node, node(name, role, "one"), &[]);
        }
        let job = json!({"cluster": "one", "api_version": "batch/v1", "kind": "Job", "name": "p", "object": {}});
        add("jetson.manifest.job-cuda-proof-two", Kind::Manifest, job.clone(), &["jetson.node.two"]);
        add("jetson.manifest.job-old", Kind::Manifest, job, &["jetson.node.one"]);
        state
    }

    /// What a plan wants with these devices.
    fn wanted(names: &[&str], server: &str) -> Desired {
        let mut desired = Desired::new("s-devices");
        for name in names {
            let host = json!({"name": name, "address": "192.0.2.1"});
            desired.add(Resource::new(format!("jetson.host.{name}").parse().expect("one"), Kind::Host, &host));
            let spec = node(name, if *name == server { "server" } else { "agent" }, server);
            desired.add(Resource::new(format!("jetson.node.{name}").parse().expect("one"), Kind::Node, &spec));
        }
        desired
    }

    #[test]
    fn what_is_on_a_device_that_is_not_named_stays() {
        let (desired, state) = (wanted(&["one", "three"], "one"), cluster());
        let left = UnnamedDevices::of(&desired, &state);
        assert_eq!(left.machines, BTreeSet::from(["two".to_owned()]));
        let addresses: Vec<&str> = left.addresses.iter().map(Address::as_str).collect();
        assert_eq!(addresses, ["jetson.host.two", "jetson.manifest.job-cuda-proof-two", "jetson.node.two"]);
        left.refuse(&["one".to_owned()], "s-devices").expect("it is named");
        let refused = left.refuse(&["two".to_owned()], "s-devices").expect_err("it is not named");
        assert!(refused.next_step.contains("jetson uninstall --stack s-devices --host two"), "{refused}");
        assert!(left.refuse_other_server(&desired, &state, "s-devices").is_ok());
        assert!(UnnamedDevices::of(&wanted(&["one", "two"], "one"), &state).machines.is_empty());
    }

    #[test]
    fn what_stays_is_not_worked_on_and_not_what_a_selection_leaves_out() {
        let (desired, state) = (wanted(&["one"], "one"), cluster());
        let left = UnnamedDevices::of(&desired, &state);
        let (mut scope, mut outside) = (DiffScope::default(), OutsideResources::of(&desired, &state, &BTreeSet::new()));
        left.leave_out(&mut scope, &mut outside, &desired, &state);
        let node = |name: &str| -> Address { format!("jetson.node.{name}").parse().expect("an address") };
        assert!(scope.covers(&node("one")) && !scope.covers(&node("two")));
        assert!(outside.addresses.contains(&node("one")) && !outside.addresses.contains(&node("two")));
        assert!(!outside.would_change.contains(&node("two")));
        assert_eq!(left.names(), ["two"]);
        assert!(
            left.remark("s-devices").is_some_and(|said| said.contains("--host two removes what is installed on them"))
        );
        assert_eq!(UnnamedDevices::default().remark("s-devices"), None);
    }

    #[test]
    fn another_server_does_not_take_the_place_of_one_that_is_not_named() {
        let (desired, state) = (wanted(&["two", "three"], "three"), cluster());
        let left = UnnamedDevices::of(&desired, &state);
        let refused = left.refuse_other_server(&desired, &state, "s-devices").expect_err("it is another cluster");
        assert!(
            refused.problem.contains("is one") && refused.problem.contains("with three as the server"),
            "{refused}"
        );
        assert!(refused.next_step.contains("akidb-edge jetson uninstall --stack s-devices;"), "{refused}");
    }
}
