//! Whether a run needs an AWS account: one over clusters of a kubeconfig alone asks no account anything.

use serde::Deserialize;
use serde_json::Value;

use super::graphs::every_step;
use super::{root, store};
use crate::commands::Context;
use crate::desired;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::plan::{Plan, StepConfig};
use crate::resource::cluster::{ClusterSpec, Reach};
use crate::resource::{ACCOUNT, Desired, Kind, StackState};

/// Whether a run over a stack needs an account: for its state, for what a plan asks for, or for what the journal knows. A stack of which
/// nothing is known may need one.
///
/// # Errors
/// When the journal cannot be read.
pub async fn needs_account(context: &Context, stack: &str, plan: Option<&Plan>) -> Result<bool, Failure> {
    if root(&context.global.state).is_none() || plan.is_some_and(plan_needs) {
        return Ok(true);
    }
    let store = store(&context.global, &context.session, stack, None).await?;
    let state = Ledger::read(store, stack).await?.recorded();
    Ok(if state.sequence == 0 { plan.is_none() } else { state_needs(&state) })
}

/// Of a plan whose graph cannot be built, the run says why.
fn plan_needs(plan: &Plan) -> bool {
    let of_clusters = |work: &StepConfig| matches!(work, StepConfig::Kubernetes(_) | StepConfig::Observability(_));
    let elsewhere = |work: &StepConfig| {
        use StepConfig::{Jetson, JetsonApp, JetsonShutdown, Report};
        matches!(work, Jetson(_) | JetsonApp(_) | JetsonShutdown(_) | Report(_))
    };
    let works = || plan.steps.iter().map(|step| &step.work);
    if !works().any(of_clusters) || !works().all(|work| of_clusters(work) || elsewhere(work)) {
        return true;
    }
    desired::build(plan, &every_step(plan)).map_or(true, |built| graph_needs(&built.desired))
}

/// Whether a graph has anything of an account.
pub fn graph_needs(desired: &Desired) -> bool {
    desired.resources.values().any(|resource| is_of_account(resource.kind, &resource.spec))
}

/// Whether a state has anything of an account, or ever had.
pub fn state_needs(state: &StackState) -> bool {
    state.account.as_ref().is_some_and(|account| !account.is_empty())
        || state.resources.values().any(|record| is_of_account(record.kind, &record.spec))
        || state.pending_deletions.iter().any(|left| is_of_account(left.kind, &left.spec))
}

fn is_of_account(kind: Kind, spec: &Value) -> bool {
    let by_account = || match ClusterSpec::deserialize(spec) {
        Ok(cluster) => matches!(cluster.reach, Reach::Eks { .. }),
        Err(_) => true,
    };
    kind.in_aws() || (kind == Kind::Cluster && by_account()) || spec.to_string().contains(ACCOUNT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Resource;

    fn graph(objects: &[(&str, Kind, Value)]) -> bool {
        let mut desired = Desired::new("s");
        for (address, kind, spec) in objects {
            desired.add(Resource::new(address.parse().expect("an address"), *kind, spec));
        }
        graph_needs(&desired)
    }

    #[test]
    fn only_what_leads_to_an_account_needs_one() {
        let cluster = |reach: Value| ("k.cluster.west", Kind::Cluster, json!({"name": "west", "reach": reach}));
        let object = |text: &str| {
            let data = json!({"data": {"a": text}});
            let spec =
                json!({"cluster": "west", "api_version": "v1", "kind": "ConfigMap", "name": "a", "object": data});
            ("k.manifest.a", Kind::Manifest, spec)
        };
        let kubeconfig = || cluster(json!({"kubeconfig": {"context": "west"}}));
        assert!(!graph(&[kubeconfig(), object("plain")]));
        assert!(graph(&[kubeconfig(), object("arn:aws:iam::${#account}:role/a")]), "the number of the account");
        assert!(graph(&[cluster(json!({"eks": {"cluster": "a", "region": "eu-central-1"}}))]));
        assert!(graph(&[kubeconfig(), ("q.queue.a", Kind::Queue, json!({"name": "a"}))]));
        let mut state = StackState::empty("s");
        assert!(!state_needs(&state));
        state.account = Some(String::new());
        assert!(!state_needs(&state), "a run without an account says so");
        state.account = Some("123456789012".to_owned());
        assert!(state_needs(&state));
    }
}
