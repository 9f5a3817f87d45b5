//! The state in the words of Terraform and CloudFormation. The verb `state export`: `export_verb.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use akidb_edge_engine::export::{Export, cloudformation, terraform};
use akidb_edge_engine::resource::StackState;
use akidb_edge_engine::resource::sensitive::keep_secret;
use serde_json::{Value, json};

fn week13() -> StackState {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/state-week13.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a fixture")).expect("a state")
}

fn text(export: &Export) -> String {
    export.files.iter().map(|file| format!("==> {} <==\n{}\n", file.name, file.text)).collect()
}

#[test]
fn terraform_of_week_13() {
    let export = terraform::export(&week13());
    assert_eq!(export, terraform::export(&week13()));
    insta::assert_snapshot!(text(&export));
}

#[test]
fn cloudformation_of_week_13() {
    let export = cloudformation::export(&week13());
    assert_eq!(export, cloudformation::export(&week13()));
    insta::assert_snapshot!(text(&export));
}

/// Every resource of the state is in the files or among the notes.
#[test]
fn nothing_is_dropped_silently() {
    let state = week13();
    for export in [terraform::export(&state), cloudformation::export(&state)] {
        let all = text(&export);
        for (address, record) in &state.resources {
            let id = record.id.as_deref().expect("an id");
            let zone = id.split('/').next().unwrap_or_default();
            assert!(
                all.contains(id) || all.contains(zone) || export.notes.iter().any(|note| note.address == *address),
                "{address} {id}"
            );
        }
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let mut state = week13();
    let address = "routing.zone.main".parse().expect("an address");
    let record = state.resources.get_mut(&address).expect("a zone");
    record.spec["comment"] = "a ${file(\"/etc/passwd\")} \"\n} resource".into();
    let all = text(&terraform::export(&state));
    assert!(all.contains(r#"comment = "a $${file(\"/etc/passwd\")} \"\n} resource""#), "{all}");
    let record = state.resources.get_mut(&address).expect("a zone");
    record.spec["comment"] = "\u{FDD0}file(\"x\")\u{FDD1}".into();
    let export = terraform::export(&state);
    assert!(export.notes.iter().any(|note| note.address == address && note.text.contains("noncharacters")));
    assert!(!text(&export).contains("file("), "code came out of a text");
}

/// The other tool would set what is in its place.
#[test]
fn what_holds_a_sensitive_value_is_left_out_and_told() {
    let mut state = week13();
    let secret = "export-secret-8c1f0a";
    keep_secret(secret);
    let address = "cdn.distribution.main".parse().expect("an address");
    let record = state.resources.get_mut(&address).expect("a distribution");
    record.spec["origins"][0]["headers"] = json!({"X-Key": secret});
    let arn = record.attributes["arn"].as_str().expect("an ARN").to_owned();
    for export in [terraform::export(&state), cloudformation::export(&state)] {
        let all = text(&export);
        assert!(!all.contains(secret) && !all.contains("(sensitive)"), "{all}");
        assert!(
            !all.contains("aws_cloudfront_distribution") && !all.contains("AWS::CloudFront::Distribution\""),
            "{all}"
        );
        assert!(export.notes.iter().any(|note| note.address == address && note.text.contains("sensitive value")));
        // What refers to it has its value.
        assert!(all.contains(&arn), "{all}");
    }
}

/// The state of week 13 with every setting of the distribution and of one policy.
fn with_every_cloudfront_setting() -> StackState {
    let mut state = week13();
    let mut set = |address: &str, settings: Value| {
        let record = state.resources.get_mut(&address.parse().expect("an address")).expect("a record");
        let spec = record.spec.as_object_mut().expect("a spec");
        spec.extend(settings.as_object().expect("settings").clone());
    };
    set(
        "cdn.distribution.main",
        json!({
            "custom_error_responses": [{"code": 404, "page": "/404.html", "response_code": 200, "min_ttl_seconds": 7}],
            "geo_restriction": {"deny": ["KP"]},
            "web_acl_id": "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b",
            "origins": [{"id": "page", "domain_name": "p.example.com", "headers": {"X-Key": "k"}, "shield": "eu-west-2",
                         "connection_attempts": 2, "connection_timeout_seconds": 9, "custom": {"http_port": 80,
                         "https_port": 443, "protocol": "https-only", "keepalive_timeout_seconds": 44}}],
            "default_behaviour": {"target": "page", "viewer_protocol": "https-only", "methods": ["GET", "HEAD"],
                                  "compress": true, "min_ttl": 0, "functions": [], "trusted_key_groups": ["K1"]},
            "behaviours": [], "origin_groups": [],
        }),
    );
    set(
        "cdn.response-headers-policy.shared",
        json!({
            "hsts_seconds": 63_072_000, "hsts_include_subdomains": true, "hsts_preload": true, "nosniff": true,
            "frame_options": "SAMEORIGIN", "referrer_policy": "no-referrer", "content_security_policy": "img-src 'self'",
            "xss_protection": {"enabled": true, "block": true}, "server_timing_percent": 12.5, "remove": ["Server"],
            "custom": {"X-Stack": "s"},
            "cors": {"origins": ["https://a.example.com"], "methods": ["GET"], "headers": ["*"], "max_age_seconds": 5,
                     "expose_headers": ["X-Shown"], "credentials": true},
        }),
    );
    state
}

#[test]
fn every_setting_of_cloudfront_is_said_in_both_languages() {
    let state = with_every_cloudfront_setting();
    let said = [text(&terraform::export(&state)), text(&cloudformation::export(&state))];
    for all in &said {
        for word in [
            "/404.html",
            "KP",
            "global/webacl/a/b",
            "X-Key",
            "eu-west-2",
            "44",
            "K1",
            "63072000",
            "SAMEORIGIN",
            "no-referrer",
            "img-src 'self'",
            "12.5",
            "Server",
            "X-Stack",
            "X-Shown",
        ] {
            assert!(all.contains(word), "{word}\n{all}");
        }
    }
    for word in ["blacklist", "origin_shield", "connection_attempts", "error_caching_min_ttl", "mode_block", "preload"]
    {
        assert!(said[0].contains(word), "{word}\n{}", said[0]);
    }
    for word in ["OriginShieldRegion", "ConnectionTimeout", "ErrorCachingMinTTL", "XSSProtection", "IncludeSubdomains"]
    {
        assert!(said[1].contains(word), "{word}\n{}", said[1]);
    }
}

/// The state of week 13 with a queue and the queue of its dead letters.
fn with_queues() -> StackState {
    let mut state = serde_json::to_value(week13()).expect("a state");
    let record = |name: &str, more: Value| {
        let arn = format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
        let url = format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}");
        let mut spec = json!({"name": name, "region": "eu-central-1"});
        spec.as_object_mut().expect("a spec").extend(more.as_object().expect("settings").clone());
        json!({"kind": "queue", "id": arn, "attributes": {"arn": arn, "name": name, "url": url}, "generation": 0, "needs": {},
            "spec": spec, "standing": "present", "step": "q"})
    };
    state["resources"]["queues.queue.dead"] =
        record("dead.fifo", json!({"fifo": true, "retention_seconds": 1_209_600}));
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"});
    let settings = json!({
        "fifo": true, "content_based_deduplication": true, "visibility_timeout_seconds": 90, "receive_wait_seconds": 20,
        "delay_seconds": 5, "max_message_bytes": 2_048, "kms_key": "alias/aws/sqs", "kms_reuse_seconds": 60,
        "dead_letter": {"target": "${queues.queue.dead#arn}", "max_receives": 3}, "tags": {"team": "edge"},
        "policy": {"Version": "2012-10-17", "Statement": [statement]},
    });
    let mut jobs = record("jobs.fifo", settings);
    jobs["needs"] = json!({"queues.queue.dead": "usable"});
    state["resources"]["queues.queue.jobs"] = jobs;
    serde_json::from_value(state).expect("a state")
}

#[test]
fn queues_are_said_in_both_languages() {
    let state = with_queues();
    let terraform = text(&terraform::export(&state));
    let words = terraform.split_whitespace().collect::<Vec<&str>>().join(" ");
    for part in [
        r#"resource "aws_sqs_queue" "queues_jobs" { provider = aws.eu-central-1 name = "jobs.fifo" fifo_queue = true"#,
        "content_based_deduplication = true",
        "message_retention_seconds = 1209600",
        "visibility_timeout_seconds = 90",
        "receive_wait_time_seconds = 20",
        "delay_seconds = 5",
        "max_message_size = 2048",
        r#"kms_master_key_id = "alias/aws/sqs""#,
        "kms_data_key_reuse_period_seconds = 60",
        "deadLetterTargetArn = aws_sqs_queue.queues_dead.arn maxReceiveCount = 3",
        r#"team = "edge""#,
        r#"Action = "sqs:SendMessage""#,
        r#"id = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs.fifo""#,
    ] {
        assert!(words.contains(part), "{part}\n{terraform}");
    }
    let export = cloudformation::export(&state);
    let template = export.files.iter().find(|file| file.name == "eu-central-1.template.json").expect("a template");
    let template: Value = serde_json::from_str(&template.text).expect("JSON");
    let all = template["Resources"].as_object().expect("resources");
    let queue = |name: &str| {
        let one = all.values().find(|one| one["Type"] == "AWS::SQS::Queue" && one["Properties"]["QueueName"] == name);
        one.map_or_else(|| panic!("{name}: {template:#}"), |one| one["Properties"].clone())
    };
    let (jobs, dead) = (queue("jobs.fifo"), queue("dead.fifo"));
    assert_eq!((&dead["FifoQueue"], &dead["MessageRetentionPeriod"]), (&json!(true), &json!(1_209_600)));
    let target = "arn:aws:sqs:eu-central-1:123456789012:dead.fifo";
    assert_eq!(jobs["RedrivePolicy"], json!({"deadLetterTargetArn": target, "maxReceiveCount": 3}));
    for (property, value) in [
        ("ContentBasedDeduplication", json!(true)),
        ("VisibilityTimeout", json!(90)),
        ("ReceiveMessageWaitTimeSeconds", json!(20)),
        ("DelaySeconds", json!(5)),
        ("MaximumMessageSize", json!(2_048)),
        ("KmsMasterKeyId", json!("alias/aws/sqs")),
        ("KmsDataKeyReusePeriodSeconds", json!(60)),
    ] {
        assert_eq!(jobs[property], value, "{property}");
    }
    assert!(jobs.get("SqsManagedSseEnabled").is_none() && jobs.get("Policy").is_none(), "{jobs:#}");
    let notes: Vec<&str> = export
        .notes
        .iter()
        .filter(|note| note.text.contains("QueuePolicy"))
        .map(|note| note.address.as_str())
        .collect();
    assert_eq!(notes, ["queues.queue.jobs"]);
    let list = text(&export);
    assert!(list.contains(r#""QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs.fifo""#), "{list}");
}

#[test]
fn what_was_accepted_beside_the_plan_is_written() {
    let mut state = with_queues();
    let record = state.resources.get_mut(&"queues.queue.dead".parse().expect("an address")).expect("a queue");
    let accepted = json!({
        "delay_seconds": 7, "max_message_bytes": 4_096, "redrive_allow_policy": {"redrivePermission": "denyAll"},
        // A plan has set it since.
        "retention_seconds": 60,
    });
    record.attributes.insert("accepted_extras".to_owned(), accepted);
    let export = terraform::export(&state);
    let all = text(&export);
    let dead = all.split("resource \"aws_sqs_queue\" ").find(|one| one.starts_with("\"queues_dead\"")).expect("it");
    let words = dead.split_whitespace().collect::<Vec<&str>>().join(" ");
    for part in ["delay_seconds = 7", "max_message_size = 4096", "message_retention_seconds = 1209600"] {
        assert!(words.contains(part), "{part}\n{dead}");
    }
    assert!(!words.contains("ignore_changes"), "{dead}");
    let left = "redrive_allow_policy was accepted in addition to the plan and is not exported";
    let told = |export: &Export| export.notes.iter().any(|note| note.text.starts_with(left));
    assert!(told(&export), "{:?}", export.notes);
    assert!(all.contains(left) && all.contains("that others added are not in the state"), "{all}");
    assert!(!all.contains("changes nothing"), "{all}");
    let export = cloudformation::export(&state);
    assert!(told(&export), "{:?}", export.notes);
    let template = export.files.iter().find(|file| file.name == "eu-central-1.template.json").expect("a template");
    let template: Value = serde_json::from_str(&template.text).expect("JSON");
    let mut queues = template["Resources"].as_object().expect("resources").values().map(|one| &one["Properties"]);
    let dead = queues.find(|one| one["QueueName"] == "dead.fifo").expect("a queue");
    assert_eq!((&dead["DelaySeconds"], &dead["MaximumMessageSize"]), (&json!(7), &json!(4_096)));
}

/// Where a program lies: named by a variable, else on the PATH.
fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

#[test]
fn cfn_lint_finds_no_error() {
    let Some(lint) = program("AKIDB_EDGE_CFN_LINT", "cfn-lint") else {
        eprintln!(
            "skipped: no cfn-lint on the PATH and none in AKIDB_EDGE_CFN_LINT (localstack/cfn-lint-requirements.txt)"
        );
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    for file in cloudformation::export(&week13()).files.iter().filter(|file| file.name.contains("template")) {
        let region = file.name.split('.').next().unwrap_or_default();
        let path = directory.path().join(&file.name);
        std::fs::write(&path, &file.text).expect("a file");
        let mut command = Command::new(&lint);
        command.args(["--non-zero-exit-code", "error", "--regions", region, "--"]).arg(&path);
        let output = command.output().expect("cfn-lint runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {told}{}", file.name, String::from_utf8_lossy(&output.stderr));
    }
}
