//! The distribution, its policies, and read access to its buckets.

use std::collections::BTreeMap;

use super::{Builder, as_name, distribution as distribution_link, models};
use crate::plan::cdn::{AssociationPlan, BehaviorPlan, CdnStep, CertificateChoice, OriginPlan};
use crate::plan::{Step, StepConfig};
use crate::resource::bucket::BucketSpec;
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::distribution::{
    Behavior, CustomErrorResponse, DistributionSpec, EdgeAssociation, GeoRestriction, Logging, Origin, OriginGroup,
    ViewerCertificate,
};
use crate::resource::monitoring::MonitoringSpec;
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::response_headers_policy::ResponseHeadersPolicySpec;
use crate::resource::{Address, Kind, Level, Resource, is_name, link};

/// Policies that AWS manages, with their ids (CloudFront Developer Guide, "Use managed … policies").
const MANAGED: &[(&str, &str)] = &[
    ("CachingOptimized", "658327ea-f89d-4fab-a63d-7e88639e58f6"),
    ("CachingDisabled", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"),
    ("AllViewer", "216adef6-5c7f-47e4-b989-5492eafa07d3"),
    ("AllViewerExceptHostHeader", "b689b0a8-53d0-40ab-baf2-68738e2966ac"),
    ("SecurityHeadersPolicy", "67f7725c-6f97-4210-82d7-5512b31e9d03"),
];

/// Everything about the distribution.
pub fn distribution(builder: &mut Builder<'_>, step: &Step, plan: &CdnStep) {
    policies(builder, step, plan);
    let spec = DistributionSpec {
        comment: plan.comment.clone(),
        enabled: plan.enabled,
        price_class: plan.price_class.clone(),
        http_version: plan.http_version.clone(),
        ipv6: plan.ipv6,
        aliases: plan.aliases.as_deref().map(sorted),
        certificate: plan.certificate.as_ref().map(certificate),
        default_root_object: plan.default_root_object.clone(),
        origins: plan.origins.iter().filter_map(|(id, origin)| self::origin(builder, step, plan, id, origin)).collect(),
        origin_groups: plan
            .origin_groups
            .iter()
            .map(|(id, group)| OriginGroup {
                id: id.clone(),
                status_codes: sorted(&group.status_codes),
                members: group.members.clone(),
            })
            .collect(),
        default_behavior: behavior(builder, step, plan, "default_behavior", &plan.default_behavior),
        behaviors: plan
            .behaviors
            .iter()
            .enumerate()
            .map(|(at, one)| behavior(builder, step, plan, &format!("behaviors.{at}"), one))
            .collect(),
        custom_error_responses: plan.custom_error_responses.as_deref().map(by_code),
        geo_restriction: plan.geo_restriction.as_ref().map(countries),
        web_acl_id: plan.web_acl_id.clone(),
        logging: plan.logging.as_ref().and_then(|logging| {
            let (address, _) = bucket(builder, step, "logging.bucket", &logging.bucket)?;
            let bucket = format!("{}.s3.amazonaws.com", link(&address, "name"));
            Some(Logging { bucket, prefix: logging.prefix.clone(), cookies: logging.cookies })
        }),
        tags: BTreeMap::new(),
    };
    let address = Address::new("cdn", Kind::Distribution, "main");
    let mut resource = Resource::new(address, Kind::Distribution, &spec);
    if let Some(name) = plan.certificate.as_ref().and_then(|choice| choice.name.as_ref()).filter(|name| is_name(name)) {
        // CloudFront refuses a certificate that is not issued yet.
        resource = resource.needing(Address::new("routing", Kind::Certificate, name), Level::Propagated);
    }
    builder.add(step, "", resource);
    if plan.monitoring {
        let spec = MonitoringSpec { distribution_id: distribution_link("id") };
        let address = Address::new("cdn", Kind::Monitoring, "main");
        builder.add(step, "monitoring", Resource::new(address, Kind::Monitoring, &spec));
    }
}

fn sorted<T: Clone + Ord>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items
}

fn by_code(responses: &[CustomErrorResponse]) -> Vec<CustomErrorResponse> {
    let mut responses = responses.to_vec();
    responses.sort_by_key(|response| response.code);
    responses
}

fn countries(plan: &GeoRestriction) -> GeoRestriction {
    match plan {
        GeoRestriction::None => GeoRestriction::None,
        GeoRestriction::Allow(list) => GeoRestriction::Allow(sorted(list)),
        GeoRestriction::Deny(list) => GeoRestriction::Deny(sorted(list)),
    }
}

