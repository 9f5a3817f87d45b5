//! AWS in trouble: calls that fail by chance, services that are down, throttled or late. The run heals it, or says what is
//! wrong and leaves a journal that the next run goes on from.

use std::time::{Duration, Instant};

use akidb_edge::provider::aws::{every_rule, fault_of};
use akidb_edge::resource::{Fault, FaultClass};
use testkit::cli::{CommandOutput, TestAccount, nothing, whole};
use testkit::local_aws;
use testkit::proxy::{
    CallSelector, FaultProxy, ProxyAction, ProxyCall, REFUSALS, ServiceRefusal, broken, throttled, wait,
};

fn proxied() -> (FaultProxy, TestAccount) {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = TestAccount::new().through(proxy.url());
    (proxy, account)
}

/// A fifth of all calls fails; the same seed gives each operation the same faults.
fn a_fifth_fails(seed: u64, state: Option<&str>) {
    let (proxy, account) = proxied();
    let more =
        state.map_or_else(String::new, |place| format!(" --state {}", place.replace("ACCOUNT", &account.number)));
    if state.is_some() {
        wait(account.s3().create_bucket().bucket(format!("journal{}", account.number)).send()).expect("a bucket");
    }
    let run = |words: &str| account.run(&format!("{words}{more}"));
    proxy.fail_by_chance(seed, 20);
    let output = run("deploy --yes");
    assert_eq!(output.code, 0, "deploy, {}\n{}", proxy.chance(), output.all());
    assert_eq!(account.inventory(), whole(), "{}", proxy.chance());
    proxy.reset();
    run("deploy --yes").exits(0);
    let again = proxy.take_mutating();
    let ours = |call: &&ProxyCall| !call.path.contains("/journal");
    let again: Vec<&ProxyCall> = again.iter().filter(ours).collect();
    assert!(again.is_empty(), "seed {seed}: a second deploy has nothing to do: {again:?}");
    proxy.fail_by_chance(seed + 1_000, 20);
    let output = run("destroy --empty-buckets --yes");
    assert_eq!(output.code, 0, "destroy, {}\n{}", proxy.chance(), output.all());
    assert_eq!(account.inventory(), nothing(), "{}", proxy.chance());
}

#[test]
fn a_fifth_of_all_calls_fails_1() {
    a_fifth_fails(1, None);
}

#[test]
fn a_fifth_of_all_calls_fails_2() {
    a_fifth_fails(2, None);
}

#[test]
fn a_fifth_of_all_calls_fails_with_the_journal_in_a_bucket() {
    a_fifth_fails(3, Some("s3://journalACCOUNT/state"));
}

#[test]
#[ignore = "many seeds: minutes"]
fn faults_at_length() {
    for seed in 10..22 {
        let begun = Instant::now();
        a_fifth_fails(seed, None);
        eprintln!("seed {seed}: {:.1} s", begun.elapsed().as_secs_f64());
    }
}

/// The next run, without trouble, finishes.
fn heals(account: &TestAccount, proxy: &FaultProxy) {
    proxy.reset();
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole());
}

/// One service answers every call with 503: the run ends in time, says so, and the next one finishes.
fn down(service: &'static str) {
    let (proxy, account) = proxied();
    proxy.refuse(broken(service, 503), CallSelector::Each);
    let begun = Instant::now();
    let output = account.run("deploy --yes --retry-timeout 6").exits(1);
    assert!(begun.elapsed() < Duration::from_secs(25), "{service}: {:?}", begun.elapsed());
    says_which(&output, service);
    heals(&account, &proxy);
}

fn says_which(output: &CommandOutput, service: &str) {
    let said = output.all();
    for words in [&format!("{service} "), "ServiceUnavailable", "next: ", "run the same command again"] {
        assert!(said.contains(words), "{words:?} is said\n{said}");
    }
}

#[test]
fn cloudfront_is_down() {
    down("cloudfront");
}

#[test]
fn iam_is_down() {
    down("iam");
}

/// IAM goes down after everything was read: what does not need it is made, the rest is named.
#[test]
fn iam_goes_down_during_the_run() {
    let (proxy, account) = proxied();
    proxy.on(
        |call| call.service == "iam" && call.mutates(),
        CallSelector::Each,
        ProxyAction::Refuse(broken("iam", 503)),
    );
    let begun = Instant::now();
    let output = account.run("deploy --yes --retry-timeout 6").exits(1);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    says_which(&output, "iam");
    assert!(output.all().contains("it needs "), "what waits for a role is named\n{}", output.all());
    assert_eq!(account.inventory()["roles"], 0);
    assert_eq!(account.inventory()["zones"], 1, "what needs no role is there");
    heals(&account, &proxy);
}

