//! Rules on nodes: how they find the server of their cluster.

use std::net::IpAddr;

use super::rule::{CheckRule, CheckedResource, RuleFindings, warning};
use crate::resource::Kind;
use crate::resource::node::{NodeRole, NodeSpec};

pub(super) const RULES: &[CheckRule<NodeSpec>] = &[warning(
    "ND001-server-by-alias",
    "agents are given an address of the server, or a name with a domain",
    "accepted: a name without a domain may be known to this machine alone (a Host of the SSH configuration, /etc/hosts); an agent that does not \
     know it does not join",
    "write node_ip for the server: the IP address by which the other devices reach it (ip -o route get 1.1.1.1 there shows it behind src)",
    alias,
)];

fn alias(seen: &CheckedResource<'_, NodeSpec>, notes: &mut RuleFindings<'_>) {
    let NodeSpec { role, host, server_url, .. } = &seen.spec;
    let mut nodes = seen.scope.each::<NodeSpec>(Kind::Node);
    let has_agents = nodes.any(|(_, node)| node.role == NodeRole::Agent && node.server == *host);
    if *role != NodeRole::Server || !has_agents {
        return;
    }
    let name = server_url.trim_start_matches("https://").trim_end_matches(":6443").trim_matches(['[', ']']);
    let is_alias = name.parse::<IpAddr>().is_err() && !name.contains('.') && !name.contains(':');
    notes.add_if(is_alias, "server_url", || format!("the other devices reach the server as {name}"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};

    const SERVER: &str = "jetson.node.a";

    fn cluster(case: Case, server: &str) -> Case {
        let node = |host: &str, role: &str| {
            json!({"host": host, "role": role, "version": "v1.36.3+k3s1", "server": "a",
                   "server_url": format!("https://{server}:6443"), "program_sha256": "a".repeat(64)})
        };
        case.set(SERVER, "", node("a", "server")).set("jetson.node.b", "", node("b", "agent"))
    }

    pub(in super::super) fn cases() -> Vec<Case> {
        vec![cluster(case("ND001-server-by-alias"), "edge-alias")]
    }

    #[test]
    fn an_address_or_a_name_with_a_domain_is_enough() {
        for server in ["192.0.2.1", "[fd78::11]", "edge.example.com"] {
            let case = cluster(Case { desired: good(), rules: [].into(), note: String::new() }, server);
            assert_eq!(super::super::all(&case.desired, TODAY), [], "{server}");
        }
    }
}
