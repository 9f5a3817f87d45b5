//! Runs a built-in Node.js program with a document on its standard input.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// What a program may answer.
const LARGEST: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProcessFault {
    /// Node.js cannot be started.
    #[error("node cannot be started: {0}")]
    Node(std::io::Error),
    /// A file or a pipe failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It ended with an error.
    #[error("{0}")]
    Failed(String),
    /// It took too long.
    #[error("it did not end within {} s", .0.as_secs())]
    TooLong(Duration),
    /// Its answer is not JSON.
    #[error("its response is not JSON: {0}")]
    Answer(String),
}

/// A program and its files.
pub struct NodeProcess<'a> {
    /// Its files by name; the first one is started.
    pub files: &'a [(&'a str, &'a str)],
    /// Its arguments.
    pub arguments: &'a [String],
    /// Where it looks for Node packages, if it needs any: beside its files.
    pub modules: Option<&'a Path>,
    /// After so long it is ended.
    pub time: Duration,
}

impl NodeProcess<'_> {
    /// Runs it with a document on its standard input; what it prints is a document, too.
    ///
    /// # Errors
    /// It cannot be started, fails, takes too long or does not print JSON.
    pub fn run(&self, input: &Value) -> Result<Value, ProcessFault> {
        let folder = tempfile::tempdir()?;
        for (name, text) in self.files {
            let path = folder.path().join(name);
            if let Some(above) = path.parent() {
                std::fs::create_dir_all(above)?;
            }
            std::fs::write(path, text)?;
        }
        if let Some(modules) = self.modules {
            std::os::unix::fs::symlink(modules.canonicalize()?, folder.path().join("node_modules"))?;
        }
        let program = self.files.first().map_or_else(String::new, |(name, _)| (*name).to_owned());
        let mut child = Command::new("node")
            .arg(folder.path().join(program))
            .args(self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(ProcessFault::Node)?;
        let text = serde_json::to_vec(input).unwrap_or_default();
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // Each stream has a thread of its own: none waits for another one.
        let writer = std::thread::spawn(move || stdin.as_mut().map_or(Ok(()), |pipe| pipe.write_all(&text)));
        let errors = std::thread::spawn(move || whole(stderr));
        // The end of its output is the end of the program.
        let (ended, end) = std::sync::mpsc::channel();
        let out = std::thread::spawn(move || {
            let bytes = whole(stdout);
            // Nobody waits any more when the time was up.
            let _ = ended.send(());
            bytes
        });
        if end.recv_timeout(self.time).is_err() {
            child.kill()?;
            child.wait()?;
            return Err(ProcessFault::TooLong(self.time));
        }
        let status = child.wait()?;
        let (out, errors) = (joined(out), joined(errors));
        if !status.success() {
            return Err(ProcessFault::Failed(last_line(&errors)));
        }
        drop(writer.join());
        serde_json::from_slice(&out).map_err(|bad| ProcessFault::Answer(bad.to_string()))
    }
}

fn whole(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        drop(stream.take(LARGEST).read_to_end(&mut bytes));
    }
    bytes
}

fn joined(thread: std::thread::JoinHandle<Vec<u8>>) -> Vec<u8> {
    thread.join().unwrap_or_default()
}

/// What an error of Node.js says: the line that begins with the kind of error, or the last one.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let named = lines.iter().find(|line| line.split_once(": ").is_some_and(|(kind, _)| kind.ends_with("Error")));
    (*named.or(lines.last()).unwrap_or(&"it failed without a word")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, input: &Value) -> Result<Value, ProcessFault> {
        let files = [("main.mjs", text)];
        NodeProcess { files: &files, arguments: &["7".to_owned()], modules: None, time: Duration::from_secs(60) }
            .run(input)
    }

    #[test]
    fn a_document_goes_in_and_one_comes_out() {
        let echo = "import fs from 'node:fs'; const value = JSON.parse(fs.readFileSync(0, 'utf8'));
            process.stdout.write(JSON.stringify({ value, argument: process.argv[2] }));";
        let large = Value::String("x".repeat(1 << 20));
        let found = run(echo, &large).expect("an answer");
        assert_eq!((&found["value"], found["argument"].as_str()), (&large, Some("7")));
    }

    #[test]
    fn a_failure_says_what_the_program_says() {
        let failed = run("throw new TypeError('no such tier');", &Value::Null).expect_err("it throws");
        assert_eq!(failed.to_string(), "TypeError: no such tier");
        assert!(matches!(run("process.stdout.write('no');", &Value::Null), Err(ProcessFault::Answer(_))));
        let files = [("main.mjs", "setInterval(() => {}, 1000);")];
        let slow = NodeProcess { files: &files, arguments: &[], modules: None, time: Duration::from_millis(300) };
        assert!(matches!(slow.run(&Value::Null), Err(ProcessFault::TooLong(_))));
    }
}
