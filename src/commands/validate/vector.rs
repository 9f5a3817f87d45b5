//! Vectors in responses of servers: the dimension of the first one.

use serde_json::Value;

/// The numbers of the first vector of an answer, in the form of REST (`embeddings`), of OpenAI (`data`) or of TEI (a list of lists);
/// none when there is no vector, or one with anything else than finite numbers in it.
pub fn numbers(body: &[u8]) -> Option<usize> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let first = value.pointer("/embeddings/0").or_else(|| value.pointer("/data/0/embedding")).or_else(|| value.get(0));
    let vector = first?.as_array()?;
    // JSON has no number that is not finite, and what is too large for a float is read as none.
    let finite = |number: &Value| number.as_f64().is_some_and(f64::is_finite);
    (!vector.is_empty() && vector.iter().all(finite)).then_some(vector.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_vector_counts() {
        let of = |text: &str| numbers(text.as_bytes());
        assert_eq!(of(r#"{"embeddings":[[1,0.5],[1]]}"#), Some(2));
        assert_eq!(of(r#"{"data":[{"embedding":[1,2,3]}]}"#), Some(3));
        assert_eq!(of("[[1,2,3,4]]"), Some(4));
        for bad in ["", "{}", r#"{"embeddings":[]}"#, r#"{"embeddings":[[]]}"#, r#"{"embeddings":[[1,null]]}"#] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
