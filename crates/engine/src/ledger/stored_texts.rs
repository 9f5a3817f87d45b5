//! What an entry says without what nobody should read in it. The contents of files and sensitive values are kept apart, by
//! their hash, and `${kept#HASH}` is in their places; who opens a journal gets them back. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::entry::{Entry, Fact, ResourceSnapshot};
use crate::resource::literal_secret::has_secret_form;
use crate::resource::sensitive::{self, Replacement, TextPart};
use crate::resource::{Attributes, PendingDeletion, StackState, Untrusted, sha256_hex};

const BEFORE: &str = "${kept#";
const BEHIND: char = '}';
/// Letters of a hash.
const HASH: usize = 64;

/// Texts by their SHA-256 in hex.
pub type StoredTexts = BTreeMap<String, String>;

fn mark(text: &str, contents: &mut StoredTexts) -> String {
    let hash = sha256_hex(text.as_bytes());
    let mark = format!("{BEFORE}{hash}{BEHIND}");
    contents.insert(hash, text.to_owned());
    mark
}

/// Takes the contents of files and sensitive values out of a tree of data.
pub fn seal(value: &mut Value, contents: &mut StoredTexts) {
    sensitive::replace(value, &mut |part| match part {
        TextPart::Content(text) | TextPart::Secret(text) => {
            (!is_mark(text)).then(|| Replacement::Text(mark(text, contents)))
        }
        TextPart::Text(text) => sealed_text(text, contents).map(Replacement::Text),
    });
}

fn is_mark(text: &str) -> bool {
    next(text, 0).is_some_and(|(start, end, _)| start == 0 && end == text.len())
}

fn sealed_text(text: &str, contents: &mut StoredTexts) -> Option<String> {
    let found = sensitive::found_in(text);
    let marked = |out: String, secret: &String| {
        let mark = mark(secret, contents);
        out.replace(secret, &mark)
    };
    (!found.is_empty()).then(|| found.iter().fold(text.to_owned(), marked))
}

/// The next mark from a byte on: where it begins, where it ends, and its hash.
fn next(text: &str, from: usize) -> Option<(usize, usize, &str)> {
    let start = from + text.get(from..)?.find(BEFORE)?;
    let begin = start + BEFORE.len();
    match text.get(begin..begin + HASH).filter(|hash| is_hash(hash)) {
        Some(hash) if text[begin + HASH..].starts_with(BEHIND) => Some((start, begin + HASH + 1, hash)),
        _ => next(text, begin),
    }
}

/// Whether a name is a hash, as contents are called.
pub fn is_hash(name: &str) -> bool {
    name.len() == HASH && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hashes of what was taken out of a text.
pub fn in_text(text: &str, hashes: &mut BTreeSet<String>) {
    let mut at = 0;
    while let Some((_, end, hash)) = next(text, at) {
        hashes.insert(hash.to_owned());
        at = end;
    }
}

/// The hashes of what was taken out of a tree of data.
pub fn named(value: &Value, hashes: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => in_text(text, hashes),
        Value::Array(items) => items.iter().for_each(|item| named(item, hashes)),
        Value::Object(fields) => fields.values().for_each(|field| named(field, hashes)),
        _ => {}
    }
}

