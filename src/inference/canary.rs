//! The canary: a text with a known vector, embedded when a model is loaded and at intervals while it is served.

mod fault;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::backend::{Backend, RunFault};
use super::batch::Batch;
use super::head::OutputHead;
use super::tokenize::Tokens;
use crate::files;
pub use fault::CanaryFault;

/// The text of a model whose folder names none.
const TEXT: &str = "A canary sings in the mine: the air is good.";
/// How alike the vector of the same text by the same model has to be, whatever else is in its batch.
pub const ALIKE: f32 = 0.999;
/// How alike it has to be to the one in `canary.json`, which was made with 32-bit floats.
const LIKE_EXPECTED: f32 = 0.97;

/// Bytes of `canary.json` at most.
const LARGEST: u64 = 16 << 20;

/// `canary.json` in a model's folder: what its maker got.
#[derive(Debug, Deserialize)]
struct Expected {
    text: String,
    vector: Numbers,
    min_cosine: Option<f32>,
}

/// A list, or 32-bit floats, little endian, in base64.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Numbers {
    List(Vec<f32>),
    Base64(String),
}

/// The text of a model and its vector as this process made it at load.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The text.
    pub text: String,
    /// Its vector, not normalized.
    pub vector: Vec<f32>,
}

/// What a folder asks for: the text, and what its vector has to be like.
#[derive(Clone, Debug)]
pub struct CanaryText {
    /// The text.
    pub text: String,
    expected: Option<(Vec<f32>, f32)>,
}

impl CanaryText {
    /// Reads `canary.json`; a text of our own and no expectation when it is not there.
    ///
    /// # Errors
    /// It is there, and says nothing that can be compared.
    pub fn read(file: &Path, dimension: usize) -> Result<Self, CanaryFault> {
        let bytes = match files::read(file, LARGEST) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { text: TEXT.to_owned(), expected: None });
            }
            Err(why) => return Err(why.into()),
        };
        let expected: Expected = serde_json::from_slice(&bytes)?;
        let vector = match expected.vector {
            Numbers::List(list) => list,
            Numbers::Base64(text) => floats(&text)?,
        };
        if vector.len() != dimension {
            return Err(CanaryFault::Length { found: vector.len(), wanted: dimension });
        }
        let least = expected.min_cosine.unwrap_or(LIKE_EXPECTED);
        Ok(Self { text: expected.text, expected: Some((vector, least)) })
    }

    /// Compares a vector with what the folder expects.
    ///
    /// # Errors
    /// Its numbers are of no use, or they are others.
    pub fn check(&self, vector: &[f32]) -> Result<(), CanaryFault> {
        sound(vector)?;
        let Some((expected, least)) = &self.expected else { return Ok(()) };
        let alike = cosine(expected, vector);
        // NaN is not alike.
        if alike >= *least {
            return Ok(());
        }
        Err(CanaryFault::Expected { found: alike, wanted: *least })
    }
}

impl Canary {
    /// How alike a fresh vector of the text is.
    ///
    /// # Errors
    /// Its numbers are of no use, or they are others.
    pub fn compare(&self, fresh: &[f32]) -> Result<f32, CanaryFault> {
        sound(fresh)?;
        let alike = cosine(&self.vector, fresh);
        if alike >= ALIKE {
            return Ok(alike);
        }
        Err(CanaryFault::Changed { found: alike, wanted: ALIKE })
    }
}

/// The vector of these tokens, alone in a batch, not normalized.
///
/// # Errors
/// What the runtime said.
pub fn embed(backend: &mut dyn Backend, tokens: &Tokens, pad: u32, head: &OutputHead) -> Result<Vec<f32>, RunFault> {
    let (mut batch, mut vectors) = (Batch::default(), Vec::new());
    batch.fill(std::iter::once(&*tokens.ids), pad);
    batch.skips[0] = tokens.prompt;
    let mut made = Ok(());
    backend.run(&batch, &mut |output| made = head.vectors(output, &batch, &mut vectors))?;
    made?;
    vectors.pop().ok_or(RunFault::Count { found: 0, wanted: 1 })
}

fn floats(text: &str) -> Result<Vec<f32>, CanaryFault> {
    let bytes = STANDARD.decode(text)?;
    let (whole, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(CanaryFault::Floats { bytes: bytes.len() });
    }
    Ok(whole.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

/// Numbers, and not all of them zero.
fn sound(vector: &[f32]) -> Result<(), CanaryFault> {
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(CanaryFault::NotFinite);
    }
    if vector.iter().all(|value| *value == 0.0) {
        return Err(CanaryFault::Zeros);
    }
    Ok(())
}

/// Cosine of two vectors of the same length.
fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    (dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::{Canary, CanaryFault, CanaryText};

    fn question(text: &str, dimension: usize) -> Result<CanaryText, CanaryFault> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("canary.json");
        std::fs::write(&file, text).unwrap();
        CanaryText::read(&file, dimension)
    }

    #[test]
    fn a_list_and_base64_say_the_same() {
        // 1.0 and 2.0, little endian.
        let coded = question(r#"{"text": "a", "vector": "AACAPwAAAEA="}"#, 2).unwrap();
        let listed = question(r#"{"text": "a", "vector": [1, 2], "min_cosine": 0.97}"#, 2).unwrap();
        for question in [coded, listed] {
            assert_eq!(question.text, "a");
            question.check(&[2.0, 4.0]).unwrap();
            let other = question.check(&[2.0, -1.0]).unwrap_err();
            assert!(matches!(other, CanaryFault::Expected { .. }), "{other}");
            assert!(other.to_string().ends_with("at least 0.97 is required"), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let refused = |text: &str| question(text, 2).unwrap_err();
        let empty = refused("{}");
        assert!(matches!(empty, CanaryFault::Format(_)) && empty.to_string().contains("text"), "{empty}");
        assert!(matches!(refused(r#"{"text": "a", "vector": [1]}"#), CanaryFault::Length { found: 1, wanted: 2 }));
        assert!(matches!(refused(r#"{"text": "a", "vector": "AACAPwA="}"#), CanaryFault::Floats { bytes: 5 }));
        assert!(matches!(refused(r#"{"text": "a", "vector": "?"}"#), CanaryFault::Base64(_)));
    }

    #[test]
    fn a_folder_without_a_file_expects_numbers_only() {
        let question = CanaryText::read(std::path::Path::new("/nonexistent/canary.json"), 2).unwrap();
        question.check(&[0.1, -3.0]).unwrap();
        assert!(matches!(question.check(&[0.1, f32::NAN]), Err(CanaryFault::NotFinite)));
        assert!(matches!(question.check(&[0.0, 0.0]), Err(CanaryFault::Zeros)));
    }

    #[test]
    fn another_vector_is_not_alike() {
        let canary = Canary { text: "a".to_owned(), vector: vec![1.0, 0.0] };
        assert!(canary.compare(&[2.0, 0.01]).unwrap() > 0.9999);
        assert!(canary.compare(&[2.0, 1.0]).is_err());
        assert!(canary.compare(&[f32::INFINITY, 1.0]).is_err());
    }
}
