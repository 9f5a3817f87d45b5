//! The check of a token, step by step as aws-iam-authenticator does it (`Verify` in `pkg/token/token.go`), which is what EKS runs.
//! Two things differ: the host of STS is the one that the test names, since the local AWS is not at sts.REGION.amazonaws.com; and
//! the signature, which STS checks and the local AWS does not, is worked out anew (`signature`).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{signature, wire};

const PREFIX: &str = "k8s-aws-v1.";
/// `maxTokenLenBytes`.
const LONGEST: usize = 4_096;
/// `presignedURLExpiration`.
const GOOD: SignedDuration = SignedDuration::from_mins(15);
const CLUSTER: &str = "x-k8s-aws-id";
/// `parameterWhitelist`.
const PARAMETERS: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Whom a cluster lets in.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// The name of the cluster.
    pub cluster: String,
    /// `SCHEME://HOST[:PORT]` of the STS that is asked, and no other.
    pub sts: String,
    /// The secret access key of every caller: what STS knows.
    pub secret: String,
    /// ARNs with an access entry.
    pub entries: Vec<String>,
}

/// The parts of a token's URL.
pub(super) struct Presigned {
    /// `HOST[:PORT]`.
    pub(super) host: String,
    /// As it was written.
    pub(super) query: String,
    /// Decoded, with names in lower case.
    parameters: Vec<(String, String)>,
}

impl Presigned {
    /// The value of a parameter; empty without one.
    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl Authenticator {
    /// The ARN of whoever made a token.
    ///
    /// # Errors
    /// Why the token is refused.
    pub async fn caller(&self, token: &str) -> Result<String, String> {
        let url = self.presigned(token)?;
        let arn = self.identity(&url).await?;
        if self.entries.contains(&arn) { Ok(arn) } else { Err(format!("{arn} has no access entry")) }
    }

    /// The URL of a token, with all that is checked before STS is asked.
    fn presigned(&self, token: &str) -> Result<Presigned, String> {
        if token.len() > LONGEST {
            return Err("token is too large".to_owned());
        }
        let encoded = token.strip_prefix(PREFIX).ok_or("token is missing its prefix")?;
        let url = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "illegal base64 data")?;
        let url = String::from_utf8(url).map_err(|_| "not a URL")?;
        let (scheme, rest) = url.split_once("://").ok_or("missing protocol scheme")?;
        let (wanted, host) = self.sts.split_once("://").expect("the test names a URL");
        if scheme != wanted {
            return Err("unexpected scheme in pre-signed URL".to_owned());
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (given, path) = place.split_once('/').ok_or("unexpected path in pre-signed URL")?;
        if given != host {
            return Err("unexpected hostname in pre-signed URL".to_owned());
        }
        if !path.is_empty() {
            return Err("unexpected path in pre-signed URL".to_owned());
        }
        let url = Presigned { host: host.to_owned(), query: query.to_owned(), parameters: parameters(query)? };
        checked(&url).map(|()| url)
    }

    /// Sends the request that the token is, with the cluster's name in its header.
    async fn identity(&self, url: &Presigned) -> Result<String, String> {
        if url.get("x-amz-signature") != signature::of(url, (CLUSTER, &self.cluster), &self.secret) {
            return Err("sts: SignatureDoesNotMatch".to_owned());
        }
        let path = format!("/?{}", url.query);
        let headers = [(CLUSTER, self.cluster.as_str()), ("accept", "application/json")];
        let (status, body) = wire::plain_get(&url.host, &path, &headers).await.map_err(|bad| format!("sts: {bad}"))?;
        if status != 200 {
            return Err(format!("sts: expected 200, got {status}: {body}"));
        }
        // The local AWS answers in XML whatever is accepted.
        let arn = body.split_once("<Arn>").and_then(|(_, rest)| rest.split_once("</Arn>"));
        arn.map(|(arn, _)| arn.to_owned()).ok_or_else(|| format!("sts: no ARN in {body}"))
    }
}

/// The parameters of a query: each once, and none that are not known.
fn parameters(query: &str) -> Result<Vec<(String, String)>, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(key)?.to_lowercase(), decoded(value)?);
        if found.iter().any(|(known, _)| *known == key) {
            return Err(format!("duplicate query parameter found: {key}"));
        }
        if !PARAMETERS.contains(&key.as_str()) {
            return Err(format!("non-whitelisted query parameter {key}"));
        }
        found.push((key, value));
    }
    Ok(found)
}

fn checked(url: &Presigned) -> Result<(), String> {
    if url.get("action") != "GetCallerIdentity" {
        return Err("unexpected action parameter in pre-signed URL".to_owned());
    }
    if !url.get("x-amz-signedheaders").split(';').any(|header| header.eq_ignore_ascii_case(CLUSTER)) {
        return Err(format!("client did not sign the {CLUSTER} header in the pre-signed URL"));
    }
    if !url.get("x-amz-expires").parse().is_ok_and(|seconds: i64| (0..=900).contains(&seconds)) {
        return Err("invalid X-Amz-Expires parameter in pre-signed URL".to_owned());
    }
    let date = DateTime::strptime("%Y%m%dT%H%M%SZ", url.get("x-amz-date"));
    let date =
        date.and_then(|date| TimeZone::UTC.to_timestamp(date)).map_err(|_| "error parsing X-Amz-Date parameter")?;
    if Timestamp::now().duration_since(date) > GOOD {
        return Err("X-Amz-Date parameter is expired".to_owned());
    }
    Ok(())
}

/// `%XX` as the byte that it is.
fn decoded(text: &str) -> Result<String, String> {
    let malformed = || "malformed query parameter".to_owned();
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()).ok_or_else(malformed)?;
        bytes.push(code);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}
