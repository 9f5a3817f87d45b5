//! A second run changes nothing, however the service writes what it was given.
//!
//! Plans are made from the schema by chance, deployed through a proxy that writes answers again as AWS writes them, and
//! deployed once more: no change may be shown and no changing call may be made. The plans of a run are always the same;
//! `AKIDB_EDGE_CONVERGE_CASES` says how many there are, for a longer look.

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::operators::rewrite;
use crate::operators::stack::Stack;
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

/// Plans of each kind of step.
const CASES: u32 = 6;

fn cases() -> u32 {
    std::env::var("AKIDB_EDGE_CONVERGE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(CASES)
}

/// In front of the local AWS; `wild` also turns the lists of a bucket's settings round.
fn proxy(wild: bool) -> FaultProxy {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let reads = |service: &'static str| move |call: &ProxyCall| call.service == service && !call.mutates();
    proxy.on(reads("route53"), CallSelector::Each, ProxyAction::Rewrite(rewrite::route53));
    proxy.on(reads("cloudfront"), CallSelector::Each, ProxyAction::Rewrite(rewrite::cloudfront));
    proxy.on(reads("iam"), CallSelector::Each, ProxyAction::Rewrite(rewrite::iam));
    proxy.on(reads("sqs"), CallSelector::Each, ProxyAction::Rewrite(rewrite::sqs));
    // Objects go through as they are: only settings of buckets are written again.
    let settings = |call: &ProxyCall| call.service == "s3" && call.method == "GET" && call.operation != "GetObject";
    if wild {
        proxy.on(settings, CallSelector::Each, ProxyAction::Rewrite(rewrite::s3));
    }
    proxy
}

/// Deploys a plan of these steps twice; what the second run did wrong.
fn twice(steps: &[Value], wild: bool) -> Result<(), String> {
    let (stack, proxy) = (Stack::new(), proxy(wild));
    let plan = json!({"version": 1, "stack": stack.name(), "metadata": {"name": "chance", "title": "Chance"},
        "days": [{"day": 1, "title": "d", "steps": steps}]});
    let text = serde_json::to_string_pretty(&plan).expect("JSON").replace("ACCOUNT", &stack.account);
    let file = stack.file("plan.yaml", &text).to_string_lossy().into_owned();
    let first = stack.run_at(proxy.url(), &["deploy", "--plan", &file, "--yes"]);
    if first.code != 0 {
        return Err(format!("the first run ended with {}\n{}\n{text}", first.code, first.all()));
    }
    proxy.take_calls();
    let second = stack.run_at(proxy.url(), &["deploy", "--plan", &file, "--yes"]);
    let shown = second.all().contains("no changes");
    let calls = proxy.take_mutating();
    let calls = calls.iter().filter(|call| call.service != "sts");
    let calls: Vec<String> =
        calls.map(|call| format!("{} {} {} {}", call.service, call.operation, call.method, call.path)).collect();
    if second.code != 0 || !shown || !calls.is_empty() {
        return Err(format!(
            "the second run ended with {} and called {calls:?}\n{}\n{text}",
            second.code,
            second.all()
        ));
    }
    Ok(())
}

/// Tries a strategy with the same plans in each run; the smallest plan that fails is shown.
fn tried(step: &BoxedStrategy<Vec<Value>>, wild: bool) {
    let config =
        ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 40, ..Default::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result =
        TestRunner::new_with_rng(config, rng).run(step, |steps| twice(&steps, wild).map_err(TestCaseError::fail));
    if let Err(failed) = result {
        panic!("{failed}");
    }
}

/// Every plan, and every spelling of an answer.
fn converges(step: &BoxedStrategy<Vec<Value>>) {
    tried(step, true);
}

/// Plans whose lists are in order and whose addresses are spelt as the service stores them.
fn tame_converges(step: &BoxedStrategy<Vec<Value>>) {
    let tame = step.clone().prop_map(|mut steps| {
        steps.iter_mut().for_each(tame);
        steps
    });
    tried(&tame.boxed(), false);
}

fn tame(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(tame);
            if items.iter().all(Value::is_string) {
                items.sort_by_key(|item| item.as_str().unwrap_or_default().to_owned());
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(tame),
        Value::String(text) => {
            if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
                *text = address.to_string();
            }
        }
        _ => {}
    }
}

