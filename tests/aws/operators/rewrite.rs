//! Answers of the local AWS as AWS writes them: the same facts in another spelling, order and completeness.

use std::net::Ipv6Addr;

use serde_json::Value;

use crate::operators::xml::{Node, parse};

/// Whatever is not XML document goes through as it is.
fn rewritten(body: &str, change: fn(&mut Node)) -> String {
    let Some((head, mut root)) = parse(body) else { return body.to_owned() };
    root.walk(change);
    format!("{head}{}", root.text())
}

/// Route 53: names in lower case with octal escapes and a final dot, addresses in their short form, sets by reversed name.
pub fn route53(body: &str) -> String {
    rewritten(body, |node| match node.name.as_str() {
        "ResourceRecordSet" if node.child("Type").is_some_and(|kind| kind.words == "AAAA") => {
            node.walk(|node| {
                if let Some(address) = (node.name == "Value").then(|| node.words.parse::<Ipv6Addr>().ok()).flatten() {
                    node.words = address.to_string();
                }
            });
            spell_names(node);
        }
        "ResourceRecordSet" | "HostedZone" => spell_names(node),
        "ResourceRecordSets" => node.children.sort_by_key(|set| {
            let text = |field| set.child(field).map(|child| child.words.clone()).unwrap_or_default();
            let name = text("Name");
            let labels: Vec<String> = name.trim_end_matches('.').rsplit('.').map(str::to_owned).collect();
            (labels, text("Type"), text("SetIdentifier"))
        }),
        _ => {}
    })
}

fn spell_names(node: &mut Node) {
    node.walk(|node| {
        if node.name == "Name" || node.name == "DNSName" {
            node.words = spelt(&node.words);
        }
    });
}

/// A DNS name as Route 53 answers with it.
pub fn spelt(name: &str) -> String {
    let mut out = String::new();
    let whole = name.trim_end_matches('.').replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let escaped = whole.contains('\\');
    for byte in whole.bytes() {
        match byte.to_ascii_lowercase() {
            plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') => out.push(char::from(plain)),
            b'\\' if escaped => out.push('\\'),
            other => out.push_str(&format!("\\{other:03o}")),
        }
    }
    out.push('.');
    out
}

/// Lists of CloudFront whose order says nothing.
const UNORDERED: [&str; 13] = [
    "Aliases",
    "AllowedMethods",
    "CachedMethods",
    "Headers",
    "QueryStrings",
    "Cookies",
    "Origins",
    "OriginGroups",
    "StatusCodes",
    "AccessControlAllowOrigins",
    "AccessControlAllowHeaders",
    "AccessControlAllowMethods",
    "CustomHeadersConfig",
];

/// CloudFront: unordered lists the other way round, settings that nobody made with their defaults.
pub fn cloudfront(body: &str) -> String {
    rewritten(body, |node| {
        if UNORDERED.contains(&node.name.as_str())
            && let Some(items) = node.children.iter_mut().find(|child| child.name == "Items")
        {
            items.children.reverse();
        }
        let defaults: &[&str] = match node.name.as_str() {
            "DistributionConfig" => &[
                "<WebACLId></WebACLId>",
                "<HttpVersion>http2</HttpVersion>",
                "<IsIPV6Enabled>true</IsIPV6Enabled>",
                "<DefaultRootObject></DefaultRootObject>",
                "<CustomErrorResponses><Quantity>0</Quantity></CustomErrorResponses>",
                "<OriginGroups><Quantity>0</Quantity></OriginGroups>",
                "<CacheBehaviors><Quantity>0</Quantity></CacheBehaviors>",
                "<Aliases><Quantity>0</Quantity></Aliases>",
                "<Restrictions><GeoRestriction><RestrictionType>none</RestrictionType><Quantity>0</Quantity></GeoRestriction></Restrictions>",
                "<Logging><Enabled>false</Enabled><IncludeCookies>false</IncludeCookies><Bucket></Bucket><Prefix></Prefix></Logging>",
                "<Staging>false</Staging>",
            ],
            "Origin" => &[
                "<OriginPath></OriginPath>",
                "<ConnectionAttempts>3</ConnectionAttempts>",
                "<ConnectionTimeout>10</ConnectionTimeout>",
                "<CustomHeaders><Quantity>0</Quantity></CustomHeaders>",
                "<OriginShield><Enabled>false</Enabled></OriginShield>",
                "<OriginAccessControlId></OriginAccessControlId>",
            ],
            "CustomOriginConfig" => &[
                "<OriginReadTimeout>30</OriginReadTimeout>",
                "<OriginKeepaliveTimeout>5</OriginKeepaliveTimeout>",
                "<OriginSslProtocols><Quantity>1</Quantity><Items><SslProtocol>TLSv1.2</SslProtocol></Items></OriginSslProtocols>",
            ],
            "DefaultCacheBehavior" | "CacheBehavior" => &[
                "<SmoothStreaming>false</SmoothStreaming>",
                "<FieldLevelEncryptionId></FieldLevelEncryptionId>",
                "<TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>",
                "<TrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></TrustedKeyGroups>",
                "<LambdaFunctionAssociations><Quantity>0</Quantity></LambdaFunctionAssociations>",
                "<FunctionAssociations><Quantity>0</Quantity></FunctionAssociations>",
            ],
            _ => &[],
        };
        for (_, default) in defaults.iter().filter_map(|text| parse(text)) {
            if node.child(&default.name).is_none() {
                node.children.push(default);
            }
        }
    })
}

