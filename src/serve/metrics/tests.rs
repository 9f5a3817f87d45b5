//! Counted, and written.

use super::*;

fn request<'a>(model: &'a str, code: Option<ErrorCode>) -> EndedRequest<'a> {
    let (tokenizing, waited) = (Duration::from_micros(200), Duration::from_millis(3));
    EndedRequest { model, code, texts: 3, took: Duration::from_millis(12), tokenizing, waited }
}

fn batch() -> BatchRun {
    BatchRun {
        rows: 4,
        tokens: 30,
        computed: 40,
        inference: Duration::from_millis(5),
        around: Duration::from_micros(50),
        skipped: 2,
        not_finite: 1,
        waited: Duration::ZERO,
    }
}

fn text(metrics: &Metrics) -> String {
    metrics.text(&[], TextFormat::Plain)
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
}

#[test]
fn requests_and_batches_are_counted() {
    let metrics = Metrics::new();
    metrics.asked("m", false);
    metrics.enter("m").end(&request("m", None));
    metrics.enter("m").end(&request("m", Some(ErrorCode::Overloaded)));
    drop(metrics.enter("m"));
    metrics.batch("m", &batch());
    metrics.broken("m", "as asked");
    let text = text(&metrics);
    for (status, count) in [("success", 1), ("refused", 1), ("cancelled", 1), ("error", 0), ("invalid", 0)] {
        has(&text, &format!("akidb_embed_requests_total{{model=\"m\",status=\"{status}\"}} {count}"));
    }
    has(&text, "akidb_failed_requests_total{model=\"m\",code=\"OVERLOADED\"} 1");
    has(&text, "akidb_refused_requests_total{model=\"m\",code=\"OVERLOADED\"} 1");
    has(&text, "akidb_embed_latency_seconds_bucket{le=\"0.01\",model=\"m\"} 0");
    has(&text, "akidb_embed_latency_seconds_bucket{le=\"0.02\",model=\"m\"} 1");
    has(&text, "akidb_tokens_processed_total{model=\"m\"} 30");
    has(&text, "akidb_padding_tokens_total{model=\"m\"} 10");
    has(&text, "akidb_dropped_texts_total{model=\"m\"} 2");
    has(&text, "akidb_non_finite_vectors_total{model=\"m\"} 1");
    has(&text, "akidb_failed_batches_total{model=\"m\"} 1");
    has(&text, "akidb_model_cache_misses_total{model=\"m\"} 1");
    has(&text, "akidb_requests_in_flight 0");
}

#[test]
fn a_name_that_a_client_made_up_is_no_label() {
    let metrics = Metrics::new();
    for code in [ErrorCode::InvalidRequest, ErrorCode::ModelNotFound] {
        metrics.enter("made-up").end(&request("made-up", Some(code)));
    }
    drop(metrics.enter("made-up-too"));
    let text = text(&metrics);
    assert!(!text.contains("made-up"), "{text}");
    has(&text, "akidb_embed_requests_total{model=\"unknown\",status=\"invalid\"} 2");
}

#[test]
fn the_hundred_and_first_tenant_is_one_of_the_others() {
    let metrics = Metrics::new();
    assert!(!text(&metrics).contains("akidb_tenant"));
    for number in 0..150 {
        metrics.tenant(&format!("t{number}"), 200);
    }
    metrics.tenant("t0", 429);
    let text = text(&metrics);
    has(&text, "akidb_tenant_requests_total{tenant=\"t0\",status=\"refused\"} 1");
    has(&text, "akidb_tenant_requests_total{tenant=\"t99\",status=\"success\"} 1");
    has(&text, "akidb_tenant_requests_total{tenant=\"other\",status=\"success\"} 50");
}

#[test]
fn answers_are_counted_by_route_and_status() {
    let metrics = Metrics::new();
    metrics.response("/embed", 200);
    metrics.response("/embed", 200);
    metrics.response("/embed", 429);
    metrics.response("/akidb.embedding.v1.EmbeddingService/{*rest}", counts::GRPC + 8);
    let text = text(&metrics);
    has(&text, "akidb_http_responses_total{route=\"/embed\",status=\"200\"} 2");
    has(&text, "akidb_http_responses_total{route=\"/embed\",status=\"429\"} 1");
    assert!(text.contains("status=\"grpc-8\"} 1"), "{text}");
}

#[test]
fn what_is_written_is_in_the_list_of_names() {
    let metrics = Metrics::new();
    metrics.asked("m", true);
    metrics.batch("m", &batch());
    let text = text(&metrics);
    let types: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for (name, kind) in &types {
        let known = names::ALL.iter().find(|known| known.name == *name || known.former == Some(*name));
        assert_eq!(known.map(|known| format!("{:?}", known.kind).to_lowercase()).as_deref(), Some(*kind), "{name}");
    }
}

/// The former names that have a series without a loaded model: those of families.
#[test]
fn a_renamed_metric_is_exported_under_both_names() {
    let metrics = Metrics::new();
    metrics.asked("m", true);
    metrics.enter("m").end(&request("m", Some(ErrorCode::Overloaded)));
    metrics.batch("m", &batch());
    metrics.broken("m", "as asked");
    let text = text(&metrics);
    let renamed = names::ALL.iter().filter_map(|name| Some((name, name.former?)));
    let mut met = 0;
    for (name, former) in renamed.filter(|(name, _)| ![names::SPEED, names::GATE].contains(name)) {
        let rows = |name: &str| -> Vec<String> {
            let rows =
                text.lines().filter_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(['{', '_'])));
            rows.map(str::to_owned).collect()
        };
        assert!(!rows(name.name).is_empty(), "{} in {text}", name.name);
        assert_eq!(rows(name.name), rows(former), "{former}");
        met += 1;
    }
    assert_eq!(met, 4);
}

/// Prints what counting costs. The bound is wide: it holds in a debug build on a busy machine.
#[test]
fn counting_is_cheap() {
    let metrics = Metrics::new();
    metrics.asked("m", true);
    let rounds = 20_000;
    let began = std::time::Instant::now();
    for _ in 0..rounds {
        metrics.asked("m", true);
        metrics.enter("m").end(&request("m", None));
        metrics.response("/embed", 200);
        metrics.batch("m", &batch());
    }
    let each = began.elapsed() / rounds;
    #[expect(clippy::print_stdout, reason = "a figure for whoever asked for this test")]
    {
        println!("a request that is a batch of its own: {} ns for all its metrics", each.as_nanos());
    }
    assert!(each < Duration::from_micros(200), "{each:?}");
}
