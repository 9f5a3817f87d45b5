//! ACM certificates with DNS validation.
//!
//! ACM takes any number of certificates of one name. Which one is ours is told by its tags; another's of the same name
//! is not an obstacle and is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_acm::Client;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateSummary, Filters, KeyAlgorithm, Tag, ValidationMethod,
};
use futures::FutureExt;
use serde_json::{Value, json};

use super::error_rules::{ErrorRule, rule};
use super::owned::marked;
use super::route53::{domain, tag_change};
use super::validation::{ValidationWaits, overdue};
use super::{Clients, fault_of, tags};
use crate::pages::Pages;
use crate::permissions::{Grant, LOOK, context};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Progress, Provider, ResourceContext};
use crate::resource::certificate::CertificateSpec;
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, Kind, Level, ObservedResource, OwnedResource, Owner,
};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: LOOK, on: context::everything, actions: &["acm:ListCertificates"] },
    Grant {
        sid: "Certificates",
        on: context::certificates,
        actions: &["acm:DescribeCertificate", "acm:ListTagsForCertificate"],
    },
];

/// What the errors of ACM mean.
pub const CODES: &[ErrorRule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("acm", "RequestInProgressException", FaultClass::Retry),
    rule("acm", "ConflictException", FaultClass::Retry),
    // Not there.
    rule("acm", "ResourceNotFoundException", FaultClass::Missing),
];

/// The list leaves out key types that are not named.
const KEY_TYPES: [KeyAlgorithm; 7] = [
    KeyAlgorithm::Rsa1024,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa3072,
    KeyAlgorithm::Rsa4096,
    KeyAlgorithm::EcPrime256v1,
    KeyAlgorithm::EcSecp384r1,
    KeyAlgorithm::EcSecp521r1,
];

/// Certificates of the account, in any region.
pub struct Certificates {
    clients: Arc<Clients>,
    waits: ValidationWaits,
}

fn dotless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Further names in one spelling: sorted, each once, without the main one.
fn further_names(detail: &CertificateDetail) -> Vec<String> {
    let main = detail.domain_name.as_deref().unwrap_or_default();
    without_main(main, detail.subject_alternative_names.iter().flatten())
}

fn without_main<'n>(main: &str, names: impl IntoIterator<Item = &'n String>) -> Vec<String> {
    let main = domain(main);
    let names: BTreeSet<String> = names.into_iter().map(|name| domain(name)).filter(|name| *name != main).collect();
    names.into_iter().collect()
}

/// Whether the names of a certificate are those of the plan, in whatever order and case.
fn same_names(detail: &CertificateDetail, spec: &CertificateSpec) -> bool {
    further_names(detail) == without_main(&spec.domain, &spec.alternative_names)
}

/// No use can come of it any longer.
fn is_dead(status: Option<&CertificateStatus>) -> bool {
    use CertificateStatus as S;
    matches!(status, Some(S::Failed | S::ValidationTimedOut | S::Expired | S::Revoked))
}

