//! A small HTTP server on loopback that counts what it is asked, for one test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// An answer: its status, further lines of its head, and its body.
pub struct Page {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Page {
    /// A body alone.
    pub fn of(status: u16, body: &str) -> Self {
        Self { status, head: String::new(), body: body.to_owned() }
    }
}

/// What the server answers to a request: its number, from 0 on, and its method and path.
type Answer = dyn Fn(usize, &str) -> Page + Send + Sync;

/// The server. Its threads end with the test's process.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Requests>,
}

#[derive(Default)]
struct Requests {
    count: Mutex<usize>,
    more: Condvar,
}

impl Requests {
    /// The number of one more.
    fn next(&self) -> usize {
        let mut count = self.count.lock().expect("no thread panics with it");
        *count += 1;
        self.more.notify_all();
        *count - 1
    }
}

impl Server {
    /// A server that answers each number of a request with a status and `x-cache`.
    pub fn start(answer: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static) -> Self {
        Self::of_pages(move |number, _| {
            let (status, cache) = answer(number);
            Page { status, head: format!("x-cache: {cache} from cloudfront\r\n"), body: "ok".to_owned() }
        })
    }

    /// A server with an answer for each `GET /path`.
    pub fn of_pages(answer: impl Fn(usize, &str) -> Page + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Requests::default());
        let answer: Arc<Answer> = Arc::new(answer);
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
                // A client that goes away ends its connection.
                std::thread::spawn(move || drop(serve(&stream, &*answer, &counted)));
            }
        });
        Self { address, requests }
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        *self.requests.count.lock().expect("no thread panics with it")
    }

    /// Waits for the first request.
    pub fn wait_for_a_request(&self, within: Duration) {
        let count = self.requests.count.lock().expect("no thread panics with it");
        let waited = self.requests.more.wait_timeout_while(count, within, |count| *count == 0);
        assert!(!waited.expect("no thread panics with it").1.timed_out(), "no request came within {within:?}");
    }
}

fn serve(stream: &TcpStream, answer: &Answer, counted: &Requests) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut asked) = (0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
            if asked.is_empty() {
                asked = line.rsplit_once(' ').map(|(asked, _)| asked.to_owned()).unwrap_or_default();
            }
        }
        std::io::copy(&mut std::io::Read::take(&mut reader, length), &mut std::io::sink())?;
        let Page { status, head, body } = answer(counted.next(), &asked);
        let text = format!("HTTP/1.1 {status} Answer\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
        let mut writer = stream;
        writer.write_all(text.as_bytes())?;
    }
}
