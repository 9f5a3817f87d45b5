//! Lists of tokens beside a tokenizer: they are given to everybody who downloads the model, so they have to be what they are called.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::files;
use crate::inference::folder::bounds;

/// The tokenizer that knows its tokens.
const TOKENIZER: &str = "tokenizer.json";
/// Lists that may be next to it.
const LISTS: [&str; 2] = ["vocab.txt", MERGES];
const MERGES: &str = "merges.txt";
/// Bytes of a token.
const LONGEST: usize = 256;
/// Of ten lines so many are known to the tokenizer: older lists have a few of their own.
const KNOWN_OF_TEN: usize = 9;

/// Why a list of tokens is not handed on.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyFault {
    /// The system does not give a file.
    #[error("{name}: {source}")]
    Unread {
        /// Its name.
        name: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The tokenizer is not JSON.
    #[error("{}: {source}", TOKENIZER)]
    Tokenizer {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The list is another one.
    #[error("{name} does not match the tokens of {}: remove it from the folder, nothing needs it", TOKENIZER)]
    Foreign {
        /// Its name.
        name: &'static str,
    },
}

/// Looks whether the lists of a folder are those of its tokenizer.
///
/// # Errors
/// Which one is not, or what cannot be read.
pub fn check(folder: &Path) -> Result<(), VocabularyFault> {
    let there: Vec<&'static str> = LISTS.into_iter().filter(|name| folder.join(name).exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let bytes = files::read(&folder.join(TOKENIZER), bounds::TOKENIZER)
        .map_err(|source| VocabularyFault::Unread { name: TOKENIZER, source })?;
    let tokenizer: Value = serde_json::from_slice(&bytes).map_err(|source| VocabularyFault::Tokenizer { source })?;
    let known = known(&tokenizer);
    for name in there {
        let text = files::read_text(&folder.join(name), bounds::TOKENIZER)
            .map_err(|source| VocabularyFault::Unread { name, source })?;
        // A tokenizer of another kind does not tell its tokens.
        let fits = if known.is_empty() { is_list(&text, name == MERGES) } else { is_of(&text, &known) };
        if !fits {
            return Err(VocabularyFault::Foreign { name });
        }
    }
    Ok(())
}

/// The lines of a list, without the first one of a list of merges.
fn lines(text: &str) -> Vec<&str> {
    let lines = text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with("#version")).collect()
}

/// Whether a text has the form of a list: a token a line, or a pair of them.
fn is_list(text: &str, pairs: bool) -> bool {
    lines(text).into_iter().all(|line| {
        let spaces = line.chars().filter(|c| c.is_whitespace()).count();
        line.len() <= LONGEST && !line.chars().any(char::is_control) && spaces == usize::from(pairs)
    })
}

/// Whether a text is a list of what is known, one a line.
fn is_of(text: &str, known: &HashSet<String>) -> bool {
    let lines = lines(text);
    let count = lines.iter().filter(|line| known.contains(**line)).count();
    count * 10 >= lines.len() * KNOWN_OF_TEN
}

/// Tokens and merges of a tokenizer, as lines.
fn known(tokenizer: &Value) -> HashSet<String> {
    let mut known = HashSet::new();
    match &tokenizer["model"]["vocab"] {
        Value::Object(tokens) => known.extend(tokens.keys().cloned()),
        // Unigram: tokens with their scores.
        Value::Array(tokens) => {
            known.extend(tokens.iter().filter_map(|token| Some(token.get(0)?.as_str()?.to_owned())))
        }
        _ => {}
    }
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    known.extend(added.filter_map(|token| Some(token["content"].as_str()?.to_owned())));
    for merge in tokenizer["model"]["merges"].as_array().into_iter().flatten() {
        match merge {
            Value::String(merge) => drop(known.insert(merge.clone())),
            Value::Array(pair) => {
                let parts: Vec<&str> = pair.iter().filter_map(Value::as_str).collect();
                known.insert(parts.join(" "));
            }
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn folder(tokenizer: &Value, name: &str, text: &str) -> Result<(), VocabularyFault> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TOKENIZER), tokenizer.to_string()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        check(folder.path())
    }

    #[test]
    fn a_list_is_that_of_the_tokenizer() {
        let words = json!({"model": {"vocab": {"[PAD]": 0, "red": 1, "car": 2}}});
        folder(&words, "vocab.txt", "[PAD]\nred\ncar\n").unwrap();
        folder(&words, "vocab.txt", "[PAD]\r\nred\r\n").unwrap();
        folder(&words, "notes.txt", "nobody is given this").unwrap();
        let pairs = json!({"model": {"vocab": {"r": 0}, "merges": [["r", "e"], "re d"]}});
        folder(&pairs, "merges.txt", "#version: 0.2\nr e\nre d\n").unwrap();
        let scored = json!({"model": {"vocab": [["red", -1.5]]}, "added_tokens": [{"content": "<s>"}]});
        folder(&scored, "vocab.txt", "red\n<s>\n").unwrap();
    }

    #[test]
    fn another_file_under_its_name_is_none() {
        let words = json!({"model": {"vocab": {"[PAD]": 0, "red": 1}}});
        for text in ["uid=0(root) gid=0(root)\n", "root:x:0:0::/root:/bin/sh\n", "red\nsecret\n"] {
            let why = folder(&words, "vocab.txt", text).unwrap_err();
            assert!(matches!(why, VocabularyFault::Foreign { name: "vocab.txt" }), "{text}: {why}");
            assert!(why.to_string().starts_with("vocab.txt does not match"), "{why}");
        }
        assert!(folder(&words, "merges.txt", "a b\n").is_err());
        assert!(folder(&words, "vocab.txt", "red\nhunter2\n").is_err());
    }

    #[test]
    fn beside_a_tokenizer_that_does_not_tell_its_tokens_the_form_counts() {
        let other = json!({"version": "1.0"});
        folder(&other, "vocab.txt", "[PAD]\nred\n").unwrap();
        folder(&other, "merges.txt", "#version: 0.2\nr e\n").unwrap();
        for text in ["-----BEGIN OPENSSH PRIVATE KEY-----\n", "a\tb\n", &"a".repeat(300)] {
            assert!(folder(&other, "vocab.txt", text).is_err(), "{text}");
        }
        assert!(folder(&other, "merges.txt", "one\n").is_err());
    }
}
