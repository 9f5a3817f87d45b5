//! The clusters of a run: their routes, and a check that each is still the same cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::AccountConnection;
use super::skipped::cluster;
use crate::exit::{Failure, codes};
use crate::provider::aws;
use crate::provider::cluster::Clusters;
use crate::provider::device::Fleet;
use crate::provider::retry::RetryPolicy;
use crate::provider::{ClusterAccess, Providers};
use crate::resource::cluster::{ClusterSpec, Reach};
use crate::resource::{Address, Attributes, Desired, Kind, Observed, SafeText, StackState, shown};

/// The way to a cluster.
type Ways = BTreeMap<String, Arc<dyn ClusterAccess>>;

/// The clusters that a graph and the state describe, and the k3s clusters on the machines of a fleet. Nothing is connected yet.
///
/// # Errors
/// When a cluster has the name of a machine that does not lead to it.
pub fn clusters(
    desired: &Desired,
    recorded: &StackState,
    account: Option<&AccountConnection>,
    fleet: Option<&Arc<Fleet>>,
) -> Result<Arc<Clusters>, Failure> {
    let described = described(desired, recorded);
    let mut ways = fleet.map(ways_of_machines).unwrap_or_default();
    for spec in described.values() {
        need_own_name(spec, &ways)?;
        let way = match &spec.reach {
            Reach::Kubeconfig { .. } => None,
            Reach::Eks { cluster, region } => {
                account.map(|connection| aws::eks_access(&connection.clients, cluster, region))
            }
            Reach::K3s { host } => fleet.and_then(|fleet| fleet.k3s(host)),
        };
        if let Some(way) = way {
            ways.insert(spec.name.clone(), way);
        }
    }
    let mut clusters = Clusters::new(ways);
    for spec in described.values() {
        if let Reach::Kubeconfig { context, file } = &spec.reach {
            clusters = clusters.with_kubeconfig(&spec.name, context, file.as_deref());
        }
    }
    Ok(clusters)
}

/// The k3s clusters on the machines of a fleet.
pub fn clusters_of_machines(fleet: &Arc<Fleet>) -> Arc<Clusters> {
    Clusters::new(ways_of_machines(fleet))
}

/// The providers of clusters, for a verb that talks to the account and its clusters alone.
///
/// # Errors
/// As [`clusters`].
pub fn in_clusters(
    desired: &Desired,
    recorded: &StackState,
    account: Option<&AccountConnection>,
    retry_policy: &RetryPolicy,
) -> Result<Providers, Failure> {
    let clusters = clusters(desired, recorded, account, None)?;
    Ok(crate::provider::cluster::providers(&clusters).with_retry_policy(retry_policy.clone()))
}

/// A cluster that no resource describes is the one whose server is the machine of that name.
fn ways_of_machines(fleet: &Arc<Fleet>) -> Ways {
    fleet.names().filter_map(|name| Some((name.to_owned(), fleet.k3s(name)?))).collect()
}

/// What the graph says of each cluster, else what the state does.
fn described(desired: &Desired, recorded: &StackState) -> BTreeMap<String, ClusterSpec> {
    let known = recorded.resources.values().filter(|record| record.kind == Kind::Cluster).map(|record| &record.spec);
    let wanted = desired.resources.values().filter(|one| one.kind == Kind::Cluster).map(|one| &one.spec);
    let specs = known.chain(wanted).filter_map(|spec| ClusterSpec::deserialize(spec).ok());
    specs.map(|spec| (spec.name.clone(), spec)).collect()
}

/// Refuses a cluster with the name of a machine that it is not reached through: that machine's objects would go there.
fn need_own_name(spec: &ClusterSpec, machines: &Ways) -> Result<(), Failure> {
    if !machines.contains_key(&spec.name) || spec.reach.host() == Some(spec.name.as_str()) {
        return Ok(());
    }
    Err(codes::CLUSTER_NAME.refused(
        shown!("{} is the name of a device and of a cluster that is not the device's: nothing was done", spec.name),
        "give the step of kind kubernetes another name",
    ))
}

