//! A text whose vector is known: embedded when a model is loaded, and again and again while it serves.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::backend::Backend;
use super::batch::Batch;
use super::head::Head;
use super::tokenize::Tokens;
use crate::files;

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
    /// Its vector, not normalised.
    pub vector: Vec<f32>,
}

/// What a folder asks for: the text, and what its vector has to be like.
#[derive(Clone, Debug)]
pub struct Question {
    /// The text.
    pub text: String,
    expected: Option<(Vec<f32>, f32)>,
}

impl Question {
    /// Reads `canary.json`; a text of our own and no expectation when it is not there.
    ///
    /// # Errors
    /// It is there, and says nothing that can be compared.
    pub fn read(file: &Path, dimension: usize) -> Result<Self, String> {
        let bytes = match files::read(file, LARGEST) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { text: TEXT.to_owned(), expected: None });
            }
            Err(why) => return Err(why.to_string()),
        };
        let expected: Expected = serde_json::from_slice(&bytes).map_err(|why| format!("not as expected: {why}"))?;
        let vector = match expected.vector {
            Numbers::List(list) => list,
            Numbers::Base64(text) => floats(&text)?,
        };
        if vector.len() != dimension {
            return Err(format!("its vector has {} numbers, but those of the model have {dimension}", vector.len()));
        }
        let least = expected.min_cosine.unwrap_or(LIKE_EXPECTED);
        Ok(Self { text: expected.text, expected: Some((vector, least)) })
    }

    /// Compares a vector with what the folder expects.
    ///
    /// # Errors
    /// It is no vector, or another one.
    pub fn check(&self, vector: &[f32]) -> Result<(), String> {
        sound(vector)?;
        let Some((expected, least)) = &self.expected else { return Ok(()) };
        let alike = cosine(expected, vector);
        // NaN is not alike.
        if alike >= *least {
            return Ok(());
        }
        Err(format!(
            "the vector of its text has a cosine of {alike:.4} to the one in the file; at least {least} is wanted"
        ))
    }
}

impl Canary {
    /// How alike a fresh vector of the text is.
    ///
    /// # Errors
    /// It is no vector, or another one.
    pub fn compare(&self, fresh: &[f32]) -> Result<f32, String> {
        sound(fresh)?;
        let alike = cosine(&self.vector, fresh);
        if alike >= ALIKE {
            return Ok(alike);
        }
        Err(format!(
            "the canary's vector has a cosine of {alike:.4} to the one made at load; at least {ALIKE} is wanted"
        ))
    }
}

/// The vector of these tokens, alone in a batch, not normalised.
///
/// # Errors
/// What the runtime said.
pub fn embed(backend: &mut dyn Backend, tokens: &Tokens, pad: u32, head: &Head) -> Result<Vec<f32>, String> {
    let (mut batch, mut vectors) = (Batch::default(), Vec::new());
    batch.fill(std::iter::once(&*tokens.ids), pad);
    batch.skips[0] = tokens.prompt;
    let mut made = Ok(());
    backend.run(&batch, &mut |output| made = head.vectors(output, &batch, &mut vectors))?;
    made?;
    vectors.pop().ok_or_else(|| "the graph gives no vector".to_owned())
}

fn floats(text: &str) -> Result<Vec<f32>, String> {
    let bytes = STANDARD.decode(text).map_err(|why| format!("its vector is no base64: {why}"))?;
    let (whole, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("its vector is no row of 32-bit floats".to_owned());
    }
    Ok(whole.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

/// Numbers, and not all of them zero.
fn sound(vector: &[f32]) -> Result<(), String> {
    if vector.iter().any(|value| !value.is_finite()) {
        return Err("the model gives what is no number (NaN or infinite) for a plain text".to_owned());
    }
    if vector.iter().all(|value| *value == 0.0) {
        return Err("the model gives zeros for a plain text".to_owned());
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
    use super::{Canary, Question};

    fn question(text: &str, dimension: usize) -> Result<Question, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("canary.json");
        std::fs::write(&file, text).unwrap();
        Question::read(&file, dimension)
    }

    #[test]
    fn a_list_and_base64_say_the_same() {
        // 1.0 and 2.0, little endian.
        let coded = question(r#"{"text": "a", "vector": "AACAPwAAAEA="}"#, 2).unwrap();
        let listed = question(r#"{"text": "a", "vector": [1, 2], "min_cosine": 0.97}"#, 2).unwrap();
        for question in [coded, listed] {
            assert_eq!(question.text, "a");
            assert_eq!(question.check(&[2.0, 4.0]), Ok(()));
            assert!(question.check(&[2.0, -1.0]).unwrap_err().contains("0.97"));
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        assert!(question("{}", 2).unwrap_err().contains("text"));
        assert!(question(r#"{"text": "a", "vector": [1]}"#, 2).unwrap_err().contains("have 2"));
        assert!(question(r#"{"text": "a", "vector": "AACAPwA="}"#, 2).unwrap_err().contains("32-bit"));
    }

    #[test]
    fn a_folder_without_a_file_expects_numbers_only() {
        let question = Question::read(std::path::Path::new("/nonexistent/canary.json"), 2).unwrap();
        assert_eq!(question.check(&[0.1, -3.0]), Ok(()));
        assert!(question.check(&[0.1, f32::NAN]).unwrap_err().contains("NaN"));
        assert!(question.check(&[0.0, 0.0]).unwrap_err().contains("zeros"));
    }

    #[test]
    fn another_vector_is_not_alike() {
        let canary = Canary { text: "a".to_owned(), vector: vec![1.0, 0.0] };
        assert!(canary.compare(&[2.0, 0.01]).unwrap() > 0.9999);
        assert!(canary.compare(&[2.0, 1.0]).is_err());
        assert!(canary.compare(&[f32::INFINITY, 1.0]).is_err());
    }
}
