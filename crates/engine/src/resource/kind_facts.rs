//! What the engine needs to know of a kind, as data: one [`KindFacts`] for each kind, in the file of its spec.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Kind;
use super::id_form::IdForm;
use super::naming::Naming;
use super::syntax_check::{CheckedSettings, InvalidSetting};

/// Where the things of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// In an AWS account.
    Aws,
    /// On a machine that is reached over SSH.
    Device,
    /// In a Kubernetes cluster, reached by a kubeconfig, an EKS endpoint, or the machine that runs its k3s server.
    Cluster,
}

/// A setting and the member of AWS's API that it becomes, as the API's models name it: `s3.Tag.Key`.
///
/// A path names the items of a list and the values of a map by `*`, the keys of a map by `~`. A member ends with `[]` for the
/// items of a list, with `{key}` and `{value}` for those of a map, and with `!` where it has to stand (and not be empty)
/// whenever the object around it does.
pub type ApiRow = (&'static str, &'static str);

/// Rows of one object, and where it is in the spec.
pub type ApiGroup = (&'static str, &'static [ApiRow]);

/// In the place of a member: no model has anything to say. A reference that the providers resolve, a fact of our own, a setting
/// that is spelt otherwise at AWS.
pub const NO_MEMBER: &str = "-";

/// The ID of what a person named, by its settings and the account; none when no ID can be made of it.
pub type IdInAccount = fn(&str, &Value, &str) -> Option<String>;

/// What plan, diff and execution must know of a kind, as data.
#[derive(Debug)]
pub struct KindFacts {
    /// The word in an address.
    pub name: &'static str,
    /// The words a person reads.
    pub title: &'static str,
    /// Where its things live.
    pub platform: Platform,
    /// Says why settings do not have the shape of the kind's spec; none when they do.
    pub shape: fn(&Value) -> Option<String>,
    /// Says which words of settings must not be sent to a machine.
    pub wrong: fn(&Value) -> Vec<InvalidSetting>,
    /// The JSON Schema of its settings.
    pub schema: fn() -> Value,
    /// What its settings become in AWS's API, setting by setting; empty for what lives on machines.
    pub api: &'static [ApiGroup],
    /// The attributes that it makes known; a final `N` stands for any number.
    pub attributes: &'static [&'static str],
    /// How a person writes the ID of what exists.
    pub id: IdForm,
    /// The ID of what a person named in another way, by the settings and the account; none for kinds whose ID is written as it is.
    pub id_in_account: Option<IdInAccount>,
    /// How it is named without a reference.
    pub naming: Naming,
    /// Settings that a person knows a thing by, the best first.
    pub label: &'static [&'static str],
    /// Dotted paths whose change cannot be made in place.
    pub replace_on: &'static [&'static str],
    /// Paths that must be equal to the letter; elsewhere, what the plan leaves out is left alone.
    pub exact: &'static [&'static str],
    /// Lists whose order says nothing.
    pub unordered: &'static [&'static str],
    /// Paths whose change is felt by users while it lasts.
    pub disruptive: &'static [&'static str],
    /// The setting that says whether the thing works right now. It changes by itself, without anybody who edits the thing.
    pub condition: Option<&'static str>,
    /// Paths that identify the thing before it has an id: while one is unknown it cannot exist yet.
    pub identity: &'static [&'static str],
    /// The settings that make two resources the same thing, where they are others than `identity`; an empty list where
    /// nothing but the id tells.
    pub same_by: Option<&'static [&'static str]>,
    /// Settings of `identity` or `same_by` that hold domain names: upper case, a final dot and the order say nothing.
    pub domain_names: &'static [&'static str],
    /// Settings of `identity` that hold the version of a Kubernetes API: only its group counts, since `apps/v1` and
    /// `apps/v1beta1` are two ways to write one object.
    pub api_versions: &'static [&'static str],
    /// When its identity becomes known: 0 when the plan names the thing, 1 when a resource of the first ones names it, 2
    /// for record sets, which a certificate may name.
    pub identity_rank: usize,
    /// The kind that a thing without a mark of its own is a part of: whose the whole is, tells whose the part is.
    pub part_of: Option<Kind>,
    /// Where the stack's mark stands: the path that a lost mark is shown under. None where there is no room for one, or
    /// where it is a part of the settings.
    pub mark: Option<&'static str>,
    /// What a replacement means for users, when they feel it.
    pub when_replaced: Option<&'static str>,
    /// The data in it that is lost when it is deleted, in words; none for what holds no data.
    pub data: Option<&'static str>,
    /// The same where only some things of the kind hold data, by their settings. Ask [`Kind::data`] for both.
    pub holds: fn(&Value) -> Option<&'static str>,
    /// Only read, never made (a load balancer that somebody else owns).
    pub lookup: bool,
    /// The attribute that tells what is looked up from another thing that answers to the same settings later.
    pub told_by: Option<&'static str>,
    /// It works everywhere only once what refers to it is there (a certificate and its validation records).
    pub waits_for_users: bool,
    /// Seconds that AWS usually takes until usable, and until propagated; shown until the journal knows better.
    pub usual_seconds: (u32, u32),
}

