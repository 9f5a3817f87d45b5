//! Settings without a field in the spec that CloudFront leaves off by default: they are shown and kept.

use serde_json::{Value, json};

use super::behavior::methods;
use super::*;

/// Seconds that CloudFront waits for a bucket, and how long it keeps what says nothing, when nobody says otherwise.
const READ_TIMEOUT: i32 = 30;
const LEGACY_TTL: (i64, i64) = (86_400, 31_536_000);

/// Settings below one path.
struct NestedSettings<'a> {
    path: String,
    out: &'a mut Vec<(String, Value)>,
}

impl NestedSettings<'_> {
    /// Notes a value, when there is one.
    fn note(&mut self, name: &str, value: Option<Value>) {
        self.out.extend(value.map(|value| (format!("{}{name}", self.path), value)));
    }

    /// Notes a text that is not empty.
    fn text(&mut self, name: &str, held: Option<&str>) {
        self.note(name, held.filter(|text| !text.is_empty()).map(Value::from));
    }

    /// Notes what is switched on.
    fn on(&mut self, name: &str, held: bool) {
        self.note(name, held.then_some(Value::Bool(true)));
    }
}

/// Dotted paths and values of everything that is not as CloudFront makes it.
pub fn all(config: &cf::DistributionConfig) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    let mut at =
        |path: String, visit: &dyn Fn(&mut NestedSettings<'_>)| visit(&mut NestedSettings { path, out: &mut out });
    at(String::new(), &|below| whole(config, below));
    for one in config.origins.iter().flat_map(|list| &list.items) {
        at(format!("origins.{}.", one.id), &|below| origin(one, below));
    }
    for group in config.origin_groups.iter().flat_map(|list| list.items()) {
        let by = group.selection_criteria.as_ref().filter(|by| **by != cf::OriginGroupSelectionCriteria::Default);
        at(format!("origin_groups.{}.", group.id), &|below| below.text("selection", by.map(|by| by.as_str())));
    }
    if let Some(one) = &config.default_cache_behavior {
        at("default_behaviour.".to_owned(), &|below| default_behavior(one, below));
    }
    for one in config.cache_behaviors.iter().flat_map(|list| list.items()) {
        at(format!("behaviours.{}.", one.path_pattern), &|below| behavior(one, below));
    }
    out
}

fn whole(held: &cf::DistributionConfig, below: &mut NestedSettings<'_>) {
    below.on("staging", held.staging.unwrap_or_default());
    below.text("continuous_deployment_policy_id", held.continuous_deployment_policy_id.as_deref());
    below.text("anycast_ip_list_id", held.anycast_ip_list_id.as_deref());
    let mode = held.connection_mode.as_ref().filter(|mode| **mode != cf::ConnectionMode::Direct);
    below.text("connection_mode", mode.map(cf::ConnectionMode::as_str));
    below.text("viewer_mtls", held.viewer_mtls_config.as_ref().map(|mtls| mtls.mode.as_str()));
    below.text("connection_function", held.connection_function_association.as_ref().map(|one| one.id.as_str()));
    let server = held.viewer_certificate.as_ref().and_then(|held| held.iam_certificate_id.as_deref());
    below.text("certificate.iam_certificate_id", server);
}

