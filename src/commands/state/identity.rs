//! What an ID looks like, kind by kind: a wrong form is refused before anybody is asked.

use serde_json::Value;

use crate::resource::Kind;

/// The form of a kind's ID in words, and an example.
pub const fn form(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::LoadBalancer => ("nothing: a load balancer is only looked up", ""),
        Kind::Host
        | Kind::File
        | Kind::Account
        | Kind::Packages
        | Kind::Service
        | Kind::PowerMode
        | Kind::Node
        | Kind::Image
        | Kind::Manifest => ("nothing: jetson provision finds what is on a device by itself", ""),
        Kind::Role => ("the role's name or ARN", "akidb-gateway"),
        Kind::Bucket => ("the bucket's name", "akidb-models-edge"),
        Kind::BucketPolicy | Kind::Replication => ("the name of the bucket that has it", "akidb-models-edge"),
        Kind::Object => ("BUCKET/KEY", "akidb-page/index.html"),
        Kind::Function => ("the function's name or ARN", "akidb-edge-gateway"),
        Kind::FunctionVersion => {
            ("the ARN of a numbered version", "arn:aws:lambda:us-east-1:123456789012:function:akidb-edge-gateway:3")
        }
        Kind::OriginAccess => ("the ID of the origin access control", "E327GJI25M56DG"),
        Kind::CachePolicy | Kind::OriginRequestPolicy | Kind::ResponseHeadersPolicy => {
            ("the policy's ID", "658327ea-f89d-4fab-a63d-7e88639e58f6")
        }
        Kind::Distribution | Kind::Monitoring => ("the distribution's ID", "EDFDVBD6EXAMPLE"),
        Kind::Certificate => (
            "the certificate's ARN",
            "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
        ),
        Kind::Zone => ("the ID of the hosted zone", "Z1D633PJN98FT9"),
        Kind::HealthCheck => ("the ID of the health check", "abcdef11-2222-3333-4444-555555fedcba"),
        Kind::Records => ("ZONE-ID/NAME, with the last part of the address as the name", "Z1D633PJN98FT9/api"),
    }
}

/// The ID as the journal keeps it; none when the form is wrong.
pub fn normal(kind: Kind, given: &str) -> Option<String> {
    let capitals = |text: &str, first: char| {
        text.len() >= 8
            && text.starts_with(first)
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let hex = |text: &str| {
        text.len() == 36
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-')
    };
    let bucket = |text: &str| {
        (3..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+=,.@".contains(&byte))
    };
    let tail = |start: &str, mark: &str| {
        if given.starts_with(start) { given.split_once(mark).map_or("", |(_, tail)| tail) } else { given }
    };
    let zone = |text: &str| capitals(text, 'Z');
    let (id, right) = match kind {
        Kind::LoadBalancer => (given, false),
        Kind::Host
        | Kind::File
        | Kind::Account
        | Kind::Packages
        | Kind::Service
        | Kind::PowerMode
        | Kind::Node
        | Kind::Image
        | Kind::Manifest => (given, false),
        Kind::Role => {
            let name = tail("arn:aws:iam::", ":role/");
            (name, plain(name))
        }
        Kind::Bucket | Kind::BucketPolicy | Kind::Replication => (given, bucket(given)),
        Kind::Object => (given, given.split_once('/').is_some_and(|(name, key)| bucket(name) && !key.is_empty())),
        Kind::Function => {
            let name = tail("arn:aws:lambda:", ":function:");
            (name, plain(name))
        }
        Kind::FunctionVersion => {
            let number = given.rsplit(':').next().unwrap_or_default();
            let parts = given.split(':').count();
            (given, given.starts_with("arn:aws:lambda:") && parts == 8 && number.parse::<u64>().is_ok())
        }
        Kind::OriginAccess | Kind::Distribution | Kind::Monitoring => (given, capitals(given, 'E')),
        Kind::CachePolicy | Kind::OriginRequestPolicy | Kind::ResponseHeadersPolicy | Kind::HealthCheck => {
            (given, hex(given))
        }
        Kind::Certificate => (given, given.starts_with("arn:aws:acm:") && given.contains(":certificate/")),
        Kind::Zone => {
            let id = given.strip_prefix("/hostedzone/").unwrap_or(given);
            (id, zone(id))
        }
        Kind::Records => (given, given.split_once('/').is_some_and(|(id, name)| zone(id) && !name.is_empty())),
    };
    right.then(|| id.to_owned())
}

/// The ID that follows from the settings, for kinds that are known by a name of the plan's.
pub fn by_name(kind: Kind, spec: &Value, last: &str) -> Option<String> {
    let text = |path: &str| spec.get(path).and_then(Value::as_str);
    match kind {
        Kind::Role | Kind::Bucket | Kind::Function => text("name").map(str::to_owned),
        Kind::BucketPolicy => text("bucket").map(str::to_owned),
        Kind::Replication => text("source").map(str::to_owned),
        Kind::Monitoring => text("distribution_id").map(str::to_owned),
        Kind::Object => Some(format!("{}/{}", text("bucket")?, text("key")?)),
        Kind::Records => Some(format!("{}/{last}", text("zone_id")?)),
        _ => None,
    }
}

/// The account and region that an ARN names; empty where it names none.
pub fn place(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.strip_prefix("arn:")?.split(':');
    let region = parts.nth(2)?;
    Some((parts.next()?, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_has_its_own_form_and_rubbish_has_none() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::LoadBalancer && !kind.on_a_machine()) {
            let (_, example) = form(kind);
            assert_eq!(normal(kind, example).as_deref(), Some(example), "{}", kind.name());
            for rubbish in ["", "a b", "\u{fc}", "https://example.com/x"] {
                assert_eq!(normal(kind, rubbish), None, "{} {rubbish:?}", kind.name());
            }
        }
    }

    #[test]
    fn arns_and_prefixes_become_names() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:gate";
        assert_eq!(normal(Kind::Function, arn).as_deref(), Some("gate"));
        assert_eq!(normal(Kind::Function, &format!("{arn}:3")), None);
        assert_eq!(normal(Kind::Role, "arn:aws:iam::123456789012:role/gate").as_deref(), Some("gate"));
        assert_eq!(normal(Kind::Zone, "/hostedzone/Z1D633PJN98FT9").as_deref(), Some("Z1D633PJN98FT9"));
        assert_eq!(place(arn), Some(("123456789012", "us-east-1")));
        assert_eq!(place("gate"), None);
    }
}