impl KindFacts {
    /// Whether its things make an attribute known.
    pub fn has_attribute(&self, wanted: &str) -> bool {
        self.attributes.iter().any(|known| match known.strip_suffix('N') {
            Some(stem) => wanted.strip_prefix(stem).is_some_and(|number| number.parse::<u32>().is_ok()),
            None => *known == wanted,
        })
    }
}

/// The facts of a kind of AWS with the spec `S` and nothing special; a kind names what differs.
pub(super) const fn on_aws<S: DeserializeOwned + JsonSchema>(name: &'static str, title: &'static str) -> KindFacts {
    KindFacts {
        name,
        title,
        platform: Platform::Aws,
        shape: mismatch::<S>,
        wrong: nothing_wrong,
        schema: schema_of::<S>,
        api: &[],
        attributes: &[],
        id: IdForm::NONE,
        id_in_account: None,
        naming: Naming::NONE,
        label: &["name"],
        replace_on: &[],
        exact: &[],
        unordered: &[],
        disruptive: &[],
        condition: None,
        identity: &[],
        same_by: None,
        domain_names: &[],
        api_versions: &[],
        identity_rank: 0,
        part_of: None,
        mark: Some("tags.akidb:stack"),
        when_replaced: None,
        data: None,
        holds: holds_nothing,
        lookup: false,
        told_by: None,
        waits_for_users: false,
        usual_seconds: (1, 1),
    }
}

/// The facts of a kind of machines: its things carry no mark, are found without an ID, and are named, not referred to.
pub(super) const fn on_device<S: CheckedSettings + DeserializeOwned + JsonSchema>(
    name: &'static str,
    title: &'static str,
) -> KindFacts {
    KindFacts {
        platform: Platform::Device,
        wrong: wrong_words::<S>,
        id: IdForm::FOUND_ON_DEVICES,
        mark: None,
        ..on_aws::<S>(name, title)
    }
}

/// The facts of a kind of Kubernetes clusters: its things are found by their names, and their marks are labels and annotations that
/// the provider keeps apart from the settings.
pub(super) const fn in_cluster<S: CheckedSettings + DeserializeOwned + JsonSchema>(
    name: &'static str,
    title: &'static str,
) -> KindFacts {
    KindFacts { platform: Platform::Cluster, id: IdForm::FOUND_IN_CLUSTERS, ..on_device::<S>(name, title) }
}

fn mismatch<S: DeserializeOwned>(spec: &Value) -> Option<String> {
    S::deserialize(spec).err().map(|bad| bad.to_string())
}

fn schema_of<S: JsonSchema>() -> Value {
    schemars::schema_for!(S).to_value()
}

fn wrong_words<S: CheckedSettings + DeserializeOwned>(spec: &Value) -> Vec<InvalidSetting> {
    S::deserialize(spec).map(|spec| spec.wrong()).unwrap_or_default()
}

fn nothing_wrong(_spec: &Value) -> Vec<InvalidSetting> {
    Vec::new()
}

fn holds_nothing(_spec: &Value) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_with_numbers() {
        let certificate = Kind::Certificate.facts();
        assert!(certificate.has_attribute("validation_name_2") && certificate.has_attribute("validation"));
        assert!(!certificate.has_attribute("validation_name_") && !Kind::Monitoring.facts().has_attribute("id"));
    }

    #[test]
    fn the_shape_is_that_of_the_kind() {
        for kind in Kind::ALL {
            assert!((kind.facts().shape)(&json!({"no-such-setting": 1})).is_some(), "{}", kind.name());
        }
        assert_eq!((Kind::Monitoring.facts().shape)(&json!({"distribution_id": "EDFDVBD6EXAMPLE"})), None);
    }

    #[test]
    fn the_world_of_each_kind() {
        let of = |platform: Platform| Kind::ALL.into_iter().filter(move |kind| kind.facts().platform == platform);
        let devices: Vec<&str> = of(Platform::Device).map(Kind::name).collect();
        assert_eq!(devices, ["host", "file", "account", "packages", "service", "power-mode", "node", "image"]);
        assert_eq!(of(Platform::Cluster).map(Kind::name).collect::<Vec<_>>(), ["cluster", "manifest"]);
        assert!(Kind::ALL.into_iter().all(|kind| kind.in_aws() == (kind.facts().platform == Platform::Aws)));
        assert!(Kind::ALL.into_iter().all(|kind| kind.on_a_machine() == (kind.facts().platform == Platform::Device)));
    }
}
