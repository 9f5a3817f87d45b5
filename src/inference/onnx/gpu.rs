//! The NVIDIA GPU of this machine: what engines are built for.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A GPU, as its driver tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GpuInfo {
    /// `NVIDIA H100 80GB HBM3`, `Orin`.
    pub name: String,
    /// Version of the driver; on a Jetson that of L4T.
    pub driver: String,
    /// Compute capability: `9.0`, `8.7`.
    pub compute: String,
    /// Version of TensorRT's library, when there is one.
    pub tensorrt: Option<String>,
}

impl GpuInfo {
    /// The first GPU; nothing where there is none.
    pub fn look() -> Option<Self> {
        let (name, driver, compute) = by_driver().or_else(by_device_tree)?;
        Some(Self { name, driver, compute, tensorrt: tensorrt() })
    }

    /// Whether it computes in 16-bit floats: from compute capability 5.3 on.
    pub fn has_fp16(&self) -> bool {
        self.compute.parse::<f32>().is_ok_and(|compute| compute >= 5.3)
    }

    /// What an engine depends on besides its model, as part of a folder's name.
    pub fn key(&self) -> String {
        let parts = [self.driver.as_str(), self.tensorrt.as_deref().unwrap_or("unknown"), self.compute.as_str()];
        format!("driver-{}-trt-{}-sm-{}", parts[0], parts[1], parts[2])
    }
}

/// What `nvidia-smi` says.
fn by_driver() -> Option<(String, String, String)> {
    let query = ["--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"];
    let said = Command::new("nvidia-smi").args(query).output().ok()?;
    if !said.status.success() {
        return None;
    }
    parse(&String::from_utf8_lossy(&said.stdout))
}

/// The first line of `nvidia-smi`'s answer. On a Jetson some fields are `[N/A]`: then the device tree knows more.
fn parse(said: &str) -> Option<(String, String, String)> {
    let mut fields = said.lines().next()?.split(',').map(|field| field.trim().to_owned());
    let (name, driver, compute) = (fields.next()?, fields.next()?, fields.next()?);
    compute.parse::<f32>().is_ok().then_some((name, driver, compute))
}

/// What a Jetson says of itself.
fn by_device_tree() -> Option<(String, String, String)> {
    let model = std::fs::read_to_string("/proc/device-tree/compatible").ok()?;
    let release = std::fs::read_to_string("/etc/nv_tegra_release").unwrap_or_default();
    jetson(&model, &release)
}

fn jetson(model: &str, release: &str) -> Option<(String, String, String)> {
    // NVIDIA's list of compute capabilities: Orin 8.7, Xavier 7.2, Thor 11.0.
    let known = [("tegra264", "Thor", "11.0"), ("tegra234", "Orin", "8.7"), ("tegra194", "Xavier", "7.2")];
    let (_, name, compute) = known.into_iter().find(|(chip, ..)| model.contains(chip))?;
    let words: Vec<&str> = release.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let after = |wanted: &str| words.iter().position(|word| *word == wanted).and_then(|at| words.get(at + 1)).copied();
    let major = words.iter().find_map(|word| word.strip_prefix('R').filter(|number| number.parse::<u32>().is_ok()));
    let driver = format!("l4t-{}.{}", major.unwrap_or("unknown"), after("REVISION:").unwrap_or("unknown"));
    Some((name.to_owned(), driver, compute.to_owned()))
}

/// The version in the name of the library's file.
fn tensorrt() -> Option<String> {
    let named = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib", "/usr/lib"];
    let folders = named.split(':').filter(|folder| !folder.is_empty()).chain(usual).map(PathBuf::from);
    folders.into_iter().find_map(|folder| library(&folder))
}

fn library(folder: &Path) -> Option<String> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_prefix("libnvinfer.so.").map(str::to_owned)).max_by_key(String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_s_answer_is_read() {
        let said = parse("NVIDIA H100 80GB HBM3, 550.54.15, 9.0\n").unwrap();
        assert_eq!(said, ("NVIDIA H100 80GB HBM3".to_owned(), "550.54.15".to_owned(), "9.0".to_owned()));
        assert_eq!(parse("Orin (nvgpu), [N/A], [N/A]"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_jetson_is_known_by_its_device_tree() {
        let release = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64";
        let orin = jetson("nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0", release).unwrap();
        assert_eq!(orin, ("Orin".to_owned(), "l4t-36.4.3".to_owned(), "8.7".to_owned()));
        assert_eq!(jetson("raspberrypi,4-model-b", release), None);
    }

    #[test]
    fn engines_are_kept_apart_by_what_they_were_built_for() {
        let gpu = GpuInfo {
            name: "Orin".to_owned(),
            driver: "l4t-36.4.3".to_owned(),
            compute: "8.7".to_owned(),
            tensorrt: Some("10.3.0".to_owned()),
        };
        assert_eq!(gpu.key(), "driver-l4t-36.4.3-trt-10.3.0-sm-8.7");
        assert!(gpu.has_fp16());
    }
}
