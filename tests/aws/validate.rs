//! `validate`: a small server stands for what is measured; regions are those of the local AWS.

mod cutover;
mod measures;
mod server;
mod steps;

use aws_sdk_lambda::config::Region;
use serde_json::Value;
use server::Server;
use testkit::cli::TestAccount;
use testkit::local_aws;
use testkit::proxy::wait;

/// A plan of these steps (each one line of YAML) and criteria.
fn plan(account: &TestAccount, steps: &[&str], criteria: &[&str]) {
    let head =
        "version: 1\nstack: small\nmetadata: {name: small, title: Small}\ndays:\n- day: 1\n  title: d\n  steps:\n";
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    let criteria: String = criteria.iter().map(|one| format!("  - {one}\n")).collect();
    let text = format!("{head}{steps}criteria:\n  P0:\n{criteria}");
    std::fs::write(account.path("small.yaml"), text).expect("a file");
}

/// The findings of the first measurement of a document.
fn findings(document: &Value) -> Vec<&Value> {
    document["measurements"][0]["found"].as_array().expect("findings").iter().collect()
}

/// The finding of a measure.
fn finding<'d>(document: &'d Value, measure: &str, of: Option<&str>) -> &'d Value {
    let all = findings(document).into_iter();
    let mut fitting = all.filter(|found| found["measure"] == measure && found["of"].as_str() == of);
    &fitting.next().unwrap_or_else(|| panic!("{measure} of {of:?} in {document}"))["finding"]
}

#[test]
fn an_address_is_measured_and_each_verdict_has_its_exit_code() {
    let account = TestAccount::of(local_aws::account());
    let server = Server::start(|_| (200, "Hit"));
    let run = |more: &str| {
        let url = format!("http://{}/health", server.address);
        account.run_bare(&format!("validate latency --url {url} --rate 400 --json {more}"))
    };
    let good = run("--requests 400 --p95-ms 500 --junit out.xml").exits(0).json();
    let p95 = finding(&good, "latency.p95", Some("local"));
    assert_eq!((&p95["verdict"], &p95["samples"]), (&"pass".into(), &400.into()), "{good}");
    assert_eq!(server.requests(), 400);
    assert!(p95["high"].as_f64() >= p95["low"].as_f64() && p95["window"].is_object(), "{p95}");
    assert!(good["measurements"][0].get("recordings").is_none(), "histograms are not printed");
    let junit = std::fs::read_to_string(account.path("out.xml")).expect("the file");
    assert!(junit.contains("tests=\"1\" failures=\"0\" skipped=\"0\""), "{junit}");

    let bad = run("--requests 400 --p95-ms 0.001").exits(1).json();
    assert_eq!(finding(&bad, "latency.p95", Some("local"))["verdict"], "fail");

    let few = run("--requests 71 --p99-ms 500").exits(2).json();
    let p99 = finding(&few, "latency.p99", Some("local"));
    assert_eq!((&p99["verdict"], p99["value"].is_null()), (&"inconclusive".into(), true), "{p99}");
    assert!(p99["why"].as_str().is_some_and(|why| why.contains("368")), "{p99}");

    account.run_bare("validate latency --url ftp://x/ --requests 1").exits(3);
}

