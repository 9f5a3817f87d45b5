//! Metrics of a running server, and what dashboards and alerts ask for: every expression parses and names what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use akidb_edge::serve::metrics::names::{self, MetricKind, MetricName};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};
use testkit::serve::{Server, tiny};

/// What Prometheus itself knows of a target.
const OF_PROMETHEUS: &str = "up";

fn template(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/observability").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// Where an expression stands, and the expression.
type Asked = (String, String);

fn list<'a>(node: &Yaml<'a>, key: &str) -> Vec<Yaml<'a>> {
    node.as_mapping_get(key).and_then(|list| list.as_sequence().cloned()).unwrap()
}

fn rules(file: &str) -> (Vec<Asked>, BTreeSet<String>) {
    let text = template(file);
    let documents = Yaml::load_from_str(&text).unwrap();
    let (mut asked, mut recorded) = (Vec::new(), BTreeSet::new());
    for group in list(&documents[0], "groups") {
        for rule in list(&group, "rules") {
            let field = |key: &str| rule.as_mapping_get(key).and_then(|value| value.as_str().map(str::to_owned));
            let name = field("alert").or(field("record")).expect("a rule has a name");
            recorded.extend(field("record"));
            if field("alert").is_some() {
                let within = |key: &str, name: &str| {
                    rule.as_mapping_get(key)
                        .and_then(|all| all.as_mapping_get(name))
                        .and_then(|text| text.as_str().map(str::to_owned))
                };
                let severity = within("labels", "severity").unwrap_or_default();
                assert!(["info", "warning", "critical"].contains(&severity.as_str()), "{name}: {severity}");
                for key in ["summary", "next_step"] {
                    assert!(within("annotations", key).is_some(), "{name} has no {key}");
                }
            }
            asked.push((format!("{file}: {name}"), field("expr").expect("a rule has an expression")));
        }
    }
    (asked, recorded)
}

fn panels() -> Vec<Asked> {
    let dashboard: Value = serde_json::from_str(&template("grafana/akidb-edge.json")).unwrap();
    let mut asked = Vec::new();
    let mut places = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(places.insert(panel["gridPos"].to_string()), "{title} lies on another panel");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            asked.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["definition"].as_str() {
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.split_once(", ")).expect(query).0;
            asked.push((format!("variable {}", variable["name"]), inner.to_owned()));
        }
    }
    asked
}

/// What Grafana puts in before it asks.
fn filled(expression: &str) -> String {
    let with = [("$__rate_interval", "1m"), ("$job", ".*"), ("$instance", ".*"), ("$model", ".*")];
    with.into_iter().fold(expression.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

/// A word of PromQL.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Number,
    Text,
    /// `[5m]`.
    Range,
    Sign(char),
}

/// Splits an expression into words.
fn words(expression: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
                (Word::Name(rest[..end].to_owned()), end)
            }
            '0'..='9' => (Word::Number, rest.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(rest.len())),
            '"' => (Word::Text, rest[1..].find('"').ok_or("a text without an end")? + 2),
            '[' => {
                let end = rest.find(']').ok_or("a range without an end")?;
                let time =
                    rest[1..end].strip_suffix(['s', 'm', 'h']).is_some_and(|number| number.parse::<u32>().is_ok());
                (time.then_some(Word::Range).ok_or_else(|| format!("{} is not a range", &rest[..=end]))?, end + 1)
            }
            sign if "(){},=~!<>+-*/".contains(sign) => (Word::Sign(sign), 1),
            other => return Err(format!("{other} has no meaning")),
        };
        words.push(word);
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

/// A name with the labels that it is selected by, and whether a range stands behind it.
#[derive(Debug)]
struct Selector {
    name: String,
    labels: Vec<String>,
    range: bool,
    /// The functions around it, the nearest last.
    within: Vec<String>,
}

const AGGREGATES: &[&str] = &["sum", "min", "max", "avg", "count"];
const OVER_RANGES: &[&str] = &["rate", "increase"];
const FUNCTIONS: &[&str] = &["histogram_quantile", "time"];

