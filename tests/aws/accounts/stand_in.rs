//! A small HTTP server that keeps a record of what it was asked, and the services that give credentials.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::json;

/// What somebody asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    /// A field of the form that is its body; signs are as they were sent.
    pub fn field(&self, name: &str) -> Option<String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.into_iter().find(|(key, _)| *key == name)?.1;
        Some(value.replace("%3A", ":").replace("%2F", "/"))
    }

    /// The access key id that signed it.
    pub fn key(&self) -> &str {
        let header = self.headers.get("authorization").map_or("", String::as_str);
        header.split_once("Credential=").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default())
    }
}

/// Status, headers and body.
pub type Reply = (u16, String, String);

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// The server; it ends with the test process.
#[derive(Clone)]
pub struct StandIn {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl StandIn {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (record, handler): (_, Arc<Handler>) = (requests.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (record, handler) = (record.clone(), handler.clone());
                // A connection that breaks is the caller's business: it sees it, too.
                std::thread::spawn(move || drop(answer(&stream, &record, &*handler)));
            }
        });
        Self { url, requests }
    }

    /// What was asked so far; the record begins anew.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().expect("no test thread broke it"))
    }
}

fn answer(stream: &TcpStream, record: &Mutex<Vec<Request>>, handler: &Handler) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Request { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() };
    let (status, head, body) = handler(&request);
    record.lock().expect("no test thread broke it").push(request);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} X\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A time from now, as services write it.
pub fn after(span: Duration) -> String {
    Timestamp::try_from(SystemTime::now() + span).expect("a time").strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub const HOUR: Duration = Duration::from_secs(3600);

pub fn json_reply(status: u16, body: &serde_json::Value) -> Reply {
    (status, "Content-Type: application/json\r\n".to_owned(), body.to_string())
}

/// STS: it gives everybody keys of this account, and tells everybody the account whose number the access key id is.
pub fn sts(account: &str) -> StandIn {
    let account = account.to_owned();
    StandIn::start(move |request| sts_reply(request, &account))
}

pub fn sts_reply(request: &Request, account: &str) -> Reply {
    let xml = |body: String| (200, "Content-Type: text/xml\r\n".to_owned(), body);
    let action = request.field("Action").unwrap_or_default();
    if action == "GetCallerIdentity" {
        let key = request.key();
        return xml(format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:sts::{key}:assumed-role/stand-in/s</Arn><UserId>x</UserId><Account>{key}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ));
    }
    let arn = request.field("RoleArn").unwrap_or_default();
    // A role in a chain has an account of its own: its keys say which.
    let key = if arn.contains("middle") { "000000000009" } else { account };
    let expiration = after(HOUR);
    xml(format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>test</SecretAccessKey><SessionToken>session</SessionToken><Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>x:s</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser></{action}Result></{action}Response>"
    ))
}

/// A refusal of STS.
pub fn sts_refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    (status, "Content-Type: text/xml\r\n".to_owned(), body)
}

/// Keys as agents write them.
pub fn agent_keys(account: &str) -> serde_json::Value {
    json!({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": after(Duration::ZERO), "AccessKeyId": account,
        "SecretAccessKey": "test", "Token": "session", "Expiration": after(HOUR)})
}
