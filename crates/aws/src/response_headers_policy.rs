//! CloudFront response headers policies.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;
use serde_json::{Value, json};

use super::edit::{lacking, quantity, unbuilt};
use super::fault_of;
use super::named::{ListPage, NamedApi};
use super::security_headers as security;
use super::stated::put;
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::resource::response_headers_policy::{CorsHeaders, ResponseHeadersPolicySpec};
use crate::resource::{Fault, Kind};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: MAKE, on: context::everything, actions: &["cloudfront:CreateResponseHeadersPolicy"] },
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:ListResponseHeadersPolicies"] },
    Grant {
        sid: "ResponseHeadersPolicies",
        on: |facts| context::cloudfront(facts, "response-headers-policy"),
        actions: &[
            "cloudfront:DeleteResponseHeadersPolicy",
            "cloudfront:GetResponseHeadersPolicy",
            "cloudfront:UpdateResponseHeadersPolicy",
        ],
    },
];

/// Response headers policies of the account.
pub struct ResponseHeadersPolicies;

/// Seconds that a browser may keep an answer when nothing is said.
const CORS_MAX_AGE: i32 = 600;

/// The CORS part. Whether it overrides the origin is the owner's once it is there.
fn cors(
    spec: &CorsHeaders,
    held: Option<cf::ResponseHeadersPolicyCorsConfig>,
    before: Option<&CorsHeaders>,
) -> Result<cf::ResponseHeadersPolicyCorsConfig, Fault> {
    let was = |stated: fn(&CorsHeaders) -> bool| before.is_some_and(stated);
    let origins = cf::ResponseHeadersPolicyAccessControlAllowOrigins::builder()
        .quantity(quantity(&spec.origins))
        .set_items(Some(spec.origins.clone()));
    let methods = cf::ResponseHeadersPolicyAccessControlAllowMethods::builder()
        .quantity(quantity(&spec.methods))
        .set_items(Some(spec.methods.iter().map(|method| method.as_str().into()).collect()));
    let headers = cf::ResponseHeadersPolicyAccessControlAllowHeaders::builder()
        .quantity(quantity(&spec.headers))
        .set_items(Some(spec.headers.clone()));
    let mut credentials = held.as_ref().map(|held| held.access_control_allow_credentials);
    put(&mut credentials, spec.credentials, was(|b| b.credentials.is_some()), Some(false));
    let over = held.as_ref().is_none_or(|held| held.origin_override);
    let mut exposed = held.and_then(|held| held.access_control_expose_headers);
    let wanted = spec.expose_headers.as_deref().filter(|names| !names.is_empty()).map(expose).transpose()?;
    put(&mut exposed, wanted, spec.expose_headers.is_some() || was(|b| b.expose_headers.is_some()), None);
    cf::ResponseHeadersPolicyCorsConfig::builder()
        .access_control_allow_origins(origins.build().map_err(unbuilt)?)
        .access_control_allow_methods(methods.build().map_err(unbuilt)?)
        .access_control_allow_headers(headers.build().map_err(unbuilt)?)
        .access_control_max_age_sec(spec.max_age_seconds)
        .access_control_allow_credentials(credentials.unwrap_or_default())
        .origin_override(over)
        .set_access_control_expose_headers(exposed)
        .build()
        .map_err(unbuilt)
}

fn expose(names: &[String]) -> Result<cf::ResponseHeadersPolicyAccessControlExposeHeaders, Fault> {
    cf::ResponseHeadersPolicyAccessControlExposeHeaders::builder()
        .quantity(quantity(names))
        .set_items(Some(names.to_vec()))
        .build()
        .map_err(unbuilt)
}

