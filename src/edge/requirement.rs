//! The certificate that a plan requires of a function, and whether that of the uploaded package meets it.

use super::about::{GRAPH, PackageInfo, RUNTIME, STATIC, TOKENS};
use super::certificate::Certificate;
use super::suite::ParitySuite;

const DAY: i64 = 86_400;

/// What a plan asks.
#[derive(Clone, Debug)]
pub struct Requirement<'a> {
    /// The tiers that take traffic: `edge`, `static`.
    pub tiers: &'a [String],
    /// Maximum age of the certificate, in days.
    pub max_age_days: u32,
}

/// What a certificate lacks for a package, each with what to do; nothing when the package may take traffic.
pub fn lacking(
    requirement: &Requirement<'_>,
    certificate: &Certificate,
    package: &PackageInfo,
    now: i64,
) -> Vec<String> {
    let mut lacks = Vec::new();
    let days = (now - certificate.made_at).div_euclid(DAY);
    if days > i64::from(requirement.max_age_days) {
        lacks.push(format!("it is {days} days old, {} at most count", requirement.max_age_days));
    }
    if certificate.made_at > now + DAY {
        lacks.push("it was made in the future".to_owned());
    }
    if certificate.suite != ParitySuite::hash() {
        lacks.push("it was made with the texts of another version of akidb-edge".to_owned());
    }
    if requirement.tiers.is_empty() {
        lacks.push("the plan has no tier that it must cover".to_owned());
    }
    for name in requirement.tiers {
        lacks.extend(of_tier(name, certificate, package));
    }
    lacks
}

/// What is wrong with one tier.
fn of_tier(name: &str, certificate: &Certificate, package: &PackageInfo) -> Vec<String> {
    let Some(tier) = certificate.tier(name) else {
        let skipped = certificate.skipped.iter().find(|skipped| skipped.tier == name);
        let why = skipped.map_or_else(String::new, |skipped| format!(" ({})", skipped.reason));
        return vec![format!("the tier {name} was not measured{why}")];
    };
    let keys: &[&str] = match name {
        "static" | "workers" => &[STATIC, TOKENS],
        _ => &[GRAPH, TOKENS, RUNTIME],
    };
    let mut lacks = Vec::new();
    for key in keys {
        let (wanted, found) = (package.hash(key), tier.identity.files.get(*key).map(String::as_str));
        if wanted != found {
            let short = |hash: Option<&str>| hash.map_or("none", |hash| hash.get(..12).unwrap_or(hash)).to_owned();
            lacks.push(format!("{name}: it is for the {key} {}, the package has {}", short(found), short(wanted)));
        }
    }
    lacks.extend(certificate.misses(tier).iter().map(|missed| format!("{name}: {missed}")));
    lacks
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::about::ModelFile;
    use super::super::certificate::{SkippedTier, Tier};
    use super::super::parity::{Identity, Measured};
    use super::*;

    const NOW: i64 = 1_800_000_000;

    const MEASURED: Measured = Measured {
        ids_differ: 0,
        cosine_mean: 1.0,
        cosine_worst: 1.0,
        padding_worst: 1.0,
        top10_overlap: 1.0,
        recall10: 1.0,
        recall10_of_reference: 1.0,
    };

    fn package(graph: &str) -> PackageInfo {
        let file = |hash: &str| ModelFile { path: String::new(), sha256: hash.to_owned(), crc32: None, bytes: 1 };
        let own = [(GRAPH, graph), (TOKENS, "t"), (RUNTIME, "r")];
        PackageInfo::new("m", 4, own.into_iter().map(|(key, hash)| (key.to_owned(), file(hash))).collect())
    }

    fn certificate(misses: &[&str]) -> Certificate {
        let own = [(GRAPH, "g"), (TOKENS, "t"), (RUNTIME, "r")];
        let files: BTreeMap<String, String> =
            own.into_iter().map(|(key, hash)| (key.to_owned(), hash.to_owned())).collect();
        let tier = Tier {
            tier: "edge".to_owned(),
            identity: Identity { files, ..Identity::default() },
            compared_with: Some("server-int8".to_owned()),
            measured: Some(MEASURED),
            bounds: None,
            misses: misses.iter().map(|missed| (*missed).to_owned()).collect(),
        };
        let server = Tier { tier: "server-int8".to_owned(), misses: Vec::new(), ..tier.clone() };
        let skipped = vec![SkippedTier { tier: "browser".to_owned(), reason: "no browser".to_owned() }];
        Certificate {
            made_at: NOW - 2 * DAY,
            tiers: vec![server, tier],
            ..Certificate::of(super::super::suite::suite(), &[], skipped, 0)
        }
    }

    fn lacks(tiers: &[&str], certificate: &Certificate, package: &PackageInfo, days: u32) -> Vec<String> {
        let tiers: Vec<String> = tiers.iter().map(|tier| (*tier).to_owned()).collect();
        lacking(&Requirement { tiers: &tiers, max_age_days: days }, certificate, package, NOW)
    }

    #[test]
    fn a_fresh_certificate_for_this_very_model_is_enough() {
        assert_eq!(lacks(&["edge"], &certificate(&[]), &package("g"), 30), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_said() {
        let good = certificate(&[]);
        assert_eq!(lacks(&["edge"], &good, &package("g"), 1), ["it is 2 days old, 1 at most count"]);
        assert_eq!(lacks(&["edge"], &good, &package("h"), 30), ["edge: it is for the graph g, the package has h"]);
        assert_eq!(lacks(&["static"], &good, &package("g"), 30), ["the tier static was not measured"]);
        assert_eq!(lacks(&["browser"], &good, &package("g"), 30), ["the tier browser was not measured (no browser)"]);
        assert_eq!(lacks(&[], &good, &package("g"), 30), ["the plan has no tier that it must cover"]);
        let low = certificate(&["mean cosine is 0.9, 0.997 is needed"]);
        assert_eq!(lacks(&["edge"], &low, &package("g"), 30), ["edge: mean cosine is 0.9, 0.997 is needed"]);
        let other = Certificate { suite: "other".to_owned(), made_at: NOW + 9 * DAY, ..good };
        assert_eq!(lacks(&["edge"], &other, &package("g"), 30).len(), 2);
    }
}
