//! What the graph of a fleet costs, counted and not timed.

use super::*;
use crate::plan::{Settings, parse};
use crate::resource::node::NodeSpec;

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

/// What the nodes of two devices are started with: the server is reached in this way by SSH, and says this.
fn nodes(server: &str) -> Vec<NodeSpec> {
    let head = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - id: fleet\n    \
                title: t\n    kind: jetson\n    with:\n      k3s: {version: v1.36.3+k3s1, registry: {}}\n      hosts:\n";
    let text = format!("{head}        a: {server}\n        b: {{address: 10.0.0.2, node_ip: 192.168.7.2}}\n");
    let plan = parse("plan.yaml", &text, &Settings::default()).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan).unwrap_or_else(|bad| panic!("{bad}"));
    built.desired.resources.values().filter_map(|one| (one.kind == Kind::Node).then(|| one.typed())?).collect()
}

#[test]
fn the_server_is_reached_by_its_address_among_the_devices() {
    for (server, url, registry, names) in [
        ("{address: 10.0.0.1}", "https://10.0.0.1:6443", "10.0.0.1:5000", &["10.0.0.1"][..]),
        ("{address: \"fd78::11\"}", "https://[fd78::11]:6443", "[fd78::11]:5000", &["fd78::11"]),
        (
            "{address: edge-alias, node_ip: 192.168.7.1}",
            "https://192.168.7.1:6443",
            "192.168.7.1:5000",
            &["192.168.7.1", "edge-alias"],
        ),
    ] {
        let nodes = nodes(server);
        let (first, second) = (&nodes[0], &nodes[1]);
        assert_eq!(first.tls_san, names, "{server}");
        assert!(second.tls_san.is_empty(), "an agent has no certificate of its own to name");
        for node in [first, second] {
            assert_eq!((node.server_url.as_str(), node.registry.as_deref()), (url, Some(registry)), "{server}");
        }
        assert_eq!(second.node_ip.as_deref(), Some("192.168.7.2"));
    }
}
