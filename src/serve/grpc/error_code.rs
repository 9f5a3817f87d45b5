//! A code for each failed call. What the service answers by itself has one; what the transport refuses before a message reaches the
//! service (bytes that are not message, an unknown method, an encoding that is not read) has a status alone, and gets the rest here.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http_body_util::BodyExt;
use tonic::Status;

use super::fault::{self, CODE};
use crate::serve::http::request::RequestId;

/// Around all services, inside of [`pass`](crate::serve::http::middleware::pass): looks at the status of a call that failed at once, and
/// at that in the trailers of every other one.
pub async fn complete(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let name = move || id.as_ref().map(RequestId::as_str).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    if response.headers().contains_key(Status::GRPC_STATUS) {
        add(response.headers_mut(), &name());
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                add(trailers, &name());
            }
            frame
        }))
    })
}

/// Adds the code, the details and the next step to a status that has no code.
fn add(headers: &mut HeaderMap, id: &str) {
    if headers.contains_key(CODE) {
        return;
    }
    let Some(status) = Status::from_header_map(headers).filter(|status| status.code() != tonic::Code::Ok) else {
        return;
    };
    // Only a message that cannot be written as a header is an error, and this one is percent-encoded.
    let _ = fault::completed(&status, id).add_header(headers);
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    fn headers(status: &Status) -> HeaderMap {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        headers
    }

    #[test]
    fn a_status_without_a_code_gets_one_and_keeps_what_it_has() {
        let mut found = headers(&Status::out_of_range("too long: 50 % of it"));
        add(&mut found, "r1");
        assert_eq!((found[CODE].as_bytes(), found["grpc-status"].as_bytes()), (&b"BODY_TOO_LARGE"[..], &b"11"[..]));
        let status = Status::from_header_map(&found).unwrap();
        assert!(status.message().starts_with("too long: 50 % of it; send fewer texts"), "{status}");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "BODY_TOO_LARGE");
        assert_eq!(details.request_info().unwrap().request_id, "r1");
    }

    #[test]
    fn what_went_well_or_has_a_code_stays_as_it_is() {
        let mut own = Status::not_found("no model");
        own.metadata_mut().insert(CODE, "MODEL_NOT_FOUND".parse().unwrap());
        for before in [headers(&own), headers(&Status::new(Code::Ok, "")), HeaderMap::new()] {
            let mut after = before.clone();
            add(&mut after, "r1");
            assert_eq!(after, before);
        }
    }
}
