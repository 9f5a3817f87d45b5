//! How large the files of a model may be, by what they are called. Whoever takes a model in looks before it reads or hashes them.

/// Bytes of a file of settings.
pub const SETTINGS: u64 = 16 << 20;
/// Bytes of a tokenizer, and of a list of tokens; those with 250,000 pieces have 17 MB.
pub const TOKENIZER: u64 = 512 << 20;
/// Bytes of the weights of a layer behind the pooling.
pub const LAYER: u64 = 1 << 30;

/// Tokenizers and lists of tokens in the forms that are in use.
const TOKENS: [&str; 7] = [
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
];

/// Bytes that a file of a model may have; none for graphs and their weights, which the disk and the memory of all models bound.
pub fn most(path: &str) -> Option<u64> {
    if TOKENS.contains(&path) {
        return Some(TOKENIZER);
    }
    match path.rsplit_once('.')? {
        (_, "json") => Some(SETTINGS),
        (_, "safetensors") => Some(LAYER),
        _ => None,
    }
}

/// A file of a model is larger than such a file may be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} has {bytes} bytes; at most {most} are read")]
pub struct FileTooLarge {
    /// Its path in the model's folder.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that it may have.
    pub most: u64,
}

/// Whether a file of a model may have so many bytes.
///
/// # Errors
/// How many it may have.
pub fn check(path: &str, bytes: u64) -> Result<(), FileTooLarge> {
    match most(path).filter(|most| bytes > *most) {
        Some(most) => Err(FileTooLarge { path: path.to_owned(), bytes, most }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_as_a_whole_has_a_bound() {
        assert!(check("tokenizer.json", TOKENIZER).is_ok() && check("config.json", SETTINGS).is_ok());
        let why = check("tokenizer.json", 20 << 30).unwrap_err();
        assert_eq!(why.to_string(), "tokenizer.json has 21474836480 bytes; at most 536870912 are read");
        for path in ["config.json", "1_Pooling/config.json", "modules.json", "vocab.txt", "2_Dense/model.safetensors"] {
            assert!(check(path, 20 << 30).is_err(), "{path}");
        }
        for path in ["onnx/model.onnx", "onnx/model.onnx_data", "README"] {
            assert!(check(path, 20 << 30).is_ok(), "{path}");
        }
    }
}
