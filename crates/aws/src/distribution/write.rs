//! Writing a distribution: the same changes make a new configuration and alter one that was read.

use super::*;
use crate::resource::distribution::{GeoRestriction, Logging, ViewerCertificate};

/// What CloudFront recommends for aliases (the security policy of viewers).
pub const MINIMUM_PROTOCOL: &str = "TLSv1.2_2021";

/// A whole new configuration.
pub fn fresh(spec: &DistributionSpec, token: &str) -> Result<cf::DistributionConfig, Fault> {
    let bare = cf::DistributionConfig::builder().caller_reference(token).comment(&spec.comment).enabled(spec.enabled);
    apply(bare.build().map_err(unbuilt)?, spec, None)
}

/// The tags in the SDK's words.
pub fn tags(all: BTreeMap<String, String>) -> Result<cf::Tags, Fault> {
    let items = all.into_iter().map(|(key, value)| cf::Tag::builder().key(key).value(value).build());
    let items = items.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    Ok(cf::Tags::builder().set_items(Some(items)).build())
}

/// Reads the configuration, changes what the plan manages and writes it back over the version that was read.
pub async fn change(
    client: &Client,
    spec: &DistributionSpec,
    before: Option<&DistributionSpec>,
    id: &str,
) -> Result<cf::Distribution, Fault> {
    const READ: &str = "GetDistributionConfig";
    let held = client.get_distribution_config().id(id).send().await;
    let held = held.map_err(|bad| fault_of("cloudfront", READ, bad))?;
    let config = held.distribution_config.ok_or_else(lacking(READ, "configuration"))?;
    let etag = held.e_tag.ok_or_else(lacking(READ, "ETag"))?;
    store(client, id, etag, apply(config, spec, before)?).await.map(|(distribution, _)| distribution)
}

/// Writes a whole configuration; gives the distribution and its new ETag.
async fn store(
    client: &Client,
    id: &str,
    etag: String,
    config: cf::DistributionConfig,
) -> Result<(cf::Distribution, String), Fault> {
    const CALL: &str = "UpdateDistribution";
    let answer = client.update_distribution().id(id).if_match(etag).distribution_config(config).send().await;
    let answer = answer.map_err(|bad| fault_of("cloudfront", CALL, bad))?;
    let distribution = answer.distribution.ok_or_else(lacking(CALL, "distribution"))?;
    Ok((distribution, answer.e_tag.ok_or_else(lacking(CALL, "ETag"))?))
}

/// Switches it off when it is on; deletes it when that has reached every edge location.
pub async fn remove(client: &Client, id: &str) -> Result<DeleteOutcome, Fault> {
    let (mut distribution, mut etag) = read::get(client, id).await?;
    if let Some(mut config) = distribution.distribution_config.take().filter(|config| config.enabled) {
        config.enabled = false;
        // The answer says how far it is: no further look is needed.
        (distribution, etag) = store(client, id, etag, config).await?;
    }
    if distribution.status != DEPLOYED {
        let why = "disabled; CloudFront takes minutes to roll that out, then it can be deleted";
        return Ok(DeleteOutcome::Deferred(why.into()));
    }
    let answer = client.delete_distribution().id(id).if_match(etag).send().await;
    answer.map(|_| DeleteOutcome::Deleted).map_err(|bad| fault_of("cloudfront", "DeleteDistribution", bad))
}

/// The configuration with the plan's settings in it. What an earlier run stated and the plan does not goes back to
/// CloudFront's default; everything else stays as it is.
pub fn apply(
    mut held: cf::DistributionConfig,
    spec: &DistributionSpec,
    before: Option<&DistributionSpec>,
) -> Result<cf::DistributionConfig, Fault> {
    let was = |stated: fn(&DistributionSpec) -> bool| before.is_some_and(stated);
    held.comment.clone_from(&spec.comment);
    held.enabled = spec.enabled;
    held.price_class = Some(spec.price_class.as_str().into());
    let version = spec.http_version.as_deref().map(cf::HttpVersion::from);
    put(&mut held.http_version, version, was(|b| b.http_version.is_some()), Some(cf::HttpVersion::Http2));
    put(&mut held.is_ipv6_enabled, spec.ipv6, was(|b| b.ipv6.is_some()), Some(false));
    let (root, nothing) = (spec.default_root_object.clone(), Some(String::new()));
    put(&mut held.default_root_object, root, was(|b| b.default_root_object.is_some()), nothing.clone());
    put(&mut held.web_acl_id, spec.web_acl_id.clone(), was(|b| b.web_acl_id.is_some()), nothing);
    let names = spec.aliases.as_deref().map(aliases).transpose()?;
    put(&mut held.aliases, names, was(|b| b.aliases.is_some()), Some(aliases(&[])?));
    let countries = spec.geo_restriction.as_ref().map(restrictions).transpose()?;
    let anywhere = restrictions(&GeoRestriction::None)?;
    put(&mut held.restrictions, countries, was(|b| b.geo_restriction.is_some()), Some(anywhere));
    if spec.certificate.is_some() || was(|b| b.certificate.is_some()) {
        let before = before.and_then(|before| before.certificate.as_ref());
        held.viewer_certificate = Some(certificate(spec.certificate.as_ref(), held.viewer_certificate.take(), before));
    }
    let off = Some(cf::LoggingConfig::builder().build());
    put(&mut held.logging, spec.logging.as_ref().map(logging), was(|b| b.logging.is_some()), off);
    held.custom_error_responses = errors::wanted(spec, held.custom_error_responses.take(), before)?;
    routing(held, spec, before)
}

