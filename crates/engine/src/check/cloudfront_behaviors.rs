//! Rules on behaviors: their targets, methods and caching.

use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::is_open;
use crate::resource::Kind;
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::distribution::{Behavior, DistributionSpec};

type Spec<'a> = CheckedResource<'a, DistributionSpec>;

/// The managed policy CachingDisabled.
pub(super) const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";

pub(super) const RULES: &[CheckRule<DistributionSpec>] = &[
    error(
        "CF301-target-unknown",
        "every behavior targets an origin or an origin group of the distribution",
        "NoSuchOrigin: One or more of your origins or origin groups do not exist.",
        "name the id of an origin or an origin group",
        target,
    ),
    error(
        "CF302-write-methods-on-group",
        "a behavior on an origin group takes no POST, PUT, PATCH or DELETE",
        "InvalidArgument: The parameter AllowedMethods cannot include POST, PUT, PATCH, or DELETE for a cached behavior associated with an origin group.",
        "send writing paths to one origin (a latency name over the regions keeps failover), and only GET, HEAD, OPTIONS to the group",
        group_methods,
    ),
    error(
        "CF303-method-set",
        "methods come in three sets",
        "InvalidArgument: The parameter AllowedMethods is not one of the allowed sets",
        "write GET,HEAD or GET,HEAD,OPTIONS or all seven (DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT)",
        method_set,
    ),
    error(
        "CF304-path-twice",
        "path patterns are unique",
        "InvalidArgument: The parameter PathPattern contains a duplicate",
        "join the two behaviors",
        path_twice,
    ),
    error(
        "CF305-path-form",
        "path patterns are well formed; only the default behavior has none",
        "InvalidArgument: The parameter PathPattern is not valid",
        "write for example /v1/* (up to 255 letters, digits and _-.*$/~\"'@:+&?)",
        path_form,
    ),
    error(
        "CF306-cache-policy-xor-ttl",
        "a behavior has a cache policy or a legacy time to live, not both, not neither",
        "InvalidArgument: a behavior needs either CachePolicyId or ForwardedValues with MinTTL",
        "write cache_policy_id and leave min_ttl out",
        cache_policy,
    ),
    warning(
        "CF307-post-not-cached",
        "a behavior that takes POST caches by something that its GET has",
        "accepted; CloudFront never caches POST: it caches answers to GET and HEAD, and to OPTIONS when told to",
        "use CachingDisabled (4135ea2d-6df8-44a3-9df3-4b5a84be39ad) here, or let GET ask by query and put each parameter that changes the answer into the cache policy (query_strings), nothing of the body (Content-Type) and min_ttl 0",
        post_cached,
    ),
    error(
        "CF308-viewer-protocol",
        "the viewer protocol is valid",
        "InvalidArgument: the viewer protocol policy is not known",
        "write redirect-to-https, https-only or allow-all",
        viewer_protocol,
    ),
    error(
        "CF309-request-policy-needs-cache-policy",
        "an origin request policy needs a cache policy",
        "InvalidArgument: an origin request policy cannot be used with ForwardedValues",
        "write cache_policy_id instead of min_ttl",
        request_policy,
    ),
    error(
        "CF310-policy-id",
        "policies are named by id",
        "NoSuchCachePolicy, NoSuchOriginRequestPolicy or NoSuchResponseHeadersPolicy",
        "write the policy's id (a UUID) or a reference to the policy's resource",
        policy_id,
    ),
];

/// Every behavior with its path in the spec.
pub(super) fn behaviors(spec: &DistributionSpec) -> Vec<(String, &Behavior)> {
    let others = spec.behaviors.iter().enumerate().map(|(at, one)| (format!("behaviours.{at}"), one));
    [("default_behaviour".to_owned(), &spec.default_behavior)].into_iter().chain(others).collect()
}

/// Whether a behavior leads to an origin group.
pub(super) fn on_group(spec: &DistributionSpec, behavior: &Behavior) -> bool {
    spec.origin_groups.iter().any(|group| group.id == behavior.target)
}

fn writes(behavior: &Behavior) -> Vec<&str> {
    let writing = |method: &&str| ["POST", "PUT", "PATCH", "DELETE"].contains(method);
    behavior.methods.iter().map(String::as_str).filter(writing).collect()
}

fn target(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let known =
            seen.spec.origins.iter().any(|origin| origin.id == behavior.target) || on_group(&seen.spec, behavior);
        notes.add_if(!known, format!("{path}.target"), || {
            format!("`{}` is neither an origin nor an origin group", behavior.target)
        });
    }
}

fn group_methods(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec).into_iter().filter(|(_, one)| on_group(&seen.spec, one)) {
        let writes = writes(behavior);
        let problem = || format!("group `{}` is the target of {}", behavior.target, writes.join(", "));
        notes.add_if(!writes.is_empty(), format!("{path}.methods"), problem);
    }
}

fn method_set(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    const SETS: [&[&str]; 3] =
        [&["GET", "HEAD"], &["GET", "HEAD", "OPTIONS"], &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]];
    for (path, behavior) in behaviors(&seen.spec) {
        let mut methods: Vec<&str> = behavior.methods.iter().map(String::as_str).collect();
        methods.sort_unstable();
        let wrong = !SETS.contains(&methods.as_slice());
        notes.add_if(wrong, format!("{path}.methods"), || format!("the methods are {}", methods.join(", ")));
    }
}

