//! Where a journal may be: regions, names, and what is said when it cannot be reached. Never another place for the state.

use super::ground::{Ground, STACK, runs};
use testkit::cli::{bare, finish};
use testkit::proxy::{CallSelector, ProxyAction, ProxyCall, wait};

fn of_bucket(call: &ProxyCall) -> bool {
    call.service == "s3"
}

#[test]
fn a_bucket_in_another_region_is_found() {
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region \
                     'us-east-1' is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region></Error>";
    let moved = "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed \
                 using the specified endpoint.</Message></Error>";
    let header: &[(&str, &str)] = &[("x-amz-bucket-region", "eu-central-1")];
    let answers = [
        (ProxyAction::AnswerWith(301, header, moved.to_owned()), 0),
        (ProxyAction::AnswerWith(400, &[], malformed.to_owned()), 0),
        // The answer does not say where: one more request asks.
        (ProxyAction::AnswerWith(301, &[], moved.to_owned()), 1),
    ];
    for (answer, more) in answers {
        let ground = Ground::in_region(Some("eu-central-1"));
        wait(runs(&ground, 1));
        ground.proxy.on(|call| of_bucket(call) && call.region == "us-east-1", CallSelector::Each, answer.clone());
        let head = |call: &ProxyCall| call.method == "HEAD" && call.region == "us-east-1";
        ground.proxy.on(head, CallSelector::Each, ProxyAction::AnswerWith(301, header, String::new()));
        ground.proxy.take_calls();
        let told = ground.run(&format!("status --stack {STACK}")).exits(0);
        assert!(told.stdout.contains("revision 1"), "{answer:?}: {}", told.stdout);
        let calls = ground.proxy.take_calls();
        let at_first = calls.iter().filter(|call| call.region == "us-east-1").count();
        assert_eq!(at_first, 1 + more, "{answer:?}: the right region is remembered: {calls:?}");
        assert!(calls.iter().skip(1 + more).all(|call| call.region == "eu-central-1"), "{calls:?}");
    }
}

#[test]
fn the_region_may_be_part_of_the_place() {
    let ground = Ground::in_region(Some("eu-central-1"));
    wait(runs(&ground, 1));
    ground.proxy.take_calls();
    let place = format!("{}?region=eu-central-1", ground.place());
    ground.run(&format!("status --stack {STACK} --state {place}")).exits(0);
    assert!(ground.proxy.take_calls().iter().filter(|call| of_bucket(call)).all(|call| call.region == "eu-central-1"));
    for query in ["?regoin=eu-central-1", "?region=", "?region=eu-central-1&x=y", "?region=EU"] {
        let refused = ground.run(&format!("status --stack {STACK} --state {}{query}", ground.place())).exits(3);
        assert!(refused.stderr.contains("cannot be used"), "{query}: {}", refused.stderr);
    }
    assert!(ground.proxy.take_calls().iter().all(|call| !of_bucket(call)), "no call was made");
}

#[test]
fn no_advice_forks_the_state() {
    let cases = [
        (400, "ExpiredToken", "The provided token has expired.", "log in again"),
        (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist.", "log in"),
        (403, "SignatureDoesNotMatch", "The request signature does not match.", "log in"),
        (404, "NoSuchBucket", "The specified bucket does not exist", "aws s3api create-bucket"),
        (403, "AccessDenied", "User: u is not authorized to perform: kms:Decrypt", "kms:Decrypt"),
        (403, "AccessDenied", "Access Denied", "s3:GetObject"),
        (400, "KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/k is disabled.", "enable the key"),
        (403, "InvalidObjectState", "The operation is not valid for the object's storage class", "restore-object"),
        (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the server's time is too large.",
            "clock",
        ),
    ];
    for (status, code, message, advice) in cases {
        let ground = Ground::new();
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        ground.proxy.on(of_bucket, CallSelector::Each, ProxyAction::Answer(status, body));
        let told = ground.run(&format!("status --stack {STACK}")).exits(1);
        assert!(told.stderr.contains(code) && told.stderr.contains(message), "{code}: {}", told.stderr);
        let next = told.stderr.split("next:").nth(1).expect("a next step");
        assert!(next.contains(advice), "{code}: {next}");
        assert!(!next.contains("name another") && !next.contains("another --state"), "{code}: {next}");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    let ground = Ground::new();
    let told =
        ground.run(&format!("status --stack {STACK} --state s3://nobody-{}/edge", ground.account.number)).exits(1);
    assert!(told.stderr.contains("NoSuchBucket") && told.stderr.contains("restore its bucket"), "{}", told.stderr);
}

#[test]
fn a_newer_journal_asks_for_a_newer_version_only() {
    let ground = Ground::new();
    let directory = ground.account.path("state").join(STACK);
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("journal.jsonl"), "{\"v\":99,\"seq\":1}\n").expect("a file");
    let told = ground.run(&format!("status --stack {STACK} --state file:state")).exits(1);
    assert!(
        told.stderr.contains("has format 99") && told.stderr.contains("next: update akidb-edge"),
        "{}",
        told.stderr
    );
    assert!(!told.stderr.contains("--state"), "{}", told.stderr);
}

#[test]
fn a_name_that_leads_elsewhere_is_refused_by_every_verb() {
    let ground = Ground::new();
    let verbs = [
        "status --stack",
        "status --drift --stack",
        "rollback --yes --stack",
        "destroy --yes --stack",
        "state show --stack",
        "state journal --stack",
        "state unlock --yes --stack",
        "state pull --stack",
        "jetson rollback --yes --stack",
        "jetson uninstall --yes --stack",
    ];
    let names = ["", "../../escape", "a/b", "a\u{7}b", "UPPER", ".."];
    for verb in verbs {
        for name in names {
            let mut command = bare();
            command.current_dir(ground.account.directory.path()).args(verb.split_whitespace()).arg(name);
            command.env("AWS_ENDPOINT_URL", ground.proxy.url()).env("AWS_REGION", "us-east-1");
            command.env("AWS_ACCESS_KEY_ID", &ground.account.number).env("AWS_SECRET_ACCESS_KEY", "test");
            command.args(["--state", "file:below/state"]);
            let told = finish(&mut command);
            assert_eq!(told.code, 3, "{verb} {name:?}: {}", told.all());
            assert!(told.stderr.contains("invalid stack name"), "{verb} {name:?}: {}", told.stderr);
        }
    }
    assert!(!ground.account.path("below").exists() && !ground.account.path("escape").exists());
}

#[test]
fn a_tilde_is_the_home_directory_and_an_empty_place_is_refused() {
    let ground = Ground::new();
    let home = ground.account.path("home");
    let run = |state: &str| {
        ground.run_with(&format!("status --stack {STACK} --state {state}"), &[("HOME", &home.display().to_string())])
    };
    let stack = home.join("x").join(STACK);
    std::fs::create_dir_all(&stack).expect("a directory");
    std::fs::write(stack.join("journal.jsonl"), "{\"v\":99,\"seq\":1}\n").expect("a file");
    assert!(run("file:~/x").exits(1).stderr.contains("has format 99"), "it is the one below the home directory");
    assert!(run("file:").exits(3).stderr.contains("has no directory"));
    assert!(run("file:~somebody/x").exits(3).stderr.contains("another user"));
    assert!(!ground.account.path("~").exists());
}
