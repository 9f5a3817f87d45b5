//! What the graph of a fleet costs, counted and not timed.

use super::*;
use crate::plan::{Settings, parse};

/// A plan of a cluster of so many devices, of which the last is the server.
fn fleet(devices: usize) -> Plan {
    let head = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - id: fleet\n    \
                title: t\n    kind: jetson\n    with:\n      k3s: {version: v1.36.3+k3s1}\n      gpu: {proof_image: \"registry.k8s.io/pause:3.10\"}\n      hosts:\n";
    let host = |number: usize| {
        let role = if number == devices { ", role: server" } else { "" };
        format!("        d{number:05}: {{address: \"d{number}.example.com\"{role}}}\n")
    };
    let text: String = (1..=devices).map(host).collect();
    parse("plan.yaml", &format!("{head}{text}"), &Settings::default()).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn each_device_is_looked_at_once_for_the_server() {
    for devices in [10, 300] {
        let plan = fleet(devices);
        let fleets = Fleet::all(&plan);
        let built = build_with(&plan, &fleets).unwrap_or_else(|bad| panic!("{bad}"));
        let nodes = built.desired.resources.values().filter(|resource| resource.kind == Kind::Node);
        assert_eq!(nodes.count(), devices);
        assert_eq!(fleets.iter().map(|fleet| fleet.looked_at.get()).sum::<usize>(), devices);
    }
}

#[test]
fn two_names_of_one_machine_are_refused() {
    let mut plan = fleet(3);
    let Some(Work::Jetson(jetson)) = plan.steps.first_mut().map(|step| &mut step.work) else { panic!("devices") };
    for host in jetson.hosts.values_mut().take(2) {
        host.address = "d1.example.com".to_owned();
    }
    let refused = build(&plan).expect_err("it is one machine").to_string();
    assert!(refused.contains("d00002 has the address and the port of d00001, plan.yaml:"), "{refused}");
}
