//! `route cutover --gate`: a small server stands for the distribution, which nothing resolves on the local AWS.

use testkit::cli::TestAccount;

use super::server::Server;

fn words(server: &Server, more: &str) -> String {
    format!(
        "route cutover --gate p95<500ms@all --steps 50,100 --requests 200 --rate 400 --plain-http --connect-to {} {more}",
        server.address
    )
}

#[test]
fn a_release_that_holds_goes_all_the_way_and_one_that_fails_goes_back() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    let geo = account.records("api");

    // 200 requests before the first step are fine; at 50 % every one fails.
    let failing = Server::start(|number| (if number < 200 { 200 } else { 503 }, "Miss"));
    let back = account.run(&words(&failing, "--yes")).exits(1);
    assert!(
        back.stderr.contains("the gate is missed at 50 %") && back.stderr.contains("resolves as before"),
        "{}",
        back.all()
    );
    assert_eq!(failing.requests(), 300, "a hundred requests are enough to see it");
    assert_eq!(account.records("api"), geo);
    assert!(account.records("before-cutover.api").is_empty());
    // What was led back is not asked for any more: a deploy does not finish it.
    account.run("deploy --yes").exits(0);
    assert_eq!(account.records("api"), geo);

    let broken = Server::start(|_| (503, "Miss"));
    let refused = account.run(&words(&broken, "--yes")).exits(1);
    assert!(refused.stderr.contains("nothing was changed"), "{}", refused.all());
    assert_eq!((broken.requests(), account.records("api")), (100, geo));

    let fine = Server::start(|_| (200, "Miss"));
    let document = account.run(&words(&fine, "--yes --json")).exits(0).json();
    let shares: Vec<_> =
        document["steps"].as_array().expect("steps").iter().map(|step| step["percent"].clone()).collect();
    assert_eq!(shares, [0, 50, 100]);
    assert_eq!(fine.requests(), 3 * 200);
    let cut = account.records("api");
    assert!(cut.len() == 2 && cut.iter().all(|set| set.contains("cloudfront.net")), "{cut:?}");
    assert!(account.records("before-cutover.api").is_empty());
    // Each step is a run of its own.
    let status = account.run("status").exits(0).stdout;
    for run in ["to 50 %", "to 100 %"] {
        assert!(status.contains(&format!("route cutover --gate ({run})")), "{status}");
    }
}

#[test]
fn nothing_is_sent_anywhere_before_the_words_are_right() {
    let account = TestAccount::new();
    let server = Server::start(|_| (200, "Miss"));
    for (right, wrong) in
        [("--steps 50,100", "--steps 50,10,100"), ("--steps 50,100", "--steps 50"), ("--rate 400", "--rate 0")]
    {
        account.run(&words(&server, "--yes").replace(right, wrong)).exits(3);
    }
    let elsewhere = words(&server, "--yes").replace("@all", "@eu-west-1");
    account.run(&elsewhere).exits(3);
    assert_eq!(server.requests(), 0);
}