/// A step as the plan has it.
fn step(kind: &str, with: Value) -> Value {
    json!({"id": kind, "title": kind, "kind": kind, "with": with})
}

/// An object of the settings that are there.
fn settings(all: Vec<(&str, Option<Value>)>) -> Value {
    Value::Object(all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

fn maybe<T: std::fmt::Debug + Clone + 'static>(of: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Option<T>> {
    prop::option::of(of).boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

/// Some of the words, in any order.
fn some_of(words: &'static [&'static str], least: usize) -> BoxedStrategy<Value> {
    let some = prop::sample::subsequence(words, least..=words.len());
    some.prop_shuffle().prop_map(|list| json!(list)).boxed()
}

fn whole() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn number(range: std::ops::Range<i64>) -> BoxedStrategy<Value> {
    range.prop_map(Value::from).boxed()
}

fn cors() -> BoxedStrategy<Value> {
    let rule = (
        some_of(&["https://a.example.org", "https://*.example.net", "http://localhost:8080"], 1),
        some_of(&["GET", "PUT", "HEAD", "POST", "DELETE"], 1),
        maybe(some_of(&["Range", "x-custom", "Content-Type"], 0)),
        maybe(some_of(&["ETag", "x-amz-request-id"], 0)),
        maybe(number(0..86_400)),
    );
    let rule = rule.prop_map(|(origins, methods, headers, expose, age)| {
        settings(vec![
            ("origins", Some(origins)),
            ("methods", Some(methods)),
            ("headers", headers),
            ("expose", expose),
            ("max_age_seconds", age),
        ])
    });
    prop::collection::vec(rule, 1..3).prop_map(Value::from).boxed()
}

fn lifecycle() -> BoxedStrategy<Value> {
    let rule = (one_of(&["", "logs/", "a b/"]), number(1..400), maybe(number(1..400)), maybe(number(1..30)));
    let rules = prop::collection::vec(rule, 1..3).prop_map(|rules| {
        let rule = |(at, (prefix, days, old, uploads))| {
            settings(vec![
                ("id", Some(json!(format!("Rule {at}")))),
                ("prefix", Some(prefix)),
                ("expire_days", Some(days)),
                ("expire_old_versions_days", old),
                ("abort_uploads_days", uploads),
            ])
        };
        Value::from(rules.into_iter().enumerate().map(rule).collect::<Vec<_>>())
    });
    rules.boxed()
}

fn tags() -> BoxedStrategy<Value> {
    prop::collection::btree_map("[A-Za-z][A-Za-z0-9 _.:/=+@-]{0,10}[a-z]", "[A-Za-z0-9 _.:/=+@-]{0,12}", 1..4)
        .prop_map(|tags| json!(tags))
        .boxed()
}

fn bucket(key: &'static str) -> BoxedStrategy<Value> {
    let all = (
        one_of(&["us-east-1", "eu-central-1", "ap-northeast-1"]),
        maybe(whole()),
        maybe(Just(json!("AES256"))),
        maybe(whole()),
        maybe(one_of(&["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"])),
        maybe(cors()),
        maybe(lifecycle()),
        maybe(tags()),
    );
    all.prop_map(move |(region, versioning, encryption, block, ownership, cors, lifecycle, tags)| {
        settings(vec![
            ("name", Some(json!(format!("chance-ACCOUNT-{key}")))),
            ("region", Some(region)),
            ("versioning", versioning),
            ("encryption", encryption),
            ("block_public_access", block),
            ("ownership", ownership),
            ("cors", cors),
            ("lifecycle", lifecycle),
            ("tags", tags),
        ])
    })
    .boxed()
}

/// Two buckets with any settings; perhaps the one is copied into the other.
fn models() -> BoxedStrategy<Vec<Value>> {
    let copied = (whole(), maybe(Just(json!(15))), one_of(&["", "models/"]));
    (bucket("one"), bucket("two"), maybe(copied))
        .prop_map(|(mut one, mut two, copied)| {
            let mut with = json!({});
            if let Some((markers, minutes, prefix)) = copied {
                one["versioning"] = json!(true);
                two["versioning"] = json!(true);
                let to_two = settings(vec![
                    ("from", Some(json!("one"))),
                    ("to", Some(json!("two"))),
                    ("priority", Some(json!(1))),
                    ("prefix", Some(prefix)),
                    ("delete_markers", Some(markers)),
                    ("time_control_minutes", minutes),
                ]);
                with["replication"] = json!({"to-two": to_two});
            }
            with["buckets"] = json!({"one": one, "two": two});
            vec![step("models", with)]
        })
        .boxed()
}

/// A page, and a function with its role.
fn page_and_function() -> BoxedStrategy<Vec<Value>> {
    let function = (
        one_of(&["nodejs24.x", "nodejs22.x"]),
        number(128..3_008),
        number(1..31),
        one_of(&["", "Says: hello, w\u{f6}rld"]),
        one_of(&["index.handler"]),
    );
    let cache = one_of(&["public, max-age=60", "no-cache"]);
    (bucket("page"), cache, function)
        .prop_map(|(bucket, cache, (runtime, memory, seconds, description, handler))| {
            let file = json!({"template": "browser/site.json", "content_type": "application/json",
                "cache_control": cache});
            let function = json!({"name": "chance-ACCOUNT-f", "runtime": runtime, "memory_mb": memory,
                "timeout_seconds": seconds, "description": description, "handler": handler,
                "code": {"template": "gateway"}});
            vec![
                step("page", json!({"bucket": bucket, "files": {"index.html": file}})),
                step("edge-function", json!({"functions": {"f": function}})),
            ]
        })
        .boxed()
}

/// A value of each type, in spellings that people write.
fn record() -> BoxedStrategy<(&'static str, Value)> {
    let of = |kind: &'static str, values: BoxedStrategy<Value>| values.prop_map(move |values| (kind, values)).boxed();
    prop_oneof![
        of("A", some_of(&["192.0.2.1", "192.0.2.20", "192.0.2.3"], 1)),
        of("AAAA", some_of(&["2001:DB8:0:0:0:0:0:1", "2001:db8::2", "::FFFF:1"], 1)),
        of("CNAME", some_of(&["Target.Example.ORG", "target.example.org."], 1).prop_map(|all| json!([all[0]])).boxed()),
        of("MX", some_of(&["10 mail.example.org", "20 Backup.example.org."], 1)),
        of("TXT", some_of(&["\"v=spf1 -all\"", "\"a\" \"b\"", "\"with ; and \\\\ in it\""], 1)),
        of("SRV", some_of(&["1 10 5060 sip.example.org", "2 10 5060 sip2.example.org."], 1)),
        of("CAA", some_of(&["0 issue \"amazon.com\"", "0 iodef \"mailto:a@example.org\""], 1)),
    ]
    .boxed()
}

/// How the sets of a name are chosen between.
fn policy() -> BoxedStrategy<&'static str> {
    prop::sample::select(&["simple", "weighted", "latency", "failover", "geolocation"][..]).boxed()
}

