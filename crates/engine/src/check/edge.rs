//! Rules on Lambda@Edge associations of a distribution.

use std::collections::BTreeSet;

use super::cloudfront_behaviors::{behaviors, on_group};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{is_open, whole};
use crate::resource::Kind;
use crate::resource::distribution::{Behavior, DistributionSpec, EdgeAssociation};

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "LE001-event",
        "the event of an association is valid",
        "InvalidArgument: the event type is not known",
        "write viewer-request, viewer-response, origin-request or origin-response",
        event,
    ),
    error(
        "LE002-one-function-per-event",
        "a behavior has one function per event",
        "InvalidLambdaFunctionAssociation: there can be only one function for each event type of a cache behavior",
        "join the two functions into one",
        one_per_event,
    ),
    error(
        "LE003-body-at-response",
        "only request events see the body",
        "InvalidLambdaFunctionAssociation: IncludeBody is only allowed for request event types",
        "write include_body: false",
        body,
    ),
    warning(
        "LE004-function-on-group",
        "no origin-request function runs before an origin group",
        "accepted; on failover the function runs a second time for the same request",
        "point the behavior at one origin, or make the function idempotent",
        group,
    ),
    error(
        "LE005-numbered-version",
        "an association names a numbered version",
        "InvalidLambdaFunctionAssociation: The function ARN must reference a specific function version. (The ARN must end with the version number.)",
        "publish a version and name it: ${<area>.function-version.<name>#arn}",
        numbered,
    ),
    error(
        "LE006-edge-region",
        "an associated function is in us-east-1",
        "InvalidLambdaFunctionAssociation: The function must be in region 'us-east-1'",
        "make the function in us-east-1; AWS copies it to the edge itself",
        region,
    ),
    error(
        "LE007-lambda-arn",
        "an association names a Lambda function",
        "InvalidLambdaFunctionAssociation: the ARN is not the ARN of a Lambda function",
        "write arn:aws:lambda:us-east-1:<account of 12 digits>:function:<name>:<number>",
        arn_form,
    ),
    warning(
        "LE008-viewer-event",
        "functions that generate responses run at origin events",
        "accepted; a response generated at a viewer event is never cached, bodies are cut at 40 KB and answers are \
         capped at 40 KB (at origin-request: cached for GET and HEAD, 1 MB)",
        "use origin-request",
        viewer,
    ),
    warning(
        "LE009-body-not-included",
        "a request function on a behavior that takes POST sees the body",
        "accepted; request.body is missing, so a function that reads it throws, and the request continues to the \
         origin",
        "write include_body: true at that request event if the function reads the body",
        body_missing,
    ),
];

/// Every association: its path, its behavior, itself.
pub(super) fn associations(spec: &DistributionSpec) -> Vec<(String, &Behavior, &EdgeAssociation)> {
    let mut found = Vec::new();
    for (path, behavior) in behaviors(spec) {
        let one = |(at, function)| (format!("{path}.functions.{at}"), behavior, function);
        found.extend(behavior.functions.iter().enumerate().map(one));
    }
    found
}

fn event(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    const EVENTS: [&str; 4] = ["viewer-request", "viewer-response", "origin-request", "origin-response"];
    for (path, _, function) in associations(&seen.spec) {
        let known = EVENTS.contains(&function.event.as_str());
        notes.add_if(!known, format!("{path}.event"), || format!("`{}` is not an event", function.event));
    }
}

fn one_per_event(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let mut met = BTreeSet::new();
        for (at, function) in behavior.functions.iter().enumerate() {
            let twice = !met.insert(&function.event);
            let path = format!("{path}.functions.{at}.event");
            notes.add_if(twice, path, || format!("`{}` has a second function", function.event));
        }
    }
}

fn body(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, function) in associations(&seen.spec) {
        let wrong = function.include_body && function.event.ends_with("-response");
        notes.add_if(wrong, format!("{path}.include_body"), || format!("include_body is true at {}", function.event));
    }
}

fn body_missing(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior, function) in associations(&seen.spec) {
        let posts = behavior.methods.iter().any(|method| method == "POST");
        let wrong = posts && !function.include_body && function.event.ends_with("-request");
        notes.add_if(wrong, format!("{path}.include_body"), || format!("include_body is false at {}", function.event));
    }
}

