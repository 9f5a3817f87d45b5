//! Origins and origin groups, matched by their id.

use std::collections::BTreeSet;

use super::read::text;
use super::*;
use crate::resource::distribution::{CustomOrigin, Origin, OriginGroup};

/// Seconds that CloudFront waits for a custom origin when nothing is said.
const READ_TIMEOUT: i32 = 30;

/// How often and how long CloudFront tries to connect, and how long it keeps a connection, when nothing is said.
const ATTEMPTS: i32 = 3;
const CONNECT_TIMEOUT: i32 = 10;
const KEEPALIVE_TIMEOUT: i32 = 5;

/// The origins that the plan wants, each with its other settings as they are held, and those of others. One that the plan
/// gave up stays while something of others leads to it (`needed`): CloudFront would refuse the configuration.
pub fn wanted(
    spec: &DistributionSpec,
    held: Option<cf::Origins>,
    before: Option<&DistributionSpec>,
    needed: &BTreeSet<String>,
) -> Result<cf::Origins, Fault> {
    let held = held.map(|list| list.items).unwrap_or_default();
    let former = |id: &str| before.and_then(|before| before.origins.iter().find(|origin| origin.id == id));
    let mut fresh: Vec<&Origin> = spec.origins.iter().collect();
    let mut items = Vec::new();
    for held in held {
        if let Some(at) = fresh.iter().position(|spec| spec.id == held.id) {
            let spec = fresh.remove(at);
            items.push(origin(spec, held, former(&spec.id))?);
        } else if former(&held.id).is_none() || needed.contains(&held.id) {
            items.push(held);
        }
    }
    for spec in fresh {
        let new = cf::Origin::builder().id(&spec.id).domain_name(&spec.domain_name).build().map_err(unbuilt)?;
        items.push(origin(spec, new, former(&spec.id))?);
    }
    cf::Origins::builder().quantity(quantity(&items)).set_items(Some(items)).build().map_err(unbuilt)
}

fn origin(spec: &Origin, mut held: cf::Origin, before: Option<&Origin>) -> Result<cf::Origin, Fault> {
    let was = |stated: fn(&Origin) -> bool| before.is_some_and(stated);
    let nothing = || Some(String::new());
    held.domain_name.clone_from(&spec.domain_name);
    put(&mut held.origin_path, spec.path.clone(), was(|b| b.path.is_some()), nothing());
    let access = spec.origin_access_id.clone();
    put(&mut held.origin_access_control_id, access, was(|b| b.origin_access_id.is_some()), nothing());
    put(
        &mut held.connection_attempts,
        spec.connection_attempts,
        was(|b| b.connection_attempts.is_some()),
        Some(ATTEMPTS),
    );
    let (seconds, stated) = (spec.connection_timeout_seconds, was(|b| b.connection_timeout_seconds.is_some()));
    put(&mut held.connection_timeout, seconds, stated, Some(CONNECT_TIMEOUT));
    let shielded = spec.shield.as_deref().map(shield).transpose()?;
    put(&mut held.origin_shield, shielded, was(|b| b.shield.is_some()), Some(shield("")?));
    held.custom_headers = headers(spec, held.custom_headers.take(), before)?;
    let is_other = held.custom_origin_config.is_some() || held.vpc_origin_config.is_some();
    if let Some(custom) = &spec.custom {
        held.vpc_origin_config = None;
        let former = before.and_then(|before| before.custom.as_ref());
        held.custom_origin_config = Some(self::custom(custom, held.custom_origin_config.take(), former)?);
        if held.s3_origin_config.take().is_some() && spec.origin_access_id.is_none() {
            // The access control of an S3 origin signs for nothing else.
            held.origin_access_control_id = Some(String::new());
        }
    } else if spec.origin_access_id.is_some() || was(|b| b.custom.is_some()) || !is_other {
        (held.custom_origin_config, held.vpc_origin_config) = (None, None);
        held.s3_origin_config = Some(s3(spec, held.s3_origin_config.take()));
    }
    Ok(held)
}

