//! The security headers of a response headers policy: each is set by the plan or left unchanged.

use aws_sdk_cloudfront::types as cf;

use super::edit::unbuilt;
use super::stated::put;
use crate::resource::Fault;
use crate::resource::response_headers_policy::{ResponseHeadersPolicySpec as Spec, XssProtection};

type All = cf::ResponseHeadersPolicySecurityHeadersConfig;

/// The security part that the plan wants; none when it is empty: CloudFront takes no empty part.
pub fn wanted(spec: &Spec, held: Option<All>, before: Option<&Spec>) -> Result<Option<All>, Fault> {
    let was = |stated: fn(&Spec) -> bool| before.is_some_and(stated);
    let mut all = held.unwrap_or_else(|| All::builder().build());
    all.strict_transport_security = hsts(spec, all.strict_transport_security, before)?;
    if spec.nosniff == Some(false) || spec.nosniff.is_none() && was(|b| b.nosniff == Some(true)) {
        all.content_type_options = None;
    } else if spec.nosniff == Some(true) && all.content_type_options.is_none() {
        let fresh = cf::ResponseHeadersPolicyContentTypeOptions::builder().r#override(true);
        all.content_type_options = Some(fresh.build().map_err(unbuilt)?);
    }
    let over = all.frame_options.as_ref().is_none_or(|held| held.r#override);
    let new = spec.frame_options.as_deref().map(|word| {
        cf::ResponseHeadersPolicyFrameOptions::builder().frame_option(word.into()).r#override(over).build()
    });
    let new = new.transpose().map_err(unbuilt)?;
    put(&mut all.frame_options, new, was(|b| b.frame_options.is_some()), None);
    let over = all.referrer_policy.as_ref().is_none_or(|held| held.r#override);
    let new = spec.referrer_policy.as_deref().map(|word| {
        cf::ResponseHeadersPolicyReferrerPolicy::builder().referrer_policy(word.into()).r#override(over).build()
    });
    let new = new.transpose().map_err(unbuilt)?;
    put(&mut all.referrer_policy, new, was(|b| b.referrer_policy.is_some()), None);
    let over = all.content_security_policy.as_ref().is_none_or(|held| held.r#override);
    let new = spec.content_security_policy.as_deref().map(|text| {
        let new = cf::ResponseHeadersPolicyContentSecurityPolicy::builder().content_security_policy(text);
        new.r#override(over).build()
    });
    let new = new.transpose().map_err(unbuilt)?;
    put(&mut all.content_security_policy, new, was(|b| b.content_security_policy.is_some()), None);
    all.xss_protection = xss(spec, all.xss_protection, before)?;
    Ok((all != All::builder().build()).then_some(all))
}

fn hsts(
    spec: &Spec,
    held: Option<cf::ResponseHeadersPolicyStrictTransportSecurity>,
    before: Option<&Spec>,
) -> Result<Option<cf::ResponseHeadersPolicyStrictTransportSecurity>, Fault> {
    let was = |stated: fn(&Spec) -> bool| before.is_some_and(stated);
    let Some(seconds) = spec.hsts_seconds else {
        return Ok(held.filter(|_| !was(|b| b.hsts_seconds.is_some())));
    };
    let fresh = || {
        let new = cf::ResponseHeadersPolicyStrictTransportSecurity::builder().r#override(true);
        new.access_control_max_age_sec(seconds).build().map_err(unbuilt)
    };
    let mut hsts = held.map_or_else(fresh, Ok)?;
    hsts.access_control_max_age_sec = seconds;
    let stated = was(|b| b.hsts_include_subdomains.is_some());
    put(&mut hsts.include_subdomains, spec.hsts_include_subdomains, stated, Some(false));
    put(&mut hsts.preload, spec.hsts_preload, was(|b| b.hsts_preload.is_some()), Some(false));
    Ok(Some(hsts))
}

fn xss(
    spec: &Spec,
    held: Option<cf::ResponseHeadersPolicyXssProtection>,
    before: Option<&Spec>,
) -> Result<Option<cf::ResponseHeadersPolicyXssProtection>, Fault> {
    let former = before.and_then(|before| before.xss_protection.as_ref());
    let Some(wanted) = &spec.xss_protection else { return Ok(held.filter(|_| former.is_none())) };
    let was = |stated: fn(&XssProtection) -> bool| former.is_some_and(stated);
    let fresh = || {
        let new = cf::ResponseHeadersPolicyXssProtection::builder().r#override(true);
        new.protection(wanted.enabled).build().map_err(unbuilt)
    };
    let mut xss = held.map_or_else(fresh, Ok)?;
    xss.protection = wanted.enabled;
    put(&mut xss.mode_block, wanted.block, was(|b| b.block.is_some()), Some(false));
    put(&mut xss.report_uri, wanted.report_uri.clone(), was(|b| b.report_uri.is_some()), None);
    Ok(Some(xss))
}

/// Writes the held headers into a spec.
pub fn read(held: Option<All>, spec: &mut Spec) {
    let all = held.unwrap_or_else(|| All::builder().build());
    if let Some(hsts) = all.strict_transport_security {
        spec.hsts_seconds = Some(hsts.access_control_max_age_sec);
        spec.hsts_include_subdomains = Some(hsts.include_subdomains.unwrap_or_default());
        spec.hsts_preload = Some(hsts.preload.unwrap_or_default());
    }
    spec.nosniff = Some(all.content_type_options.is_some());
    spec.frame_options = all.frame_options.map(|held| held.frame_option.as_str().to_owned());
    spec.referrer_policy = all.referrer_policy.map(|held| held.referrer_policy.as_str().to_owned());
    spec.content_security_policy = all.content_security_policy.map(|held| held.content_security_policy);
    spec.xss_protection = all.xss_protection.map(|held| XssProtection {
        enabled: held.protection,
        block: Some(held.mode_block.unwrap_or_default()),
        report_uri: held.report_uri.filter(|uri| !uri.is_empty()),
    });
}

/// The headers that give way to the origin's, by their settings.
pub fn yielding(held: Option<&All>) -> Vec<String> {
    let Some(all) = held else { return Vec::new() };
    let overrides = [
        ("hsts_seconds", all.strict_transport_security.as_ref().map(|held| held.r#override)),
        ("nosniff", all.content_type_options.as_ref().map(|held| held.r#override)),
        ("frame_options", all.frame_options.as_ref().map(|held| held.r#override)),
        ("referrer_policy", all.referrer_policy.as_ref().map(|held| held.r#override)),
        ("content_security_policy", all.content_security_policy.as_ref().map(|held| held.r#override)),
        ("xss_protection", all.xss_protection.as_ref().map(|held| held.r#override)),
    ];
    overrides.into_iter().filter(|(_, over)| *over == Some(false)).map(|(path, _)| path.to_owned()).collect()
}
