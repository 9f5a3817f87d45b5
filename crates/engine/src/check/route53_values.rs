//! Rules on the values of a record set, and on the size of a change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::route53::sets;
use super::route53_syntax::is_host;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::records::{RecordsSpec, text};

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5101-address-values",
        "values of A are IPv4 addresses, of AAAA IPv6 addresses",
        "InvalidChangeBatch: Invalid Resource Record: ARRDATAIllegalIPv4Address (or AAAARRDATAIllegalIPv6Address)",
        "write an address; for a host name use an alias or a CNAME",
        addresses,
    ),
    error(
        "R5102-cname-values",
        "a CNAME has one value",
        "InvalidChangeBatch: Invalid Resource Record: CNAME RRSet should have only one RR",
        "keep one value, or route between several sets",
        cname,
    ),
    error(
        "R5103-text-values",
        "values of TXT are in quotation marks, each string of at most 255 characters",
        "InvalidChangeBatch: Invalid Resource Record: InvalidCharacterString (Value should be enclosed in quotation marks) or CharacterStringTooLong",
        "write \"\\\"text\\\"\"; divide longer texts into several quoted strings",
        texts,
    ),
    error(
        "R5104-mail-values",
        "values of MX are a priority and a host",
        "InvalidChangeBatch: Invalid Resource Record: MX RR data must contain a preference and a host",
        "write for example \"10 mail.example.com\"",
        mail,
    ),
    error(
        "R5105-ttl",
        "a set with values has a time to live from 0 to 2147483647",
        "InvalidInput: Invalid XML: TTL is missing or out of range",
        "write ttl: 60",
        ttl,
    ),
    error(
        "R5106-batch-size",
        "the sets of one name fit one change batch",
        "InvalidChangeBatch: Number of records limit of 1000 exceeded (or 32,000 value characters)",
        "give the name fewer sets or values",
        batch,
    ),
    error(
        "R5107-value-count",
        "a set has at most 400 values, each once and of at most 4,000 characters",
        "InvalidChangeBatch: the maximum number of values of a record set is 400 (or Duplicate Resource Record, or a value longer than 4,000 characters)",
        "divide the values among several names, or use multivalue answers",
        count,
    ),
];

/// Every literal value of one record type, with its path.
fn values<'s>(spec: &'s RecordsSpec, record_type: &'s str) -> impl Iterator<Item = (String, &'s str)> {
    let of_type = sets(spec).filter(move |(_, set)| set.record_type == record_type);
    let all = of_type.flat_map(|(path, set)| {
        let one = move |(at, value): (usize, &'s String)| (format!("{path}.values.{at}"), value.as_str());
        set.values.iter().enumerate().map(one)
    });
    all.filter(|(_, value)| !is_open(value))
}

fn addresses(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, value) in values(&seen.spec, "A").filter(|(_, value)| value.parse::<Ipv4Addr>().is_err()) {
        notes.add(path, format!("`{value}` is not an IPv4 address"));
    }
    for (path, value) in values(&seen.spec, "AAAA").filter(|(_, value)| value.parse::<Ipv6Addr>().is_err()) {
        notes.add(path, format!("`{value}` is not an IPv6 address"));
    }
}

fn cname(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| set.record_type == "CNAME") {
        let count = set.values.len();
        notes.add_if(count > 1, format!("{path}.values"), || format!("there are {count} values"));
    }
}

/// Whether a value is quoted strings with blanks between, each of at most 255 bytes.
fn is_quoted(value: &str) -> bool {
    text::strings(value).is_some_and(|strings| strings.iter().all(|string| string.len() <= text::STRING))
}

fn texts(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for record_type in ["TXT", "SPF"] {
        for (path, value) in values(&seen.spec, record_type).filter(|(_, value)| !is_quoted(value)) {
            notes.add(path, format!("the value is {}", value.chars().take(40).collect::<String>()));
        }
    }
}

fn mail(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, value) in values(&seen.spec, "MX") {
        let formed = value.split_once(' ').is_some_and(|(priority, host)| {
            priority.parse::<u16>().is_ok() && !host.trim().contains(' ') && is_host(host.trim())
        });
        notes.add_if(!formed, path, || format!("the value is `{value}`"));
    }
}

