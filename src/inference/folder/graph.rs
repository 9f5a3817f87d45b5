//! Which `.onnx` file of a folder is served.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::FolderFault;
use super::read::{bad, inside, missing};

/// Names of graphs in 8-bit integers, the best known first. They are in the folder or in `onnx/`. The first three are written by
/// this project and by Transformers.js; the others by sentence-transformers' `export_dynamic_quantized_onnx_model`.
pub const INT8_GRAPHS: [&str; 8] = [
    "model_int8.onnx",
    "model_quantized.onnx",
    "model_qint8_avx512_vnni.onnx",
    "model_qint8_avx512.onnx",
    "model_quint8_avx2.onnx",
    "model_qint8_arm64.onnx",
    "model_qint8_quantized.onnx",
    "model_uint8.onnx",
];
/// Names of graphs in floats: as they were exported, then optimized (Optimum's `model_optimized.onnx`, sentence-transformers'
/// levels), then with 16-bit weights.
pub const FP32_GRAPHS: [&str; 7] = [
    "model.onnx",
    "model_optimized.onnx",
    "model_O3.onnx",
    "model_O2.onnx",
    "model_O1.onnx",
    "model_O4.onnx",
    "model_fp16.onnx",
];

/// Which graph of a folder is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The one that suits what runs it: INT8 on a CPU when it is there, else fp32.
    #[default]
    Auto,
    /// 32-bit floats.
    Fp32,
    /// 8-bit integers.
    Int8,
}

impl Variant {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }
}

/// The graph that is named, else the best known name of the wanted kind, else the only graph that there is.
pub(super) fn find(
    root: &Path,
    inner: &Path,
    wanted: Variant,
    named: Option<&str>,
) -> Result<(PathBuf, Variant), FolderFault> {
    if let Some(named) = named {
        return at(root, named);
    }
    // Folders of older versions have the transformer in a folder of its own.
    let known = |names: &[&str]| known(root, names).or_else(|| known(inner, names));
    let int8 = || known(&INT8_GRAPHS).map(|path| (path, Variant::Int8));
    let fp32 = || known(&FP32_GRAPHS).map(|path| (path, Variant::Fp32));
    let found = match wanted {
        Variant::Auto => int8().or_else(fp32),
        Variant::Int8 => int8(),
        Variant::Fp32 => fp32(),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let there = all(root);
    match there.as_slice() {
        [only] if wanted == Variant::Auto => Ok((root.join(only), kind(only))),
        [] => {
            let name = if wanted == Variant::Int8 { INT8_GRAPHS[0] } else { FP32_GRAPHS[0] };
            Err(missing(&root.join(name), "the model's graph (looked for in the folder and in onnx/)"))
        }
        several => Err(bad(
            root,
            format!(
                "no {} graph found; the folder has {}: name one with --graph FILE",
                wanted.name(),
                several.join(", ")
            ),
        )),
    }
}

/// A graph named by its path in the folder, or by its name in `onnx/`.
fn at(root: &Path, named: &str) -> Result<(PathBuf, Variant), FolderFault> {
    let (here, in_onnx) = (inside(root, named, root)?, inside(&root.join("onnx"), named, root)?);
    let found = [&here, &in_onnx].into_iter().find(|path| path.is_file()).cloned();
    let graph = found.ok_or_else(|| {
        let there = all(root).join(", ");
        missing(&here, &format!("the graph that --graph names; there are: {there}"))
    })?;
    Ok((graph, kind(named)))
}

fn known(root: &Path, names: &[&str]) -> Option<PathBuf> {
    let places = names.iter().flat_map(|name| [root.join(name), root.join("onnx").join(name)]);
    places.into_iter().find(|path| path.is_file())
}

/// The kind of a graph by its name: integers of 8 bits or fewer, or floats.
fn kind(name: &str) -> Variant {
    let name = name.rsplit('/').next().unwrap_or(name);
    let integers = ["int8", "quantized", "_q4", "bnb4"].iter().any(|part| name.contains(part));
    if integers { Variant::Int8 } else { Variant::Fp32 }
}

/// Every graph of the folder and of `onnx/`, as paths with `/`.
fn all(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, prefix) in [(root.to_owned(), ""), (root.join("onnx"), "onnx/")] {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let graphs = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        found.extend(graphs.filter(|name| name.ends_with(".onnx")).map(|name| format!("{prefix}{name}")));
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(graphs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("onnx")).unwrap();
        for graph in graphs {
            std::fs::write(folder.path().join(graph), "").unwrap();
        }
        folder
    }

    fn found(graphs: &[&str], wanted: Variant, named: Option<&str>) -> Result<(String, Variant), String> {
        let folder = folder(graphs);
        let shown = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
        find(folder.path(), folder.path(), wanted, named)
            .map(|(path, kind)| (shown(&path), kind))
            .map_err(|why| why.to_string())
    }

    #[test]
    fn names_of_all_exporters_are_known() {
        for (graph, kind) in [
            ("onnx/model_O3.onnx", Variant::Fp32),
            ("model_optimized.onnx", Variant::Fp32),
            ("onnx/model_fp16.onnx", Variant::Fp32),
            ("onnx/model_quint8_avx2.onnx", Variant::Int8),
            ("onnx/model_q4f16.onnx", Variant::Int8),
            ("something.onnx", Variant::Fp32),
        ] {
            assert_eq!(found(&[graph], Variant::Auto, None), Ok((graph.to_owned(), kind)));
        }
        let both = ["model.onnx", "onnx/model_quantized.onnx", "onnx/model_O2.onnx"];
        assert_eq!(found(&both, Variant::Fp32, None).unwrap().0, "model.onnx");
        assert_eq!(found(&both, Variant::Auto, None).unwrap().0, "onnx/model_quantized.onnx");
        assert_eq!(found(&both, Variant::Auto, Some("model_O2.onnx")).unwrap().0, "onnx/model_O2.onnx");
    }

    #[test]
    fn what_cannot_be_chosen_is_named() {
        let why = found(&["a.onnx", "onnx/b.onnx"], Variant::Auto, None).unwrap_err();
        assert!(why.contains("a.onnx, onnx/b.onnx") && why.contains("--graph"), "{why}");
        assert!(found(&["a.onnx"], Variant::Int8, None).unwrap_err().contains("a.onnx"));
        assert!(found(&["model.onnx"], Variant::Auto, Some("../model.onnx")).unwrap_err().contains("outside"));
        let why = found(&["model.onnx"], Variant::Auto, Some("other.onnx")).unwrap_err();
        assert!(why.contains("there are: model.onnx"), "{why}");
    }
}
