//! The texts of `models certify`: texts of all kinds, and a corpus with queries.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::resource::sha256_hex;

const TEXT: &str = include_str!("../../templates/certify/suite.json");

/// The texts; `exporter/suite.py` writes them.
#[derive(Debug, Deserialize)]
pub struct ParitySuite {
    /// Texts whose ids and vectors are compared.
    pub texts: Vec<String>,
    /// An index.
    pub corpus: Vec<String>,
    /// What is looked for in it.
    pub queries: Vec<Query>,
}

/// A question to the corpus.
#[derive(Debug, Deserialize)]
pub struct Query {
    /// Its text.
    pub text: String,
    /// The place in the corpus of the text that answers it.
    pub answer: usize,
}

static SUITE: LazyLock<ParitySuite> = LazyLock::new(|| {
    // The file is a part of the program, and a test reads it: it can always be read.
    serde_json::from_str(TEXT).unwrap_or(ParitySuite { texts: Vec::new(), corpus: Vec::new(), queries: Vec::new() })
});

/// The suite of this program.
pub fn suite() -> &'static ParitySuite {
    &SUITE
}

impl ParitySuite {
    /// Everything that a tier embeds: texts, corpus and questions, in this order.
    pub fn all(&self) -> Vec<&str> {
        let queries = self.queries.iter().map(|query| &query.text);
        self.texts.iter().chain(&self.corpus).chain(queries).map(String::as_str).collect()
    }

    /// A hash of the suite: another one is another certificate.
    pub fn hash() -> String {
        sha256_hex(TEXT.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_suite_is_large_enough_and_each_question_has_its_answer() {
        let suite = suite();
        assert!(suite.texts.len() >= 200, "{}", suite.texts.len());
        assert_eq!(suite.texts.iter().collect::<BTreeSet<_>>().len(), suite.texts.len());
        assert!(suite.corpus.len() >= 300 && suite.queries.len() >= 50);
        assert!(suite.queries.iter().all(|query| query.answer < suite.corpus.len()));
        assert_eq!(suite.all().len(), suite.texts.len() + suite.corpus.len() + suite.queries.len());
        for odd in ["", "[CLS]", "🚀"] {
            assert!(suite.texts.iter().any(|text| text == odd), "{odd:?}");
        }
    }
}
