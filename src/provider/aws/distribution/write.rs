//! Writing a distribution: the same changes make a new configuration and alter one that was read.

use super::*;
use crate::resource::distribution::{Logging, ViewerCertificate};

/// What CloudFront recommends for aliases (the security policy of viewers).
const MINIMUM_PROTOCOL: &str = "TLSv1.2_2021";

/// A whole new configuration.
pub fn fresh(spec: &DistributionSpec, token: &str) -> Result<cf::DistributionConfig, Fault> {
    let bare = cf::DistributionConfig::builder().caller_reference(token).comment(&spec.comment).enabled(spec.enabled);
    apply(bare.build().map_err(unbuilt)?, spec, Edit::making())
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
    id: &str,
    fields: &[FieldChange],
) -> Result<cf::Distribution, Fault> {
    const READ: &str = "GetDistributionConfig";
    let held = client.get_distribution_config().id(id).send().await;
    let held = held.map_err(|bad| fault_of("cloudfront", READ, bad))?;
    let config = held.distribution_config.ok_or_else(lacking(READ, "configuration"))?;
    let etag = held.e_tag.ok_or_else(lacking(READ, "ETag"))?;
    put(client, id, etag, apply(config, spec, Edit::of(fields))?).await.map(|(distribution, _)| distribution)
}

/// Writes a whole configuration; gives the distribution and its new ETag.
async fn put(
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
pub async fn remove(client: &Client, id: &str) -> Result<Gone, Fault> {
    let (mut distribution, mut etag) = read::get(client, id).await?;
    if let Some(mut config) = distribution.distribution_config.take().filter(|config| config.enabled) {
        config.enabled = false;
        // The answer says how far it is: no further look is needed.
        (distribution, etag) = put(client, id, etag, config).await?;
    }
    if distribution.status != DEPLOYED {
        let why = "disabled; CloudFront takes minutes to roll that out, then it can be deleted";
        return Ok(Gone::Deferred(why.to_owned()));
    }
    let answer = client.delete_distribution().id(id).if_match(etag).send().await;
    answer.map(|_| Gone::Gone).map_err(|bad| fault_of("cloudfront", "DeleteDistribution", bad))
}

/// The configuration with the plan's settings in it; everything else stays as it is.
pub fn apply(
    mut held: cf::DistributionConfig,
    spec: &DistributionSpec,
    edit: Edit<'_>,
) -> Result<cf::DistributionConfig, Fault> {
    held.comment.clone_from(&spec.comment);
    held.enabled = spec.enabled;
    held.price_class = Some(spec.price_class.as_str().into());
    let version = spec.http_version.as_deref().map(cf::HttpVersion::from);
    edit.put(&mut held.http_version, version, "http_version", Some(cf::HttpVersion::Http2));
    edit.put(&mut held.is_ipv6_enabled, spec.ipv6, "ipv6", Some(false));
    let root = spec.default_root_object.clone();
    edit.put(&mut held.default_root_object, root, "default_root_object", Some(String::new()));
    if !spec.aliases.is_empty() || edit.named("aliases") {
        held.aliases = Some(aliases(&spec.aliases)?);
    }
    if spec.certificate.is_some() || edit.named("certificate") {
        held.viewer_certificate = Some(certificate(spec.certificate.as_ref(), held.viewer_certificate.take(), edit));
    }
    let off = || cf::LoggingConfig::builder().build();
    edit.put(&mut held.logging, spec.logging.as_ref().map(logging), "logging", Some(off()));
    routing(held, spec, edit)
}

/// Where requests go: origins, their groups, and the behaviours.
fn routing(
    mut held: cf::DistributionConfig,
    spec: &DistributionSpec,
    edit: Edit<'_>,
) -> Result<cf::DistributionConfig, Fault> {
    held.origins = Some(origins::wanted(&spec.origins, held.origins.take(), edit)?);
    if !spec.origin_groups.is_empty() || edit.named("origin_groups") {
        held.origin_groups = Some(origins::wanted_groups(&spec.origin_groups, held.origin_groups.take())?);
    }
    let default = held.default_cache_behavior.take();
    held.default_cache_behavior = Some(behaviour::default(&spec.default_behaviour, default, edit)?);
    if !spec.behaviours.is_empty() || edit.named("behaviours") {
        held.cache_behaviors = Some(behaviour::by_path(&spec.behaviours, held.cache_behaviors.take(), edit)?);
    }
    Ok(held)
}

fn aliases(wanted: &[String]) -> Result<cf::Aliases, Fault> {
    let items = (!wanted.is_empty()).then(|| wanted.to_vec());
    cf::Aliases::builder().quantity(quantity(wanted)).set_items(items).build().map_err(unbuilt)
}

/// The certificate of the plan, else CloudFront's own. The answer's deprecated fields would contradict a new one, so
/// it is built anew.
fn certificate(
    wanted: Option<&ViewerCertificate>,
    held: Option<cf::ViewerCertificate>,
    edit: Edit<'_>,
) -> cf::ViewerCertificate {
    let Some(wanted) = wanted else {
        return cf::ViewerCertificate::builder().cloud_front_default_certificate(true).build();
    };
    // What CloudFront says beside its own certificate (vip, TLSv1) means nothing for another one.
    let held = held.filter(|held| held.acm_certificate_arn().is_some_and(|arn| !arn.is_empty()));
    let (method, version) = held.map_or((None, None), |held| (held.ssl_support_method, held.minimum_protocol_version));
    let mut method = method.or(Some(cf::SslSupportMethod::SniOnly));
    let mut version = version.or(Some(MINIMUM_PROTOCOL.into()));
    let new = wanted.ssl_support_method.as_deref().map(cf::SslSupportMethod::from);
    edit.put(&mut method, new, "certificate.ssl_support_method", Some(cf::SslSupportMethod::SniOnly));
    let new = wanted.minimum_protocol.as_deref().map(cf::MinimumProtocolVersion::from);
    edit.put(&mut version, new, "certificate.minimum_protocol", Some(MINIMUM_PROTOCOL.into()));
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
