//! Checks at load time, with several texts, that all vectors are finite.

use crate::inference::backend::{RunFault, Sessions};
use crate::inference::canary;
use crate::inference::folder::ModelFolder;
use crate::inference::head::OutputHead;
use crate::inference::tokenize::{TextTokenizer, TokenizerFault, Tokens, TruncationSide};

/// Texts of every kind: short, long, of many scripts, of signs alone.
const TEXTS: [&str; 4] = [
    "a",
    "The quick brown fox jumps over the lazy dog, 3.14159 times; \"so what?\" (1) [2] {3} <4> & more @ home #5.",
    "Ünïcödé: żółć, Ελληνικά, русский текст, 中文字符, 日本語テキスト, 한국어, العربية, עברית, हिन्दी, ไทย, 🙂👍🏽🏳️‍🌈",
    "\u{0}\u{feff}\u{200b} \t\r\n ﷽ \u{10ffff}",
];
/// A text of full length is tried up to so many tokens: attention costs their square.
const LONGEST: usize = 1024;
/// Short rows of ids from all over the vocabulary.
const ROWS: usize = 16;
/// Ids of such a row.
const WIDTH: usize = 8;
/// Rows that may fail at load: one damaged token fails only the requests that contain it, so the model is still served.
const BAD_ROWS: usize = 1;

/// What is tried.
const FULL_LENGTH: &str = "a text of full length";
const OF_IDS: &str = "a row of ids from all over the vocabulary";

/// Why a model is not served, though its sessions are there.
#[derive(Debug, thiserror::Error)]
pub enum FiniteFault {
    /// The tokenizer refuses a text that is tried.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerFault),
    /// The graph cannot be run for what is tried.
    #[error("{what} cannot be run: {source}")]
    Run {
        /// What is tried.
        what: String,
        /// Why not.
        source: RunFault,
    },
    /// A vector has numbers that are not finite.
    #[error(
        "{what} gets a vector with NaN or infinite numbers in it: the weights are damaged or the arithmetic overflows; \
         pull the model again, or serve another graph of it"
    )]
    NotFinite {
        /// What is tried.
        what: String,
    },
    /// Too many rows of ids get numbers that are not finite.
    #[error("{bad} of {all} rows of ids from all over the vocabulary get vectors with NaN or infinite numbers in them")]
    Vocabulary {
        /// How many.
        bad: usize,
        /// Rows that are tried.
        all: usize,
    },
}

/// Runs texts of many kinds once. Sessions of the same graph give the same: one is asked.
///
/// # Errors
/// A vector that is not finite, or what the runtime said.
pub(super) fn finite(
    sessions: &mut Sessions,
    folder: &ModelFolder,
    head: &OutputHead,
    tokenizer: &TextTokenizer,
) -> Result<(), FiniteFault> {
    let Some(session) = sessions.each.first_mut() else { return Ok(()) };
    let mut is_finite = |ids: &[u32], what: &str| {
        let vector =
            canary::embed(session.as_mut(), &Tokens { ids: ids.into(), prompt: 0, cut: false }, tokenizer.pad(), head)
                .map_err(|source| FiniteFault::Run { what: what.to_owned(), source })?;
        Ok::<bool, FiniteFault>(vector.iter().all(|value| value.is_finite()))
    };
    let mut texts: Vec<(String, Box<[u32]>)> = Vec::new();
    for text in TEXTS {
        let ids = tokenizer.encode("", text, TruncationSide::End)?.ids;
        if !ids.is_empty() {
            texts.push((format!("the text {text:?}"), ids));
        }
    }
    if let Some(words) = texts.get(1).map(|(_, ids)| ids.clone()) {
        let length = folder.longest.min(LONGEST);
        texts.push((FULL_LENGTH.to_owned(), words.iter().copied().cycle().take(length).collect()));
    }
    for (what, ids) in texts {
        if !is_finite(&ids, &what)? {
            return Err(FiniteFault::NotFinite { what });
        }
    }
    let mut bad = 0;
    for row in rows(tokenizer.vocabulary()) {
        bad += usize::from(!is_finite(&row, OF_IDS)?);
    }
    if bad > BAD_ROWS {
        return Err(FiniteFault::Vocabulary { bad, all: ROWS });
    }
    Ok(())
}

/// Ids spread evenly over the vocabulary, in rows of neighbors far apart.
fn rows(vocabulary: usize) -> Vec<Vec<u32>> {
    let count = ROWS * WIDTH;
    let id = |number: usize| u32::try_from(number * vocabulary / count).unwrap_or(0);
    (0..ROWS).map(|row| (0..WIDTH).map(|at| id(at * ROWS + row)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn rows_cover_the_vocabulary() {
        let mut ids: Vec<u32> = rows(30_522).concat();
        assert_eq!(ids.len(), 128);
        ids.sort_unstable();
        ids.dedup();
        assert!(ids.len() == 128 && ids[0] == 0 && ids[127] > 30_000 && ids[127] < 30_522);
        assert!(rows(5).concat().iter().all(|id| *id < 5));
    }
}