#[test]
fn nobody_listens_any_more() {
    let (proxy, account) = proxied();
    proxy.on(ProxyCall::mutates, CallSelector::From(12), ProxyAction::Vanish);
    let begun = Instant::now();
    let output = account.run("deploy --yes --retry-timeout 6").exits(1);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(output.all().contains("next: check AWS_ENDPOINT_URL and the network"), "{}", output.all());
    let again = account.run("deploy --yes").exits(1);
    assert!(again.all().contains("check AWS_ENDPOINT_URL and the network"), "{}", again.all());
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let account = account.through(proxy.url());
    heals(&account, &proxy);
}

/// Route 53 takes 5 requests a second. `rate` is what the tool keeps to by itself.
fn throttled_names(rate: &str) -> usize {
    let (proxy, account) = proxied();
    proxy.throttle("route53", 5.0);
    let output = testkit::cli::finish(account.planned("deploy --yes").env("AKIDB_EDGE_ROUTE53_RATE", rate)).exits(0);
    let calls = proxy.counts()["route53"];
    eprintln!("rate {rate}: {} of {calls} Route 53 calls throttled\n{}", proxy.throttled(), output.stdout);
    assert_eq!(account.inventory(), whole());
    proxy.throttled()
}

#[test]
fn route53_keeps_to_its_limit() {
    // On a busy machine calls bunch up: three of 18 were seen.
    assert!(throttled_names("5") <= 4, "the tool keeps below the limit by itself");
}

#[test]
fn route53_learns_from_throttling() {
    let turned_away = throttled_names("0");
    assert!((1..60).contains(&turned_away), "{turned_away} calls were turned away before the rate had fallen");
}

#[test]
fn a_role_that_lambda_does_not_know_yet() {
    let (proxy, account) = proxied();
    proxy.late_roles(5);
    account.run("deploy --yes").exits(0);
    let tries = proxy.take_calls().iter().filter(|call| call.is("lambda", "CreateFunction")).count();
    assert_eq!(tries, 6);
    assert_eq!(account.inventory(), whole());
}

#[test]
fn distributions_records_and_certificates_that_come_late() {
    let (proxy, account) = proxied();
    proxy.late_distributions(3);
    proxy.late_records(3);
    proxy.late_certificates(8);
    account.run("deploy --yes --wait propagated").exits(0);
    let calls = proxy.take_calls();
    let looks = |service: &str, operation: &str| calls.iter().filter(|call| call.is(service, operation)).count();
    assert!(looks("cloudfront", "GetDistribution") > 3, "it looked until it was deployed");
    assert!(looks("route53", "GetChange") > 3, "it looked until the records were everywhere");
    assert!(looks("acm", "DescribeCertificate") > 8, "it looked until the certificates were issued");
    assert_eq!(account.inventory(), whole());
}

/// A replicated function stays for a later run: exit code 2, then nothing is left.
#[test]
fn a_replicated_function() {
    let (proxy, account) = proxied();
    account.run("deploy --yes").exits(0);
    proxy.late_replicas(2);
    let output = account.run("destroy --empty-buckets --yes").exits(2);
    assert!(output.all().contains("replicated function"), "{}", output.all());
    assert_eq!(account.inventory()["functions"], 1);
    let mut runs = 1;
    while account.run("destroy --empty-buckets --yes").code == 2 {
        runs += 1;
        assert!(runs < 4, "it ends");
    }
    assert_eq!(account.inventory(), nothing());
}

/// What AWS answers to a second batch while it works on the first one.
#[test]
fn refusals_that_pass() {
    for code in ["PriorRequestNotComplete", "ConcurrentModification", "OperationAborted", "ResourceConflictException"] {
        let refusal = REFUSALS.iter().find(|refusal| refusal.code == code).expect("in the table");
        let (proxy, account) = proxied();
        proxy.refuse(*refusal, CallSelector::First(2));
        let output = account.run("deploy --yes");
        assert_eq!(output.code, 0, "{code}\n{}", output.all());
        let came = proxy.take_calls().into_iter().filter(|call| call.is(refusal.service, refusal.operation)).count();
        assert!(came > 2, "{code}: {came} calls");
    }
}

/// A final refusal fails its step at once, with the service's words.
#[test]
fn refusals_that_stay() {
    for code in ["InvalidViewerCertificate", "MalformedPolicyDocument"] {
        let refusal = REFUSALS.iter().find(|refusal| refusal.code == code).expect("in the table");
        let (proxy, account) = proxied();
        proxy.refuse(*refusal, CallSelector::Each);
        let output = account.run("deploy --yes").exits(1);
        assert!(output.all().contains(refusal.message), "{code}\n{}", output.all());
        heals(&account, &proxy);
    }
}

/// A policy in use stays for a later run.
#[test]
fn policies_in_use() {
    let (proxy, account) = proxied();
    account.run("deploy --yes").exits(0);
    for code in ["CachePolicyInUse", "OriginAccessControlInUse"] {
        let refusal = REFUSALS.iter().find(|refusal| refusal.code == code).expect("in the table");
        proxy.refuse(*refusal, CallSelector::First(1));
    }
    let output = account.run("destroy --empty-buckets --yes").exits(2);
    assert!(output.all().contains("in use"), "{}", output.all());
    account.run("destroy --empty-buckets --yes").exits(0);
    assert_eq!(account.inventory(), nothing());
}

