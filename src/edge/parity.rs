//! The similarity of two tiers: IDs, vectors, and search results in a corpus. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::suite::ParitySuite;

/// How many of the nearest texts are looked at.
const NEAREST: usize = 10;

/// What a tier answered to all texts of the suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Name of the tier.
    pub tier: String,
    /// What it runs: the files by hash, its version, the runtime.
    pub identity: Identity,
    /// Token ids of each text.
    pub ids: Vec<Vec<u32>>,
    /// The vectors, of any length.
    pub vectors: Vec<Vec<f32>>,
}

/// What a tier runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// The version that its answers name.
    pub version: String,
    /// SHA-256 of its files, by what they are.
    pub files: BTreeMap<String, String>,
    /// Runtime or device.
    pub runs_on: String,
}

/// Two tiers, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Texts whose ids differ, of all.
    pub ids_differ: usize,
    /// Mean cosine of the texts without the padding token, empty ones and lone special tokens among them. Texts with the same ids count
    /// once: they are one input.
    pub cosine_mean: f64,
    /// The worst of them.
    pub cosine_worst: f64,
    /// The worst of texts that contain the padding token itself (`[PAD]`), which no bound holds: attention masks hide that token
    /// wherever a model is trained or calibrated, so its row says nothing and its states lie outside the ranges of 8-bit activations.
    pub padding_worst: f64,
    /// Share of the ten nearest that are the same, each tier's questions in the index of the first one.
    pub top10_overlap: f64,
    /// How often a question finds its answer among the ten nearest, in the index of the first tier.
    pub recall10: f64,
    /// The same for the questions of the first tier.
    pub recall10_of_reference: f64,
}

/// The text of the suite that is the padding token alone.
const PADDING: &str = "[PAD]";

/// Compares a tier with the one that it is to be like. None when they do not answer the same texts.
pub fn measure(suite: &ParitySuite, reference: &Answers, tier: &Answers) -> Option<Measured> {
    let count = suite.all().len();
    let sizes = [reference.ids.len(), reference.vectors.len(), tier.ids.len(), tier.vectors.len()];
    let (one, other) = (normalized(&reference.vectors)?, normalized(&tier.vectors)?);
    let width = one.first()?.len();
    if sizes.iter().any(|size| *size != count) || one.iter().chain(&other).any(|vector| vector.len() != width) {
        return None;
    }
    let padding = padding_id(suite, reference);
    let (mut held, mut padded, mut distinct) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (at, ids) in reference.ids.iter().enumerate().take(suite.texts.len()) {
        let cosine = dot(&one[at], &other[at]);
        if padding.is_some_and(|id| ids.contains(&id)) {
            padded.push(cosine);
            continue;
        }
        held.push(cosine);
        // Texts that are the same to the model (empty ones, ones of unknown characters) count once in the mean.
        distinct.entry((ids, &tier.ids[at])).or_insert(cosine);
    }
    let begin = suite.texts.len();
    let index = &one[begin..begin + suite.corpus.len()];
    let questions = begin + suite.corpus.len();
    let found = |vectors: &[Vec<f64>]| -> Vec<Vec<usize>> {
        vectors[questions..].iter().map(|question| nearest(question, index)).collect()
    };
    let (theirs, ours) = (found(&one), found(&other));
    Some(Measured {
        ids_differ: reference.ids.iter().zip(&tier.ids).filter(|(one, other)| one != other).count(),
        cosine_mean: mean(&distinct.into_values().collect::<Vec<f64>>()),
        cosine_worst: worst(&held),
        padding_worst: worst(&padded),
        top10_overlap: mean(&theirs.iter().zip(&ours).map(|(one, other)| shared(one, other)).collect::<Vec<f64>>()),
        recall10: recall(suite, &ours),
        recall10_of_reference: recall(suite, &theirs),
    })
}

/// The id of the padding token: what the suite's text of it has between the first token and the last one. None where the tokenizer has
/// no such token and cuts the text into pieces.
fn padding_id(suite: &ParitySuite, reference: &Answers) -> Option<u32> {
    let at = suite.texts.iter().position(|text| text == PADDING)?;
    match reference.ids[at].as_slice() {
        [_, id, _] => Some(*id),
        _ => None,
    }
}

/// Vectors of length 1; none where one has no direction or a number is missing.
fn normalized(vectors: &[Vec<f32>]) -> Option<Vec<Vec<f64>>> {
    vectors
        .iter()
        .map(|vector| {
            let wide: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
            let length = dot(&wide, &wide).sqrt();
            (length.is_finite() && length > 0.0).then(|| wide.iter().map(|value| value / length).collect())
        })
        .collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 1.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(1.0, f64::min)
}

/// The places of the nearest texts, nearest first; of two that are equally near the first one.
fn nearest(question: &[f64], index: &[Vec<f64>]) -> Vec<usize> {
    let mut places: Vec<(usize, f64)> = index.iter().map(|text| dot(question, text)).enumerate().collect();
    places.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    places.into_iter().take(NEAREST).map(|(place, _)| place).collect()
}