/// The selectors of an expression; wrong is what Prometheus would not take, or would answer with nonsense: brackets that do
/// not match, an unknown function, a rate without a range or of what is not a counter, a quantile of what are not buckets.
fn selectors(expression: &str) -> Result<Vec<Selector>, String> {
    let words = words(expression)?;
    let (mut open, mut found): (Vec<String>, Vec<Selector>) = Default::default();
    let mut at = 0;
    while at < words.len() {
        let next = words.get(at + 1);
        match &words[at] {
            Word::Name(word) if matches!(word.as_str(), "by" | "on" | "and") => {
                if word != "and" {
                    at += words[at..].iter().position(|word| *word == Word::Sign(')')).ok_or("by without its list")?;
                }
            }
            Word::Name(word) if AGGREGATES.contains(&word.as_str()) || next == Some(&Word::Sign('(')) => {
                let known = [AGGREGATES, OVER_RANGES, FUNCTIONS].iter().any(|all| all.contains(&word.as_str()));
                if !known {
                    return Err(format!("there is no function {word}"));
                }
                // The list of `by` may stand between the function and its bracket.
                if next != Some(&Word::Sign('(')) {
                    at += words[at..].iter().position(|word| *word == Word::Sign(')')).ok_or("by without its list")?;
                }
                at += 1;
                if words.get(at) != Some(&Word::Sign('(')) {
                    return Err(format!("{word} of nothing"));
                }
                open.push(word.clone());
            }
            Word::Name(word) => {
                let mut selector =
                    Selector { name: word.clone(), labels: Vec::new(), range: false, within: open.clone() };
                if next == Some(&Word::Sign('{')) {
                    let end =
                        words[at..].iter().position(|word| *word == Word::Sign('}')).ok_or("{ without its end")?;
                    let names = words[at + 1..at + end].iter();
                    selector.labels.extend(names.filter_map(|word| match word {
                        Word::Name(label) => Some(label.clone()),
                        _ => None,
                    }));
                    at += end;
                }
                if words.get(at + 1) == Some(&Word::Range) {
                    selector.range = true;
                    at += 1;
                }
                found.push(selector);
            }
            Word::Sign('(') => open.push(String::new()),
            Word::Sign(')') => drop(open.pop().ok_or("a bracket too many")?),
            Word::Range => return Err("a range of nothing".to_owned()),
            Word::Number | Word::Text | Word::Sign(_) => {}
        }
        at += 1;
    }
    if !open.is_empty() {
        return Err("a bracket is missing".to_owned());
    }
    for selector in &found {
        check(selector, expression)?;
    }
    Ok(found)
}

fn check(selector: &Selector, expression: &str) -> Result<(), String> {
    let Selector { name, range, within, .. } = selector;
    let over_range = within.last().is_some_and(|word| OVER_RANGES.contains(&word.as_str()));
    if over_range != *range {
        return Err(format!("{name}: a range belongs into rate or increase, and the other way round"));
    }
    let cumulative = ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end));
    if over_range && !cumulative || cumulative && !over_range {
        return Err(format!("{name}: a rate of what only goes up, and nothing else of it"));
    }
    let quantile = within.iter().any(|word| word == "histogram_quantile");
    if quantile != name.ends_with("_bucket") {
        return Err(format!("{name}: a quantile is made of buckets"));
    }
    let summed = within.iter().any(|word| word == "sum") && (expression.contains("le)") || expression.contains("le,"));
    if quantile && !summed {
        return Err(format!("{name}: buckets are summed by le"));
    }
    Ok(())
}

#[test]
fn wrong_expressions_are_found() {
    for good in [
        "histogram_quantile(0.95, sum by (model, le) (rate(a_bucket{x=\"1\"}[5m]))) > 0.030",
        "sum(rate(a_total[1m])) / (sum(rate(a_total[1m])) + sum(rate(b_total[1m])))",
        "a:b_c < 50 and on (job, model) d{e=~\"x|y\"} > 0",
        "time() - started",
    ] {
        selectors(good).unwrap_or_else(|why| panic!("{good}: {why}"));
    }
    for bad in [
        "histogram_quantile(0.95, a_seconds)",
        "histogram_quantile(0.95, rate(a_bucket[5m]))",
        "histogram_quantile(0.95, sum by (le) (a_bucket))",
        "rate(a_total)",
        "rate(a_gauge[5m])",
        "a_total > 5",
        "rats(a_total[5m])",
        "sum(rate(a_total[5m])",
        "sum(rate(a_total[5m])))",
        "rate(a_total[five])",
        "a{b=\"c}",
    ] {
        assert!(selectors(bad).is_err(), "{bad}");
    }
}

/// The series of a metric.
fn series(name: &MetricName) -> Vec<String> {
    match name.kind {
        MetricKind::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", name.name)).to_vec(),
        _ => vec![name.name.to_owned()],
    }
}

/// Names of series and their labels in an exposition.
fn exported(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (head, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
        let keys =
            labels.trim_end_matches('}').split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        all.entry(name.to_owned()).or_default().extend(keys);
    }
    all
}

