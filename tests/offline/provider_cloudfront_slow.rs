//! What MiniStack never does: distributions that take their time, policies in use, references that are taken. A
//! server that answers as CloudFront does stands in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use akidb_edge::change::{compare, differing};
use akidb_edge::provider::aws::{AwsAccess, Clients, providers};
use akidb_edge::provider::{DeleteOutcome, Progress, Provider, ResourceContext};
use akidb_edge::resource::{
    ADDRESS_TAG, Address, Artifacts, Attributes, FaultClass, Kind, Level, Owner, STACK_TAG, token,
};
use aws_config::BehaviorVersion;
use serde_json::{Value, json};

/// Method and path of the request that it answers, status, body.
type Reply = (&'static str, u16, String);

/// Serves each reply once, to the first request that fits; tells the request lines.
fn serve(mut replies: Vec<Reply>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut head = Vec::new();
            let mut length = 0;
            for line in reader.by_ref().lines().map(|line| line.expect("a line")) {
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.parse().expect("a number");
                }
                head.push(line);
            }
            reader.take(length).read_to_end(&mut Vec::new()).expect("the body");
            let asked = head.first().cloned().unwrap_or_default();
            let at = replies.iter().position(|(line, _, _)| asked.starts_with(&format!("{line} ")));
            let (_, status, body) = at.map_or_else(|| ("", 500, String::new()), |at| replies.remove(at));
            let size = body.len();
            let answer =
                format!("HTTP/1.1 {status} x\r\nETag: E\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{body}");
            tell.send(asked.trim_end_matches(" HTTP/1.1").to_owned()).ok();
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    (url, told)
}

