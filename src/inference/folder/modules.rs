//! `modules.json`: what happens to the output of the graph, module by module.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FolderFault;
use super::pooling::{self, Pools};
use super::read::{bad, inside, may, missing, must};

/// What follows the pooling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ModuleStep {
    /// A linear layer and its activation.
    Dense(Dense),
    /// Makes a vector one unit long.
    Normalize,
    /// Centers and scales the numbers of a vector.
    LayerNorm {
        /// Its weights.
        weights: PathBuf,
        /// Numbers of a vector.
        dimension: usize,
    },
}

/// A Dense module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dense {
    /// Its weights.
    pub weights: PathBuf,
    /// Numbers that go in.
    pub from: usize,
    /// Numbers that come out.
    pub to: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: Activation,
    /// Whether what went in is added to what comes out.
    pub residual: bool,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// Zero for negative numbers.
    Relu,
    /// Exact, by the error function.
    Gelu,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// x times its sigmoid.
    Silu,
}

/// What a folder says of all that follows the graph.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Modules {
    /// Where the transformer's own files lie.
    pub(super) inner: PathBuf,
    /// The pooling; nothing where no file says it.
    pub pools: Option<Pools>,
    /// The width of a token's vector, when the pooling says it.
    pub(super) width: Option<usize>,
    /// What follows it, in this order.
    pub steps: Vec<ModuleStep>,
    /// Whether vectors are made one unit long at the end.
    pub normalized: bool,
    /// Why these modules cannot be applied here. A graph that holds them all, and gives `sentence_embedding`, can be served.
    pub unserved: Option<String>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Module {
    /// `Pooling` of `sentence_transformers.models.Pooling`.
    fn class(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or(&self.kind)
    }
}

impl Modules {
    /// Reads `modules.json` and the folders that it names.
    pub(super) fn read(root: &Path) -> Result<Self, FolderFault> {
        let list = root.join("modules.json");
        let Some(named) = may::<Vec<Module>>(&list)? else {
            let read = pooling::read(&root.join("1_Pooling/config.json"))?;
            let (pools, width) = read.map_or((None, None), |(pools, width)| (Some(pools), width));
            return Ok(Self { inner: root.to_owned(), pools, width, ..Self::default() });
        };
        let mut modules = Self { inner: root.to_owned(), ..Self::default() };
        for module in &named {
            modules.add(&inside(root, &module.path, &list)?, module)?;
        }
        // What a request may switch off is not a step.
        if modules.steps.last() == Some(&ModuleStep::Normalize) {
            modules.steps.pop();
            modules.normalized = true;
        }
        Ok(modules)
    }

    fn add(&mut self, folder: &Path, module: &Module) -> Result<(), FolderFault> {
        if !module.kind.starts_with("sentence_transformers.") {
            self.refuse(module, &Unapplied::Foreign);
        }
        let pooled = self.pools.is_some();
        match module.class() {
            "Transformer" if !pooled => folder.clone_into(&mut self.inner),
            "Pooling" if !pooled => {
                let file = folder.join("config.json");
                let what = "it defines the pooling";
                let (pools, width) = pooling::read(&file)?.ok_or_else(|| missing(&file, what))?;
                (self.pools, self.width) = (Some(pools), width);
            }
            "Dense" if pooled => match dense(folder)? {
                Ok(dense) => self.steps.push(ModuleStep::Dense(dense)),
                Err(why) => self.refuse(module, &why),
            },
            "LayerNorm" if pooled => self.steps.push(layer_norm(folder)?),
            "Normalize" if pooled => self.steps.push(ModuleStep::Normalize),
            // It does nothing but in training.
            "Dropout" => {}
            "Dense" | "LayerNorm" | "Normalize" => self.refuse(module, &Unapplied::OnTokens),
            _ => self.refuse(module, &Unapplied::Kind),
        }
        Ok(())
    }

    /// The first reason counts.
    fn refuse(&mut self, module: &Module, why: &Unapplied) {
        let Module { path, kind } = module;
        self.unserved.get_or_insert_with(|| format!("modules.json names {kind} ({path:?}): {why}"));
    }

