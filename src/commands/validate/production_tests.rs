use serde_json::json;

use super::*;
use crate::measure::load::Timing;
use crate::measure::verdict::Verdict;

fn answer(status: u16, body: &str) -> Answer {
    let zero = Duration::ZERO;
    Ok(Exchange {
        timing: Timing { dns: None, tcp: zero, tls: None, first_byte: zero, total: zero },
        status,
        headers: Default::default(),
        trailers: None,
        body: body.to_owned().into(),
        bytes: body.len() as u64,
        remote: ([127, 0, 0, 1], 80).into(),
        wrong: None,
    })
}

fn away() -> Answer {
    Err("connection refused".to_owned())
}

#[test]
fn a_server_that_is_away_is_not_healthy_and_nothing_else_is_known() {
    assert_eq!(healthy(&away()).verdict, Verdict::Fail);
    let others = [embedded(&away(), Some(3), None), listing(&away()), counted(&away()), on_gpu(&away(), None)];
    assert!(others.iter().all(|one| one.verdict == Verdict::Inconclusive && one.why == "connection refused"));
    assert_eq!(cached(&away()).verdict, Verdict::Inconclusive);
}

#[test]
fn health_is_a_word_and_a_status() {
    let of = |status, body| healthy(&answer(status, body)).verdict;
    assert_eq!(of(200, r#"{"status":"healthy"}"#), Verdict::Pass);
    assert_eq!(of(200, r#"{"status":"degraded"}"#), Verdict::Fail);
    assert_eq!(of(503, r#"{"status":"healthy"}"#), Verdict::Fail);
    assert_eq!(of(200, "<html>"), Verdict::Fail);
}

#[test]
fn a_vector_has_the_numbers_of_the_check_or_of_the_listed_model() {
    let good = answer(200, r#"{"embeddings":[[0.1,0.2,0.3]]}"#);
    assert_eq!(embedded(&good, Some(3), None).verdict, Verdict::Pass);
    assert_eq!(embedded(&good, Some(4096), Some(&json!({"dimension": 3}))).verdict, Verdict::Fail);
    assert_eq!(embedded(&good, None, Some(&json!({"dimension": 3}))).verdict, Verdict::Pass);
    assert_eq!(embedded(&good, None, None).verdict, Verdict::Inconclusive);
    assert_eq!(embedded(&answer(500, "{}"), Some(3), None).verdict, Verdict::Fail);
}

#[test]
fn the_model_is_the_named_one_or_the_default() {
    let list = json!({"models": [{"name": "a"}, {"name": "b", "default": true, "aliases": ["c"]}]});
    let name = |wanted| listed(&list, wanted).map(|model| model["name"].clone());
    assert_eq!(name(None), Some("b".into()));
    assert_eq!((name(Some("c")), name(Some("d"))), (Some("b".into()), None));
    let listing = |body: &str| super::listing(&answer(200, body)).verdict;
    assert_eq!(listing(r#"{"models":[{}]}"#), Verdict::Pass);
    assert_eq!([listing(r#"{"models":[]}"#), listing("{}")], [Verdict::Fail, Verdict::Fail]);
}

#[test]
fn a_gpu_that_the_model_does_not_use_is_not_enough() {
    let models = answer(200, "{}");
    let on = |provider: &str| on_gpu(&models, Some(&json!({"execution_provider": provider}))).verdict;
    assert_eq!(["cuda", "tensorrt fp16", "cpu"].map(on), [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    assert_eq!(on_gpu(&models, Some(&json!({}))).verdict, Verdict::Inconclusive);
}

#[test]
fn a_metric_is_summed_over_its_labels() {
    let text = "# HELP akidb_embed_requests_total x\nakidb_embed_requests_total{model=\"a}\",status=\"success\"} 3\n\
                akidb_embed_requests_total{model=\"b\",status=\"success\"} 4\nakidb_embed_requests_totals 9\nplain 2 17\n";
    assert_eq!(metric(text.as_bytes(), REQUESTS), Some(7.0));
    assert_eq!((metric(text.as_bytes(), "plain"), metric(text.as_bytes(), "akidb")), (Some(2.0), None));
    assert_eq!(counted(&answer(200, text)).verdict, Verdict::Pass);
    assert_eq!(counted(&answer(200, "")).verdict, Verdict::Fail);
}

#[test]
fn an_engine_that_was_built_just_now_is_no_failure() {
    let of = |text: String| cached(&answer(200, &text));
    assert_eq!(of(format!("{CACHED} 2\n{BUILT} 0\n")).verdict, Verdict::Pass);
    let first = of(format!("{CACHED} 0\n{BUILT} 2\n"));
    assert_eq!(first.verdict, Verdict::Inconclusive);
    assert!(first.why.starts_with("2 built"), "{}", first.why);
    assert!(of(String::new()).why.contains("--engine-cache"));
}

#[test]
fn an_address_with_a_path_is_no_server() {
    assert_eq!(host("http://127.0.0.1:8080/").ok().as_deref(), Some("127.0.0.1:8080"));
    for bad in ["127.0.0.1:8080", "ftp://h", "http://h/health", "http://u@h", "http://h/?x"] {
        assert!(host(bad).is_err(), "{bad}");
    }
}
