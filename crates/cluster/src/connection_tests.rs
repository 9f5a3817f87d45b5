//! What an API server that lies can make the tool hold: answers, pages and lists without end.

use std::sync::Mutex;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a server answers.
enum Answer {
    /// This document.
    Document(Value),
    /// A body that never ends, with this status.
    Endless(&'static str),
}

type Answers = dyn Fn(&str) -> Answer + Send + Sync;

/// A server, and the targets (path and query) that it was asked for.
struct Liar {
    connection: ApiConnection,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    /// A server that answers as it is told; for its version, the truth.
    async fn new(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let answers: Arc<Answers> = Arc::new(answers);
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&seen)));
            }
        });
        let mut config = Config::new(address.parse().expect("an address"));
        // There is no TLS; so the certificates of this system are not read.
        config.accept_invalid_certs = true;
        let transport = Transport::tcp(None).expect("no proxy");
        let connection = ApiConnection::open(config, transport, None, &Arc::default()).await.expect("a connection");
        Self { connection, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no test thread broke it"))
    }
}

/// Answers the requests of one connection, until the client closes it.
async fn serve(mut stream: TcpStream, answers: Arc<Answers>, seen: Arc<Mutex<Vec<String>>>) {
    let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        head.extend_from_slice(&bytes[..count]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let target = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
        head.clear();
        let answer = match target.as_str() {
            "/version" => Answer::Document(json!({"gitVersion": "v1.36.0"})),
            _ => answers(&target),
        };
        seen.lock().expect("no test thread broke it").push(target);
        match answer {
            Answer::Document(document) => {
                let body = document.to_string();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Answer::Endless(status) => return endless(stream, status).await,
        }
    }
}

/// Writes until the client closes the connection.
async fn endless(mut stream: TcpStream, status: &str) {
    const PIECE: usize = 1 << 20;
    let begin = format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n");
    let piece = [format!("{PIECE:x}\r\n").into_bytes(), vec![b' '; PIECE], b"\r\n".to_vec()].concat();
    if stream.write_all(begin.as_bytes()).await.is_ok() {
        while stream.write_all(&piece).await.is_ok() {}
    }
}

fn pods(count: usize, next: &str) -> Answer {
    let pod = json!({"metadata": {"name": "a"}});
    Answer::Document(json!({"items": vec![pod; count], "metadata": {"continue": next}}))
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_and_named() {
    let liar = Liar::new(|_| Answer::Endless("200 OK")).await;
    let refused = liar.connection.ask(&ApiCall::get("get", "/api/v1/nodes/a")).await.expect_err("no end");
    let fault = refused.fault("get", "Node/a");
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "AnswerTooLong"), "{fault}");
    assert!(fault.message.text().contains("Node/a") && fault.message.text().contains("32 MiB"), "{fault}");
    assert!(fault.next_step.is_some_and(|next| next.contains("server's address")));
}

#[tokio::test]
async fn a_log_and_a_refusal_without_end_are_cut_off_sooner() {
    let liar = Liar::new(|target| Answer::Endless(if target.ends_with("/log") { "200 OK" } else { "403 No" })).await;
    let log = ApiCall::get("logs", "/api/v1/namespaces/a/pods/a/log").at_most(1 << 10);
    assert!(matches!(liar.connection.text(&log).await, Err(RequestFailure::TooLong(1_024))));
    let refused = liar.connection.text(&ApiCall::get("get", "/api/v1/nodes/a")).await;
    assert!(matches!(refused, Err(RequestFailure::TooLong(REFUSAL))));
}

#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_in_small_ones() {
    let answers = |target: &str| match (target.contains("limit=500"), target.contains("continue=")) {
        (true, _) => Answer::Endless("200 OK"),
        (false, false) => pods(16, "more"),
        (false, true) => pods(2, ""),
    };
    let liar = Liar::new(answers).await;
    let found = liar.connection.list("/api/v1/pods", &[("labelSelector", "a=b")]).await.expect("a list");
    assert_eq!(found.len(), 18);
    let pages = [
        "/version",
        "/api/v1/pods?labelSelector=a%3Db&limit=500",
        "/api/v1/pods?labelSelector=a%3Db&limit=16",
        "/api/v1/pods?labelSelector=a%3Db&limit=16&continue=more",
    ];
    assert_eq!(liar.asked(), pages);
}

#[tokio::test]
async fn a_list_whose_small_pages_are_too_long_is_given_up() {
    let liar = Liar::new(|_| Answer::Endless("200 OK")).await;
    let refused = liar.connection.list("/api/v1/pods", &[]).await;
    assert!(matches!(refused, Err(RequestFailure::TooLong(super::super::call::LONGEST))));
    assert_eq!(liar.asked(), ["/version", "/api/v1/pods?limit=500", "/api/v1/pods?limit=16"]);
}

#[tokio::test]
async fn a_list_of_pages_without_end_is_given_up() {
    let liar = Liar::new(|_| pods(0, "again")).await;
    let refused = liar.connection.list("/api/v1/pods", &[]).await.expect_err("no end");
    assert!(refused.fault("list", "pods").message.text().contains("256 MiB"));
    // 256 MiB of pages that count as 64 KiB each, the one that is one too many, and the version.
    assert_eq!(liar.asked().len(), 4_096 + 2);
}
