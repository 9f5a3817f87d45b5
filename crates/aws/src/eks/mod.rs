//! EKS clusters: reached by what `DescribeCluster` says of them, with a token that STS can be asked about. No cluster is made or
//! changed here; what is in one is reached by `akidb-edge-cluster`.

mod description;
mod token;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_eks::Client;

use super::{Clients, fault_of};
use crate::provider::cluster::{ClusterAccess, Credentials, Login};
use crate::resource::{Fault, FaultClass};
use description::ClusterDescription;

pub use token::TokenSigner;

/// Service and operation of the faults that are found while a cluster is looked up.
const EKS: &str = "eks";
const DESCRIBE: &str = "DescribeCluster";

/// The way to an EKS cluster, with the credentials of `clients`. No call is made until the credentials are asked for.
pub fn eks_access(clients: &Clients, cluster: &str, region: &str) -> Arc<dyn ClusterAccess> {
    Arc::new(EksAccess {
        client: clients.eks(region),
        signer: clients.token_signer(region),
        cluster: NamedCluster { name: cluster.to_owned(), region: region.to_owned() },
    })
}

/// A cluster as the plan names it.
struct NamedCluster {
    name: String,
    region: String,
}

struct EksAccess {
    /// A fault when the region is not the name of one.
    client: Result<Client, Fault>,
    signer: TokenSigner,
    cluster: NamedCluster,
}

#[async_trait]
impl ClusterAccess for EksAccess {
    /// Looked up each time, so that a rotated certificate authority is known when a token is renewed. A cluster that is not there is
    /// a fault: it is never made here.
    async fn credentials(&self) -> Result<Option<Credentials>, Fault> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let answer = client.describe_cluster().name(&self.cluster.name).send().await;
        let answer = answer.map_err(|bad| explained(fault_of(EKS, DESCRIBE, bad), &self.cluster))?;
        let cluster = answer.cluster.ok_or_else(|| Fault::unexpected(EKS, DESCRIBE, "the answer has no cluster"))?;
        let ClusterDescription { server, authority, id } = description::read(&cluster, &self.cluster)?;
        let token = self.signer.token(&id).await?;
        let login = Login::Token { token: token.text, lasts: token.lasts };
        Ok(Some(Credentials { server, authority, login }))
    }

    /// Only the principal that made the cluster may have access without an entry of its own (EKS User Guide, "Grant IAM users
    /// access to Kubernetes with EKS access entries").
    fn when_unauthorized(&self) -> Option<String> {
        let NamedCluster { name, region } = &self.cluster;
        Some(format!(
            "give the caller (aws sts get-caller-identity; of an assumed role, the role) an access entry: aws eks \
             create-access-entry --cluster-name {name} --region {region} --principal-arn ARN, then aws eks \
             associate-access-policy with the policy that it needs there"
        ))
    }
}

/// The same fault, in the words of the plan and with the next step.
fn explained(mut fault: Fault, cluster: &NamedCluster) -> Fault {
    let NamedCluster { name, region } = cluster;
    match fault.class {
        FaultClass::Missing => {
            fault.message = format!("there is no EKS cluster {name} in {region} of this account").into();
            fault.next(format!(
                "check eks.cluster and eks.region in the plan, and the account: aws eks list-clusters --region {region}"
            ))
        }
        FaultClass::Denied => fault.next(format!(
            "allow the caller eks:DescribeCluster on arn:aws:eks:{region}:ACCOUNT:cluster/{name}; deploy --print-iam-policy \
             prints what the plan needs"
        )),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Untrusted;

    fn fault(class: FaultClass) -> Fault {
        let cluster = NamedCluster { name: "akidb-eu".to_owned(), region: "eu-central-1".to_owned() };
        explained(Fault::new(class, EKS, DESCRIBE, "Code", "words of EKS").next("its step"), &cluster)
    }

    #[test]
    fn a_cluster_that_is_missing_or_denied_is_named_with_the_next_step() {
        let missing = fault(FaultClass::Missing);
        assert!(missing.class == FaultClass::Missing && missing.code == "Code", "{missing}");
        assert!(missing.message.contains("no EKS cluster akidb-eu in eu-central-1"), "{missing}");
        let next = |fault: &Fault| fault.next_step.as_ref().map_or_else(String::new, Untrusted::text);
        assert!(next(&missing).contains("aws eks list-clusters --region eu-central-1"), "{missing:?}");
        let denied = fault(FaultClass::Denied);
        assert!(denied.message.contains("words of EKS"), "{denied}");
        assert!(next(&denied).contains("eks:DescribeCluster on arn:aws:eks:eu-central-1:ACCOUNT:cluster/akidb-eu"));
        let other = fault(FaultClass::Retry);
        assert!(other.message.contains("words of EKS") && next(&other) == "its step", "{other:?}");
    }
}
