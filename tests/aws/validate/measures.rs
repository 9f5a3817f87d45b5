//! `validate offline`, `validate cost`, and what `validate cdn` and `validate dns` read from CloudWatch and Route 53: a small server stands
//! for the models, the metrics are those of the local AWS.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use testkit::cli::{TestAccount, finish};
use testkit::local_aws;

use super::server::{Page, Server};
use super::{finding, plan};

/// The SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A server that lists a model with one file, whose hash is `sha256`.
fn models(sha256: &'static str) -> Server {
    let file = format!(r#"{{"name": "a.onnx", "bytes": 3, "sha256": "{sha256}", "url": "/files/a.onnx?sha256=x"}}"#);
    let list =
        format!(r#"{{"models": [{{"name": "m", "sha256": "{sha256}", "url": "", "bytes": 3, "files": [{file}]}}]}}"#);
    Server::of_pages(move |_, asked| match asked {
        "GET /api/v1/models/offline" => Page::of(200, &list),
        "GET /files/a.onnx?sha256=x" => Page::of(200, "abc"),
        _ => Page::of(404, "{}"),
    })
}

fn offline(account: &TestAccount, server: &Server, names: &str) -> Value {
    let host = server.address;
    let step =
        format!("{{id: models, title: m, kind: validate, with: {{offline: {{host: \"{host}\", models: [{names}]}}}}}}");
    let criterion = "{id: o, title: t, measure: offline.models_verified, compare: \">=\", threshold: 1, unit: models}";
    plan(account, &[&step], &[criterion]);
    let output = account.run_bare("validate offline --plan small.yaml --plain-http --json");
    output.json()
}

fn verified(document: &Value) -> (&Value, &Value) {
    let finding = finding(document, "offline.models_verified", None);
    (&finding["verdict"], &finding["value"])
}

#[test]
fn a_model_counts_when_each_of_its_files_has_its_hash() {
    let account = TestAccount::of(local_aws::account());
    let good = offline(&account, &models(ABC), "m");
    assert_eq!((verified(&good), &good["exit"]), ((&"pass".into(), &1.0.into()), &0.into()), "{good}");
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    assert_eq!(report["criteria"][0]["verdict"], "met", "{report}");

    let other = "0000000000000000000000000000000000000000000000000000000000000000";
    let bad = offline(&account, &models(other), "m");
    assert_eq!((verified(&bad), &bad["exit"]), ((&"fail".into(), &0.0.into()), &1.into()), "{bad}");
    assert!(
        finding(&bad, "offline.models_verified", None)["notes"].to_string().contains("its SHA-256 is ba7816bf"),
        "{bad}"
    );

    let missing = offline(&account, &models(ABC), "m, n");
    assert_eq!(verified(&missing), (&"fail".into(), &1.0.into()), "{missing}");

    // No list says nothing about the models.
    let silent = offline(&account, &Server::start(|_| (503, "Miss")), "m");
    assert_eq!((verified(&silent).0, &silent["exit"]), (&"inconclusive".into(), &2.into()), "{silent}");
}

/// Puts a value into a metric of us-east-1, so many minutes ago.
fn put(account: &TestAccount, namespace: &str, metric: &str, dimensions: &[(&str, &str)], value: f64, minutes: i64) {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    let mut body = format!(
        "Action=PutMetricData&Version=2010-08-01&Namespace={namespace}&MetricData.member.1.MetricName={metric}\
         &MetricData.member.1.Value={value}&MetricData.member.1.Timestamp={}",
        at.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    for (at, (name, value)) in dimensions.iter().enumerate() {
        let number = at + 1;
        body += &format!("&MetricData.member.1.Dimensions.member.{number}.Name={name}");
        body += &format!("&MetricData.member.1.Dimensions.member.{number}.Value={value}");
    }
    let endpoint = local_aws::endpoint();
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let scope = format!("{}/20260101/us-east-1/monitoring/aws4_request", account.number);
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nauthorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, \
         Signature=0\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&address).expect("the local AWS");
    stream.write_all(request.as_bytes()).expect("it takes the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn viewers_are_counted_in_us_east_1_and_each_rate_weighs_as_much_as_its_requests() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let server = Server::start(|_| (200, "Hit"));
    let plan = account.changed_plan("host: api.${var.domain}", &format!("host: \"{}\"", server.address));
    let words = format!("validate cdn --plan {plan} --rate 1000 --plain-http --json");
    // The account's own region is another one than that of CloudFront's metrics.
    let ask = || finish(account.planned(&words).env("AWS_REGION", "eu-west-1"));
    let of = Some("cdn.distribution.main");

    let nobody = ask().exits(2).json();
    for (measure, of) in [("cdn.viewer_hit_rate", of), ("availability.ratio", None)] {
        let found = finding(&nobody, measure, of);
        assert_eq!((&found["verdict"], &found["samples"]), (&"inconclusive".into(), &0.into()), "{found}");
    }
    let regions = finding(&nobody, "cdn.origin_regions", of);
    assert_eq!(regions["value"], 3.0, "{regions}");

    let (id, _, _) = account.distribution();
    let dimensions = [("DistributionId", id.as_str()), ("Region", "Global")];
    let viewers = |minutes: i64, requests: f64, hits: f64, errors: f64| {
        for (metric, value) in [("Requests", requests), ("CacheHitRate", hits), ("5xxErrorRate", errors)] {
            put(&account, "AWS/CloudFront", metric, &dimensions, value, minutes);
        }
    };
    // Few requests are nearly all misses, many nearly all hits: the plain mean of the rates would fail.
    viewers(30, 1_000.0, 10.0, 0.0);
    viewers(60, 999_000.0, 99.9, 0.001);
    let counted = ask().json();
    let hits = finding(&counted, "cdn.viewer_hit_rate", of);
    assert_eq!((&hits["verdict"], &hits["samples"]), (&"pass".into(), &1_000_000.into()), "{hits}");
    let available = finding(&counted, "availability.ratio", None);
    assert_eq!(available["verdict"], "pass", "{available}");
    let value = available["value"].as_f64().expect("a share");
    assert!((0.99998..=0.999_991).contains(&value), "10 of a million failed: {value}");
    let hours = |found: &Value| {
        (found["window"]["to_ms"].as_i64().zip(found["window"]["from_ms"].as_i64()))
            .map(|(to, from)| (to - from) / 3_600_000)
    };
    assert_eq!((hours(hits), hours(available)), (Some(24), Some(168)), "{counted}");

    viewers(90, 500_000.0, 99.9, 1.0);
    let failing = ask().exits(1).json();
    assert_eq!(finding(&failing, "availability.ratio", None)["verdict"], "fail", "{failing}");
}

#[test]
fn the_cost_of_the_month_is_the_bill_and_what_is_paid_elsewhere() {
    let account = TestAccount::of(local_aws::account());
    let step = "{id: cost, title: c, kind: validate, with: {cost: {usd: 3470, outside_usd: {jetson: 350}}}}";
    plan(&account, &[step], &["{id: c, title: t, measure: cost.month, compare: \"<=\", threshold: 3470, unit: USD}"]);
    let none = account.run_bare("validate cost --plan small.yaml --json").exits(2).json();
    let why = finding(&none, "cost.month", None)["why"].as_str().expect("a reason");
    assert!(why.contains("enable billing alerts"), "{why}");
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    assert_eq!(report["criteria"][0]["verdict"], "not measured", "{report}");
    assert!(report["criteria"][0]["how"].as_str().is_some_and(|how| how.contains("billing alerts")), "{report}");

    put(&account, "AWS/Billing", "EstimatedCharges", &[("Currency", "USD")], 5000.0, 0);
    let much = account.run_bare("validate cost --plan small.yaml --json").exits(1).json();
    assert_eq!(finding(&much, "cost.month", None)["verdict"], "fail", "{much}");
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    assert_eq!(report["criteria"][0]["verdict"], "missed", "{report}");
}