fn group(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior, function) in associations(&seen.spec) {
        let wrong = function.event == "origin-request" && on_group(&seen.spec, behavior);
        notes.add_if(wrong, format!("{path}.event"), || format!("the target `{}` is an origin group", behavior.target));
    }
}

fn numbered(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, function) in associations(&seen.spec) {
        let arn = function.function_arn.as_str();
        let path = format!("{path}.function_arn");
        if let Some((address, target)) = whole(arn).and_then(|to| seen.scope.at(to.address)) {
            let wrong = target.kind != Kind::FunctionVersion;
            notes
                .add_if(wrong, path, || format!("`{address}` is not a published version but a {}", target.kind.name()));
        } else if !is_open(arn) {
            let qualifier = arn.split(':').nth(7).unwrap_or_default();
            let number = !qualifier.is_empty() && qualifier.bytes().all(|b| b.is_ascii_digit());
            notes.add_if(!number, path, || format!("`{arn}` does not end with a version number"));
        }
    }
}

fn region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, function) in associations(&seen.spec) {
        let arn = function.function_arn.as_str();
        let literal = arn.split(':').nth(3).filter(|_| arn.starts_with("arn:") && !arn.starts_with("arn:aws:iam"));
        let held = seen.scope.function(arn).map(|(_, function)| function.region);
        if let Some(region) = held.as_deref().or(literal).filter(|region| *region != "us-east-1" && !is_open(region)) {
            notes.add(format!("{path}.function_arn"), format!("the function is in {region}"));
        }
    }
}

fn arn_form(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, function) in associations(&seen.spec) {
        let arn = function.function_arn.as_str();
        let parts: Vec<&str> = arn.split(':').collect();
        let account = parts.get(4).is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
        let good = arn.starts_with("arn:aws:lambda:") && account && parts.get(5) == Some(&"function");
        notes.add_if(!good && !is_open(arn), format!("{path}.function_arn"), || format!("`{arn}` is not of that form"));
    }
}

fn viewer(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, _, function) in associations(&seen.spec) {
        let wrong = function.event.starts_with("viewer-");
        notes.add_if(wrong, format!("{path}.event"), || format!("a function runs at {}", function.event));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        const EVENT: &str = "/behaviours/0/functions/0/event";
        const ARN: &str = "/behaviours/0/functions/0/function_arn";
        const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:other";
        let two = json!([
            {"event": "origin-request", "function_arn": format!("{LAMBDA}:1"), "include_body": true},
            {"event": "origin-request", "function_arn": format!("{LAMBDA}:2"), "include_body": true},
        ]);
        vec![
            case("LE001-event").set(CDN, EVENT, json!("request")),
            case("LE002-one-function-per-event").set(CDN, "/behaviours/0/functions", two),
            case("LE003-body-at-response").set(CDN, EVENT, json!("origin-response")),
            case("LE004-function-on-group").set(
                CDN,
                "/default_behaviour/functions",
                json!([{"event": "origin-request", "function_arn": format!("{LAMBDA}:1")}]),
            ),
            case("LE005-numbered-version").set(CDN, ARN, json!(LAMBDA)),
            case("LE005-numbered-version").set(CDN, ARN, json!(format!("{LAMBDA}:$LATEST"))),
            case("LE005-numbered-version").set(CDN, ARN, json!(format!("{LAMBDA}:live"))),
            case("LE005-numbered-version").set(CDN, ARN, json!("${edge.function.embed#arn}")),
            case("LE006-edge-region").set(CDN, ARN, json!("arn:aws:lambda:eu-central-1:123456789012:function:other:1")),
            case("LE006-edge-region").set("edge.function.embed", "/region", json!("eu-central-1")).set(
                "edge.function-version.embed",
                "/region",
                json!("eu-central-1"),
            ),
            case("LE007-lambda-arn").set(CDN, ARN, json!("arn:aws:lambda:us-east-1:ACCOUNT_ID:function:other:1")),
            case("LE008-viewer-event").set(CDN, EVENT, json!("viewer-request")).set(
                CDN,
                ARN,
                json!(format!("{LAMBDA}:1")),
            ),
            case("LE009-body-not-included").set(CDN, "/behaviours/0/functions/0/include_body", json!(false)),
        ]
    }
}
