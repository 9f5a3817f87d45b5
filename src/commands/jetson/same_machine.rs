//! Two names of one machine: removing something under one name removes it under the other as well.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::unnamed::uninstall;
use crate::commands::workflow::machine;
use crate::exit::{Failure, codes};
use crate::resource::host::HostSpec;
use crate::resource::{Address, Desired, Kind, StackState, shown};

/// Refuses a run in which a device of the journal that is not named has the endpoint of one that is named.
///
/// # Errors
/// Both names, and the ways on.
pub fn refuse_renamed(
    unnamed: &BTreeSet<String>,
    desired: &Desired,
    recorded: &StackState,
    stack: &str,
) -> Result<(), Failure> {
    let (named, known) = (named(desired), known(recorded));
    for (_, former) in known.iter().filter(|(_, host)| unnamed.contains(&host.name)) {
        let Some((_, now)) = named.iter().find(|(_, host)| host.endpoint() == former.endpoint()) else { continue };
        let forget = forget(&former.name, recorded, stack);
        let next = if known.iter().any(|(_, host)| host.name == now.name) {
            shown!(
                "both names are in the journal; let it forget {}, the machine stays as it is: {}",
                former.name,
                forget
            )
        } else {
            shown!(
                "keep the name {} in the plan or the inventory; or take away what is on it before it gets another name: {}; \
                 or, when {} is another machine, let the journal forget the former one: {}",
                former.name,
                uninstall(stack, [&former.name]),
                now.name,
                forget
            )
        };
        let problem = shown!(
            "{} of the journal is called {} now (same address: {}): nothing was done",
            former.name,
            now.name,
            now.endpoint()
        );
        return Err(codes::SAME_MACHINE.refused(problem, next));
    }
    Ok(())
}

/// Refuses to take something away from a device whose endpoint is that of another device, which stays or comes back.
///
/// # Errors
/// Both names, and how the journal forgets one of them.
pub fn refuse_shared(
    leaving: &BTreeSet<Address>,
    desired: &Desired,
    recorded: &StackState,
    stack: &str,
) -> Result<(), Failure> {
    let on = |address: &Address| machine(desired, recorded, address);
    let losing: BTreeSet<String> = leaving.iter().filter_map(on).collect();
    let (named, known) = (named(desired), known(recorded));
    for (address, host) in known.iter().filter(|(_, host)| losing.contains(&host.name)) {
        let stays = known.iter().filter(|(at, _)| !leaving.contains(*at)).chain(&named);
        let mut others = stays.filter(|(at, _)| at != address);
        let Some((_, other)) = others.find(|(_, other)| other.endpoint() == host.endpoint()) else { continue };
        return Err(codes::SAME_MACHINE.refused(
            shown!(
                "{} and {} have the same address ({}): they are one machine, and what is taken away from {} is taken away \
                 from {}; nothing was done",
                host.name,
                other.name,
                host.endpoint(),
                host.name,
                other.name
            ),
            shown!(
                "let the journal forget {}, the machine stays as it is: {}",
                host.name,
                forget(&host.name, recorded, stack)
            ),
        ));
    }
    Ok(())
}

/// The machines that are wanted.
fn named(desired: &Desired) -> Vec<(&Address, HostSpec)> {
    let hosts = desired.resources.iter().filter(|(_, resource)| resource.kind == Kind::Host);
    hosts.filter_map(|(address, resource)| Some((address, resource.typed::<HostSpec>()?))).collect()
}

/// The machines of the journal.
fn known(recorded: &StackState) -> Vec<(&Address, HostSpec)> {
    let hosts = recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Host);
    hosts.filter_map(|(address, record)| Some((address, HostSpec::deserialize(&record.spec).ok()?))).collect()
}