fn asked_server() -> Server {
    let server = Server::start(&mut tiny());
    let body = json!({"inputs": ["one text", "another text that is longer"]});
    assert_eq!(server.post("/api/v1/embed", &body).0, 200);
    assert_eq!(server.post("/api/v1/embed", &json!({"inputs": "x", "model": "made-up"})).0, 404);
    assert_eq!(server.post("/api/v1/embed", &json!({"inputs": 1})).0, 400);
    assert_eq!(server.get("/no/such/path/at/all").0, 404);
    server
}

#[test]
fn a_running_server_exports_what_the_list_says() {
    let server = asked_server();
    let answer = server.request("GET", "/metrics", &[], b"");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let real = exported(&text);
    for name in names::ALL.iter().filter(|name| !names::is_optional(name)) {
        for series in series(name) {
            assert!(real.contains_key(&series), "{series} is not exported:\n{text}");
        }
    }
    let former: Vec<names::MetricName> = names::ALL.iter().filter_map(names::MetricName::as_former).collect();
    let known: BTreeSet<String> = names::ALL.iter().chain(&former).flat_map(series).collect();
    let others: Vec<&String> = real.keys().filter(|name| !known.contains(*name)).collect();
    assert!(others.is_empty(), "not in the list: {others:?}");
    // No GPU runs here, and nobody invents one.
    assert!(!text.contains("akidb_gpu_") && !text.contains("tensorrt"), "{text}");
    for line in [
        "akidb_embed_requests_total{model=\"tiny\",status=\"success\"} 1",
        "akidb_embed_requests_total{model=\"unknown\",status=\"invalid\"} 1",
        "akidb_failed_requests_total{model=\"unknown\",code=\"MODEL_NOT_FOUND\"} 1",
        "akidb_request_texts_sum{model=\"tiny\"} 2.0",
        "akidb_http_responses_total{route=\"/api/v1/embed\",status=\"200\"} 1",
        "akidb_http_responses_total{route=\"none\",status=\"404\"} 1",
        "akidb_model_cache_size 1.0",
        "akidb_ready 1.0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("made-up"), "{text}");
}

#[test]
fn prometheus_gets_openmetrics() {
    let server = asked_server();
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let answer = server.request("GET", "/metrics", &[("accept", accept)], b"");
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    assert!(text.contains("# TYPE akidb_embed_requests counter\n"), "{text}");
    // A family appears once, in one piece.
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    assert_eq!(types.iter().collect::<BTreeSet<_>>().len(), types.len());
}

#[test]
fn every_expression_names_what_exists() {
    let server = asked_server();
    let real = exported(&server.get("/metrics").1);
    let optional: BTreeSet<String> =
        names::ALL.iter().filter(|name| names::is_optional(name)).flat_map(series).collect();
    let (mut asked, mut recorded) = rules("recording.yml");
    let (alerts, others) = rules("alerts.yml");
    assert!(alerts.len() >= 10 && others.is_empty());
    asked.extend(alerts);
    asked.extend(panels());
    recorded.insert(OF_PROMETHEUS.to_owned());
    assert!(asked.len() > 60, "{}", asked.len());
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (place, expression) in &asked {
        let found = match selectors(&filled(expression)) {
            Ok(found) => found,
            Err(why) => {
                wrong.push(format!("{place}: {expression}: {why}"));
                continue;
            }
        };
        assert!(!found.is_empty(), "{place} asks for nothing");
        for Selector { name, labels, .. } in found {
            used.insert(name.clone());
            let targets = ["job", "instance"];
            match real.get(&name) {
                Some(known) => wrong.extend(
                    labels
                        .into_iter()
                        .filter(|label| !known.contains(label) && !targets.contains(&label.as_str()))
                        .map(|label| format!("{place}: {name} has no label {label}")),
                ),
                None if optional.contains(&name) || recorded.contains(&name) => {}
                None => wrong.push(format!("{place}: there is no {name}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is exported is looked at somewhere.
    let unused = names::ALL.iter().filter(|name| !series(name).iter().any(|series| used.contains(series)));
    assert_eq!(unused.map(|name| name.name).collect::<Vec<_>>(), Vec::<&str>::new(), "nobody looks at these");
}

#[test]
fn the_scrape_configuration_names_the_rules() {
    let text = template("prometheus.yml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let files = documents[0].as_mapping_get("rule_files").and_then(|list| list.as_sequence()).unwrap();
    for file in files {
        template(file.as_str().unwrap());
    }
    assert_eq!(files.len(), 3);
}
