//! Route 53 public hosted zones.
//!
//! The service takes any number of zones of one name, each with other name servers. So a zone is looked for before one
//! is made, and a second one beside somebody else's is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_route53::types::{DelegationSet, HostedZone, HostedZoneConfig, TagResourceType};

use super::route53::{bare, domain, read_tags, tag_change, tagged, write_tags};
use super::{Clients, fault_of, tags};
use crate::pages::Pages;
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Provider, ResourceContext};
use crate::resource::zone::ZoneSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, Kind, ObservedResource, OwnedResource, Owner};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: MAKE, on: context::everything, actions: &["route53:CreateHostedZone"] },
    Grant {
        sid: LOOK,
        on: context::everything,
        actions: &["route53:ListHostedZones", "route53:ListHostedZonesByName"],
    },
    Grant {
        sid: "Zones",
        on: context::zone,
        actions: &[
            "route53:DeleteHostedZone",
            "route53:GetHostedZone",
            "route53:ListTagsForResource",
            "route53:UpdateHostedZoneComment",
        ],
    },
    Grant { sid: "Tags", on: context::zone, actions: &["route53:ChangeTagsForResource"] },
];

/// Public hosted zones of the account.
pub struct Zones {
    clients: Arc<Clients>,
}

/// A zone with the tags that were read to tell whose it is.
struct Marked {
    id: String,
    owner: Owner,
    tags: BTreeMap<String, String>,
}

impl Zones {
    /// Zones reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }

    /// The public zones of exactly this name, in the service's order.
    async fn of_name(&self, name: &str) -> Result<Vec<HostedZone>, Fault> {
        let call = self.clients.route53().await.list_hosted_zones_by_name().dns_name(domain(name));
        let answer = call.send().await.map_err(|bad| fault_of("route53", "ListHostedZonesByName", bad))?;
        let private = |zone: &HostedZone| zone.config.as_ref().is_some_and(|config| config.private_zone);
        let listed = answer.hosted_zones.into_iter();
        Ok(listed.filter(|zone| domain(&zone.name) == domain(name) && !private(zone)).collect())
    }

    async fn marked(&self, subject: &ResourceContext<'_>, zone: &HostedZone) -> Result<Marked, Fault> {
        let id = bare(&zone.id).to_owned();
        let held = read_tags(&self.clients, TagResourceType::Hostedzone, &id).await?;
        let (owner, tags) = tags::read(subject, held);
        // Made by this very call, but the answer was lost before the tags were set.
        let unknown = subject.id.is_none();
        let owner = if unknown && zone.caller_reference == subject.token { Owner::Ours } else { owner };
        Ok(Marked { id, owner, tags })
    }

    /// Our zone of this name, else one of somebody else's.
    async fn find(&self, subject: &ResourceContext<'_>, name: &str) -> Result<Option<Marked>, Fault> {
        let mut zones = self.of_name(name).await?;
        zones.sort_by_key(|zone| zone.caller_reference != subject.token);
        let mut foreign: Option<Marked> = None;
        for zone in &zones {
            let marked = self.marked(subject, zone).await?;
            if marked.owner == Owner::Ours {
                return Ok(Some(marked));
            }
            foreign.get_or_insert(marked);
        }
        if let Some(Marked { owner: Owner::Foreign(why), .. }) = foreign.as_mut().filter(|_| zones.len() > 1) {
            let ids: Vec<&str> = zones.iter().map(|zone| bare(&zone.id)).collect();
            *why = format!(
                "{} public zones have this name ({}) and this stack owns none of them",
                ids.len(),
                ids.join(", ")
            );
        }
        Ok(foreign)
    }