fn sets(name: &str, kind: &str, values: &Value, policy: &str, ttl: &Value) -> Vec<Value> {
    let set = |more: Value| {
        let mut one = json!({"name": name, "type": kind, "ttl": ttl, "values": values});
        one.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        one
    };
    match policy {
        "weighted" => {
            vec![set(json!({"set_identifier": "B", "weight": 0})), set(json!({"set_identifier": "a", "weight": 255}))]
        }
        "latency" => vec![
            set(json!({"set_identifier": "us", "latency_region": "us-east-1"})),
            set(json!({"set_identifier": "eu", "latency_region": "eu-central-1", "health_check": "main"})),
        ],
        "failover" => vec![
            set(json!({"set_identifier": "second", "failover": "SECONDARY"})),
            set(json!({"set_identifier": "first", "failover": "PRIMARY", "health_check": "main"})),
        ],
        "geolocation" => vec![
            set(json!({"set_identifier": "rest", "geolocation": {"country": "*"}})),
            set(json!({"set_identifier": "de", "geolocation": {"country": "DE"}})),
            set(json!({"set_identifier": "ca", "geolocation": {"country": "US", "subdivision": "CA"}})),
            set(json!({"set_identifier": "eu", "geolocation": {"continent": "EU"}})),
        ],
        _ => vec![set(json!({}))],
    }
}

