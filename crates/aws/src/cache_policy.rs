//! CloudFront cache policies.

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;

use super::edit::{lacking, quantity, unbuilt};
use super::fault_of;
use super::named::{ListPage, NamedApi};
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::resource::cache_policy::{CachePolicySpec, Choice};
use crate::resource::{Fault, Kind};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: MAKE, on: context::everything, actions: &["cloudfront:CreateCachePolicy"] },
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:ListCachePolicies"] },
    Grant {
        sid: "CachePolicies",
        on: |facts| context::cloudfront(facts, "cache-policy"),
        actions: &["cloudfront:DeleteCachePolicy", "cloudfront:GetCachePolicy", "cloudfront:UpdateCachePolicy"],
    },
];

/// Cache policies of the account.
pub struct CachePolicies;

/// CloudFront's word for a choice.
pub fn behavior(choice: &Choice) -> &'static str {
    match choice {
        Choice::None => "none",
        Choice::All => "all",
        Choice::Only(_) => "whitelist",
        Choice::AllExcept(_) => "allExcept",
    }
}

/// The choice that CloudFront's word and its names stand for.
pub fn choice(behavior: &str, names: Option<Vec<String>>) -> Choice {
    let names = sorted(names);
    match behavior {
        "all" => Choice::All,
        "whitelist" => Choice::Only(names),
        "allExcept" => Choice::AllExcept(names),
        _ => Choice::None,
    }
}

/// Names as a spec has them.
pub fn sorted(names: Option<Vec<String>>) -> Vec<String> {
    let mut names = names.unwrap_or_default();
    names.sort_unstable();
    names
}

/// A list of header names; none when it is empty.
pub fn headers(names: &[String]) -> Result<Option<cf::Headers>, Fault> {
    let list = || cf::Headers::builder().quantity(quantity(names)).set_items(Some(names.to_vec())).build();
    (!names.is_empty()).then(list).transpose().map_err(unbuilt)
}

/// A list of cookie names; none when it is empty.
pub fn cookies(names: &[String]) -> Result<Option<cf::CookieNames>, Fault> {
    let list = || cf::CookieNames::builder().quantity(quantity(names)).set_items(Some(names.to_vec())).build();
    (!names.is_empty()).then(list).transpose().map_err(unbuilt)
}

/// A list of query string names; none when it is empty.
pub fn query_strings(names: &[String]) -> Result<Option<cf::QueryStringNames>, Fault> {
    let list = || cf::QueryStringNames::builder().quantity(quantity(names)).set_items(Some(names.to_vec())).build();
    (!names.is_empty()).then(list).transpose().map_err(unbuilt)
}

fn parameters(spec: &CachePolicySpec) -> Result<cf::ParametersInCacheKeyAndForwardedToOrigin, Fault> {
    let by = if spec.headers.is_empty() { "none" } else { "whitelist" };
    let in_headers = cf::CachePolicyHeadersConfig::builder().header_behavior(by.into());
    let in_cookies = cf::CachePolicyCookiesConfig::builder().cookie_behavior(behavior(&spec.cookies).into());
    let in_query = cf::CachePolicyQueryStringsConfig::builder();
    let in_query = in_query.query_string_behavior(behavior(&spec.query_strings).into());
    cf::ParametersInCacheKeyAndForwardedToOrigin::builder()
        .enable_accept_encoding_gzip(spec.gzip)
        .enable_accept_encoding_brotli(spec.brotli)
        .headers_config(in_headers.set_headers(headers(&spec.headers)?).build().map_err(unbuilt)?)
        .cookies_config(in_cookies.set_cookies(cookies(spec.cookies.names())?).build().map_err(unbuilt)?)
        .query_strings_config(
            in_query.set_query_strings(query_strings(spec.query_strings.names())?).build().map_err(unbuilt)?,
        )
        .build()
        .map_err(unbuilt)
}