/// The cluster resources whose objects a run works on: they are looked at, too, or a run over a part of a stack would not see that
/// it talks to another cluster.
pub fn clusters_of_part(
    desired: &Desired,
    recorded: &StackState,
    covers: impl Fn(&Address) -> bool,
) -> BTreeSet<Address> {
    let every = || desired.resources.keys().chain(recorded.resources.keys());
    let names: BTreeSet<String> =
        every().filter(|one| covers(one)).filter_map(|one| cluster(desired, recorded, one)).collect();
    let is_one = |one: &&Address| one.kind_name() == Kind::Cluster.name();
    let of_part =
        every().filter(is_one).filter(|one| cluster(desired, recorded, one).is_some_and(|name| names.contains(&name)));
    of_part.cloned().collect()
}

/// Refuses clusters that are others than those of the journal: what is recorded of one says nothing about another. The uid of
/// the namespace kube-system identifies a cluster.
///
/// # Errors
/// Which one, and the ways on.
pub fn need_same_clusters(recorded: &StackState, observed: &Observed) -> Result<(), Failure> {
    for (address, record) in recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Cluster) {
        let known = record.attributes.get("uid").and_then(|uid| uid.as_str());
        let there = observed.found(address).and_then(|found| found.attributes.get("uid")?.as_str());
        let (Some(known), Some(there)) = (known, there) else { continue };
        if known != there {
            return Err(another(address, known, there, recorded));
        }
    }
    need_one_name(recorded, observed)
}

/// Refuses a second name for a cluster that the stack knows: its objects would be made under the new name and deleted under the
/// old one, which are the same objects.
fn need_one_name(recorded: &StackState, observed: &Observed) -> Result<(), Failure> {
    let uid = |attributes: &Attributes| attributes.get("uid").and_then(|uid| uid.as_str()).map(str::to_owned);
    let known = recorded.resources.iter().filter(|(_, record)| record.kind == Kind::Cluster);
    let known = known.filter_map(|(address, record)| Some((uid(&record.attributes)?, address)));
    let seen = observed.seen.keys().filter(|address| address.kind_name() == Kind::Cluster.name());
    let seen = seen.filter_map(|address| Some((uid(&observed.found(address)?.attributes)?, address)));
    let mut names: BTreeMap<String, &Address> = BTreeMap::new();
    for (uid, address) in known.chain(seen) {
        let first = *names.entry(uid).or_insert(address);
        if first != address {
            let name = first.as_str().rsplit('.').next().unwrap_or_default();
            return Err(codes::CLUSTER_NAME.refused(
                shown!(
                    "{} is the same cluster as {}, by the uid of its namespace kube-system; nothing was done",
                    address,
                    first
                ),
                shown!("write `name: {}` in every step of kind kubernetes for this cluster", name),
            ));
        }
    }
    Ok(())
}