/// The plan's headers beside those of others; what an earlier run stated and the plan does not goes.
fn headers(
    spec: &Origin,
    held: Option<cf::CustomHeaders>,
    before: Option<&Origin>,
) -> Result<Option<cf::CustomHeaders>, Fault> {
    let former = before.and_then(|before| before.headers.as_ref());
    if spec.headers.is_none() && former.is_none() {
        return Ok(held);
    }
    let names = [spec.headers.as_ref(), former].into_iter().flatten().flat_map(BTreeMap::keys);
    let ours: Vec<String> = names.map(|name| name.to_ascii_lowercase()).collect();
    let held = held.and_then(|list| list.items).unwrap_or_default();
    let mut items: Vec<_> =
        held.into_iter().filter(|held| !ours.contains(&held.header_name.to_ascii_lowercase())).collect();
    for (name, value) in spec.headers.iter().flatten() {
        let header = cf::OriginCustomHeader::builder().header_name(name).header_value(value);
        items.push(header.build().map_err(unbuilt)?);
    }
    let list = cf::CustomHeaders::builder().quantity(quantity(&items));
    list.set_items((!items.is_empty()).then_some(items)).build().map(Some).map_err(unbuilt)
}

fn shield(region: &str) -> Result<cf::OriginShield, Fault> {
    let on = !region.is_empty();
    let shield = cf::OriginShield::builder().enabled(on).set_origin_shield_region(on.then(|| region.to_owned()));
    shield.build().map_err(unbuilt)
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
    before: Option<&CustomOrigin>,
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
    let was = |stated: fn(&CustomOrigin) -> bool| before.is_some_and(stated);
    let (seconds, stated) = (spec.read_timeout_seconds, was(|b| b.read_timeout_seconds.is_some()));
    put(&mut held.origin_read_timeout, seconds, stated, Some(READ_TIMEOUT));
    let (seconds, stated) = (spec.keepalive_timeout_seconds, was(|b| b.keepalive_timeout_seconds.is_some()));
    put(&mut held.origin_keepalive_timeout, seconds, stated, Some(KEEPALIVE_TIMEOUT));
    Ok(held)
}

/// The origin groups that the plan wants and those of others, each with its other settings as they are held. What others'
/// groups lead to is added to `needed`.
pub fn wanted_groups(
    spec: &DistributionSpec,
    held: Option<cf::OriginGroups>,
    before: Option<&DistributionSpec>,
    needed: &mut BTreeSet<String>,
) -> Result<cf::OriginGroups, Fault> {
    let held = held.and_then(|list| list.items).unwrap_or_default();
    let was_ours = |id: &str| before.is_some_and(|before| before.origin_groups.iter().any(|group| group.id == id));
    let mut fresh: Vec<&OriginGroup> = spec.origin_groups.iter().collect();
    let mut items = Vec::new();
    for held in held {
        if let Some(at) = fresh.iter().position(|spec| spec.id == held.id) {
            items.push(group(fresh.remove(at), held)?);
        } else if !was_ours(&held.id) || needed.contains(&held.id) {
            needed
                .extend(held.members.iter().flat_map(|members| &members.items).map(|member| member.origin_id.clone()));
            items.push(held);
        }
    }
    for spec in fresh {
        items.push(group(spec, cf::OriginGroup::builder().id(&spec.id).build().map_err(unbuilt)?)?);
    }
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
    let shield = held.origin_shield.filter(|shield| shield.enabled).and_then(|shield| shield.origin_shield_region);
    let headers = held.custom_headers.and_then(|list| list.items).unwrap_or_default();
    Origin {
        id: held.id,
        domain_name: held.domain_name,
        path: Some(held.origin_path.unwrap_or_default()),
        headers: Some(headers.into_iter().map(|header| (header.header_name, header.header_value)).collect()),
        shield: Some(shield.unwrap_or_default()),
        connection_attempts: Some(held.connection_attempts.unwrap_or(ATTEMPTS)),
        connection_timeout_seconds: Some(held.connection_timeout.unwrap_or(CONNECT_TIMEOUT)),
        custom: held.custom_origin_config.map(|custom| CustomOrigin {
            http_port: custom.http_port,
            https_port: custom.https_port,
            protocol: custom.origin_protocol_policy.as_str().to_owned(),
            read_timeout_seconds: Some(custom.origin_read_timeout.unwrap_or(READ_TIMEOUT)),
            keepalive_timeout_seconds: Some(custom.origin_keepalive_timeout.unwrap_or(KEEPALIVE_TIMEOUT)),
        }),
        origin_access_id: text(held.origin_access_control_id),
    }
}

/// What a fresh origin has where the plan says nothing.
pub fn usual() -> serde_json::Value {
    serde_json::json!({
        "path": "", "headers": {}, "shield": "", "connection_attempts": ATTEMPTS,
        "connection_timeout_seconds": CONNECT_TIMEOUT,
        "custom": {"read_timeout_seconds": READ_TIMEOUT, "keepalive_timeout_seconds": KEEPALIVE_TIMEOUT},
    })
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
