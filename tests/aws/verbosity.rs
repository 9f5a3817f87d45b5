//! What `-v`, `-vv` and `-vvv` add to what is said.

use testkit::cli::{TestAccount, finish};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction};

/// `SERVICE OPERATION SUBJECT: STATUS in N ms, N tries`.
fn is_of_a_request(line: &str) -> bool {
    let Some((about, ending)) = line.rsplit_once(": ") else { return false };
    let words: Vec<&str> = ending.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let counts = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    about.contains(' ')
        && matches!(words.as_slice(), [status, "in", took, "ms", tries, "try" | "tries"]
            if counts(status) && counts(took) && counts(tries))
}

#[test]
fn each_request_is_one_line_and_the_sdk_speaks_only_when_asked_thrice() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    proxy.on(|call| call.is("iam", "GetRole"), CallSelector::Nth(1), ProxyAction::Answer(503, String::new()));
    let run = |words: &str| finish(&mut account.planned(words)).exits(0).stderr;
    let said = run("deploy --yes -vv");
    let requests: Vec<&str> = said.lines().filter(|line| is_of_a_request(line)).collect();
    assert!(requests.len() > 80, "{said}");
    assert!(requests.iter().any(|line| line.starts_with("STS GetCallerIdentity: 200 in ")), "{said}");
    let buckets = requests.iter().filter(|line| line.starts_with("S3 CreateBucket ") && line.contains(": 200 in "));
    assert!(buckets.count() >= 1, "{said}");
    assert!(requests.iter().any(|line| line.starts_with("IAM GetRole ") && line.ends_with(", 2 tries")), "{said}");
    for library in ["DEBUG", "TRACE", "aws_smithy", "hyper"] {
        assert!(!said.contains(library), "{library}: {said}");
    }
    // The rest of what is said is as before.
    assert!(said.lines().any(|line| line.contains("] ✓ create ")), "{said}");

    let once = run("deploy --yes -v");
    assert!(!once.lines().any(is_of_a_request), "{once}");
    let thrice = run("deploy --yes -vvv");
    assert!(thrice.contains("DEBUG") && thrice.contains("STS GetCallerIdentity: 200 in "), "{thrice}");
}

#[test]
fn steps_and_kept_resources_are_named_with_one_v() {
    let account = TestAccount::new();
    finish(&mut account.planned("deploy --yes")).exits(0);
    let plain = finish(&mut account.planned("deploy --yes")).exits(0);
    assert!(!plain.stdout.contains("keep"), "{}", plain.stdout);
    assert!(plain.stderr.contains("not part of this run: on request cutover, dashboard; "), "{}", plain.stderr);
    let more = finish(&mut account.planned("deploy --yes -v")).exits(0);
    assert!(more.stdout.contains("keep    distribution.main"), "{}", more.stdout);
    assert!(more.stderr.contains("on request only: cutover (deploy --request cutover)\n"), "{}", more.stderr);
}
