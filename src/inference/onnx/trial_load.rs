//! A model is loaded in a process of its own before this process does: what ends that one (a fault in the runtime's code, memory
//! without bounds, a loop without end) leaves the server as it was.

mod bounds;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::provider::Device;
use super::{OnnxRuntime, SessionOptions, open};
use crate::inference::engine::{Engine, EngineSettings};
use crate::inference::folder::{FaultCause, FolderFault, ModelFolder, ModelOptions, Pooling, Variant};
use crate::inference::observer::NoObserver;
use crate::inference::queue::QueueBounds;

/// The hidden verb of this program that reads a [`TrialLoad`] from its standard input.
pub const VERB: &str = "try-model";
/// How long a trial may take.
const TIME: Duration = Duration::from_secs(300);
/// How long one run of the graph may take in it.
const RUN_TIME: Duration = Duration::from_secs(60);
/// An answer is a short JSON document.
const LONGEST_ANSWER: u64 = 64 << 10;

/// What is to be loaded on trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialLoad {
    folder: PathBuf,
    variant: Variant,
    graph: Option<String>,
    pooling: Option<Pooling>,
    runtime: PathBuf,
    /// Bytes of the graph and its weights.
    weights: u64,
}

impl TrialLoad {
    /// The folder as a server with this choice opens it. `weights` are the bytes of its graph and weights.
    pub fn new(folder: &Path, choice: &ModelOptions, runtime: &Path, weights: u64) -> Self {
        let ModelOptions { variant, graph, pooling } = choice.clone();
        Self { folder: folder.to_owned(), variant, graph, pooling, runtime: runtime.to_owned(), weights }
    }

    /// Loads it in this process, whose memory is bounded from now on, and runs it as a server does before it serves.
    ///
    /// # Errors
    /// What is wrong with its files.
    pub fn run(self) -> Result<(), FolderFault> {
        bounds::apply(self.weights).map_err(|why| self.bad(TrialFault::Unbounded(why)))?;
        let runtime = OnnxRuntime::load(Some(&self.runtime)).map_err(|why| self.bad(why))?;
        let choice = ModelOptions { variant: self.variant, graph: self.graph.clone(), pooling: self.pooling };
        let folder = ModelFolder::open(&self.folder, &choice)?;
        let start = SessionOptions {
            device: Device::Cpu,
            fallback: false,
            workers: 1,
            threads: 1,
            cache: None,
            run_time: RUN_TIME,
        };
        let sessions = open(&runtime, &folder, &start)?;
        // Whether it runs is asked, not how fast.
        let settings = EngineSettings {
            bounds: QueueBounds { wait: TIME, tokens: 1 << 20 },
            batch_tokens: Some(512),
            candidates: &[512],
        };
        Engine::start("trial", folder, String::new(), sessions, &settings, Arc::new(NoObserver)).map(drop)
    }

    fn bad(&self, why: impl Into<FaultCause>) -> FolderFault {
        FolderFault::bad(&self.folder, why)
    }
}

/// Why a trial did not end well, where the files of the model do not say it.
#[derive(Debug, thiserror::Error)]
pub enum TrialFault {
    /// The process cannot bound its own memory.
    #[error("its test load cannot be limited: {0}")]
    Unbounded(#[source] io::Error),
    /// There is no process.
    #[error("its test load cannot be started: {0}")]
    Unstarted(#[source] io::Error),
    /// The system does not say how the process ended.
    #[error("the result of its test load is unknown: {0}")]
    Lost(#[source] io::Error),
    /// The process took longer than a trial may, and was ended.
    #[error("its test load takes more than {limit:?}; serve another graph of it")]
    TooSlow {
        /// The longest that a trial may take.
        limit: Duration,
    },
    /// The process ended without saying what is wrong.
    #[error("the process of its test load ended with {status}: the graph is damaged or needs too much memory")]
    Ended {
        /// How it ended.
        status: ExitStatus,
    },
}

/// Where a trial runs.
#[derive(Clone, Debug)]
pub struct TrialProcess {
    program: PathBuf,
    time: Duration,
}

impl TrialProcess {
    /// This program again; nothing where the system does not say where it is.
    pub fn of_this_program() -> Option<Self> {
        Some(Self { program: std::env::current_exe().ok()?, time: TIME })
    }

    /// Another program that knows the verb, with another bound of its time.
    pub fn of(program: PathBuf, time: Duration) -> Self {
        Self { program, time }
    }

    /// Loads a model in a new process and waits for its end. Blocks.
    ///
    /// # Errors
    /// What is wrong with the model's files, or how the process ended.
    pub fn load(&self, trial: &TrialLoad) -> Result<(), FolderFault> {
        let mut child = self.start(trial).map_err(|why| trial.bad(TrialFault::Unstarted(why)))?;
        let answer = self.answer(&mut child);
        if answer.is_none() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|why| trial.bad(TrialFault::Lost(why)))?;
        match answer {
            None => Err(trial.bad(TrialFault::TooSlow { limit: self.time })),
            Some(_) if status.success() => Ok(()),
            Some(text) => Err(serde_json::from_str(&text).unwrap_or_else(|_| trial.bad(TrialFault::Ended { status }))),
        }
    }

    fn start(&self, trial: &TrialLoad) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        // Nothing that the server was given in its environment: it may be a secret.
        command.arg(VERB).env_clear().envs(std::env::vars_os().filter(|(key, _)| key == "LD_LIBRARY_PATH"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = serde_json::to_vec(trial)?;
        // Fewer bytes than a pipe holds; a process that has ended already says so with its status.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&input));
        Ok(child)
    }

    /// What it says until it ends; nothing when its time is up.
    fn answer(&self, child: &mut Child) -> Option<String> {
        let output = child.stdout.take()?;
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = output.take(LONGEST_ANSWER).read_to_string(&mut text);
            let _ = tell.send(text);
        });
        match told.recv_timeout(self.time) {
            Ok(text) => Some(text),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(String::new()),
        }
    }
}