fn path_twice(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let all = &seen.spec.behaviors;
    for (at, behavior) in all.iter().enumerate() {
        if let Some(pattern) = &behavior.path
            && all[..at].iter().any(|before| before.path.as_ref() == Some(pattern))
        {
            notes.add(format!("behaviours.{at}.path"), format!("`{pattern}` appears twice"));
        }
    }
}

fn path_form(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if let Some(pattern) = &seen.spec.default_behavior.path {
        notes.add("default_behaviour.path", format!("the default behavior has the pattern `{pattern}`"));
    }
    for (at, behavior) in seen.spec.behaviors.iter().enumerate() {
        let pattern = behavior.path.as_deref().unwrap_or_default();
        let legal = pattern.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.*$/~\"'@:+&?".contains(&b));
        let wrong = pattern.is_empty() || pattern.len() > 255 || !legal;
        notes.add_if(wrong, format!("behaviours.{at}.path"), || format!("the pattern is `{pattern}`"));
    }
}

fn cache_policy(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        match (&behavior.cache_policy_id, behavior.min_ttl) {
            (Some(id), Some(ttl)) => notes.add(path, format!("it has both cache_policy_id `{id}` and min_ttl {ttl}")),
            (None, None) => notes.add(path, "it has neither cache_policy_id nor min_ttl"),
            _ => {}
        }
    }
}

/// Whether a policy of the plan caches answers to GET by its query, as the same address answers POST: its key has query strings and no
/// header of a body, and the origin can refuse to have an answer kept.
fn caches_by_query(seen: &Spec<'_>, id: &str) -> bool {
    let policy = seen.scope.behind::<CachePolicySpec>(Kind::CachePolicy, id);
    policy.is_some_and(|(_, policy)| {
        let of_body = policy.headers.iter().any(|name| name.to_ascii_lowercase().starts_with("content-"));
        policy.query_strings != Choice::None && !of_body && policy.min_ttl == 0
    })
}

fn post_cached(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let Some(id) = behavior.cache_policy_id.as_deref().filter(|id| *id != CACHING_DISABLED) else { continue };
        let post = behavior.methods.iter().any(|method| method == "POST") && !caches_by_query(seen, id);
        let problem = || format!("the behavior takes POST and has the caching policy `{id}`");
        notes.add_if(post, format!("{path}.cache_policy_id"), problem);
    }
}

fn viewer_protocol(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let word = behavior.viewer_protocol.as_str();
        let known = ["redirect-to-https", "https-only", "allow-all"].contains(&word);
        notes.add_if(!known, format!("{path}.viewer_protocol"), || format!("`{word}` is not a viewer protocol"));
    }
}

fn request_policy(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let wrong = behavior.origin_request_policy_id.is_some() && behavior.cache_policy_id.is_none();
        let path = format!("{path}.origin_request_policy_id");
        notes.add_if(wrong, path, || "there is an origin request policy and no cache policy".to_owned());
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn policy_id(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, behavior) in behaviors(&seen.spec) {
        let fields = [
            ("cache_policy_id", &behavior.cache_policy_id),
            ("origin_request_policy_id", &behavior.origin_request_policy_id),
            ("response_headers_policy_id", &behavior.response_headers_policy_id),
        ];
        for (field, id) in fields {
            let Some(id) = id.as_deref().filter(|id| !is_open(id)) else { continue };
            notes.add_if(!is_uuid(id), format!("{path}.{field}"), || format!("`{id}` is not a policy id"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const CDN: &str = "cdn.distribution.main";
        let seven = json!(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);
        vec![
            case("CF301-target-unknown").set(CDN, "/behaviours/0/target", json!("asia")),
            case("CF302-write-methods-on-group")
                .set(CDN, "/behaviours/0/target", json!("pair"))
                .also("LE004-function-on-group"),
            case("CF303-method-set").set(CDN, "/behaviours/0/methods", json!(["GET", "POST"])),
            case("CF304-path-twice").set(CDN, "/behaviours/1/path", json!("/v1/embed*")),
            case("CF305-path-form").remove(CDN, "/behaviours/0/path"),
            case("CF305-path-form").set(CDN, "/default_behaviour/path", json!("*")),
            case("CF305-path-form").set(CDN, "/behaviours/0/path", json!("/v1/embed#x")),
            case("CF306-cache-policy-xor-ttl").set(CDN, "/behaviours/0/min_ttl", json!(0)),
            case("CF306-cache-policy-xor-ttl").remove(CDN, "/behaviours/1/cache_policy_id"),
            case("CF307-post-not-cached").set(CDN, "/behaviours/1/methods", seven.clone()).set(
                CDN,
                "/behaviours/1/cache_policy_id",
                json!("658327ea-f89d-4fab-a63d-7e88639e58f6"),
            ),
            case("CF307-post-not-cached").set(CDN, "/behaviours/1/methods", seven).set(
                "cdn.cache-policy.read",
                "/query_strings",
                json!("none"),
            ),
            case("CF308-viewer-protocol").set(CDN, "/behaviours/0/viewer_protocol", json!("https")),
            case("CF309-request-policy-needs-cache-policy").remove(CDN, "/behaviours/0/cache_policy_id").set(
                CDN,
                "/behaviours/0/min_ttl",
                json!(0),
            ),
            case("CF310-policy-id").set(CDN, "/behaviours/1/cache_policy_id", json!("akidb-embedding-cache-policy")),
        ]
    }
}
