//! Rules on the syntax of values with several parts: SRV, CAA, DS, NAPTR and similar types.

use super::route53::sets;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::is_open;
use crate::resource::records::value::words;
use crate::resource::records::{RecordsSpec, canonical, text};

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5601-service-values",
        "values of SRV are priority, weight, port and host",
        "InvalidChangeBatch: Invalid Resource Record: FATAL problem: SRVRRDATANotFourFields",
        "write for example \"10 5 443 server.example.com\"",
        service,
    ),
    error(
        "R5602-authority-values",
        "values of CAA are flags, a tag and a text in quotation marks",
        "InvalidChangeBatch: Invalid Resource Record: FATAL problem: CAARRDATAMustHaveThreeFields (or CAARRDATAValueNotQuoted)",
        "write for example \"0 issue \\\"amazon.com\\\"\"",
        authority,
    ),
    error(
        "R5603-signer-values",
        "values of DS are key tag, algorithm, digest type and a digest of that type's length",
        "InvalidChangeBatch: Invalid Resource Record: FATAL problem: DSRRDATA is not valid",
        "write for example \"12345 13 2 \" and 64 hexadecimal digits",
        signer,
    ),
    error(
        "R5604-pointer-values",
        "values of NAPTR are order, preference, flags, service, expression and replacement",
        "InvalidChangeBatch: Invalid Resource Record: FATAL problem: NAPTRRRDATANotSixFields",
        "write for example '100 50 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .'",
        pointer,
    ),
    error(
        "R5605-host-values",
        "values of CNAME, NS and PTR are one host name",
        "InvalidChangeBatch: Invalid Resource Record: FATAL problem: DomainLabelEmpty (or DomainLabelTooLong)",
        "write a host name alone",
        host,
    ),
    error(
        "R5606-coded-values",
        "values of SSHFP, TLSA, HTTPS and SVCB begin with their numbers",
        "InvalidChangeBatch: Invalid Resource Record: the fields are not valid",
        "write SSHFP \"1 2 <digest>\", TLSA \"3 1 1 <digest>\", HTTPS \"1 . alpn=h2\"",
        coded,
    ),
];

/// Every literal value of some record types, with its path and its words.
fn values<'s>(spec: &'s RecordsSpec, types: &'s [&str]) -> Vec<(String, &'s str, Vec<&'s str>)> {
    let of_type = sets(spec).filter(|(_, set)| types.contains(&set.record_type.as_str()));
    let all = of_type.flat_map(|(path, set)| {
        let one = move |(at, value): (usize, &'s String)| {
            (format!("{path}.values.{at}"), set.record_type.as_str(), words(value))
        };
        set.values.iter().filter(|value| !is_open(value)).enumerate().map(one).collect::<Vec<_>>()
    });
    all.collect()
}

fn is_u16(word: &str) -> bool {
    word.parse::<u16>().is_ok()
}

fn is_u8(word: &str) -> bool {
    word.parse::<u8>().is_ok()
}

