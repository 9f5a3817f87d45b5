//! A hub of models: a small HTTP server that speaks the protocol of Hugging Face's, keeps a record of what it was asked,
//! and can be told to fail. A second server plays the one that large files are redirected to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What somebody asked.
#[derive(Clone, Debug)]
pub struct HubRequest {
    /// Whether it came to the server of the large files.
    pub elsewhere: bool,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Bytes of the body that were sent.
    pub sent: usize,
}

/// How the server treats a file, once.
#[derive(Clone, Debug)]
pub enum Once {
    /// Sends so many bytes of the answer and hangs up.
    BreakAfter(usize),
    /// Answers with this status and these headers.
    Status(u16, &'static str),
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    large: BTreeSet<String>,
    /// Bytes that are sent instead of those that were announced.
    forged: BTreeMap<String, Vec<u8>>,
    listed_besides: Vec<String>,
    once: Vec<(String, Once)>,
    commit: String,
    requests: Vec<HubRequest>,
    token: Option<String>,
    redirects: bool,
    knows_ranges: bool,
    /// No answer about a large file has more bytes of it.
    cut: Option<usize>,
}

/// The hub; it ends with the test process.
#[derive(Clone)]
pub struct TestHub {
    state: Arc<Mutex<State>>,
    /// Its endpoint.
    pub url: String,
    elsewhere: String,
}

/// The repository that it has.
pub const REPO: &str = "sentence-transformers/tiny";

impl TestHub {
    /// A hub with a small model.
    pub fn start() -> Self {
        let state = State { knows_ranges: true, commit: "1".repeat(40), ..State::default() };
        let (listener, url) = listen();
        let (large, elsewhere) = listen();
        let hub = Self { state: Arc::new(Mutex::new(state)), url, elsewhere };
        hub.serve(listener, false);
        hub.serve(large, true);
        for (path, text) in SMALL {
            hub.put(path, text.as_bytes());
        }
        hub.put_large("onnx/model.onnx", 300_000);
        hub.put_large("onnx/model_quantized.onnx", 70_000);
        hub.put_large("pytorch_model.bin", 1_000);
        hub
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test thread broke it")
    }

    /// A small file.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.state().files.insert(path.to_owned(), bytes.to_vec());
    }

    /// A large graph: it says what goes in and out, and its remark is of bytes that follow no simple pattern.
    pub fn put_large(&self, path: &str, length: usize) {
        let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
        let named = |number: u8, name: &str| field(number, &field(1, name.as_bytes()));
        let ends = [named(11, "input_ids"), named(11, "attention_mask"), named(12, "last_hidden_state")].concat();
        let mut bytes = field(7, &ends);
        // `ModelProto.doc_string`, with its length in three bytes.
        let rest = length - bytes.len() - 4;
        bytes.extend([6 << 3 | 2, rest as u8 | 0x80, (rest >> 7) as u8 | 0x80, (rest >> 14) as u8]);
        let seed = path.len();
        bytes.extend((0..rest).map(|at| ((at * 2_654_435_761 + seed) >> 7) as u8));
        self.put(path, &bytes);
        self.state().large.insert(path.to_owned());
    }

    /// A file as it is.
    pub fn file(&self, path: &str) -> Vec<u8> {
        self.state().files[path].clone()
    }

    /// Takes a file away.
    pub fn drop_file(&self, path: &str) {
        self.state().files.remove(path);
    }

    /// The repository is at this commit now.
    pub fn commit(&self, letter: char) -> String {
        let commit = letter.to_string().repeat(40);
        self.state().commit.clone_from(&commit);
        commit
    }

    /// Sends other bytes than it announced.
    pub fn forge(&self, path: &str, bytes: &[u8]) {
        self.state().forged.insert(path.to_owned(), bytes.to_vec());
    }

    /// Lists a file that it does not have.
    pub fn list_besides(&self, path: &str) {
        self.state().listed_besides.push(path.to_owned());
    }

    /// Treats the next request for a file in this way.
    pub fn once(&self, path: &str, how: Once) {
        self.state().once.push((path.to_owned(), how));
    }

