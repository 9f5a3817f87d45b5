//! The tokens of a text in readable form, and the conversion of ids to text.

use tokenizers::Tokenizer;

use super::tokenize::{TextTokenizer, TokenizerFault};

/// One token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenPiece {
    /// Its id.
    pub id: u32,
    /// The part of the text that it stands for; its name when it is a special one.
    pub text: String,
    /// The tokenizer put it there.
    pub special: bool,
    /// From which byte of the text to which; nothing for a special one.
    pub place: Option<(usize, usize)>,
}

impl TextTokenizer {
    /// All tokens of a text, however long it is.
    ///
    /// # Errors
    /// What the tokenizer said.
    pub fn pieces(&self, text: &str, add_special_tokens: bool) -> Result<Vec<TokenPiece>, TokenizerFault> {
        let encoding = self.uncut().encode(text, add_special_tokens).map_err(TokenizerFault::library)?;
        let each = encoding.get_ids().iter().zip(encoding.get_tokens());
        let rest = encoding.get_special_tokens_mask().iter().zip(encoding.get_offsets());
        let mut pieces = Vec::with_capacity(encoding.len());
        for ((&id, name), (&special, &(from, to))) in each.zip(rest) {
            pieces.push(if special == 1 {
                TokenPiece { id, text: name.clone(), special: true, place: None }
            } else {
                let bytes = text.as_bytes().get(from..to).unwrap_or_default();
                TokenPiece {
                    id,
                    text: String::from_utf8_lossy(bytes).into_owned(),
                    special: false,
                    place: Some((from, to)),
                }
            });
        }
        Ok(pieces)
    }

    /// The text of ids. Those that the tokenizer does not know are left out.
    ///
    /// # Errors
    /// What the tokenizer said.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, TokenizerFault> {
        let tokenizer: &Tokenizer = self.uncut();
        tokenizer.decode(ids, skip_special_tokens).map_err(TokenizerFault::library)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::inference::folder::{ModelFolder, ModelOptions};

    fn tiny() -> TextTokenizer {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding/tiny");
        let folder = ModelFolder::open(&file, &ModelOptions::default()).unwrap();
        TextTokenizer::read(&ModelFolder { longest: 8, ..folder }).unwrap()
    }

    #[test]
    fn tokens_have_their_place_in_the_text() {
        let text = "Hello wörld ".repeat(9);
        let pieces = tiny().pieces(&text, true).unwrap();
        assert!(pieces.len() > 18, "all of them, although the model reads 8: {}", pieces.len());
        assert!(pieces[0].special && pieces[0].place.is_none());
        for piece in pieces.iter().filter(|piece| !piece.special) {
            let (from, to) = piece.place.unwrap();
            assert_eq!(&text[from..to], piece.text);
        }
        assert!(tiny().pieces(&text, false).unwrap().iter().all(|piece| !piece.special));
        assert_eq!(tiny().pieces("", false).unwrap(), []);
    }

    #[test]
    fn ids_become_the_text_again() {
        let tokenizer = tiny();
        let ids: Vec<u32> = tokenizer.pieces("hello world", true).unwrap().iter().map(|piece| piece.id).collect();
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), "hello world");
        let special = tokenizer.decode(&ids, false).unwrap();
        assert!(special.contains("hello world") && special != "hello world", "{special}");
        assert_eq!(tokenizer.decode(&[u32::MAX], true).unwrap(), "");
    }
}
