//! The hardware that runs the graph: selected by name, never replaced silently.

use std::fmt;
use std::str::FromStr;

use ort::ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProviderDispatch};

use super::SessionOptions;
use super::gpu::GpuInfo;
use crate::inference::folder::{Arithmetic, ModelFolder, Variant};
use crate::inference::queue::MOST_ROWS;

/// An execution provider of ONNX Runtime.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU by CUDA.
    Cuda,
    /// An NVIDIA GPU by TensorRT.
    TensorRt,
    /// OpenVINO on the processor, in bf16 where it has the instructions (AMX).
    OpenVino,
}

impl Device {
    /// As it is asked for and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
        }
    }

    /// Whether it is a GPU.
    pub fn is_gpu(self) -> bool {
        matches!(self, Self::Cuda | Self::TensorRt)
    }

    /// Which graph suits it: the INT8 graph is made for processors; GPUs and OpenVINO start from fp32 and choose their own precision.
    pub fn suits(self, wanted: Variant) -> Variant {
        if wanted == Variant::Auto && self != Self::Cpu { Variant::Fp32 } else { wanted }
    }

    /// How it computes, as far as vectors differ by more than 1e-4 from those of 32-bit floats.
    pub fn arithmetic(self, variant: Variant) -> Arithmetic {
        match self {
            Self::Cpu => Arithmetic::of_processor(variant),
            Self::Cuda => Arithmetic::Tf32,
            Self::TensorRt => Arithmetic::Fp16,
            Self::OpenVino => Arithmetic::Bf16,
        }
    }

    /// Batch sizes in tokens that are tried at start. On a processor more than 512 never paid, and cost memory.
    pub fn candidates(self) -> &'static [usize] {
        match self {
            Self::Cpu => &[256, 512],
            Self::OpenVino => &[512, 1024, 2048, 4096],
            Self::Cuda | Self::TensorRt => &[2048, 4096, 8192, 16_384],
        }
    }

    /// Workers when nobody says: one a core; a GPU is kept busy by two, one of which makes its batch while the other runs.
    pub fn workers(self, cores: usize) -> usize {
        match self {
            Self::Cpu => cores,
            Self::OpenVino => 1,
            Self::Cuda | Self::TensorRt => 2,
        }
    }

    /// What ONNX Runtime is to register for a graph with these inputs; nothing for the processor.
    pub(super) fn providers(
        self,
        folder: &ModelFolder,
        start: &SessionOptions,
        inputs: &[String],
    ) -> Vec<ExecutionProviderDispatch> {
        let cuda = || ep::CUDA::default().build().error_on_failure();
        match self {
            Self::Cpu => Vec::new(),
            Self::Cuda => vec![cuda()],
            Self::TensorRt => vec![tensorrt(folder, start, inputs), cuda()],
            Self::OpenVino => vec![openvino(start.threads)],
        }
    }
}

/// bf16 where the processor has it, fp32 elsewhere: the plug-in decides, with the hint that speed counts.
fn openvino(threads: usize) -> ExecutionProviderDispatch {
    let hints = format!(
        r#"{{"CPU":{{"INFERENCE_PRECISION_HINT":"bf16","NUM_STREAMS":"1","INFERENCE_NUM_THREADS":"{threads}"}}}}"#
    );
    let provider = ep::OpenVINO::default().with_device_type("CPU");
    provider.with_arbitrary_config("load_config", hints).build().error_on_failure()
}

/// One profile for every shape that a batch may have, so that no request waits for a build; engines are kept in a folder whose
/// name says what they were built for, since TensorRT itself looks at less.
fn tensorrt(folder: &ModelFolder, start: &SessionOptions, inputs: &[String]) -> ExecutionProviderDispatch {
    let shapes = |rows: usize, width: usize| profile(inputs, rows, width);
    let gpu = GpuInfo::look();
    let mut provider = ep::TensorRT::default()
        .with_fp16(gpu.as_ref().is_none_or(GpuInfo::has_fp16))
        .with_layer_norm_fp32_fallback(true)
        .with_profile_min_shapes(shapes(1, 1))
        .with_profile_opt_shapes(shapes(16, 64.min(folder.longest)))
        .with_profile_max_shapes(shapes(MOST_ROWS, folder.longest));
    if let Some(cache) = start.engine_cache(folder, gpu.as_ref()) {
        let cache = cache.display().to_string();
        provider = provider
            .with_engine_cache(true)
            .with_engine_cache_path(&cache)
            .with_timing_cache(true)
            .with_timing_cache_path(&cache);
    }
    provider.build().error_on_failure()
}

/// `input_ids:16x64,attention_mask:16x64`: TensorRT refuses a profile that names an input which the graph does not have.
fn profile(inputs: &[String], rows: usize, width: usize) -> String {
    let each: Vec<_> = inputs.iter().map(|name| format!("{name}:{rows}x{width}")).collect();
    each.join(",")
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names none of them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{found:?} is not an execution provider; there are cpu, cuda, tensorrt and openvino")]
pub struct UnknownDevice {
    /// The word.
    pub found: String,
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "tensorrt" => Ok(Self::TensorRt),
            "openvino" => Ok(Self::OpenVino),
            _ => Err(UnknownDevice { found: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_names_the_inputs_that_the_graph_has() {
        let inputs = ["input_ids", "attention_mask"].map(str::to_owned);
        assert_eq!(profile(&inputs, 16, 64), "input_ids:16x64,attention_mask:16x64");
    }
}
