//! Runs the binary as a user does, each test in an account of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_config::{BehaviorVersion, SdkConfig};
use serde_json::Value;
use tempfile::TempDir;

use super::local_aws;
use super::proxy::wait;

/// Domain that the plan sets up when nothing else is said.
pub const DOMAIN: &str = "akidb.com";
/// The stack of the plan.
pub const STACK: &str = "akidb-week13";
/// Regions of the plan.
pub const REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "ap-northeast-1"];

/// What a run said, and how it ended.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
}

impl CommandOutput {
    /// The same, when the exit code is the one wanted.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|bad| panic!("{bad}: {}", self.stdout))
    }

    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// The binary with an environment that says nothing about AWS. `AKIDB_EDGE_TEST_BINARY` names another build of it.
pub fn bare() -> Command {
    let mut command = Command::new(binary());
    let foreign = |key: &str| ["AWS_", "AKIDB_EDGE_"].iter().any(|start| key.starts_with(start));
    for (key, _) in std::env::vars().filter(|(key, _)| foreign(key)) {
        command.env_remove(key);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AKIDB_EDGE_ROUTE53_RATE", "0").env("COLUMNS", "100");
    // No configuration of whoever runs the tests.
    command
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
    command.env("USER", "tester").stdin(Stdio::null());
    command
}

/// The binary that Cargo built for the tests; `AKIDB_EDGE_TEST_BINARY` names another build of it.
fn binary() -> PathBuf {
    let named = ["AKIDB_EDGE_TEST_BINARY", "CARGO_BIN_EXE_akidb-edge"].into_iter().find_map(std::env::var_os);
    named.map_or_else(beside, PathBuf::from)
}

/// Where Cargo puts it: in the folder above that of the test binaries.
fn beside() -> PathBuf {
    let tests = std::env::current_exe().expect("the test binary has a path");
    tests.ancestors().nth(2).expect("it lies in target/PROFILE/deps").join("akidb-edge")
}

/// Runs a command to its end.
#[track_caller]
pub fn finish(command: &mut Command) -> CommandOutput {
    told(command.output().expect("the binary runs"))
}

fn told(output: std::process::Output) -> CommandOutput {
    CommandOutput {
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        code: output.status.code().unwrap_or(-1),
    }
}

/// One account with load balancers, a directory for the state and the model, and the SDK's view of it.
pub struct TestAccount {
    pub number: String,
    pub directory: TempDir,
    pub sdk: SdkConfig,
    /// Where the binary sends its calls.
    pub endpoint: String,
    /// Where the binary keeps its state.
    pub place: String,
}

/// The files of the model and of the page of week 13, with contents that stand for them.
const MODEL: [(&str, &str); 15] = [
    ("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}"),
    ("chunks.json", "{\"format\":1,\"files\":{}}"),
    ("config.json", "{\"hidden_size\":384}"),
    ("model_int8.onnx", "weights of a small model"),
    ("modules.json", "[]"),
    ("page/assets/main.5feceb66ffc86f38.js", "0"),
    ("page/assets/ort.6b86b273ff34fce1.wasm.gz", "1"),
    ("page/index.html", "<!doctype html>"),
    ("page/sw.js", "2"),
    ("selfcheck.json", "{\"format\":1,\"texts\":[]}"),
    ("sentence_bert_config.json", "{\"max_seq_length\":256}"),
    ("static.bin", "rows of a small table"),
    ("tokenizer.json", "{\"version\":\"1.0\"}"),
    ("tokenizer_config.json", "{}"),
    ("tokens.json", "{\"format\":1}"),
];

/// Writes the files that the plan of week 13 uploads as its model and its page.
#[track_caller]
pub fn write_model(folder: &Path) {
    for (name, text) in MODEL {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
}

/// Flags that name the files of [`write_model`] to the plan of week 13.
pub fn own_files(folder: &Path) -> [String; 4] {
    let folder = folder.display();
    ["--var".to_owned(), format!("model_dir={folder}"), "--var".to_owned(), format!("page_dir={folder}/page")]
}

impl TestAccount {
    /// A fresh account.
    pub fn new() -> Self {
        Self::of(local_aws::seeded_account())
    }

    /// An account by its number.
    pub fn of(number: String) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        write_model(directory.path());
        let endpoint = local_aws::endpoint();
        let credentials = aws_credential_types::Credentials::new(&number, "test", None, None, "test");
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .region("us-east-1")
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let sdk = wait(sdk.load());
        let place = format!("file:{}", directory.path().join("state").display());
        Self { number, directory, sdk, endpoint, place }
    }

    /// The same account through another endpoint.
    #[must_use]
    pub fn through(mut self, endpoint: &str) -> Self {
        self.endpoint = endpoint.to_owned();
        self
    }

    /// A file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of the journal.
    pub fn state(&self) -> PathBuf {
        self.path("state").join(STACK)
    }

    /// The binary in this account.
    pub fn command(&self, words: &str) -> Command {
        let mut command = bare();
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.number)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .current_dir(self.directory.path())
            .args(words.split_whitespace());
        if !words.contains("--state") {
            command.args(["--state", &self.place]);
        }
        command
    }

    /// The binary in this account, with the plan of week 13 (or the copy that the words name).
    pub fn planned(&self, words: &str) -> Command {
        let mut command = self.command(words);
        if !words.contains("--plan") {
            command.args(["--plan", "week13"]);
        }
        command.args(["--var", &format!("prefix=t{}", self.number)]).args(own_files(self.directory.path()));
        command
    }

    /// Runs it with the plan.
    #[track_caller]
    pub fn run(&self, words: &str) -> CommandOutput {
        finish(&mut self.planned(words))
    }

    /// Runs it without a plan.
    #[track_caller]
    pub fn run_bare(&self, words: &str) -> CommandOutput {
        finish(&mut self.command(words))
    }

    /// Starts it with the plan; both streams are kept.
    pub fn start(&self, words: &str) -> Child {
        self.planned(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// Writes a changed copy of the plan of week 13 and gives its name.
    #[track_caller]
    pub fn changed_plan(&self, from: &str, to: &str) -> String {
        let original = crate::root().join("plans/week13.yaml");
        let text = std::fs::read_to_string(original).expect("the plan");
        assert!(text.contains(from), "the plan has {from:?}");
        std::fs::write(self.path("changed.yaml"), text.replace(from, to)).expect("a file");
        "changed.yaml".to_owned()
    }

    /// Text without what differs from run to run.
    pub fn redact(&self, text: &str) -> String {
        let directory = self.directory.path().display().to_string();
        redact(
            &text.replace(&directory, "[DIR]").replace(&self.endpoint, "[ENDPOINT]").replace(&self.number, "[ACCOUNT]"),
        )
    }

    /// How many of each kind the services list.
    pub fn inventory(&self) -> BTreeMap<&'static str, usize> {
        wait(self.count())
    }

    async fn count(&self) -> BTreeMap<&'static str, usize> {
        let mut all = BTreeMap::new();
        let cdn = aws_sdk_cloudfront::Client::new(&self.sdk);
        let listed = cdn.list_distributions().send().await.expect("distributions");
        all.insert("distributions", listed.distribution_list.map_or(0, |list| list.items().len()));
        let listed = cdn.list_origin_access_controls().send().await.expect("origin access controls");
        all.insert("origin access controls", listed.origin_access_control_list.map_or(0, |list| list.items().len()));
        let custom = aws_sdk_cloudfront::types::CachePolicyType::Custom;
        let listed = cdn.list_cache_policies().r#type(custom).send().await.expect("cache policies");
        all.insert("cache policies", listed.cache_policy_list.map_or(0, |list| list.items().len()));
        let custom = aws_sdk_cloudfront::types::ResponseHeadersPolicyType::Custom;
        let listed = cdn.list_response_headers_policies().r#type(custom).send().await.expect("policies");
        all.insert(
            "response headers policies",
            listed.response_headers_policy_list.map_or(0, |list| list.items().len()),
        );
        let names = aws_sdk_route53::Client::new(&self.sdk);
        let zones = names.list_hosted_zones().send().await.expect("zones");
        let ours = zones.hosted_zones().iter().filter(|zone| zone.name().trim_end_matches('.') == DOMAIN);
        all.insert("zones", ours.count());
        all.insert("health checks", names.list_health_checks().send().await.expect("checks").health_checks().len());
        let iam = aws_sdk_iam::Client::new(&self.sdk);
        all.insert("roles", iam.list_roles().send().await.expect("roles").roles().len());
        let lambda = aws_sdk_lambda::Client::new(&self.sdk);
        all.insert("functions", lambda.list_functions().send().await.expect("functions").functions().len());
        let s3 = self.s3();
        let start = format!("t{}", self.number);
        let buckets = s3.list_buckets().send().await.expect("buckets");
        let ours = buckets.buckets().iter().filter(|bucket| bucket.name().is_some_and(|name| name.starts_with(&start)));
        all.insert("buckets", ours.count());
        let mut certificates = 0;
        for region in REGIONS {
            let here = self.sdk.to_builder().region(aws_config::Region::new(region)).build();
            let listed = aws_sdk_acm::Client::new(&here).list_certificates().send().await.expect("certificates");
            certificates += listed.certificate_summary_list().len();
        }
        all.insert("certificates", certificates);
        all
    }

    /// S3 of this account.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(true).build())
    }

    /// Identifier of the zone.
    pub fn zone(&self) -> Option<String> {
        let names = aws_sdk_route53::Client::new(&self.sdk);
        let zones = wait(names.list_hosted_zones().send()).expect("zones");
        zones.hosted_zones().iter().find(|zone| zone.name() == format!("{DOMAIN}.")).map(|zone| zone.id().to_owned())
    }

    /// The record sets of a name below the domain, each as `TYPE identifier target`.
    pub fn records(&self, name: &str) -> Vec<String> {
        let names = aws_sdk_route53::Client::new(&self.sdk);
        let zone = self.zone().expect("the zone");
        let listed = wait(names.list_resource_record_sets().hosted_zone_id(zone).send()).expect("record sets");
        let full = format!("{name}.{DOMAIN}.");
        let sets = listed.resource_record_sets().iter().filter(|set| set.name() == full);
        sets.map(|set| {
            let target = set.alias_target().map_or("", |alias| alias.dns_name());
            format!("{} {} {target}", set.r#type(), set.set_identifier().unwrap_or("-"))
        })
        .collect()
    }

    /// The one distribution with its ETag.
    pub fn distribution(&self) -> (String, String, aws_sdk_cloudfront::types::DistributionConfig) {
        let cdn = aws_sdk_cloudfront::Client::new(&self.sdk);
        let listed = wait(cdn.list_distributions().send()).expect("distributions");
        let items = listed.distribution_list.and_then(|list| list.items).unwrap_or_default();
        assert_eq!(items.len(), 1, "one distribution");
        let id = items[0].id().to_owned();
        let answer = wait(cdn.get_distribution_config().id(&id).send()).expect("its configuration");
        (id, answer.e_tag.expect("an ETag"), answer.distribution_config.expect("a configuration"))
    }

    /// Changes the distribution behind the tool's back.
    pub fn tamper(&self, change: impl FnOnce(&mut aws_sdk_cloudfront::types::DistributionConfig)) {
        let (id, tag, mut config) = self.distribution();
        change(&mut config);
        let cdn = aws_sdk_cloudfront::Client::new(&self.sdk);
        wait(cdn.update_distribution().id(id).if_match(tag).distribution_config(config).send()).expect("update");
    }
}

