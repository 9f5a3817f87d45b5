//! CloudFront origin access controls.

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;

use super::edit::{lacking, unbuilt};
use super::fault_of;
use super::named::{ListPage, NamedApi};
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::resource::origin_access::OriginAccessSpec;
use crate::resource::{Fault, Kind};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    // What CloudFront makes gets its ID from CloudFront, and its policies carry no tags: AWS knows no resource for making one.
    Grant { sid: MAKE, on: context::everything, actions: &["cloudfront:CreateOriginAccessControl"] },
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:ListOriginAccessControls"] },
    Grant {
        sid: "OriginAccess",
        on: |facts| context::cloudfront(facts, "origin-access-control"),
        actions: &[
            "cloudfront:DeleteOriginAccessControl",
            "cloudfront:GetOriginAccessControl",
            "cloudfront:UpdateOriginAccessControl",
        ],
    },
];

/// Origin access controls of the account: for S3, always signing with SigV4.
pub struct OriginAccess;

/// A control with CloudFront's own words for how it signs.
struct Words {
    behavior: cf::OriginAccessControlSigningBehaviors,
    protocol: cf::OriginAccessControlSigningProtocols,
    origin: cf::OriginAccessControlOriginTypes,
}

fn config(name: &str, text: &str, words: Words) -> Result<cf::OriginAccessControlConfig, Fault> {
    cf::OriginAccessControlConfig::builder()
        .name(name)
        .description(text)
        .signing_protocol(words.protocol)
        .signing_behavior(words.behavior)
        .origin_access_control_origin_type(words.origin)
        .build()
        .map_err(unbuilt)
}

#[async_trait]
impl NamedApi for OriginAccess {
    type Spec = OriginAccessSpec;
    type Config = cf::OriginAccessControlConfig;
    const KIND: Kind = Kind::OriginAccess;
    const LIMIT: usize = 256;
    const LIST: &'static str = "ListOriginAccessControls";

    async fn get(client: &Client, id: &str) -> Result<(Self::Config, String), Fault> {
        const CALL: &str = "GetOriginAccessControl";
        let answer =
            client.get_origin_access_control().id(id).send().await.map_err(|b| fault_of("cloudfront", CALL, b))?;
        let config = answer.origin_access_control.and_then(|control| control.origin_access_control_config);
        Ok((config.ok_or_else(lacking(CALL, "configuration"))?, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
    }

    async fn page(client: &Client, marker: Option<String>) -> Result<ListPage<Self::Config>, Fault> {
        const CALL: &str = "ListOriginAccessControls";
        let answer = client.list_origin_access_controls().set_marker(marker).send().await;
        let list = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?.origin_access_control_list;
        let list = list.ok_or_else(lacking(CALL, "list"))?;
        let items = list.items.unwrap_or_default().into_iter().map(|item| {
            let (behavior, protocol) = (item.signing_behavior, item.signing_protocol);
            let words = Words { behavior, protocol, origin: item.origin_access_control_origin_type };
            Ok((item.id, config(&item.name, &item.description, words)?))
        });
        Ok((items.collect::<Result<_, Fault>>()?, list.next_marker.filter(|next| !next.is_empty())))
    }

    async fn create(client: &Client, config: Self::Config) -> Result<String, Fault> {
        const CALL: &str = "CreateOriginAccessControl";
        let answer = client.create_origin_access_control().origin_access_control_config(config).send().await;
        let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        Ok(answer.origin_access_control.ok_or_else(lacking(CALL, "control"))?.id)
    }

    async fn update(client: &Client, id: &str, etag: String, config: Self::Config) -> Result<(), Fault> {
        let call = client.update_origin_access_control().id(id).if_match(etag).origin_access_control_config(config);
        call.send().await.map(drop).map_err(|bad| fault_of("cloudfront", "UpdateOriginAccessControl", bad))
    }

    async fn delete(client: &Client, id: &str, etag: String) -> Result<(), Fault> {
        let answer = client.delete_origin_access_control().id(id).if_match(etag).send().await;
        answer.map(drop).map_err(|bad| fault_of("cloudfront", "DeleteOriginAccessControl", bad))
    }

    fn wanted_name(spec: &Self::Spec) -> &str {
        &spec.name
    }

    fn wanted_text(spec: &Self::Spec) -> &str {
        &spec.description
    }

    fn name(config: &Self::Config) -> &str {
        &config.name
    }

    fn text(config: &Self::Config) -> &str {
        config.description().unwrap_or_default()
    }

    fn config(
        spec: &Self::Spec,
        text: String,
        _: Option<Self::Config>,
        _: Option<&Self::Spec>,
    ) -> Result<Self::Config, Fault> {
        let words = Words {
            behavior: spec.signing_behavior.as_str().into(),
            protocol: spec.signing_protocol.as_str().into(),
            origin: spec.origin_type.as_str().into(),
        };
        config(&spec.name, &text, words)
    }

    fn spec(config: Self::Config, text: String) -> Self::Spec {
        OriginAccessSpec {
            name: config.name,
            description: text,
            signing_behavior: config.signing_behavior.as_str().to_owned(),
            signing_protocol: config.signing_protocol.as_str().to_owned(),
            origin_type: config.origin_access_control_origin_type.as_str().to_owned(),
        }
    }
}