const NAMES: &[&str] = &["www", "mail", "_sip._tcp", "*", "*.api", "a-b.c", "x_y"];
/// Names that Route 53 answers with escapes.
const ESCAPED: &[&str] = &["0/25", "a b", "a$b", "(x)", "b\u{fc}cher"];

/// A zone with records of every type and policy under these names.
fn routing(names: &'static [&'static str]) -> BoxedStrategy<Vec<Value>> {
    let one = (record(), policy(), number(1..86_400));
    let names = prop::sample::subsequence(names, 1..=names.len()).prop_shuffle();
    (names, prop::collection::vec(one, names_most()), one_of(&["HTTP", "HTTPS"]), number(1..11))
        .prop_map(|(names, records, protocol, threshold)| {
            let mut groups = json!({});
            for (at, (name, ((kind, values), policy, ttl))) in names.iter().zip(records).enumerate() {
                groups[format!("g{at}")] = json!(sets(name, kind, &values, policy, &ttl));
            }
            let port = if protocol == "HTTPS" { 443 } else { 80 };
            let check = json!({"host": "Health.example.org", "protocol": protocol, "port": port, "failure_threshold": threshold});
            let with = json!({"zone": {"name": "chance-ACCOUNT.example.net", "comment": "By chance"},
                "health_checks": {"main": check}, "records": groups});
            vec![step("routing", with)]
        })
        .boxed()
}

const fn names_most() -> std::ops::Range<usize> {
    7..8
}

fn choice(only: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![
        Just(json!("none")),
        Just(json!("all")),
        some_of(only, 1).prop_map(|list| json!({"only": list})),
        some_of(only, 1).prop_map(|list| json!({"all-except": list})),
    ]
    .boxed()
}

fn cache_policy() -> BoxedStrategy<Value> {
    let all = (
        some_of(&["X-Tenant", "accept-language", "Origin"], 0),
        choice(&["model", "B", "a"]),
        choice(&["session", "Lang"]),
        (number(0..10), number(10..100), number(100..1_000)),
        (whole(), whole()),
    );
    all.prop_map(|(headers, queries, cookies, (least, usual, most), (gzip, brotli))| {
        json!({"headers": headers, "query_strings": queries, "cookies": cookies, "min_ttl": least, "default_ttl": usual,
            "max_ttl": most, "gzip": gzip, "brotli": brotli, "comment": "Chance"})
    })
    .boxed()
}

fn request_policy() -> BoxedStrategy<Value> {
    let headers = prop_oneof![
        Just(json!("none")),
        Just(json!("all-viewer")),
        some_of(&["X-Tenant", "referer", "User-Agent"], 1).prop_map(|list| json!({"only": list})),
        Just(json!({"all-except": ["Host"]})),
        some_of(&["CloudFront-Viewer-Country", "CloudFront-Is-Mobile-Viewer"], 1)
            .prop_map(|list| json!({"all-viewer-and": list})),
    ];
    (headers, choice(&["z", "Y"]), choice(&["session"]))
        .prop_map(
            |(headers, queries, cookies)| json!({"headers": headers, "query_strings": queries, "cookies": cookies}),
        )
        .boxed()
}

fn response_policy() -> BoxedStrategy<Value> {
    let cors = (
        some_of(&["https://b.example.org", "https://a.example.org"], 1),
        some_of(&["PUT", "GET", "DELETE"], 1),
        some_of(&["X-Tenant", "range"], 1),
        number(0..1_000),
    );
    let cors = cors.prop_map(|(origins, methods, headers, age)| {
        json!({"origins": origins, "methods": methods, "headers": headers, "max_age_seconds": age})
    });
    let custom = some_of(&["X-Robots-Tag", "x-lower", "Server"], 0).prop_map(|names| {
        let names = names.as_array().cloned().unwrap_or_default();
        names.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), json!("some value"))).collect::<Map<_, _>>()
    });
    (maybe(cors), maybe(number(0..1_000_000)), whole(), custom)
        .prop_map(|(cors, hsts, nosniff, custom)| {
            // A policy says something.
            let silent = cors.is_none() && hsts.is_none() && custom.is_empty();
            let nosniff = if silent { json!(true) } else { nosniff };
            settings(vec![
                ("cors", cors),
                ("hsts_seconds", hsts),
                ("nosniff", Some(nosniff)),
                ("custom", Some(Value::Object(custom))),
            ])
        })
        .boxed()
}