    async fn get(&self, id: &str) -> Result<Option<(HostedZone, Option<DelegationSet>)>, Fault> {
        let answer = self.clients.route53().await.get_hosted_zone().id(id).send().await;
        match answer.map_err(|bad| fault_of("route53", "GetHostedZone", bad)) {
            Ok(answer) => Ok(answer.hosted_zone.map(|zone| (zone, answer.delegation_set))),
            Err(fault) if fault.class == FaultClass::Missing => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Completes a zone that is there: sets its tags (they may be missing after a lost answer).
    async fn complete(&self, subject: &ResourceContext<'_>, spec: &ZoneSpec, id: &str) -> Result<Applied, Fault> {
        let all = tags::wanted(subject, &spec.tags);
        write_tags(&self.clients, TagResourceType::Hostedzone, id, all, &[]).await?;
        let (_, servers) = self.get(id).await?.ok_or_else(|| not_yet("GetHostedZone", &spec.name))?;
        Ok(Applied { id: id.to_owned(), attributes: attributes(id, &spec.name, servers.as_ref()) })
    }
}

/// The service says that a zone is there and does not show it: it will in a moment.
fn not_yet(operation: &str, name: &str) -> Fault {
    Fault::new(
        FaultClass::Retry,
        "route53",
        operation,
        "NotVisible",
        format!("the zone {name} is created but not listed yet"),
    )
}

fn attributes(id: &str, name: &str, set: Option<&DelegationSet>) -> Attributes {
    let mut servers: Vec<String> =
        set.map(|set| set.name_servers.iter().map(|n| domain(n)).collect()).unwrap_or_default();
    servers.sort_unstable();
    Attributes::from([
        ("zone_id".into(), id.into()),
        ("name".into(), domain(name).into()),
        ("name_servers".into(), servers.into()),
    ])
}

/// Those that carry a stack's mark.
async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    let mut pages = Pages::of("route53", "ListHostedZones");
    loop {
        pages.next()?;
        let page = clients.route53().await.list_hosted_zones().set_marker(marker).send().await;
        let page = page.map_err(|bad| fault_of("route53", "ListHostedZones", bad))?;
        let public = page.hosted_zones.into_iter().filter(|zone| !zone.config.as_ref().is_some_and(|c| c.private_zone));
        all.extend(public.map(|zone| bare(&zone.id).to_owned()));
        marker = page.next_marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return tagged(clients, search, Kind::Zone, TagResourceType::Hostedzone, all).await;
        }
    }
}

