//! From an older format to the newest: one function for each step, over plain JSON. Pure.
//!
//! Entries are only ever added, so lines of an older format stay as they are: they are upgraded in memory each time they
//! are read. A new format is one more function here, and its journals under `tests/fixtures/state/`.

use serde_json::{Map, Value};

use super::entry::FORMAT;

type Fields = Map<String, Value>;
type Step = fn(Fields) -> Result<Fields, String>;

/// `STEPS[n - 1]` makes an entry of format `n + 1` from one of format `n`. The length of the list is checked by its type.
const STEPS: [Step; FORMAT as usize - 1] = [from_1, from_2, from_3, from_4];

/// An entry of format `found` (from 1) as the newest format has it.
///
/// # Errors
/// When it is not what that format says.
pub fn to_newest(entry: Value, found: u32) -> Result<Value, String> {
    let Value::Object(fields) = entry else { return Err("it is not an object".to_owned()) };
    let missing = STEPS.iter().skip(found.saturating_sub(1) as usize);
    let newest = missing.zip(found..).try_fold(fields, |fields, (step, from)| {
        let mut fields = step(fields)?;
        fields.insert("v".to_owned(), Value::from(from + 1));
        Ok::<_, String>(fields)
    })?;
    Ok(Value::Object(newest))
}

/// Format 2 seals each line with a checksum. What an entry says did not change.
fn from_1(fields: Fields) -> Result<Fields, String> {
    if fields.contains_key("sum") {
        return Err("format 1 knows no `sum`".to_owned());
    }
    Ok(fields)
}

/// Format 3 knows moves. Entries of format 2 say what they said.
#[expect(clippy::unnecessary_wraps, reason = "a step may refuse an entry")]
fn from_2(fields: Fields) -> Result<Fields, String> {
    Ok(fields)
}

/// Format 4 is in a bucket in another way. What an entry says did not change.
#[expect(clippy::unnecessary_wraps, reason = "a step may refuse an entry")]
fn from_3(fields: Fields) -> Result<Fields, String> {
    Ok(fields)
}

/// Format 5: an object of a Kubernetes cluster names its cluster. Until then all of them were in clusters of devices, which are
/// called as the machine of their server.
fn from_4(mut fields: Fields) -> Result<Fields, String> {
    if fields.get("kind").and_then(Value::as_str) != Some("manifest") {
        return Ok(fields);
    }
    let Some(Value::Object(spec)) = fields.get_mut("spec") else { return Ok(fields) };
    let Some(host) = spec.remove("host") else { return Ok(fields) };
    match spec.insert("cluster".to_owned(), host) {
        None => Ok(fields),
        Some(_) => Err("format 4 knows no `cluster` of an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_old_entry_comes_to_the_newest_format_and_a_new_one_stays() {
        let newest = json!({"v": FORMAT, "seq": 4});
        assert_eq!(to_newest(json!({"v": 1, "seq": 4}), 1), Ok(newest.clone()));
        assert_eq!(to_newest(newest.clone(), FORMAT), Ok(newest));
    }

    /// Whatever holds the settings of an object: what it was when it was begun, done, accepted or set aside.
    #[test]
    fn an_object_names_its_cluster() {
        let object = |key: &str| json!({key: "one", "api_version": "v1", "kind": "Service", "name": "a", "object": {"host": "x"}});
        for fact in ["intended", "succeeded", "accepted", "set-aside"] {
            let entry = |v: u32, key: &str| json!({"v": v, "fact": fact, "kind": "manifest", "spec": object(key)});
            assert_eq!(to_newest(entry(4, "host"), 4), Ok(entry(FORMAT, "cluster")), "{fact}");
            assert_eq!(
                to_newest(entry(FORMAT, "host"), FORMAT),
                Ok(entry(FORMAT, "host")),
                "{fact}: only of older ones"
            );
        }
        let file = json!({"v": FORMAT, "fact": "succeeded", "kind": "file", "spec": {"host": "one", "path": "/x"}});
        let older = json!({"v": 4, "fact": "succeeded", "kind": "file", "spec": {"host": "one", "path": "/x"}});
        assert_eq!(to_newest(older, 4), Ok(file), "what is on a machine names it");
        assert_eq!(to_newest(json!({"v": 1, "fact": "removed"}), 1), Ok(json!({"v": FORMAT, "fact": "removed"})));
    }

    #[test]
    fn what_no_such_format_has_is_refused() {
        assert!(to_newest(json!([1]), 1).is_err());
        assert!(to_newest(json!({"v": 1, "sum": "0"}), 1).is_err());
        let both = json!({"v": 4, "kind": "manifest", "spec": {"host": "a", "cluster": "b"}});
        assert!(to_newest(both, 4).is_err());
    }
}
