//! Profiles that assume a role.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sha1::{Digest, Sha1};

use crate::accounts::stand_in::{HOUR, StandIn, after, sts, sts_refusal, sts_reply};
use crate::accounts::user::User;
use testkit::cli::CommandOutput;
use testkit::proxy::wait;

const KEYS: &str = "[base]\naws_access_key_id = 000000000001\naws_secret_access_key = test\n";

/// Somebody with a profile `dev` that assumes a role with these settings.
fn dev(sts: &StandIn, user: User, settings: &str) -> User {
    let text = format!("[profile dev]\nrole_arn = arn:aws:iam::ACCOUNT:role/deploy\n{settings}");
    user.config(&text).with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_STS", &sts.url)
}

fn assumptions(sts: &StandIn) -> Vec<crate::accounts::stand_in::Request> {
    sts.take().into_iter().filter(|request| request.field("Action").as_deref() == Some("AssumeRole")).collect()
}

#[test]
fn a_role_is_assumed_with_the_keys_of_another_profile() {
    let user = User::new();
    let sts = sts(&user.account);
    let settings = "source_profile = base\nexternal_id = ext-7\nrole_session_name = me\nduration_seconds = 1800\nregion = eu-central-1\n";
    let user = dev(&sts, user, settings).credentials(KEYS).without("AWS_REGION");
    let output = user.is_known();
    assert!(output.stderr.contains("region eu-central-1"), "the region of the profile\n{}", output.stderr);
    let calls = assumptions(&sts);
    assert_eq!(calls.len(), 1, "one session serves all clients");
    let field = |name: &str| calls[0].field(name).unwrap_or_default();
    assert_eq!(calls[0].key(), "000000000001");
    assert_eq!(field("RoleArn"), format!("arn:aws:iam::{}:role/deploy", user.account));
    assert_eq!(
        (field("ExternalId"), field("RoleSessionName"), field("DurationSeconds")),
        ("ext-7".into(), "me".into(), "1800".into())
    );
}

#[test]
fn roles_follow_each_other() {
    let user = User::new();
    let sts = sts(&user.account);
    let settings = "source_profile = middle\n[profile middle]\nrole_arn = arn:aws:iam::000000000009:role/middle\nsource_profile = base\n";
    let user = dev(&sts, user, settings).credentials(KEYS);
    user.is_known();
    let calls = assumptions(&sts);
    let keys: Vec<&str> = calls.iter().map(|call| call.key()).collect();
    assert_eq!(keys, ["000000000001", "000000000009"]);
}

#[test]
fn a_role_is_assumed_with_keys_of_the_profile_itself_or_of_the_environment() {
    let user = User::new();
    let own = sts(&user.account);
    let user =
        dev(&own, user, "source_profile = dev\naws_access_key_id = 000000000002\naws_secret_access_key = test\n");
    user.is_known();
    assert_eq!(assumptions(&own)[0].key(), "000000000002");
    // Keys of the environment go first, so a role is assumed with them only where they are a program's.
    let user = dev(&own, User::new(), "credential_source = Environment\n");
    user.is_refused(&["credential_source of profile dev is Environment, and AWS_ACCESS_KEY_ID is not set"]);
}

#[test]
fn what_a_profile_lacks_is_named() {
    let nowhere = sts("1");
    let cases = [
        ("", "no source of credentials to assume the role"),
        ("source_profile = base\ncredential_source = Environment\n", "both source_profile and credential_source"),
        ("source_profile = nobody\n", "source_profile of profile dev is \"nobody\", and there is no such profile"),
        (
            "source_profile = empty\n[profile empty]\nregion = x\n",
            "profile empty, the source_profile of dev, has no credentials",
        ),
        (
            "source_profile = b\n[profile b]\nrole_arn = x\nsource_profile = dev\n",
            "circular source_profile: dev -> b -> dev",
        ),
        ("credential_source = Mars\n", "credential_source of profile dev is \"Mars\""),
        ("source_profile = base\nduration_seconds = long\n", "duration_seconds of profile dev is \"long\""),
    ];
    for (settings, says) in cases {
        dev(&nowhere, User::new(), settings).credentials(KEYS).is_refused(&[says, "config"]);
    }
    assert!(nowhere.take().is_empty(), "no call was made");
}

