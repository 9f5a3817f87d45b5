//! Suggests the closest known word.

use strsim::damerau_levenshtein;

/// The known word that is nearest to one that was written, when the one may be a misspelling of the other.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let letters = written.chars().count();
    if letters < 3 {
        return None;
    }
    let most = (letters / 3).min(3);
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|word| (damerau_levenshtein(written, word), *word));
    let near = near.filter(|(apart, _)| *apart <= most).min().map(|(_, word)| word);
    near.or_else(|| longer(written, &known))
}

/// The one known word that begins with the written one and its unit, such as `retention_seconds` for `retention`.
fn longer<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let rest = |word: &&'k str| word.strip_prefix(written).is_some_and(|rest| rest.starts_with('_'));
    let mut found = known.iter().copied().filter(rest);
    found.next().filter(|_| found.next().is_none())
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
    fn the_beginning_of_one_known_word_is_near() {
        let known = ["retention_seconds", "delay_seconds", "kms_key", "kms_reuse_seconds"];
        assert_eq!(nearest("retention", known), Some("retention_seconds"));
        assert_eq!(nearest("kms", known), None, "two begin with it");
        assert_eq!(nearest("delays", known), None);
    }

    #[test]
    fn the_advice_never_lists_nothing() {
        assert_eq!(instead("x", &[], "declare it"), "declare it");
        assert_eq!(instead("regoin", &["region"], ""), "did you mean region?");
        assert_eq!(instead("prefx", &["domain", "prefix"], ""), "did you mean prefix? Known are: domain, prefix");
        assert_eq!(instead("other", &["a", "b"], ""), "use one of: a, b");
    }
}
