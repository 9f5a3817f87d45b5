//! `state export`: what the verb writes, and what Terraform does with it. What is written for each kind: `export.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testkit::cli::{STACK, TestAccount};

#[test]
fn the_verb_writes_files_and_says_what_is_missing() {
    let account = TestAccount::new();
    let empty = account.run_bare(&format!("state export --stack {STACK} --format terraform")).exits(3);
    assert!(empty.stderr.contains("nothing to export"), "{}", empty.stderr);
    // Neither is a document without a state written, which would look like a copy.
    let place = account.path("none.json");
    let empty = account.run_bare(&format!("state export --stack {STACK} --out {}", place.display())).exits(3);
    assert!(empty.stderr.contains("RN013-unknown-stack"), "{}", empty.stderr);
    assert!(!place.exists());
    account.run("deploy edge --yes").exits(0);
    let out = account.path("out");
    let said =
        account.run_bare(&format!("state export --stack {STACK} --format cloudformation --out {}", out.display()));
    let said = said.exits(0);
    assert!(said.stderr.contains("its code is not in the state"), "{}", said.stderr);
    let list = std::fs::read_to_string(out.join("us-east-1.resources-to-import.json")).expect("a list");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(3), "{list}");
    let refused = account.run_bare(&format!("state export --stack {STACK} --format cloudformation")).exits(3);
    assert!(refused.stderr.contains("--out DIR"), "{}", refused.stderr);
    let printed = account.run_bare(&format!("state export --stack {STACK} --format terraform")).exits(0);
    assert!(printed.stdout.contains("import {"), "{}", printed.stdout);
    assert!(printed.stderr.contains("that others added are not in the state"), "{}", printed.stderr);
    account.run_bare(&format!("state export --stack {STACK} --out {}", account.path("s.json").display())).exits(0);
    let document = std::fs::read_to_string(account.path("s.json")).expect("a file");
    assert!(document.contains("akidb-edge/export/v1"), "{document}");
}

/// Where a program lies: named by a variable, else on the PATH.
fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// What the local AWS answers and AWS does not: address in Terraform, attribute.
const KNOWN_DIFFERENCES: [(&str, &str); 2] = [
    // An empty list of headers to remove, that nobody wrote.
    ("aws_cloudfront_response_headers_policy.cdn_isolated", "remove_headers_config"),
    ("aws_cloudfront_response_headers_policy.cdn_shared", "remove_headers_config"),
];

fn terraform(directory: &Path, account: &TestAccount, program: &Path, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.current_dir(directory).args(words).env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
    command.env("AWS_ENDPOINT_URL", &account.endpoint).env("AWS_ACCESS_KEY_ID", &account.number);
    command.env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_EC2_METADATA_DISABLED", "true");
    for foreign in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "TF_CLI_CONFIG_FILE"] {
        command.env_remove(foreign);
    }
    let output = command.output().expect("terraform runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

/// The local AWS repeats what was written; AWS also answers with what nobody set, and Terraform's provider relies on it.
fn as_aws_would_answer(account: &TestAccount) {
    use aws_sdk_cloudfront::types::{
        FunctionAssociations, GeoRestriction, GeoRestrictionType, Restrictions, TrustedKeyGroups, TrustedSigners,
    };
    account.tamper(|config| {
        let signers = || TrustedSigners::builder().enabled(false).quantity(0).build().ok();
        let groups = || TrustedKeyGroups::builder().enabled(false).quantity(0).build().ok();
        let functions = || FunctionAssociations::builder().quantity(0).build().ok();
        let anywhere = GeoRestriction::builder().restriction_type(GeoRestrictionType::None).quantity(0).build();
        let anywhere = anywhere.expect("a restriction");
        config.restrictions = Some(Restrictions::builder().geo_restriction(anywhere).build());
        for origin in config.origins.iter_mut().flat_map(|all| all.items.iter_mut()) {
            (origin.connection_attempts, origin.connection_timeout) = (Some(3), Some(10));
            if let Some(custom) = &mut origin.custom_origin_config {
                custom.origin_keepalive_timeout = Some(5);
            }
        }
        if let Some(default) = &mut config.default_cache_behavior {
            (default.trusted_signers, default.trusted_key_groups) = (signers(), groups());
            default.function_associations = functions();
        }
        for behavior in config.cache_behaviors.iter_mut().flat_map(|all| all.items.iter_mut().flatten()) {
            (behavior.trusted_signers, behavior.trusted_key_groups) = (signers(), groups());
            behavior.function_associations = functions();
        }
    });
}

#[test]
fn terraform_plans_imports_and_nothing_else() {
    let plugins = std::env::var_os("AKIDB_EDGE_TERRAFORM_PLUGINS");
    let (Some(program), Some(plugins)) = (program("AKIDB_EDGE_TERRAFORM", "terraform"), plugins) else {
        eprintln!(
            "skipped: needs terraform on the PATH and AKIDB_EDGE_TERRAFORM_PLUGINS (a directory for init -plugin-dir)"
        );
        return;
    };
    let account = TestAccount::new();
    // The newest runtime that version 5 of the provider knows.
    account.run("deploy --yes --var runtime=nodejs22.x").exits(0);
    as_aws_would_answer(&account);
    let directory = account.path("terraform");
    account
        .run_bare(&format!("state export --stack {STACK} --format terraform --out {}", directory.display()))
        .exits(0);
    terraform(&directory, &account, &program, &["fmt", "-check", "-diff"]);
    let path_style = ["us-east-1", "ap-northeast-1", "eu-central-1"].map(|region| {
        let alias = if region == "us-east-1" { String::new() } else { format!("  alias = {region:?}\n") };
        format!("provider \"aws\" {{\n{alias}  s3_use_path_style = true\n}}\n")
    });
    std::fs::write(directory.join("local_override.tf"), path_style.concat()).expect("a file");
    let from = format!("-plugin-dir={}", Path::new(&plugins).display());
    terraform(&directory, &account, &program, &["init", "-no-color", &from]);
    terraform(&directory, &account, &program, &["plan", "-no-color", "-input=false", "-out=first"]);
    let plan = terraform(&directory, &account, &program, &["show", "-json", "first"]);
    let plan: Value = serde_json::from_str(&plan).expect("a plan");
    let changes = plan["resource_changes"].as_array().expect("changes");
    let imports = std::fs::read_to_string(directory.join("imports.tf")).expect("imports");
    assert_eq!(changes.len(), imports.matches("import {").count());
    assert!(changes.iter().all(|change| change["change"]["importing"].is_object()), "something is not imported");
    let acting = changes.iter().filter(|change| change["change"]["actions"] != json!(["no-op"]));
    let differences: Vec<(&str, Vec<&String>)> = acting
        .map(|change| {
            let (before, after) = (&change["change"]["before"], &change["change"]["after"]);
            let fields = before.as_object().into_iter().flatten();
            let differing = fields.filter(|(name, value)| after[name.as_str()] != **value).map(|(name, _)| name);
            (change["address"].as_str().unwrap_or_default(), differing.collect())
        })
        .collect();
    let known = KNOWN_DIFFERENCES.map(|(address, field)| (address, vec![field.to_owned()]));
    let known: Vec<(&str, Vec<&String>)> =
        known.iter().map(|(address, fields)| (*address, fields.iter().collect())).collect();
    assert_eq!(differences, known);
}