fn is_hex(word: &str) -> bool {
    !word.is_empty() && word.len().is_multiple_of(2) && word.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// A host name, or a dot alone.
pub(super) fn is_host(word: &str) -> bool {
    let name = canonical::name(word);
    word == "." || (name.len() <= 255 && canonical::labels(&name).iter().all(|label| (1..=63).contains(&label.len())))
}

fn is_quoted(word: &str) -> bool {
    text::strings(word).is_some_and(|strings| strings.len() == 1)
}

fn service(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, words) in values(&seen.spec, &["SRV"]) {
        let formed = matches!(words[..], [priority, weight, port, host] if [priority, weight, port].into_iter().all(is_u16) && is_host(host));
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

fn authority(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, words) in values(&seen.spec, &["CAA"]) {
        let is_tag = |tag: &str| !tag.is_empty() && tag.bytes().all(|letter| letter.is_ascii_alphanumeric());
        let formed = matches!(words[..], [flags, tag, said] if is_u8(flags) && is_tag(tag) && is_quoted(said));
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

fn signer(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    /// Hexadecimal digits of the digest types that are registered (IANA "Delegation Signer Digest Algorithms").
    const DIGITS: [(&str, usize); 3] = [("1", 40), ("2", 64), ("4", 96)];
    for (path, _, words) in values(&seen.spec, &["DS"]) {
        let formed = match &words[..] {
            [tag, algorithm, kind, digest @ ..] => {
                let digest = digest.concat();
                let length = DIGITS.iter().find(|(known, _)| known == kind).map(|(_, digits)| *digits);
                is_u16(tag) && is_u8(algorithm) && is_hex(&digest) && length == Some(digest.len())
            }
            _ => false,
        };
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

fn pointer(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, words) in values(&seen.spec, &["NAPTR"]) {
        let formed = matches!(words[..], [order, preference, flags, service, expression, host]
            if [order, preference].into_iter().all(is_u16)
                && [flags, service, expression].into_iter().all(is_quoted)
                && is_host(host));
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

fn host(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, words) in values(&seen.spec, &["CNAME", "NS", "PTR"]) {
        let formed = matches!(words[..], [host] if host != "." && is_host(host) && !host.contains("://"));
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

fn coded(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, record_type, words) in values(&seen.spec, &["SSHFP", "TLSA", "HTTPS", "SVCB"]) {
        let formed = match (record_type, &words[..]) {
            ("SSHFP", [algorithm, kind, digest @ ..]) => is_u8(algorithm) && is_u8(kind) && is_hex(&digest.concat()),
            ("TLSA", [usage, selector, matching, data @ ..]) => {
                [usage, selector, matching].into_iter().all(|word| is_u8(word)) && is_hex(&data.concat())
            }
            ("HTTPS" | "SVCB", [priority, host, ..]) => is_u16(priority) && is_host(host),
            _ => false,
        };
        notes.add_if(!formed, path, || format!("the value is `{}`", words.join(" ")));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case};

    const API: &str = "routing.records.api";

    fn with(rule: &'static str, kind: &str, value: &str) -> Case {
        let set = json!({"name": "x.akidb.com", "type": kind, "ttl": 60, "values": [value]});
        case(rule).set(API, "/sets/2", set)
    }

    pub(in super::super) fn cases() -> Vec<Case> {
        vec![
            with("R5601-service-values", "SRV", "10 5 host.example.com"),
            with("R5601-service-values", "SRV", "10 5 70000 host.example.com"),
            with("R5602-authority-values", "CAA", "0 issue"),
            with("R5602-authority-values", "CAA", "256 issue \"amazon.com\""),
            with("R5602-authority-values", "CAA", "0 issue amazon.com"),
            with("R5603-signer-values", "DS", "12345 13 2 abcd"),
            with("R5604-pointer-values", "NAPTR", "100 50 u E2U+sip x ."),
            with("R5605-host-values", "CNAME", "a b"),
            with("R5605-host-values", "NS", "a..b"),
            with("R5605-host-values", "CNAME", "https://example.com"),
            with("R5606-coded-values", "SSHFP", "1 2 xyz"),
            with("R5606-coded-values", "HTTPS", ". alpn=h2"),
        ]
    }

    #[test]
    fn values_of_all_types_that_are_right_have_no_finding() {
        let digest = "ab".repeat(32);
        for (kind, value) in [
            ("SRV", "0 0 0 .".to_owned()),
            ("SRV", "10 5 443 Server.example.com.".to_owned()),
            ("CAA", "0 issue \"amazon.com; account=1\"".to_owned()),
            ("CAA", "128 iodef \"mailto:a@example.com\"".to_owned()),
            ("DS", format!("12345 13 2 {digest}")),
            ("NAPTR", "100 50 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .".to_owned()),
            ("PTR", "host.example.com.".to_owned()),
            ("SSHFP", format!("4 2 {digest}")),
            ("TLSA", format!("3 1 1 {digest}")),
            ("HTTPS", "1 . alpn=\"h2,h3\"".to_owned()),
            ("SVCB", "0 other.example.com".to_owned()),
        ] {
            let found = super::super::all(&with("none", kind, &value).desired, TODAY);
            assert_eq!(found, [], "{kind} {value}");
        }
    }
}