#[async_trait]
impl Provider for Zones {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: ZoneSpec = subject.typed()?;
        let (marked, got) = if let Some(id) = subject.id {
            let Some(got) = self.get(bare(id)).await? else { return Ok(None) };
            (self.marked(subject, &got.0).await?, got)
        } else {
            let Some(marked) = self.find(subject, &wanted.name).await? else { return Ok(None) };
            let Some(got) = self.get(&marked.id).await? else { return Ok(None) };
            (marked, got)
        };
        let (zone, servers) = got;
        let attributes = attributes(&marked.id, &zone.name, servers.as_ref());
        let comment = zone.config.and_then(|config| config.comment).unwrap_or_default();
        // No comment at all is what was asked for when nobody asks for one.
        let comment = Some(comment).filter(|held| !held.is_empty() || wanted.comment.is_some());
        // Case means nothing in a domain name, so it is not a difference.
        let name = if domain(&zone.name) == domain(&wanted.name) { wanted.name } else { domain(&zone.name) };
        let spec = ZoneSpec { name, comment, tags: marked.tags };
        let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("route53", "read", bad.to_string()))?;
        Ok(Some(ObservedResource { id: marked.id, spec, attributes, owner: marked.owner, extras: Vec::new() }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: ZoneSpec = subject.typed()?;
        // Looked for first, unless this run just did: the service would make a second zone of the same name.
        let standing = if subject.seen_absent { None } else { self.find(subject, &spec.name).await? };
        match standing {
            Some(Marked { id, owner: Owner::Ours, .. }) => return self.complete(subject, &spec, &id).await,
            Some(Marked { id, owner: Owner::Foreign(why) | Owner::Contested(why), .. }) => {
                let words = format!("the public zone {} ({id}) already exists: {why}", spec.name);
                return Err(Fault::new(
                    FaultClass::Exists,
                    "route53",
                    "CreateHostedZone",
                    "HostedZoneAlreadyExists",
                    words,
                )
                .next("use that zone in the plan (its id instead of a new zone), or delete it first"));
            }
            None => {}
        }
        let comment = spec.comment.clone().filter(|comment| !comment.is_empty());
        let config = HostedZoneConfig::builder().set_comment(comment).private_zone(false).build();
        let call = self.clients.route53().await.create_hosted_zone().name(domain(&spec.name));
        let answer = call.caller_reference(subject.token).hosted_zone_config(config).send().await;
        let zone = match answer.map_err(|bad| fault_of("route53", "CreateHostedZone", bad)) {
            Ok(answer) => answer.hosted_zone.map(|zone| (bare(&zone.id).to_owned(), zone.name, answer.delegation_set)),
            // Our reference, made by an earlier try, and the list does not show it yet.
            Err(fault) if fault.class == FaultClass::Exists => return Err(not_yet("CreateHostedZone", &spec.name)),
            Err(fault) => return Err(fault),
        };
        let (id, name, servers) =
            zone.ok_or_else(|| Fault::unexpected("route53", "CreateHostedZone", "the answer has no zone"))?;
        if domain(&name) != domain(&spec.name) {
            let words =
                format!("the answer is the zone {name} ({id}), which an earlier run created with the same reference");
            return Err(Fault::new(FaultClass::Refused, "route53", "CreateHostedZone", "CallerReferenceInUse", words)
                .next("the journal is older than that run: restore its latest copy (akidb-edge state push --help)"));
        }
        let all = tags::wanted(subject, &spec.tags);
        write_tags(&self.clients, TagResourceType::Hostedzone, &id, all, &[]).await?;
        Ok(Applied { attributes: attributes(&id, &spec.name, servers.as_ref()), id })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: ZoneSpec = subject.typed()?;
        if fields.iter().any(|field| field.path == "comment") {
            let call = self.clients.route53().await.update_hosted_zone_comment().id(&found.id);
            // An empty one takes away the one that is there.
            let call = call.comment(spec.comment.as_deref().unwrap_or_default());
            call.send().await.map_err(|bad| fault_of("route53", "UpdateHostedZoneComment", bad))?;
        }
        if let Some((add, remove)) = tag_change(subject, &spec.tags, fields) {
            write_tags(&self.clients, TagResourceType::Hostedzone, &found.id, add, &remove).await?;
        }
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing(&self.clients, search).await
    }

    async fn data(&self, subject: &ResourceContext<'_>, going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        let Some(id) = subject.id else { return Ok(None) };
        let staying = match super::records::read::staying(&self.clients, bare(id), going).await {
            Err(fault) if fault.class == FaultClass::Missing => Vec::new(),
            other => other?,
        };
        let named: Vec<&str> = staying.iter().take(5).map(String::as_str).collect();
        let more = staying.len() - named.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        Ok((!staying.is_empty()).then(|| format!("{}{more}", named.join(", "))))
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let id = match subject.id {
            Some(id) => bare(id).to_owned(),
            None => match self.read(subject).await? {
                Some(ObservedResource { id, owner: Owner::Ours, .. }) => id,
                _ => return Ok(DeleteOutcome::Deleted),
            },
        };
        let answer = self.clients.route53().await.delete_hosted_zone().id(&id).send().await;
        match answer.map_err(|bad| fault_of("route53", "DeleteHostedZone", bad)) {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.code == "HostedZoneNotEmpty" => Err(fault.next(format!(
                "it contains record sets that this stack did not create; list them with `aws route53 \
                 list-resource-record-sets --hosted-zone-id {id}`, delete them, then run the same command again"
            ))),
            Err(fault) => Err(fault),
        }
    }
}
