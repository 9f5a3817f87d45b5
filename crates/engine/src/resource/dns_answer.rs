//! Simulates Route 53's rules on the planned record sets: which answer each location gets, and why. Pure.
//!
//! Rules (Route 53 Developer Guide, "How health checks work in complex configurations" and "Values specific for
//! geolocation records"): the most specific place wins (country, continent, default); an unhealthy place falls to the
//! next larger one, never to its neighbor; failover answers its secondary when the primary is unhealthy; an alias that
//! evaluates its target is as healthy as what it leads to; when nothing is healthy, everything counts as healthy.

use serde::Serialize;

use super::load_balancer::LoadBalancerSpec;
use super::records::{RecordSet, RecordsSpec, canonical};
use super::zone::ZoneSpec;
use super::{Desired, Kind, places};

/// Who asks for what, and what is down.
#[derive(Clone, Copy, Debug)]
pub struct DnsQuestion<'a> {
    /// Full name.
    pub name: &'a str,
    /// A continent code (two letters that are one), a country, or a part of a country (`US-CA`).
    pub from: &'a str,
    /// Targets that are taken to be down: parts of their addresses or names.
    pub down: &'a [String],
}

/// The answer and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DnsAnswer {
    /// The name that was asked for.
    pub name: String,
    /// Who asked.
    pub from: String,
    /// What it leads to, for people; several when network time decides.
    pub answers: Vec<String>,
    /// The same as the record sets have it: a value, or the name or reference (`${ADDRESS#dns_name}`) of an alias.
    #[serde(skip)]
    pub leads_to: Vec<String>,
    /// Every step of the way.
    pub because: Vec<String>,
}

fn sets(desired: &Desired) -> Vec<RecordSet> {
    let groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
    groups.filter_map(|resource| resource.typed::<RecordsSpec>()).flat_map(|spec| spec.sets).collect()
}

/// Whether Route 53 knows the place: a continent, a country, or a part of one (`US-CA`).
pub fn is_place(from: &str) -> bool {
    let from = from.to_uppercase();
    match from.split_once('-') {
        Some((country, part)) => places::has_part(country, part),
        None => places::continents().any(|known| known == from) || places::continent_of(&from).is_some(),
    }
}

/// What can be down: the load balancers by their names in the plan, and their regions.
pub fn targets(desired: &Desired) -> Vec<(String, String)> {
    let balancers = desired.resources.values().filter(|resource| resource.kind == Kind::LoadBalancer);
    let named = balancers.filter_map(|resource| {
        Some((resource.address.name().to_owned(), resource.typed::<LoadBalancerSpec>()?.region))
    });
    named.collect()
}

/// What a word for something that is down means: parts of the texts by which sets refer to it. Nothing when the plan has
/// no such target.
pub fn down(desired: &Desired, word: &str) -> Vec<String> {
    let fits = |(key, region): &(String, String)| key.eq_ignore_ascii_case(word) || region.eq_ignore_ascii_case(word);
    let of_key = |(key, _): (String, String)| ["load-balancer", "health-check"].map(|kind| format!(".{kind}.{key}#"));
    let exact: Vec<String> = targets(desired).into_iter().filter(fits).flat_map(of_key).collect();
    if !exact.is_empty() {
        return exact;
    }
    let word = word.to_ascii_lowercase();
    let named = |text: &String| {
        let mut parts = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        !word.is_empty() && (*text == word || parts.any(|part| part == word))
    };
    let texts = |set: RecordSet| {
        let alias = set.alias.map(|alias| alias.dns_name);
        alias.into_iter().chain(set.health_check_id).chain(set.values)
    };
    sets(desired).into_iter().flat_map(texts).filter(named).collect()
}

