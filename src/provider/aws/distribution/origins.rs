//! Origins and origin groups, matched by their id.

use super::read::text;
use super::*;
use crate::resource::distribution::{CustomOrigin, Origin, OriginGroup};

/// Seconds that CloudFront waits for a custom origin when nothing is said.
const READ_TIMEOUT: i32 = 30;

/// The origins that the plan wants; what is held under an id keeps its other settings (headers, shield, time-outs).
pub fn wanted(specs: &[Origin], held: Option<cf::Origins>, edit: Edit<'_>) -> Result<cf::Origins, Fault> {
    let mut held = held.map(|list| list.items).unwrap_or_default();
    let items = specs.iter().enumerate().map(|(at, spec)| {
        let known = held.iter().position(|held| held.id == spec.id).map(|at| held.swap_remove(at));
        let fresh = || cf::Origin::builder().id(&spec.id).domain_name(&spec.domain_name).build().map_err(unbuilt);
        origin(spec, known.map_or_else(fresh, Ok)?, edit, &format!("origins.{at}"))
    });
    let items = items.collect::<Result<Vec<_>, Fault>>()?;
    cf::Origins::builder().quantity(quantity(&items)).set_items(Some(items)).build().map_err(unbuilt)
}

fn origin(spec: &Origin, mut held: cf::Origin, edit: Edit<'_>, path: &str) -> Result<cf::Origin, Fault> {
    held.domain_name.clone_from(&spec.domain_name);
    edit.put(&mut held.origin_path, spec.path.clone(), &format!("{path}.path"), Some(String::new()));
    let access = format!("{path}.origin_access_id");
    edit.put(&mut held.origin_access_control_id, spec.origin_access_id.clone(), &access, Some(String::new()));
    let is_other = held.custom_origin_config.is_some() || held.vpc_origin_config.is_some();
    if let Some(custom) = &spec.custom {
        held.vpc_origin_config = None;
        held.custom_origin_config = Some(self::custom(custom, held.custom_origin_config.take(), edit, path)?);
        if held.s3_origin_config.take().is_some() && spec.origin_access_id.is_none() {
            // The access control of an S3 origin signs for nothing else.
            held.origin_access_control_id = Some(String::new());
        }
    } else if spec.origin_access_id.is_some() || edit.dropped(&format!("{path}.custom")) || !is_other {
        (held.custom_origin_config, held.vpc_origin_config) = (None, None);
        held.s3_origin_config = Some(s3(spec, held.s3_origin_config.take()));
    }
    Ok(held)
}

fn s3(spec: &Origin, held: Option<cf::S3OriginConfig>) -> cf::S3OriginConfig {
    let mut s3 = held.unwrap_or_else(|| cf::S3OriginConfig::builder().build());
    if spec.origin_access_id.is_some() {
        // The old kind of identity and an access control exclude each other.
        s3.origin_access_identity.clear();
    }
    s3
}

fn custom(
    spec: &CustomOrigin,
    held: Option<cf::CustomOriginConfig>,
    edit: Edit<'_>,
    path: &str,
) -> Result<cf::CustomOriginConfig, Fault> {
    let fresh = || {
        let protocols = cf::OriginSslProtocols::builder().quantity(1).items(cf::SslProtocol::TlSv12);
        let new = cf::CustomOriginConfig::builder().http_port(spec.http_port).https_port(spec.https_port);
        let new = new.origin_protocol_policy(spec.protocol.as_str().into());
        new.origin_ssl_protocols(protocols.build().map_err(unbuilt)?).build().map_err(unbuilt)
    };
    let mut held = held.map_or_else(fresh, Ok)?;
    held.http_port = spec.http_port;
    held.https_port = spec.https_port;
    held.origin_protocol_policy = spec.protocol.as_str().into();
    let timeout = format!("{path}.custom.read_timeout_seconds");
    edit.put(&mut held.origin_read_timeout, spec.read_timeout_seconds, &timeout, Some(READ_TIMEOUT));
    Ok(held)
}

/// The origin groups that the plan wants; what is held under an id keeps its other settings.
pub fn wanted_groups(specs: &[OriginGroup], held: Option<cf::OriginGroups>) -> Result<cf::OriginGroups, Fault> {
    let mut held = held.and_then(|list| list.items).unwrap_or_default();
    let items = specs.iter().map(|spec| {
        let known = held.iter().position(|held| held.id == spec.id).map(|at| held.swap_remove(at));
        let fresh = || cf::OriginGroup::builder().id(&spec.id).build().map_err(unbuilt);
        group(spec, known.map_or_else(fresh, Ok)?)
    });
    let items = items.collect::<Result<Vec<_>, Fault>>()?;
    cf::OriginGroups::builder()
        .quantity(quantity(&items))
        .set_items((!items.is_empty()).then_some(items))
        .build()
        .map_err(unbuilt)
}

fn group(spec: &OriginGroup, mut held: cf::OriginGroup) -> Result<cf::OriginGroup, Fault> {
    let codes = cf::StatusCodes::builder().quantity(quantity(&spec.status_codes));
    let codes = codes.set_items(Some(spec.status_codes.clone())).build().map_err(unbuilt)?;
    held.failover_criteria = Some(cf::OriginGroupFailoverCriteria::builder().status_codes(codes).build());
    let members = spec.members.iter().map(|id| cf::OriginGroupMember::builder().origin_id(id).build());
    let members = members.collect::<Result<Vec<_>, _>>().map_err(unbuilt)?;
    let members = cf::OriginGroupMembers::builder().quantity(quantity(&members)).set_items(Some(members));
    held.members = Some(members.build().map_err(unbuilt)?);
    Ok(held)
}

/// The origins as a spec, sorted by id.
pub fn spec(held: Option<cf::Origins>) -> Vec<Origin> {
    let held = held.map(|list| list.items).unwrap_or_default();
    let mut origins: Vec<Origin> = held.into_iter().map(origin_spec).collect();
    origins.sort_by(|a, b| a.id.cmp(&b.id));
    origins
}

fn origin_spec(held: cf::Origin) -> Origin {
    Origin {
        id: held.id,
        domain_name: held.domain_name,
        path: text(held.origin_path),
        custom: held.custom_origin_config.map(|custom| CustomOrigin {
            http_port: custom.http_port,
            https_port: custom.https_port,
            protocol: custom.origin_protocol_policy.as_str().to_owned(),
            read_timeout_seconds: custom.origin_read_timeout,
        }),
        origin_access_id: text(held.origin_access_control_id),
    }
}

/// The origin groups as a spec, sorted by id.
pub fn groups_spec(held: Option<cf::OriginGroups>) -> Vec<OriginGroup> {
    let held = held.and_then(|list| list.items).unwrap_or_default();
    let mut groups: Vec<OriginGroup> = held.into_iter().map(group_spec).collect();
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    groups
}

fn group_spec(held: cf::OriginGroup) -> OriginGroup {
    let codes = held.failover_criteria.and_then(|criteria| criteria.status_codes);
    let mut status_codes = codes.map(|codes| codes.items).unwrap_or_default();
    status_codes.sort_unstable();
    let members = held.members.map(|members| members.items).unwrap_or_default();
    OriginGroup { id: held.id, status_codes, members: members.into_iter().map(|member| member.origin_id).collect() }
}
