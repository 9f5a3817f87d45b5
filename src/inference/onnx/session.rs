//! Sessions of a graph: one for each worker, and one that uses all cores.

use std::path::PathBuf;
use std::time::Duration;

use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;

use super::fault::SessionFault;
use super::gpu::GpuInfo;
use super::inputs::Inputs;
use super::library::OnnxRuntime;
use super::outputs::ChosenOutput;
use super::provider::Device;
use super::run_limit::RunLimit;
use super::shared_weights::SharedWeights;
use crate::inference::backend::{Backend, GraphOutput, RunFault, Sessions};
use crate::inference::batch::Batch;
use crate::inference::folder::{Arithmetic, FolderFault, ModelFolder};
use crate::inference::graph_file::{self, GraphFile};

/// How sessions are made.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// What runs the graph.
    pub device: Device,
    /// When that cannot be had, the processor runs it, and says so.
    pub fallback: bool,
    /// Workers, each with a session of its own.
    pub workers: usize,
    /// Threads of a session that has the machine to itself: the one for a request that is alone, or OpenVINO's.
    pub threads: usize,
    /// Where TensorRT keeps its engines.
    pub cache: Option<PathBuf>,
    /// The longest that a run of the graph may take: a graph can have a loop without end.
    pub run_time: Duration,
}

impl SessionOptions {
    /// The folder of a model's engines: they fit this model, driver, TensorRT and GPU only.
    pub(super) fn engine_cache(&self, folder: &ModelFolder, gpu: Option<&GpuInfo>) -> Option<PathBuf> {
        let hash = folder.version(Arithmetic::Fp16).ok()?;
        let cache = self.cache.as_ref()?.join(format!("{}-{}", &hash[..16], gpu?.key()));
        std::fs::create_dir_all(&cache).ok()?;
        Some(cache)
    }
}

/// Opens the graph of a folder.
///
/// # Errors
/// A graph that is damaged, wants what no text has, or gives what is not a vector; a device that cannot be had.
pub fn open(runtime: &OnnxRuntime, folder: &ModelFolder, start: &SessionOptions) -> Result<Sessions, FolderFault> {
    let bad = |why: SessionFault| FolderFault::bad(&folder.graph, why);
    if start.device == Device::Cpu {
        return on(runtime, folder, start).map_err(bad);
    }
    match on(runtime, folder, start) {
        Ok(sessions) => Ok(sessions),
        Err(why) if start.fallback => {
            let cpu = SessionOptions { device: Device::Cpu, ..start.clone() };
            let mut sessions = on(runtime, folder, &cpu).map_err(bad)?;
            sessions.runs_on = format!("cpu ({} was requested: {why})", start.device);
            Ok(sessions)
        }
        Err(why) => Err(bad(SessionFault::Unavailable { device: start.device, source: Box::new(why) })),
    }
}

fn on(runtime: &OnnxRuntime, folder: &ModelFolder, start: &SessionOptions) -> Result<Sessions, SessionFault> {
    let read = graph_file::read(&folder.graph)?;
    let own = own_files(folder, &read)?;
    let copied = own.as_ref().map(|(_, folder)| folder);
    let rows = if read.measures_scales { 1 } else { usize::MAX };
    with_files(runtime, copied.unwrap_or(folder), start, rows)
}

/// A copy of the graph and its files where constants of nodes are in files: those are mapped by ONNX Runtime and cannot be given
/// to it. The copy is taken away when the sessions are made; what is mapped stays.
fn own_files(folder: &ModelFolder, read: &GraphFile) -> Result<Option<(tempfile::TempDir, ModelFolder)>, SessionFault> {
    if !read.constants {
        return Ok(None);
    }
    let copy = tempfile::tempdir().map_err(SessionFault::Copy)?;
    let beside = folder.graph.parent().unwrap_or(std::path::Path::new("."));
    for file in read.external.iter().chain([&folder.graph]) {
        let to = copy.path().join(file.strip_prefix(beside).unwrap_or(file));
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(SessionFault::Copy)?;
        }
        std::fs::copy(file, to).map_err(SessionFault::Copy)?;
    }
    let name = folder.graph.file_name().unwrap_or_default();
    let own = ModelFolder { graph: copy.path().join(name), ..folder.clone() };
    Ok(Some((copy, own)))
}

