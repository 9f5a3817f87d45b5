//! Calls that never come to a service: what the transport refuses has a code and a next step, too.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use testkit::serve::Server;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

use super::{channel, code, pair};

const EMBED: &str = "/akidb.embedding.v1.EmbeddingService/Embed";
const STREAM: &str = "/akidb.embedding.v1.EmbeddingService/EmbedStream";
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// A call as it is sent: its path, its `grpc-encoding`, and the bytes of its body.
struct Raw<'a> {
    path: &'a str,
    encoding: Option<&'a str>,
    body: &'a [u8],
}

/// The status of a call, and whether it stood in the headers: there was no body then.
async fn status(channel: &mut Channel, call: &Raw<'_>) -> (Status, bool) {
    let mut request = Request::post(call.path).header("content-type", "application/grpc").header("te", "trailers");
    request = request.header("x-request-id", "r9");
    if let Some(encoding) = call.encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let request = request.body(Body::new(Full::new(Bytes::copy_from_slice(call.body)))).unwrap();
    let ready = ServiceExt::<Request<Body>>::ready(channel).await.unwrap();
    let (head, body) = ready.call(request).await.unwrap().into_parts();
    assert_eq!(head.status, 200, "{}", call.path);
    if let Some(status) = Status::from_header_map(&head.headers) {
        return (status, true);
    }
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().expect("a body without a status has trailers");
    (Status::from_header_map(trailers).expect("a status"), false)
}

/// Looks at the refusal of a call: its status, its code, and what its message says.
async fn refused(server: &Server, call: Raw<'_>, wanted: (Code, &str, &str), at_once: bool) {
    let mut channel = channel(server.grpc.as_deref().unwrap()).await;
    let (status, in_headers) = status(&mut channel, &call).await;
    let (number, name, words) = wanted;
    let what = format!("{} {:?}: {status}", call.path, call.body);
    assert_eq!((status.code(), code(&status), in_headers), (number, name, at_once), "{what}");
    let (why, next) = status.message().split_once("; ").expect(&what);
    assert!(why.contains(words) && next.len() > 10, "{what}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, name, "{what}");
    assert_eq!(details.request_info().unwrap().request_id, "r9", "{what}");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_invalid_request() {
    let (server, _client) = pair().await;
    let bodies: [(&[u8], &str); 7] = [
        (&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff], "failed to decode Protobuf message"),
        // A text that is not UTF-8.
        (&[0, 0, 0, 0, 3, 0x12, 1, 0xff], "EmbedRequest.inputs"),
        (&[1, 0, 0, 0, 1, 0], "compressed-flag"),
        (&[7, 0, 0, 0, 1, 0], "compression flag: 7"),
        (&[0, 0, 0, 0, 9, 1], "Unexpected EOF"),
        (&[0, 0], "Unexpected EOF"),
        (&[], "Missing request message"),
    ];
    for (body, words) in bodies {
        let call = Raw { path: EMBED, encoding: None, body };
        refused(&server, call, (Code::Internal, "INVALID_REQUEST", words), true).await;
    }
    let call = Raw { path: EMBED, encoding: Some("gzip"), body: &[1, 0, 0, 0, 3, b'a', b'b', b'c'] };
    refused(&server, call, (Code::Internal, "INVALID_REQUEST", "decompressing"), true).await;
    // Other services are behind the same layer.
    let call = Raw { path: CHECK, encoding: None, body: bodies[0].0 };
    refused(&server, call, (Code::Internal, "INVALID_REQUEST", "failed to decode"), true).await;
}

#[tokio::test]
async fn a_stream_that_is_broken_says_so_in_its_trailers() {
    let (server, _client) = pair().await;
    for (body, words) in [
        (&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff][..], "failed to decode Protobuf message"),
        (&[1, 0, 0, 0, 1, 0][..], "compressed-flag"),
    ] {
        let call = Raw { path: STREAM, encoding: None, body };
        refused(&server, call, (Code::Internal, "INVALID_REQUEST", words), false).await;
    }
    // Of a message that is too large the length is enough.
    let call = Raw { path: STREAM, encoding: None, body: &[0, 0x7f, 0, 0, 0] };
    refused(&server, call, (Code::OutOfRange, "BODY_TOO_LARGE", "too large"), false).await;
}

#[tokio::test]
async fn what_the_server_does_not_have_or_does_not_read_has_a_code() {
    let (server, _client) = pair().await;
    let empty: &[u8] = &[0, 0, 0, 0, 0];
    for path in ["/akidb.embedding.v1.EmbeddingService/Nothing", "/nobody.Service/Embed", "/nothing"] {
        let call = Raw { path, encoding: None, body: empty };
        refused(&server, call, (Code::Unimplemented, "NOT_FOUND", "no such service or method"), true).await;
    }
    for path in [EMBED, STREAM, CHECK] {
        let call = Raw { path, encoding: Some("br"), body: empty };
        refused(&server, call, (Code::Unimplemented, "UNSUPPORTED_ENCODING", "`br`"), true).await;
    }
    let call = Raw { path: EMBED, encoding: None, body: &[0, 0x7f, 0, 0, 0] };
    refused(&server, call, (Code::OutOfRange, "BODY_TOO_LARGE", "too large"), true).await;
}