/// Puts back what was taken out. The content of a file that is gone is known by its hash alone; any other
/// mark stays, and nothing can be made of it. What comes back into other texts was sensitive, and is so again.
pub fn open(value: &mut Value, contents: &StoredTexts) {
    if let Some(hash) = content_of(value) {
        *value = match contents.get(&hash) {
            Some(text) => json!({"text": text}),
            None => json!({"sha256": hash}),
        };
        return;
    }
    match value {
        Value::String(text) => {
            let mut at = 0;
            while let Some((start, end, hash)) = next(text, at) {
                at = end;
                if let Some(known) = contents.get(hash) {
                    // What is told by its form is told again.
                    if !has_secret_form(known) {
                        sensitive::keep_secret(known);
                    }
                    at = start + known.len();
                    text.replace_range(start..end, known);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| open(item, contents)),
        Value::Object(fields) => {
            fields.get_mut("env").into_iter().for_each(|env| open_env(env, contents));
            fields.values_mut().for_each(|field| open(field, contents));
        }
        _ => {}
    }
}

/// Puts back the secret values of environment variables. They are secret where they stand: elsewhere the same word may be a name.
fn open_env(env: &mut Value, contents: &StoredTexts) {
    for variable in env.as_array_mut().into_iter().flatten().filter(|variable| sensitive::is_secret_variable(variable))
    {
        let Some(Value::String(text)) = variable.get_mut("value") else { continue };
        let known = next(text, 0).filter(|_| is_mark(text)).and_then(|(_, _, hash)| contents.get(hash));
        if let Some(known) = known {
            text.clone_from(known);
        }
    }
}

/// The hash of the content of a file.
fn content_of(value: &Value) -> Option<String> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let text = fields.get("text")?.as_str().filter(|text| is_mark(text))?;
    next(text, 0).map(|(_, _, hash)| hash.to_owned())
}

/// Does something with each tree of data in an entry that may hold what nobody should read.
fn in_entry(entry: &mut Entry, work: &mut dyn FnMut(&mut Value)) {
    match &mut entry.fact {
        Fact::Learned { subject, attributes, .. }
        | Fact::Accepted { subject, attributes, .. }
        | Fact::Succeeded { subject, attributes, .. } => {
            in_subject(subject, work);
            in_attributes(attributes, work);
        }
        Fact::Intended { subject, .. } => in_subject(subject, work),
        Fact::SetAside(left) => in_leftover(left, work),
        _ => {}
    }
}

fn in_subject(subject: &mut ResourceSnapshot, work: &mut dyn FnMut(&mut Value)) {
    work(&mut subject.spec);
    in_attributes(&mut subject.seen, work);
}

fn in_attributes(attributes: &mut Attributes, work: &mut dyn FnMut(&mut Value)) {
    attributes.values_mut().for_each(work);
}

fn in_leftover(left: &mut PendingDeletion, work: &mut dyn FnMut(&mut Value)) {
    work(&mut left.spec);
    in_attributes(&mut left.attributes, work);
}

fn in_state(state: &mut StackState, work: &mut dyn FnMut(&mut Value)) {
    for record in state.resources.values_mut() {
        work(&mut record.spec);
        record.pending.iter_mut().for_each(&mut *work);
        in_attributes(&mut record.attributes, work);
    }
    state.pending_deletions.iter_mut().for_each(|left| in_leftover(left, work));
}

/// An entry as it is written, and what was taken out of it. What a service or a command line said is not put back later.
pub fn sealed(entry: &Entry) -> (Entry, StoredTexts) {
    let (mut entry, mut contents) = (entry.clone(), StoredTexts::new());
    in_entry(&mut entry, &mut |value| seal(value, &mut contents));
    match &mut entry.fact {
        Fact::RunBegan { command, .. } => *command = sensitive::hidden(command).into_owned(),
        Fact::Failed { fault, .. } => {
            fault.message = fault.message.without_secrets();
            fault.next_step = fault.next_step.as_ref().map(Untrusted::without_secrets);
        }
        Fact::SetAside(left) => left.reason = left.reason.without_secrets(),
        _ => {}
    }
    (entry, contents)
}

/// The hashes of what was taken out of these.
pub fn all_named(base: Option<&mut StackState>, entries: &mut [Entry]) -> BTreeSet<String> {
    let mut hashes = BTreeSet::new();
    let mut note = |value: &mut Value| named(value, &mut hashes);
    base.into_iter().for_each(|base| in_state(base, &mut note));
    entries.iter_mut().for_each(|entry| in_entry(entry, &mut note));
    hashes
}

/// Puts back what was taken out of these.
pub fn open_all(base: Option<&mut StackState>, entries: &mut [Entry], contents: &StoredTexts) {
    let mut back = |value: &mut Value| open(value, contents);
    base.into_iter().for_each(|base| in_state(base, &mut back));
    entries.iter_mut().for_each(|entry| in_entry(entry, &mut back));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_and_secrets_go_and_come_back() {
        sensitive::keep_secret("kept-test-secret");
        let spec = json!({"host": "a", "path": "/etc/x", "content": {"text": "PASSWORD=kept-test-secret\n"},
                          "env": {"KEY": "a kept-test-secret b kept-test-secret"}, "tags": ["${a.role.x#arn}"]});
        let (mut value, mut contents) = (spec.clone(), StoredTexts::new());
        seal(&mut value, &mut contents);
        let text = value.to_string();
        assert!(!text.contains("kept-test-secret") && !text.contains("PASSWORD"), "{text}");
        assert!(text.contains("${a.role.x#arn}"), "references stay: {text}");
        let mut hashes = BTreeSet::new();
        named(&value, &mut hashes);
        assert_eq!(hashes, contents.keys().cloned().collect());
        let again = value.clone();
        seal(&mut value, &mut contents);
        assert_eq!(value, again, "what is sealed is unchanged");
        open(&mut value, &contents);
        assert_eq!(value, spec);
    }

    #[test]
    fn secrets_that_stand_in_an_object_go_and_come_back_and_stay_words_elsewhere() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIkept\n-----END PRIVATE KEY-----\n";
        let env = json!([{"name": "DB_PASSWORD", "value": "kept-in-env"}, {"name": "MODE", "value": "fast"}]);
        let object = json!({"data": {"key": key}, "spec": {"containers": [{"name": "kept-in-env", "env": env}]}});
        let (mut value, mut contents) = (object.clone(), StoredTexts::new());
        seal(&mut value, &mut contents);
        let text = value.to_string();
        assert!(!text.contains("MIIkept") && text.matches("kept-in-env").count() == 1, "{text}");
        assert!(text.contains("fast"), "{text}");
        let again = value.clone();
        seal(&mut value, &mut contents);
        assert_eq!(value, again, "what is sealed is unchanged");
        open(&mut value, &contents);
        assert_eq!(value, object);
        assert_eq!(sensitive::hidden("kept-in-env"), "kept-in-env", "it is a name, too");
    }

    #[test]
    fn what_is_lost_is_known_by_its_hash() {
        let mut value = json!({"content": {"text": "a text"}});
        seal(&mut value, &mut StoredTexts::new());
        open(&mut value, &StoredTexts::new());
        assert_eq!(value, json!({"content": {"sha256": sha256_hex(b"a text")}}));
    }

    #[test]
    fn what_only_looks_like_a_mark_is_left_alone() {
        for text in ["${kept#", "${kept#abc}", "${kept#${kept#}", &format!("${{kept#{}", "a".repeat(64))] {
            let mut value = json!({"a": text});
            open(&mut value, &StoredTexts::from([("abc".to_owned(), "x".to_owned())]));
            assert_eq!(value, json!({"a": text}));
        }
        let hash = "a".repeat(64);
        let known = StoredTexts::from([(hash.clone(), format!("${{kept#{hash}}}"))]);
        let mut value = json!(format!("x ${{kept#{hash}}} y"));
        open(&mut value, &known);
        assert_eq!(value, json!(format!("x ${{kept#{hash}}} y")), "it is not looked at again");
    }
}
