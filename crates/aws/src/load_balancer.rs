//! Existing load balancers: looked up, never created.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::LoadBalancer;

use super::error_rules::{ErrorRule, rule};
use super::{Clients, fault_of};
use crate::pages::Pages;
use crate::permissions::{Grant, LOOK, context};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::load_balancer::LoadBalancerSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, ObservedResource, Owner};

/// What its calls need.
pub const GRANTS: &[Grant] = &[Grant {
    sid: LOOK,
    on: context::everything,
    actions: &["elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeTags"],
}];

/// What the errors of Elastic Load Balancing mean.
pub const CODES: &[ErrorRule] = &[
    // Not there.
    rule("elbv2", "LoadBalancerNotFound", FaultClass::Missing),
];

/// Most load balancers that one `DescribeTags` takes.
const TAGS_A_CALL: usize = 20;

/// Load balancers of the account, in any region.
pub struct LoadBalancers {
    clients: Arc<Clients>,
}

impl LoadBalancers {
    /// Load balancers reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }
}

fn never_made(operation: &str) -> Fault {
    let words = "a load balancer is only looked up, never created";
    Fault::new(FaultClass::Refused, "elbv2", operation, "LookupOnly", words)
        .next("create, change or delete it where it is managed (Kubernetes ingress, CloudFormation, console)")
}

async fn by_name(client: &Client, name: &str) -> Result<Option<LoadBalancer>, Fault> {
    let answer = client.describe_load_balancers().names(name).send().await;
    match answer.map_err(|bad| fault_of("elbv2", "DescribeLoadBalancers", bad)) {
        Ok(answer) => Ok(answer.load_balancers.unwrap_or_default().into_iter().next()),
        Err(fault) if fault.class == FaultClass::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn all(client: &Client) -> Result<Vec<LoadBalancer>, Fault> {
    let (mut balancers, mut marker) = (Vec::new(), None);
    let mut pages = Pages::of("elbv2", "DescribeLoadBalancers");
    loop {
        pages.next()?;
        let page = client.describe_load_balancers().set_marker(marker).send().await;
        let page = page.map_err(|bad| fault_of("elbv2", "DescribeLoadBalancers", bad))?;
        balancers.extend(page.load_balancers.unwrap_or_default());
        marker = page.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(balancers);
        }
    }
}

/// The ARNs, of these, that carry all of `wanted`.
async fn tagged(
    client: &Client,
    arns: &[String],
    wanted: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, Fault> {
    let mut matching = BTreeSet::new();
    for some in arns.chunks(TAGS_A_CALL) {
        let answer = client.describe_tags().set_resource_arns(Some(some.to_vec())).send().await;
        let answer = answer.map_err(|bad| fault_of("elbv2", "DescribeTags", bad))?;
        for described in answer.tag_descriptions.unwrap_or_default() {
            let tags = described.tags.unwrap_or_default().into_iter();
            let held: BTreeMap<_, _> = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
            if wanted.iter().all(|(key, value)| held.get(key) == Some(value)) {
                matching.extend(described.resource_arn);
            }
        }
    }
    Ok(matching)
}

async fn by_tags(client: &Client, spec: &LoadBalancerSpec) -> Result<Option<LoadBalancer>, Fault> {
    let balancers = all(client).await?;
    let arns: Vec<String> = balancers.iter().filter_map(|balancer| balancer.load_balancer_arn.clone()).collect();
    let matching = tagged(client, &arns, &spec.tags).await?;
    let mut hits = balancers;
    hits.retain(|balancer| balancer.load_balancer_arn.as_ref().is_some_and(|arn| matching.contains(arn)));
    if hits.len() > 1 {
        let names: Vec<&str> = hits.iter().filter_map(LoadBalancer::load_balancer_name).collect();
        let words = format!("{} load balancers in {} carry these tags: {}", hits.len(), spec.region, names.join(", "));
        return Err(Fault::new(FaultClass::Refused, "elbv2", "DescribeTags", "NotUnique", words)
            .next("name one of them in the plan, or add a tag that only one has"));
    }
    Ok(hits.into_iter().next())
}

#[async_trait]
impl Provider for LoadBalancers {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: LoadBalancerSpec = subject.typed()?;
        let client = self.clients.elb(&spec.region)?;
        let balancer = match spec.name.as_deref() {
            Some(name) => by_name(&client, name).await?,
            None if spec.tags.is_empty() => {
                let words = "neither a name nor tags identify the load balancer";
                return Err(Fault::new(FaultClass::Refused, "elbv2", "DescribeLoadBalancers", "NotNamed", words)
                    .next("give its name, or tags that only one has"));
            }
            None => by_tags(&client, &spec).await?,
        };
        let Some(balancer) = balancer else { return Ok(None) };
        let missing = || Fault::unexpected("elbv2", "DescribeLoadBalancers", "the answer has no ARN or no DNS name");
        let arn = balancer.load_balancer_arn.ok_or_else(missing)?;
        let attributes = Attributes::from([
            ("arn".into(), arn.clone().into()),
            ("dns_name".into(), balancer.dns_name.ok_or_else(missing)?.into()),
            ("zone_id".into(), balancer.canonical_hosted_zone_id.ok_or_else(missing)?.into()),
            ("name".into(), balancer.load_balancer_name.unwrap_or_default().into()),
        ]);
        // A lookup is nobody's: it is as it was asked for, or it is not there.
        Ok(Some(ObservedResource {
            id: arn,
            spec: subject.spec.clone(),
            attributes,
            owner: Owner::Ours,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, _subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        Err(never_made("CreateLoadBalancer"))
    }

    async fn update(
        &self,
        _subject: &ResourceContext<'_>,
        _found: &ObservedResource,
        _fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        Err(never_made("ModifyLoadBalancerAttributes"))
    }

    async fn delete(&self, _subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        Err(never_made("DeleteLoadBalancer"))
    }
}
