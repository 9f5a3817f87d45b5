//! Rules on what devices download by a name or tag whose content can change.

use std::collections::BTreeMap;

use super::policy::walk;
use super::rule::{CheckRule, CheckedResource, RuleFindings, warning};
use crate::resource::image::ImageSpec;
use crate::resource::manifest::ManifestSpec;
use crate::resource::node::{NodeRole, NodeSpec};
use crate::resource::{Address, Kind};

pub(super) const MANIFEST: &[CheckRule<ManifestSpec>] = &[warning(
    "PN001-image-by-tag",
    "an image from a registry is named by its digest",
    "accepted: the registry decides at each pull what the tag refers to",
    "write NAME:TAG@sha256:DIGEST, or bring the image as an archive: k3s: {images: {NAME:TAG: FILE}}",
    image,
)];

pub(super) const NODE: &[CheckRule<NodeSpec>] = &[warning(
    "PN002-program-by-list",
    "the k3s binary is verified against a hash in the plan",
    "accepted: it is verified against the list of its release, which comes from the same source",
    "write k3s: {sha256: HEX} for the program of the devices' architecture, or bring it with --artifacts DIRECTORY",
    program,
)];

/// Says each image once, at the first object that runs it.
fn image(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    for (image, path) in by_tag(&seen.spec) {
        let brought = seen.scope.each::<ImageSpec>(Kind::Image).any(|(_, spec)| spec.reference == image);
        if !brought && first(seen, &image) {
            notes.add(path, format!("`{image}` is named by a tag"));
        }
    }
}

/// The images of an object that have no digest, each with its first place.
fn by_tag(spec: &ManifestSpec) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(&spec.object, "object", &mut |path, text| {
        if is_image(path) && !text.contains("@sha256:") && !text.contains("${") {
            found.entry(text.to_owned()).or_insert_with(|| path.to_owned());
        }
    });
    found
}

/// Whether a container's image is at this path: `containers.0.image`, `initContainers.0.image`.
fn is_image(path: &str) -> bool {
    path.ends_with(".image") && path.contains("ontainers.")
}

/// Whether no object before this one runs the image.
fn first(seen: &CheckedResource<'_, ManifestSpec>, image: &str) -> bool {
    let before = seen.scope.desired.resources.range::<Address, _>(..seen.address);
    let mut objects = before.filter(|(_, resource)| resource.kind == Kind::Manifest);
    !objects.any(|(_, resource)| {
        let mut runs = false;
        walk(&resource.spec, "", &mut |path, text| runs |= is_image(path) && text == image);
        runs
    })
}

fn program(seen: &CheckedResource<'_, NodeSpec>, notes: &mut RuleFindings<'_>) {
    let NodeSpec { role, installer, program_sha256, version, .. } = &seen.spec;
    // All nodes have the settings of the server.
    let open = *role == NodeRole::Server && installer.is_none() && program_sha256.is_none();
    notes.add_if(open, "program_sha256", || format!("the program of {version} has no hash in the plan"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Case, TODAY, case, good};

    const ONE: &str = "jetson.manifest.one";
    const TWO: &str = "jetson.manifest.two";
    const NODE: &str = "jetson.node.a";

    fn object(name: &str, image: &str) -> Value {
        let containers = json!([{"name": "a", "image": image}, {"name": "b", "image": image}]);
        json!({
            "cluster": "a", "api_version": "apps/v1", "kind": "Deployment", "namespace": "n", "name": name,
            "object": {"spec": {"template": {"spec": {"containers": containers}}}},
        })
    }

    fn node(host: &str, role: &str) -> Value {
        json!({"host": host, "role": role, "version": "v1.36.3+k3s1", "server": "a", "server_url": "https://192.0.2.1:6443"})
    }

    pub(in super::super) fn cases() -> Vec<Case> {
        vec![
            case("PN001-image-by-tag").set(ONE, "", object("one", "akidb/rest:v1")),
            case("PN002-program-by-list").set(NODE, "", node("a", "server")),
        ]
    }

    fn found(case: Case) -> Vec<String> {
        let found = super::super::all(&case.desired, TODAY);
        found.into_iter().map(|finding| format!("{} {}: {}", finding.address, finding.path, finding.problem)).collect()
    }

    fn clean() -> Case {
        Case { desired: good(), rules: [].into(), note: String::new() }
    }

    #[test]
    fn an_image_is_named_once_where_it_first_runs() {
        let twice = clean().set(ONE, "", object("one", "akidb/rest:v1")).set(TWO, "", object("two", "akidb/rest:v1"));
        let place = "object.spec.template.spec.containers.0.image: `akidb/rest:v1` is named by a tag";
        assert_eq!(found(twice), [format!("{ONE} {place}")]);
        let other = clean().set(ONE, "", object("one", "akidb/rest:v1")).set(TWO, "", object("two", "akidb/rest:v2"));
        assert_eq!(found(other).len(), 2);
    }

    #[test]
    fn a_digest_an_archive_and_a_hash_are_enough() {
        let digest = format!("akidb/rest:v1@sha256:{}", "a".repeat(64));
        let archive =
            json!({"host": "a", "reference": "akidb/rest:v2", "archive_sha256": "a".repeat(64), "archive_bytes": 1});
        let case = clean()
            .set(ONE, "", object("one", &digest))
            .set(TWO, "", object("two", "akidb/rest:v2"))
            .set("jetson.image.two", "", archive)
            .set(NODE, "", node("a", "server"))
            .set(NODE, "/program_sha256", json!("a".repeat(64)))
            .set("jetson.node.b", "", node("b", "agent"))
            .set("jetson.node.c", "", node("c", "server"))
            .set("jetson.node.c", "/installer", json!("/var/lib/k3s-install.sh"));
        assert_eq!(found(case), Vec::<String>::new());
    }
}
