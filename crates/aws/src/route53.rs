//! What the Route 53 kinds share: names, ids and tags.

use std::collections::BTreeMap;

use aws_sdk_route53::types::{Tag, TagResourceType};
use futures::FutureExt;

use super::error_rules::{ErrorRule, rule};
use super::owned::marked;
use super::{Clients, fault_of, tags};
use crate::provider::{OwnedQuery, ResourceContext};
use crate::resource::records::canonical;
use crate::resource::{Fault, FaultClass, FieldChange, Kind, OwnedResource};

/// What the errors of Route 53 mean.
pub const CODES: &[ErrorRule] = &[
    // Busy with something else, or not known everywhere yet.
    rule("route53", "PriorRequestNotComplete", FaultClass::Retry),
    rule("route53", "ConcurrentModification", FaultClass::Retry),
    // Changed since it was read.
    rule("route53", "HealthCheckVersionMismatch", FaultClass::Stale),
    // Not there.
    rule("route53", "NoSuchHostedZone", FaultClass::Missing),
    rule("route53", "NoSuchHealthCheck", FaultClass::Missing),
    rule("route53", "NoSuchChange", FaultClass::Missing),
    // There already.
    rule("route53", "HostedZoneAlreadyExists", FaultClass::Exists),
    rule("route53", "HealthCheckAlreadyExists", FaultClass::Exists),
];

/// Most tags that one `ChangeTagsForResource` takes (R53 "ChangeTagsForResource": 10 to add, 10 to remove).
const TAGS_A_CALL: usize = 10;

/// An id without its prefix (`/hostedzone/Z…`, `/change/C…`).
pub fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A domain name in its one spelling, whatever escapes and case the service or the plan chose.
pub fn domain(name: &str) -> String {
    canonical::name(name)
}

/// The tags of a zone or health check.
///
/// # Errors
/// What the service answered; class Missing when the resource is gone.
pub async fn read_tags(clients: &Clients, of: TagResourceType, id: &str) -> Result<BTreeMap<String, String>, Fault> {
    let call = clients.route53().await.list_tags_for_resource().resource_type(of).resource_id(id);
    let answer = call.send().await.map_err(|bad| fault_of("route53", "ListTagsForResource", bad))?;
    let held = answer.resource_tag_set.and_then(|set| set.tags).unwrap_or_default();
    Ok(held.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect())
}

/// Those of `ids` that carry the mark. Route 53 allows five requests a second, so what is known is not asked for.
///
/// # Errors
/// What the service answered.
pub async fn tagged(
    clients: &Clients,
    search: &OwnedQuery<'_>,
    kind: Kind,
    of: TagResourceType,
    ids: Vec<String>,
) -> Result<Vec<OwnedResource>, Fault> {
    let asked = ids.into_iter().map(|id| {
        let (by, of) = (id.clone(), of.clone());
        (id, async move { read_tags(clients, of, &by).await }.boxed())
    });
    marked(search, kind, asked).await
}

/// Sets the tags `add` and takes away those named in `remove`; all others stay.
///
/// # Errors
/// What the service answered.
pub async fn write_tags(
    clients: &Clients,
    of: TagResourceType,
    id: &str,
    add: BTreeMap<String, String>,
    remove: &[String],
) -> Result<(), Fault> {
    let add: Vec<Tag> = add.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let calls = add.len().max(remove.len()).div_ceil(TAGS_A_CALL);
    for at in 0..calls {
        let put: Vec<Tag> = add.iter().skip(at * TAGS_A_CALL).take(TAGS_A_CALL).cloned().collect();
        let take: Vec<String> = remove.iter().skip(at * TAGS_A_CALL).take(TAGS_A_CALL).cloned().collect();
        let call = clients.route53().await.change_tags_for_resource().resource_type(of.clone()).resource_id(id);
        // The service refuses an empty list.
        let call = call
            .set_add_tags(Some(put).filter(|put| !put.is_empty()))
            .set_remove_tag_keys(Some(take).filter(|take| !take.is_empty()));
        call.send().await.map_err(|bad| fault_of("route53", "ChangeTagsForResource", bad))?;
    }
    Ok(())
}

/// The tags to set and the keys to take away for these fields; none when no field is about tags.
pub fn tag_change(
    subject: &ResourceContext<'_>,
    wanted: &BTreeMap<String, String>,
    fields: &[FieldChange],
) -> Option<(BTreeMap<String, String>, Vec<String>)> {
    let about = |field: &&FieldChange| field.path == "tags" || field.path.starts_with("tags.");
    fields.iter().find(about)?;
    let gone = fields.iter().filter(|field| field.new.is_none());
    let gone = gone.filter_map(|field| Some(field.path.strip_prefix("tags.")?.to_owned()));
    Some((tags::wanted(subject, wanted), gone.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_lose_what_the_service_adds() {
        assert_eq!(bare("/hostedzone/Z1"), "Z1");
        assert_eq!(bare("Z1"), "Z1");
        assert_eq!(domain("\\052.Demo.Example.COM."), "*.demo.example.com");
    }
}