/// S3: tags, lifecycle rules and the lists of a CORS rule the other way round; policies with other keys first.
pub fn s3(body: &str) -> String {
    if body.starts_with('{') {
        return serde_json::from_str(body).map_or_else(|_| body.to_owned(), |policy: Value| reordered(&policy));
    }
    rewritten(body, |node| {
        if ["TagSet", "LifecycleConfiguration", "CORSRule"].contains(&node.name.as_str()) {
            node.children.reverse();
        }
    })
}

/// IAM: documents in percent-encoding, other keys first.
pub fn iam(body: &str) -> String {
    rewritten(body, |node| {
        if node.name == "AssumeRolePolicyDocument" || node.name == "PolicyDocument" {
            let plain = decoded(&node.words.replace("&quot;", "\"").replace("&amp;", "&"));
            if let Ok(document) = serde_json::from_str::<Value>(&plain) {
                node.words = encoded(&reordered(&document));
            }
        }
    })
}

/// JSON with the keys of each object the other way round.
fn reordered(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .rev()
                .map(|(key, field)| format!("{}:{}", Value::from(key.as_str()), reordered(field)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(reordered).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%').then(|| text_of(tail.get(..2)?)).flatten();
        (rest, _) = match code {
            Some(byte) => (&tail[2..], out.push(byte)),
            None => (tail, out.push(*first)),
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn text_of(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// SQS: an account in a policy is its root, a list of one is the one, a policy has an id; numbers of a redrive policy are
/// texts; every setting is shown, with one kind of encryption.
pub fn sqs(body: &str) -> String {
    let Ok(mut answer) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let Some(held) = answer.get_mut("Attributes").and_then(Value::as_object_mut) else { return body.to_owned() };
    let under_kms = held.get("KmsMasterKeyId").is_some_and(|key| key != "");
    if under_kms {
        held.insert("SqsManagedSseEnabled".to_owned(), "false".into());
        held.entry("KmsDataKeyReusePeriodSeconds").or_insert_with(|| "300".into());
    } else {
        held.entry("SqsManagedSseEnabled").or_insert_with(|| "true".into());
    }
    for (name, write) in [("Policy", queue_policy as fn(&mut Value)), ("RedrivePolicy", redrive as fn(&mut Value))] {
        let document = held.get(name).and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(mut document) = document {
            write(&mut document);
            held.insert(name.to_owned(), document.to_string().into());
        }
    }
    answer.to_string()
}

fn queue_policy(document: &mut Value) {
    document["Id"] = "__default_policy_ID".into();
    for statement in document["Statement"].as_array_mut().into_iter().flatten() {
        if statement["Principal"] == "*" {
            statement["Principal"] = serde_json::json!({"AWS": "*"});
        }
        single(&mut statement["Action"]);
        if let Some(who) = statement["Principal"].get_mut("AWS") {
            single(who);
            if let Some(account) = who.as_str().filter(|who| who.len() == 12).map(str::to_owned) {
                *who = format!("arn:aws:iam::{account}:root").into();
            }
        }
    }
}

fn single(value: &mut Value) {
    if let Value::Array(items) = value
        && items.len() == 1
    {
        *value = items.remove(0);
    }
}

fn redrive(document: &mut Value) {
    let count = document["maxReceiveCount"].to_string();
    document["maxReceiveCount"] = count.trim_matches('"').into();
}

#[test]
fn names_are_spelt_as_route_53_does() {
    assert_eq!(spelt("*.Example.org"), "\\052.example.org.");
    assert_eq!(spelt("a b.example.org."), "a\\040b.example.org.");
    assert_eq!(spelt("\\052.example.org"), "\\052.example.org.");
    assert_eq!(spelt("bü.example.org"), "b\\303\\274.example.org.");
}

#[test]
fn answers_are_written_again() {
    let sets = "<?xml version=\"1.0\"?><R xmlns=\"x\"><ResourceRecordSets><ResourceRecordSet><Name>b.a.</Name><Type>AAAA</Type>\
        <V><Value>2001:DB8:0:0::1</Value></V></ResourceRecordSet><ResourceRecordSet><Name>*.a</Name><Type>A</Type>\
        </ResourceRecordSet></ResourceRecordSets></R>";
    let again = route53(sets);
    assert!(again.find("\\052.a.") < again.find("b.a.") && again.contains("<Value>2001:db8::1</Value>"), "{again}");
    let policy = iam("<R><PolicyDocument>%7B%22A%22%3A1%2C%22B%22%3A2%7D</PolicyDocument></R>");
    assert!(policy.contains(&encoded("{\"B\":2,\"A\":1}")), "{policy}");
    let origin = cloudfront("<Origins><Items><Origin><Id>a</Id></Origin><Origin><Id>b</Id></Origin></Items></Origins>");
    assert!(origin.find("<Id>b<") < origin.find("<Id>a<") && origin.contains("<ConnectionAttempts>3<"), "{origin}");
    assert_eq!(s3("{\"a\":1,\"b\":[{\"c\":1,\"d\":2}]}"), "{\"b\":[{\"d\":2,\"c\":1}],\"a\":1}");
    let attributes = sqs(&serde_json::json!({"Attributes": {
        "Policy": r#"{"Statement":[{"Principal":{"AWS":["123456789012"]},"Action":["sqs:SendMessage"]}]}"#,
        "RedrivePolicy": r#"{"maxReceiveCount":3}"#}})
    .to_string());
    let root = "arn:aws:iam::123456789012:root";
    for part in [root, "__default_policy_ID", r#"\"Action\":\"sqs:SendMessage\""#, r#"\"maxReceiveCount\":\"3\""#] {
        assert!(attributes.contains(part), "{part}: {attributes}");
    }
    assert!(attributes.contains(r#""SqsManagedSseEnabled":"true""#), "{attributes}");
}
