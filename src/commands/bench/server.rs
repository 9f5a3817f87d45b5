//! A server that is started for a measurement: this program itself, with `serve`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::exit::{Failure, codes};
use crate::resource::shown;

/// How long a server has until it is ready: large models load for a while.
const START_TIME: Duration = Duration::from_secs(300);
/// How long a server has to end.
const STOP_TIME: Duration = Duration::from_secs(10);
/// What is set for each server. The cache is off: the same texts are sent again and again.
const OWN: [(&str, &str); 4] =
    [("--http", "127.0.0.1:0"), ("--grpc", "off"), ("--log-format", "json"), ("--log-level", "info")];
const CACHE: &str = "--vector-cache";

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
enum StartFault {
    #[error("the server cannot be started: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server ended before it was ready: {0}")]
    Ended(String),
    #[error("the server is not ready: {0}")]
    NotReady(String),
    #[error("the server was not ready after {} s", START_TIME.as_secs())]
    TooLong,
}

impl From<StartFault> for Failure {
    fn from(fault: StartFault) -> Self {
        codes::MEASUREMENT.error(
            shown!("{}", fault),
            "name a running server with --address, or try the same flags with akidb-edge serve",
        )
    }
}

/// A line of its log.
#[derive(Deserialize)]
struct LogLine {
    message: String,
}

/// A server that runs. It ends with this value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// From the start of its process until it listened.
    pub listening: Duration,
    /// From the start of its process until its model was loaded.
    pub ready: Duration,
    /// When its process was started.
    pub began: Instant,
}

impl Server {
    /// Starts one with these further flags of `serve`, and waits until its log says that it is ready.
    ///
    /// # Errors
    /// It cannot be started, ends, or is not ready in time.
    pub async fn start(flags: &[String]) -> Result<Self, Failure> {
        let started = tokio::time::timeout(START_TIME, start(flags)).await;
        Ok(started.map_err(|_elapsed| StartFault::TooLong)??)
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // One that has just ended is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = match tokio::time::timeout(STOP_TIME, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_elapsed) => self.child.kill().await,
        };
        ended.map_err(|bad| codes::MEASUREMENT.error(shown!("the server cannot be ended: {}", bad), "end it by hand"))
    }
}

async fn start(flags: &[String]) -> Result<Server, StartFault> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(&program);
    command.arg("serve").args(flags);
    OWN.iter().for_each(|(flag, value)| {
        command.args([flag, value]);
    });
    if !flags.iter().any(|flag| flag == CACHE || flag.starts_with("--vector-cache=")) {
        command.args([CACHE, "0"]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn()?;
    let stderr = child.stderr.take().ok_or_else(|| StartFault::Ended("it has no log".to_owned()))?;
    let mut lines = BufReader::new(stderr).lines();
    let (address, listening) = listened(&mut lines, began).await?;
    is_ready(&mut lines).await?;
    let ready = began.elapsed();
    // Its log is read to its end: a pipe that is full would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(Server { child, address, listening, ready, began })
}

type Log = Lines<BufReader<ChildStderr>>;

/// Where it listens, and since when.
async fn listened(lines: &mut Log, began: Instant) -> Result<(String, Duration), StartFault> {
    let mut why = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = message(&line).as_deref().and_then(address) {
            return Ok((address.to_owned(), began.elapsed()));
        }
        keep_reason(&mut why, line);
    }
    Err(StartFault::Ended(why))
}

async fn is_ready(lines: &mut Log) -> Result<(), StartFault> {
    let mut why = String::new();
    while let Some(line) = lines.next_line().await? {
        match message(&line) {
            Some(said) if said == "ready" => return Ok(()),
            Some(said) if said.starts_with("not ready: ") => return Err(StartFault::NotReady(said)),
            Some(said) => keep_reason(&mut why, said),
            None => keep_reason(&mut why, line),
        }
    }
    Err(StartFault::Ended(why))
}

/// Keeps the last line as the reason for which a server ended, or its error: the lines behind that are about what to do.
fn keep_reason(why: &mut String, line: String) {
    if !why.starts_with("error") && !line.trim().is_empty() {
        *why = line;
    }
}

/// What a line of the log says.
fn message(line: &str) -> Option<String> {
    serde_json::from_str::<LogLine>(line).ok().map(|line| line.message)
}

/// The address in the line that says where it listens.
fn address(message: &str) -> Option<&str> {
    message.strip_prefix("listening on ")?.split(',').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log() {
        let line = "{\"time\":\"x\",\"level\":\"info\",\"message\":\"listening on http://127.0.0.1:4711, gRPC on 127.0.0.1:9090\"}";
        assert_eq!(message(line).as_deref().and_then(address), Some("http://127.0.0.1:4711"));
        assert_eq!(message("error: no such flag"), None);
        assert_eq!(address("starting"), None);
    }

    #[test]
    fn the_error_is_the_reason_and_not_the_lines_behind_it() {
        let mut why = String::new();
        for line in ["starting", "", "error: no library", "  next: install it", "  code: SE002-server"] {
            keep_reason(&mut why, line.to_owned());
        }
        assert_eq!(why, "error: no library");
    }
}
