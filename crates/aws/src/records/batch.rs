//! The change batch: from what is there to what is wanted, in the fewest changes. Pure: no call.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_route53::types as sdk;

use super::{CHANGE, Fault, RecordSet, domain};

/// What is done with a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetAction {
    /// It goes, exactly as it stood.
    Delete,
    /// It must not be there yet.
    Create,
    /// It is there under the same key and gets other values.
    Upsert,
}

/// One change of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchChange<'s> {
    /// What is done.
    pub act: SetAction,
    /// The set.
    pub set: &'s RecordSet,
}

/// What makes an UPSERT impossible or ambiguous: another routing policy, another place in it, alias or not, and another
/// TTL of a weighted set ("weighted sets must contain the same TTL", also in the middle of a batch).
fn routing(set: &RecordSet) -> impl PartialEq + use<'_> {
    let ttl = set.weight.and(set.ttl);
    (set.policy(), &set.geolocation, &set.latency_region, &set.failover, set.alias.is_some(), ttl)
}

/// How many aliases deep each name is among these sets: 0 when no set at it points at another of these names.
///
/// Route 53 goes through a batch in its order and refuses an alias whose target comes later in it, even one that
/// exists already (seen by others: octodns pull request 366, dnscontrol issue 937).
pub fn depths<'s>(sets: impl IntoIterator<Item = &'s RecordSet>) -> BTreeMap<String, usize> {
    let sets: Vec<&RecordSet> = sets.into_iter().collect();
    let mut depths: BTreeMap<String, usize> = sets.iter().map(|set| (domain(&set.name), 0)).collect();
    let links = sets.iter().filter_map(|set| Some((domain(&set.name), domain(&set.alias.as_ref()?.dns_name))));
    let links: Vec<_> = links.filter(|(from, to)| from != to).collect();
    // As many rounds as there are names, at most: aliases in a ring, which the service refuses, end there, too.
    for _ in 0..depths.len() {
        let before = depths.clone();
        for (from, to) in &links {
            let Some(below) = before.get(to) else { continue };
            depths.entry(from.clone()).and_modify(|depth| *depth = (*depth).max(below + 1));
        }
        if depths == before {
            break;
        }
    }
    depths
}

/// The changes from `found` to `wanted`: first what goes, aliases before their targets; then what comes or changes,
/// targets before their aliases; among equals by key.
pub fn steps<'s>(found: &'s [RecordSet], wanted: &'s [RecordSet]) -> Vec<BatchChange<'s>> {
    let held: BTreeMap<_, _> = found.iter().map(|set| (set.owned_key(), set)).collect();
    let goal: BTreeMap<_, _> = wanted.iter().map(|set| (set.owned_key(), set)).collect();
    let (mut going, mut coming) = (Vec::new(), Vec::new());
    for (key, set) in &held {
        if goal.get(key).is_none_or(|next| routing(next) != routing(set)) {
            going.push(BatchChange { act: SetAction::Delete, set });
        }
    }
    for (key, set) in &goal {
        match held.get(key) {
            Some(before) if before == set || before.meaning() == set.meaning() => {}
            Some(before) if routing(before) == routing(set) => coming.push(BatchChange { act: SetAction::Upsert, set }),
            _ => coming.push(BatchChange { act: SetAction::Create, set }),
        }
    }
    let depth = depths(going.iter().map(|step| step.set));
    going.sort_by_key(|step| Reverse(depth.get(&domain(&step.set.name)).copied()));
    let depth = depths(coming.iter().map(|step| step.set));
    coming.sort_by_key(|step| depth.get(&domain(&step.set.name)).copied());
    going.append(&mut coming);
    going
}

