//! Requests in bulk over kept connections: as many at a time as there are connections, or at a fixed rate whatever the answers do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

/// What came of the requests.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers by status; 0 for a connection that broke.
    pub statuses: BTreeMap<u16, usize>,
    /// Milliseconds of the answers with status 200, from the moment the request was written.
    pub good: Vec<f64>,
    /// Milliseconds of those with status 429.
    pub refused: Vec<f64>,
    /// Milliseconds of those with status 504: admitted, and not answered in time.
    pub late: Vec<f64>,
    /// Requests that found no free connection in time and were not sent.
    pub unsent: usize,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Milliseconds of all that were admitted.
    pub fn admitted(&self) -> Vec<f64> {
        [&self.good[..], &self.late].concat()
    }

    /// Answers with this status.
    pub fn count(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    fn add(&mut self, status: u16, took: f64) {
        *self.statuses.entry(status).or_default() += 1;
        match status {
            200 => self.good.push(took),
            429 => self.refused.push(took),
            504 => self.late.push(took),
            _ => {}
        }
    }
}

/// The value below which a share of these lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// A POST as bytes.
pub fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Arc<[u8]> {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes().into()
}

struct Connection {
    address: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None, buffer: Vec::new() }
    }

    /// Sends one request and reads its answer; the status.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<u16> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else { unreachable!("it was just made") };
        stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some((status, whole)) = whole(&self.buffer)
                && self.buffer.len() >= whole
            {
                return Ok(status);
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Status, and bytes of the whole answer, once its head is there.
fn whole(buffer: &[u8]) -> Option<(u16, usize)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&buffer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + 4 + length.unwrap_or(0)))
}

/// So many connections, each with its next request when the last one is answered.
pub async fn closed(address: &str, requests: &[Arc<[u8]>], connections: usize, time: Duration) -> Outcome {
    let (begin, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let requests: Arc<[Arc<[u8]>]> = requests.into();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (mut connection, requests, next) = (Connection::new(address), requests.clone(), next.clone());
            tokio::spawn(async move {
                let mut outcome = Outcome::default();
                while begin.elapsed() < time {
                    let request = &requests[next.fetch_add(1, Ordering::Relaxed) % requests.len()];
                    one(&mut connection, request, &mut outcome).await;
                }
                outcome
            })
        })
        .collect();
    merged(tasks, begin).await
}

/// A fixed number of requests a second over a pool of connections. A request that finds as many others waiting for a connection as there
/// are is counted as unsent.
pub async fn open(address: &str, requests: &[Arc<[u8]>], rate: f64, connections: usize, time: Duration) -> Outcome {
    let (sender, receiver) = mpsc::channel::<Arc<[u8]>>(connections);
    let receiver = Arc::new(Mutex::new(receiver));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (mut connection, receiver) = (Connection::new(address), receiver.clone());
            tokio::spawn(async move {
                let mut outcome = Outcome::default();
                loop {
                    let Some(request) = receiver.lock().await.recv().await else { return outcome };
                    one(&mut connection, &request, &mut outcome).await;
                }
            })
        })
        .collect();
    let mut unsent = 0;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut sent = 0_usize;
    while begin.elapsed() < time {
        ticks.tick().await;
        let due = (begin.elapsed().as_secs_f64() * rate) as usize;
        while sent < due {
            unsent += usize::from(sender.try_send(requests[sent % requests.len()].clone()).is_err());
            sent += 1;
            tokio::task::yield_now().await;
        }
    }
    drop(sender);
    let mut outcome = merged(tasks, begin).await;
    outcome.unsent = unsent;
    outcome
}

async fn one(connection: &mut Connection, request: &[u8], outcome: &mut Outcome) {
    let began = Instant::now();
    let status = connection.ask(request).await.unwrap_or_else(|_| {
        connection.stream = None;
        0
    });
    outcome.add(status, began.elapsed().as_secs_f64() * 1e3);
}

async fn merged(tasks: Vec<tokio::task::JoinHandle<Outcome>>, begin: Instant) -> Outcome {
    let mut all = Outcome::default();
    for task in tasks {
        let one = task.await.expect("a load task ends");
        for (status, count) in one.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
        all.good.extend(one.good);
        all.refused.extend(one.refused);
        all.late.extend(one.late);
    }
    all.took = begin.elapsed();
    all
}
