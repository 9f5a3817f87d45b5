//! Responses that are not in the format of the service: a page of a proxy, another program at the endpoint.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::error_rules::class_of;
use crate::resource::Fault;

/// Letters of a body that are shown: enough to tell a page from an answer.
const SHOWN: usize = 80;

/// The fault of an answer that cannot be parsed, with its beginning.
pub fn unreadable(service: &str, operation: &str, answer: &HttpResponse) -> Fault {
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").unwrap_or("no content type");
    let body = answer.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
    let class = class_of(service, "", "", Some(status));
    let message = match body.trim() {
        "" => format!("the answer (HTTP {status}, {kind}) is not one of this service: its body is empty, or broke off"),
        text => {
            format!("the answer (HTTP {status}, {kind}) is not one of this service; it begins with {}", first(text))
        }
    };
    Fault::new(class, service, operation, "UnreadableAnswer", message).next(
        "check what answers at this endpoint: AWS_ENDPOINT_URL (a gateway, a login page, another program) and the proxies of \
         HTTPS_PROXY; doctor shows the endpoint of each service",
    )
}

/// The beginning of a text, in one line.
fn first(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &line[..end]),
        None => format!("{line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::resource::FaultClass;

    fn answer(status: u16, kind: Option<&'static str>, body: &str) -> HttpResponse {
        let body = SdkBody::from(body.to_owned());
        let mut answer = HttpResponse::new(StatusCode::try_from(status).expect("a status"), body);
        if let Some(kind) = kind {
            answer.headers_mut().insert("content-type", kind);
        }
        answer
    }

    #[test]
    fn an_answer_of_another_program_is_called_that_with_its_beginning() {
        let page = "<!doctype html>\n<html><title>Log in</title>";
        let fault = unreadable("sts", "GetCallerIdentity", &answer(200, Some("text/html"), page));
        assert_eq!((fault.class, fault.code.line().as_str()), (FaultClass::Refused, "UnreadableAnswer"));
        assert_eq!(
            fault.message.line(),
            "the answer (HTTP 200, text/html) is not one of this service; it begins with \"<!doctype html> \
             <html><title>Log in</title>\""
        );
        assert!(fault.next_step.expect("a next step").line().contains("AWS_ENDPOINT_URL"));
        let empty = unreadable("s3", "ListBuckets", &answer(200, None, " \n"));
        assert!(
            empty.message.line().contains("(HTTP 200, no content type)") && empty.message.line().contains("is empty")
        );
        let long = unreadable("s3", "ListBuckets", &answer(502, None, &"x".repeat(1_000)));
        assert!(long.class == FaultClass::Retry && long.message.line().ends_with("x\"…"), "{}", long.message.line());
        assert!(long.message.line().len() < 250);
    }
}