#[test]
fn what_sts_refuses_is_said_with_the_profile() {
    let sts = StandIn::start(|_| sts_refusal(403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole"));
    let user = dev(&sts, User::new(), "source_profile = base\n").credentials(KEYS);
    user.is_refused(&[
        "role arn:aws:iam::",
        "of profile dev cannot be assumed with keys of profile base",
        "trust policy",
        "external_id",
    ]);
    let sts =
        StandIn::start(|_| sts_refusal(403, "ExpiredToken", "The security token included in the request is expired"));
    let user = dev(&sts, User::new(), "source_profile = base\n").credentials(KEYS);
    user.is_refused(&["keys of profile base are not accepted", "aws configure --profile base"]);
}

const DEVICE: &str = "source_profile = base\nmfa_serial = arn:aws:iam::000000000001:mfa/me\n";

#[test]
fn without_a_terminal_there_is_no_mfa_code() {
    let sts = sts("1");
    let user = dev(&sts, User::new(), DEVICE).credentials(KEYS);
    user.is_refused(&[
        "profile dev needs an MFA code of arn:aws:iam::000000000001:mfa/me, and there is no terminal",
        "aws sts get-caller-identity --profile dev",
    ]);
    assert!(assumptions(&sts).is_empty(), "a call without a code cannot help");
}

/// The binary on a terminal of its own, with these lines typed.
fn at_a_terminal(user: &User, typed: &str) -> CommandOutput {
    let binary = user.command(&[]);
    let program = binary.get_program().to_string_lossy().into_owned();
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{program} deploy --plan plan.yaml --dry-run"), "/dev/null"]);
    for (key, value) in binary.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.current_dir(user.home.path());
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut child = command.stdin(reader).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a terminal");
    // What is typed before the question is thrown away by the terminal, so it is typed until the run ends.
    while child.try_wait().expect("a process").is_none() {
        drop(writer.write_all(typed.as_bytes()));
        wait(async { tokio::time::sleep(Duration::from_millis(300)).await });
    }
    let output = child.wait_with_output().expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    CommandOutput { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code().unwrap_or(-1) }
}

#[test]
fn an_mfa_code_is_asked_for_on_the_terminal() {
    let user = User::new();
    let account = user.account.clone();
    let sts = StandIn::start(move |request| match request.field("TokenCode") {
        Some(code) if code != "123456" => {
            sts_refusal(403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
        }
        _ => sts_reply(request, &account),
    });
    let user = dev(&sts, user, DEVICE).credentials(KEYS);
    let output = at_a_terminal(&user, "123456\n");
    assert!(output.stdout.contains("MFA code for arn:aws:iam::000000000001:mfa/me: "), "{}", output.all());
    assert!(output.stdout.contains(&format!("account {} ", user.account)), "{}", output.all());
    let calls = assumptions(&sts);
    assert_eq!(calls.len(), 1, "it is asked for once");
    assert_eq!(calls[0].field("TokenCode").as_deref(), Some("123456"));
    assert_eq!(calls[0].field("SerialNumber").as_deref(), Some("arn:aws:iam::000000000001:mfa/me"));

    let output = at_a_terminal(&user, "000000\n");
    assert!(output.stdout.contains("invalid MFA one time pass code"), "{}", output.all());
    assert!(output.stdout.contains("the MFA code is the current one"), "{}", output.all());
    assert_eq!(assumptions(&sts).len(), 1, "a wrong code is not tried twice");
}

#[test]
fn a_session_of_the_aws_cli_saves_the_code() {
    let sts = sts("1");
    let user = dev(&sts, User::new(), DEVICE).credentials(KEYS);
    let arguments = format!(
        "{{\"RoleArn\": \"arn:aws:iam::{}:role/deploy\", \"SerialNumber\": \"arn:aws:iam::000000000001:mfa/me\"}}",
        user.account
    );
    let file = format!(".aws/cli/cache/{}.json", hex::encode(Sha1::digest(arguments)));
    let session = |lasting| {
        json!({"Credentials": {"AccessKeyId": user.account, "SecretAccessKey": "test", "SessionToken": "t", "Expiration": after(lasting)}}).to_string()
    };
    user.file(&file, &session(HOUR));
    user.is_known();
    assert!(assumptions(&sts).is_empty());
    user.file(&file, &session(Duration::from_secs(60)));
    user.is_refused(&["needs an MFA code"]);
}
