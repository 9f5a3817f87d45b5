//! Cache behaviors: the default one and those by path are two types of the SDK with the same fields.

use std::collections::BTreeSet;

use super::read::text;
use super::*;
use crate::resource::distribution::{Behavior, EdgeAssociation};

/// The fields of either type that the plan manages.
pub struct BehaviorFields<'a> {
    target: &'a mut String,
    viewer_protocol: &'a mut cf::ViewerProtocolPolicy,
    methods: &'a mut Option<cf::AllowedMethods>,
    compress: &'a mut Option<bool>,
    functions: &'a mut Option<cf::LambdaFunctionAssociations>,
    key_groups: &'a mut Option<cf::TrustedKeyGroups>,
    cache_policy: &'a mut Option<String>,
    origin_request_policy: &'a mut Option<String>,
    response_headers_policy: &'a mut Option<String>,
    forwarded: &'a mut Option<cf::ForwardedValues>,
    min_ttl: &'a mut Option<i64>,
    default_ttl: &'a mut Option<i64>,
    max_ttl: &'a mut Option<i64>,
}

macro_rules! parts {
    ($held:expr) => {
        BehaviorFields {
            target: &mut $held.target_origin_id,
            viewer_protocol: &mut $held.viewer_protocol_policy,
            methods: &mut $held.allowed_methods,
            compress: &mut $held.compress,
            functions: &mut $held.lambda_function_associations,
            key_groups: &mut $held.trusted_key_groups,
            cache_policy: &mut $held.cache_policy_id,
            origin_request_policy: &mut $held.origin_request_policy_id,
            response_headers_policy: &mut $held.response_headers_policy_id,
            forwarded: &mut $held.forwarded_values,
            min_ttl: &mut $held.min_ttl,
            default_ttl: &mut $held.default_ttl,
            max_ttl: &mut $held.max_ttl,
        }
    };
}

/// The default behavior, changed as the plan says.
#[expect(deprecated, reason = "the legacy time to live is part of the spec")]
pub fn default(
    spec: &Behavior,
    held: Option<cf::DefaultCacheBehavior>,
    before: Option<&DistributionSpec>,
) -> Result<cf::DefaultCacheBehavior, Fault> {
    let fresh = || {
        let new = cf::DefaultCacheBehavior::builder().target_origin_id(&spec.target);
        new.viewer_protocol_policy(spec.viewer_protocol.as_str().into()).build().map_err(unbuilt)
    };
    let mut held = held.map_or_else(fresh, Ok)?;
    apply(parts!(held), spec, before.map(|before| &before.default_behavior))?;
    Ok(held)
}

/// The behaviors by path: the plan's in its order, each with its other settings as they are held; those of others keep
/// their place behind the one that stood before them. With them, what those of others lead to.
#[expect(deprecated, reason = "the legacy time to live is part of the spec")]
pub fn by_path(
    spec: &DistributionSpec,
    held: Option<cf::CacheBehaviors>,
    before: Option<&DistributionSpec>,
) -> Result<(cf::CacheBehaviors, BTreeSet<String>), Fault> {
    let former: &[Behavior] = before.map(|before| before.behaviors.as_slice()).unwrap_or_default();
    let find = |list: &[Behavior], path: &str| list.iter().position(|one| one.path.as_deref() == Some(path));
    let mut items = Vec::new();
    let mut held = held.and_then(|list| list.items).unwrap_or_default();
    for spec in &spec.behaviors {
        let path = spec.path.as_deref().unwrap_or_default();
        let fresh = || {
            let new = cf::CacheBehavior::builder().path_pattern(path).target_origin_id(&spec.target);
            new.viewer_protocol_policy(spec.viewer_protocol.as_str().into()).build().map_err(unbuilt)
        };
        let known = held.iter().find(|held| held.path_pattern == path).cloned();
        let mut held = known.map_or_else(fresh, Ok)?;
        apply(parts!(held), spec, find(former, path).map(|at| &former[at]))?;
        items.push(held);
    }
    held.retain(|held| {
        find(&spec.behaviors, &held.path_pattern).is_some() || find(former, &held.path_pattern).is_none()
    });
    let (mut needed, mut place) = (BTreeSet::new(), 0);
    for held in held {
        if let Some(at) = items.iter().position(|item: &cf::CacheBehavior| item.path_pattern == held.path_pattern) {
            place = at + 1;
        } else {
            needed.insert(held.target_origin_id.clone());
            items.insert(place, held);
            place += 1;
        }
    }
    let list = cf::CacheBehaviors::builder().quantity(quantity(&items));
    let list = list.set_items((!items.is_empty()).then_some(items)).build().map_err(unbuilt)?;
    Ok((list, needed))
}

fn apply(held: BehaviorFields<'_>, spec: &Behavior, before: Option<&Behavior>) -> Result<(), Fault> {
    let was = |stated: fn(&Behavior) -> bool| before.is_some_and(stated);
    held.target.clone_from(&spec.target);
    *held.viewer_protocol = spec.viewer_protocol.as_str().into();
    *held.compress = Some(spec.compress);
    // Which answers are cached is the owner's as long as the allowed methods stay the same.
    if methods_spec(held.methods.as_ref()) != spec.methods || held.methods.is_none() {
        *held.methods = Some(methods(&spec.methods)?);
    }
    *held.functions = Some(functions(&spec.functions)?);
    let groups = spec.trusted_key_groups.as_deref().map(key_groups).transpose()?;
    put(held.key_groups, groups, was(|b| b.trusted_key_groups.is_some()), Some(key_groups(&[])?));
    let id = spec.origin_request_policy_id.clone();
    put(held.origin_request_policy, id, was(|b| b.origin_request_policy_id.is_some()), None);
    let id = spec.response_headers_policy_id.clone();
    put(held.response_headers_policy, id, was(|b| b.response_headers_policy_id.is_some()), None);
    caching(held, spec, before)
}

