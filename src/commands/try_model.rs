//! `try-model`: loads a model in this process, for a server that must not crash with it. Not for users.

use std::io::Read;

use crate::exit::{self, Failure, codes};
use crate::inference::onnx::TrialLoad;
use crate::report;
use crate::resource::shown;

/// Maximum size in bytes of the JSON document on standard input.
const LONGEST: u64 = 64 << 10;

/// Loads it. What is wrong with it is printed as JSON.
///
/// # Errors
/// When standard input says nothing that could be loaded.
pub fn run() -> Result<u8, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST).read_to_string(&mut text);
    let wrong = |why: String| {
        codes::INPUT_FILE.error(shown!("standard input names no model: {}", why), "akidb-edge serve asks this")
    };
    read.map_err(|why| wrong(why.to_string()))?;
    let trial: TrialLoad = serde_json::from_str(&text).map_err(|why| wrong(why.to_string()))?;
    match trial.run() {
        Ok(()) => Ok(exit::DONE),
        Err(fault) => {
            report::put_json_line(&serde_json::to_value(&fault).unwrap_or_default());
            Ok(exit::ERROR)
        }
    }
}
