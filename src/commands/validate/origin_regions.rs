//! The regions behind the origins of a distribution: those of the resources that its names lead to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::resource::dns_answer::{self, DnsQuestion};
use crate::resource::{Address, Desired, references};

/// A place to ask from. Latency records answer with all healthy regions, wherever the question comes from.
const FROM: &str = "NA";

/// The regions of a distribution's origins, by the record sets and load balancers of its stack. An origin that is a name outside of the
/// stack has none that is known.
pub fn of(distribution: &Value, deployed: &Desired) -> BTreeSet<String> {
    let origins = distribution["origins"].as_array().into_iter().flatten();
    let names = origins.filter_map(|origin| origin["domain_name"].as_str());
    names.flat_map(|name| targets(name, deployed)).flat_map(|target| regions(&target, deployed)).collect()
}

/// What a name leads to; itself where no record set has it, such as the domain of a bucket.
fn targets(name: &str, deployed: &Desired) -> Vec<String> {
    let asked = name.trim_end_matches('.').to_ascii_lowercase();
    let answer = dns_answer::answer(deployed, &DnsQuestion { name: &asked, from: FROM, down: &[] });
    if answer.leads_to.is_empty() { vec![name.to_owned()] } else { answer.leads_to }
}

/// The regions of the resources that a text refers to.
fn regions(target: &str, deployed: &Desired) -> Vec<String> {
    let region = |address: Address| deployed.resources.get(&address)?.spec.get("region")?.as_str().map(str::to_owned);
    references(&Value::from(target)).into_iter().filter_map(region).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Kind, Resource};

    #[test]
    fn an_origin_is_in_the_regions_that_its_name_leads_to() {
        let mut deployed = Desired::new("s");
        let mut add = |address: &str, kind: Kind, spec: Value| {
            deployed.add(Resource::new(address.parse().expect("an address"), kind, &spec));
        };
        let balancer = |region: &str| json!({"region": region, "tags": {"a": "b"}});
        add("routing.load-balancer.west", Kind::LoadBalancer, balancer("us-east-1"));
        add("routing.load-balancer.east", Kind::LoadBalancer, balancer("ap-northeast-1"));
        let set = |name: &str, region: &str| {
            let alias = json!({
                "dns_name": format!("${{routing.load-balancer.{name}#dns_name}}"), "zone_id": "Z", "evaluate_target_health": true,
            });
            json!({"name": "origin.example.com", "type": "A", "set_identifier": name, "latency_region": region, "alias": alias})
        };
        let sets = json!([set("west", "us-east-1"), set("east", "ap-northeast-1")]);
        add("routing.records.origin", Kind::Records, json!({"zone_id": "Z", "sets": sets}));
        add("models.bucket.a", Kind::Bucket, json!({"name": "a", "region": "eu-west-1"}));
        let distribution = json!({"origins": [
            {"domain_name": "origin.example.com"}, {"domain_name": "${models.bucket.a#domain_name}"},
            {"domain_name": "elsewhere.example.net"},
        ]});
        let found: Vec<String> = of(&distribution, &deployed).into_iter().collect();
        assert_eq!(found, ["ap-northeast-1", "eu-west-1", "us-east-1"]);
    }
}
