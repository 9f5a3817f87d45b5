//! Rules that go before those of `tokenizer.json`.

use tokenizers::Tokenizer;
use tokenizers::normalizers::{NormalizerWrapper, Sequence, utils::Lowercase};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

use super::fault::TokenizerFault;
use crate::inference::folder::Normalization;

/// Changes a tokenizer as Transformers does when it reads `tokenizer_config.json`, and as sentence-transformers does after that.
pub(super) fn apply(spelling: &Normalization, tokenizer: &mut Tokenizer) -> Result<(), TokenizerFault> {
    if let Some(NormalizerWrapper::BertNormalizer(bert)) = tokenizer.get_normalizer() {
        let mut bert = *bert;
        bert.lowercase = spelling.lowercase.unwrap_or(bert.lowercase);
        bert.handle_chinese_chars = spelling.chinese.unwrap_or(bert.handle_chinese_chars);
        bert.strip_accents = spelling.strip_accents.or(bert.strip_accents);
        tokenizer.with_normalizer(Some(bert)).map_err(TokenizerFault::library)?;
    }
    if let (Some(PreTokenizerWrapper::ByteLevel(bytes)), Some(space)) =
        (tokenizer.get_pre_tokenizer(), spelling.prefix_space)
    {
        let mut bytes = *bytes;
        bytes.add_prefix_space = space;
        tokenizer.with_pre_tokenizer(Some(bytes));
    }
    if spelling.lower_case { lower_case(tokenizer) } else { Ok(()) }
}

/// Makes texts lower case first, unless the tokenizer does so already (`do_lower_case` of sentence-transformers).
fn lower_case(tokenizer: &mut Tokenizer) -> Result<(), TokenizerFault> {
    let known = tokenizer.get_normalizer().cloned();
    if known.as_ref().is_some_and(lowers) {
        return Ok(());
    }
    let mut all = vec![NormalizerWrapper::Lowercase(Lowercase)];
    match known {
        Some(NormalizerWrapper::Sequence(sequence)) => all.extend(sequence),
        other => all.extend(other),
    }
    tokenizer.with_normalizer(Some(Sequence::new(all))).map_err(TokenizerFault::library)?;
    Ok(())
}

fn lowers(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
        NormalizerWrapper::Sequence(several) => several.as_ref().iter().any(lowers),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn tokens(name: &str, spelling: &Normalization, text: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding").join(name);
        let mut tokenizer = Tokenizer::from_file(root.join("tokenizer.json")).unwrap();
        apply(spelling, &mut tokenizer).unwrap();
        tokenizer.with_padding(None);
        tokenizer.encode(text, false).unwrap().get_tokens().to_vec()
    }

    #[test]
    fn what_the_configuration_says_goes_before_the_tokenizer() {
        let plain = Normalization::default();
        let cased = Normalization { lowercase: Some(false), ..Normalization::default() };
        assert_eq!(tokens("tiny", &plain, "Hello"), ["hello"]);
        assert_eq!(tokens("tiny", &cased, "Hello"), ["[UNK]"]);
        let accents = Normalization { strip_accents: Some(false), ..Normalization::default() };
        assert_ne!(tokens("tiny", &accents, "über"), tokens("tiny", &plain, "über"));
        let apart = Normalization { chinese: Some(false), ..Normalization::default() };
        assert_ne!(tokens("tiny", &apart, "世界"), tokens("tiny", &plain, "世界"));
        let space = Normalization { prefix_space: Some(true), ..Normalization::default() };
        assert_ne!(tokens("arch-roberta", &space, "hello"), tokens("arch-roberta", &plain, "hello"));
        let lower = Normalization { lower_case: true, ..cased };
        assert_eq!(tokens("tiny", &lower, "Hello"), ["hello"], "sentence-transformers comes last");
    }
}