async fn provider(kind: Kind, replies: Vec<Reply>) -> (Arc<dyn Provider>, Receiver<String>) {
    let (url, told) = serve(replies);
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(&url)
        .region("us-east-1")
        .credentials_provider(aws_credential_types::Credentials::new("x", "x", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await;
    let access = AwsAccess { region: None, endpoint: Some(url), route53_per_second: None };
    let clients = Arc::new(Clients::with_config(sdk, &access));
    let provider = providers(&clients, &Arc::new(Artifacts::default())).of(kind).expect("a provider").clone();
    (provider, told)
}

fn spec() -> Value {
    json!({
        "comment": "edge", "enabled": true, "price_class": "PriceClass_All",
        "origins": [{"id": "o", "domain_name": "o.example.com",
                     "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}}],
        "default_behaviour": {"target": "o", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"],
                              "compress": true, "cache_policy_id": "p", "functions": []},
    })
}

fn distribution(status: &str, enabled: bool, reference: &str) -> String {
    format!(
        "<Distribution><Id>E1</Id><ARN>arn:E1</ARN><Status>{status}</Status><DomainName>d.cloudfront.net</DomainName>\
         <DistributionConfig><CallerReference>{reference}</CallerReference><Comment>edge</Comment>\
         <Enabled>{enabled}</Enabled><DefaultCacheBehavior><TargetOriginId>o</TargetOriginId>\
         <ViewerProtocolPolicy>https-only</ViewerProtocolPolicy></DefaultCacheBehavior></DistributionConfig>\
         </Distribution>"
    )
}

fn list(ids: &[&str]) -> String {
    let items: String = ids
        .iter()
        .map(|id| {
            format!(
                "<DistributionSummary><Id>{id}</Id><ARN>arn:{id}</ARN><Comment>edge</Comment></DistributionSummary>"
            )
        })
        .collect();
    format!("<DistributionList><Quantity>{}</Quantity><Items>{items}</Items></DistributionList>", ids.len())
}

fn tags(address: &Address) -> String {
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    format!("<Tags><Items>{}{}</Items></Tags>", tag(STACK_TAG, "prod"), tag(ADDRESS_TAG, address.as_str()))
}

fn refusal(code: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>because</Message></Error></ErrorResponse>")
}

const ONE: &str = "GET /2020-05-31/distribution/E1";
const LIST: &str = "GET /2020-05-31/distribution";
const CREATE: &str = "POST /2020-05-31/distribution?WithTags";
const CONFIG: &str = "PUT /2020-05-31/distribution/E1/config";
const TAGS: &str = "GET /2020-05-31/tagging?Resource=arn%3AE1";

fn address() -> Address {
    Address::new("cdn", Kind::Distribution, "one")
}

macro_rules! subject {
    ($name:ident, $spec:expr, $id:expr, $attributes:expr) => {
        let (address, spec, attributes) = (address(), $spec, Attributes::from($attributes));
        let token = token("prod", &address, 0);
        let $name = ResourceContext {
            stack: "prod",
            address: &address,
            token: &token,
            spec: &spec,
            id: $id,
            attributes: &attributes,
            before: None,
            former: None,
            thorough: false,
            seen_absent: false,
        };
    };
}

#[tokio::test]
async fn a_distribution_is_switched_off_first_and_deleted_by_a_later_call() {
    subject!(subject, spec(), Some("E1"), []);
    let (provider, told) = provider(
        Kind::Distribution,
        vec![
            (ONE, 200, distribution("Deployed", true, "x")),
            (CONFIG, 200, distribution("InProgress", false, "x")),
            (ONE, 200, distribution("InProgress", false, "x")),
            (ONE, 200, distribution("Deployed", false, "x")),
            ("DELETE /2020-05-31/distribution/E1", 204, String::new()),
            (ONE, 404, refusal("NoSuchDistribution")),
        ],
    )
    .await;
    for calls in [2, 1] {
        let gone = provider.delete(&subject).await.expect("delete");
        assert!(matches!(gone, DeleteOutcome::Deferred(_)), "{gone:?}");
        assert_eq!(told.try_iter().count(), calls);
    }
    assert_eq!(provider.delete(&subject).await.expect("delete"), DeleteOutcome::Deleted);
    assert_eq!(provider.delete(&subject).await.expect("delete"), DeleteOutcome::Deleted);
}

#[tokio::test]
async fn a_distribution_that_is_rolled_out_is_usable_but_not_propagated() {
    subject!(subject, spec(), Some("E1"), []);
    let replies = vec![(ONE, 200, distribution("InProgress", true, "x"))];
    let (provider, told) = provider(Kind::Distribution, replies).await;
    assert!(matches!(provider.settled(&subject, Level::Usable).await, Ok(Progress::Ready(_))));
    assert_eq!(told.try_iter().count(), 0);
    assert!(
        matches!(provider.settled(&subject, Level::Propagated).await, Ok(Progress::NotYet(word, _)) if word == "InProgress")
    );
}

#[tokio::test]
async fn a_reference_that_is_taken_by_us_is_our_own_lost_answer() {
    subject!(subject, spec(), None, []);
    let replies = vec![
        (CREATE, 409, refusal("DistributionAlreadyExists")),
        (LIST, 200, list(&["E1"])),
        (ONE, 200, distribution("InProgress", true, subject.token)),
        (TAGS, 200, tags(subject.address)),
    ];
    let (provider, _told) = provider(Kind::Distribution, replies).await;
    let made = provider.create(&subject).await.expect("made before");
    assert_eq!((made.id.as_str(), &made.attributes["arn"]), ("E1", &json!("arn:E1")));
}

#[tokio::test]
async fn an_alias_that_is_taken_by_another_is_refused_with_a_next_step() {
    subject!(subject, spec(), None, []);
    let replies = vec![(CREATE, 409, refusal("CNAMEAlreadyExists")), (LIST, 200, list(&[]))];
    let (provider, _told) = provider(Kind::Distribution, replies).await;
    let fault = provider.create(&subject).await.expect_err("taken");
    assert_eq!(fault.class, FaultClass::Exists);
    assert!(fault.next_step.is_some_and(|step| step.contains("--adopt cdn.distribution.one")));
}

#[tokio::test]
async fn an_earlier_generation_on_its_way_out_is_not_taken_for_the_new_one() {
    subject!(subject, spec(), None, []);
    for (enabled, is_found) in [(false, false), (true, true)] {
        let replies = vec![
            (LIST, 200, list(&["E1"])),
            (ONE, 200, distribution("InProgress", enabled, "earlier")),
            (TAGS, 200, tags(subject.address)),
        ];
        let (provider, _told) = provider(Kind::Distribution, replies).await;
        let found = provider.read(&subject).await.expect("read");
        assert_eq!(found.map(|found| found.owner), is_found.then_some(Owner::Ours));
    }
}

#[tokio::test]
async fn a_known_distribution_is_read_with_two_calls() {
    subject!(subject, spec(), Some("E1"), [("arn".to_owned(), json!("arn:E1"))]);
    let replies = vec![(ONE, 200, distribution("Deployed", true, "x")), (TAGS, 200, tags(subject.address))];
    let (provider, told) = provider(Kind::Distribution, replies).await;
    assert_eq!(provider.read(&subject).await.expect("read").expect("there").owner, Owner::Ours);
    assert_eq!(told.try_iter().count(), 2);
}

#[tokio::test]
async fn a_policy_in_use_is_left_for_later() {
    let policy = json!({"name": "n", "comment": "", "headers": "none", "query_strings": "none", "cookies": "none"});
    subject!(subject, policy, Some("P1"), []);
    let held = "<OriginRequestPolicy><Id>P1</Id><OriginRequestPolicyConfig><Name>n</Name></OriginRequestPolicyConfig>\
                </OriginRequestPolicy>";
    let replies = vec![
        ("GET /2020-05-31/origin-request-policy/P1", 200, held.to_owned()),
        ("DELETE /2020-05-31/origin-request-policy/P1", 409, refusal("OriginRequestPolicyInUse")),
    ];
    let (provider, _told) = provider(Kind::OriginRequestPolicy, replies).await;
    assert_eq!(provider.delete(&subject).await.expect("delete"), DeleteOutcome::Deferred("because".into()));
}

/// A distribution as CloudFront answers it: every default filled in, lists in an order of its own.
const AS_AWS_ANSWERS: &str = include_str!("../fixtures/cloudfront-distribution.xml");

#[tokio::test]
async fn a_fresh_distribution_as_aws_answers_it_has_nothing_to_change_and_nothing_extra() {
    let mut wanted = spec();
    wanted["aliases"] = json!(["a.example.org", "WWW.example.org"]);
    wanted["certificate"] = json!({"acm_arn": "arn:aws:acm:us-east-1:000000000000:certificate/one",
                                   "ssl_support_method": "sni-only", "minimum_protocol": "TLSv1.2_2021"});
    wanted["custom_error_responses"] = json!([{"code": 404, "page": "/404.html", "response_code": 404}, {"code": 503}]);
    wanted["geo_restriction"] = json!({"allow": ["AT", "DE"]});
    wanted["origins"] = json!([
        {"id": "b", "domain_name": "b.s3.us-east-1.amazonaws.com", "origin_access_id": "EOAC"},
        {"id": "o", "domain_name": "o.example.com", "headers": {"X-Origin-Key": "k"},
         "custom": {"http_port": 80, "https_port": 443, "protocol": "https-only"}},
    ]);
    wanted["behaviours"] = json!([{"path": "/b/*", "target": "b", "viewer_protocol": "https-only",
        "methods": ["GET", "HEAD", "OPTIONS"], "compress": true, "min_ttl": 0, "functions": [],
        "trusted_key_groups": ["K1", "K2"]}]);
    subject!(subject, wanted, Some("E1"), [("arn".to_owned(), json!("arn:E1"))]);
    let replies = vec![(ONE, 200, AS_AWS_ANSWERS.to_owned()), (TAGS, 200, tags(subject.address))];
    let (provider, _told) = provider(Kind::Distribution, replies).await;
    let found = provider.read(&subject).await.expect("read").expect("there");
    assert_eq!(compare(Kind::Distribution, subject.spec, Some(subject.spec), &found.spec), Vec::new());
    assert_eq!(found.extras, Vec::new());
}

#[tokio::test]
async fn header_names_in_another_order_and_case_are_the_same() {
    let wanted = json!({"name": "n", "comment": "", "headers": {"only": ["Access-Control-Request-Method", "Origin"]},
                        "query_strings": {"only": ["B", "a"]}, "cookies": "none"});
    subject!(subject, wanted, Some("P1"), []);
    let list = |names: &[&str]| names.iter().map(|name| format!("<Name>{name}</Name>")).collect::<String>();
    let held = format!(
        "<OriginRequestPolicy><Id>P1</Id><OriginRequestPolicyConfig><Name>n</Name><Comment>(akidb-edge prod {})</Comment>\
         <HeadersConfig><HeaderBehavior>whitelist</HeaderBehavior><Headers><Quantity>2</Quantity><Items>{}</Items>\
         </Headers></HeadersConfig><CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig>\
         <QueryStringsConfig><QueryStringBehavior>whitelist</QueryStringBehavior><QueryStrings><Quantity>2</Quantity>\
         <Items>{}</Items></QueryStrings></QueryStringsConfig></OriginRequestPolicyConfig></OriginRequestPolicy>",
        subject.address,
        list(&["origin", "access-control-request-method"]),
        list(&["a", "B"])
    );
    let replies = vec![("GET /2020-05-31/origin-request-policy/P1", 200, held)];
    let (provider, _told) = provider(Kind::OriginRequestPolicy, replies).await;
    let found = provider.read(&subject).await.expect("read").expect("there");
    assert_eq!(compare(Kind::OriginRequestPolicy, subject.spec, Some(subject.spec), &found.spec), Vec::new());
}

fn tags_of(stack: &str, address: &str) -> String {
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let theirs = tag("theirs", "1");
    format!("<Tags><Items>{}{}{theirs}</Items></Tags>", tag(STACK_TAG, stack), tag(ADDRESS_TAG, address))
}

#[tokio::test]
async fn a_move_writes_the_mark_and_nothing_else() {
    subject!(subject, spec(), Some("E1"), [("arn".to_owned(), json!("arn:E1"))]);
    let former = Address::new("cdn", Kind::Distribution, "old");
    let subject = ResourceContext { former: Some(&former), before: Some(subject.spec), ..subject };
    let answer = distribution("Deployed", true, "x").replace(
        "<DefaultCacheBehavior>",
        "<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>o.example.com</DomainName>\
         <CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort>\
         <OriginProtocolPolicy>https-only</OriginProtocolPolicy></CustomOriginConfig></Origin></Items></Origins>\
         <DefaultCacheBehavior><CachePolicyId>p</CachePolicyId><Compress>true</Compress>",
    );
    let replies = vec![
        (ONE, 200, answer),
        (TAGS, 200, tags_of("prod", former.as_str())),
        ("POST /2020-05-31/tagging?Operation=Tag&Resource=arn%3AE1", 204, String::new()),
    ];
    let (provider, told) = provider(Kind::Distribution, replies).await;
    let found = provider.read(&subject).await.expect("read").expect("there");
    let fields = differing("prod", Kind::Distribution, subject.spec, subject.before, &found);
    assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), ["tags.akidb:stack"]);
    assert_eq!(told.try_iter().count(), 2);
    provider.update(&subject, &found, &fields).await.expect("update");
    let calls: Vec<String> = told.try_iter().collect();
    assert_eq!(calls, ["POST /2020-05-31/tagging?Operation=Tag&Resource=arn%3AE1"]);
}

#[tokio::test]
async fn what_a_lost_call_made_under_a_former_address_is_taken_up() {
    subject!(subject, spec(), None, []);
    let former = Address::new("cdn", Kind::Distribution, "old");
    let subject = ResourceContext { former: Some(&former), ..subject };
    let replies = vec![
        (LIST, 200, list(&["E1"])),
        (ONE, 200, distribution("InProgress", true, "made for the former address")),
        (TAGS, 200, tags_of("prod", former.as_str())),
        ("POST /2020-05-31/tagging?Operation=Tag&Resource=arn%3AE1", 204, String::new()),
    ];
    let (provider, told) = provider(Kind::Distribution, replies).await;
    let made = provider.create(&subject).await.expect("made before");
    assert_eq!(made.id, "E1");
    assert!(told.try_iter().all(|call| !call.starts_with(CREATE)), "no second distribution");
}
