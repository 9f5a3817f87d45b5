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

/// The same arithmetic in another place: native and WebAssembly, one version of the runtime and another.
pub const SAME_FILE: ParityBounds =
    ParityBounds { cosine_mean: 0.9999, cosine_worst: 0.999, top10_overlap: 0.99, recall10_share: 0.99 };
/// 32-bit floats in two places.
pub const SAME_FLOATS: ParityBounds =
    ParityBounds { cosine_mean: 0.9999, cosine_worst: 0.9999, top10_overlap: 0.99, recall10_share: 0.99 };
/// A graph in 8 bits against the one in 32-bit floats.
pub const QUANTIZED: ParityBounds =
    ParityBounds { cosine_mean: 0.997, cosine_worst: 0.975, top10_overlap: 0.95, recall10_share: 0.97 };
/// The graph with word embeddings in 4 bits, which says what it loses.
pub const SMALL: ParityBounds =
    ParityBounds { cosine_mean: 0.99, cosine_worst: 0.95, top10_overlap: 0.85, recall10_share: 0.97 };
/// The static tier: it finds what the model put into the index, and is labeled.
pub const TABLE: ParityBounds =
    ParityBounds { cosine_mean: 0.75, cosine_worst: -1.0, top10_overlap: 0.3, recall10_share: 0.95 };

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
}

/// The tier to compare with, and what has to be reached.
fn pair<'a>(answers: &'a [Answers], one: &Answers) -> Option<(&'a Answers, ParityBounds)> {
    // The reference is held against nothing.
    if one.tier == REFERENCE {
        return None;
    }
    let named = |name: &str| answers.iter().find(|other| other.tier == name && other.tier != one.tier);
    let graph = |answers: &Answers| answers.identity.files.get("graph").cloned();
    if one.tier == WORKERS {
        return named(STATIC).map(|other| (other, SAME_FILE));
    }
    if one.tier == STATIC {
        return named(REFERENCE).or_else(|| named(INT8)).map(|other| (other, TABLE));
    }
    // The same file elsewhere is compared with itself.
    let twin = [INT8, REFERENCE]
        .into_iter()
        .filter_map(named)
        .find(|other| graph(other).is_some() && graph(other) == graph(one));
    if let Some(twin) = twin {
        let bounds = if twin.tier == REFERENCE { SAME_FLOATS } else { SAME_FILE };
        return Some((twin, bounds));
    }
    let bounds = if one.tier == INT8 { QUANTIZED } else { SMALL };
    named(REFERENCE).or_else(|| named(INT8)).map(|other| (other, bounds))
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
    let Some((other, bounds)) = pair(answers, one) else {
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
        ];
        let found = certified(&all);
        let pairs: Vec<_> = found.tiers.iter().map(|tier| (tier.compared_with.as_deref(), tier.bounds)).collect();
        assert_eq!(pairs[0], (None, None));
        assert_eq!(pairs[1], (Some("server-fp32"), Some(QUANTIZED)));
        assert_eq!(pairs[2], (Some("server-int8"), Some(SAME_FILE)));
        assert_eq!(pairs[3], (Some("server-fp32"), Some(TABLE)));
        assert_eq!(pairs[4], (Some("static"), Some(SAME_FILE)));
        assert!(found.tier("edge").expect("it was measured").holds());
        let text = serde_json::to_string(&found).expect("plain data");
        assert_eq!(serde_json::from_str::<Certificate>(&text).expect("the same").tiers.len(), 5);
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
        let alone = certified(&[answers("edge", "b", 0.0)]);
        assert!(alone.tiers[0].misses[0].contains("nothing to compare it with"), "{:?}", alone.tiers[0].misses);
    }
}
