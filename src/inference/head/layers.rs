//! Layers that follow the pooling.

use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::fault::LayerFault;
use super::normalize;
use crate::files;
use crate::inference::folder::bounds::LAYER;
use crate::inference::folder::{Activation, Dense, FolderFault, ModuleStep};

/// Added to the variance by PyTorch's `nn.LayerNorm`.
const EPSILON: f32 = 1e-5;

/// A layer with its weights.
pub(super) enum Layer {
    Dense { weight: Vec<f32>, bias: Vec<f32>, residual: Residual, activation: Activation, from: usize },
    Normalize,
    Norm { weight: Vec<f32>, bias: Vec<f32> },
}

/// What of a layer's input is added to its output.
pub(super) enum Residual {
    Nothing,
    Itself,
    Projected(Vec<f32>),
}

impl Layer {
    /// Reads the weights of a module.
    ///
    /// # Errors
    /// The file, and what is wrong with it.
    pub(super) fn read(step: &ModuleStep) -> Result<Self, FolderFault> {
        match step {
            ModuleStep::Normalize => Ok(Self::Normalize),
            ModuleStep::Dense(dense) => Self::dense(dense).map_err(|why| FolderFault::bad(&dense.weights, why)),
            ModuleStep::LayerNorm { weights, dimension } => {
                Self::layer_norm(weights, *dimension).map_err(|why| FolderFault::bad(weights, why))
            }
        }
    }

    fn dense(dense: &Dense) -> Result<Self, LayerFault> {
        let bytes = files::read(&dense.weights, LAYER)?;
        let file = SafeTensors::deserialize(&bytes)?;
        let matrix = [dense.to, dense.from];
        let weight = tensor(&file, "linear.weight", &matrix)?;
        let bias = if dense.bias { tensor(&file, "linear.bias", &[dense.to])? } else { vec![0.0; dense.to] };
        let residual = match dense.residual {
            false => Residual::Nothing,
            true if dense.from == dense.to => Residual::Itself,
            true => Residual::Projected(tensor(&file, "residual.weight", &matrix)?),
        };
        Ok(Self::Dense { weight, bias, residual, activation: dense.activation, from: dense.from })
    }

    fn layer_norm(file: &Path, dimension: usize) -> Result<Self, LayerFault> {
        let bytes = files::read(file, LAYER)?;
        let file = SafeTensors::deserialize(&bytes)?;
        let one = |name| tensor(&file, name, &[dimension]);
        Ok(Self::Norm { weight: one("norm.weight")?, bias: one("norm.bias")? })
    }

    /// What the layer makes of a vector.
    pub(super) fn apply(&self, mut vector: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Normalize => {
                normalize(&mut vector);
                vector
            }
            Self::Norm { weight, bias } => {
                center(&mut vector);
                for ((value, weight), bias) in vector.iter_mut().zip(weight).zip(bias) {
                    *value = *value * weight + bias;
                }
                vector
            }
            Self::Dense { weight, bias, residual, activation, from } => {
                let mut out = product(weight, &vector, *from);
                out.iter_mut().zip(bias).for_each(|(value, bias)| *value = activate(*activation, *value + bias));
                let added = match residual {
                    Residual::Nothing => return out,
                    Residual::Itself => vector,
                    Residual::Projected(weight) => product(weight, &vector, *from),
                };
                out.iter_mut().zip(added).for_each(|(value, added)| *value += added);
                out
            }
        }
    }
}

/// The numbers of a tensor as 32-bit floats.
fn tensor(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, LayerFault> {
    let named = || name.to_owned();
    let found = file.tensor(name).map_err(|_| LayerFault::Missing {
        name: named(),
        there: file.names().into_iter().map(str::to_owned).collect(),
    })?;
    if found.shape() != shape {
        return Err(LayerFault::Shape { name: named(), found: found.shape().to_vec(), wanted: shape.to_vec() });
    }
    let bytes = found.data();
    match found.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()),
        Dtype::F64 => Ok(bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect()),
        Dtype::F16 => Ok(bytes.as_chunks().0.iter().map(|two| f16::from_le_bytes(*two).to_f32()).collect()),
        Dtype::BF16 => Ok(bytes.as_chunks().0.iter().map(|two| bf16::from_le_bytes(*two).to_f32()).collect()),
        found => Err(LayerFault::Type { name: named(), found }),
    }
}

/// Each row of a matrix times a vector. Eight sums run side by side, so that the compiler can use the processor's wide registers.
fn product(matrix: &[f32], vector: &[f32], from: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let (rows, rest) = row.as_chunks::<8>();
        let (parts, tail) = vector.as_chunks::<8>();
        let mut sums = [0.0_f32; 8];
        for (weights, values) in rows.iter().zip(parts) {
            for ((sum, weight), value) in sums.iter_mut().zip(weights).zip(values) {
                *sum += weight * value;
            }
        }
        let last: f32 = rest.iter().zip(tail).map(|(weight, value)| weight * value).sum();
        sums.iter().sum::<f32>() + last
    };
    matrix.chunks_exact(from).map(row).collect()
}

/// Mean 0, variance 1.
fn center(vector: &mut [f32]) {
    let count = vector.len().max(1) as f32;
    let mean = vector.iter().sum::<f32>() / count;
    vector.iter_mut().for_each(|value| *value -= mean);
    let variance = vector.iter().map(|value| value * value).sum::<f32>() / count;
    let share = 1.0 / (variance + EPSILON).sqrt();
    vector.iter_mut().for_each(|value| *value *= share);
}

fn activate(activation: Activation, x: f32) -> f32 {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Identity => x,
        Activation::Tanh => x.tanh(),
        Activation::Relu if x < 0.0 => 0.0,
        Activation::Relu => x,
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / std::f32::consts::SQRT_2)),
        Activation::Sigmoid => sigmoid(x),
        Activation::Silu => x * sigmoid(x),
    }
}

/// The error function, by Abramowitz and Stegun 7.1.26 in 64 bits: the error is below 1.5e-7.
fn erf(x: f32) -> f32 {
    let (sign, x) = (f64::from(x.signum()), f64::from(x.abs()));
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let polynomial = factors.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    (sign * (1.0 - polynomial * (-x * x).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_any_length_is_summed_whole() {
        for from in [1, 7, 8, 9, 17] {
            let vector: Vec<f32> = (0..from).map(|at| at as f32).collect();
            let matrix: Vec<f32> = (0..2 * from).map(|at| if at < from { 1.0 } else { 2.0 }).collect();
            let sum = vector.iter().sum::<f32>();
            assert_eq!(product(&matrix, &vector, from), [sum, 2.0 * sum]);
        }
    }

    #[test]
    fn activations_have_their_values() {
        for (activation, x, wanted) in [
            (Activation::Gelu, 1.0, 0.841_344_7),
            (Activation::Gelu, -0.5, -0.154_268_77),
            (Activation::Silu, 1.0, 0.731_058_6),
            (Activation::Sigmoid, 0.0, 0.5),
            (Activation::Relu, -1.0, 0.0),
            (Activation::Tanh, 0.5, 0.462_117_17),
            (Activation::Identity, -3.0, -3.0),
        ] {
            assert!((activate(activation, x) - wanted).abs() < 1e-6, "{activation:?}");
        }
        assert!(activate(Activation::Relu, f32::NAN).is_nan());
    }
}
