use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server that answers each request on one connection with the next of these bytes, a piece at a time, and closes then.
async fn served(answers: Vec<Vec<&'static [u8]>>) -> Http1 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for pieces in answers {
            let mut request = [0_u8; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            for piece in pieces {
                stream.write_all(piece).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    Http1::new(Stream::Plain(stream))
}

fn parsed(method: &str) -> Parsed {
    Target { method: method.to_owned(), ..Target::get("http://localhost/") }.parsed().unwrap()
}

async fn asked(connection: &mut Http1, method: &str) -> Result<(Seen, bool, CapturedAnswer), ConnectionFailure> {
    let mut kept = CapturedAnswer::up_to(1 << 20);
    let parsed = parsed(method);
    let request = request(&Target::get("http://localhost/"), &parsed);
    let asked = connection.exchange(&request, &parsed, Some(&mut kept));
    let (seen, open) = tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap()?;
    Ok((seen, open, kept))
}

#[tokio::test]
async fn bodies_end_by_length_by_chunks_and_by_the_end_of_the_connection() {
    let mut connection = served(vec![
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Cache: Hit from cloudfront\r\n\r\nhello"],
        vec![b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 11\r\n\r\nhell", b"o worl", b"d"],
        vec![
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"4;x=y\r\nwiki\r\n5\r",
            b"\npedia\r\n0\r\na: b\r\n",
            b"\r\n",
        ],
        vec![b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"],
        vec![b"HTTP/1.1 200 OK\r\n\r\nto the ", b"end"],
    ])
    .await;
    for (body, open) in [("hello", true), ("hello world", true), ("wikipedia", true), ("", true), ("to the end", false)]
    {
        let (seen, reusable, kept) = asked(&mut connection, "GET").await.unwrap();
        assert_eq!((String::from_utf8_lossy(&kept.body).as_ref(), reusable), (body, open));
        assert_eq!(seen.bytes, body.len() as u64);
        assert!(kept.headers.get("link").is_none(), "of an answer that came before");
    }
}

#[tokio::test]
async fn answers_without_a_body_end_at_once() {
    let head: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n";
    let mut connection =
        served(vec![vec![head], vec![b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"]]).await;
    assert_eq!(asked(&mut connection, "HEAD").await.unwrap().0.bytes, 0);
    assert_eq!(asked(&mut connection, "GET").await.unwrap().0.status, 304);
}

#[tokio::test]
async fn a_connection_is_kept_only_when_both_sides_may() {
    for (answer, open) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: Close\r\n\r\n", false),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: foo, Keep-Alive\r\n\r\n", true),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nand what nobody asked for", false),
    ] {
        let mut connection = served(vec![vec![answer]]).await;
        assert_eq!(asked(&mut connection, "GET").await.unwrap().1, open, "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn what_breaks_is_told_apart() {
    for (answer, kind) in [
        (&b""[..], FailureKind::Reset),
        (b"HTTP/1.1 200 OK\r\ncontent-le", FailureKind::Reset),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", FailureKind::Reset),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwi", FailureKind::Reset),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", FailureKind::Protocol),
        (b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n", FailureKind::Protocol),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", FailureKind::Protocol),
        (b"SSH-2.0-OpenSSH_9.2\r\n", FailureKind::Protocol),
    ] {
        let mut connection = served(vec![vec![answer]]).await;
        let broken = asked(&mut connection, "GET").await.map(drop).unwrap_err();
        assert_eq!((broken.kind, broken.stale), (kind, false), "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_known() {
    let mut connection = served(vec![vec![b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]]).await;
    asked(&mut connection, "GET").await.unwrap();
    // The server closes; until the end of the connection is here, it looks open.
    let broken = asked(&mut connection, "GET").await.map(drop).unwrap_err();
    assert!(broken.stale, "{broken:?}");
    assert!(!connection.is_open());
}

#[test]
fn a_request_is_what_the_target_says() {
    let mut target = Target::post("http://localhost:81/a?b=c", "application/json", b"{}".to_vec());
    target.headers.push(("Host".to_owned(), "edge.example.com".to_owned()));
    let bytes = request(&target, &target.parsed().unwrap());
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with("POST /a?b=c HTTP/1.1\r\naccept: */*\r\nuser-agent: akidb-edge/"), "{text}");
    assert!(text.ends_with("host: edge.example.com\r\ncontent-length: 2\r\n\r\n{}"), "{text}");
    assert_eq!(text.matches("host:").count(), 1);
}
