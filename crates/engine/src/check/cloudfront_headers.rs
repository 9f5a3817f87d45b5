//! Rules on the headers that a response headers policy adds and removes.

use super::cloudfront_settings::is_header;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use crate::resource::counted;
use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;

type Spec<'a> = CheckedResource<'a, ResponseHeadersPolicySpec>;

/// Headers with settings of their own.
const OWN_SETTING: [(&str, &str); 13] = [
    ("access-control-allow-credentials", "cors.credentials"),
    ("access-control-allow-headers", "cors.headers"),
    ("access-control-allow-methods", "cors.methods"),
    ("access-control-allow-origin", "cors.origins"),
    ("access-control-expose-headers", "cors.expose_headers"),
    ("access-control-max-age", "cors.max_age_seconds"),
    ("content-security-policy", "content_security_policy"),
    ("referrer-policy", "referrer_policy"),
    ("server-timing", "server_timing_percent"),
    ("strict-transport-security", "hsts_seconds"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "frame_options"),
    ("x-xss-protection", "xss_protection"),
];

/// Headers of the connection or of CloudFront itself.
const NEVER_REMOVED: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];

const REFERRER: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

pub(super) const RULES: &[CheckRule<ResponseHeadersPolicySpec>] = &[
    error(
        "CP401-security-header-as-custom",
        "a header with its own setting is not among the custom ones",
        "InvalidArgument: The parameter CustomHeaders contains a security header: use the security headers configuration",
        "use its own setting",
        own_setting,
    ),
    error(
        "CP402-security-header",
        "security headers have values that CloudFront accepts",
        "InvalidArgument: a security header has a value that is not allowed",
        "write frame_options DENY or SAMEORIGIN; a referrer policy of the Referrer-Policy standard; a content security policy that is not empty",
        security,
    ),
    error(
        "CP403-hsts-without-time",
        "settings of HSTS come with a time",
        "InvalidArgument: StrictTransportSecurity needs AccessControlMaxAgeSec",
        "write hsts_seconds, for example 31536000",
        hsts,
    ),
    warning(
        "CP404-hsts-preload",
        "HSTS for preload lists has a year and all names below",
        "accepted; the preload lists of browsers take no domain without them",
        "write hsts_seconds: 31536000 or more and hsts_include_subdomains: true",
        preload,
    ),
    error(
        "CP405-xss-protection",
        "XSS protection either blocks or reports",
        "InvalidArgument: You can't specify a ReportUri when ModeBlock is true.",
        "leave out block or report_uri",
        xss,
    ),
    error(
        "CP406-server-timing",
        "the share of answers with Server-Timing is from 0 to 100",
        "InvalidArgument: SamplingRate is a number 0-100 with up to four decimal places",
        "write a number from 0 to 100 with at most four digits behind the point",
        timing,
    ),
    error(
        "CP407-removed-header",
        "removed headers are ones that CloudFront can remove",
        "InvalidArgument: The parameter RemoveHeaders contains a header that cannot be removed",
        "remove the header from the list",
        removed,
    ),
    error(
        "CP408-policy-says-nothing",
        "a response headers policy sets or removes at least one header",
        "InvalidArgument: the response headers policy has no configuration",
        "write a setting, or remove the policy",
        nothing,
    ),
];

fn own_setting(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for header in seen.spec.custom.iter().flatten().map(|(header, _)| header) {
        let own = OWN_SETTING.iter().find(|(name, _)| header.eq_ignore_ascii_case(name));
        let Some((_, setting)) = own else { continue };
        let problem = format!("`{header}` is among the custom headers");
        notes.add_with(format!("custom.{header}"), problem, format!("write it under `{setting}`"));
    }
}

fn security(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    if let Some(word) = spec.frame_options.as_deref().filter(|word| !["DENY", "SAMEORIGIN"].contains(word)) {
        notes.add("frame_options", format!("the option is `{word}`"));
    }
    if let Some(word) = spec.referrer_policy.as_deref().filter(|word| !REFERRER.contains(word)) {
        notes.add("referrer_policy", format!("the policy is `{word}`"));
    }
    let empty = spec.content_security_policy.as_deref().is_some_and(|text| text.trim().is_empty());
    notes.add_if(empty, "content_security_policy", || "the policy is empty".to_owned());
}

