//! Which answer a place gets, and why: Route 53's rules walked over the wanted record sets. Pure.
//!
//! Rules (Route 53 Developer Guide, "How health checks work in complex configurations" and "Values specific for
//! geolocation records"): the most specific place wins (country, continent, default); an unhealthy place falls to the
//! next larger one, never to its neighbour; failover answers its secondary when the primary is unhealthy; an alias that
//! evaluates its target is as healthy as what it leads to; when nothing is healthy, everything counts as healthy.

use serde::Serialize;

use super::records::{RecordSet, RecordsSpec};
use super::{Desired, Kind};

/// Who asks for what, and what is down.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Full name.
    pub name: &'a str,
    /// A continent code (two letters that are one), or a country.
    pub from: &'a str,
    /// Targets that are taken to be down: parts of their addresses or names.
    pub down: &'a [String],
}

/// The answer and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The name that was asked for.
    pub name: String,
    /// Who asked.
    pub from: String,
    /// What it leads to; several when network time decides.
    pub answers: Vec<String>,
    /// Every step of the way.
    pub because: Vec<String>,
}

const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// Countries that a person may name, with their continents (ISO 3166 and the continents of Route 53).
const COUNTRIES: &[(&str, &str)] = &[
    ("US", "NA"),
    ("CA", "NA"),
    ("MX", "NA"),
    ("BR", "SA"),
    ("AR", "SA"),
    ("CL", "SA"),
    ("GB", "EU"),
    ("DE", "EU"),
    ("FR", "EU"),
    ("ES", "EU"),
    ("IT", "EU"),
    ("PL", "EU"),
    ("SE", "EU"),
    ("UA", "EU"),
    ("ZA", "AF"),
    ("NG", "AF"),
    ("EG", "AF"),
    ("KE", "AF"),
    ("JP", "AS"),
    ("KR", "AS"),
    ("CN", "AS"),
    ("IN", "AS"),
    ("SG", "AS"),
    ("AE", "AS"),
    ("IL", "AS"),
    ("TR", "AS"),
    ("AU", "OC"),
    ("NZ", "OC"),
];

fn sets(desired: &Desired) -> Vec<RecordSet> {
    let groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
    groups.filter_map(|resource| resource.typed::<RecordsSpec>()).flat_map(|spec| spec.sets).collect()
}

/// The names that can be asked for: those with a routing policy and aliases, sorted; or those that `wanted` names.
pub fn names(desired: &Desired, wanted: Option<&str>) -> Vec<String> {
    let all = sets(desired);
    // Names that only other names lead to are shown on the way, not apart.
    let led_to: Vec<&String> = all.iter().filter_map(|set| set.alias.as_ref()).map(|alias| &alias.dns_name).collect();
    let address = |set: &&RecordSet| matches!(set.record_type.as_str(), "A" | "AAAA");
    let fits = |set: &&RecordSet| match wanted {
        Some(wanted) => set.name == wanted || set.name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.')),
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
pub fn answer(desired: &Desired, question: &Question<'_>) -> Answer {
    let walk = Walk { sets: sets(desired), question };
    let mut because = Vec::new();
    let answers = walk.name(question.name, &mut because, 0);
    Answer { name: question.name.to_owned(), from: question.from.to_uppercase(), answers, because }
}

struct Walk<'a> {
    sets: Vec<RecordSet>,
    question: &'a Question<'a>,
}

impl Walk<'_> {
    fn at(&self, name: &str) -> Vec<&RecordSet> {
        self.sets.iter().filter(|set| set.name == name && set.record_type == "A").collect()
    }

    fn name(&self, name: &str, because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let here = self.at(name);
        let Some(first) = here.first() else {
            because.push(format!("{name}: no address record"));
            return Vec::new();
        };
        if depth > 8 {
            because.push(format!("{name}: the aliases lead in a circle"));
            return Vec::new();
        }
        match first.policy() {
            "geolocation" => self.geolocation(name, &here, because, depth),
            "failover" => self.failover(name, &here, because, depth),
            "latency" => self.latency(name, &here, because, depth),
            _ => {
                because.push(format!("{name}: the same answer for everybody"));
                self.lead(first, because, depth)
            }
        }
    }

    fn geolocation(&self, name: &str, here: &[&RecordSet], because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let from = self.question.from.to_uppercase();
        let continent = if CONTINENTS.contains(&from.as_str()) {
            Some(from.as_str())
        } else {
            COUNTRIES.iter().find(|(country, _)| *country == from).map(|(_, continent)| *continent)
        };
        let place = |country: Option<&str>, continent: Option<&str>| {
            here.iter().copied().find(|set| {
                let place = set.geolocation.as_ref();
                place
                    .is_some_and(|place| place.country.as_deref() == country && place.continent.as_deref() == continent)
            })
        };
        let candidates = [
            place(Some(&from), None),
            continent.and_then(|continent| place(None, Some(continent))),
            place(Some("*"), None),
        ];
        let mut last = None;
        for set in candidates.into_iter().flatten() {
            let identifier = set.set_identifier.as_deref().unwrap_or_default();
            if self.healthy(set, 0) {
                because.push(format!("{name}: {from} is answered by the set {identifier}"));
                return self.lead(set, because, depth);
            }
            because.push(format!("{name}: the set {identifier} is unhealthy, the next larger place answers"));
            last = Some(set);
        }
        match last {
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
        let mut healthy: Vec<&RecordSet> = here.iter().copied().filter(|set| self.healthy(set, 0)).collect();
        if healthy.is_empty() {
            because.push(format!("{name}: nothing is healthy, so everything counts as healthy"));
            healthy = here.to_vec();
        }
        let regions: Vec<&str> = healthy.iter().filter_map(|set| set.latency_region.as_deref()).collect();
        because.push(format!("{name}: network time decides between {}", regions.join(", ")));
        healthy.into_iter().flat_map(|set| self.lead(set, &mut Vec::new(), depth)).collect()
    }

    fn lead(&self, set: &RecordSet, because: &mut Vec<String>, depth: u8) -> Vec<String> {
        let Some(alias) = &set.alias else { return set.values.clone() };
        if self.at(&alias.dns_name).is_empty() {
            vec![target(&alias.dns_name)]
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
