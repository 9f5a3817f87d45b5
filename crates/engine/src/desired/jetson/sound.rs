//! Checks every name and path of a plan's devices at its place in the plan, before any connection.

use super::super::Builder;
use crate::plan::Step;
use crate::plan::jetson::{JetsonStep, TOOLKIT_KEY_URL};
use crate::resource::syntax_check::{self, SettingsCheck};
use crate::resource::{InvalidSetting, Resource};

/// Complains of what is wrong, each at its own line of the plan.
pub fn complain(builder: &mut Builder<'_>, step: &Step, below: &str, wrong: Vec<InvalidSetting>) {
    for InvalidSetting { field, problem, next_step } in wrong {
        let path = if below.is_empty() { field.clone() } else { format!("{below}.{field}") };
        builder.complain(step, &path, format!("{field}: {problem}"), next_step);
    }
}

/// Complains of a resource.
pub fn resource(builder: &mut Builder<'_>, step: &Step, below: &str, resource: &Resource) {
    complain(builder, step, below, (resource.kind.facts().wrong)(&resource.spec));
}

/// Complains of what is in the plan alone: toolkit, registry, GPU.
pub fn settings(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep) {
    let mut look = SettingsCheck::default();
    if let Some(toolkit) = &plan.toolkit {
        let version = &toolkit.version;
        let fits = version.is_empty() || syntax_check::package_version(version);
        look.must("toolkit.version", version, fits, syntax_check::PACKAGE_VERSION);
        look.must("toolkit.repository", &toolkit.repository, repository(&toolkit.repository), REPOSITORY);
        look.must("toolkit.key_url", &toolkit.key_url, syntax_check::url(&toolkit.key_url), syntax_check::URL);
        let sum = toolkit.key_sha256.as_deref().unwrap_or_default();
        let known = toolkit.key_url == TOOLKIT_KEY_URL && sum.is_empty();
        look.must("toolkit.key_sha256", sum, known || syntax_check::sha256(sum), KEY_SHA256);
    }
    if let Some(registry) = plan.k3s.as_ref().and_then(|k3s| k3s.registry.as_ref()) {
        look.must("k3s.registry.image", &registry.image, syntax_check::image(&registry.image), syntax_check::IMAGE);
    }
    if let Some(gpu) = &plan.gpu {
        look.must(
            "gpu.runtime_class",
            &gpu.runtime_class,
            syntax_check::object_name(&gpu.runtime_class),
            syntax_check::OBJECT_NAME,
        );
        look.must(
            "gpu.device_plugin",
            &gpu.device_plugin,
            syntax_check::image(&gpu.device_plugin),
            syntax_check::IMAGE,
        );
        if let Some(image) = &gpu.cuda_test_image {
            look.must("gpu.cuda_test_image", image, syntax_check::image(image), syntax_check::IMAGE);
        }
        look.must("gpu.cuda_test_output", &gpu.cuda_test_output, says(&gpu.cuda_test_output), syntax_check::LINE);
    }
    complain(builder, step, "", look.done());
}

fn says(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && syntax_check::line(text)
}

/// One line of apt, over HTTPS, whose packages are signed by a key of its own.
fn repository(text: &str) -> bool {
    let options = text.strip_prefix("deb [").and_then(|rest| rest.split_once("] "));
    let Some((options, place)) = options else { return false };
    let known = |option: &str| option.starts_with("signed-by=/") || option.starts_with("arch=");
    let signed = options.contains("signed-by=/") && options.split(' ').all(known);
    signed && place.starts_with("https://") && syntax_check::line(text) && !text.contains('\t')
}

const REPOSITORY: &str = "write one line: deb [signed-by=/usr/share/keyrings/…] https://…; without signed-by, or with trusted=yes, anybody on the way could be the repository";
const KEY_SHA256: &str =
    "write what sha256sum prints for the key of that repository: it decides which packages are installed as root";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_signed() {
        assert!(repository("deb [signed-by=/usr/share/keyrings/x.asc] https://a.b/deb/$(ARCH) /"));
        for odd in [
            "deb https://a.b/deb /",
            "deb [trusted=yes] https://a.b/deb /",
            "deb [signed-by=/k trusted=yes] https://a.b/deb /",
            "deb [signed-by=/k] http://a.b/deb /",
            "deb [signed-by=/k] https://a.b/deb /\ndeb [trusted=yes] http://c /",
            "",
        ] {
            assert!(!repository(odd), "{odd:?}");
        }
    }
}