/// The plan's other headers beside those of others; what an earlier run stated and the plan does not goes.
fn custom(
    spec: &ResponseHeadersPolicySpec,
    held: Option<cf::ResponseHeadersPolicyCustomHeadersConfig>,
    before: Option<&ResponseHeadersPolicySpec>,
) -> Result<Option<cf::ResponseHeadersPolicyCustomHeadersConfig>, Fault> {
    let former = before.and_then(|before| before.custom.as_ref());
    if spec.custom.is_none() && former.is_none() {
        return Ok(held);
    }
    let names = [spec.custom.as_ref(), former].into_iter().flatten().flat_map(BTreeMap::keys);
    let ours: Vec<String> = names.map(|name| name.to_ascii_lowercase()).collect();
    let (held, mut items): (Vec<_>, Vec<_>) = held
        .and_then(|list| list.items)
        .unwrap_or_default()
        .into_iter()
        .partition(|held| ours.contains(&held.header.to_ascii_lowercase()));
    for (header, value) in spec.custom.iter().flatten() {
        // Whether it overrides the origin's is the owner's once it is there.
        let over = held.iter().find(|held| held.header.eq_ignore_ascii_case(header)).is_none_or(|held| held.r#override);
        let new = cf::ResponseHeadersPolicyCustomHeader::builder().header(header).value(value).r#override(over);
        items.push(new.build().map_err(unbuilt)?);
    }
    if items.is_empty() {
        return Ok(None);
    }
    let list = cf::ResponseHeadersPolicyCustomHeadersConfig::builder().quantity(quantity(&items));
    list.set_items(Some(items)).build().map(Some).map_err(unbuilt)
}

/// The headers of the origin that viewers do not get.
fn removed(
    spec: &ResponseHeadersPolicySpec,
    mut held: Option<cf::ResponseHeadersPolicyRemoveHeadersConfig>,
    before: Option<&ResponseHeadersPolicySpec>,
) -> Result<Option<cf::ResponseHeadersPolicyRemoveHeadersConfig>, Fault> {
    let list = |names: &Vec<String>| {
        let items = names.iter().map(|name| cf::ResponseHeadersPolicyRemoveHeader::builder().header(name).build());
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let list = cf::ResponseHeadersPolicyRemoveHeadersConfig::builder().quantity(quantity(&items));
        list.set_items(Some(items)).build()
    };
    let wanted = spec.remove.as_ref().filter(|names| !names.is_empty()).map(list).transpose().map_err(unbuilt)?;
    let was = spec.remove.is_some() || before.is_some_and(|before| before.remove.is_some());
    put(&mut held, wanted, was, None);
    Ok(held)
}

/// `Server-Timing` for some of the answers.
fn timing(
    spec: &ResponseHeadersPolicySpec,
    mut held: Option<cf::ResponseHeadersPolicyServerTimingHeadersConfig>,
    before: Option<&ResponseHeadersPolicySpec>,
) -> Result<Option<cf::ResponseHeadersPolicyServerTimingHeadersConfig>, Fault> {
    let some = |percent: f64| {
        let new = cf::ResponseHeadersPolicyServerTimingHeadersConfig::builder().enabled(true);
        new.sampling_rate(percent).build().map_err(unbuilt)
    };
    let wanted = spec.server_timing_percent.filter(|percent| *percent > 0.0).map(some).transpose()?;
    let was = spec.server_timing_percent.is_some() || before.is_some_and(|b| b.server_timing_percent.is_some());
    put(&mut held, wanted, was, None);
    Ok(held)
}

fn cors_spec(held: cf::ResponseHeadersPolicyCorsConfig) -> CorsHeaders {
    let origins = held.access_control_allow_origins.map(|list| list.items).unwrap_or_default();
    let methods = held.access_control_allow_methods.map(|list| list.items).unwrap_or_default();
    let headers = held.access_control_allow_headers.map(|list| list.items).unwrap_or_default();
    CorsHeaders {
        origins,
        methods: methods.iter().map(|method| method.as_str().to_owned()).collect(),
        headers,
        expose_headers: Some(held.access_control_expose_headers.and_then(|list| list.items).unwrap_or_default()),
        credentials: Some(held.access_control_allow_credentials),
        max_age_seconds: held.access_control_max_age_sec.unwrap_or(CORS_MAX_AGE),
    }
}

#[async_trait]
impl NamedApi for ResponseHeadersPolicies {
    type Spec = ResponseHeadersPolicySpec;
    type Config = cf::ResponseHeadersPolicyConfig;
    const KIND: Kind = Kind::ResponseHeadersPolicy;
    const LIMIT: usize = 128;
    const LIST: &'static str = "ListResponseHeadersPolicies";

    async fn get(client: &Client, id: &str) -> Result<(Self::Config, String), Fault> {
        const CALL: &str = "GetResponseHeadersPolicy";
        let answer = client
            .get_response_headers_policy()
            .id(id)
            .send()
            .await
            .map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        let config = answer.response_headers_policy.and_then(|policy| policy.response_headers_policy_config);
        Ok((config.ok_or_else(lacking(CALL, "configuration"))?, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
    }

    async fn page(client: &Client, marker: Option<String>) -> Result<ListPage<Self::Config>, Fault> {
        const CALL: &str = "ListResponseHeadersPolicies";
        let call =
            client.list_response_headers_policies().r#type(cf::ResponseHeadersPolicyType::Custom).set_marker(marker);
        let list = call.send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?.response_headers_policy_list;
        let list = list.ok_or_else(lacking(CALL, "list"))?;
        let policies = list.items.unwrap_or_default().into_iter().filter_map(|item| item.response_headers_policy);
        let items = policies.filter_map(|policy| Some((policy.id, policy.response_headers_policy_config?)));
        Ok((items.collect(), list.next_marker.filter(|next| !next.is_empty())))
    }

    async fn create(client: &Client, config: Self::Config) -> Result<String, Fault> {
        const CALL: &str = "CreateResponseHeadersPolicy";
        let answer = client.create_response_headers_policy().response_headers_policy_config(config).send().await;
        let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        Ok(answer.response_headers_policy.ok_or_else(lacking(CALL, "policy"))?.id)
    }

    async fn update(client: &Client, id: &str, etag: String, config: Self::Config) -> Result<(), Fault> {
        let call = client.update_response_headers_policy().id(id).if_match(etag).response_headers_policy_config(config);
        call.send().await.map(drop).map_err(|bad| fault_of("cloudfront", "UpdateResponseHeadersPolicy", bad))
    }

    async fn delete(client: &Client, id: &str, etag: String) -> Result<(), Fault> {
        let answer = client.delete_response_headers_policy().id(id).if_match(etag).send().await;
        answer.map(drop).map_err(|bad| fault_of("cloudfront", "DeleteResponseHeadersPolicy", bad))
    }

    fn wanted_name(spec: &Self::Spec) -> &str {
        &spec.name
    }

    fn wanted_text(spec: &Self::Spec) -> &str {
        &spec.comment
    }

    fn name(config: &Self::Config) -> &str {
        &config.name
    }

    fn text(config: &Self::Config) -> &str {
        config.comment().unwrap_or_default()
    }

    fn config(
        spec: &Self::Spec,
        text: String,
        held: Option<Self::Config>,
        before: Option<&Self::Spec>,
    ) -> Result<Self::Config, Fault> {
        let fresh = || cf::ResponseHeadersPolicyConfig::builder().name(&spec.name).build().map_err(unbuilt);
        let mut config = held.map_or_else(fresh, Ok)?;
        config.comment = Some(text);
        let former = before.and_then(|before| before.cors.as_ref());
        if let Some(wanted) = &spec.cors {
            config.cors_config = Some(cors(wanted, config.cors_config.take(), former)?);
        } else if former.is_some() {
            config.cors_config = None;
        }
        config.security_headers_config = security::wanted(spec, config.security_headers_config.take(), before)?;
        config.custom_headers_config = custom(spec, config.custom_headers_config.take(), before)?;
        config.remove_headers_config = removed(spec, config.remove_headers_config.take(), before)?;
        config.server_timing_headers_config = timing(spec, config.server_timing_headers_config.take(), before)?;
        Ok(config)
    }

    fn spec(config: Self::Config, text: String) -> Self::Spec {
        let custom = config.custom_headers_config.and_then(|list| list.items).unwrap_or_default();
        let removed = config.remove_headers_config.and_then(|list| list.items).unwrap_or_default();
        let timing = config.server_timing_headers_config.filter(|timing| timing.enabled);
        let mut spec = ResponseHeadersPolicySpec {
            name: config.name,
            comment: text,
            cors: config.cors_config.map(cors_spec),
            server_timing_percent: Some(timing.map_or(0.0, |timing| timing.sampling_rate.unwrap_or_default())),
            remove: Some(removed.into_iter().map(|header| header.header).collect()),
            custom: Some(custom.into_iter().map(|header| (header.header, header.value)).collect()),
            ..ResponseHeadersPolicySpec::default()
        };
        security::read(config.security_headers_config, &mut spec);
        spec
    }

    fn usual() -> Value {
        json!({"cors": {"expose_headers": [], "credentials": false}, "hsts_include_subdomains": false,
               "hsts_preload": false, "nosniff": false, "server_timing_percent": 0.0, "remove": [], "custom": {}})
    }

    /// Headers that give way to the origin's, although ours are to override it.
    fn others(config: &Self::Config) -> Vec<(String, Value)> {
        let mut yielding = security::yielding(config.security_headers_config.as_ref());
        yielding.extend(config.cors_config.iter().filter(|cors| !cors.origin_override).map(|_| "cors".to_owned()));
        let custom = config.custom_headers_config.iter().flat_map(|list| list.items());
        yielding.extend(custom.filter(|one| !one.r#override).map(|one| format!("custom.{}", one.header)));
        yielding.into_iter().map(|path| (format!("{path}.override"), Value::Bool(false))).collect()
    }
}
