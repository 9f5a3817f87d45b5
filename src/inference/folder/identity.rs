//! The version of a model: a hash of everything that can change a vector.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::read::bad;
use super::{FolderFault, ModelFolder, ModuleStep, Modules, Variant};
use crate::inference::graph_file;
use crate::inference::tokenize::TruncationSide;

/// The way in which numbers are computed, where other ways give vectors that differ by more than 1e-4.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// As the graph says it.
    Exact,
    /// 8-bit sums that saturate: x86 processors without VNNI.
    SaturatingInt8,
    /// CUDA multiplies in TF32.
    Tf32,
    /// TensorRT in 16-bit floats.
    Fp16,
    /// OpenVINO in bf16.
    Bf16,
}

impl Arithmetic {
    /// That of this machine's processor for a variant.
    pub fn of_processor(variant: Variant) -> Self {
        if variant == Variant::Int8 && saturates() { Self::SaturatingInt8 } else { Self::Exact }
    }
}

/// Products of 8-bit numbers are added in 16 bits where the processor has no instruction for more
/// (ONNX Runtime, "Quantize ONNX models", on U8S8 with AVX2 and AVX512).
#[cfg(target_arch = "x86_64")]
fn saturates() -> bool {
    !(std::arch::is_x86_feature_detected!("avx512vnni") || std::arch::is_x86_feature_detected!("avxvnni"))
}

#[cfg(not(target_arch = "x86_64"))]
fn saturates() -> bool {
    false
}

impl ModelFolder {
    /// SHA-256 over the graph, its external data, the tokenizer, and what the other files say, in hexadecimal: the same version
    /// gives the same vectors for the same request.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn version(&self, arithmetic: Arithmetic) -> Result<String, FolderFault> {
        let mut hasher = Sha256::new();
        add(&mut hasher, &self.graph)?;
        for data in graph_file::read(&self.graph).map_err(|why| bad(&self.graph, why))?.external {
            add(&mut hasher, &data)?;
        }
        add(&mut hasher, &self.tokenizer)?;
        for step in &self.modules.steps {
            if let ModuleStep::Dense(super::Dense { weights, .. }) | ModuleStep::LayerNorm { weights, .. } = step {
                add(&mut hasher, weights)?;
            }
        }
        hasher.update(self.said(arithmetic).to_string());
        Ok(hex::encode(hasher.finalize()))
    }

    /// What the small files say, as far as it changes vectors.
    fn said(&self, arithmetic: Arithmetic) -> serde_json::Value {
        let Modules { pools, steps, normalized, .. } = &self.modules;
        json!({
            "dimension": self.dimension,
            "longest": self.longest,
            "cuts_the_beginning": self.spelling.side == Some(TruncationSide::Beginning),
            "spelling": self.spelling,
            "first_position": self.first_position,
            "pooling": pools,
            "steps": steps.iter().map(described).collect::<Vec<_>>(),
            "normalised": normalized,
            "prompts": self.prompts,
            "arithmetic": arithmetic,
        })
    }
}

fn described(step: &ModuleStep) -> serde_json::Value {
    match step {
        ModuleStep::Normalize => json!("normalize"),
        ModuleStep::LayerNorm { dimension, .. } => json!({"layer_norm": dimension}),
        ModuleStep::Dense(dense) => {
            json!({"dense": [dense.from, dense.to], "activation": dense.activation, "bias": dense.bias, "residual": dense.residual})
        }
    }
}

/// A file, its length first, so that no two lists of files have the same bytes.
fn add(hasher: &mut Sha256, file: &Path) -> Result<(), FolderFault> {
    let fault = |why: std::io::Error| bad(file, why);
    let mut opened = std::fs::File::open(file).map_err(fault)?;
    hasher.update(opened.metadata().map_err(fault)?.len().to_le_bytes());
    let mut part = vec![0; 1 << 18];
    loop {
        match opened.read(&mut part).map_err(fault)? {
            0 => return Ok(()),
            count => hasher.update(&part[..count]),
        }
    }
}
