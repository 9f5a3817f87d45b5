//! A recording HTTP/1.1 proxy between the binary and the local AWS. It tells the calls apart and can hurt them: delay them,
//! drop the connection before or after a call took effect, answer something else, or hold a call until the caller dies.

use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The runtime of the test process: proxies live on it, and SDK calls of tests run on it.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Waits for an asynchronous call of a test.
pub fn wait<T>(call: impl Future<Output = T>) -> T {
    runtime().block_on(call)
}

/// One call that came to the proxy.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// The service of the signature's scope, such as `cloudfront`.
    pub service: String,
    /// The operation: by its own word where the protocol has one, else by method and path.
    pub operation: String,
}

impl Call {
    /// Whether it changes something.
    pub fn mutates(&self) -> bool {
        match self.service.as_str() {
            "acm" | "iam" | "sts" | "elasticloadbalancing" => {
                !["Describe", "List", "Get"].iter().any(|start| self.operation.starts_with(start))
            }
            _ => !matches!(self.method.as_str(), "GET" | "HEAD"),
        }
    }
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Act {
    /// It is forwarded after a while.
    Delay(Duration),
    /// The connection ends before it is forwarded.
    DropBefore,
    /// It takes effect, then the connection ends without an answer.
    DropAfter,
    /// It is not forwarded; this is the answer.
    Answer(u16, String),
    /// It waits for ever, and with it every later call; it does not take effect.
    HoldBefore,
    /// It takes effect, then waits for ever, and with it every later call.
    HoldAfter,
}

/// Which of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Each,
    /// The n-th one that matches, from 1.
    Nth(usize),
}

struct Rule {
    matches: Box<dyn Fn(&Call) -> bool + Send>,
    which: Which,
    act: Act,
    seen: usize,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// Calls between the first byte sent on and the last byte of the answer.
    under_way: usize,
    /// A call is held: nothing is sent on any more.
    frozen: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What is done with a call at once.
enum Verdict {
    Frozen,
    Go(Option<Act>),
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test thread broke it")
    }

    fn decide(&self, call: &Call) -> Verdict {
        let mut state = self.state();
        if state.frozen {
            return Verdict::Frozen;
        }
        state.calls.push(call.clone());
        let mut act = None;
        for rule in &mut state.rules {
            if !(rule.matches)(call) {
                continue;
            }
            rule.seen += 1;
            if rule.which == Which::Each || rule.which == Which::Nth(rule.seen) {
                act = Some(rule.act.clone());
            }
        }
        match act {
            Some(Act::HoldBefore) => {
                state.frozen = true;
                self.changed.notify_all();
                return Verdict::Frozen;
            }
            Some(Act::DropBefore | Act::Answer(..)) => {}
            _ => state.under_way += 1,
        }
        Verdict::Go(act)
    }

    fn arrived(&self, freeze: bool) {
        let mut state = self.state();
        state.under_way -= 1;
        state.frozen |= freeze;
        self.changed.notify_all();
    }
}

/// The proxy; it ends with the test process.
pub struct Proxy {
    shared: Arc<Shared>,
    url: String,
}

impl Proxy {
    /// A proxy on a free port in front of `target` (`http://HOST:PORT`).
    pub fn start(target: &str) -> Self {
        let shared = Arc::<Shared>::default();
        let listener = wait(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let target = target.trim_start_matches("http://").to_owned();
        let inner = Arc::clone(&shared);
        runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, shared) = (target.clone(), Arc::clone(&inner));
                // A connection that breaks is the caller's business: it sees it, too.
                tokio::spawn(async move { drop(serve(client, &target, &shared).await) });
            }
        });
        Self { shared, url }
    }

    /// Its own endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on, `act` on these calls.
    pub fn on(&self, matches: impl Fn(&Call) -> bool + Send + 'static, which: Which, act: Act) {
        self.shared.state().rules.push(Rule { matches: Box::new(matches), which, act, seen: 0 });
    }

    /// The calls so far; the record begins anew.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.shared.state().calls)
    }

    /// The calls so far that change something; the record begins anew.
    pub fn take_mutating(&self) -> Vec<Call> {
        self.take_calls().into_iter().filter(Call::mutates).collect()
    }

    /// No rules, nothing held, nothing recorded.
    pub fn reset(&self) {
        let mut state = self.shared.state();
        state.rules.clear();
        state.calls.clear();
        state.frozen = false;
    }

    /// Waits until a call is held and every other call has been answered; false when that does not happen in time.
    pub fn held_within(&self, span: Duration) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| !(state.frozen && state.under_way == 0);
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }

    /// Waits until a call that matches has come.
    pub fn seen_within(&self, span: Duration, matches: impl Fn(&Call) -> bool) -> bool {
        let state = self.shared.state();
        let waiting = |state: &mut State| !state.calls.iter().any(&matches);
        !self.shared.changed.wait_timeout_while(state, span, waiting).expect("no broken lock").1.timed_out()
    }
}

