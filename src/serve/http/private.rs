//! Responses to authenticated clients must not be stored by shared caches.

use http::{HeaderMap, HeaderValue, header};

/// Says `private` in an answer's `Cache-Control`, whatever its handler said; what is not to be kept at all stays so.
pub fn keep(headers: &mut HeaderMap) {
    let said = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let words = said.split(',').map(str::trim).filter(|word| !word.is_empty());
    let is = |word: &str, name: &str| word.split('=').next().is_some_and(|word| word.eq_ignore_ascii_case(name));
    // What is for shared caches alone makes no sense any longer.
    let kept: Vec<&str> =
        words.filter(|word| !["public", "private", "s-maxage"].iter().any(|name| is(word, name))).collect();
    if kept.iter().any(|word| is(word, "no-store")) {
        return;
    }
    let all = std::iter::once("private").chain(kept).collect::<Vec<_>>().join(", ");
    // Words of a header make a header.
    if let Ok(value) = HeaderValue::try_from(all) {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_said_it_is_private() {
        for (said, wanted) in [
            (None, "private"),
            (Some("public, max-age=3600"), "private, max-age=3600"),
            (Some("max-age=9, Public,s-maxage=5"), "private, max-age=9"),
            (Some("private, max-age=3600"), "private, max-age=3600"),
            (Some("no-cache"), "private, no-cache"),
            (Some("no-store"), "no-store"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(said));
            }
            keep(&mut headers);
            assert_eq!(headers[header::CACHE_CONTROL], wanted, "{said:?}");
        }
    }
}