#[test]
fn a_report_judges_criteria_by_what_was_measured() {
    let account = TestAccount::of(local_aws::account());
    let server = Server::start(|_| (200, "Hit"));
    let host = server.address;
    let steps = [
        format!(
            "{{id: near, title: n, kind: validate, with: {{latency: {{regions: [], subject: near, requests: 300, rate: 300, \
             request: {{host: \"{host}\", path: /x}}, limits: {{p95_ms: 500}}, cache_hit_percent: 90}}}}}}"
        ),
        "{id: load, title: l, kind: validate, with: {load: {path: /x, texts: [a], connections: 4, seconds: 4, \
         requests_per_second: 10}}}"
            .to_owned(),
        "{id: late, title: e, kind: validate, with: {failover: {regions: [here], host: nobody, detection_seconds: 90, \
         record_ttl_seconds: 60}}}"
            .to_owned(),
    ];
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let criterion = |id: &str, measure: &str, of: &str| {
        format!("{{id: {id}, title: t, measure: {measure}{of}, compare: \"<\", threshold: 500000, unit: u}}")
    };
    let criteria = [
        criterion("latency", "latency.p95", ", subject: local"),
        criterion("throughput", "jetson.throughput", ""),
        criterion("client", "failover.client", ""),
    ];
    let criteria: Vec<&str> = criteria.iter().map(String::as_str).collect();
    plan(&account, &steps, &criteria);
    account.run_bare("validate latency --plan small.yaml --plain-http").exits(0);
    account.run_bare(&format!("validate load --plan small.yaml --plain-http --host {host}")).exits(0);
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    let verdict = |id: &str| {
        let all = report["criteria"].as_array().expect("criteria");
        all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id}"))["verdict"].clone()
    };
    assert_eq!([verdict("latency"), verdict("throughput"), verdict("client")], ["met", "met", "not measured"]);
    let states: Vec<&str> =
        report["days"][0]["steps"].as_array().expect("steps").iter().flat_map(|step| step["state"].as_str()).collect();
    assert_eq!(states, ["passed", "passed", "not run (akidb-edge validate failover)"]);
    let html = account.run_bare("report --plan small.yaml --format html").exits(0).stdout;
    assert!(html.contains("300 samples from this machine") && html.contains("<svg"), "{html}");
}

#[test]
fn probes_measure_from_two_regions_and_nothing_of_them_is_left() {
    let account = TestAccount::of(local_aws::account());
    let server = Server::start(|_| (200, "Miss"));
    let url = format!("http://{}/health", server.address);
    let words = format!(
        "validate latency --url {url} --requests 100 --rate 100 --p95-ms 800 --regions us-east-1,eu-central-1 --json"
    );
    account.run_bare(&words).exits(3);
    assert_eq!(server.requests(), 0, "nobody agreed");
    let document = account.run_bare(&format!("{words} --yes")).exits(0).json();
    for region in ["us-east-1", "eu-central-1"] {
        let p95 = finding(&document, "latency.p95", Some(region));
        assert_eq!((&p95["verdict"], &p95["samples"]), (&"pass".into(), &100.into()), "{document}");
        let config = aws_sdk_lambda::config::Builder::from(&account.sdk).region(Region::new(region)).build();
        let listed = wait(aws_sdk_lambda::Client::from_conf(config).list_functions().send()).expect("the list");
        assert!(listed.functions().is_empty(), "{region}");
    }
    assert_eq!(finding(&document, "latency.p95", None)["samples"], 200);
    assert_eq!(finding(&document, "latency.regions_measured", None)["value"], 2.0);
    // 20 connections of their own in each region, and the requests.
    assert_eq!(server.requests(), 2 * (20 + 100));
    let again = account.run_bare("validate clean --stack measure-probes --yes").exits(0);
    assert!(!again.all().contains("delete"), "{}", again.all());
}

#[test]
fn probes_of_an_interrupted_run_are_removed_by_clean() {
    let account = TestAccount::of(local_aws::account());
    // What a crash leaves: the probes are there, and nobody asked them.
    let server = Server::start(|_| (500, "Miss"));
    let url = format!("http://{}/health", server.address);
    let words = format!("validate latency --url {url} --requests 100 --rate 1 --p95-ms 800 --regions us-east-1 --yes");
    let mut child = account
        .command(&words)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    // The first request says that the probe is there and works.
    server.wait_for_a_request(std::time::Duration::from_secs(120));
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    // The lease of a process that is gone is taken over at once.
    account.run_bare("validate clean --stack measure-probes --yes").exits(0);
    let listed = wait(aws_sdk_lambda::Client::new(&account.sdk).list_functions().send()).expect("the list");
    assert!(listed.functions().is_empty(), "{listed:?}");
}

