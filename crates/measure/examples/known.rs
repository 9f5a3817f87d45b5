//! A server whose delays are known, and which keeps its own log: what the figures of load tools are held to (`bench/measure/run`).
//!
//! `cargo run --release -p akidb-edge-measure --example known -- 127.0.0.1:8098`
//!
//! `GET /SHAPE` answers after a delay of that shape: `constant`, `bimodal`, `heavy-tail`, `stall` (it stands still for one second of ten),
//! `errors` (1 % are 500). `GET /log/SHAPE` gives what it logged, in milliseconds from the arrival of a request to its answer, and begins a
//! new log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use akidb_edge_measure::Latencies;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What was logged of one shape.
#[derive(Default)]
struct Log {
    requests: u64,
    wrong: u64,
    latencies: Latencies,
}

struct Server {
    start: Instant,
    logs: Mutex<BTreeMap<String, Log>>,
}

/// A number from 0 to 1 that belongs to another.
fn mixed(number: u64) -> f64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The delay of the n-th request of a shape that came so long after the start, and whether it is answered as expected.
fn delay(shape: &str, number: u64, since: Duration) -> Option<(Duration, bool)> {
    let ms = |value: f64| Duration::from_secs_f64(value / 1e3);
    Some(match shape {
        "constant" => (ms(20.0), true),
        "bimodal" => (ms(if mixed(number) < 0.9 { 5.0 } else { 50.0 }), true),
        // A Pareto distribution with the exponent 2, cut off at a second.
        "heavy-tail" => (ms((3.0 / (1.0 - mixed(number)).sqrt()).min(1_000.0)), true),
        "stall" => {
            let at = since.as_secs_f64() % 10.0;
            let left = if (5.0..6.0).contains(&at) { 6.0 - at } else { 0.0 };
            (ms(left * 1e3 + 1.0), true)
        }
        "errors" => (ms(2.0), number % 100 != 50),
        _ => return None,
    })
}

impl Server {
    async fn answer(&self, path: &str) -> (&'static str, String) {
        let arrived = Instant::now();
        if let Some(shape) = path.strip_prefix("/log/") {
            return ("200 OK", self.take(shape));
        }
        let shape = path.trim_start_matches('/');
        let number = {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let log = logs.entry(shape.to_owned()).or_default();
            log.requests += 1;
            log.requests - 1
        };
        let Some((delay, right)) = delay(shape, number, arrived - self.start) else {
            return ("404 Not Found", "no such shape".to_owned());
        };
        tokio::time::sleep_until((arrived + delay).into()).await;
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(shape.to_owned()).or_default();
        if !right {
            log.wrong += 1;
            return ("500 Internal Server Error", "wrong".to_owned());
        }
        log.latencies.record(arrived.elapsed());
        ("200 OK", "ok".to_owned())
    }

    /// What was logged of a shape, as JSON; its log begins anew.
    fn take(&self, shape: &str) -> String {
        let log = self.logs.lock().unwrap_or_else(PoisonError::into_inner).remove(shape).unwrap_or_default();
        let at = |quantile: f64| log.latencies.value_at(quantile).unwrap_or_default().as_secs_f64() * 1e3;
        format!(
            "{{\"requests\": {}, \"wrong\": {}, \"p50\": {:.4}, \"p90\": {:.4}, \"p95\": {:.4}, \"p99\": {:.4}}}",
            log.requests,
            log.wrong,
            at(0.5),
            at(0.9),
            at(0.95),
            at(0.99)
        )
    }
}

async fn serve(mut stream: TcpStream, server: Arc<Server>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = Vec::new();
    loop {
        while let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&held[..end]).into_owned();
            held.drain(..end + 4);
            let path = head.split(' ').nth(1).unwrap_or("/");
            let (status, body) = server.answer(path).await;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\ncontent-type: text/plain\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await?;
        }
        let mut more = [0; 4096];
        match stream.read(&mut more).await? {
            0 => return Ok(()),
            count => held.extend_from_slice(&more[..count]),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8098".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let server = Arc::new(Server { start: Instant::now(), logs: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        let server = Arc::clone(&server);
        tokio::spawn(async move { serve(stream, server).await });
    }
}
