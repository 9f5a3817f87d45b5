//! Events as CloudFront sends them to a function at origin-request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What a caller asks.
pub struct Question<'a> {
    /// The texts.
    pub texts: &'a [String],
    /// The tier, where one is asked for.
    pub tier: Option<&'a str>,
    /// By GET, whose answer is cached.
    pub reads: bool,
}

/// The event of a question to `/api/v1/embed`.
pub fn of(question: &Question<'_>) -> Value {
    let mut request = json!({
        "clientIp": "203.0.113.178",
        "method": if question.reads { "GET" } else { "POST" },
        "uri": "/api/v1/embed",
        "querystring": "",
        "headers": {"host": [{"key": "Host", "value": "origin.example.com"}],
                    "user-agent": [{"key": "User-Agent", "value": "Amazon CloudFront"}]},
        "origin": {"custom": {"customHeaders": {}, "domainName": "origin.example.com", "keepaliveTimeout": 5, "path": "",
                              "port": 443, "protocol": "https", "readTimeout": 30, "sslProtocols": ["TLSv1.2"]}},
    });
    if question.reads {
        request["querystring"] = query(question).into();
    } else {
        let mut body = json!({"inputs": question.texts});
        if let Some(tier) = question.tier {
            body["tier"] = tier.into();
        }
        let data = STANDARD.encode(body.to_string());
        request["headers"]["content-type"] = json!([{"key": "Content-Type", "value": "application/json"}]);
        request["body"] = json!({"inputTruncated": false, "action": "read-only", "encoding": "base64", "data": data});
    }
    json!({"Records": [{"cf": {
        "config": {"distributionDomainName": "d111111abcdef8.cloudfront.net", "distributionId": "EDFDVBD6EXAMPLE",
                   "eventType": "origin-request", "requestId": "edge-invoke"},
        "request": request,
    }}]})
}

fn query(question: &Question<'_>) -> String {
    let texts = question.texts.iter().map(|text| format!("input={}", escaped(text)));
    texts.chain(question.tier.map(|tier| format!("tier={tier}"))).collect::<Vec<String>>().join("&")
}

/// Everything but letters and digits, as two hexadecimal digits behind a percent sign.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_body_or_a_query() {
        let texts = ["grüße & more".to_owned(), "b".to_owned()];
        let request =
            |reads| of(&Question { texts: &texts, tier: Some("any"), reads })["Records"][0]["cf"]["request"].take();
        let posted = request(false);
        let data = STANDARD.decode(posted["body"]["data"].as_str().expect("a text")).expect("base64");
        assert_eq!(serde_json::from_slice::<Value>(&data).expect("JSON"), json!({"inputs": texts, "tier": "any"}));
        let read = request(true);
        assert_eq!(read["querystring"], "input=gr%C3%BC%C3%9Fe%20%26%20more&input=b&tier=any");
        assert!(read.get("body").is_none());
    }
}
