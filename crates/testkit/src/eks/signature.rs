//! Signature Version 4 of a presigned GET, as STS works it out. Source: IAM User Guide, "Create a signed AWS API request".

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::authenticator::Presigned;

/// The signature that a request without a body has, when `header` is sent with it and nothing else is signed but the host.
pub(super) fn of(url: &Presigned, header: (&str, &str), secret: &str) -> String {
    let mut query: Vec<&str> = url.query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    query.sort_unstable();
    let (name, value) = header;
    let request = format!(
        "GET\n/\n{}\nhost:{}\n{name}:{value}\n\n{}\n{}",
        query.join("&"),
        url.host,
        url.get("x-amz-signedheaders"),
        hex::encode(Sha256::digest(b"")),
    );
    // KEY/DATE/REGION/SERVICE/aws4_request
    let scope = url.get("x-amz-credential").split_once('/').map_or("", |(_, scope)| scope);
    let date = url.get("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    hex::encode(mac(&key, &text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
