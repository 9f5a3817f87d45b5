//! CloudFront response headers policies.

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;

use super::edit::{Edit, lacking, quantity, unbuilt};
use super::fault_of;
use super::named::{Api, Page};
use crate::resource::response_headers_policy::{CorsHeaders, ResponseHeadersPolicySpec};
use crate::resource::{Fault, Kind};

/// Response headers policies of the account.
pub struct ResponseHeadersPolicies;

/// The CORS part. Whether it overrides the origin, credentials and exposed headers are the owner's once it is there.
fn cors(
    spec: &CorsHeaders,
    held: Option<cf::ResponseHeadersPolicyCorsConfig>,
) -> Result<cf::ResponseHeadersPolicyCorsConfig, Fault> {
    let origins = cf::ResponseHeadersPolicyAccessControlAllowOrigins::builder()
        .quantity(quantity(&spec.origins))
        .set_items(Some(spec.origins.clone()));
    let methods = cf::ResponseHeadersPolicyAccessControlAllowMethods::builder()
        .quantity(quantity(&spec.methods))
        .set_items(Some(spec.methods.iter().map(|method| method.as_str().into()).collect()));
    let headers = cf::ResponseHeadersPolicyAccessControlAllowHeaders::builder()
        .quantity(quantity(&spec.headers))
        .set_items(Some(spec.headers.clone()));
    cf::ResponseHeadersPolicyCorsConfig::builder()
        .access_control_allow_origins(origins.build().map_err(unbuilt)?)
        .access_control_allow_methods(methods.build().map_err(unbuilt)?)
        .access_control_allow_headers(headers.build().map_err(unbuilt)?)
        .access_control_max_age_sec(spec.max_age_seconds)
        .access_control_allow_credentials(held.as_ref().is_some_and(|held| held.access_control_allow_credentials))
        .origin_override(held.as_ref().is_none_or(|held| held.origin_override))
        .set_access_control_expose_headers(held.and_then(|held| held.access_control_expose_headers))
        .build()
        .map_err(unbuilt)
}

/// The security part: two headers are the plan's, the others survive.
fn security(
    spec: &ResponseHeadersPolicySpec,
    held: Option<cf::ResponseHeadersPolicySecurityHeadersConfig>,
    edit: Edit<'_>,
) -> Result<Option<cf::ResponseHeadersPolicySecurityHeadersConfig>, Fault> {
    let mut all = held.unwrap_or_else(|| cf::ResponseHeadersPolicySecurityHeadersConfig::builder().build());
    if let Some(seconds) = spec.hsts_seconds {
        let fresh = || cf::ResponseHeadersPolicyStrictTransportSecurity::builder();
        let fresh = || fresh().r#override(true).access_control_max_age_sec(seconds).build().map_err(unbuilt);
        let mut hsts = all.strict_transport_security.map_or_else(fresh, Ok)?;
        hsts.access_control_max_age_sec = seconds;
        all.strict_transport_security = Some(hsts);
    } else if edit.dropped("hsts_seconds") {
        all.strict_transport_security = None;
    }
    if !spec.nosniff {
        all.content_type_options = None;
    } else if all.content_type_options.is_none() {
        let fresh = cf::ResponseHeadersPolicyContentTypeOptions::builder().r#override(true);
        all.content_type_options = Some(fresh.build().map_err(unbuilt)?);
    }
    // CloudFront takes no empty part.
    let empty = cf::ResponseHeadersPolicySecurityHeadersConfig::builder().build();
    Ok((all != empty).then_some(all))
}

fn custom(spec: &ResponseHeadersPolicySpec) -> Result<cf::ResponseHeadersPolicyCustomHeadersConfig, Fault> {
    let headers = spec.custom.iter().map(|(header, value)| {
        cf::ResponseHeadersPolicyCustomHeader::builder().header(header).value(value).r#override(true).build()
    });
    let headers = headers.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    cf::ResponseHeadersPolicyCustomHeadersConfig::builder()
        .quantity(quantity(&headers))
        .set_items((!headers.is_empty()).then_some(headers))
        .build()
        .map_err(unbuilt)
}

/// `held` in the order of `wanted` when both have the same members: the order means nothing to CloudFront.
fn like(mut held: Vec<String>, wanted: Option<&Vec<String>>) -> Vec<String> {
    if let Some(wanted) = wanted {
        held.sort_by_key(|item| wanted.iter().position(|other| other == item).unwrap_or(wanted.len()));
    }
    held
}

fn cors_spec(held: cf::ResponseHeadersPolicyCorsConfig, wanted: Option<&CorsHeaders>) -> CorsHeaders {
    let origins = held.access_control_allow_origins.map(|list| list.items).unwrap_or_default();
    let methods = held.access_control_allow_methods.map(|list| list.items).unwrap_or_default();
    let headers = held.access_control_allow_headers.map(|list| list.items).unwrap_or_default();
    let methods = methods.iter().map(|method| method.as_str().to_owned()).collect();
    CorsHeaders {
        origins: like(origins, wanted.map(|wanted| &wanted.origins)),
        methods: like(methods, wanted.map(|wanted| &wanted.methods)),
        headers: like(headers, wanted.map(|wanted| &wanted.headers)),
        max_age_seconds: held.access_control_max_age_sec.unwrap_or(600),
    }
}

#[async_trait]
impl Api for ResponseHeadersPolicies {
    type Spec = ResponseHeadersPolicySpec;
    type Config = cf::ResponseHeadersPolicyConfig;
    const KIND: Kind = Kind::ResponseHeadersPolicy;
    const LIMIT: usize = 128;

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

    async fn page(client: &Client, marker: Option<String>) -> Result<Page<Self::Config>, Fault> {
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
        edit: Edit<'_>,
    ) -> Result<Self::Config, Fault> {
        let fresh = || cf::ResponseHeadersPolicyConfig::builder().name(&spec.name).build().map_err(unbuilt);
        let mut config = held.map_or_else(fresh, Ok)?;
        config.comment = Some(text);
        if let Some(wanted) = &spec.cors {
            config.cors_config = Some(cors(wanted, config.cors_config.take())?);
        } else if edit.dropped("cors") {
            config.cors_config = None;
        }
        config.security_headers_config = security(spec, config.security_headers_config.take(), edit)?;
        if !spec.custom.is_empty() {
            config.custom_headers_config = Some(custom(spec)?);
        } else if edit.dropped("custom") {
            config.custom_headers_config = None;
        }
        Ok(config)
    }

    fn spec(config: Self::Config, text: String, wanted: &Self::Spec) -> Self::Spec {
        let security = config.security_headers_config;
        let nosniff = security.as_ref().is_some_and(|all| all.content_type_options.is_some());
        let hsts = security.and_then(|all| all.strict_transport_security);
        let custom = config.custom_headers_config.and_then(|list| list.items).unwrap_or_default();
        ResponseHeadersPolicySpec {
            name: config.name,
            comment: text,
            cors: config.cors_config.map(|held| cors_spec(held, wanted.cors.as_ref())),
            hsts_seconds: hsts.map(|hsts| hsts.access_control_max_age_sec),
            nosniff,
            custom: custom.into_iter().map(|header| (header.header, header.value)).collect(),
        }
    }
}