fn ttl(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec).filter(|(_, set)| set.alias.is_none() && !set.values.is_empty()) {
        let path = format!("{path}.ttl");
        match set.ttl {
            None => notes.add(path, format!("{} {} has no ttl", set.name, set.record_type)),
            Some(ttl) => {
                notes.add_if(!(0..=2_147_483_647).contains(&ttl), path, || format!("the ttl is {ttl}"));
            }
        }
    }
}

fn count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, set) in sets(&seen.spec) {
        let path = format!("{path}.values");
        let count = set.values.len();
        notes.add_if(count > 400, path.as_str(), || format!("there are {count} values"));
        let unique: BTreeSet<String> = set.meaning().values.into_iter().collect();
        let twice = set.values.len() > unique.len();
        notes.add_if(twice, path.as_str(), || "a value appears twice".to_owned());
        let long = set.values.iter().map(|value| value.chars().count()).find(|length| *length > 4_000);
        notes.add_if(long.is_some(), path, || format!("a value has {} characters", long.unwrap_or_default()));
    }
}

fn batch(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let mut names: BTreeMap<&str, (String, usize, usize)> = BTreeMap::new();
    for (path, set) in sets(&seen.spec).filter(|(_, set)| !is_open(&set.name)) {
        let (_, elements, letters) = names.entry(&set.name).or_insert((path, 0, 0));
        *elements += set.values.len().max(1);
        *letters += set.values.iter().map(|value| value.chars().count()).sum::<usize>();
    }
    for (name, (path, elements, letters)) in names {
        let problem = || format!("{name} counts as {elements} elements of 1,000 and {letters} characters of 32,000");
        notes.add_if(elements > 1_000 || letters > 32_000, path, problem);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};
    use super::*;

    pub(in super::super) fn cases() -> Vec<Case> {
        const API: &str = "routing.records.api";
        let set = |kind: &str, values: serde_json::Value| json!({"name": "x.akidb.com", "type": kind, "ttl": 60, "values": values});
        let many: Vec<serde_json::Value> = (0..1_001)
            .map(|at| {
                json!({"name": "n.akidb.com", "type": "A", "ttl": 60, "values": ["192.0.2.1"], "weight": 1,
                "set_identifier": at.to_string()})
            })
            .collect();
        let addresses =
            |count: usize| -> Vec<String> { (0..count).map(|at| format!("10.0.{}.{}", at / 256, at % 256)).collect() };
        vec![
            case("R5101-address-values").set(API, "/sets/2", set("A", json!(["host.example.com"]))),
            case("R5101-address-values").set(API, "/sets/2", set("AAAA", json!(["192.0.2.1"]))),
            case("R5102-cname-values").set(API, "/sets/2", set("CNAME", json!(["a.example.com", "b.example.com"]))),
            case("R5103-text-values").set(API, "/sets/2", set("TXT", json!(["plain"]))),
            case("R5103-text-values").set(API, "/sets/2", set("TXT", json!([format!("\"{}\"", "x".repeat(256))]))),
            case("R5104-mail-values").set(API, "/sets/2", set("MX", json!(["mail.example.com"]))),
            case("R5105-ttl").remove(API, "/sets/2/ttl"),
            case("R5105-ttl").set(API, "/sets/2/ttl", json!(-1)),
            case("R5107-value-count").set(API, "/sets/2", set("A", json!(addresses(401)))),
            case("R5107-value-count").set(API, "/sets/2", set("AAAA", json!(["2001:db8::1", "2001:DB8:0::1"]))),
            case("R5107-value-count").set(
                API,
                "/sets/2",
                set("TXT", json!([vec![format!("\"{}\"", "x".repeat(250)); 16].join(" ")])),
            ),
            case("R5106-batch-size").set(API, "/sets", json!(many)),
        ]
    }

    #[test]
    fn quoted_strings() {
        assert!(is_quoted("\"a\"") && is_quoted("\"a b\" \"c\"") && is_quoted("\"a\\\"b\""));
        assert!(!is_quoted("a") && !is_quoted("\"a") && !is_quoted("\"a\" b") && !is_quoted(""));
    }
}