/// Where requests go: the behaviors, the groups and the origins. What others put there stays with what it leads to.
fn routing(
    mut held: cf::DistributionConfig,
    spec: &DistributionSpec,
    before: Option<&DistributionSpec>,
) -> Result<cf::DistributionConfig, Fault> {
    let default = held.default_cache_behavior.take();
    held.default_cache_behavior = Some(behavior::default(&spec.default_behavior, default, before)?);
    let was_there = held.cache_behaviors.is_some();
    let (behaviors, mut needed) = behavior::by_path(spec, held.cache_behaviors.take(), before)?;
    held.cache_behaviors = (was_there || behaviors.quantity > 0).then_some(behaviors);
    let was_there = held.origin_groups.is_some();
    let groups = origins::wanted_groups(spec, held.origin_groups.take(), before, &mut needed)?;
    held.origin_groups = (was_there || groups.quantity > 0).then_some(groups);
    held.origins = Some(origins::wanted(spec, held.origins.take(), before, &needed)?);
    Ok(held)
}

fn aliases(wanted: &[String]) -> Result<cf::Aliases, Fault> {
    let items = (!wanted.is_empty()).then(|| wanted.to_vec());
    cf::Aliases::builder().quantity(quantity(wanted)).set_items(items).build().map_err(unbuilt)
}

fn restrictions(wanted: &GeoRestriction) -> Result<cf::Restrictions, Fault> {
    let (sort, countries) = match wanted {
        GeoRestriction::None => (cf::GeoRestrictionType::None, Vec::new()),
        GeoRestriction::Allow(list) => (cf::GeoRestrictionType::Whitelist, list.clone()),
        GeoRestriction::Deny(list) => (cf::GeoRestrictionType::Blacklist, list.clone()),
    };
    let geo = cf::GeoRestriction::builder().restriction_type(sort).quantity(quantity(&countries));
    let geo = geo.set_items((!countries.is_empty()).then_some(countries)).build().map_err(unbuilt)?;
    Ok(cf::Restrictions::builder().geo_restriction(geo).build())
}

/// The certificate of the plan, else CloudFront's own. The answer's deprecated fields would contradict a new one, so
/// it is built anew.
fn certificate(
    wanted: Option<&ViewerCertificate>,
    held: Option<cf::ViewerCertificate>,
    before: Option<&ViewerCertificate>,
) -> cf::ViewerCertificate {
    let Some(wanted) = wanted else {
        return cf::ViewerCertificate::builder().cloud_front_default_certificate(true).build();
    };
    // What CloudFront says beside its own certificate (vip, TLSv1) means nothing for another one.
    let held = held.filter(|held| held.acm_certificate_arn().is_some_and(|arn| !arn.is_empty()));
    let (method, version) = held.map_or((None, None), |held| (held.ssl_support_method, held.minimum_protocol_version));
    let mut method = method.or(Some(cf::SslSupportMethod::SniOnly));
    let mut version = version.or(Some(MINIMUM_PROTOCOL.into()));
    let was = |stated: fn(&ViewerCertificate) -> bool| before.is_some_and(stated);
    let new = wanted.ssl_support_method.as_deref().map(cf::SslSupportMethod::from);
    put(&mut method, new, was(|b| b.ssl_support_method.is_some()), Some(cf::SslSupportMethod::SniOnly));
    let new = wanted.minimum_protocol.as_deref().map(cf::MinimumProtocolVersion::from);
    put(&mut version, new, was(|b| b.minimum_protocol.is_some()), Some(MINIMUM_PROTOCOL.into()));
    cf::ViewerCertificate::builder()
        .acm_certificate_arn(&wanted.acm_arn)
        .set_ssl_support_method(method)
        .set_minimum_protocol_version(version)
        .build()
}

fn logging(wanted: &Logging) -> cf::LoggingConfig {
    cf::LoggingConfig::builder()
        .enabled(true)
        .include_cookies(wanted.cookies)
        .bucket(&wanted.bucket)
        .prefix(&wanted.prefix)
        .build()
}