/// The command that takes a machine out of the journal, with everything on it.
fn forget(name: &str, recorded: &StackState, stack: &str) -> String {
    let nothing = Desired::new(stack);
    let on_it = |address: &&Address| machine(&nothing, recorded, address).is_some_and(|on| on == name);
    let addresses = recorded.resources.keys().filter(on_it).map(Address::as_str);
    let addresses: Vec<&str> = addresses.collect();
    format!("akidb-edge state forget --stack {stack} {}", addresses.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Resource;

    fn at(text: &str) -> Address {
        text.parse().expect("an address")
    }

    /// Devices with their addresses, and a group on each.
    fn devices(hosts: &[(&str, &str)]) -> Desired {
        let mut desired = Desired::new("s-devices");
        for (name, address) in hosts {
            let host = json!({"name": name, "address": address});
            desired.add(Resource::new(at(&format!("jetson.host.{name}")), Kind::Host, &host));
            let group = json!({"host": name, "name": "akidb", "what": "group"});
            desired.add(Resource::new(at(&format!("jetson.account.{name}-group")), Kind::Account, &group));
        }
        desired
    }

    /// The same in a journal.
    fn journal(hosts: &[(&str, &str)]) -> StackState {
        let mut state = StackState::empty("s-devices");
        for (address, resource) in devices(hosts).resources {
            let record = json!({"kind": resource.kind, "id": "x", "generation": 0, "spec": resource.spec,
                "attributes": {}, "needs": {}, "step": "", "standing": "present", "pending": null});
            state.resources.insert(address, serde_json::from_value(record).expect("a record"));
        }
        state
    }

    #[test]
    fn a_device_under_another_name_is_not_taken_for_one_that_is_gone() {
        let unnamed = BTreeSet::from(["one".to_owned()]);
        let (state, desired) = (journal(&[("one", "192.0.2.1")]), devices(&[("edge", "192.0.2.1")]));
        let refused = refuse_renamed(&unnamed, &desired, &state, "s-devices").expect_err("it is one machine");
        assert!(refused.problem.contains("one of the journal is called edge now"), "{refused}");
        assert!(refused.next_step.contains("keep the name one"), "{refused}");
        assert!(refused.next_step.contains("jetson uninstall --stack s-devices --host one"), "{refused}");
        let other = devices(&[("edge", "192.0.2.2")]);
        assert!(refuse_renamed(&unnamed, &other, &state, "s-devices").is_ok());
        let both = journal(&[("one", "192.0.2.1"), ("edge", "192.0.2.1")]);
        let refused = refuse_renamed(&unnamed, &desired, &both, "s-devices").expect_err("it is one machine");
        let next = "akidb-edge state forget --stack s-devices jetson.account.one-group jetson.host.one";
        assert!(refused.next_step.contains(next) && !refused.next_step.contains("uninstall"), "{refused}");
    }

    #[test]
    fn nothing_is_taken_from_a_machine_that_stays_under_another_name() {
        let state = journal(&[("one", "192.0.2.1"), ("edge", "192.0.2.1"), ("two", "192.0.2.2")]);
        let of = |names: &[&str]| -> BTreeSet<Address> {
            let both = |name: &&str| [at(&format!("jetson.host.{name}")), at(&format!("jetson.account.{name}-group"))];
            names.iter().flat_map(both).collect()
        };
        let nothing = Desired::new("s-devices");
        let refused = refuse_shared(&of(&["one"]), &nothing, &state, "s-devices").expect_err("edge stays");
        assert!(refused.problem.contains("one and edge have the same address"), "{refused}");
        assert!(refused.next_step.contains("state forget --stack s-devices jetson.account.one-group"), "{refused}");
        assert!(refuse_shared(&of(&["two"]), &nothing, &state, "s-devices").is_ok());
        assert!(refuse_shared(&of(&["one", "edge"]), &nothing, &state, "s-devices").is_ok(), "all of it goes");
        // Going back to before it had another name.
        let (aim, now) = (devices(&[("one", "192.0.2.1")]), journal(&[("edge", "192.0.2.1")]));
        assert!(refuse_shared(&of(&["edge"]), &aim, &now, "s-devices").is_err());
        assert!(refuse_shared(&of(&["edge"]), &devices(&[("one", "192.0.2.3")]), &now, "s-devices").is_ok());
    }
}