fn with_files(
    runtime: &OnnxRuntime,
    folder: &ModelFolder,
    start: &SessionOptions,
    rows: usize,
) -> Result<Sessions, SessionFault> {
    // A device has weights of its own.
    let shared = (start.device == Device::Cpu).then(|| SharedWeights::read(&folder.graph));
    let make = |threads: usize| -> Result<Box<dyn Backend>, SessionFault> {
        Ok(Box::new(GraphSession::open(runtime, folder, start, threads, shared.as_ref())?))
    };
    let alone = start.device == Device::Cpu && start.threads > 1;
    let threads = if start.device == Device::OpenVino { start.threads } else { 1 };
    let (each, alone) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..start.workers.max(1)).map(|_| scope.spawn(|| make(threads))).collect();
        let alone = alone.then(|| make(start.threads)).transpose();
        let ended = || Err(SessionFault::Thread);
        let joined = workers.into_iter().map(|thread| thread.join().unwrap_or_else(|_| ended()));
        (joined.collect::<Result<Vec<_>, SessionFault>>(), alone)
    });
    let arithmetic = start.device.arithmetic(folder.variant);
    Ok(Sessions { each: each?, alone: alone?, rows, arithmetic, runs_on: runs_on(start.device) })
}

fn runs_on(device: Device) -> String {
    let gpu = if device.is_gpu() { GpuInfo::look() } else { None };
    gpu.map_or_else(|| device.name().to_owned(), |gpu| format!("{device} ({})", gpu.name))
}

struct GraphSession {
    session: Session,
    inputs: Inputs,
    output: ChosenOutput,
    limit: RunLimit,
}

impl GraphSession {
    fn open(
        runtime: &OnnxRuntime,
        folder: &ModelFolder,
        start: &SessionOptions,
        threads: usize,
        shared: Option<&SharedWeights>,
    ) -> Result<Self, SessionFault> {
        let session = session(runtime, folder, start, threads, shared)?;
        let inputs = Inputs::of(session.inputs(), folder.first_position)?;
        let output = ChosenOutput::of(session.outputs(), folder.pools())?;
        let limit = RunLimit::new(start.run_time)?;
        Ok(Self { session, inputs, output, limit })
    }
}

fn session(
    runtime: &OnnxRuntime,
    folder: &ModelFolder,
    start: &SessionOptions,
    threads: usize,
    shared: Option<&SharedWeights>,
) -> ort::Result<Session> {
    let builder = Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(threads > 1)?
        // Between requests the cores belong to those who bring and fetch them.
        .with_config_entry("session.force_spinning_stop", "1")?
        // A plan of memory for each shape that was ever seen is kept for good: a server sees thousands.
        .with_memory_pattern(false)?;
    let mut builder = match start.device {
        // On a processor this fusion is slower than what it fuses.
        Device::Cpu => builder.with_disabled_optimizers("SkipLayerNormFusion")?,
        device => {
            let inputs = if device == Device::TensorRt { inputs(runtime, folder)? } else { Vec::new() };
            builder.with_execution_providers(device.providers(folder, start, &inputs))?
        }
    };
    if let Some(shared) = shared {
        builder = shared.give(builder)?;
    }
    builder.commit_from_file(&folder.graph)
}

/// The inputs of a graph, before anything is built for it.
fn inputs(runtime: &OnnxRuntime, folder: &ModelFolder) -> ort::Result<Vec<String>> {
    let builder = Session::builder(runtime.environment())?.with_optimization_level(GraphOptimizationLevel::Disable)?;
    let session = builder.with_intra_threads(1)?.commit_from_file(&folder.graph)?;
    let declared = Inputs::of(session.inputs(), 0).map_err(ort::Error::wrap)?;
    Ok(declared.of_tokens())
}

impl Backend for GraphSession {
    fn run(&mut self, batch: &Batch, read: &mut dyn FnMut(GraphOutput<'_>)) -> Result<(), RunFault> {
        let values = self.inputs.values(batch).map_err(RunFault::runtime)?;
        let running = self.limit.begin();
        let outputs = self.session.run_with_options(values, running.options());
        let outputs = outputs.map_err(|why| running.stopped().unwrap_or_else(|| RunFault::runtime(why)))?;
        let name = &self.output.name;
        let value = outputs.get(name).ok_or_else(|| RunFault::NoOutput { name: name.clone() })?;
        self.output.read(value, read)
    }
}