fn hsts(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let fields = [("hsts_include_subdomains", spec.hsts_include_subdomains), ("hsts_preload", spec.hsts_preload)];
    for (field, _) in fields.into_iter().filter(|(_, set)| set.is_some() && spec.hsts_seconds.is_none()) {
        notes.add(field, "hsts_seconds is missing");
    }
}

fn preload(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let Some(seconds) = spec.hsts_seconds.filter(|_| spec.hsts_preload == Some(true)) else { return };
    let good = seconds >= 31_536_000 && spec.hsts_include_subdomains == Some(true);
    notes.add_if(!good, "hsts_preload", || {
        format!("preload with {}, or without names below", counted(seconds, "second"))
    });
}

fn xss(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(xss) = &seen.spec.xss_protection else { return };
    let both = xss.block == Some(true) && xss.report_uri.is_some();
    notes.add_if(both, "xss_protection", || "it blocks and has a report_uri".to_owned());
}

fn timing(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(percent) = seen.spec.server_timing_percent else { return };
    let digits = (percent * 10_000.0).fract().abs();
    let wrong = !(0.0..=100.0).contains(&percent) || digits > 1e-6 && digits < 1.0 - 1e-6;
    notes.add_if(wrong, "server_timing_percent", || format!("the share is {percent}"));
}

fn removed(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let names = seen.spec.remove.as_deref().unwrap_or_default();
    for (at, name) in names.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let reserved = ["x-amz-cf-", "x-edge-"].iter().any(|start| lower.starts_with(start));
        let never = reserved || NEVER_REMOVED.contains(&lower.as_str());
        notes.add_if(never, format!("remove.{at}"), || format!("CloudFront does not remove `{name}`"));
        notes.add_if(!is_header(name), format!("remove.{at}"), || format!("`{name}` is not a header name"));
        let twice = names[..at].iter().any(|other| other.eq_ignore_ascii_case(name));
        notes.add_if(twice, format!("remove.{at}"), || format!("`{name}` appears twice"));
    }
}

fn nothing(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let texts = [&spec.frame_options, &spec.referrer_policy, &spec.content_security_policy];
    let says = spec.cors.is_some()
        || spec.hsts_seconds.is_some()
        || spec.nosniff == Some(true)
        || spec.xss_protection.is_some()
        || texts.into_iter().any(Option::is_some)
        || spec.server_timing_percent.is_some_and(|percent| percent > 0.0)
        || spec.remove.as_ref().is_some_and(|list| !list.is_empty())
        || spec.custom.as_ref().is_some_and(|list| !list.is_empty());
    notes.add_if(!says, "", || "it is empty".to_owned());
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const SAY: &str = "cdn.response-headers-policy.api";
        let custom = |header: &str| case("CP401-security-header-as-custom").set(SAY, "/custom", json!({header: "x"}));
        let set = |rule, field: &str, value| case(rule).set(SAY, &format!("/{field}"), value);
        vec![
            custom("strict-transport-security"),
            custom("X-Frame-Options"),
            custom("Access-Control-Allow-Origin"),
            set("CP402-security-header", "frame_options", json!("deny")),
            set("CP402-security-header", "referrer_policy", json!("none")),
            set("CP402-security-header", "content_security_policy", json!(" ")),
            set("CP403-hsts-without-time", "hsts_preload", json!(false)).remove(SAY, "/hsts_seconds"),
            set("CP404-hsts-preload", "hsts_preload", json!(true)),
            set("CP405-xss-protection", "xss_protection", json!({"enabled": true, "block": true, "report_uri": "/x"})),
            set("CP406-server-timing", "server_timing_percent", json!(100.5)),
            set("CP406-server-timing", "server_timing_percent", json!(0.00001)),
            set("CP407-removed-header", "remove", json!(["Connection"])),
            set("CP407-removed-header", "remove", json!(["X-Amz-Cf-Id"])),
            set("CP407-removed-header", "remove", json!(["Server", "server"])),
            set("CP408-policy-says-nothing", "nosniff", json!(false)).remove(SAY, "/hsts_seconds").remove(SAY, "/cors"),
        ]
    }
}
