//! EKS clusters that a plan reaches. They are looked up; the token that opens them needs no permission, and what the caller may do
//! in a cluster is decided there (an access entry of EKS, RBAC).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Ids, literal};
use crate::resource::{Desired, Kind};

/// The statement for all clusters of a graph that are reached at EKS; none when there are none.
pub fn statement(desired: &Desired, account: &str, ids: &Ids) -> Option<Value> {
    let clusters = desired.resources.values().filter(|resource| resource.kind == Kind::Cluster);
    let arns: BTreeSet<String> = clusters.filter_map(|cluster| arn(&literal(desired, cluster, ids), account)).collect();
    (!arns.is_empty())
        .then(|| json!({"Sid": "EksClusters", "Effect": "Allow", "Action": ["eks:DescribeCluster"], "Resource": arns}))
}

fn arn(spec: &Value, account: &str) -> Option<String> {
    let eks = spec.pointer("/reach/eks")?;
    // What is known only in the run stands for any.
    let text = |field: &str| {
        let known = eks.get(field).and_then(Value::as_str).filter(|text| !text.contains("${"));
        known.unwrap_or("*").to_owned()
    };
    Some(format!("arn:aws:eks:{}:{account}:cluster/{}", text("region"), text("cluster")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::policy;
    use crate::resource::{Address, Resource};

    fn graph(reaches: &[Value]) -> Desired {
        let mut desired = Desired::new("prod");
        for (at, reach) in reaches.iter().enumerate() {
            let address = Address::new("kubernetes", Kind::Cluster, &format!("c{at}"));
            desired.add(Resource::new(address, Kind::Cluster, &json!({"name": format!("c{at}"), "reach": reach})));
        }
        desired
    }

    #[test]
    fn the_clusters_of_the_plan_may_be_looked_up_and_no_others() {
        let eks = |cluster: &str, region: &str| json!({"eks": {"cluster": cluster, "region": region}});
        let desired = graph(&[
            eks("akidb-us", "us-east-1"),
            eks("akidb-eu", "eu-central-1"),
            eks("akidb-eu", "eu-central-1"),
            eks("${x.y.z#name}", "eu-west-1"),
            json!({"kubeconfig": {"context": "west"}}),
            json!({"k3s": {"host": "jetson-01"}}),
        ]);
        let all = policy(&desired, "1", &Ids::new());
        let wanted = json!([{
            "Sid": "EksClusters", "Effect": "Allow", "Action": ["eks:DescribeCluster"],
            "Resource": ["arn:aws:eks:eu-central-1:1:cluster/akidb-eu", "arn:aws:eks:eu-west-1:1:cluster/*",
                         "arn:aws:eks:us-east-1:1:cluster/akidb-us"],
        }]);
        assert_eq!(all["Statement"], wanted);
    }

    #[test]
    fn clusters_that_are_reached_otherwise_need_nothing_of_aws() {
        let desired = graph(&[json!({"kubeconfig": {"context": "west"}})]);
        assert_eq!(policy(&desired, "1", &Ids::new())["Statement"], json!([]));
    }
}
