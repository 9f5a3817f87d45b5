//! The suite that drives browsers (`tests/browsers/measure.mjs`): it runs as a program of its own and prints one document.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::plan::validation::BrowserCheck;

/// The document's schema.
const SCHEMA: &str = "akidb-edge/validate-browser/v1";
/// Three browsers load a model several times.
const WITHIN: Duration = Duration::from_secs(30 * 60);
/// A document has no more bytes.
const LARGEST: u64 = 4 << 20;

/// The engine of a browser, as the suite names it.
pub fn engine(browser: &str) -> Option<&'static str> {
    match browser {
        "chrome" | "chromium" | "edge" => Some("chromium"),
        "firefox" => Some("firefox"),
        "safari" | "webkit" => Some("webkit"),
        _ => None,
    }
}

/// What the suite found.
#[derive(Debug, Deserialize)]
pub struct Report {
    schema: String,
    /// Each browser.
    pub engines: Vec<EngineReport>,
}

/// One browser. What it could not measure is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EngineReport {
    /// Which engine.
    pub engine: String,
    /// Its version.
    pub version: Option<String>,
    /// Whether everything was right.
    pub passed: Option<bool>,
    /// Why it was not driven.
    pub skipped: Option<String>,
    /// What was wrong.
    pub why: Option<String>,
    /// Milliseconds until the model was loaded, on the first visit.
    pub load_ms: Option<f64>,
    /// The 95th percentile of the first embedding, in milliseconds.
    pub inference_cold_p95_ms: Option<f64>,
    /// The 95th percentile of further embeddings, in milliseconds.
    pub inference_warm_p95_ms: Option<f64>,
    /// Threads of the runtime.
    pub threads: Option<f64>,
    /// MB of the page.
    pub memory_mb: Option<f64>,
    /// Whether it embedded after a reload without the network.
    pub offline: Option<bool>,
    /// Whether WebGPU passed its self-test and was used.
    pub webgpu: Option<bool>,
}

/// Why no browser was driven.
#[derive(Debug, thiserror::Error)]
pub enum NotDriven {
    /// The suite is not there.
    #[error(
        "skipped: no browser suite in {0}; run this in a checkout of akidb-edge, or name its tests/browsers with --browser-suite"
    )]
    NoSuite(String),
    /// Its packages are not installed.
    #[error("skipped: the packages of the browser suite are missing; run {0}/install")]
    NoPackages(String),
    /// No Node.js.
    #[error("skipped: node cannot be started ({0}); install Node.js 20 or newer")]
    NoNode(std::io::Error),
    /// It took too long.
    #[error("the browser suite did not end within {} minutes", .0.as_secs() / 60)]
    TooLong(Duration),
    /// It failed.
    #[error("the browser suite failed: {0}")]
    Failed(String),
    /// Its document cannot be read.
    #[error("the document of the browser suite cannot be read: {0}")]
    Document(String),
}

/// A run of the suite.
pub struct BrowserSuite<'a> {
    /// Where it is.
    pub folder: PathBuf,
    /// The page.
    pub url: String,
    /// What is checked.
    pub check: &'a BrowserCheck,
}

impl BrowserSuite<'_> {
    /// Drives the browsers.
    ///
    /// # Errors
    /// Why none was driven.
    pub async fn run(&self) -> Result<Report, NotDriven> {
        let shown = self.folder.display().to_string();
        let folder = self.folder.canonicalize().map_err(|_| NotDriven::NoSuite(shown.clone()))?;
        if !folder.join("measure.mjs").is_file() {
            return Err(NotDriven::NoSuite(shown));
        }
        if !folder.join("node_modules").is_dir() {
            return Err(NotDriven::NoPackages(shown));
        }
        let mut command = Command::new("node");
        command.arg(folder.join("measure.mjs")).args(["--url", &self.url]).args(self.engines());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(NotDriven::NoNode)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let all = async { tokio::join!(whole(stdout), whole(stderr), child.wait()) };
        let (out, errors, _) = tokio::time::timeout(WITHIN, all).await.map_err(|_| NotDriven::TooLong(WITHIN))?;
        // A browser that did not pass is an exit status of 1 with a document.
        read(&out, &errors)
    }

    /// The engines that the check names, and the oldest version of each.
    fn engines(&self) -> Vec<String> {
        let named = self.check.browsers.iter().filter_map(|(name, oldest)| Some((engine(name)?, *oldest)));
        let named: BTreeMap<&str, u32> = named.collect();
        let oldest: Vec<String> = named.iter().map(|(engine, oldest)| format!("{engine}={oldest}")).collect();
        let mut words: Vec<String> = vec!["--minimum".to_owned(), oldest.join(",")];
        named.keys().for_each(|engine| words.extend(["--engine".to_owned(), (*engine).to_owned()]));
        words
    }
}

fn read(out: &[u8], errors: &[u8]) -> Result<Report, NotDriven> {
    if out.is_empty() {
        let said = String::from_utf8_lossy(errors);
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let named = |line: &&str| line.split_once(": ").is_some_and(|(kind, _)| kind.ends_with("Error"));
        let mut lines = lines.collect::<Vec<_>>().into_iter();
        let last = lines.clone().next_back().unwrap_or("it printed nothing");
        return Err(NotDriven::Failed(lines.find(named).unwrap_or(last).chars().take(200).collect()));
    }
    let report: Report = serde_json::from_slice(out).map_err(|bad| NotDriven::Document(bad.to_string()))?;
    match report.schema.as_str() {
        SCHEMA => Ok(report),
        other => Err(NotDriven::Document(format!("its schema is {other:?}, not {SCHEMA}"))),
    }
}

async fn whole(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What is cut off here cannot be read as a document later.
        let _ = stream.take(LARGEST).read_to_end(&mut bytes).await;
    }
    bytes
}

#[cfg(test)]
#[path = "suite_tests.rs"]
mod tests;