#[async_trait]
impl NamedApi for CachePolicies {
    type Spec = CachePolicySpec;
    type Config = cf::CachePolicyConfig;
    const KIND: Kind = Kind::CachePolicy;
    const LIMIT: usize = 128;
    const LIST: &'static str = "ListCachePolicies";

    async fn get(client: &Client, id: &str) -> Result<(Self::Config, String), Fault> {
        const CALL: &str = "GetCachePolicy";
        let answer = client.get_cache_policy().id(id).send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        let config = answer.cache_policy.and_then(|policy| policy.cache_policy_config);
        Ok((config.ok_or_else(lacking(CALL, "configuration"))?, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
    }

    async fn page(client: &Client, marker: Option<String>) -> Result<ListPage<Self::Config>, Fault> {
        const CALL: &str = "ListCachePolicies";
        let call = client.list_cache_policies().r#type(cf::CachePolicyType::Custom).set_marker(marker);
        let list = call.send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?.cache_policy_list;
        let list = list.ok_or_else(lacking(CALL, "list"))?;
        let policies = list.items.unwrap_or_default().into_iter().filter_map(|item| item.cache_policy);
        let items = policies.filter_map(|policy| Some((policy.id, policy.cache_policy_config?)));
        Ok((items.collect(), list.next_marker.filter(|next| !next.is_empty())))
    }

    async fn create(client: &Client, config: Self::Config) -> Result<String, Fault> {
        const CALL: &str = "CreateCachePolicy";
        let answer = client.create_cache_policy().cache_policy_config(config).send().await;
        let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        Ok(answer.cache_policy.ok_or_else(lacking(CALL, "policy"))?.id)
    }

    async fn update(client: &Client, id: &str, etag: String, config: Self::Config) -> Result<(), Fault> {
        let call = client.update_cache_policy().id(id).if_match(etag).cache_policy_config(config);
        call.send().await.map(drop).map_err(|bad| fault_of("cloudfront", "UpdateCachePolicy", bad))
    }

    async fn delete(client: &Client, id: &str, etag: String) -> Result<(), Fault> {
        let answer = client.delete_cache_policy().id(id).if_match(etag).send().await;
        answer.map(drop).map_err(|bad| fault_of("cloudfront", "DeleteCachePolicy", bad))
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
        _: Option<Self::Config>,
        _: Option<&Self::Spec>,
    ) -> Result<Self::Config, Fault> {
        cf::CachePolicyConfig::builder()
            .name(&spec.name)
            .comment(text)
            .min_ttl(spec.min_ttl)
            .default_ttl(spec.default_ttl)
            .max_ttl(spec.max_ttl)
            .parameters_in_cache_key_and_forwarded_to_origin(parameters(spec)?)
            .build()
            .map_err(unbuilt)
    }

    fn spec(config: Self::Config, text: String) -> Self::Spec {
        let key = config.parameters_in_cache_key_and_forwarded_to_origin;
        let gzip = key.as_ref().is_some_and(|key| key.enable_accept_encoding_gzip);
        let brotli = key.as_ref().and_then(|key| key.enable_accept_encoding_brotli).unwrap_or_default();
        let (by_header, by_query, by_cookie) =
            key.map_or((None, None, None), |key| (key.headers_config, key.query_strings_config, key.cookies_config));
        let names = by_header.and_then(|by| by.headers).and_then(|list| list.items);
        let query =
            by_query.map(|by| choice(by.query_string_behavior.as_str(), by.query_strings.and_then(|list| list.items)));
        let cookies = by_cookie.map(|by| choice(by.cookie_behavior.as_str(), by.cookies.and_then(|list| list.items)));
        CachePolicySpec {
            name: config.name,
            comment: text,
            min_ttl: config.min_ttl,
            // AWS's own values where a policy states none.
            default_ttl: config.default_ttl.unwrap_or(86_400),
            max_ttl: config.max_ttl.unwrap_or(31_536_000),
            gzip,
            brotli,
            headers: sorted(names),
            query_strings: query.unwrap_or(Choice::None),
            cookies: cookies.unwrap_or(Choice::None),
        }
    }
}