/// A cache policy or the legacy settings, never both: CloudFront refuses that.
fn caching(held: BehaviorFields<'_>, spec: &Behavior, before: Option<&Behavior>) -> Result<(), Fault> {
    let was = |stated: fn(&Behavior) -> bool| before.is_some_and(stated);
    put(held.cache_policy, spec.cache_policy_id.clone(), was(|b| b.cache_policy_id.is_some()), None);
    if spec.cache_policy_id.is_none() && spec.min_ttl.is_some() {
        *held.cache_policy = None;
    }
    if held.cache_policy.as_deref().is_some_and(|id| !id.is_empty()) {
        (*held.forwarded, *held.min_ttl, *held.default_ttl, *held.max_ttl) = (None, None, None, None);
        return Ok(());
    }
    put(held.min_ttl, spec.min_ttl, was(|b| b.min_ttl.is_some()), Some(0));
    // One of the two must be there, and the legacy settings must have a shortest time.
    *held.min_ttl = held.min_ttl.or(Some(0));
    if held.forwarded.is_none() {
        let cookies = cf::CookiePreference::builder().forward(cf::ItemSelection::None).build().map_err(unbuilt)?;
        let fresh = cf::ForwardedValues::builder().query_string(false).cookies(cookies);
        *held.forwarded = Some(fresh.build().map_err(unbuilt)?);
    }
    Ok(())
}

fn key_groups(ids: &[String]) -> Result<cf::TrustedKeyGroups, Fault> {
    let list = cf::TrustedKeyGroups::builder().enabled(!ids.is_empty()).quantity(quantity(ids));
    list.set_items((!ids.is_empty()).then(|| ids.to_vec())).build().map_err(unbuilt)
}

/// The allowed methods with those that are cached.
pub fn methods(allowed: &[String]) -> Result<cf::AllowedMethods, Fault> {
    let words = |names: &[&str]| names.iter().map(|name| cf::Method::from(*name)).collect::<Vec<_>>();
    let has_options = allowed.iter().any(|method| method == "OPTIONS");
    let cached = words(if has_options { &["GET", "HEAD", "OPTIONS"] } else { &["GET", "HEAD"] });
    let cached = cf::CachedMethods::builder().quantity(quantity(&cached)).set_items(Some(cached));
    let items: Vec<_> = allowed.iter().map(|method| cf::Method::from(method.as_str())).collect();
    cf::AllowedMethods::builder()
        .quantity(quantity(&items))
        .set_items(Some(items))
        .cached_methods(cached.build().map_err(unbuilt)?)
        .build()
        .map_err(unbuilt)
}

fn functions(wanted: &[EdgeAssociation]) -> Result<cf::LambdaFunctionAssociations, Fault> {
    let items = wanted.iter().map(|function| {
        cf::LambdaFunctionAssociation::builder()
            .lambda_function_arn(&function.function_arn)
            .event_type(function.event.as_str().into())
            .include_body(function.include_body)
            .build()
    });
    let items = items.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    cf::LambdaFunctionAssociations::builder()
        .quantity(quantity(&items))
        .set_items((!items.is_empty()).then_some(items))
        .build()
        .map_err(unbuilt)
}

/// The default behavior as a spec.
#[expect(deprecated, reason = "the legacy time to live is part of the spec")]
pub fn default_spec(mut held: cf::DefaultCacheBehavior) -> Behavior {
    as_spec(None, parts!(held))
}

/// A behavior by path as a spec.
#[expect(deprecated, reason = "the legacy time to live is part of the spec")]
pub fn spec(mut held: cf::CacheBehavior) -> Behavior {
    as_spec(Some(std::mem::take(&mut held.path_pattern)), parts!(held))
}

fn as_spec(path: Option<String>, held: BehaviorFields<'_>) -> Behavior {
    let cache_policy_id = text(held.cache_policy.take());
    let functions = held.functions.take().and_then(|list| list.items).unwrap_or_default();
    let mut functions: Vec<_> = functions.into_iter().map(function_spec).collect();
    functions.sort_by(|a, b| a.event.cmp(&b.event));
    Behavior {
        path,
        target: std::mem::take(held.target),
        viewer_protocol: held.viewer_protocol.as_str().to_owned(),
        methods: methods_spec(held.methods.as_ref()),
        compress: held.compress.unwrap_or_default(),
        min_ttl: held.min_ttl.filter(|_| cache_policy_id.is_none()),
        cache_policy_id,
        origin_request_policy_id: text(held.origin_request_policy.take()),
        response_headers_policy_id: text(held.response_headers_policy.take()),
        trusted_key_groups: Some(held.key_groups.take().and_then(|list| list.items).unwrap_or_default()),
        functions,
    }
}

fn function_spec(held: cf::LambdaFunctionAssociation) -> EdgeAssociation {
    EdgeAssociation {
        event: held.event_type.as_str().to_owned(),
        function_arn: held.lambda_function_arn,
        include_body: held.include_body.unwrap_or_default(),
    }
}

/// The allowed methods, sorted; GET and HEAD where nothing is said.
fn methods_spec(held: Option<&cf::AllowedMethods>) -> Vec<String> {
    let mut methods: Vec<String> = match held {
        Some(held) => held.items().iter().map(|method| method.as_str().to_owned()).collect(),
        None => vec!["GET".to_owned(), "HEAD".to_owned()],
    };
    methods.sort_unstable();
    methods
}
