//! An EKS cluster: DescribeCluster at the local AWS, a presigned token, and a real API server behind an endpoint that checks the
//! token as EKS does (`crates/testkit/src/eks`). The local AWS knows EKS clusters, but describes them with an endpoint at which
//! nothing listens and without an authority: where a cluster is to be reached, a recorded answer to exactly that call stands in
//! front of it. STS is the local AWS; the signature, which it does not check, is worked out anew by the endpoint.

mod holds;

use std::sync::Arc;
use std::time::Duration;

use akidb_edge::provider::aws::{AwsAccess, Clients, eks_access};
use akidb_edge::provider::{ClusterAccess, Credentials, Login};
use akidb_edge::resource::{Fault, FaultClass};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use testkit::cli::{CommandOutput, TestAccount, finish};
use testkit::control_plane::ControlPlane;
use testkit::eks::{Authenticator, EksEndpoint, get};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ServiceRefusal, wait};

const CLUSTER: &str = "akidb-eu";
const REGION: &str = "eu-central-1";
const PREFIX: &str = "k8s-aws-v1.";

/// An account and a proxy in front of the local AWS.
struct Aws {
    account: TestAccount,
    proxy: FaultProxy,
}

impl Aws {
    fn new() -> Self {
        let proxy = FaultProxy::start(&local_aws::endpoint());
        let account = TestAccount::of(local_aws::account()).through(proxy.url());
        Self { account, proxy }
    }

    /// The principal that the local AWS makes of an access key ID of twelve digits.
    fn caller(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account.number)
    }

    fn described(&self, answer: &Value) {
        let is = |call: &testkit::proxy::ProxyCall| call.is("eks", "DescribeCluster");
        self.proxy.on(is, CallSelector::Each, ProxyAction::Answer(200, answer.to_string()));
    }

    fn refuse(&self, status: u16, code: &'static str, message: &'static str) {
        let refusal =
            ServiceRefusal { operation: "DescribeCluster", ..ServiceRefusal::of("eks", status, code, message) };
        self.proxy.refuse(refusal, CallSelector::Each);
    }

    fn access(&self, cluster: &str) -> Arc<dyn ClusterAccess> {
        let keys = aws_credential_types::Credentials::new(&self.account.number, "test", None, None, "test");
        let keys = aws_credential_types::provider::SharedCredentialsProvider::new(keys);
        let sdk = self.account.sdk.to_builder().endpoint_url(self.proxy.url()).credentials_provider(keys).build();
        let clients = Clients::with_config(sdk, &AwsAccess::default());
        eks_access(&clients, cluster, REGION)
    }

    #[track_caller]
    fn fault(&self, cluster: &str) -> Fault {
        wait(self.access(cluster).credentials()).err().expect("a fault")
    }
}

/// What EKS answers, by the example of `DescribeCluster` in its API reference.
fn description(status: &str, endpoint: &str, authority: &str) -> Value {
    json!({"cluster": {
        "name": CLUSTER, "arn": format!("arn:aws:eks:{REGION}:012345678910:cluster/{CLUSTER}"), "createdAt": 1_527_807_879.988,
        "version": "1.36", "endpoint": endpoint, "roleArn": "arn:aws:iam::012345678910:role/eks-service-role", "status": status,
        "resourcesVpcConfig": {"subnetIds": ["subnet-6782e71e"], "securityGroupIds": [], "vpcId": "vpc-950809ec",
                               "endpointPublicAccess": true, "endpointPrivateAccess": false},
        "certificateAuthority": {"data": BASE64_STANDARD.encode(authority)}, "platformVersion": "eks.1", "tags": {},
        "accessConfig": {"authenticationMode": "API"},
    }})
}

/// A cluster that is described and reached; none without a control plane.
struct World {
    aws: Aws,
    api: Arc<ControlPlane>,
    endpoint: EksEndpoint,
}

impl World {
    fn up(entry: bool) -> Option<Self> {
        let api = ControlPlane::shared()?;
        let aws = Aws::new();
        let check = Authenticator {
            cluster: CLUSTER.to_owned(),
            sts: aws.proxy.url().to_owned(),
            secret: "test".to_owned(),
            entries: if entry { vec![aws.caller()] } else { Vec::new() },
        };
        let endpoint = EksEndpoint::start(check, &api);
        aws.described(&description("ACTIVE", &endpoint.url, &endpoint.authority));
        Some(Self { aws, api, endpoint })
    }

    fn credentials(&self, cluster: &str) -> Credentials {
        wait(self.aws.access(cluster).credentials()).expect("credentials").expect("a cluster")
    }

