//! The certificate of parity: what each tier runs by hash, how close it is to the others, and whether that is close enough.

use serde::{Deserialize, Serialize};

use super::parity::{Answers, Identity, Measured, measure};
use super::suite::ParitySuite;

/// The form of the document.
pub const SCHEMA: &str = "akidb-edge/parity/v1";
/// The tier that the others are compared with, where it is there.
pub const REFERENCE: &str = "server-fp32";
/// The tier with the server's 8-bit graph.
pub const INT8: &str = "server-int8";
/// The page in a browser.
const BROWSER: &str = "browser";
/// The tier of the static table, wherever it runs.
const STATIC: &str = "static";
/// Where the static table runs besides: its rows are the same, so its vectors are.
const WORKERS: &str = "workers";

/// What a pair of tiers has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParityBounds {
    /// Mean cosine of all texts but those with the padding token ([`Measured`] says why).
    pub cosine_mean: f64,
    /// The worst of them.
    pub cosine_worst: f64,
    /// Share of the ten nearest.
    pub top10_overlap: f64,
    /// Recall among ten, as a share of the reference's.
    pub recall10_share: f64,
}

/// The same instructions in another place: one version of the runtime and another.
pub const SAME_FILE: ParityBounds =
    ParityBounds { cosine_mean: 0.9999, cosine_worst: 0.999, top10_overlap: 0.99, recall10_share: 0.99 };
/// The same 8-bit graph by other instructions, in a browser. Activations are rounded to 8 bits between the layers, and sums come in another
/// order: a value near the middle between two steps is rounded up by one and down by the other, and everything behind it changes. The graph
/// does the same to itself: with word embeddings that are off by a millionth its worst text has 0.9963 (`exporter/README.md`). A page asks
/// the same of a backend (`templates/browser/src/check.js`).
pub const OTHER_INSTRUCTIONS: ParityBounds =
    ParityBounds { cosine_mean: 0.999, cosine_worst: 0.995, top10_overlap: 0.97, recall10_share: 0.99 };
/// 32-bit floats in two places.
pub const SAME_FLOATS: ParityBounds =
    ParityBounds { cosine_mean: 0.9999, cosine_worst: 0.9999, top10_overlap: 0.99, recall10_share: 0.99 };
/// A graph in 8 bits against the one in 32-bit floats.
pub const QUANTIZED: ParityBounds =
    ParityBounds { cosine_mean: 0.997, cosine_worst: 0.975, top10_overlap: 0.95, recall10_share: 0.97 };
/// The graph with word embeddings in 4 bits, which says what it loses.
pub const SMALL: ParityBounds =
    ParityBounds { cosine_mean: 0.99, cosine_worst: 0.95, top10_overlap: 0.85, recall10_share: 0.97 };
/// The static tier: it finds what the model put into the index, and is labeled. Its cosine only tells a table of this model from another one
/// (about 0): the texts of the suite are in many languages, and a good table has 0.67 there, 0.83 for English.
pub const TABLE: ParityBounds =
    ParityBounds { cosine_mean: 0.6, cosine_worst: -1.0, top10_overlap: 0.3, recall10_share: 0.95 };

/// One tier of a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// Its name.
    pub tier: String,
    /// What it runs.
    #[serde(flatten)]
    pub identity: Identity,
    /// The tier that it was compared with; none for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What it has to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<ParityBounds>,
    /// What it misses; nothing when it may be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misses: Vec<String>,
}

impl Tier {
    /// Whether it may be used.
    pub fn holds(&self) -> bool {
        self.misses.is_empty()
    }
}

/// A tier that was asked for and not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTier {
    /// Its name.
    pub tier: String,
    /// Why.
    pub reason: String,
}

/// The document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// [`SCHEMA`].
    pub schema: String,
    /// Hash of the suite.
    pub suite: String,
    /// Texts whose ids and vectors were compared.
    pub texts: usize,
    /// When, as seconds since 1970.
    pub made_at: i64,
    /// The version of this program.
    pub program: String,
    /// The tiers.
    pub tiers: Vec<Tier>,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedTier>,
}

impl Certificate {
    /// Compares the answers of tiers: each with the tier that is nearest to it by what it runs.
    pub fn of(suite: &ParitySuite, answers: &[Answers], skipped: Vec<SkippedTier>, made_at: i64) -> Self {
        let tiers = answers.iter().map(|one| judged(suite, answers, one)).collect();
        Self {
            schema: SCHEMA.to_owned(),
            suite: ParitySuite::hash(),
            texts: suite.texts.len(),
            made_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            tiers,
            skipped,
        }
    }

