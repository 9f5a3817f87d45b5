use aws_config::BehaviorVersion;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_smithy_types::retry::RetryConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fault_of;
use crate::resource::FaultClass;
use crate::transport::HttpTransport;

const PIECE: usize = 1 << 20;

/// A service that answers everything with this status and a body that never ends. Its address.
async fn endless(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, status));
        }
    });
    address
}

/// Writes until the client closes the connection.
async fn answer(mut stream: TcpStream, status: &str) {
    let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut bytes).await {
            Ok(count @ 1..) => head.extend_from_slice(&bytes[..count]),
            _ => return,
        }
    }
    let begin = format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ntransfer-encoding: chunked\r\n\r\n");
    let piece = [format!("{PIECE:x}\r\n").into_bytes(), vec![b' '; PIECE], b"\r\n".to_vec()].concat();
    if stream.write_all(begin.as_bytes()).await.is_ok() {
        while stream.write_all(&piece).await.is_ok() {}
    }
}

fn client(address: &str, http: SharedHttpClient, download: Download) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(address)
        .force_path_style(true)
        .credentials_provider(Credentials::new("x", "x", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .interceptor(MarkDownloads(download))
        .http_client(http);
    aws_sdk_s3::Client::from_conf(config.build())
}

fn wire() -> SharedHttpClient {
    HttpTransport::new(akidb_edge_network::Proxies::default(), None).shared()
}

async fn listed(address: &str, http: SharedHttpClient) -> SdkError<ListObjectsV2Error, HttpResponse> {
    let client = client(address, http, Download::Stream);
    client.list_objects_v2().bucket("b").send().await.expect_err("an answer without end")
}

#[tokio::test]
async fn a_list_that_does_not_end_is_cut_off_and_named() {
    let address = endless("200 OK").await;
    let bad = listed(&address, wire()).await;
    assert_eq!(too_long(&bad), Some(ResponseTooLong { most: LIST }), "{}", DisplayErrorContext(&bad));
    let fault = fault_of("s3", "ListObjectsV2", bad);
    assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "AnswerTooLong"), "{fault}");
    assert!(fault.message.text().contains("64 MiB"), "{fault}");
    assert!(fault.next_step.is_some_and(|next| next.contains("AWS_ENDPOINT_URL")));
}

#[tokio::test]
async fn a_refusal_that_does_not_end_is_cut_off_sooner() {
    let address = endless("403 Forbidden").await;
    let bad = listed(&address, wire()).await;
    assert_eq!(too_long(&bad), Some(ResponseTooLong { most: REFUSAL }), "{}", DisplayErrorContext(&bad));
    // An error body of a download is bounded like any other error body.
    let client = client(&address, wire(), Download::Stream);
    let bad = client.get_object().bucket("b").key("k").send().await.expect_err("a refusal");
    assert_eq!(too_long(&bad), Some(ResponseTooLong { most: REFUSAL }), "{}", DisplayErrorContext(&bad));
}

#[tokio::test]
async fn the_client_of_a_model_bucket_has_the_same_bounds() {
    let address = endless("200 OK").await;
    let http = LimitedClient::over(aws_smithy_http_client::Builder::new().build_http());
    let bad = listed(&address, http).await;
    assert_eq!(too_long(&bad), Some(ResponseTooLong { most: LIST }), "{}", DisplayErrorContext(&bad));
}

#[tokio::test]
async fn only_the_content_of_an_object_is_longer_than_a_list() {
    let address = endless("200 OK").await;
    let client = client(&address, wire(), Download::Stream);
    let mut body = client.get_object().bucket("b").key("k").send().await.expect("an object").body;
    let mut read = 0;
    while read <= LIST {
        read += body.next().await.expect("more").expect("bytes").len();
    }
}

#[tokio::test]
async fn an_object_for_memory_ends_at_its_bound() {
    let answer = HttpResponse::new(200_u16.try_into().expect("a status"), SdkBody::from(vec![0; 64]));
    let body = limited(answer, Some(Download::Memory)).into_body();
    assert_eq!(BodyExt::collect(body).await.expect("within the bound").to_bytes().len(), 64);
    let body = limited_body(SdkBody::from(vec![0; 65]), 64);
    let bad = BodyExt::collect(body).await.expect_err("one byte more");
    assert_eq!(bad.downcast_ref::<ResponseTooLong>(), Some(&ResponseTooLong { most: 64 }));
}
