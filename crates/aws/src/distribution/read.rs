//! Finding a distribution, and its configuration as a spec.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::*;
use crate::pages::Pages;
use crate::resource::UnmanagedField;
use crate::resource::distribution::{GeoRestriction, Logging, ViewerCertificate};

/// How many candidates are looked at together.
const TOGETHER: usize = 4;

/// A distribution and its tags.
pub struct CurrentDistribution {
    distribution: cf::Distribution,
    tags: BTreeMap<String, String>,
}

impl CurrentDistribution {
    fn config(&self) -> Option<&cf::DistributionConfig> {
        self.distribution.distribution_config.as_ref()
    }

    fn is_made_with(&self, token: &str) -> bool {
        self.config().is_some_and(|config| config.caller_reference == token)
    }
}

/// A distribution and the ETag of its configuration.
pub async fn get(client: &Client, id: &str) -> Result<(cf::Distribution, String), Fault> {
    const CALL: &str = "GetDistribution";
    let answer = client.get_distribution().id(id).send().await.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
    let distribution = answer.distribution.ok_or_else(lacking(CALL, "distribution"))?;
    Ok((distribution, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
}

async fn tags(client: &Client, arn: &str) -> Result<BTreeMap<String, String>, Fault> {
    let answer = client.list_tags_for_resource().resource(arn).send().await;
    let answer = answer.map_err(|bad| fault_of("cloudfront", "ListTagsForResource", bad))?;
    let items = answer.tags.and_then(|tags| tags.items).unwrap_or_default();
    Ok(items.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
}

/// Both calls at once.
async fn look(client: &Client, id: &str, arn: &str) -> Result<Option<CurrentDistribution>, Fault> {
    match future::try_join(get(client, id), tags(client, arn)).await {
        Ok(((distribution, _), tags)) => Ok(Some(CurrentDistribution { distribution, tags })),
        Err(fault) if fault.class == FaultClass::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The distribution with this id: two calls, at once when the ARN is known already.
pub async fn by_id(
    client: &Client,
    subject: &ResourceContext<'_>,
    id: &str,
) -> Result<Option<CurrentDistribution>, Fault> {
    if let Some(arn) = subject.attributes.get("arn").and_then(serde_json::Value::as_str) {
        return look(client, id, arn).await;
    }
    match get(client, id).await {
        Ok((distribution, _)) => {
            Ok(Some(CurrentDistribution { tags: tags(client, &distribution.arn).await?, distribution }))
        }
        Err(fault) if fault.class == FaultClass::Missing => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn shares_alias(held: Option<&cf::Aliases>, wanted: &[String]) -> bool {
    let is_wanted = |alias: &String| wanted.iter().any(|name| name.eq_ignore_ascii_case(alias));
    held.is_some_and(|held| held.items().iter().any(is_wanted))
}

/// The distribution that was made with our token, else one with our tags, else one of somebody else that holds one of
/// our aliases. A listing has neither references nor tags, so those with our comment or aliases are looked at.
pub async fn by_marks(
    client: &Client,
    subject: &ResourceContext<'_>,
    wanted: &DistributionSpec,
) -> Result<Option<CurrentDistribution>, Fault> {
    let candidates = candidates(client, wanted).await?;
    let looks = stream::iter(candidates).map(async |(id, arn)| look(client, &id, &arn).await).buffered(TOGETHER);
    let mut seen: Vec<CurrentDistribution> = looks.try_filter_map(future::ok).try_collect().await?;
    let by_token = |seen: &CurrentDistribution| seen.is_made_with(subject.token);
    // One that is switched off and has another token is an earlier generation on its way out.
    let by_tags = |seen: &CurrentDistribution| {
        let on = seen.config().is_some_and(|config| config.enabled || !wanted.enabled);
        on && tags::read(subject, seen.tags.clone()).0 == Owner::Ours
    };
    let by_alias = |seen: &CurrentDistribution| {
        let stale = tags::read(subject, seen.tags.clone()).0 == Owner::Ours;
        !stale && shares_alias(seen.config().and_then(|config| config.aliases.as_ref()), wanted.names())
    };
    let at = seen.iter().position(by_token).or_else(|| seen.iter().position(by_tags));
    Ok(at.or_else(|| seen.iter().position(by_alias)).map(|at| seen.swap_remove(at)))
}

/// Ids and ARNs of the distributions that may be ours.
async fn candidates(client: &Client, wanted: &DistributionSpec) -> Result<Vec<(String, String)>, Fault> {
    const CALL: &str = "ListDistributions";
    let mut candidates = Vec::new();
    let mut marker = None;
    let mut pages = Pages::of("cloudfront", CALL);
    loop {
        pages.next()?;
        let answer = client.list_distributions().set_marker(marker).send().await;
        let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
        let list = answer.distribution_list.ok_or_else(lacking(CALL, "list"))?;
        let fits = list
            .items
            .unwrap_or_default()
            .into_iter()
            .filter(|item| item.comment == wanted.comment || shares_alias(item.aliases.as_ref(), wanted.names()));
        candidates.extend(fits.map(|item| (item.id, item.arn)));
        marker = list.next_marker.filter(|next| !next.is_empty());
        if marker.is_none() {
            return Ok(candidates);
        }
    }
}

/// What was seen, in the vocabulary.
pub fn found(subject: &ResourceContext<'_>, mut seen: CurrentDistribution) -> Result<ObservedResource, Fault> {
    // What the journal knows by its id is told by its tags alone: a mark that somebody took away is to be seen.
    let ours = subject.id.is_none() && seen.is_made_with(subject.token);
    let attributes = attributes(&seen.distribution);
    let config = seen.distribution.distribution_config.take();
    let config = config.ok_or_else(lacking("GetDistribution", "configuration"))?;
    let (owner, tags) = tags::read(subject, seen.tags);
    let (spec, extras) = parted(subject, config, tags)?;
    let owner = if ours { Owner::Ours } else { owner };
    Ok(ObservedResource { id: seen.distribution.id, spec, attributes, owner, extras })
}

/// The settings that were asked for, and everything else that is not as CloudFront makes it.
pub fn parted(
    subject: &ResourceContext<'_>,
    config: cf::DistributionConfig,
    tags: BTreeMap<String, String>,
) -> Result<(Value, Vec<UnmanagedField>), Fault> {
    let others = unmanaged::all(&config);
    let (spec, mut extras) = stated::parted(subject, &spec(config, tags)?, &usual())?;
    // Of a whole origin or behavior that others made, it is enough to say that it is there.
    let wholes: Vec<String> = extras.iter().map(|extra| format!("{}.", extra.path)).collect();
    let inside = |path: &str| wholes.iter().any(|whole| path.starts_with(whole.as_str()));
    extras.extend(others.into_iter().filter(|(path, _)| !inside(path)).map(|(path, value)| UnmanagedField {
        path,
        value,
        theirs: false,
    }));
    Ok((spec, extras))
}

/// What CloudFront fills in where nothing is said.
fn usual() -> Value {
    let behavior = json!({"min_ttl": 0, "trusted_key_groups": [], "functions": []});
    json!({
        "http_version": "http2", "ipv6": false, "aliases": [], "default_root_object": "", "web_acl_id": "",
        "geo_restriction": "none", "custom_error_responses": [{"min_ttl_seconds": errors::MIN_TTL}],
        "certificate": {"ssl_support_method": "sni-only", "minimum_protocol": write::MINIMUM_PROTOCOL},
        "logging": {"cookies": false}, "origins": [origins::usual()], "default_behaviour": &behavior, "behaviours": [&behavior],
    })
}

/// A text that CloudFront answers as empty when it is not set.
pub fn text(held: Option<String>) -> Option<String> {
    held.filter(|text| !text.is_empty())
}

fn certificate(held: cf::ViewerCertificate) -> Option<ViewerCertificate> {
    Some(ViewerCertificate {
        acm_arn: text(held.acm_certificate_arn)?,
        ssl_support_method: held.ssl_support_method.map(|method| method.as_str().to_owned()),
        minimum_protocol: held.minimum_protocol_version.map(|version| version.as_str().to_owned()),
    })
}

fn logging(held: cf::LoggingConfig) -> Option<Logging> {
    held.enabled.then_some(Logging { bucket: held.bucket, prefix: held.prefix, cookies: held.include_cookies })
}

fn restriction(held: Option<cf::Restrictions>) -> GeoRestriction {
    let Some(geo) = held.and_then(|all| all.geo_restriction) else { return GeoRestriction::None };
    let mut countries = geo.items.unwrap_or_default();
    countries.sort_unstable();
    match geo.restriction_type {
        cf::GeoRestrictionType::Whitelist => GeoRestriction::Allow(countries),
        cf::GeoRestrictionType::Blacklist => GeoRestriction::Deny(countries),
        _ => GeoRestriction::None,
    }
}

/// The configuration as a spec with every setting, lists in the order that the spec documents.
pub fn spec(config: cf::DistributionConfig, tags: BTreeMap<String, String>) -> Result<DistributionSpec, Fault> {
    let mut aliases = config.aliases.and_then(|list| list.items).unwrap_or_default();
    aliases.sort_unstable();
    let default = config.default_cache_behavior.ok_or_else(lacking("GetDistribution", "default behavior"))?;
    let behaviors = config.cache_behaviors.and_then(|list| list.items).unwrap_or_default();
    Ok(DistributionSpec {
        comment: config.comment,
        enabled: config.enabled,
        price_class: config.price_class.unwrap_or(cf::PriceClass::PriceClassAll).as_str().to_owned(),
        // CloudFront has answered it in capitals, too.
        http_version: Some(config.http_version.unwrap_or(cf::HttpVersion::Http2).as_str().to_ascii_lowercase()),
        ipv6: Some(config.is_ipv6_enabled.unwrap_or_default()),
        aliases: Some(aliases),
        certificate: config.viewer_certificate.and_then(certificate),
        default_root_object: Some(config.default_root_object.unwrap_or_default()),
        origins: origins::spec(config.origins),
        origin_groups: origins::groups_spec(config.origin_groups),
        default_behavior: behavior::default_spec(default),
        behaviors: behaviors.into_iter().map(behavior::spec).collect(),
        custom_error_responses: Some(errors::spec(config.custom_error_responses)),
        geo_restriction: Some(restriction(config.restrictions)),
        web_acl_id: Some(config.web_acl_id.unwrap_or_default()),
        logging: config.logging.and_then(logging),
        tags,
    })
}
