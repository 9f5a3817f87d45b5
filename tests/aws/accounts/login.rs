//! Sessions of `aws login`.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::accounts::stand_in::{HOUR, StandIn, after, json_reply};
use crate::accounts::user::User;

const ARN: &str = "arn:aws:iam::111122223333:user/me";

/// A key as the AWS CLI makes it, for proofs of possession.
fn key() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let der = key.serialize_der();
    // PKCS #8 of P-256 holds the older form (RFC 5915) from here on; the cache has that one.
    let at = der.windows(4).position(|bytes| bytes == [0x02, 0x01, 0x01, 0x04]).expect("a private key") - 2;
    let length = usize::from(der[at + 1]) + 2;
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(&der[at..at + length]);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN EC PRIVATE KEY-----\n{lines}-----END EC PRIVATE KEY-----\n")
}

fn session(user: &User, lasting: Duration) {
    let file = format!(".aws/login/cache/{}.json", hex::encode(Sha256::digest(ARN)));
    let token = json!({"accessToken": {"accessKeyId": user.account, "secretAccessKey": "test", "sessionToken": "t",
        "accountId": user.account, "expiresAt": after(lasting)}, "tokenType": "aws_sigv4", "refreshToken": "refresh-1",
        "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": key()});
    user.file(&file, &token.to_string());
}

fn dev() -> User {
    User::new().config(&format!("[profile dev]\nlogin_session = {ARN}\n")).with("AWS_PROFILE", "dev")
}

#[test]
fn a_session_of_aws_login() {
    let user = dev();
    session(&user, HOUR);
    user.is_known();
}

#[test]
fn who_is_not_logged_in_is_told_the_command() {
    let user = dev();
    user.is_refused(&["aws login session of profile dev", "next: aws login --profile dev\n"]);
    let service = StandIn::start(|_| json_reply(400, &json!({"error": "TOKEN_EXPIRED", "message": "expired"})));
    let user = user.with("AWS_ENDPOINT_URL_SIGNIN", &service.url);
    session(&user, Duration::ZERO);
    user.is_refused(&["aws login session of profile dev", "next: aws login --profile dev\n"]);
    let output = user.look();
    assert!(!service.take().is_empty(), "it was to be renewed\n{}", output.all());
}