    /// The status of a GET with a token, and what the endpoint said of the caller.
    #[track_caller]
    fn status(&self, token: &str, path: &str) -> (u16, Result<String, String>) {
        let (status, _) =
            wait(get(&self.endpoint.url, self.endpoint.authority.as_bytes(), token, path)).expect("an answer");
        let seen = self.endpoint.take().pop().expect("a request");
        (status, seen.caller)
    }
}

fn token_of(credentials: &Credentials) -> &str {
    match &credentials.login {
        Login::Token { token, .. } => token,
        Login::Certificate { .. } => panic!("EKS knows callers by a token"),
    }
}

#[test]
fn a_token_opens_its_cluster() {
    let _turn = crate::turn();
    let Some(world) = World::up(true) else { return };
    let credentials = world.credentials(CLUSTER);
    assert_eq!(credentials.server, world.endpoint.url);
    assert_eq!(credentials.authority, world.endpoint.authority.as_bytes());
    let Login::Token { token, lasts } = &credentials.login else { panic!("EKS knows callers by a token") };
    assert_eq!(*lasts, Duration::from_mins(14));
    let (status, body) =
        wait(get(&credentials.server, &credentials.authority, token, "/api/v1/namespaces/kube-system"))
            .expect("an answer");
    let object: Value = serde_json::from_str(&body).expect("JSON");
    assert!(status == 200 && object["kind"] == "Namespace", "{status}: {body}");
    let seen = world.endpoint.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].caller, Ok(world.aws.caller()));
    assert_eq!(world.aws.proxy.counts().get("eks"), Some(&1));
    // Asked for again when it runs out: it is good, too.
    let renewed = world.credentials(CLUSTER);
    assert_eq!(world.status(token_of(&renewed), "/version").0, 200);
}

#[test]
fn a_token_opens_no_other_cluster_and_nothing_without_an_access_entry() {
    let _turn = crate::turn();
    let Some(world) = World::up(false) else { return };
    let other = world.credentials("akidb-us");
    let mismatch = Err("sts: SignatureDoesNotMatch".to_owned());
    assert_eq!(world.status(token_of(&other), "/version"), (401, mismatch));
    let own = world.credentials(CLUSTER);
    let unknown = Err(format!("{} has no access entry", world.aws.caller()));
    assert_eq!(world.status(token_of(&own), "/version"), (401, unknown));
}

/// Every check of aws-iam-authenticator, met by a token that differs from ours in one thing. What is changed in the URL and gets as
/// far as STS is refused there: all of it is signed.
#[test]
fn a_token_that_was_changed_is_refused() {
    let _turn = crate::turn();
    let Some(world) = World::up(true) else { return };
    let token = token_of(&world.credentials(CLUSTER)).to_owned();
    let encoded = token.strip_prefix(PREFIX).expect("its prefix");
    let url = BASE64_URL_SAFE_NO_PAD.decode(encoded).expect("base64, without padding");
    let url = String::from_utf8(url).expect("a URL");
    let changed = |from: &str, to: &str| {
        assert!(url.contains(from), "{from} in {url}");
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url.replacen(from, to, 1)))
    };
    let host = world.aws.proxy.url().trim_start_matches("http://");
    let date = url.split("X-Amz-Date=").nth(1).and_then(|rest| rest.split('&').next()).expect("a date");
    let refused: &[(String, &str)] = &[
        (String::new(), "missing its prefix"),
        (format!("k8s-aws-v2.{encoded}"), "missing its prefix"),
        (format!("{token}=="), "illegal base64"),
        (format!("{token}{}", "A".repeat(4_096)), "too large"),
        (changed("http://", "ftp://"), "unexpected scheme"),
        (changed(host, "sts.eu-central-1.example.com"), "unexpected hostname"),
        (changed("/?", "/other?"), "unexpected path"),
        (changed("?Action", "?x-id=GetCallerIdentity&Action"), "non-whitelisted query parameter x-id"),
        (changed("?Action", "?action=GetCallerIdentity&Action"), "duplicate query parameter"),
        (changed("Action=GetCallerIdentity", "Action=AssumeRole"), "unexpected action"),
        (changed("host%3Bx-k8s-aws-id", "host"), "did not sign the x-k8s-aws-id header"),
        (changed("X-Amz-Expires=60", "X-Amz-Expires=901"), "invalid X-Amz-Expires"),
        (changed(date, "tomorrow"), "error parsing X-Amz-Date"),
        (changed(date, "20200101T000000Z"), "X-Amz-Date parameter is expired"),
        (changed("X-Amz-Expires=60", "X-Amz-Expires=61"), "sts: SignatureDoesNotMatch"),
        (changed("eu-central-1%2Fsts", "us-east-1%2Fsts"), "sts: SignatureDoesNotMatch"),
        (changed("2011-06-15", "2011-06-16"), "sts: SignatureDoesNotMatch"),
    ];
    for (token, why) in refused {
        let (status, caller) = world.status(token, "/version");
        let said = caller.expect_err(why);
        assert!(status == 401 && said.contains(why), "{why}: {status} {said}");
    }
    assert_eq!(world.status(&token, "/version"), (200, Ok(world.aws.caller())));
}