fn shared(one: &[usize], other: &[usize]) -> f64 {
    one.iter().filter(|place| other.contains(place)).count() as f64 / one.len().max(1) as f64
}

fn recall(suite: &ParitySuite, found: &[Vec<usize>]) -> f64 {
    let hits = suite.queries.iter().zip(found).filter(|(query, places)| places.contains(&query.answer));
    hits.count() as f64 / suite.queries.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::suite::Query;
    use super::*;

    fn suite() -> ParitySuite {
        let texts = ["word", "[PAD]", ""].map(str::to_owned).to_vec();
        let corpus = (0..12).map(|number| format!("text {number}")).collect();
        ParitySuite { texts, corpus, queries: vec![Query { text: "which".to_owned(), answer: 0 }] }
    }

    /// Answers whose vectors point where `angle` says, in degrees.
    fn answers(angle: impl Fn(usize) -> f32) -> Answers {
        let mut ids = vec![vec![2, 9, 3], vec![2, 0, 3], vec![2, 3]];
        ids.resize(16, vec![2, 8, 3]);
        let vectors =
            (0..16).map(|at| vec![angle(at).to_radians().cos() * 3.0, angle(at).to_radians().sin() * 3.0]).collect();
        Answers { tier: "t".to_owned(), identity: Identity::default(), ids, vectors }
    }

    #[test]
    fn a_tier_is_like_itself() {
        let one = answers(|at| at as f32);
        let found = measure(&suite(), &one, &one).expect("the same texts");
        assert_eq!((found.ids_differ, found.top10_overlap), (0, 1.0));
        assert!((found.cosine_mean - 1.0).abs() < 1e-9 && (found.padding_worst - 1.0).abs() < 1e-9);
        assert_eq!(found.recall10, found.recall10_of_reference);
    }

    #[test]
    fn what_differs_is_seen_and_the_padding_token_is_told_apart() {
        let one = answers(|at| at as f32);
        let mut other = answers(|at| match at {
            0 => 10.0,
            1 => 91.0,
            15 => 0.0,
            _ => at as f32,
        });
        other.ids[7] = vec![2, 7, 3];
        let found = measure(&suite(), &one, &other).expect("the same texts");
        assert_eq!(found.ids_differ, 1);
        assert!((found.cosine_worst - 10.0_f64.to_radians().cos()).abs() < 1e-6, "{found:?}");
        assert!((found.padding_worst - 0.0).abs() < 1e-6, "{found:?}");
        // The question at 15 degrees finds the texts at 5 to 14, the one at 0 those at 3 to 12; the answer is at 3.
        assert!((found.top10_overlap - 0.8).abs() < 1e-9, "{found:?}");
        assert_eq!((found.recall10, found.recall10_of_reference), (1.0, 0.0));
    }

    #[test]
    fn texts_with_the_same_ids_count_once_in_the_mean_and_each_in_the_worst() {
        let suite = ParitySuite { texts: ["a", "b", "c"].map(str::to_owned).to_vec(), ..suite() };
        let same = |mut answers: Answers| {
            answers.ids[1] = answers.ids[0].clone();
            answers
        };
        let one = same(answers(|_| 0.0));
        let other = same(answers(|at| if at == 1 { 60.0 } else { 0.0 }));
        let found = measure(&suite, &one, &other).expect("the same texts");
        assert!((found.cosine_mean - 1.0).abs() < 1e-9 && (found.cosine_worst - 0.5).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn an_empty_text_is_held_by_the_bounds() {
        let one = answers(|at| at as f32);
        let other = answers(|at| if at == 2 { 62.0 } else { at as f32 });
        let found = measure(&suite(), &one, &other).expect("the same texts");
        assert!((found.cosine_worst - 0.5).abs() < 1e-6 && (found.padding_worst - 1.0).abs() < 1e-9, "{found:?}");
        // A tokenizer without that token leaves nothing out.
        let pieces = |mut answers: Answers| {
            answers.ids[1] = vec![2, 7, 8, 9, 3];
            answers
        };
        let turned = answers(|at| if at == 1 { 61.0 } else { at as f32 });
        let found = measure(&suite(), &pieces(one), &pieces(turned)).expect("the same texts");
        assert!((found.cosine_worst - 0.5).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn answers_to_other_texts_are_not_compared() {
        let one = answers(|at| at as f32);
        let mut short = one.clone();
        short.vectors.pop();
        assert_eq!(measure(&suite(), &one, &short), None);
        let mut broken = one.clone();
        broken.vectors[3] = vec![f32::NAN, 0.0];
        assert_eq!(measure(&suite(), &one, &broken), None);
        broken.vectors[3] = vec![0.0, 0.0];
        assert_eq!(measure(&suite(), &one, &broken), None);
    }
}