    /// Only who knows the token gets files.
    pub fn gate(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Large files come from another host.
    pub fn redirect(&self) {
        self.state().redirects = true;
    }

    /// Every answer is the whole file.
    pub fn forget_ranges(&self) {
        self.state().knows_ranges = false;
    }

    /// Every answer with a large file breaks off after so many bytes.
    pub fn cut(&self, length: usize) {
        self.state().cut = Some(length);
    }

    /// What was asked so far; the record begins anew.
    pub fn take_requests(&self) -> Vec<HubRequest> {
        std::mem::take(&mut self.state().requests)
    }

    /// Text without addresses.
    pub fn redact(&self, text: &str) -> String {
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        text.replace(&host(&self.url), "[HUB]").replace(&host(&self.elsewhere), "[CDN]")
    }

    fn serve(&self, listener: TcpListener, elsewhere: bool) {
        let hub = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hub = hub.clone();
                // A connection that breaks is the caller's business: it sees it, too.
                std::thread::spawn(move || drop(hub.answer(&stream, elsewhere)));
            }
        });
    }

    fn answer(&self, stream: &TcpStream, elsewhere: bool) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let target = first.split(' ').nth(1).unwrap_or_default();
        // A proxy is asked with the whole address.
        let path = target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        let target = path.unwrap_or(target).to_owned();
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let (head, body, promised) = self.reply(&target, &headers, elsewhere);
        self.state().requests.push(HubRequest { elsewhere, target, headers, sent: body.len() });
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(&body)
    }

    /// Status and headers, the body, and the length that is promised.
    fn reply(&self, target: &str, headers: &BTreeMap<String, String>, elsewhere: bool) -> (String, Vec<u8>, usize) {
        let mut state = self.state();
        let plain = |status: &str, text: &str| (status.to_owned(), text.as_bytes().to_vec(), text.len());
        if let Some(revision) = target.strip_prefix(&format!("/api/models/{REPO}/revision/")) {
            return match revision.split('?').next() {
                Some(name) if name == "main" || name == state.commit => plain("200 OK", &state.listing()),
                _ => plain("404 Not Found\r\nX-Error-Code: RevisionNotFound", "no such revision"),
            };
        }
        let start = format!("/{REPO}/resolve/{}/", state.commit);
        let Some(path) = target.strip_prefix(&start) else { return plain("401 Unauthorized", "no such repository") };
        if !elsewhere && let Some(token) = &state.token {
            match headers.get("authorization") {
                None => return plain("401 Unauthorized\r\nX-Error-Code: GatedRepo", "gated"),
                Some(given) if *given != format!("Bearer {token}") => return plain("403 Forbidden", "gated"),
                Some(_) => {}
            }
        }
        if state.redirects && !elsewhere && state.large.contains(path) {
            return plain(&format!("302 Found\r\nLocation: {}{target}", self.elsewhere), "");
        }
        let at = state.once.iter().position(|(file, _)| file == path);
        let once = at.map(|at| state.once.remove(at).1);
        if let Some(Once::Status(status, more)) = once {
            return plain(&format!("{status} Other{more}"), "");
        }
        let Some(bytes) = state.forged.get(path).or_else(|| state.files.get(path)) else {
            return plain("404 Not Found\r\nX-Error-Code: EntryNotFound", "no such file");
        };
        let begin = headers.get("range").filter(|_| state.knows_ranges);
        let begin = begin.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let rest = bytes[begin.unwrap_or(0)..].to_vec();
        let promised = rest.len();
        let head = begin.map_or("200 OK".to_owned(), |begin| {
            format!("206 Partial Content\r\nContent-Range: bytes {begin}-{}/{}", bytes.len() - 1, bytes.len())
        });
        match once {
            Some(Once::BreakAfter(length)) => (head, rest[..length].to_vec(), promised),
            _ => {
                let most = state.cut.filter(|_| state.large.contains(path)).unwrap_or(promised);
                (head, rest[..most.min(promised)].to_vec(), promised)
            }
        }
    }
}

impl State {
    fn listing(&self) -> String {
        let known = self.files.iter().map(|(path, bytes)| {
            let pointer = hex::encode(Sha1::digest(path.as_bytes()));
            if self.large.contains(path) {
                let large =
                    json!({"sha256": hex::encode(Sha256::digest(bytes)), "size": bytes.len(), "pointerSize": 134});
                return json!({"rfilename": path, "size": bytes.len(), "blobId": pointer, "lfs": large});
            }
            let blob = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
            json!({"rfilename": path, "size": bytes.len(), "blobId": hex::encode(Sha1::digest(blob))})
        });
        let besides =
            self.listed_besides.iter().map(|path| json!({"rfilename": path, "size": 1, "blobId": "0".repeat(40)}));
        let siblings: Vec<_> = known.chain(besides).collect();
        json!({"id": REPO, "sha": self.commit, "private": false, "siblings": siblings}).to_string()
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

const SMALL: &[(&str, &str)] = &[
    (".gitattributes", "*.onnx filter=lfs\n"),
    ("README.md", "# tiny\n"),
    ("config.json", r#"{"model_type": "bert", "hidden_size": 8, "vocab_size": 100, "max_position_embeddings": 64}"#),
    ("tokenizer.json", r#"{"version": "1.0"}"#),
    ("vocab.txt", "[PAD]\n[UNK]\n"),
    ("sentence_bert_config.json", r#"{"max_seq_length": 32}"#),
    (
        "modules.json",
        r#"[{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#,
    ),
    ("1_Pooling/config.json", r#"{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}"#),
];