/// The ARN and, once every name has its validation record, those records: `validation` (each once, sorted) and
/// `validation_name_<n>`, `validation_value_<n>` for the n-th of the main name and the further names.
fn attributes(arn: &str, detail: &CertificateDetail) -> Attributes {
    let mut attributes = Attributes::from([("arn".into(), arn.into())]);
    let options = detail.domain_validation_options.iter().flatten();
    let records: BTreeMap<String, (&str, &str, &str)> = options
        .filter_map(|option| {
            let record = option.resource_record.as_ref()?;
            let values = (dotless(&record.name), record.r#type.as_str(), dotless(&record.value));
            Some((domain(&option.domain_name), values))
        })
        .collect();
    let further = further_names(detail);
    let main = detail.domain_name.as_deref().map(domain);
    let names = main.iter().chain(&further);
    let Some(ordered) = names.map(|name| records.get(name)).collect::<Option<Vec<_>>>() else {
        return attributes;
    };
    for (at, (name, _, value)) in ordered.iter().enumerate() {
        attributes.insert(format!("validation_name_{at}"), (*name).into());
        attributes.insert(format!("validation_value_{at}"), (*value).into());
    }
    let mut once: Vec<_> = ordered.into_iter().copied().collect();
    once.sort_unstable();
    once.dedup();
    let once = once.into_iter().map(|(name, kind, value)| json!({"name": name, "type": kind, "value": value}));
    attributes.insert("validation".into(), Value::Array(once.collect()));
    attributes
}

async fn describe(client: &Client, arn: &str) -> Result<Option<CertificateDetail>, Fault> {
    let answer = client.describe_certificate().certificate_arn(arn).send().await;
    match answer.map_err(|bad| fault_of("acm", "DescribeCertificate", bad)) {
        Ok(answer) => Ok(answer.certificate),
        Err(fault) if fault.class == FaultClass::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The tags of a certificate.
///
/// # Errors
/// What the service answered.
pub async fn tags_of(client: &Client, arn: &str) -> Result<BTreeMap<String, String>, Fault> {
    let answer = client.list_tags_for_certificate().certificate_arn(arn).send().await;
    match answer.map_err(|bad| fault_of("acm", "ListTagsForCertificate", bad)) {
        Ok(answer) => Ok(answer.tags.into_iter().flatten().map(|t| (t.key, t.value.unwrap_or_default())).collect()),
        // Deleted since it was listed: nobody's.
        Err(fault) if fault.class == FaultClass::Missing => Ok(BTreeMap::new()),
        Err(fault) => Err(fault),
    }
}

/// The live certificates of this main name.
async fn of_domain(client: &Client, main: &str) -> Result<Vec<String>, Fault> {
    let main = domain(main);
    let listed = list(client).await?.into_iter();
    let named = |one: &CertificateSummary| one.domain_name.as_deref().map(domain).as_ref() == Some(&main);
    let fitting = listed.filter(|one| named(one) && !is_dead(one.status.as_ref()));
    Ok(fitting.filter_map(|one| one.certificate_arn).collect())
}

/// The ARNs of all certificates of a region.
///
/// # Errors
/// What the service answered.
pub async fn every(client: &Client) -> Result<Vec<String>, Fault> {
    Ok(list(client).await?.into_iter().filter_map(|one| one.certificate_arn).collect())
}

async fn list(client: &Client) -> Result<Vec<CertificateSummary>, Fault> {
    let every = Filters::builder().set_key_types(Some(KEY_TYPES.to_vec())).build();
    let (mut all, mut token) = (Vec::new(), None);
    let mut pages = Pages::of("acm", "ListCertificates");
    loop {
        pages.next()?;
        let call = client.list_certificates().includes(every.clone()).max_items(1_000).set_next_token(token);
        let page = call.send().await.map_err(|bad| fault_of("acm", "ListCertificates", bad))?;
        all.extend(page.certificate_summary_list.into_iter().flatten());
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Our certificate of this main name; one with the same further names first, because a replacement has the tags of
/// the one it replaces. `exact`: no other one will do.
async fn find(
    client: &Client,
    subject: &ResourceContext<'_>,
    spec: &CertificateSpec,
    exact: bool,
) -> Result<Option<(String, CertificateDetail)>, Fault> {
    let mut other = None;
    for arn in of_domain(client, &spec.domain).await? {
        if tags::read(subject, tags_of(client, &arn).await?).0 != Owner::Ours {
            continue;
        }
        let Some(detail) = describe(client, &arn).await? else { continue };
        if same_names(&detail, spec) {
            return Ok(Some((arn, detail)));
        }
        other.get_or_insert((arn, detail));
    }
    Ok(other.filter(|_| !exact))
}

fn sdk_tags(all: BTreeMap<String, String>) -> Result<Vec<Tag>, Fault> {
    let built = all.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    built.collect::<Result<_, _>>().map_err(|bad| Fault::unexpected("acm", "AddTagsToCertificate", bad.to_string()))
}

async fn request(client: &Client, subject: &ResourceContext<'_>, spec: &CertificateSpec) -> Result<String, Fault> {
    let token: String = subject.token.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
    let names = Some(without_main(&spec.domain, &spec.alternative_names)).filter(|names| !names.is_empty());
    let call = client.request_certificate().domain_name(domain(&spec.domain)).set_subject_alternative_names(names);
    let call = call.validation_method(ValidationMethod::Dns).idempotency_token(token);
    let answer = call.set_tags(Some(sdk_tags(tags::wanted(subject, &spec.tags))?)).send().await;
    let answer = answer.map_err(|bad| fault_of("acm", "RequestCertificate", bad))?;
    answer.certificate_arn.ok_or_else(|| Fault::unexpected("acm", "RequestCertificate", "the answer has no ARN"))
}

/// Why a certificate will never be issued.
fn never(arn: &str, detail: &CertificateDetail) -> Option<Fault> {
    let status = detail.status.as_ref().filter(|status| is_dead(Some(status)))?;
    let why = detail.failure_reason.as_ref().map_or("the service gave no reason", |reason| reason.as_str());
    let words = format!("the certificate {arn} is {}: {why}", status.as_str());
    Some(Fault::new(FaultClass::Refused, "acm", "DescribeCertificate", status.as_str(), words).next(
        "check that the domain is delegated to the zone that holds the validation records (and its CAA records), \
         delete this certificate, then run the same command again",
    ))
}

impl Certificates {
    /// Certificates reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), waits: ValidationWaits::default() }
    }

    /// The client of the region that an ARN names, else of the plan's: after a change of region the old one is meant.
    fn at(&self, spec: &CertificateSpec, id: Option<&str>) -> Result<Client, Fault> {
        let named = id.and_then(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty());
        self.clients.acm(named.unwrap_or(&spec.region))
    }
}

/// Those of the stack's regions that carry its mark.
async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let mut all = Vec::new();
    for region in search.regions {
        let client = clients.acm(region)?;
        let arns = every(&client).await?;
        all.extend(arns.into_iter().map(|arn| (client.clone(), arn)));
    }
    let asked = all.into_iter().map(|(client, arn)| {
        let by = arn.clone();
        (arn, async move { tags_of(&client, &by).await }.boxed())
    });
    marked(search, Kind::Certificate, asked).await
}

#[async_trait]
impl Provider for Certificates {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: CertificateSpec = subject.typed()?;
        let client = self.at(&wanted, subject.id)?;
        let got = match subject.id {
            Some(arn) => describe(&client, arn).await?.map(|detail| (arn.to_owned(), detail)),
            None => find(&client, subject, &wanted, false).await?,
        };
        let Some((arn, detail)) = got else { return Ok(None) };
        let (owner, tags) = tags::read(subject, tags_of(&client, &arn).await?);
        let region = arn.split(':').nth(3).map_or_else(|| wanted.region.clone(), str::to_owned);
        let main = detail.domain_name.as_deref().map(domain).unwrap_or_default();
        // In the plan's spelling where it means the same.
        let alternative_names =
            if same_names(&detail, &wanted) { wanted.alternative_names } else { further_names(&detail) };
        let domain = if main == domain(&wanted.domain) { wanted.domain } else { main };
        let spec = CertificateSpec { region, domain, alternative_names, tags };
        let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("acm", "read", bad.to_string()))?;
        Ok(Some(ObservedResource { attributes: attributes(&arn, &detail), id: arn, spec, owner, extras: Vec::new() }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: CertificateSpec = subject.typed()?;
        let client = self.clients.acm(&spec.region)?;
        // The service's idempotency ends after an hour; the tags do not. No look when this run just had one.
        let standing = if subject.seen_absent { None } else { find(&client, subject, &spec, true).await? };
        if let Some((arn, detail)) = standing {
            return Ok(Applied { attributes: attributes(&arn, &detail), id: arn });
        }
        let arn = request(&client, subject, &spec).await?;
        let attributes = match describe(&client, &arn).await {
            Ok(Some(detail)) => attributes(&arn, &detail),
            // It is made; what is not known yet comes when it is looked at again.
            Ok(None) | Err(_) => Attributes::from([("arn".into(), arn.clone().into())]),
        };
        Ok(Applied { id: arn, attributes })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: CertificateSpec = subject.typed()?;
        if let Some((add, remove)) = tag_change(subject, &spec.tags, fields) {
            let client = self.at(&spec, Some(&found.id))?;
            let call = client.add_tags_to_certificate().certificate_arn(&found.id).set_tags(Some(sdk_tags(add)?));
            call.send().await.map_err(|bad| fault_of("acm", "AddTagsToCertificate", bad))?;
            if !remove.is_empty() {
                let gone = remove.into_iter().map(|key| Tag::builder().key(key).build());
                let gone = gone.collect::<Result<Vec<_>, _>>();
                let gone = gone.map_err(|bad| Fault::unexpected("acm", "RemoveTags", bad.to_string()))?;
                let call = client.remove_tags_from_certificate().certificate_arn(&found.id).set_tags(Some(gone));
                call.send().await.map_err(|bad| fault_of("acm", "RemoveTagsFromCertificate", bad))?;
            }
        }
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: CertificateSpec = subject.typed()?;
        let client = self.at(&spec, subject.id)?;
        let arn = match subject.id {
            Some(arn) => Some(arn.to_owned()),
            None => find(&client, subject, &spec, true).await?.map(|(arn, _)| arn),
        };
        let Some(arn) = arn else { return Ok(DeleteOutcome::Deleted) };
        let answer = client.delete_certificate().certificate_arn(&arn).send().await;
        match answer.map_err(|bad| fault_of("acm", "DeleteCertificate", bad)) {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            // A distribution that was just changed or deleted holds it for some minutes more.
            Err(fault) if fault.code == "ResourceInUseException" => Ok(DeleteOutcome::Deferred(fault.message)),
            Err(fault) => Err(fault),
        }
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing(&self.clients, search).await
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let spec: CertificateSpec = subject.typed()?;
        let Some(arn) = subject.id.filter(|_| level != Level::Accepted) else {
            return Ok(Progress::Ready(Attributes::new()));
        };
        let begun = self.waits.since(arn);
        let not_yet = |word: &str, pause| Progress::NotYet(word.into(), Duration::from_millis(pause));
        let Some(detail) = describe(&self.at(&spec, subject.id)?, arn).await? else {
            return Ok(not_yet("not shown yet", 500));
        };
        let known = attributes(arn, &detail);
        let ready = match level {
            Level::Propagated => detail.status == Some(CertificateStatus::Issued),
            _ => known.contains_key("validation"),
        };
        if ready {
            return Ok(Progress::Ready(known));
        }
        if let Some(fault) = never(arn, &detail) {
            return Err(fault);
        }
        if begun >= self.clients.certificate_wait() {
            return Err(overdue(&self.clients, arn, &detail, begun).await);
        }
        let word = detail.status.as_ref().map_or("no status yet", CertificateStatus::as_str);
        let propagated = level == Level::Propagated;
        Ok(if propagated { not_yet(word, 2_000) } else { not_yet("no validation records yet", 500) })
    }
}
