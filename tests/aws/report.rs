//! `report`: three files, nothing in them that was not measured.

use std::collections::BTreeMap;

use testkit::cli::TestAccount;

#[test]
fn three_files_that_stand_alone() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    account.run("report --out week").exits(0);
    let read = |name: &str| std::fs::read_to_string(account.path("week").join(name)).expect(name);
    let (markdown, json, html) = (read("report.md"), read("report.json"), read("report.html"));
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let criteria = document["criteria"].as_array().expect("a list");
    assert!(criteria.iter().any(|one| one["verdict"] == "not measured" && one["measured"].is_null()));
    let published = criteria.iter().find(|one| one["id"] == "day1-function-published").expect("the criterion");
    assert_eq!(published["verdict"], "met");
    assert!(markdown.contains("not measured"), "{markdown}");
    for outside in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let one = account.run("report --format json").exits(0).json();
    assert_eq!(one["schema"], "akidb-edge/report/v1");
}

#[test]
fn the_page_tells_what_the_text_tells() {
    let account = TestAccount::of(testkit::local_aws::account());
    let html = account.run("report --format html").exits(0).stdout;
    assert!(html.contains("not measured") && html.contains("Day 5"), "{html}");
    // What was not measured is folded, and each part can be reached: by its heading, and from the top.
    let unmeasured = html.matches("<summary>").count();
    assert_eq!((unmeasured, html.matches("not measured</summary>").count()), (3, 3), "{html}");
    for part in ["day-1", "day-5", "criteria-P0", "criteria-P2", "runs"] {
        assert!(html.contains(&format!("href=\"#{part}\"")) && html.contains(&format!("<h2 id=\"{part}\">")), "{part}");
    }
    assert_eq!(html.matches("<th ").count(), html.matches("<th scope=\"").count(), "each head says what it heads");
    assert_eq!(html.matches("<table").count(), html.matches("<caption>").count());
}

#[test]
fn an_empty_journal_claims_nothing() {
    let account = TestAccount::of(testkit::local_aws::account());
    let report = account.run("report --format json").exits(0).json();
    for one in report["criteria"].as_array().expect("a list") {
        assert!(one["verdict"] == "not measured" && one["measured"].is_null(), "{one}");
    }
    for step in steps(&report) {
        assert!(step["state"] != "done" && step["present"] == 0, "{step}");
    }
    assert_eq!(report["runs"], serde_json::json!([]));
    let text = account.run("report --format markdown").exits(0).stdout;
    assert!(!text.contains("0 of 0") && text.contains("Nothing was deployed yet"), "{text}");
}

#[test]
fn what_others_measured_is_shown_and_judges_nothing() {
    let account = TestAccount::of(testkit::local_aws::account());
    let file = account.path("figures.json");
    let figure = serde_json::json!({"name": "POST <from> EU", "value": 12.5, "unit": "ms", "how": "one request"});
    let figures = serde_json::json!({
        "schema": "akidb-edge/measured/v1", "title": "One machine", "where": "here", "figures": [figure],
        "skipped": [{"part": "the device", "why": "not root"}]
    });
    std::fs::write(&file, figures.to_string()).expect("a file");
    let with = format!("report --external-results {} --format", file.display());
    let html = account.run(&format!("{with} html")).exits(0).stdout;
    for said in ["Measured: One machine", "POST &lt;from&gt; EU", "12.5 ms", "Left out: the device: not root"] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(account.run(&format!("{with} markdown")).exits(0).stdout.contains("12.5 ms | one request"));
    let report = account.run(&format!("{with} json")).exits(0).json();
    assert_eq!(report["figures"]["figures"][0]["value"], 12.5);
    assert!(report["criteria"].as_array().expect("a list").iter().all(|one| one["verdict"] == "not measured"));
    std::fs::write(&file, "{}").expect("a file");
    let refused = account.run(&format!("{with} json")).exits(3);
    assert!(refused.stderr.contains("missing field `schema`") && refused.stderr.contains("next:"), "{}", refused.all());
}

#[test]
fn a_step_is_done_by_its_own_resources() {
    let account = TestAccount::new();
    account.run("deploy edge --yes").exits(0);
    let states = |account: &TestAccount| -> BTreeMap<String, String> {
        let report = account.run("report --format json").exits(0).json();
        let state = |step: &serde_json::Value| {
            (step["id"].as_str().expect("text").to_owned(), step["state"].as_str().expect("text").to_owned())
        };
        steps(&report).iter().map(state).collect()
    };
    let state = states(&account);
    let of = |step: &str| state[step].as_str();
    assert_eq!((of("edge"), of("models"), of("cutover")), ("done", "not begun", "on request only"));
    // Nothing of the devices was made: that there is nothing to see is not that it is done.
    assert_eq!((of("jetson-provision"), of("jetson-deploy")), ("not begun", "not begun"));
    assert_eq!((of("offline-models"), of("report")), ("not run (akidb-edge validate offline)", "this report"));
    assert_eq!(of("dashboard"), "on request only");
    assert_eq!(of("jetson-shutdown"), "not run (akidb-edge jetson shutdown)");
}

/// The steps of all days.
fn steps(report: &serde_json::Value) -> Vec<serde_json::Value> {
    let days = report["days"].as_array().expect("days");
    days.iter().flat_map(|day| day["steps"].as_array().expect("steps").clone()).collect()
}
