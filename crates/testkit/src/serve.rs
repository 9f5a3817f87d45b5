//! Starts `akidb-edge serve` on a free port, as a user does, and ends it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::cli;

/// ONNX Runtime's library: what `ORT_DYLIB_PATH` names, else the one that `exporter/build` installed.
pub fn onnxruntime() -> PathBuf {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH") {
        return named.into();
    }
    let lib = crate::root().join("exporter/.venv/lib");
    let versions = std::fs::read_dir(&lib).into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("site-packages/onnxruntime/capi")).find(|path| path.is_dir());
    found.unwrap_or_else(|| panic!("ONNX Runtime is not in {}: run exporter/build", lib.display()))
}

/// What is to run the real model: `AKIDB_EDGE_TEST_DEVICE`; the processor when it is not set.
pub fn device() -> Option<String> {
    std::env::var("AKIDB_EDGE_TEST_DEVICE").ok()
}

/// The folder of all-MiniLM-L6-v2, as `exporter/build` makes it.
pub fn models() -> PathBuf {
    let models = crate::root().join("models");
    let graph = models.join("all-MiniLM-L6-v2/model_int8.onnx");
    assert!(graph.is_file(), "{} is not there: run exporter/build", graph.display());
    models
}

/// The small models of the tests.
pub fn fixtures() -> PathBuf {
    crate::root().join("tests/fixtures/embedding")
}

/// A server that runs.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// `127.0.0.1:PORT` of gRPC.
    pub grpc: Option<String>,
    /// What it said on standard error so far.
    said: Arc<Mutex<String>>,
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

/// A command `serve` on free ports; which model is for flags that follow.
pub fn bare() -> Command {
    let mut command = cli::bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--onnxruntime"]).arg(onnxruntime());
    command
}

/// A command `serve` for the tiny model, on a free port; more flags may follow.
pub fn tiny() -> Command {
    let mut command = bare();
    command.args(["--model", "tiny", "--models"]).arg(fixtures());
    command
}

/// A command `serve` for the real model, on a free port; more flags may follow.
pub fn real() -> Command {
    let mut command = cli::bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--models"]).arg(models());
    command.arg("--onnxruntime").arg(onnxruntime());
    if let Some(device) = device() {
        command.args(["--device", &device]);
    }
    command
}

impl Server {
    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let server = Self::start_cold(command);
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if server.get("/ready").0 == 200 {
                return server;
            }
            assert!(Instant::now() < until, "not ready after a minute\n{}", server.said());
            pause();
        }
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub fn start_cold(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let (stderr, kept) = (child.stderr.take().unwrap(), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let first = |text: &str| text.split([' ', '"', ',']).next().unwrap().to_owned();
                    let grpc = address.split_once("gRPC on ").map(|(_, grpc)| first(grpc));
                    let _ = sender.send((first(address), grpc));
                }
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        match receiver.recv_timeout(Duration::from_secs(60)) {
            Ok((url, grpc)) => Self { child, url, grpc, said },
            Err(_) => {
                let _ = child.kill();
                panic!("it does not listen:\n{}", said.lock().unwrap());
            }
        }
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it says these words.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.said().contains(words) {
            assert!(Instant::now() < until, "it never says {words:?}\n{}", self.said());
            pause();
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident kilobytes at most so far.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let answer = self.request("GET", path, &[], b"");
        (answer.status, answer.text())
    }

    /// Status and JSON of a POST with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
        let answer = self.request("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes());
        (answer.status, answer.json())
    }

    /// A request over a connection of its own, plain HTTP/1.1.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpAnswer {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        HttpAnswer::parse(&all)
    }

    /// Sends a signal by name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; the exit code, -1 when a signal ended it.
    pub fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    #[track_caller]
    fn parse(all: &[u8]) -> Self {
        let end = all.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&all[..end]);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap();
        let pair =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let headers: Vec<_> = lines.filter_map(pair).collect();
        let raw = &all[end + 4..];
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Self { status, body: if chunked { unchunk(raw) } else { raw.to_vec() }, headers }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|bad| panic!("{bad}: {}", self.text()))
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[..end]).trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    whole
}

/// Between two looks at something that has no other sign.
pub fn pause() {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(Duration::from_millis(10));
}