fn certificate(choice: &CertificateChoice) -> ViewerCertificate {
    let named = choice.name.as_ref().filter(|name| is_name(name));
    let named = named.map(|name| link(&Address::new("routing", Kind::Certificate, name), "arn"));
    ViewerCertificate {
        acm_arn: choice.arn.clone().or(named).unwrap_or_default(),
        ssl_support_method: choice.ssl_support_method.clone(),
        minimum_protocol: choice.minimum_protocol.clone(),
    }
}

/// A bucket of the plan by `models.NAME` or `page`.
fn bucket(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str) -> Option<(Address, BucketSpec)> {
    let found = builder.plan.in_force(builder.requested).find_map(|other| match &other.work {
        StepConfig::Models(models) => {
            let (key, bucket) = models.buckets.iter().find(|(key, _)| format!("models.{key}") == name)?;
            Some((Address::new("models", Kind::Bucket, &as_name(key)), bucket.clone()))
        }
        StepConfig::Page(page) if name == "page" => {
            Some((Address::new("page", Kind::Bucket, "site"), page.bucket.clone()))
        }
        _ => None,
    });
    if found.is_none() {
        builder.unknown(step, below, format!("the plan has no bucket {name:?}"), "write models.NAME or page");
    }
    found
}

fn origin(builder: &mut Builder<'_>, step: &Step, plan: &CdnStep, id: &str, origin: &OriginPlan) -> Option<Origin> {
    let below = format!("origins.{id}");
    let stated = Origin {
        id: id.to_owned(),
        domain_name: origin.domain.clone().unwrap_or_default(),
        path: origin.path.clone(),
        headers: origin.headers.clone(),
        shield: origin.origin_shield.clone(),
        connection_attempts: origin.connection_attempts,
        connection_timeout_seconds: origin.connection_timeout_seconds,
        custom: origin.custom.clone(),
        origin_access_id: None,
    };
    let Some(name) = &origin.bucket else { return Some(stated) };
    let (bucket, spec) = bucket(builder, step, &below, name)?;
    let access = Address::new("cdn", Kind::OriginAccess, &as_name(id));
    let name = format!("{}-{}", plan.prefix, as_name(id));
    let access_spec = OriginAccessSpec::new(name, format!("Signed reads of {}", spec.name));
    builder.add(step, &below, Resource::new(access.clone(), Kind::OriginAccess, &access_spec));
    models::readable_by_distribution(builder, step, &below, &bucket, &spec);
    Some(Origin { domain_name: link(&bucket, "domain"), origin_access_id: Some(link(&access, "id")), ..stated })
}

fn behavior(builder: &mut Builder<'_>, step: &Step, plan: &CdnStep, below: &str, one: &BehaviorPlan) -> Behavior {
    let mut policy = |kind: Kind, field: &str, name: Option<&String>, known: Vec<&String>| {
        name.map(|name| policy_id(builder, step, &format!("{below}.{field}"), kind, name, &known))
    };
    let cache =
        policy(Kind::CachePolicy, "cache_policy", one.cache_policy.as_ref(), plan.cache_policies.keys().collect());
    let request = policy(
        Kind::OriginRequestPolicy,
        "origin_request_policy",
        one.origin_request_policy.as_ref(),
        plan.origin_request_policies.keys().collect(),
    );
    let response = policy(
        Kind::ResponseHeadersPolicy,
        "response_headers_policy",
        one.response_headers_policy.as_ref(),
        plan.response_headers_policies.keys().collect(),
    );
    let mut functions: Vec<EdgeAssociation> = if plan.edge_functions {
        one.functions.iter().map(|function| association(builder, step, below, function)).collect()
    } else {
        Vec::new()
    };
    functions.sort_by(|a, b| a.event.cmp(&b.event));
    Behavior {
        path: one.path.clone(),
        target: one.target.clone(),
        viewer_protocol: one.viewer_protocol.clone(),
        methods: sorted(&one.methods),
        compress: one.compress,
        cache_policy_id: cache,
        min_ttl: one.min_ttl,
        origin_request_policy_id: request,
        response_headers_policy_id: response,
        trusted_key_groups: one.trusted_key_groups.as_deref().map(sorted),
        functions,
    }
}

