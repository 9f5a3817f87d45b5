//! An error as a service says it, in the protocol of that service.

use super::message::Message;

/// An error of one operation of a service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceRefusal {
    /// The service as signatures name it.
    pub service: &'static str,
    /// The operation; empty for any.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The service's code.
    pub code: &'static str,
    /// The service's words.
    pub message: &'static str,
}

impl ServiceRefusal {
    /// An error of any operation.
    pub const fn of(service: &'static str, status: u16, code: &'static str, message: &'static str) -> Self {
        Self { service, operation: "", status, code, message }
    }

    /// The answer that carries it. `asked` is the head of the request.
    pub(super) fn answer(&self, asked: &str) -> Message {
        let Self { service, status, code, message, .. } = *self;
        let xml = ("Content-Type", "text/xml");
        let json = ("Content-Type", "application/x-amz-json-1.1");
        let text = message.replace('&', "&amp;").replace('<', "&lt;");
        match service {
            "lambda" => {
                let body = serde_json::json!({"Type": "User", "message": message}).to_string();
                Message::own(status, &[("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], &body, asked)
            }
            "eks" => {
                let body = serde_json::json!({"message": message}).to_string();
                Message::own(status, &[("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], &body, asked)
            }
            "acm" => {
                let body = serde_json::json!({"__type": code, "message": message}).to_string();
                Message::own(status, &[json], &body, asked)
            }
            // The code of the older protocol stands in a header.
            "sqs" => {
                let body = serde_json::json!({"__type": code, "message": message}).to_string();
                let older = format!("{code};Sender");
                let json = ("Content-Type", "application/x-amz-json-1.0");
                Message::own(status, &[json, ("x-amzn-query-error", &older)], &body, asked)
            }
            "s3" => {
                let body =
                    format!("<Error><Code>{code}</Code><Message>{text}</Message><RequestId>R</RequestId></Error>");
                Message::own(status, &[xml], &body, asked)
            }
            // The one error of Route 53 that lists its reasons.
            "route53" if code == "InvalidChangeBatch" => {
                let body = format!(
                    "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
                     <Messages><Message>{text}</Message></Messages><RequestId>R</RequestId></InvalidChangeBatch>"
                );
                Message::own(status, &[xml], &body, asked)
            }
            _ => {
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>\
                     <RequestId>R</RequestId></ErrorResponse>"
                );
                Message::own(status, &[xml], &body, asked)
            }
        }
    }
}

/// How each service says that it is called too often.
pub fn throttled(service: &str) -> ServiceRefusal {
    match service {
        "cloudfront" => ServiceRefusal::of("cloudfront", 400, "Throttling", "Rate exceeded"),
        "iam" => ServiceRefusal::of("iam", 400, "Throttling", "Rate exceeded"),
        "elasticloadbalancing" => ServiceRefusal::of("elasticloadbalancing", 400, "Throttling", "Rate exceeded"),
        "sts" => ServiceRefusal::of("sts", 400, "Throttling", "Rate exceeded"),
        "lambda" => ServiceRefusal::of("lambda", 429, "TooManyRequestsException", "Rate exceeded"),
        "s3" => ServiceRefusal::of("s3", 503, "SlowDown", "Please reduce your request rate."),
        "acm" => ServiceRefusal::of("acm", 400, "ThrottlingException", "Rate exceeded"),
        "sqs" => ServiceRefusal::of("sqs", 400, "RequestThrottled", "Request throttled"),
        _ => ServiceRefusal::of("route53", 400, "Throttling", "Rate exceeded"),
    }
}

/// How each service says that it failed (500) or is not there for a moment (503).
pub fn broken(service: &str, status: u16) -> ServiceRefusal {
    let (service, internal) = match service {
        "cloudfront" => ("cloudfront", "InternalFailure"),
        "iam" => ("iam", "ServiceFailure"),
        "elasticloadbalancing" => ("elasticloadbalancing", "InternalFailure"),
        "sts" => ("sts", "InternalFailure"),
        "lambda" => ("lambda", "ServiceException"),
        "s3" => ("s3", "InternalError"),
        "acm" => ("acm", "InternalFailure"),
        "sqs" => ("sqs", "InternalFailure"),
        _ => ("route53", "InternalFailure"),
    };
    if status == 503 {
        ServiceRefusal::of(service, 503, "ServiceUnavailable", "Service is unable to handle request.")
    } else {
        ServiceRefusal::of(service, status, internal, "We encountered an internal error. Please try again.")
    }
}
