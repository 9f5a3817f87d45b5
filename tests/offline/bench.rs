//! `bench`: runs against a server of this test, compared and followed over time.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use testkit::cli::{bare, finish};

/// A server that answers each request after a delay that the test sets.
struct Server {
    address: String,
    requests: Arc<AtomicU64>,
    delay_ms: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/embed", listener.local_addr().unwrap());
        let (requests, delay_ms) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(2)));
        let (counted, delayed) = (Arc::clone(&requests), Arc::clone(&delay_ms));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counted, delayed) = (Arc::clone(&counted), Arc::clone(&delayed));
                std::thread::spawn(move || serve(stream, &counted, &delayed));
            }
        });
        Self { address, requests, delay_ms }
    }
}

/// Serves a connection until it is closed. The delay is what is measured, not a wait for something.
fn serve(mut stream: TcpStream, requests: &AtomicU64, delay_ms: &AtomicU64) {
    let (mut held, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => held.extend_from_slice(&buffer[..count]),
        }
        while let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            held.drain(..end + 4);
            requests.fetch_add(1, Ordering::SeqCst);
            #[expect(clippy::disallowed_methods, reason = "the delay of this server is what is measured")]
            std::thread::sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst)));
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }
}

const SHORT: [&str; 6] = ["--connections", "1,2", "--requests", "150", "--warm-up", "0"];

#[test]
fn a_run_is_written_everywhere_and_compared_with_a_slower_one() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let bench = |out: &str, more: &[&str]| {
        let mut command = bare();
        command.current_dir(folder.path()).args(["bench", "url", &server.address, "--out", out]).args(SHORT).args(more);
        finish(&mut command)
    };
    let files = ["--json", "--markdown", "a.md", "--hlog", "logs", "--history", "h.jsonl", "--label", "c1"];
    let document = bench("a.json", &files).exits(0).json();
    assert_eq!(document["schema"], "akidb-edge/bench-url/v1");
    let levels = document["levels"].as_array().expect("levels");
    assert_eq!(levels.len(), 2);
    assert_eq!(levels[1]["name"], "2 connections");
    let figures = &levels[0]["figures"];
    assert_eq!(figures["requests"], 150);
    assert_eq!(figures["failed"], 0);
    let median = figures["p50"]["value"].as_f64().expect("a median");
    assert!((2.0..40.0).contains(&median), "{median} ms after 2 ms on the server");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("a.md").starts_with("# Load: ") && read("a.md").contains("| 2 connections | 150 | 0 |"));
    assert!(read("logs/1-connection.hlog").starts_with("#[Histogram log format version 1.3]"));
    assert_eq!(read("h.jsonl").lines().count(), 2);
    // 30 ms are more than any disturbance of 2 ms on a machine that is busy.
    server.delay_ms.store(30, Ordering::SeqCst);
    let slower = bench("b.json", &["--compare", "a.json", "--history", "h.jsonl"]).exits(1);
    assert!(slower.stdout.contains("SLOWER") && slower.stdout.contains("Bonferroni"), "{}", slower.stdout);
    assert_eq!(read("h.jsonl").lines().count(), 4, "lines are added");
    let compare = |one: &str, other: &str| {
        let mut command = bare();
        finish(command.current_dir(folder.path()).args(["bench", "compare", one, other, "--json"]))
    };
    assert_eq!(compare("a.json", "a.json").exits(0).json()["outcome"], "same");
    assert_eq!(compare("b.json", "a.json").exits(0).json()["outcome"], "faster");
    assert_eq!(compare("a.json", "b.json").exits(1).json()["outcome"], "slower");
    assert!(compare("a.json", "h.jsonl").exits(3).stdout.contains("CL009-input-file"));
}

/// Sixty runs with seeded noise of 2 %, from the 41st on 12 % slower.
fn planted(file: &Path) {
    let (mut state, mut text) = (11_u64, String::new());
    let mut noise = || {
        let mut sum = 0.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 33) as f64 / f64::from(1_u32 << 31);
        }
        1.0 + 0.02 * (sum - 6.0)
    };
    for run in 0..60 {
        let level = noise() * if run < 40 { 10.0 } else { 11.2 };
        text.push_str(&format!(
            "{{\"format\": 1, \"at_ms\": {run}, \"test\": \"t\", \"commit\": \"c{run}\", \"figures\": {{\"p95_ms\": {level}}}}}\n"
        ));
    }
    fs::write(file, text).unwrap();
}

#[test]
fn a_planted_change_is_found_at_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("h.jsonl");
    planted(&file);
    let history = |more: &[&str]| finish(bare().args(["bench", "history"]).arg(&file).args(more));
    let document = history(&["--json"]).exits(0).json();
    let changes = document["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0]["commit"], "c40");
    assert_eq!(changes[0]["change"]["at"], 40);
    assert!(history(&[]).exits(0).stdout.contains("WORSE"));
    history(&["--worse-within", "20"]).exits(1);
    history(&["--worse-within", "19"]).exits(0);
    assert_eq!(history(&["--least", "50", "--json"]).exits(0).json()["changes"], serde_json::json!([]));
}

#[test]
fn what_cannot_be_written_or_read_is_refused_before_anything_is_sent() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let place = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (letter, torn) = (place("letter.txt", "Dear reader"), place("torn.jsonl", "{\"format\": 1"));
    for (option, file, id) in [
        ("--out", &letter, "CL010-output-file"),
        ("--markdown", &letter, "CL010-output-file"),
        ("--compare", &letter, "CL009-input-file"),
        ("--history", &torn, "CL009-input-file"),
    ] {
        let mut command = bare();
        let document = finish(command.args(["bench", "url", &server.address, "--json", option, file])).exits(3).json();
        assert_eq!(document["code"], id, "{option}: {document}");
    }
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    assert_eq!(fs::read_to_string(&letter).unwrap(), "Dear reader");
}

#[test]
fn a_run_without_any_answer_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = bare();
    command.args(["bench", "url", &format!("http://{free}/"), "--requests", "3", "--connections", "1", "--json"]);
    let document = finish(&mut command).exits(1).json();
    assert!(document["problem"].as_str().expect("why").contains("no TCP connection (3)"), "{document}");
}

#[test]
fn a_run_that_is_interrupted_leaves_the_levels_that_were_measured() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let out = folder.path().join("run.json");
    let mut command = bare();
    command.args(["bench", "url", &server.address, "--seconds", "2", "--warm-up", "0", "--json", "--out"]).arg(&out);
    // The second level takes so long that the signal comes within it.
    command.args(["--connections", "1,2,3,4,5,6,7,8,9,10"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("1 connection"), "{first}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted: 1 level measured")), "{rest:?}");
    let run: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(run["levels"].as_array().map(Vec::len), Some(1), "{run}");
}