    /// A tier by its name.
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.tier == name)
    }

    /// What a tier misses by the bounds of this version of the program, which may be stricter than those of the version that signed.
    /// Nothing when it may be used.
    pub fn misses(&self, tier: &Tier) -> Vec<String> {
        let views: Vec<View<'_>> = self.tiers.iter().map(|one| (one.tier.as_str(), graph(&one.identity))).collect();
        let mut found = tier.misses.clone();
        match (pair(&views, (&tier.tier, graph(&tier.identity))), &tier.measured) {
            (Some((other, bounds)), Some(measured)) if tier.compared_with.as_deref() == Some(other) => {
                found.extend(misses(measured, &bounds).into_iter().filter(|one| !tier.misses.contains(one)));
            }
            // The reference is what the others are compared with.
            (None, None) if tier.tier == REFERENCE => {}
            _ if found.is_empty() => found.push("it was not compared with the tier that it has to be like".to_owned()),
            _ => {}
        }
        found
    }
}

/// A tier as far as it decides what it is compared with: its name, and its graph by hash.
type View<'a> = (&'a str, Option<&'a str>);

fn graph(identity: &Identity) -> Option<&str> {
    identity.files.get("graph").map(String::as_str)
}

/// The name of the tier to compare with, and what has to be reached.
fn pair<'a>(tiers: &[View<'a>], (name, graph): View<'_>) -> Option<(&'a str, ParityBounds)> {
    // The reference is held against nothing.
    if name == REFERENCE {
        return None;
    }
    let named = |wanted: &str| tiers.iter().copied().find(|(other, _)| *other == wanted && *other != name);
    if name == WORKERS {
        return named(STATIC).map(|(other, _)| (other, SAME_FILE));
    }
    if name == STATIC {
        return named(REFERENCE).or_else(|| named(INT8)).map(|(other, _)| (other, TABLE));
    }
    // The same file elsewhere is compared with itself.
    let twin = [INT8, REFERENCE].into_iter().filter_map(named).find(|(_, own)| own.is_some() && *own == graph);
    if let Some((twin, _)) = twin {
        let bounds = match twin {
            REFERENCE => SAME_FLOATS,
            _ if name == BROWSER => OTHER_INSTRUCTIONS,
            _ => SAME_FILE,
        };
        return Some((twin, bounds));
    }
    let bounds = if name == INT8 { QUANTIZED } else { SMALL };
    named(REFERENCE).or_else(|| named(INT8)).map(|(other, _)| (other, bounds))
}

fn judged(suite: &ParitySuite, answers: &[Answers], one: &Answers) -> Tier {
    let mut tier = Tier {
        tier: one.tier.clone(),
        identity: one.identity.clone(),
        compared_with: None,
        measured: None,
        bounds: None,
        misses: Vec::new(),
    };
    let views: Vec<View<'_>> = answers.iter().map(|one| (one.tier.as_str(), graph(&one.identity))).collect();
    let found = pair(&views, (&one.tier, graph(&one.identity)));
    let other = found.and_then(|(name, bounds)| Some((answers.iter().find(|other| other.tier == name)?, bounds)));
    let Some((other, bounds)) = other else {
        if one.tier != REFERENCE {
            tier.misses.push(format!("there is nothing to compare it with: {REFERENCE} or {INT8} was not measured"));
        }
        return tier;
    };
    tier.compared_with = Some(other.tier.clone());
    tier.bounds = Some(bounds);
    match measure(suite, other, one) {
        Some(measured) => {
            tier.misses = misses(&measured, &bounds);
            tier.measured = Some(measured);
        }
        None => tier.misses.push("its answers are not those to the suite, or hold no numbers".to_owned()),
    }
    tier
}

