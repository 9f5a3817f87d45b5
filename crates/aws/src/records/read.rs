//! Reading record sets: one list for each zone, shared by all of its groups.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_route53::types as sdk;

use super::super::shared::SharedAnswer;
use super::batch::depths;
use super::{Clients, Fault, RecordSet, domain, fault_of};
use crate::pages::Pages;
use crate::resource::records::{Alias, GeoLocation};

/// One page of a list, at most (R53 "ListResourceRecordSets": 300).
const PAGE: i32 = 300;

/// A zone's record sets as the service gave them.
pub type ListedSets = Arc<Vec<sdk::ResourceRecordSet>>;

/// What is shared by the groups of one zone.
#[derive(Default)]
pub struct SharedZone {
    /// Held while a batch is under way: the service takes one at a time.
    pub turn: tokio::sync::Mutex<()>,
    last: SharedAnswer<ListedSets>,
}

impl SharedZone {
    /// The next list is a new one.
    pub fn forget(&self) {
        self.last.forget();
    }

    /// The zone's record sets. Whoever asks while a list is under way, or just after, gets its answer.
    pub async fn list(&self, clients: &Clients, zone: &str) -> Result<ListedSets, Fault> {
        self.last.get(pages(clients, zone)).await
    }
}

async fn pages(clients: &Clients, zone: &str) -> Result<ListedSets, Fault> {
    let mut sets = Vec::new();
    let (mut name, mut kind, mut set) = (None, None, None);
    let mut pages = Pages::of_content("route53", "ListResourceRecordSets");
    loop {
        pages.next()?;
        let call = clients.route53().await.list_resource_record_sets().hosted_zone_id(zone).max_items(PAGE);
        let call = call.set_start_record_name(name).set_start_record_type(kind).set_start_record_identifier(set);
        let page = call.send().await.map_err(|bad| fault_of("route53", "ListResourceRecordSets", bad))?;
        sets.extend(page.resource_record_sets);
        if !page.is_truncated || page.next_record_name.is_none() {
            return Ok(Arc::new(sets));
        }
        (name, kind, set) = (page.next_record_name, page.next_record_type, page.next_record_identifier);
    }
}

/// Name of the zone itself: where its SOA stands.
fn apex(listed: &[sdk::ResourceRecordSet]) -> Option<String> {
    listed.iter().find(|set| set.r#type == sdk::RrType::Soa).map(|set| domain(&set.name))
}

/// Every zone has these, made by the service, and they cannot be deleted.
fn is_built_in(set: &sdk::ResourceRecordSet, apex: Option<&str>) -> bool {
    matches!(set.r#type, sdk::RrType::Soa | sdk::RrType::Ns) && apex == Some(domain(&set.name).as_str())
}

/// The sets under these keys that can be deleted, as the service has them; aliases before their targets.
pub fn deletable(listed: &ListedSets, to_delete: impl Fn(&RecordSet) -> bool) -> Vec<&sdk::ResourceRecordSet> {
    let apex = apex(listed);
    let mut sets: Vec<_> = listed.iter().filter(|set| !is_built_in(set, apex.as_deref())).collect();
    sets.retain(|set| to_delete(&in_words(set)));
    let told: Vec<RecordSet> = sets.iter().map(|set| in_words(set)).collect();
    let depth = depths(&told);
    sets.sort_by_key(|set| Reverse(depth.get(&domain(&set.name)).copied()));
    sets
}

/// The sets that keep the service from deleting a zone once those under `going` are gone.
pub async fn staying(clients: &Clients, zone: &str, going: &BTreeSet<String>) -> Result<Vec<String>, Fault> {
    let listed = pages(clients, zone).await?;
    let apex = apex(&listed);
    let others = listed.iter().filter(|set| !is_built_in(set, apex.as_deref())).map(|set| in_words(set).owned_key());
    Ok(others.filter(|key| !going.contains(key)).collect())
}

/// What is in a zone, as one group sees it.
#[derive(Debug, Default)]
pub struct ZoneContents {
    /// The sets under the group's keys, in the plan's words, sorted. One that means the same as a wanted one is given in
    /// the wanted one's spelling, so that case, order and final dots are not difference.
    pub ours: Vec<RecordSet>,
    /// Other sets at the group's names, without those that the service made with the zone.
    pub others: Vec<RecordSet>,
}

/// Tells the sets under `keys` from the others at `names`.
pub fn standing(
    listed: &ListedSets,
    keys: &BTreeSet<String>,
    names: &BTreeSet<String>,
    wanted: &[RecordSet],
) -> ZoneContents {
    let apex = apex(listed);
    let wanted: BTreeMap<String, &RecordSet> = wanted.iter().map(|set| (set.owned_key(), set)).collect();
    let mut seen = ZoneContents::default();
    for raw in listed.iter().filter(|set| names.contains(&domain(&set.name))) {
        let set = in_words(raw);
        let key = set.owned_key();
        if keys.contains(&key) {
            let meant = wanted.get(&key).filter(|wanted| wanted.meaning() == set.meaning());
            seen.ours.push(meant.map_or(set, |meant| (*meant).clone()));
        } else if !is_built_in(raw, apex.as_deref()) {
            seen.others.push(set);
        }
    }
    seen.ours.sort_by_key(RecordSet::key);
    seen
}

/// Whether the service made this set with the zone: it can be changed and not deleted.
pub fn belongs_to_zone(listed: &ListedSets, set: &RecordSet) -> bool {
    let built_in = matches!(set.record_type.as_str(), "SOA" | "NS");
    built_in && apex(listed).is_some_and(|apex| apex == domain(&set.name))
}

/// Whether both are the same sets, whatever their order.
pub fn same(one: &[RecordSet], other: &[RecordSet]) -> bool {
    let in_order = |sets: &[RecordSet]| {
        let mut sets: Vec<RecordSet> = sets.iter().map(RecordSet::meaning).collect();
        sets.sort_by_key(RecordSet::key);
        sets
    };
    in_order(one) == in_order(other)
}

/// A set in the plan's words. Values stay to the letter: a later DELETE must repeat them.
pub fn in_words(set: &sdk::ResourceRecordSet) -> RecordSet {
    let mut values: Vec<String> = set.resource_records().iter().map(|record| record.value.clone()).collect();
    values.sort_unstable();
    let alias = set.alias_target.as_ref().map(|alias| Alias {
        zone_id: alias.hosted_zone_id.clone(),
        dns_name: alias.dns_name.strip_suffix('.').unwrap_or(&alias.dns_name).to_owned(),
        evaluate_target_health: alias.evaluate_target_health,
    });
    let geolocation = set.geo_location.as_ref().map(|place| GeoLocation {
        continent: place.continent_code.clone(),
        country: place.country_code.clone(),
        subdivision: place.subdivision_code.clone(),
    });
    RecordSet {
        name: domain(&set.name),
        record_type: set.r#type.as_str().to_owned(),
        set_identifier: set.set_identifier.clone(),
        ttl: set.ttl,
        values,
        alias,
        geolocation,
        latency_region: set.region.as_ref().map(|region| region.as_str().to_owned()),
        failover: set.failover.as_ref().map(|role| role.as_str().to_owned()),
        weight: set.weight,
        multivalue: set.multi_value_answer.unwrap_or_default(),
        health_check_id: set.health_check_id.clone(),
    }
}
