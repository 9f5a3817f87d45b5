//! The format of an ID, by kind: a wrong format is rejected before any call.

use serde_json::Value;

/// How a person writes the ID of a thing that exists, and how the journal keeps it.
#[derive(Debug)]
pub struct IdForm {
    /// The form in words.
    pub words: &'static str,
    /// An example; empty where no ID is taken.
    pub example: &'static str,
    /// The part of what a person wrote that the journal keeps; none when the form is wrong.
    pub(super) read: fn(&str) -> Option<&str>,
    /// What the ID is made of, joined by slashes, for kinds that are known by a name of the plan's; empty for others.
    pub(super) made_of: &'static [IdPart],
}

/// A part of an ID that follows from the plan.
#[derive(Debug)]
pub(super) enum IdPart {
    /// The text of a setting.
    Setting(&'static str),
    /// The last part of the address.
    LastOfAddress,
}

impl IdForm {
    /// No ID is taken.
    pub(super) const NONE: Self =
        Self { words: "nothing: this kind cannot be imported", example: "", read: nothing, made_of: &[] };

    /// No ID is needed.
    pub(super) const FOUND_ON_DEVICES: Self =
        Self { words: "nothing: jetson provision finds what is on a device by itself", ..Self::NONE };

    /// No ID is needed.
    pub(super) const FOUND_IN_CLUSTERS: Self =
        Self { words: "nothing: deploy finds what is in a cluster by its name", ..Self::NONE };

    /// The ID as the journal keeps it; none when the form is wrong.
    pub fn normal(&self, given: &str) -> Option<String> {
        (self.read)(given).map(str::to_owned)
    }

    /// The ID that follows from the settings and the last part of the address, for kinds that are known by a name of the
    /// plan's.
    pub fn by_name(&self, spec: &Value, last: &str) -> Option<String> {
        let mut texts = Vec::new();
        for part in self.made_of {
            texts.push(match part {
                IdPart::Setting(name) => spec.get(*name).and_then(Value::as_str)?,
                IdPart::LastOfAddress => last,
            });
        }
        (!texts.is_empty()).then(|| texts.join("/"))
    }
}

/// The form of what is known by its bucket's name, which is in a setting.
pub(super) const fn of_the_bucket(made_of: &'static [IdPart]) -> IdForm {
    IdForm { words: "the name of the bucket that has it", example: "akidb-models-edge", read: bucket, made_of }
}

/// The form of CloudFront's policies.
pub(super) const POLICY: IdForm =
    IdForm { words: "the policy's ID", example: "658327ea-f89d-4fab-a63d-7e88639e58f6", read: hex, made_of: &[] };

fn nothing(_given: &str) -> Option<&str> {
    None
}

/// What ends a text that begins with `start`, after `mark`; the whole text when it begins otherwise.
pub(super) fn tail<'t>(given: &'t str, start: &str, mark: &str) -> &'t str {
    if given.starts_with(start) { given.split_once(mark).map_or("", |(_, tail)| tail) } else { given }
}

/// A name of letters, digits and a few marks.
pub(super) fn plain(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+=,.@".contains(&byte);
    (!text.is_empty() && text.bytes().all(fits)).then_some(text)
}

/// The name of a bucket.
pub(super) fn bucket(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    ((3..=63).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

/// Small hexadecimal digits in groups.
pub(super) fn hex(text: &str) -> Option<&str> {
    let fits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-';
    (text.len() == 36 && text.bytes().all(fits)).then_some(text)
}

/// An ID of CloudFront.
pub(super) fn cloudfront(text: &str) -> Option<&str> {
    capitals(text, 'E').then_some(text)
}

/// Whether it is an ID of a hosted zone, without a prefix.
pub(super) fn is_zone(text: &str) -> bool {
    capitals(text, 'Z')
}

fn capitals(text: &str, first: char) -> bool {
    text.len() >= 8
        && text.starts_with(first)
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Kind;

    fn normal(kind: Kind, given: &str) -> Option<String> {
        kind.facts().id.normal(given)
    }

    #[test]
    fn every_example_has_its_own_form_and_rubbish_has_none() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::LoadBalancer && kind.in_aws()) {
            let example = kind.facts().id.example;
            assert_eq!(normal(kind, example).as_deref(), Some(example), "{}", kind.name());
            for rubbish in ["", "a b", "\u{fc}", "https://example.com/x"] {
                assert_eq!(normal(kind, rubbish), None, "{} {rubbish:?}", kind.name());
            }
        }
    }

    #[test]
    fn what_is_looked_up_or_lives_outside_of_aws_takes_no_id() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind == Kind::LoadBalancer || !kind.in_aws()) {
            let form = &kind.facts().id;
            assert!(form.words.starts_with("nothing: ") && form.example.is_empty(), "{}", kind.name());
            assert_eq!(form.normal("akidb"), None, "{}", kind.name());
        }
    }

    #[test]
    fn arns_and_prefixes_become_names() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:gate";
        assert_eq!(normal(Kind::Function, arn).as_deref(), Some("gate"));
        assert_eq!(normal(Kind::Function, &format!("{arn}:3")), None);
        assert_eq!(normal(Kind::Role, "arn:aws:iam::123456789012:role/gate").as_deref(), Some("gate"));
        assert_eq!(normal(Kind::Zone, "/hostedzone/Z1D633PJN98FT9").as_deref(), Some("Z1D633PJN98FT9"));
    }

    #[test]
    fn an_id_follows_from_the_settings_where_the_plan_names_the_thing() {
        let by_name = |kind: Kind, spec: Value| kind.facts().id.by_name(&spec, "api");
        assert_eq!(by_name(Kind::Role, json!({"name": "gate"})).as_deref(), Some("gate"));
        assert_eq!(by_name(Kind::Object, json!({"bucket": "b", "key": "a/k"})).as_deref(), Some("b/a/k"));
        assert_eq!(by_name(Kind::Object, json!({"bucket": "b"})), None);
        assert_eq!(by_name(Kind::Records, json!({"zone_id": "Z1"})).as_deref(), Some("Z1/api"));
        assert_eq!(by_name(Kind::Zone, json!({"name": "example.com"})), None);
    }
}