#[test]
fn an_outage_is_measured_while_it_happens() {
    let account = TestAccount::of(local_aws::account());
    // Some 21 requests a second: down for about three seconds from the second second on.
    let server = Server::start(|number| (if (42..110).contains(&number) { 503 } else { 200 }, "Miss"));
    let step = format!(
        "{{id: watch, title: w, kind: validate, with: {{failover: {{regions: [here], host: \"{}\", detection_seconds: 90, \
         record_ttl_seconds: 60}}}}}}",
        server.address
    );
    plan(
        &account,
        &[&step],
        &["{id: c, title: t, measure: failover.client, compare: \"<=\", threshold: 150, unit: s}"],
    );
    let words = format!(
        "validate failover --plan small.yaml --watch 9 --rate 20 --plain-http --json --origin here=http://{}/ready",
        server.address
    );
    let document = account.run_bare(&words).exits(2).json();
    let client = finding(&document, "failover.client", None);
    let seconds = client["value"].as_f64().unwrap_or_else(|| panic!("{document}"));
    assert!((1.5..6.0).contains(&seconds) && client["verdict"] == "pass", "{client}");
    assert_eq!(finding(&document, "failover.detection", None)["verdict"], "inconclusive");
    let notes = client["notes"].to_string();
    assert!(
        notes.contains("down at") && notes.contains("ready again at") && notes.contains("no health check"),
        "{notes}"
    );
    let report = account.run_bare("report --plan small.yaml --format json").exits(0).json();
    assert_eq!(report["criteria"][0]["verdict"], "met", "{report}");
}

#[test]
fn the_stack_of_week_13_is_compared_with_its_plan() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let dns = account.run("validate dns --json").exits(2).json();
    let names: Vec<(&str, &str)> = findings(&dns)
        .into_iter()
        .map(|found| {
            (
                found["finding"]["name"].as_str().expect("a name"),
                found["finding"]["verdict"].as_str().expect("a verdict"),
            )
        })
        .collect();
    for name in ["EU is routed to eu-central-1", "EU is routed elsewhere while eu-central-1 is down"] {
        assert!(names.contains(&(name, "pass")), "{names:?}");
    }
    // Before the cutover that is open, with the command that makes it: no failure, and not passed over.
    let leads = |document: &Value| finding(document, "dns.leads_to_distribution", None).clone();
    let before = leads(&dns);
    let why = before["why"].as_str().expect("a reason");
    assert!(before["verdict"] == "inconclusive" && why.contains("akidb-edge route cutover --plan "), "{before}");
    account.run("route cutover --yes").exits(0);
    assert_eq!(leads(&account.run("validate dns --json").exits(2).json())["verdict"], "pass");
    account.run("rollback --yes").exits(0);
    assert_eq!(leads(&account.run("validate dns --json").exits(2).json())["verdict"], "inconclusive");

    // A place that is not sent where the plan expects it is found.
    let turned = account.changed_plan("EU: eu-central-1", "EU: us-east-1");
    let wrong = account.run(&format!("validate dns --plan {turned} --json")).exits(1).json();
    let place = findings(&wrong).into_iter().find(|found| found["finding"]["name"] == "EU is routed to us-east-1");
    assert_eq!(place.expect("the place")["finding"]["verdict"], "fail", "{wrong}");

    let server = Server::start(|number| (200, if number < 3 { "Miss" } else { "Hit" }));
    let plan = account.changed_plan("host: api.${var.domain}", &format!("host: \"{}\"", server.address));
    let cdn = account.run(&format!("validate cdn --plan {plan} --rate 1000 --plain-http --json")).exits(2).json();
    // Nobody came yet: that is neither passed nor failed.
    assert_eq!(finding(&cdn, "cdn.viewer_hit_rate", Some("cdn.distribution.main"))["verdict"], "inconclusive");
    assert_eq!(finding(&cdn, "cdn.deployed", Some("cdn.distribution.main"))["verdict"], "pass");
    let hits = finding(&cdn, "cdn.cache_hit_rate", Some("cdn.distribution.main"));
    // Three texts fill the cache, and a thousand requests are divided among them.
    assert_eq!(
        (&hits["verdict"], &hits["value"], &hits["samples"]),
        (&"pass".into(), &1.0.into(), &1000.into()),
        "{hits}"
    );

    let list = account.run(&format!("validate checklist --plan {plan} --json")).json();
    for (measure, verdict) in [
        ("checklist.distribution", "pass"),
        ("checklist.version_of_the_function_at_the_edge", "pass"),
        ("checklist.geolocation", "pass"),
        ("checklist.cache_hit_rate", "pass"),
        ("checklist.p95_of_the_latency", "inconclusive"),
        ("checklist.nodes", "inconclusive"),
    ] {
        assert_eq!(finding(&list, measure, None)["verdict"], verdict, "{list}");
    }
}
