//! What `DescribeCluster` says: whether there is an API server, where it is, and who signed its certificate.

use aws_sdk_eks::types::{Certificate, Cluster, ClusterStatus};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{DESCRIBE, EKS, NamedCluster};
use crate::resource::{Fault, FaultClass};

/// What is needed of a cluster to reach it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClusterDescription {
    /// `https://HOST`.
    pub(super) server: String,
    /// PEM of the certificate authority.
    pub(super) authority: Vec<u8>,
    /// What a token has to be signed for.
    pub(super) id: String,
}

/// Reads the description of a cluster.
///
/// # Errors
/// When it has no API server (yet, or any more), or the answer lacks what EKS promises.
pub(super) fn read(cluster: &Cluster, named: &NamedCluster) -> Result<ClusterDescription, Fault> {
    ready(cluster.status(), named)?;
    let server = cluster.endpoint().ok_or_else(|| without_endpoint(cluster, named))?;
    if !server.starts_with("https://") {
        return Err(Fault::unexpected(
            EKS,
            DESCRIBE,
            format!("the endpoint is {server:?}, which is not an https:// URL"),
        ));
    }
    let data = cluster.certificate_authority().and_then(Certificate::data).unwrap_or_default();
    let authority = BASE64_STANDARD.decode(data).unwrap_or_default();
    if authority.is_empty() {
        return Err(Fault::unexpected(EKS, DESCRIBE, "the answer has no certificate authority in base64"));
    }
    Ok(ClusterDescription { server: server.to_owned(), authority, id: id(cluster, named) })
}

/// The API server of a cluster that is updated goes on answering; `aws eks update-kubeconfig` takes the same two states.
fn ready(status: Option<&ClusterStatus>, named: &NamedCluster) -> Result<(), Fault> {
    let NamedCluster { name, region } = named;
    let status = match status {
        None => return Err(Fault::unexpected(EKS, DESCRIBE, "the answer has no status")),
        Some(ClusterStatus::Active | ClusterStatus::Updating) => return Ok(()),
        Some(status) => status,
    };
    let (class, why, next) = match status {
        ClusterStatus::Creating | ClusterStatus::Pending => (
            FaultClass::Unreachable,
            "it has no API server yet",
            format!("run the same command again after: aws eks wait cluster-active --name {name} --region {region}"),
        ),
        ClusterStatus::Deleting => (
            FaultClass::Refused,
            "it is being deleted",
            "name another cluster in the plan, or remove the step".to_owned(),
        ),
        _ => (
            FaultClass::Refused,
            "it has no API server that can be used",
            format!(
                "see its health issues: aws eks describe-cluster --name {name} --region {region} --query cluster.health"
            ),
        ),
    };
    let words = format!("the EKS cluster {name} in {region} is {}: {why}", status.as_str());
    Err(Fault::new(class, EKS, DESCRIBE, status.as_str(), words).next(next))
}

/// An active cluster without an endpoint is one of others that EKS only shows (EKS Connector).
fn without_endpoint(cluster: &Cluster, named: &NamedCluster) -> Fault {
    if cluster.connector_config().is_none() {
        return Fault::unexpected(EKS, DESCRIBE, "the answer has no endpoint");
    }
    let words = format!(
        "the cluster {} in {} is registered by EKS Connector: it has no endpoint at EKS",
        named.name, named.region
    );
    Fault::new(FaultClass::Refused, EKS, DESCRIBE, "ConnectedCluster", words)
        .next("reach it by a context of a kubeconfig: cluster: {kubeconfig: {context: NAME}}")
}

/// The name; for a local cluster on an Outpost without etcd of its own its ID, as `aws eks update-kubeconfig` has it.
fn id(cluster: &Cluster, named: &NamedCluster) -> String {
    let local = cluster.outpost_config().is_some_and(|outpost| outpost.etcd_instance_type().is_none());
    cluster.id().filter(|_| local).unwrap_or(&named.name).to_owned()
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::builders::ClusterBuilder;
    use aws_sdk_eks::types::{ConnectorConfigResponse, OutpostConfigResponse};

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\n";

    fn cluster(status: ClusterStatus) -> ClusterBuilder {
        let authority = Certificate::builder().data(BASE64_STANDARD.encode(PEM)).build();
        Cluster::builder()
            .status(status)
            .endpoint("https://X.gr7.eu-central-1.eks.amazonaws.com")
            .certificate_authority(authority)
    }

    fn read(cluster: ClusterBuilder) -> Result<ClusterDescription, Fault> {
        super::read(&cluster.build(), &NamedCluster { name: "akidb-eu".to_owned(), region: "eu-central-1".to_owned() })
    }

    #[test]
    fn an_active_cluster_has_an_endpoint_and_an_authority() {
        for status in [ClusterStatus::Active, ClusterStatus::Updating] {
            let described = read(cluster(status)).expect("it can be reached");
            assert_eq!(described.server, "https://X.gr7.eu-central-1.eks.amazonaws.com");
            assert_eq!(described.authority, PEM.as_bytes());
            assert_eq!(described.id, "akidb-eu");
        }
    }

    #[test]
    fn a_cluster_in_another_state_is_told_with_the_state() {
        for (status, class) in [
            (ClusterStatus::Creating, FaultClass::Unreachable),
            (ClusterStatus::Pending, FaultClass::Unreachable),
            (ClusterStatus::Deleting, FaultClass::Refused),
            (ClusterStatus::Failed, FaultClass::Refused),
            (ClusterStatus::from("PAUSED"), FaultClass::Refused),
        ] {
            let fault = read(cluster(status.clone())).expect_err(status.as_str());
            assert!(fault.class == class && fault.code == status.as_str(), "{fault}");
            assert!(fault.message.contains("akidb-eu in eu-central-1 is"), "{fault}");
            assert!(fault.next_step.is_some(), "{fault}");
        }
    }

    #[test]
    fn an_answer_without_what_is_needed_is_a_fault() {
        let bare = || Cluster::builder().status(ClusterStatus::Active);
        let connected = read(bare().connector_config(ConnectorConfigResponse::builder().build())).expect_err("none");
        assert!(connected.class == FaultClass::Refused && connected.code == "ConnectedCluster", "{connected}");
        let authority = |data: &str| Certificate::builder().data(data).build();
        for bad in [
            Cluster::builder(),
            bare(),
            bare().endpoint("https://x"),
            cluster(ClusterStatus::Active).endpoint("http://x"),
            cluster(ClusterStatus::Active).certificate_authority(authority("%")),
            cluster(ClusterStatus::Active).certificate_authority(authority("")),
        ] {
            let fault = read(bad).expect_err("a fault");
            assert!(fault.class == FaultClass::Internal && fault.code == "UnexpectedAnswer", "{fault}");
        }
    }

    #[test]
    fn a_local_cluster_on_an_outpost_is_known_by_its_id() {
        let outpost = |etcd: Option<&str>| {
            let outpost =
                OutpostConfigResponse::builder().outpost_arns("arn:o").control_plane_instance_type("m5.large");
            let outpost = outpost.set_etcd_instance_type(etcd.map(str::to_owned)).build().expect("its members");
            read(cluster(ClusterStatus::Active).id("1234").outpost_config(outpost)).expect("it can be reached").id
        };
        assert_eq!((outpost(None), outpost(Some("m5.large"))), ("1234".to_owned(), "akidb-eu".to_owned()));
    }
}