/// What a deployed week 13 consists of.
pub fn whole() -> BTreeMap<&'static str, usize> {
    BTreeMap::from([
        ("distributions", 1),
        ("origin access controls", 2),
        ("cache policies", 1),
        ("response headers policies", 3),
        ("zones", 1),
        ("health checks", 3),
        ("roles", 2),
        ("functions", 1),
        ("buckets", 7),
        ("certificates", 4),
    ])
}

/// Nothing of it.
pub fn nothing() -> BTreeMap<&'static str, usize> {
    whole().into_keys().map(|kind| (kind, 0)).collect()
}

/// Text without identifiers, times and durations.
pub fn redact(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once(" in ").filter(|(before, _)| before.starts_with("done: ")) {
            Some((before, after)) => {
                let rest = after.split_once(';').map_or(String::new(), |(_, rest)| format!(";{rest}"));
                format!("{before} in [TIME]{rest}")
            }
            None => line.to_owned(),
        };
        let line = without_domain(&line);
        let mut word = String::new();
        for letter in line.chars() {
            if letter.is_ascii_alphanumeric() || letter == '-' {
                word.push(letter);
                continue;
            }
            out.push_str(&masked(&word));
            word.clear();
            out.push(letter);
        }
        out.push_str(&masked(&word));
        out.push('\n');
    }
    out
}

/// A distribution's domain is random: any letters and digits may come.
fn without_domain(line: &str) -> String {
    let mut parts = line.split(".cloudfront.net");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let label = out.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric()).len();
        out.truncate(label);
        out.push_str("[NAME].cloudfront.net");
        out.push_str(part);
    }
    out
}

fn masked(word: &str) -> String {
    let hex = |text: &str| text.chars().all(|letter| letter.is_ascii_hexdigit());
    let identifier = |first: char, shortest: usize| {
        let plain = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        word.len() >= shortest && word.starts_with(first) && word.chars().all(plain)
    };
    if word.len() == 64 && hex(word) {
        return "[SHA256]".to_owned();
    }
    if word.len() == 36 && hex(&word.replace('-', "")) {
        return "[UUID]".to_owned();
    }
    // The emulator's load balancers end in eight random letters.
    if let Some(at) = word.rfind('-').filter(|at| word.starts_with("akidb-rest-") && word.len() - at == 9) {
        return format!("{}-[ID]", &word[..at]);
    }
    if identifier('E', 12) || identifier('Z', 12) {
        return "[ID]".to_owned();
    }
    word.to_owned()
}
