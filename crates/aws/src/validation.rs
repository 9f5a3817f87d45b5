//! Waiting for the validation of a certificate: the timeout, and the reason if it does not complete.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_acm::types::{CertificateDetail, DomainStatus, DomainValidation};
use tokio::time::Instant;

use super::route53::{bare, domain};
use super::{Clients, fault_of};
use crate::resource::{Fault, FaultClass};

/// A certificate that is not validated is waited for so long, unless another time is asked for.
pub const CERTIFICATE_WAIT: Duration = Duration::from_mins(15);

/// Since when certificates are waited for in this run, by ARN.
#[derive(Default)]
pub struct ValidationWaits(Mutex<BTreeMap<String, Instant>>);

impl ValidationWaits {
    /// How long a certificate is waited for by now.
    pub fn since(&self, arn: &str) -> Duration {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.entry(arn.to_owned()).or_insert_with(Instant::now).elapsed()
    }
}

/// The end of the wait: which names are not validated, what must be seen for them, and whether anybody can see it.
pub async fn overdue(clients: &Clients, arn: &str, detail: &CertificateDetail, waited: Duration) -> Fault {
    let options = || detail.domain_validation_options.iter().flatten();
    let mut open: Vec<&DomainValidation> =
        options().filter(|option| option.validation_status != Some(DomainStatus::Success)).collect();
    if open.is_empty() {
        open = options().collect();
    }
    let told: Vec<String> = open.iter().map(|option| missing(option)).collect();
    let status = detail.status.as_ref().map_or("without a status", |status| status.as_str());
    let words = format!("the certificate {arn} is {status} after {} s: {}", waited.as_secs(), told.join("; "));
    let main = detail.domain_name.as_deref().unwrap_or_default();
    let delegated = match delegation(clients, &domain(main)).await {
        Some((zone, servers)) => format!(
            "the registrar of {zone} must list exactly these name servers: {} (see `dig +short NS {zone}`)",
            servers.join(", ")
        ),
        None => format!("no public zone of this account contains {main}: create those records where its DNS is hosted"),
    };
    Fault::new(FaultClass::Refused, "acm", "DescribeCertificate", "NotValidated", words).next(format!(
        "{delegated}; then run the same command again to continue (AKIDB_EDGE_CERTIFICATE_TIMEOUT or \
         --certificate-timeout SECONDS waits longer)"
    ))
}

/// What ACM waits to see for one name.
fn missing(option: &DomainValidation) -> String {
    let name = &option.domain_name;
    match &option.resource_record {
        Some(record) => {
            let (from, to) = (domain(&record.name), domain(&record.value));
            format!("{name} is not validated: the {} {from} -> {to} must be publicly visible", record.r#type.as_str())
        }
        None => format!("{name} is not validated and has no validation record yet"),
    }
}

/// The public zone of the account that holds a name, with its name servers.
async fn delegation(clients: &Clients, name: &str) -> Option<(String, Vec<String>)> {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let parents = std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest));
    for zone in parents.filter(|zone| zone.contains('.')) {
        if let Ok(Some(servers)) = servers(clients, zone).await {
            return Some((zone.to_owned(), servers));
        }
    }
    None
}

async fn servers(clients: &Clients, zone: &str) -> Result<Option<Vec<String>>, Fault> {
    let call = clients.route53().await.list_hosted_zones_by_name().dns_name(zone);
    let listed = call.send().await.map_err(|bad| fault_of("route53", "ListHostedZonesByName", bad))?;
    let is_public = |private: Option<bool>| private != Some(true);
    let found = listed
        .hosted_zones
        .into_iter()
        .find(|held| domain(&held.name) == zone && is_public(held.config.as_ref().map(|config| config.private_zone)));
    let Some(found) = found else { return Ok(None) };
    let answer = clients.route53().await.get_hosted_zone().id(bare(&found.id)).send().await;
    let answer = answer.map_err(|bad| fault_of("route53", "GetHostedZone", bad))?;
    let servers = answer.delegation_set.map(|set| set.name_servers).unwrap_or_default();
    Ok(Some(servers.iter().map(|server| domain(server)).collect()))
}