/// What is not reached, in words.
fn misses(measured: &Measured, bounds: &ParityBounds) -> Vec<String> {
    let mut missed = Vec::new();
    if measured.ids_differ > 0 {
        missed.push(format!("the token ids of {} texts differ", measured.ids_differ));
    }
    let share = measured.recall10 / measured.recall10_of_reference.max(f64::EPSILON);
    let rows = [
        ("mean cosine", measured.cosine_mean, bounds.cosine_mean),
        ("worst cosine", measured.cosine_worst, bounds.cosine_worst),
        ("ten nearest", measured.top10_overlap, bounds.top10_overlap),
        ("recall among ten, of the reference's", share, bounds.recall10_share),
    ];
    let low = rows.iter().filter(|(_, found, least)| found < least);
    missed.extend(low.map(|(what, found, least)| format!("{what} is {found:.5}, {least} is needed")));
    missed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::suite::suite;
    use super::*;

    /// Answers of a tier whose vectors are turned by an angle, and a graph by hash.
    fn answers(tier: &str, graph: &str, turned: f32) -> Answers {
        let count = suite().all().len();
        let vectors = (0..count)
            .map(|at| (at as f32 * 0.37, turned))
            .map(|(angle, turned)| vec![angle.cos(), angle.sin(), turned]);
        let identity =
            Identity { files: BTreeMap::from([("graph".to_owned(), graph.to_owned())]), ..Identity::default() };
        Answers {
            tier: tier.to_owned(),
            identity,
            ids: (0..count).map(|at| vec![101, 2000 + u32::try_from(at).unwrap_or(0), 102]).collect(),
            vectors: vectors.collect(),
        }
    }

    fn certified(answers: &[Answers]) -> Certificate {
        Certificate::of(suite(), answers, Vec::new(), 0)
    }

    #[test]
    fn each_tier_is_held_against_the_one_that_it_should_be() {
        let all = [
            answers("server-fp32", "a", 0.0),
            answers("server-int8", "b", 0.05),
            answers("edge", "b", 0.05),
            answers("static", "c", 0.3),
            answers("workers", "c", 0.3),
            answers("browser", "b", 0.05),
        ];
        let found = certified(&all);
        let pairs: Vec<_> = found.tiers.iter().map(|tier| (tier.compared_with.as_deref(), tier.bounds)).collect();
        assert_eq!(pairs[0], (None, None));
        assert_eq!(pairs[1], (Some("server-fp32"), Some(QUANTIZED)));
        assert_eq!(pairs[2], (Some("server-int8"), Some(SAME_FILE)));
        assert_eq!(pairs[3], (Some("server-fp32"), Some(TABLE)));
        assert_eq!(pairs[4], (Some("static"), Some(SAME_FILE)));
        assert_eq!(pairs[5], (Some("server-int8"), Some(OTHER_INSTRUCTIONS)));
        assert!(found.tier("edge").expect("it was measured").holds());
        let text = serde_json::to_string(&found).expect("plain data");
        assert_eq!(serde_json::from_str::<Certificate>(&text).expect("the same").tiers.len(), 6);
    }

    #[test]
    fn what_a_tier_misses_is_said() {
        let mut edge = answers("edge", "b", 0.9);
        edge.ids[3] = vec![101, 1, 102];
        let found = certified(&[answers("server-fp32", "a", 0.0), answers("server-int8", "b", 0.0), edge]);
        let tier = found.tier("edge").expect("it was measured");
        assert!(!tier.holds());
        assert_eq!(tier.misses[0], "the token ids of 1 texts differ");
        assert!(tier.misses[1].starts_with("mean cosine is 0.7"), "{:?}", tier.misses);
        assert_eq!(found.misses(tier), tier.misses);
        let alone = certified(&[answers("edge", "b", 0.0)]);
        assert!(alone.tiers[0].misses[0].contains("nothing to compare it with"), "{:?}", alone.tiers[0].misses);
    }

    #[test]
    fn bounds_of_this_version_count_and_not_those_of_the_one_that_signed() {
        let mut found =
            certified(&[answers("server-fp32", "a", 0.0), answers("server-int8", "b", 0.0), answers("edge", "b", 0.9)]);
        let lenient = ParityBounds { cosine_mean: 0.1, cosine_worst: 0.1, top10_overlap: 0.1, recall10_share: 0.1 };
        (found.tiers[2].misses, found.tiers[2].bounds) = (Vec::new(), Some(lenient));
        assert!(found.misses(&found.tiers[2])[0].starts_with("mean cosine is 0.7"));
        assert_eq!(found.misses(&found.tiers[0]), Vec::<String>::new());
        // A figure against another tier, or none at all, says nothing.
        found.tiers[2].compared_with = Some("server-fp32".to_owned());
        assert_eq!(found.misses(&found.tiers[2]), ["it was not compared with the tier that it has to be like"]);
        found.tiers[2].measured = None;
        assert_eq!(found.misses(&found.tiers[2]).len(), 1);
    }
}
