//! Values that depend on a device's JetPack release: one row for each supported release.

/// A JetPack that programs are built for.
#[derive(Debug, PartialEq, Eq)]
pub struct JetpackTarget {
    /// Its release, without the patch.
    pub jetpack: &'static str,
    /// CUDA of its driver.
    pub cuda: &'static str,
    /// What an image is built on: since L4T 36 a plain Ubuntu of the same release, CUDA comes by the runtime class.
    pub base_image: &'static str,
    /// The build of ONNX Runtime that goes with it.
    pub onnxruntime: &'static str,
    /// An image that runs a CUDA kernel and says so.
    pub proof_image: &'static str,
    /// What k3s and its installer need of the distribution.
    pub packages: &'static [&'static str],
}

/// The targets. PyPI has no onnxruntime-gpu for arm64 and Python 3.10, so that JetPack 6 needs a build made for it;
/// whether the one for Python 3.12 has kernels for Orin (sm_87) is not known until it ran there: the proof tells.
pub const TARGETS: &[JetpackTarget] = &[
    JetpackTarget {
        jetpack: "6.2",
        cuda: "12.6",
        base_image: "ubuntu:22.04",
        onnxruntime: "1.25 for cu126 (jetson-containers)",
        proof_image: "nvcr.io/nvidia/k8s/cuda-sample:vectoradd-cuda12.5.0-ubuntu22.04",
        packages: &["ca-certificates", "curl", "iptables"],
    },
    JetpackTarget {
        jetpack: "7.2",
        cuda: "13.0",
        base_image: "ubuntu:24.04",
        onnxruntime: "1.31.1 for Python 3.12 (PyPI, aarch64)",
        proof_image: "nvcr.io/nvidia/k8s/cuda-sample:vectoradd-cuda13.0.0-ubuntu24.04",
        packages: &["ca-certificates", "curl", "iptables"],
    },
];

/// The target of a release such as `6.2` or `6.2.1`.
pub fn target(jetpack: &str) -> Option<&'static JetpackTarget> {
    TARGETS.iter().find(|target| {
        jetpack == target.jetpack || jetpack.strip_prefix(target.jetpack).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The targets, for messages.
pub fn known() -> String {
    TARGETS.iter().map(|target| format!("{} (CUDA {})", target.jetpack, target.cuda)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_belong_to_their_release() {
        assert_eq!(target("6.2.1").map(|target| target.cuda), Some("12.6"));
        assert_eq!(target("7.2").map(|target| target.cuda), Some("13.0"));
        assert_eq!(target("6.20"), None);
        assert_eq!(target("5.1"), None);
    }
}