#[test]
fn a_cluster_without_an_api_server_is_a_typed_fault() {
    let _turn = crate::turn();
    let aws = Aws::new();
    // The local AWS has no such cluster.
    let missing = aws.fault("akidb-nowhere");
    assert!(missing.class == FaultClass::Missing && missing.code == "ResourceNotFoundException", "{missing}");
    assert!(missing.message.contains("no EKS cluster akidb-nowhere in eu-central-1"), "{missing}");
    aws.described(&description("CREATING", "", ""));
    let creating = aws.fault(CLUSTER);
    assert!(creating.class == FaultClass::Unreachable && creating.code == "CREATING", "{creating}");
    aws.proxy.reset();
    aws.described(&description("FAILED", "", ""));
    assert_eq!(aws.fault(CLUSTER).class, FaultClass::Refused);
    aws.proxy.reset();
    let words = "User: arn:aws:iam::1:user/a is not authorized to perform: eks:DescribeCluster";
    aws.refuse(403, "AccessDeniedException", words);
    let denied = aws.fault(CLUSTER);
    assert!(denied.class == FaultClass::Denied && denied.code == "AccessDeniedException", "{denied}");
    assert!(denied.message.contains("not authorized") && denied.next_step.is_some(), "{denied}");
}

const PLAN: &str = r"
version: 1
stack: eks-objects
metadata: {name: eks-objects, title: Objects of an EKS cluster}
days:
  - day: 1
    title: Objects
    steps:
      - id: kubernetes
        title: Objects
        kind: kubernetes
        with:
          name: edge-objects
          cluster: {eks: {cluster: akidb-eu, region: eu-central-1}}
          objects:
            - apiVersion: v1
              kind: ConfigMap
              metadata: {name: akidb-edge-settings, namespace: default}
              data: {region: eu-central-1}
";

/// The binary with the plan; `AWS_ENDPOINT_URL_EKS` and `AWS_ENDPOINT_URL_STS` lead to the proxy, everything else nowhere.
fn run(world: &World, words: &str) -> CommandOutput {
    run_plan(world, PLAN, words)
}

fn run_plan(world: &World, plan: &str, words: &str) -> CommandOutput {
    std::fs::write(world.aws.account.path("plan.yaml"), plan).expect("a file");
    let mut command = world.aws.account.command(&format!("{words} --plan plan.yaml"));
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    for service in ["EKS", "STS"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), world.aws.proxy.url());
    }
    finish(&mut command)
}

#[test]
fn objects_are_deployed_to_an_eks_cluster_and_taken_away() {
    let _turn = crate::turn();
    let Some(world) = World::up(true) else { return };
    let settings = || world.api.kubectl("get configmap akidb-edge-settings --ignore-not-found -o json");
    run(&world, "deploy --yes").exits(0);
    let object: Value = serde_json::from_str(&settings()).expect("JSON");
    assert_eq!(object["data"], json!({"region": REGION}));
    let seen = world.endpoint.take();
    assert!(seen.iter().all(|one| one.caller == Ok(world.aws.caller())), "{seen:#?}");
    assert!(seen.iter().any(|one| one.method == "PATCH" && one.path.contains("fieldManager=akidb-edge")), "{seen:#?}");
    // One token serves the whole run.
    let described = world.aws.proxy.take_calls().into_iter().filter(|call| call.is("eks", "DescribeCluster")).count();
    assert_eq!(described, 1);
    let again = run(&world, "deploy --yes").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());
    // To look this one cluster up is all that the run may do in the account, and all that it did.
    let policy = run(&world, "deploy --print-iam-policy").exits(0).json();
    let cluster = format!("arn:aws:eks:{REGION}:*:cluster/{CLUSTER}");
    let statement =
        json!({"Sid": "EksClusters", "Effect": "Allow", "Action": ["eks:DescribeCluster"], "Resource": [cluster]});
    assert_eq!(policy["Statement"], json!([statement]));
    run(&world, "destroy --yes").exits(0);
    assert_eq!(settings(), "");
}

/// A caller whom the cluster does not know gets to hear it, and no token is shown.
#[test]
fn who_has_no_access_entry_is_told() {
    let _turn = crate::turn();
    let Some(world) = World::up(false) else { return };
    let output = run(&world, "deploy --yes");
    assert!(output.code != 0, "{}", output.all());
    assert!(output.all().contains("401") || output.all().contains("Unauthorized"), "{}", output.all());
    assert!(!output.all().contains(PREFIX), "{}", output.all());
}