fn behavior(path: Option<&'static str>) -> BoxedStrategy<Value> {
    let reads = Just(&["HEAD", "GET"][..]).prop_shuffle_list();
    let asks = Just(&["OPTIONS", "HEAD", "GET"][..]).prop_shuffle_list();
    let all = Just(&["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"][..]).prop_shuffle_list();
    let all = (
        one_of(&["one", "two"]),
        prop_oneof![reads, asks, all],
        one_of(&["https-only", "redirect-to-https", "allow-all"]),
        whole(),
        one_of(&["mine", "CachingDisabled", "CachingOptimized"]),
        maybe(Just(json!("mine"))),
        maybe(Just(json!("mine"))),
    );
    all.prop_map(move |(target, methods, viewer, compress, cache, request, response)| {
        settings(vec![
            ("path", path.map(Value::from)),
            ("target", Some(target)),
            ("methods", Some(methods)),
            ("viewer_protocol", Some(viewer)),
            ("compress", Some(compress)),
            ("cache_policy", Some(cache)),
            ("origin_request_policy", request),
            ("response_headers_policy", response),
        ])
    })
    .boxed()
}

/// All items, in any order.
trait Shuffled {
    fn prop_shuffle_list(self) -> BoxedStrategy<Value>;
}

impl Shuffled for Just<&'static [&'static str]> {
    fn prop_shuffle_list(self) -> BoxedStrategy<Value> {
        let all = self.0.to_vec();
        Just(all).prop_shuffle().prop_map(|list| json!(list)).boxed()
    }
}

