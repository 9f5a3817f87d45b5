//! What a graph is fed: the inputs that exporters of text models write, in the types that they have.

use half::f16;
use ort::memory::Allocator;
use ort::session::SessionInputValue;
use ort::value::{DynTensor, Outlet, Tensor, TensorElementType, TensorRef, ValueType};

use super::fault::SessionFault;
use crate::inference::batch::Batch;
use crate::inference::graph_file::InputFault;

/// What an input holds.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Feed {
    Ids,
    Mask,
    Types,
    Positions,
    /// Keys or values of earlier tokens: there are none. Its shape, with 0 for the number of earlier tokens.
    Past(Vec<i64>),
    /// Whether there are earlier tokens: no.
    UsesPast,
}

/// An input of a graph.
struct Input {
    name: String,
    feed: Feed,
    kind: TensorElementType,
}

/// The inputs of a graph.
pub(super) struct Inputs {
    all: Vec<Input>,
    first_position: usize,
    positions: Vec<i64>,
}

impl Inputs {
    /// The inputs that a graph declares. `first_position` is the position of a text's first token.
    ///
    /// # Errors
    /// One that a text does not have, or of a type that is not known here.
    pub(super) fn of(declared: &[Outlet], first_position: usize) -> Result<Self, SessionFault> {
        // Without a mask a text's vector would depend on the padding, and so on what else is in its batch.
        for wanted in ["input_ids", "attention_mask"] {
            if !declared.iter().any(|input| input.name() == wanted) {
                let there = declared.iter().map(|input| input.name().to_owned()).collect();
                return Err(InputFault::Missing { wanted, there }.into());
            }
        }
        let all = declared.iter().map(Input::of).collect::<Result<_, _>>()?;
        Ok(Self { all, first_position, positions: Vec::new() })
    }

    /// The names of those that are as long as the texts.
    pub(super) fn of_tokens(&self) -> Vec<String> {
        let past = |input: &&Input| !matches!(input.feed, Feed::Past(_) | Feed::UsesPast);
        self.all.iter().filter(past).map(|input| input.name.clone()).collect()
    }

    /// The values for a batch.
    ///
    /// # Errors
    /// What the runtime said.
    pub(super) fn values<'a>(
        &'a mut self,
        batch: &'a Batch,
    ) -> Result<Vec<(&'a str, SessionInputValue<'a>)>, ort::Error> {
        let first = self.first_position as i64;
        if self.all.iter().any(|input| input.feed == Feed::Positions) {
            self.positions.clear();
            for _ in 0..batch.rows {
                self.positions.extend(first..first + batch.width as i64);
            }
        }
        let shape = [batch.rows, batch.width];
        let mut values = Vec::with_capacity(self.all.len());
        for input in &self.all {
            let value = match &input.feed {
                Feed::Ids => numbers(shape, &batch.ids, input.kind)?,
                Feed::Mask => numbers(shape, &batch.mask, input.kind)?,
                Feed::Types => numbers(shape, &batch.types, input.kind)?,
                Feed::Positions => numbers(shape, &self.positions, input.kind)?,
                Feed::Past(shape) => empty(shape, batch.rows, input.kind)?.into(),
                Feed::UsesPast => Tensor::from_array(([1_usize], vec![false]))?.into(),
            };
            values.push((input.name.as_str(), value));
        }
        Ok(values)
    }
}

impl Input {
    fn of(declared: &Outlet) -> Result<Self, SessionFault> {
        let name = declared.name();
        let ValueType::Tensor { ty, shape, .. } = declared.dtype() else {
            return Err(SessionFault::NotTensor { name: name.to_owned() });
        };
        let feed = match name {
            "input_ids" => Feed::Ids,
            "attention_mask" => Feed::Mask,
            "token_type_ids" => Feed::Types,
            "position_ids" => Feed::Positions,
            "use_cache_branch" => Feed::UsesPast,
            past if past.starts_with("past_key_values.") => Feed::Past(past_shape(past, shape)?),
            other => return Err(InputFault::Unknown { name: other.to_owned() }.into()),
        };
        let known = match feed {
            Feed::Past(_) => matches!(ty, TensorElementType::Float32 | TensorElementType::Float16),
            Feed::UsesPast => *ty == TensorElementType::Bool,
            _ => matches!(
                ty,
                TensorElementType::Int64
                    | TensorElementType::Int32
                    | TensorElementType::Float32
                    | TensorElementType::Float16
                    | TensorElementType::Bool
            ),
        };
        if !known {
            return Err(SessionFault::InputType { name: name.to_owned(), found: *ty });
        }
        if !matches!(feed, Feed::Past(_) | Feed::UsesPast) {
            of_any_size(name, shape)?;
        }
        Ok(Self { name: name.to_owned(), feed, kind: *ty })
    }
}

/// Texts and tokens: both differ from batch to batch.
fn of_any_size(name: &str, shape: &[i64]) -> Result<(), SessionFault> {
    match shape {
        // Not every exporter declares a shape.
        [] | [-1, -1] => Ok(()),
        other => Err(SessionFault::FixedShape { name: name.to_owned(), shape: other.to_vec() }),
    }
}

/// Batch, heads, earlier tokens, numbers of a head: heads and numbers are the graph's own.
fn past_shape(name: &str, shape: &[i64]) -> Result<Vec<i64>, SessionFault> {
    match shape {
        [_, heads, _, numbers] if *heads > 0 && *numbers > 0 => Ok(vec![-1, *heads, 0, *numbers]),
        other => Err(SessionFault::PastShape { name: name.to_owned(), shape: other.to_vec() }),
    }
}

/// Whole numbers as the type that the input has.
fn numbers(shape: [usize; 2], values: &[i64], kind: TensorElementType) -> Result<SessionInputValue<'_>, ort::Error> {
    Ok(match kind {
        TensorElementType::Int32 => {
            Tensor::from_array((shape, values.iter().map(|n| *n as i32).collect::<Vec<_>>()))?.into()
        }
        TensorElementType::Float32 => {
            Tensor::from_array((shape, values.iter().map(|n| *n as f32).collect::<Vec<_>>()))?.into()
        }
        TensorElementType::Float16 => {
            Tensor::from_array((shape, values.iter().map(|n| f16::from_f32(*n as f32)).collect::<Vec<_>>()))?.into()
        }
        TensorElementType::Bool => {
            Tensor::from_array((shape, values.iter().map(|n| *n != 0).collect::<Vec<_>>()))?.into()
        }
        _ => TensorRef::from_array_view((shape, values))?.into(),
    })
}

/// A tensor without numbers.
fn empty(shape: &[i64], rows: usize, kind: TensorElementType) -> Result<DynTensor, ort::Error> {
    let mut shape: Vec<i64> = shape.to_vec();
    if let Some(first) = shape.first_mut() {
        *first = rows as i64;
    }
    DynTensor::new(&Allocator::default(), kind, ort::value::Shape::new(shape))
}