/// The batch as the service counts it: elements and characters, an UPSERT twice.
pub fn size(steps: &[BatchChange<'_>]) -> (usize, usize) {
    steps.iter().fold((0, 0), |(elements, characters), step| {
        let times = if step.act == SetAction::Upsert { 2 } else { 1 };
        let length: usize = step.set.values.iter().map(|value| value.chars().count()).sum();
        (elements + times * step.set.values.len().max(1), characters + times * length)
    })
}

/// The batch as text, one change a line.
pub fn render(steps: &[BatchChange<'_>]) -> String {
    let lines: Vec<String> = steps.iter().map(line).collect();
    lines.join("\n")
}

fn line(step: &BatchChange<'_>) -> String {
    let set = step.set;
    let act = match step.act {
        SetAction::Delete => "DELETE",
        SetAction::Create => "CREATE",
        SetAction::Upsert => "UPSERT",
    };
    let mut line = format!("{act} {} {} {}", set.name, set.record_type, set.policy());
    if let Some(id) = &set.set_identifier {
        line.push_str(&format!(" [{id}]"));
    }
    match &set.alias {
        Some(alias) => line.push_str(&format!(" -> {}", alias.dns_name)),
        None => line.push_str(&format!(" {} s: {}", set.ttl.unwrap_or_default(), set.values.join(" "))),
    }
    line
}

/// A step in the service's words.
///
/// # Errors
/// When the service's own types do not take it: a program error.
pub fn change(step: &BatchChange<'_>) -> Result<sdk::Change, Fault> {
    let action = match step.act {
        SetAction::Delete => sdk::ChangeAction::Delete,
        SetAction::Create => sdk::ChangeAction::Create,
        SetAction::Upsert => sdk::ChangeAction::Upsert,
    };
    // A DELETE must repeat the values to the letter.
    let set = if step.act == SetAction::Delete { step.set.clone() } else { step.set.spelled() };
    let set = record_set(&set).map_err(|bad| Fault::unexpected("route53", CHANGE, bad.to_string()))?;
    let change = sdk::Change::builder().action(action).resource_record_set(set).build();
    change.map_err(|bad| Fault::unexpected("route53", CHANGE, bad.to_string()))
}

/// A set of the service with its name in the spelling in which the tool writes names.
pub fn spelled(mut set: sdk::ResourceRecordSet) -> sdk::ResourceRecordSet {
    set.name = domain(&set.name);
    set
}

fn record_set(set: &RecordSet) -> Result<sdk::ResourceRecordSet, aws_smithy_types::error::operation::BuildError> {
    let values = set.values.iter().map(|value| sdk::ResourceRecord::builder().value(value).build());
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let alias = set.alias.as_ref().map(|alias| {
        let target = sdk::AliasTarget::builder().hosted_zone_id(&alias.zone_id).dns_name(&alias.dns_name);
        target.evaluate_target_health(alias.evaluate_target_health).build()
    });
    let place = set.geolocation.as_ref().map(|place| {
        sdk::GeoLocation::builder()
            .set_continent_code(place.continent.clone())
            .set_country_code(place.country.clone())
            .set_subdivision_code(place.subdivision.clone())
            .build()
    });
    sdk::ResourceRecordSet::builder()
        .name(domain(&set.name))
        .r#type(sdk::RrType::from(set.record_type.as_str()))
        .set_set_identifier(set.set_identifier.clone())
        .set_ttl(set.ttl)
        // The service refuses an empty list beside an alias.
        .set_resource_records(Some(values).filter(|values| !values.is_empty()))
        .set_alias_target(alias.transpose()?)
        .set_geo_location(place)
        .set_region(set.latency_region.as_deref().map(sdk::ResourceRecordSetRegion::from))
        .set_failover(set.failover.as_deref().map(sdk::ResourceRecordSetFailover::from))
        .set_weight(set.weight)
        .set_multi_value_answer(set.multivalue.then_some(true))
        .set_health_check_id(set.health_check_id.clone())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::records::{Alias, GeoLocation};

    fn plain(name: &str, value: &str) -> RecordSet {
        let values = vec![value.to_owned()];
        RecordSet { name: name.into(), record_type: "A".into(), ttl: Some(60), values, ..RecordSet::default() }
    }

    fn geo(continent: &str, to: &str) -> RecordSet {
        let country = (continent == "*").then(|| "*".to_owned());
        let continent = (continent != "*").then(|| continent.to_owned());
        RecordSet {
            set_identifier: Some(continent.clone().unwrap_or_else(|| "default".into())),
            geolocation: Some(GeoLocation { continent, country, subdivision: None }),
            ..alias("A", to)
        }
    }

    fn alias(record_type: &str, to: &str) -> RecordSet {
        let alias = Alias { zone_id: "Z2FDTNDATAQYW2".into(), dns_name: to.into(), evaluate_target_health: false };
        let name = "api.example.com".into();
        RecordSet { name, record_type: record_type.into(), alias: Some(alias), ..RecordSet::default() }
    }

    #[test]
    fn nothing_but_what_changed() {
        let found = [plain("a.example.com", "1.1.1.1"), plain("b.example.com", "1.1.1.2")];
        let wanted =
            [plain("a.example.com", "1.1.1.1"), plain("b.example.com", "1.1.1.3"), plain("c.example.com", "1.1.1.4")];
        assert_eq!(
            render(&steps(&found, &wanted)),
            "UPSERT b.example.com A simple 60 s: 1.1.1.3\nCREATE c.example.com A simple 60 s: 1.1.1.4"
        );
        assert_eq!(render(&steps(&wanted, &wanted)), "");
    }

    #[test]
    fn the_cutover_deletes_before_it_creates() {
        let found = [geo("EU", "eu.lb"), geo("NA", "us.lb"), geo("*", "us.lb")];
        let wanted = [alias("A", "d1.cloudfront.net"), alias("AAAA", "d1.cloudfront.net")];
        assert_eq!(
            render(&steps(&found, &wanted)),
            "DELETE api.example.com A geolocation [EU] -> eu.lb\n\
             DELETE api.example.com A geolocation [NA] -> us.lb\n\
             DELETE api.example.com A geolocation [default] -> us.lb\n\
             CREATE api.example.com A simple -> d1.cloudfront.net\n\
             CREATE api.example.com AAAA simple -> d1.cloudfront.net"
        );
    }

    #[test]
    fn targets_come_before_their_aliases_and_go_after_them() {
        let below = |name: &str, to: &str| RecordSet { name: name.into(), ..alias("A", to) };
        let chain = [
            below("a.example.com", "b.example.com."),
            below("b.example.com", "c.example.com"),
            plain("c.example.com", "1.1.1.1"),
        ];
        let order =
            |steps: Vec<BatchChange<'_>>| -> Vec<String> { steps.iter().map(|step| step.set.name.clone()).collect() };
        assert_eq!(order(steps(&[], &chain)), ["c.example.com", "b.example.com", "a.example.com"]);
        assert_eq!(order(steps(&chain, &[])), ["a.example.com", "b.example.com", "c.example.com"]);
        let ring = [below("a.example.com", "b.example.com"), below("b.example.com", "a.example.com")];
        assert_eq!(steps(&[], &ring).len(), 2);
    }

    #[test]
    fn another_kind_under_the_same_key_is_deleted_and_made_anew() {
        let found = [alias("A", "d1.cloudfront.net")];
        let wanted = [plain("api.example.com", "1.1.1.1")];
        assert_eq!(
            render(&steps(&found, &wanted)),
            "DELETE api.example.com A simple -> d1.cloudfront.net\nCREATE api.example.com A simple 60 s: 1.1.1.1"
        );
    }

    #[test]
    fn a_set_that_takes_another_place_is_deleted_and_made_anew() {
        let found = [geo("EU", "eu.lb")];
        let mut moved = geo("AS", "eu.lb");
        moved.set_identifier = Some("EU".into());
        let text = render(&steps(&found, std::slice::from_ref(&moved)));
        assert_eq!(
            text,
            "DELETE api.example.com A geolocation [EU] -> eu.lb\nCREATE api.example.com A geolocation [EU] -> eu.lb"
        );
    }
}