fn origin(held: &cf::Origin, below: &mut NestedSettings<'_>) {
    below.note("response_completion_timeout_seconds", held.response_completion_timeout.map(Value::from));
    below.text("vpc_origin_id", held.vpc_origin_config.as_ref().map(|vpc| vpc.vpc_origin_id.as_str()));
    if let Some(s3) = &held.s3_origin_config {
        below.text("origin_access_identity", Some(&s3.origin_access_identity));
        below
            .note("read_timeout_seconds", s3.origin_read_timeout.filter(|time| *time != READ_TIMEOUT).map(Value::from));
    }
    let Some(custom) = &held.custom_origin_config else { return };
    let protocols = custom.origin_ssl_protocols.iter().flat_map(|list| &list.items).map(cf::SslProtocol::as_str);
    let mut protocols: Vec<&str> = protocols.collect();
    protocols.sort_unstable();
    let usual = protocols.is_empty() || protocols == [cf::SslProtocol::TlSv12.as_str()];
    below.note("custom.ssl_protocols", (!usual).then(|| json!(protocols)));
    let sort = custom.ip_address_type.as_ref().filter(|sort| **sort != cf::IpAddressType::Ipv4);
    below.text("custom.ip_address_type", sort.map(cf::IpAddressType::as_str));
    below.on("custom.mtls", custom.origin_mtls_config.is_some());
}

/// The two types of the SDK have the same fields.
macro_rules! behavior {
    ($name:ident, $type:ty) => {
        #[expect(deprecated, reason = "the legacy settings are seen, too")]
        fn $name(held: &$type, below: &mut NestedSettings<'_>) {
            below.on("smooth_streaming", held.smooth_streaming.unwrap_or_default());
            below.on("grpc", held.grpc_config.as_ref().is_some_and(|grpc| grpc.enabled));
            below.text("field_level_encryption_id", held.field_level_encryption_id.as_deref());
            below.text("realtime_log_config_arn", held.realtime_log_config_arn.as_deref());
            below.note("trusted_signers", held.trusted_signers.as_ref().and_then(signers));
            below.note("cloudfront_functions", held.function_associations.as_ref().and_then(functions));
            below.note("cached_methods", held.allowed_methods.as_ref().and_then(cached));
            if let Some(forwarded) = &held.forwarded_values {
                let other = |held: Option<i64>, usual: i64| held.filter(|held| *held != usual).map(Value::from);
                below.note("default_ttl", other(held.default_ttl, LEGACY_TTL.0));
                below.note("max_ttl", other(held.max_ttl, LEGACY_TTL.1));
                legacy(forwarded, below);
            }
        }
    };
}

behavior!(default_behavior, cf::DefaultCacheBehavior);
behavior!(behavior, cf::CacheBehavior);

fn signers(held: &cf::TrustedSigners) -> Option<Value> {
    held.enabled.then(|| json!(held.items()))
}

/// CloudFront Functions, by event; those of Lambda are in the spec.
fn functions(held: &cf::FunctionAssociations) -> Option<Value> {
    let by_event = held.items().iter().map(|one| (one.event_type.as_str().to_owned(), one.function_arn.clone().into()));
    let by_event: serde_json::Map<String, Value> = by_event.collect();
    (!by_event.is_empty()).then_some(Value::Object(by_event))
}

/// The cached methods, where they are not those that go with the allowed ones.
fn cached(held: &cf::AllowedMethods) -> Option<Value> {
    let words = |methods: &[cf::Method]| {
        let mut words: Vec<String> = methods.iter().map(|method| method.as_str().to_owned()).collect();
        words.sort_unstable();
        words
    };
    let there = words(&held.cached_methods.as_ref()?.items);
    let usual = methods(&words(&held.items)).ok()?.cached_methods.map(|list| words(&list.items));
    (usual.as_ref() != Some(&there)).then(|| json!(there))
}

fn legacy(held: &cf::ForwardedValues, below: &mut NestedSettings<'_>) {
    below.on("forwarded.query_string", held.query_string);
    let cookies = held.cookies.as_ref().filter(|cookies| cookies.forward != cf::ItemSelection::None);
    below.text("forwarded.cookies", cookies.map(|cookies| cookies.forward.as_str()));
    let list = |items: &[String]| (!items.is_empty()).then(|| json!(items));
    below.note("forwarded.headers", held.headers.as_ref().and_then(|all| list(all.items())));
    below.note("forwarded.query_string_keys", held.query_string_cache_keys.as_ref().and_then(|all| list(all.items())));
}
