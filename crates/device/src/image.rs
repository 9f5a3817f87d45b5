//! Container images in a node's containerd, brought as archives.

use serde_json::{Value, json};

use super::on_host::{MEMORY, ShellKind};
use super::script::{Script, lines, quoted, script};
use crate::resource::image::ImageSpec;
use crate::resource::sha256_hex;

/// Images of nodes.
pub struct Images;

impl Images {
    /// Where the archive lies until it is in the store.
    fn waiting(spec: &ImageSpec) -> String {
        format!("{MEMORY}/image-{}.tar", &spec.archive_sha256[..spec.archive_sha256.len().min(16)])
    }

    /// Where the machine records which archive an image came from.
    fn came_from(spec: &ImageSpec) -> String {
        format!("{MEMORY}/image.{}", &sha256_hex(spec.reference.as_bytes())[..16])
    }
}

/// A reference as containerd writes it: with registry and, for Docker's own, with `library`.
pub(super) fn whole(reference: &str) -> String {
    let tagged = match reference.rsplit_once('/').map_or(reference, |(_, last)| last) {
        last if last.contains(':') || last.contains('@') => reference.to_owned(),
        _ => format!("{reference}:latest"),
    };
    match tagged.split_once('/') {
        None => format!("docker.io/library/{tagged}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => tagged,
        Some(_) => format!("docker.io/{tagged}"),
    }
}

impl ShellKind for Images {
    type Spec = ImageSpec;
    const SERVICE: &'static str = "containerd";

    fn host(spec: &ImageSpec) -> &str {
        &spec.host
    }

    fn id(spec: &ImageSpec) -> String {
        format!("{}:{}", spec.host, spec.reference)
    }

    fn look(spec: &ImageSpec) -> Script {
        // Without a k3s that runs there are no images.
        script!(
            "if k3s ctr -n k8s.io images ls -q 2>/dev/null | grep -qxF -- {reference}; then echo there=1; echo archive=$(cat {came_from} 2>/dev/null || :); fi",
            reference = quoted(&whole(&spec.reference)),
            came_from = quoted(&Self::came_from(spec))
        )
    }

    fn found(spec: &ImageSpec, printed: &str) -> Option<Value> {
        let seen = lines(printed);
        seen.get("there")?;
        let archive = seen.get("archive").copied().unwrap_or_default();
        // The size goes with the archive.
        Some(json!({"host": spec.host, "reference": spec.reference, "archive_sha256": archive,
            "archive_bytes": spec.archive_bytes}))
    }

    fn put(spec: &ImageSpec) -> Script {
        let (archive, whole) = (quoted(&Self::waiting(spec)), quoted(&whole(&spec.reference)));
        script!(
            "trap 'rm -f -- '{archive} EXIT\ntest \"$(sha256sum <{archive} | cut -c-64)\" = {sum} || {{ echo the archive that came has another hash; exit 1; }}\nk3s ctr -n k8s.io images import -- {archive}\nk3s ctr -n k8s.io images ls -q | grep -qxF -- {whole} || {{ echo the archive has no image called {whole}; exit 1; }}\nprintf %s {sum} >{from}",
            archive,
            sum = quoted(&spec.archive_sha256),
            whole,
            from = quoted(&Self::came_from(spec))
        )
    }

    fn remove(spec: &ImageSpec) -> Script {
        script!(
            "rm -f -- {came_from}\nif systemctl is-active --quiet k3s || systemctl is-active --quiet k3s-agent; then k3s ctr -n k8s.io images rm {reference}; fi",
            came_from = quoted(&Self::came_from(spec)),
            reference = quoted(&whole(&spec.reference))
        )
    }

    fn artifact(spec: &ImageSpec) -> Option<(String, String)> {
        Some((spec.archive_sha256.clone(), Self::waiting(spec)))
    }

    fn remedy(words: &str) -> Option<String> {
        let text = if words.contains("has no image called") {
            "name the image as it was saved (tar -xOf ARCHIVE manifest.json shows RepoTags), or save it under this name"
        } else if words.contains("unrecognized image format") || words.contains("another hash") {
            "save the image again: docker save NAME -o ARCHIVE, then run the same command again"
        } else if words.contains("containerd.sock") {
            "k3s does not run there: systemctl status k3s k3s-agent"
        } else {
            return None;
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_whole() {
        assert_eq!(whole("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(whole("akidb/rest:jetson-v1.0.0"), "docker.io/akidb/rest:jetson-v1.0.0");
        assert_eq!(whole("10.0.0.1:5000/akidb/rest"), "10.0.0.1:5000/akidb/rest:latest");
    }
}