/// The id of a policy: one of the plan, a managed one by name, or an id as it is.
fn policy_id(builder: &mut Builder<'_>, step: &Step, below: &str, kind: Kind, name: &str, known: &[&String]) -> String {
    if known.iter().any(|own| *own == name) {
        return link(&Address::new("cdn", kind, &as_name(name)), "id");
    }
    if let Some((_, id)) = MANAGED.iter().find(|(managed, _)| *managed == name) {
        return (*id).to_owned();
    }
    let like_id = name.len() == 36 && name.split('-').count() == 5;
    if !like_id {
        let managed: Vec<&str> = MANAGED.iter().map(|(managed, _)| *managed).collect();
        let next = format!("name one of this step, one of {}, or an id", managed.join(", "));
        builder.unknown(step, below, format!("there is no {} {name:?}", kind.facts().title), next);
    }
    name.to_owned()
}

fn association(builder: &mut Builder<'_>, step: &Step, below: &str, plan: &AssociationPlan) -> EdgeAssociation {
    let known = builder.plan.in_force(builder.requested).any(
        |other| matches!(&other.work, StepConfig::EdgeFunction(edge) if edge.functions.contains_key(&plan.function)),
    );
    let function_arn = if known {
        link(&Address::new("edge", Kind::FunctionVersion, &as_name(&plan.function)), "arn")
    } else {
        if !plan.function.starts_with("arn:") {
            builder.unknown(
                step,
                &format!("{below}.functions"),
                format!("the plan has no function {:?}", plan.function),
                "name a function of an edge-function step, or give an ARN with its version",
            );
        }
        plan.function.clone()
    };
    EdgeAssociation { event: plan.event.clone(), function_arn, include_body: plan.include_body }
}

fn choice(choice: &Choice) -> Choice {
    match choice {
        Choice::Only(names) => Choice::Only(sorted(names)),
        Choice::AllExcept(names) => Choice::AllExcept(sorted(names)),
        other => other.clone(),
    }
}

fn header_choice(choice: &HeaderChoice) -> HeaderChoice {
    match choice {
        HeaderChoice::None => HeaderChoice::None,
        HeaderChoice::AllViewer => HeaderChoice::AllViewer,
        HeaderChoice::AllExcept(names) => HeaderChoice::AllExcept(sorted(names)),
        HeaderChoice::Only(names) => HeaderChoice::Only(sorted(names)),
        HeaderChoice::AllViewerAnd(names) => HeaderChoice::AllViewerAnd(sorted(names)),
    }
}

fn policies(builder: &mut Builder<'_>, step: &Step, plan: &CdnStep) {
    let full = |name: &str| format!("{}-{}", plan.prefix, as_name(name));
    for (name, policy) in &plan.cache_policies {
        let spec = CachePolicySpec {
            name: full(name),
            comment: policy.comment.clone(),
            min_ttl: policy.min_ttl,
            default_ttl: policy.default_ttl,
            max_ttl: policy.max_ttl,
            gzip: policy.gzip,
            brotli: policy.brotli,
            headers: sorted(&policy.headers),
            query_strings: choice(&policy.query_strings),
            cookies: choice(&policy.cookies),
        };
        let address = Address::new("cdn", Kind::CachePolicy, &as_name(name));
        builder.add(step, &format!("cache_policies.{name}"), Resource::new(address, Kind::CachePolicy, &spec));
    }
    for (name, policy) in &plan.origin_request_policies {
        let spec = OriginRequestPolicySpec {
            name: full(name),
            comment: policy.comment.clone(),
            headers: header_choice(&policy.headers),
            query_strings: choice(&policy.query_strings),
            cookies: choice(&policy.cookies),
        };
        let address = Address::new("cdn", Kind::OriginRequestPolicy, &as_name(name));
        builder.add(
            step,
            &format!("origin_request_policies.{name}"),
            Resource::new(address, Kind::OriginRequestPolicy, &spec),
        );
    }
    for (name, policy) in &plan.response_headers_policies {
        let spec = ResponseHeadersPolicySpec {
            name: full(name),
            comment: policy.comment.clone(),
            cors: policy.cors.clone(),
            hsts_seconds: policy.hsts_seconds,
            hsts_include_subdomains: policy.hsts_include_subdomains,
            hsts_preload: policy.hsts_preload,
            nosniff: policy.nosniff,
            frame_options: policy.frame_options.clone(),
            referrer_policy: policy.referrer_policy.clone(),
            content_security_policy: policy.content_security_policy.clone(),
            xss_protection: policy.xss_protection.clone(),
            server_timing_percent: policy.server_timing_percent,
            remove: policy.remove.as_deref().map(sorted),
            custom: policy.custom.clone(),
        };
        let address = Address::new("cdn", Kind::ResponseHeadersPolicy, &as_name(name));
        builder.add(
            step,
            &format!("response_headers_policies.{name}"),
            Resource::new(address, Kind::ResponseHeadersPolicy, &spec),
        );
    }
}