/// The fault that the SDK makes of an answer with this error.
fn met(refusal: ServiceRefusal) -> Fault {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.on(|_| true, CallSelector::Each, ProxyAction::Refuse(refusal));
    let account = TestAccount::of("000000000001".to_owned());
    let once = aws_sdk_s3::config::retry::RetryConfig::disabled();
    let sdk = account.sdk.to_builder().endpoint_url(proxy.url()).retry_config(once).build();
    macro_rules! met {
        ($name:literal, $call:expr) => {
            fault_of($name, "Test", wait($call.send()).expect_err("an error"))
        };
    }
    let batch = aws_sdk_route53::types::ChangeBatch::builder().set_changes(Some(Vec::new())).build().expect("a batch");
    match refusal.service {
        "cloudfront" => met!("cloudfront", aws_sdk_cloudfront::Client::new(&sdk).get_distribution().id("E1")),
        "route53" => {
            met!(
                "route53",
                aws_sdk_route53::Client::new(&sdk)
                    .change_resource_record_sets()
                    .hosted_zone_id("Z1")
                    .change_batch(batch)
            )
        }
        "iam" => met!("iam", aws_sdk_iam::Client::new(&sdk).get_role().role_name("r")),
        "lambda" => met!("lambda", aws_sdk_lambda::Client::new(&sdk).get_function().function_name("f")),
        "acm" => met!("acm", aws_sdk_acm::Client::new(&sdk).describe_certificate().certificate_arn("arn:aws:acm:x")),
        "s3" => met!("s3", aws_sdk_s3::Client::new(&sdk).get_bucket_policy().bucket("b")),
        "sqs" => met!("sqs", aws_sdk_sqs::Client::new(&sdk).get_queue_url().queue_name("q")),
        "sts" => met!("sts", aws_sdk_sts::Client::new(&sdk).get_caller_identity()),
        _ => met!("elbv2", aws_sdk_elasticloadbalancingv2::Client::new(&sdk).describe_load_balancers()),
    }
}

/// The SDK repeats what may take effect twice; what makes something goes out once, and the engine decides.
#[test]
fn two_layers_do_not_multiply() {
    use akidb_edge::provider::aws::{AwsAccess, Clients};
    let proxy = FaultProxy::start(&local_aws::endpoint());
    proxy.refuse(broken("iam", 503), CallSelector::Each);
    let account = TestAccount::of("000000000002".to_owned());
    let sdk = account.sdk.to_builder().endpoint_url(proxy.url()).build();
    let clients =
        Clients::with_config(sdk, &AwsAccess { endpoint: Some(proxy.url().to_owned()), ..AwsAccess::default() });
    wait(clients.iam.get_role().role_name("r").send()).expect_err("503");
    assert_eq!(proxy.take_calls().len(), 3, "a read");
    let create = clients.iam.create_role().role_name("r").assume_role_policy_document("{}");
    wait(create.send()).expect_err("503");
    assert_eq!(proxy.take_calls().len(), 1, "what makes something");
}

const SERVICES: [&str; 9] =
    ["cloudfront", "route53", "iam", "lambda", "acm", "s3", "sqs", "sts", "elasticloadbalancing"];

/// Each row of the table of rules, as the service sends it, through the SDK.
#[test]
fn every_rule_is_met_by_its_error() {
    for rule in every_rule() {
        for service in SERVICES {
            let known_as = if service == "elasticloadbalancing" { "elbv2" } else { service };
            if rule.service != "*" && rule.service != known_as {
                continue;
            }
            let fault = met(ServiceRefusal::of(service, 400, rule.code, rule.says));
            assert!(fault.class == rule.class && fault.code == rule.code, "{rule:?} of {service}: {fault}");
        }
    }
}

/// Every service's throttling and trouble may pass; what AWS refuses for good does not.
#[test]
fn every_refusal_has_its_class() {
    for service in SERVICES {
        for refusal in [throttled(service), broken(service, 500), broken(service, 503)] {
            assert_eq!(met(refusal).class, FaultClass::Retry, "{refusal:?}");
        }
    }
    for refusal in REFUSALS {
        let fault = met(*refusal);
        let told = (fault.code.line(), fault.message.text());
        let wanted = every_rule().find(|rule| {
            (rule.service == refusal.service || rule.service == "*")
                && rule.code == refusal.code
                && refusal.message.contains(rule.says)
        });
        let by_status = if refusal.status == 404 { FaultClass::Missing } else { FaultClass::Refused };
        assert_eq!(fault.class, wanted.map_or(by_status, |rule| rule.class), "{refusal:?}");
        assert_eq!(told, (refusal.code.to_owned(), refusal.message.to_owned()), "the service's words reach the user");
    }
}