    /// Numbers of a text's vector, for tokens of this width.
    pub(super) fn dimension(&self, width: usize) -> Result<usize, ModuleMismatch> {
        let mut numbers = width * self.pools.as_ref().map_or(1, |pools| pools.modes.len());
        for step in &self.steps {
            let (wanted, gives) = match step {
                ModuleStep::Dense(dense) => (dense.from, dense.to),
                ModuleStep::LayerNorm { dimension, .. } => (*dimension, *dimension),
                ModuleStep::Normalize => (numbers, numbers),
            };
            if wanted != numbers {
                return Err(ModuleMismatch { wanted, found: numbers });
            }
            numbers = gives;
        }
        Ok(numbers)
    }
}

/// Two modules do not fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a module expects {wanted} dimensions, but the one before it has {found}")]
pub(super) struct ModuleMismatch {
    wanted: usize,
    found: usize,
}

/// Why a module is not applied here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Unapplied {
    #[error("it is custom code of the model, which is not run")]
    Foreign,
    #[error("it works on the vectors of tokens")]
    OnTokens,
    #[error("modules of this kind are not supported")]
    Kind,
    #[error("it works on {name}, not on sentence_embedding")]
    Input { name: String },
    #[error("its activation {name} is not supported")]
    Activation { name: String },
}

#[derive(Deserialize)]
struct DenseFile {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
    module_input_name: Option<String>,
    module_output_name: Option<String>,
}

fn yes() -> bool {
    true
}

/// A Dense module, or why it cannot be applied.
fn dense(folder: &Path) -> Result<Result<Dense, Unapplied>, FolderFault> {
    let path = folder.join("config.json");
    let file: DenseFile = must(&path, "it defines the size of the Dense layer")?;
    let names = [&file.module_input_name, &file.module_output_name];
    if let Some(other) = names.into_iter().flatten().find(|name| *name != "sentence_embedding") {
        return Ok(Err(Unapplied::Input { name: other.clone() }));
    }
    let named = file.activation_function.as_deref();
    let Some(activation) = activation(named) else {
        return Ok(Err(Unapplied::Activation { name: named.unwrap_or_default().to_owned() }));
    };
    Ok(Ok(Dense {
        weights: weights(folder)?,
        from: file.in_features,
        to: file.out_features,
        bias: file.bias,
        activation,
        residual: file.use_residual,
    }))
}

/// By the last part of its name in PyTorch. None named: Tanh, as sentence-transformers has it.
fn activation(name: Option<&str>) -> Option<Activation> {
    let Some(name) = name else { return Some(Activation::Tanh) };
    // What is not PyTorch's own is replaced by Tanh there, with a warning: here it is refused.
    let class = name.strip_prefix("torch.")?.rsplit('.').next()?;
    Some(match class {
        "Identity" => Activation::Identity,
        "Tanh" => Activation::Tanh,
        "ReLU" => Activation::Relu,
        "GELU" => Activation::Gelu,
        "Sigmoid" => Activation::Sigmoid,
        "SiLU" => Activation::Silu,
        _ => return None,
    })
}

fn layer_norm(folder: &Path) -> Result<ModuleStep, FolderFault> {
    #[derive(Deserialize)]
    struct File {
        dimension: usize,
    }
    let File { dimension } = must(&folder.join("config.json"), "it defines the size of the LayerNorm")?;
    Ok(ModuleStep::LayerNorm { weights: weights(folder)?, dimension })
}

fn weights(folder: &Path) -> Result<PathBuf, FolderFault> {
    let file = folder.join("model.safetensors");
    if file.is_file() {
        return Ok(file);
    }
    let pickled = folder.join("pytorch_model.bin");
    if pickled.is_file() {
        let why = "weights in Python's pickle format are not read, because such a file can run code; write them as \
                   model.safetensors next to it: python3 -c \"import torch, safetensors.torch as s; \
                   s.save_file(torch.load('pytorch_model.bin', weights_only=True), 'model.safetensors')\"";
        return Err(bad(&pickled, why));
    }
    Err(missing(&file, "the weights of a module in modules.json; without them the vectors would be wrong"))
}
