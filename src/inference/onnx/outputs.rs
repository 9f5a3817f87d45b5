//! Which output of a graph holds the vectors, and reading it as 32-bit floats.

use half::{bf16, f16};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};

use super::fault::SessionFault;
use crate::inference::backend::{GraphOutput, RunFault};
use crate::inference::folder::{OF_TEXTS, UnsupportedPooling};

/// Names of outputs with a vector for each token.
const OF_TOKENS: [&str; 3] = ["last_hidden_state", "token_embeddings", "hidden_states"];

/// The output that is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ChosenOutput {
    pub(super) name: String,
    /// One vector for each text, to which nothing is done any longer.
    pooled: bool,
}

impl ChosenOutput {
    /// The output to read. `tokens` says why the vectors of tokens are of no use, when they are: then the graph's own
    /// `sentence_embedding` is taken.
    ///
    /// # Errors
    /// There is none of the wanted kind.
    pub(super) fn of(declared: &[Outlet], tokens: Result<(), UnsupportedPooling>) -> Result<Self, SessionFault> {
        let named = |names: &[&'static str]| {
            names.iter().copied().find(|name| declared.iter().any(|output| output.name() == *name))
        };
        let chosen = |name: &str, pooled: bool| Ok(Self { name: name.to_owned(), pooled });
        // Exporters that give no names number them; scores of words and keys of a cache are not vectors of tokens.
        let other = |name: &str| name == "logits" || name.starts_with("present");
        let mut numbered = declared.iter().filter(|output| rank_of(output) == Some(3) && !other(output.name()));
        if tokens.is_ok()
            && let Some(name) = named(&OF_TOKENS)
        {
            return chosen(name, false);
        }
        if let Some(name) = named(&OF_TEXTS) {
            return chosen(name, true);
        }
        match (tokens, numbered.next()) {
            (Ok(()), Some(output)) => chosen(output.name(), false),
            (Ok(()), None) => {
                let there = declared.iter().map(|output| output.name().to_owned()).collect();
                Err(SessionFault::NoVectors { there })
            }
            (Err(why), _) => Err(why.into()),
        }
    }

    /// Hands the numbers of the output to `read`.
    ///
    /// # Errors
    /// It is not of floats, or has another rank than it should.
    pub(super) fn read(&self, value: &DynValue, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        let mut hand =
            |flat: &[f32]| read(if self.pooled { GraphOutput::Pooled(flat) } else { GraphOutput::Tokens(flat) });
        match value.dtype().tensor_type() {
            Some(TensorElementType::Float32) => hand(value.try_extract_tensor::<f32>().map_err(RunFault::runtime)?.1),
            Some(TensorElementType::Float16) => {
                let (_, flat) = value.try_extract_tensor::<f16>().map_err(RunFault::runtime)?;
                hand(&flat.iter().map(|value| value.to_f32()).collect::<Vec<_>>());
            }
            Some(TensorElementType::Bfloat16) => {
                let (_, flat) = value.try_extract_tensor::<bf16>().map_err(RunFault::runtime)?;
                hand(&flat.iter().map(|value| value.to_f32()).collect::<Vec<_>>());
            }
            Some(TensorElementType::Float64) => {
                let (_, flat) = value.try_extract_tensor::<f64>().map_err(RunFault::runtime)?;
                hand(&flat.iter().map(|value| *value as f32).collect::<Vec<_>>());
            }
            _ => {
                let (name, found) = (self.name.clone(), value.dtype().to_string());
                return Err(RunFault::OutputType { name, found });
            }
        }
        Ok(())
    }
}

/// Dimensions of an output of floats.
fn rank_of(output: &Outlet) -> Option<usize> {
    let ValueType::Tensor { ty, shape, .. } = output.dtype() else { return None };
    let floats = [
        TensorElementType::Float32,
        TensorElementType::Float16,
        TensorElementType::Bfloat16,
        TensorElementType::Float64,
    ];
    floats.contains(ty).then_some(shape.len())
}
