//! Which hardware runs the graph: asked for by name, never swapped in silence.

use std::fmt;
use std::str::FromStr;

use ort::ep::{self, ExecutionProviderDispatch};

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
    /// OpenVINO; on processors with AMX it computes in bf16.
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

    /// Batch sizes in tokens that are tried at start.
    pub fn candidates(self) -> &'static [usize] {
        match self {
            Self::Cpu => &[256, 512, 1024],
            Self::OpenVino => &[512, 1024, 2048, 4096],
            Self::Cuda | Self::TensorRt => &[2048, 4096, 8192, 16_384, 32_768],
        }
    }

    /// What ONNX Runtime is to register; nothing for the processor.
    pub(super) fn providers(self) -> Vec<ExecutionProviderDispatch> {
        match self {
            Self::Cpu => Vec::new(),
            Self::Cuda => vec![ep::CUDA::default().build().error_on_failure()],
            Self::TensorRt => vec![
                ep::TensorRT::default().with_fp16(true).build().error_on_failure(),
                ep::CUDA::default().build().error_on_failure(),
            ],
            Self::OpenVino => vec![
                ep::OpenVINO::default().with_device_type("CPU").build().error_on_failure(),
            ],
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "tensorrt" => Ok(Self::TensorRt),
            "openvino" => Ok(Self::OpenVino),
            _ => Err(format!("{text} is no execution provider; there are cpu, cuda, tensorrt and openvino")),
        }
    }
}