/// The names that can be asked for: those with a routing policy and aliases, sorted; or those that `wanted` names: `@` is
/// the zone itself.
pub fn names(desired: &Desired, wanted: Option<&str>) -> Vec<String> {
    let all = sets(desired);
    // Names that only other names lead to are shown on the way, not apart.
    let led_to: Vec<&String> = all.iter().filter_map(|set| set.alias.as_ref()).map(|alias| &alias.dns_name).collect();
    let address = |set: &&RecordSet| matches!(set.record_type.as_str(), "A" | "AAAA");
    let zone = desired.resources.values().find(|resource| resource.kind == Kind::Zone);
    let zone = zone.and_then(|resource| resource.typed::<ZoneSpec>()).map(|zone| canonical::name(&zone.name));
    let spelled = wanted.map(canonical::name);
    let fits = |set: &&RecordSet| match &spelled {
        Some(apex) if apex == "@" => Some(&set.name) == zone.as_ref(),
        Some(wanted) => set.name == *wanted || set.name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.')),
        // A plain alias to one load balancer answers everybody alike: nothing to explain.
        None => !led_to.contains(&&set.name) && (set.policy() != "simple" || leads_on(&all, set)),
    };
    let mut names: Vec<String> = all.iter().filter(address).filter(fits).map(|set| set.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether a plain set leads to another name of the graph, or to the distribution.
fn leads_on(all: &[RecordSet], set: &RecordSet) -> bool {
    let target = set.alias.as_ref().map(|alias| alias.dns_name.as_str());
    target.is_some_and(|target| target.contains("cdn.distribution") || all.iter().any(|other| other.name == target))
}

/// Walks the record sets.
pub fn answer(desired: &Desired, question: &DnsQuestion<'_>) -> DnsAnswer {
    let walk = Walk { sets: sets(desired), question };
    let mut because = Vec::new();
    let leads_to = walk.name(question.name, &mut because, 0);
    let answers = leads_to.iter().map(|one| target(one)).collect();
    DnsAnswer { name: question.name.to_owned(), from: question.from.to_uppercase(), answers, leads_to, because }
}

struct Walk<'a> {
    sets: Vec<RecordSet>,
    question: &'a DnsQuestion<'a>,
}

impl Walk<'_> {
    fn at(&self, name: &str) -> Vec<&RecordSet> {
        let of = |kind: &str| -> Vec<&RecordSet> {
            self.sets.iter().filter(|set| set.name == name && set.record_type == kind).collect()
        };
        let four = of("A");
        if four.is_empty() { of("AAAA") } else { four }
    }

    fn name(&self, name: &str, because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let here = self.at(name);
        let Some(first) = here.first() else {
            because.push(format!("{name}: no address record"));
            return Vec::new();
        };
        if depth > 8 {
            because.push(format!("{name}: the aliases form a loop"));
            return Vec::new();
        }
        match first.policy() {
            "geolocation" => self.geolocation(name, &here, because, depth),
            "failover" => self.failover(name, &here, because, depth),
            "latency" => self.latency(name, &here, because, depth),
            "weighted" => self.weighted(name, &here, because, depth),
            "multivalue" => self.multivalue(name, &here, because, depth),
            _ => {
                because.push(format!("{name}: the same answer for everybody"));
                self.lead(first, because, depth)
            }
        }
    }

    fn geolocation(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let from = self.question.from.to_uppercase();
        let (country, part) =
            from.split_once('-').map_or((from.as_str(), None), |(country, part)| (country, Some(part)));
        let is_continent = places::continents().any(|known| known == country);
        let continent = if is_continent { Some(country) } else { places::continent_of(country) };
        let country = Some(country).filter(|_| !is_continent);
        let place = |continent: Option<&str>, country: Option<&str>, part: Option<&str>| {
            here.iter().copied().find(|set| {
                set.geolocation.as_ref().is_some_and(|place| {
                    let said = [&place.continent, &place.country, &place.subdivision].map(Option::as_deref);
                    said == [continent, country, part]
                })
            })
        };
        let candidates = [
            part.and_then(|part| place(None, country, Some(part))),
            country.and_then(|country| place(None, Some(country), None)),
            continent.and_then(|continent| place(Some(continent), None, None)),
            place(None, Some("*"), None),
        ];
        let mut first = None;
        for set in candidates.into_iter().flatten() {
            let identifier = set.set_identifier.as_deref().unwrap_or_default();
            if self.healthy(set, 0) {
                because.push(format!("{name}: {from} is answered by the set {identifier}"));
                return self.lead(set, because, depth);
            }
            because.push(format!("{name}: the set {identifier} is unhealthy, the next larger place answers"));
            first = first.or(Some(set));
        }
        match first {
            Some(set) => {
                because.push(format!("{name}: nothing is healthy, so everything counts as healthy"));
                self.lead(set, because, depth)
            }
            None => {
                because.push(format!("{name}: no set for {from} and no default: no answer"));
                Vec::new()
            }
        }
    }

    fn failover(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let role = |role: &str| here.iter().copied().find(|set| set.failover.as_deref() == Some(role));
        match (role("PRIMARY"), role("SECONDARY")) {
            (Some(primary), _) if self.healthy(primary, 0) => {
                because.push(format!("{name}: the primary is healthy"));
                self.lead(primary, because, depth)
            }
            (_, Some(secondary)) if self.healthy(secondary, 0) => {
                because.push(format!("{name}: the primary is unhealthy, the secondary answers"));
                self.lead(secondary, because, depth)
            }
            (Some(primary), _) => {
                because.push(format!("{name}: neither is healthy, so the primary answers"));
                self.lead(primary, because, depth)
            }
            _ => Vec::new(),
        }
    }

    fn latency(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let healthy = self.counting(name, here, because);
        let regions: Vec<&str> = healthy.iter().filter_map(|set| set.latency_region.as_deref()).collect();
        because.push(format!("{name}: network time decides between {}", regions.join(", ")));
        healthy.into_iter().flat_map(|set| self.lead(set, &mut Vec::new(), depth)).collect()
    }

    /// The sets that count: the healthy ones, or all when none is.
    fn counting<'h>(&self, name: &str, here: &[&'h RecordSet], because: &mut Vec<String>) -> Vec<&'h RecordSet> {
        let healthy: Vec<&RecordSet> = here.iter().copied().filter(|set| self.healthy(set, 0)).collect();
        if healthy.is_empty() {
            because.push(format!("{name}: nothing is healthy, so everything counts as healthy"));
            return here.to_vec();
        }
        healthy
    }

    fn weighted(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let counting = self.counting(name, here, because);
        // A weight of 0 answers nobody, unless all have it.
        let some = counting.iter().any(|set| set.weight.unwrap_or_default() > 0);
        let counting: Vec<&RecordSet> =
            counting.into_iter().filter(|set| !some || set.weight.unwrap_or_default() > 0).collect();
        let shares: Vec<String> = counting
            .iter()
            .map(|set| {
                format!("{} {}", set.set_identifier.as_deref().unwrap_or_default(), set.weight.unwrap_or_default())
            })
            .collect();
        because.push(format!("{name}: chance decides by weight between {}", shares.join(", ")));
        counting.into_iter().flat_map(|set| self.lead(set, &mut Vec::new(), depth)).collect()
    }

    fn multivalue(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let counting = self.counting(name, here, because);
        because.push(format!("{name}: up to eight of {} healthy sets are answered", counting.len()));
        counting.into_iter().flat_map(|set| self.lead(set, &mut Vec::new(), depth)).collect()
    }

    fn lead(&self, set: &RecordSet, because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let Some(alias) = &set.alias else { return set.values.clone() };
        if self.at(&alias.dns_name).is_empty() {
            vec![alias.dns_name.clone()]
        } else {
            self.name(&alias.dns_name, because, depth + 1)
        }
    }

    fn healthy(&self, set: &RecordSet, depth: u8) -> bool {
        let said = |text: &str| self.question.down.iter().any(|down| text.contains(down.as_str()));
        if set.health_check_id.as_deref().is_some_and(said) {
            return false;
        }
        let Some(alias) = set.alias.as_ref().filter(|alias| alias.evaluate_target_health) else { return true };
        let below = self.at(&alias.dns_name);
        if below.is_empty() {
            !said(&alias.dns_name)
        } else {
            depth > 8 || below.iter().any(|set| self.healthy(set, depth + 1))
        }
    }
}

/// What an alias leads to, for people: the address behind a reference.
fn target(dns_name: &str) -> String {
    let reference = dns_name.strip_prefix("${").and_then(|rest| rest.split('#').next());
    reference.map_or_else(
        || dns_name.to_owned(),
        |address| {
            address
                .replace("routing.load-balancer.", "load balancer ")
                .replace("cdn.distribution.main", "the distribution")
        },
    )
}