fn another(address: &Address, known: &str, there: &str, recorded: &StackState) -> Failure {
    let name =
        |spec: &serde_json::Value, field: &str| spec.get(field).and_then(|name| name.as_str()).map(str::to_owned);
    let cluster = recorded.resources.get(address).and_then(|record| name(&record.spec, "name"));
    let inside = recorded.resources.iter().filter(|(_, record)| {
        record.kind == Kind::Manifest && cluster.is_some() && name(&record.spec, "cluster") == cluster
    });
    let all = inside.map(|(address, _)| address).chain([address]).map(|address| shown!("{}", address));
    codes::OTHER_CLUSTER.refused(
        shown!(
            "{} is another cluster than that of the journal: the uid of its namespace kube-system is {}, the journal has {}; \
             nothing was done",
            address,
            there,
            known
        ),
        shown!(
            "point the context (or the EKS cluster) of the plan at the cluster of the journal; if that cluster is \
             permanently gone, remove it and its objects from the journal: akidb-edge state forget {} --stack {}",
            SafeText::join(all, " "),
            recorded.stack
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::provider::device::DeviceAccess;
    use crate::resource::{ObservedResource, Owner, Resource, ResourceOrigin, ResourceRecord, ResourceStatus};

    fn record(kind: Kind, spec: Value, attributes: Value) -> ResourceRecord {
        ResourceRecord {
            kind,
            id: Some("x".to_owned()),
            generation: 0,
            spec,
            attributes: serde_json::from_value(attributes).expect("attributes"),
            needs: Default::default(),
            step: String::new(),
            after: BTreeSet::new(),
            standing: ResourceStatus::Present,
            pending: None,
            made_at: None,
            origin: ResourceOrigin::Made,
        }
    }

    fn at(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn west(reach: Value) -> Value {
        json!({"name": "west", "reach": reach})
    }

    #[test]
    fn another_cluster_under_the_same_name_is_refused() {
        let mut state = StackState::empty("s");
        let reach = json!({"kubeconfig": {"context": "west"}});
        let object = json!({"cluster": "west", "api_version": "v1", "kind": "ConfigMap", "name": "c", "object": {}});
        let cluster = record(Kind::Cluster, west(reach.clone()), json!({"uid": "one"}));
        state.resources.insert(at("kubernetes.cluster.west"), cluster);
        state.resources.insert(at("kubernetes.manifest.west-c"), record(Kind::Manifest, object, json!({})));
        let seen = |uid: &str| {
            let mut observed = Observed::default();
            let attributes = serde_json::from_value(json!({"uid": uid})).expect("attributes");
            let (id, spec) = ("west".to_owned(), west(reach.clone()));
            let found = ObservedResource { id, spec, attributes, owner: Owner::Ours, extras: Vec::new() };
            observed.seen.insert(at("kubernetes.cluster.west"), Ok(Some(found)));
            observed
        };
        assert!(need_same_clusters(&state, &seen("one")).is_ok());
        assert!(need_same_clusters(&state, &Observed::default()).is_ok(), "it could not be read: it is left out");
        let refused = need_same_clusters(&state, &seen("two")).expect_err("another one");
        assert!(refused.problem.contains("kube-system is two, the journal has one"), "{refused}");
        let next = "state forget kubernetes.manifest.west-c kubernetes.cluster.west --stack s";
        assert!(refused.next_step.contains(next), "{refused}");

        // The same cluster under a second name: its objects are the same ones.
        let mut twice = seen("one");
        let again = twice.found(&at("kubernetes.cluster.west")).cloned();
        twice.seen.insert(at("kubernetes.cluster.east"), Ok(again));
        let refused = need_same_clusters(&state, &twice).expect_err("two names");
        assert!(refused.problem.contains("kubernetes.cluster.east is the same cluster as"), "{refused}");
        assert!(refused.next_step.contains("`name: west`"), "{refused}");

        // A part of the stack: its cluster is looked at, too.
        let of = |part: &str| clusters_of_part(&Desired::new("s"), &state, |address| *address == at(part));
        assert_eq!(of("kubernetes.manifest.west-c"), BTreeSet::from([at("kubernetes.cluster.west")]));
        assert!(of("models.bucket.a").is_empty());
    }

    #[test]
    fn a_cluster_does_not_take_the_name_of_another_ones_machine() {
        let host = serde_json::from_value(json!({"name": "west", "address": "192.0.2.1"})).expect("a host");
        let fleet = Fleet::new(DeviceAccess::default(), [host]);
        let with = |reach: Value| {
            let mut desired = Desired::new("s");
            desired.add(Resource::new(at("kubernetes.cluster.west"), Kind::Cluster, &west(reach)));
            clusters(&desired, &StackState::empty("s"), None, Some(&fleet)).map(drop)
        };
        assert!(with(json!({"k3s": {"host": "west"}})).is_ok());
        let refused = with(json!({"kubeconfig": {"context": "west"}})).expect_err("whose objects are whose?");
        assert!(refused.problem.contains("is the name of a device and of a cluster"), "{refused}");
    }
}
