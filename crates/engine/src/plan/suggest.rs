//! The word that somebody probably meant.

use strsim::damerau_levenshtein;

/// The known word that is nearest to one that was written, when the one may be a misspelling of the other.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters = written.chars().count();
    if letters < 3 {
        return None;
    }
    let most = (letters / 3).min(3);
    let near = known.into_iter().map(|word| (damerau_levenshtein(written, word), word));
    near.filter(|(apart, _)| *apart <= most).min().map(|(_, word)| word)
}

/// What to write instead of a word that is not known. `else_do` is the advice when nothing is known at all.
pub fn instead(written: &str, known: &[&str], else_do: &str) -> String {
    match (nearest(written, known.iter().copied()), known) {
        (Some(near), [_]) => format!("did you mean {near}?"),
        (Some(near), all) => format!("did you mean {near}? Known are: {}", all.join(", ")),
        (None, []) => else_do.to_owned(),
        (None, all) => format!("use one of: {}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_is_near_and_another_word_is_not() {
        let known = ["models", "page", "cdn", "queues"];
        for (written, wanted) in [
            ("cdm", Some("cdn")),
            ("queue", Some("queues")),
            ("moedls", Some("models")),
            ("pages", Some("page")),
            ("routing", None),
            ("ab", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), wanted, "{written}");
        }
    }

    #[test]
    fn the_advice_never_lists_nothing() {
        assert_eq!(instead("x", &[], "declare it"), "declare it");
        assert_eq!(instead("regoin", &["region"], ""), "did you mean region?");
        assert_eq!(instead("prefx", &["domain", "prefix"], ""), "did you mean prefix? Known are: domain, prefix");
        assert_eq!(instead("other", &["a", "b"], ""), "use one of: a, b");
    }
}