/// A distribution with two origins, perhaps a group of them, a policy of each kind and some behaviors.
fn cdn() -> BoxedStrategy<Vec<Value>> {
    let paths: &[&'static str] = &["/v1/*", "/Images/*.jpg", "/a"];
    let behaviors: Vec<BoxedStrategy<Value>> = paths.iter().map(|path| behavior(Some(path))).collect();
    let policies = (cache_policy(), request_policy(), response_policy());
    let plain = (
        one_of(&["PriceClass_100", "PriceClass_200", "PriceClass_All"]),
        maybe(one_of(&["http1.1", "http2", "http2and3"])),
        maybe(whole()),
        maybe(one_of(&["index.html"])),
        maybe(some_of(&["503", "500", "404"], 1)),
        maybe(one_of(&["/models"])),
        maybe(number(1..60)),
    );
    (policies, plain, behavior(None), behaviors, 0..4_usize)
        .prop_map(|((cache, request, response), plain, default, mut behaviors, count)| {
            let (price, version, ipv6, root, codes, path, timeout) = plain;
            behaviors.truncate(count);
            let custom = settings(vec![
                ("http_port", Some(json!(80))),
                ("https_port", Some(json!(443))),
                ("protocol", Some(json!("https-only"))),
                ("read_timeout_seconds", timeout),
            ]);
            let origin = |host: &str, path: Option<Value>| {
                settings(vec![("domain", Some(json!(host))), ("custom", Some(custom.clone())), ("path", path)])
            };
            let codes = codes.map(|codes| {
                let numbers =
                    codes.as_array().into_iter().flatten().filter_map(|code| code.as_str()?.parse::<i64>().ok());
                json!({"pair": {"members": ["two", "one"], "status_codes": numbers.collect::<Vec<_>>()}})
            });
            let with = settings(vec![
                ("prefix", Some(json!("chance-ACCOUNT"))),
                ("comment", Some(json!("By chance"))),
                ("price_class", Some(price)),
                ("http_version", version),
                ("ipv6", ipv6),
                ("default_root_object", root),
                (
                    "origins",
                    Some(json!({"one": origin("One.example.org", path), "two": origin("two.example.org", None)})),
                ),
                ("origin_groups", codes),
                ("cache_policies", Some(json!({"mine": cache}))),
                ("origin_request_policies", Some(json!({"mine": request}))),
                ("response_headers_policies", Some(json!({"mine": response}))),
                ("default_behavior", Some(default)),
                ("behaviors", Some(Value::from(behaviors))),
            ]);
            vec![step("cdn", with)]
        })
        .boxed()
}

/// A statement of a queue's policy, in spellings that people write.
fn statement() -> BoxedStrategy<Value> {
    let who = prop_oneof![
        Just(json!("*")),
        Just(json!({"AWS": "*"})),
        Just(json!({"AWS": "ACCOUNT"})),
        Just(json!({"AWS": ["arn:aws:iam::ACCOUNT:root"]})),
        Just(json!({"Service": "events.amazonaws.com"})),
    ];
    let what = prop_oneof![
        Just(json!("sqs:SendMessage")),
        Just(json!(["sqs:SendMessage"])),
        Just(json!(["sqs:SendMessage", "sqs:ReceiveMessage"])),
    ];
    (one_of(&["Allow", "Deny"]), who, what)
        .prop_map(|(effect, who, what)| json!({"Effect": effect, "Principal": who, "Action": what, "Resource": "*"}))
        .boxed()
}

/// A queue with any settings, and one of its type for its dead letters.
fn queues() -> BoxedStrategy<Vec<Value>> {
    let times = (
        maybe(number(60..345_600)),
        maybe(number(0..43_201)),
        maybe(number(0..21)),
        maybe(number(0..901)),
        maybe(number(1_024..1_048_577)),
    );
    let keys = prop_oneof![
        Just((None::<Value>, None::<Value>)),
        any::<bool>().prop_map(|on| (Some(json!(on)), None::<Value>)),
        Just((None::<Value>, Some(json!("alias/aws/sqs")))),
    ];
    let more = (any::<bool>(), maybe(whole()), maybe(number(1..1_001)), maybe(statement()), maybe(tags()));
    (times, keys, more)
        .prop_map(|((retention, hidden, wait, delay, size), (plain, key), (fifo, content, receives, policy, tags))| {
            let name = |stem: &str| json!(format!("chance-ACCOUNT-{stem}{}", if fifo { ".fifo" } else { "" }));
            let queue = settings(vec![
                ("name", Some(name("jobs"))),
                ("region", Some(json!("eu-central-1"))),
                ("fifo", fifo.then_some(json!(true))),
                ("content_based_deduplication", content.filter(|_| fifo)),
                ("retention_seconds", retention),
                ("visibility_timeout_seconds", hidden),
                ("receive_wait_seconds", wait),
                ("delay_seconds", delay),
                ("max_message_bytes", size),
                ("dead_letter", receives.map(|count| json!({"target": "dead", "max_receives": count}))),
                ("sqs_encryption", plain),
                ("kms_key", key),
                ("policy", policy.map(|one| json!({"Version": "2012-10-17", "Statement": [one]}))),
                ("tags", tags),
            ]);
            let dead =
                json!({"name": name("dead"), "region": "eu-central-1", "fifo": fifo, "retention_seconds": 1_209_600});
            vec![step("queues", json!({"queues": {"jobs": queue, "dead": dead}}))]
        })
        .boxed()
}

#[test]
fn queues_converge() {
    converges(&queues());
}

#[test]
fn buckets_converge() {
    converges(&models());
}

#[test]
fn pages_and_functions_converge() {
    tame_converges(&page_and_function());
}

#[test]
fn records_converge() {
    converges(&routing(NAMES));
}

#[test]
fn escaped_names_converge() {
    converges(&routing(ESCAPED));
}

#[test]
fn distributions_converge() {
    converges(&cdn());
}

#[test]
fn tame_buckets_converge() {
    tame_converges(&models());
}

#[test]
fn tame_records_converge() {
    tame_converges(&routing(NAMES));
}

#[test]
fn tame_distributions_converge() {
    tame_converges(&cdn());
}
