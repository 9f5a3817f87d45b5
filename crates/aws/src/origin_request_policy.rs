//! CloudFront origin request policies.

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;

use super::cache_policy::{behavior, choice, cookies, headers, query_strings, sorted};
use super::edit::{lacking, unbuilt};
use super::fault_of;
use super::named::{ListPage, NamedApi};
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::resource::cache_policy::Choice;
use crate::resource::origin_request_policy::{HeaderChoice, OriginRequestPolicySpec};
use crate::resource::{Fault, Kind};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: MAKE, on: context::everything, actions: &["cloudfront:CreateOriginRequestPolicy"] },
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:ListOriginRequestPolicies"] },
    Grant {
        sid: "OriginRequestPolicies",
        on: |facts| context::cloudfront(facts, "origin-request-policy"),
        actions: &[
            "cloudfront:DeleteOriginRequestPolicy",
            "cloudfront:GetOriginRequestPolicy",
            "cloudfront:UpdateOriginRequestPolicy",
        ],
    },
];

/// Origin request policies of the account.
pub struct OriginRequestPolicies;

/// CloudFront's word for a choice of headers, and the names that go with it.
fn header_behavior(choice: &HeaderChoice) -> (&'static str, &[String]) {
    match choice {
        HeaderChoice::None => ("none", &[]),
        HeaderChoice::AllViewer => ("allViewer", &[]),
        HeaderChoice::AllExcept(names) => ("allExcept", names),
        HeaderChoice::Only(names) => ("whitelist", names),
        HeaderChoice::AllViewerAnd(names) => ("allViewerAndWhitelistCloudFront", names),
    }
}

/// The choice that CloudFront's words stand for.
fn header_choice(config: cf::OriginRequestPolicyHeadersConfig) -> HeaderChoice {
    let names = sorted(config.headers.and_then(|list| list.items));
    match config.header_behavior.as_str() {
        "allViewer" => HeaderChoice::AllViewer,
        "allExcept" => HeaderChoice::AllExcept(names),
        "whitelist" => HeaderChoice::Only(names),
        "allViewerAndWhitelistCloudFront" => HeaderChoice::AllViewerAnd(names),
        _ => HeaderChoice::None,
    }
}

#[async_trait]
impl NamedApi for OriginRequestPolicies {
    type Spec = OriginRequestPolicySpec;
    type Config = cf::OriginRequestPolicyConfig;
    const KIND: Kind = Kind::OriginRequestPolicy;
    const LIMIT: usize = 128;
    const LIST: &'static str = "ListOriginRequestPolicies";

    async fn get(client: &Client, id: &str) -> Result<(Self::Config, String), Fault> {
        const CALL: &str = "GetOriginRequestPolicy";
        let answer =
            client.get_origin_request_policy().id(id).send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        let config = answer.origin_request_policy.and_then(|policy| policy.origin_request_policy_config);
        Ok((config.ok_or_else(lacking(CALL, "configuration"))?, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
    }

    async fn page(client: &Client, marker: Option<String>) -> Result<ListPage<Self::Config>, Fault> {
        const CALL: &str = "ListOriginRequestPolicies";
        let call = client.list_origin_request_policies().r#type(cf::OriginRequestPolicyType::Custom).set_marker(marker);
        let list = call.send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?.origin_request_policy_list;
        let list = list.ok_or_else(lacking(CALL, "list"))?;
        let policies = list.items.unwrap_or_default().into_iter().filter_map(|item| item.origin_request_policy);
        let items = policies.filter_map(|policy| Some((policy.id, policy.origin_request_policy_config?)));
        Ok((items.collect(), list.next_marker.filter(|next| !next.is_empty())))
    }

    async fn create(client: &Client, config: Self::Config) -> Result<String, Fault> {
        const CALL: &str = "CreateOriginRequestPolicy";
        let answer = client.create_origin_request_policy().origin_request_policy_config(config).send().await;
        let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        Ok(answer.origin_request_policy.ok_or_else(lacking(CALL, "policy"))?.id)
    }

    async fn update(client: &Client, id: &str, etag: String, config: Self::Config) -> Result<(), Fault> {
        let call = client.update_origin_request_policy().id(id).if_match(etag).origin_request_policy_config(config);
        call.send().await.map(drop).map_err(|bad| fault_of("cloudfront", "UpdateOriginRequestPolicy", bad))
    }

    async fn delete(client: &Client, id: &str, etag: String) -> Result<(), Fault> {
        let answer = client.delete_origin_request_policy().id(id).if_match(etag).send().await;
        answer.map(drop).map_err(|bad| fault_of("cloudfront", "DeleteOriginRequestPolicy", bad))
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
        let (by, names) = header_behavior(&spec.headers);
        let in_headers = cf::OriginRequestPolicyHeadersConfig::builder().header_behavior(by.into());
        let in_cookies = cf::OriginRequestPolicyCookiesConfig::builder();
        let in_cookies = in_cookies.cookie_behavior(behavior(&spec.cookies).into());
        let in_query = cf::OriginRequestPolicyQueryStringsConfig::builder();
        let in_query = in_query.query_string_behavior(behavior(&spec.query_strings).into());
        cf::OriginRequestPolicyConfig::builder()
            .name(&spec.name)
            .comment(text)
            .headers_config(in_headers.set_headers(headers(names)?).build().map_err(unbuilt)?)
            .cookies_config(in_cookies.set_cookies(cookies(spec.cookies.names())?).build().map_err(unbuilt)?)
            .query_strings_config(
                in_query.set_query_strings(query_strings(spec.query_strings.names())?).build().map_err(unbuilt)?,
            )
            .build()
            .map_err(unbuilt)
    }

    fn spec(config: Self::Config, text: String) -> Self::Spec {
        let query = config
            .query_strings_config
            .map(|by| choice(by.query_string_behavior.as_str(), by.query_strings.and_then(|list| list.items)));
        let cookies =
            config.cookies_config.map(|by| choice(by.cookie_behavior.as_str(), by.cookies.and_then(|list| list.items)));
        OriginRequestPolicySpec {
            name: config.name,
            comment: text,
            headers: config.headers_config.map_or(HeaderChoice::None, header_choice),
            query_strings: query.unwrap_or(Choice::None),
            cookies: cookies.unwrap_or(Choice::None),
        }
    }
}