async fn serve(client: TcpStream, target: &str, shared: &Shared) -> io::Result<()> {
    let mut client = BufReader::new(client);
    while let Some(request) = Message::request(&mut client).await? {
        let call = request.call();
        let verdict = shared.decide(&call);
        shared.changed.notify_all();
        let act = match verdict {
            Verdict::Frozen => return until_closed(&mut client).await,
            Verdict::Go(act) => act,
        };
        match &act {
            Some(Act::DropBefore) => return Ok(()),
            Some(Act::Answer(status, body)) => {
                let kind = if body.starts_with('{') { "application/json" } else { "text/xml" };
                let head = format!(
                    "HTTP/1.1 {status} Other\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                client.get_mut().write_all(format!("{head}{body}").as_bytes()).await?;
                continue;
            }
            Some(Act::Delay(span)) => tokio::time::sleep(*span).await,
            _ => {}
        }
        let answer = forward(target, &request).await;
        let hold = matches!(act, Some(Act::HoldAfter));
        shared.arrived(hold);
        match act {
            Some(Act::DropAfter) => return Ok(()),
            Some(Act::HoldAfter) => return until_closed(&mut client).await,
            _ => client.get_mut().write_all(&answer?).await?,
        }
    }
    Ok(())
}

/// Says nothing until the caller is gone.
async fn until_closed(client: &mut BufReader<TcpStream>) -> io::Result<()> {
    while !client.fill_buf().await?.is_empty() {
        let length = client.buffer().len();
        client.consume(length);
    }
    Ok(())
}

async fn forward(target: &str, request: &Message) -> io::Result<Vec<u8>> {
    let mut server = BufReader::new(TcpStream::connect(target).await?);
    server.get_mut().write_all(&request.bytes()).await?;
    loop {
        let answer = Message::answer(&mut server, &request.head).await?;
        if !answer.head.starts_with("HTTP/1.1 100") {
            return Ok(answer.bytes());
        }
    }
}

/// A request or an answer: the head as text, the body as it came.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    async fn request(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(head) = read_head(from).await? else { return Ok(None) };
        if header(&head, "expect").is_some() {
            from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = read_body(from, &head, false).await?;
        Ok(Some(Self { head, body }))
    }

    async fn answer(from: &mut BufReader<TcpStream>, asked: &str) -> io::Result<Self> {
        let head = read_head(from).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let none = asked.starts_with("HEAD ") || status.starts_with('1') || status == "204" || status == "304";
        let body = if none { Vec::new() } else { read_body(from, &head, true).await? };
        Ok(Self { head, body })
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    fn call(&self) -> Call {
        let mut words = self.head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let scope = header(&self.head, "authorization").and_then(|all| all.split('/').nth(3)).unwrap_or_default();
        let service = scope.to_owned();
        let target = header(&self.head, "x-amz-target").and_then(|target| target.split('.').next_back());
        let body = String::from_utf8_lossy(&self.body);
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let operation = target.or(action).map_or_else(|| by_path(&service, &method, &path), str::to_owned);
        Call { method, path, service, operation }
    }
}

/// The name of an operation that the protocol does not name.
fn by_path(service: &str, method: &str, path: &str) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = bare.trim_matches('/').split('/').collect();
    // `x-id` repeats the name of an S3 operation.
    if let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("x-id=")) {
        return name.to_owned();
    }
    let named = match (service, method, parts.as_slice()) {
        ("cloudfront", "POST", [_, "distribution"]) => "CreateDistribution",
        ("cloudfront", "PUT", [_, "distribution", _, "config"]) => "UpdateDistribution",
        ("cloudfront", "DELETE", [_, "distribution", _]) => "DeleteDistribution",
        ("route53", "POST", [_, "hostedzone"]) => "CreateHostedZone",
        ("route53", "POST", [_, "healthcheck"]) => "CreateHealthCheck",
        ("route53", "POST", [_, "hostedzone", _, "rrset" | "rrset/"]) => "ChangeResourceRecordSets",
        ("lambda", "POST", [_, "functions"]) => "CreateFunction",
        ("lambda", "POST", [_, "functions", _, "versions"]) => "PublishVersion",
        ("s3", "PUT", [_]) if query.is_empty() => "CreateBucket",
        _ => return format!("{method} {}", parts.get(1).unwrap_or(&"")),
    };
    named.to_owned()
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn read_head(from: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).await? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    Ok(Some(head))
}

async fn read_body(from: &mut BufReader<TcpStream>, head: &str, to_the_end: bool) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if header(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut line = String::new();
            from.read_line(&mut line).await?;
            body.extend_from_slice(line.as_bytes());
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                break;
            }
            let begin = body.len();
            body.resize(begin + size + 2, 0);
            from.read_exact(&mut body[begin..]).await?;
        }
        while !body.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut body).await? == 0 {
                break;
            }
        }
    } else if let Some(length) = header(head, "content-length") {
        body.resize(length.parse().map_err(io::Error::other)?, 0);
        from.read_exact(&mut body).await?;
    } else if to_the_end {
        from.read_to_end(&mut body).await?;
    }
    Ok(body)
}
