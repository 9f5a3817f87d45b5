//! Route 53 health checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_route53::types::{HealthCheck, HealthCheckConfig, HealthCheckRegion, HealthCheckType, TagResourceType};
use serde_json::Value;

use super::route53::{read_tags, tag_change, tagged, write_tags};
use super::shared::SharedAnswer;
use super::{Clients, fault_of, tags};
use crate::pages::Pages;
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Provider, ResourceContext};
use crate::resource::health_check::{CHECKER_REGIONS, HealthCheckSpec};
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, Kind, ObservedResource, OwnedResource, Owner, UnmanagedField,
};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant { sid: MAKE, on: context::everything, actions: &["route53:CreateHealthCheck"] },
    Grant { sid: LOOK, on: context::everything, actions: &["route53:ListHealthChecks"] },
    Grant {
        sid: "HealthChecks",
        on: context::health_check,
        actions: &[
            "route53:DeleteHealthCheck",
            "route53:GetHealthCheck",
            "route53:ListTagsForResource",
            "route53:UpdateHealthCheck",
        ],
    },
    Grant { sid: "Tags", on: context::health_check, actions: &["route53:ChangeTagsForResource"] },
];

/// The tag that the console shows as the name.
const NAME_TAG: &str = "Name";

/// Most health checks that one list call gives.
const PAGE: i32 = 1_000;

/// Health checks of the account.
pub struct HealthChecks {
    clients: Arc<Clients>,
    /// All checks of the account: what is not known yet is looked for by its reference, and that needs the whole list.
    list: SharedAnswer<Arc<Vec<HealthCheck>>>,
}

fn made(id: String) -> Applied {
    Applied { attributes: Attributes::from([("id".into(), id.clone().into())]), id }
}

fn config_of(spec: &HealthCheckSpec) -> Result<HealthCheckConfig, Fault> {
    // SNI is left to the service, which turns it on for HTTPS (Terraform's and Pulumi's documentation of `enable_sni`);
    // MiniStack answers a check with SNI stated by `True`, which is not a boolean in XML, and the SDK refuses that.
    HealthCheckConfig::builder()
        .r#type(HealthCheckType::from(spec.protocol.as_str()))
        .fully_qualified_domain_name(&spec.host)
        .port(spec.port)
        .resource_path(&spec.path)
        .request_interval(spec.interval_seconds)
        .failure_threshold(spec.failure_threshold)
        .set_search_string(spec.search_string.clone())
        .set_inverted(spec.inverted)
        .set_disabled(spec.disabled)
        .set_regions(regions_of(spec))
        .build()
        .map_err(|bad| Fault::unexpected("route53", "CreateHealthCheck", bad.to_string()))
}

fn regions_of(spec: &HealthCheckSpec) -> Option<Vec<HealthCheckRegion>> {
    let regions = spec.regions.as_ref().filter(|regions| !regions.is_empty())?;
    Some(regions.iter().map(|region| HealthCheckRegion::from(region.as_str())).collect())
}

/// The settings that are there, with their defaults. What nobody asks for is left out of them and is an extra where it is
/// not the default.
fn spec_of(
    config: HealthCheckConfig,
    name: String,
    tags: BTreeMap<String, String>,
    asked: &Asked<'_>,
) -> (HealthCheckSpec, Vec<UnmanagedField>) {
    let mut regions: Vec<String> =
        config.regions.unwrap_or_default().iter().map(|region| region.as_str().to_owned()).collect();
    regions.sort_unstable();
    let everywhere = regions.is_empty() || regions == CHECKER_REGIONS;
    let (inverted, disabled) = (config.inverted.unwrap_or_default(), config.disabled.unwrap_or_default());
    let mut extras = Vec::new();
    let mut kept = |path: &str, value: Value, usual: bool| {
        let shown = asked.by_plan(path) || (asked.before(path) && !usual);
        if !shown && !usual {
            extras.push(UnmanagedField { path: path.to_owned(), value, theirs: false });
        }
        shown
    };
    let spec = HealthCheckSpec {
        name,
        protocol: config.r#type.as_str().to_owned(),
        host: config.fully_qualified_domain_name.unwrap_or_default(),
        port: config.port.unwrap_or_default(),
        path: config.resource_path.unwrap_or_default(),
        interval_seconds: config.request_interval.unwrap_or_default(),
        failure_threshold: config.failure_threshold.unwrap_or_default(),
        search_string: config.search_string,
        inverted: kept("inverted", inverted.into(), !inverted).then_some(inverted),
        disabled: kept("disabled", disabled.into(), !disabled).then_some(disabled),
        regions: kept("regions", regions.clone().into(), everywhere).then_some(regions),
        tags,
    };
    (spec, extras)
}

/// Who asks for which optional setting.
struct Asked<'s>(&'s ResourceContext<'s>);

impl Asked<'_> {
    fn by_plan(&self, path: &str) -> bool {
        self.0.spec.get(path).is_some()
    }

    fn before(&self, path: &str) -> bool {
        self.0.before.is_some_and(|before| before.get(path).is_some())
    }
}

fn all_tags(subject: &ResourceContext<'_>, spec: &HealthCheckSpec) -> BTreeMap<String, String> {
    let mut all = tags::wanted(subject, &spec.tags);
    all.insert(NAME_TAG.to_owned(), spec.name.clone());
    all
}

impl HealthChecks {
    /// Health checks reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), list: SharedAnswer::default() }
    }

    async fn get(&self, id: &str) -> Result<Option<HealthCheck>, Fault> {
        let answer = self.clients.route53().await.get_health_check().health_check_id(id).send().await;
        match answer.map_err(|bad| fault_of("route53", "GetHealthCheck", bad)) {
            Ok(answer) => Ok(answer.health_check),
            Err(fault) if fault.class == FaultClass::Missing => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The check that was made with this reference. Those who look at the same time share one list.
    async fn by_reference(&self, reference: &str) -> Result<Option<HealthCheck>, Fault> {
        let all = self.list.get(self.pages()).await?;
        Ok(all.iter().find(|check| check.caller_reference == reference).cloned())
    }

    async fn pages(&self) -> Result<Arc<Vec<HealthCheck>>, Fault> {
        let (mut all, mut marker) = (Vec::new(), None);
        let mut pages = Pages::of("route53", "ListHealthChecks");
        loop {
            pages.next()?;
            let call = self.clients.route53().await.list_health_checks().set_marker(marker).max_items(PAGE);
            let page = call.send().await.map_err(|bad| fault_of("route53", "ListHealthChecks", bad))?;
            all.extend(page.health_checks);
            if !page.is_truncated || page.next_marker.is_none() {
                return Ok(Arc::new(all));
            }
            marker = page.next_marker;
        }
    }

    /// Everything that can be changed in place. No version is sent: the journal's lock keeps a second run away.
    /// `dropped` are settings that go back to their defaults; what is not stated and not dropped is left alone.
    async fn settings(&self, id: &str, spec: &HealthCheckSpec, dropped: &[&str]) -> Result<(), Fault> {
        let off = |path: &str| dropped.contains(&path).then_some(false);
        let reset = dropped.contains(&"regions") || spec.regions.as_ref().is_some_and(Vec::is_empty);
        let regions =
            if reset { Some(CHECKER_REGIONS.map(HealthCheckRegion::from).to_vec()) } else { regions_of(spec) };
        let call = self.clients.route53().await.update_health_check().health_check_id(id);
        let call = call.fully_qualified_domain_name(&spec.host).port(spec.port).resource_path(&spec.path);
        let call = call.set_search_string(spec.search_string.clone()).set_regions(regions);
        let call = call.set_inverted(spec.inverted.or_else(|| off("inverted")));
        let call = call.set_disabled(spec.disabled.or_else(|| off("disabled")));
        let answer = call.failure_threshold(spec.failure_threshold).send().await;
        self.list.forget();
        answer.map(drop).map_err(|bad| fault_of("route53", "UpdateHealthCheck", bad))
    }

    /// The reference was used before with other settings: the check is brought up to date, when it is still there.
    async fn take_up(
        &self,
        subject: &ResourceContext<'_>,
        spec: &HealthCheckSpec,
        fault: Fault,
    ) -> Result<String, Fault> {
        let Some(held) = self.by_reference(subject.token).await? else {
            return Err(fault.next(
                "a deleted health check keeps its reference permanently: replace it under a new \
                                   name",
            ));
        };
        let config = held.health_check_config.as_ref();
        let fixed = config.map(|config| (config.r#type.as_str(), config.request_interval));
        if fixed != Some((spec.protocol.as_str(), Some(spec.interval_seconds))) {
            return Err(
                fault.next(format!("delete the health check {} first, then run the same command again", held.id))
            );
        }
        self.settings(&held.id, spec, &[]).await?;
        Ok(held.id)
    }
}

/// Those that carry a stack's mark.
async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    let mut pages = Pages::of("route53", "ListHealthChecks");
    loop {
        pages.next()?;
        let page = clients.route53().await.list_health_checks().set_marker(marker).send().await;
        let page = page.map_err(|bad| fault_of("route53", "ListHealthChecks", bad))?;
        all.extend(page.health_checks.into_iter().map(|check| check.id));
        marker = page.next_marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return tagged(clients, search, Kind::HealthCheck, TagResourceType::Healthcheck, all).await;
        }
    }
}

#[async_trait]
impl Provider for HealthChecks {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let check = match subject.id {
            Some(id) => self.get(id).await?,
            None => self.by_reference(subject.token).await?,
        };
        let Some(check) = check else { return Ok(None) };
        let held = match read_tags(&self.clients, TagResourceType::Healthcheck, &check.id).await {
            // Deleted between the two calls.
            Err(fault) if fault.class == FaultClass::Missing => return Ok(None),
            other => other?,
        };
        let (owner, mut tags) = tags::read(subject, held);
        // Made by this very call, but the answer was lost before the tags were set.
        let unknown = subject.id.is_none();
        let owner = if unknown && check.caller_reference == subject.token { Owner::Ours } else { owner };
        let name = tags.remove(NAME_TAG).unwrap_or_default();
        let config = check.health_check_config;
        let config =
            config.ok_or_else(|| Fault::unexpected("route53", "GetHealthCheck", "the answer has no settings"))?;
        let (spec, extras) = spec_of(config, name, tags, &Asked(subject));
        let spec = serde_json::to_value(spec);
        let spec = spec.map_err(|bad| Fault::unexpected("route53", "read", bad.to_string()))?;
        let Applied { id, attributes } = made(check.id);
        Ok(Some(ObservedResource { id, spec, attributes, owner, extras }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: HealthCheckSpec = subject.typed()?;
        let call = self.clients.route53().await.create_health_check().caller_reference(subject.token);
        let answer = call.health_check_config(config_of(&spec)?).send().await;
        // Even a lost answer may have made it.
        self.list.forget();
        let id = match answer.map_err(|bad| fault_of("route53", "CreateHealthCheck", bad)) {
            Ok(answer) => answer.health_check.map(|check| check.id),
            Err(fault) if fault.class == FaultClass::Exists => Some(self.take_up(subject, &spec, fault).await?),
            Err(fault) => return Err(fault),
        };
        let id = id.ok_or_else(|| Fault::unexpected("route53", "CreateHealthCheck", "the answer has no id"))?;
        write_tags(&self.clients, TagResourceType::Healthcheck, &id, all_tags(subject, &spec), &[]).await?;
        Ok(made(id))
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: HealthCheckSpec = subject.typed()?;
        if fields.iter().any(|field| field.path != "name" && !field.path.starts_with("tags")) {
            let dropped = fields.iter().filter(|field| field.new.is_none()).map(|field| field.path.as_str());
            self.settings(&found.id, &spec, &dropped.collect::<Vec<_>>()).await?;
        }
        let change = tag_change(subject, &spec.tags, fields);
        if change.is_some() || fields.iter().any(|field| field.path == "name") {
            let remove = change.map(|(_, remove)| remove).unwrap_or_default();
            let all = all_tags(subject, &spec);
            write_tags(&self.clients, TagResourceType::Healthcheck, &found.id, all, &remove).await?;
        }
        Ok(made(found.id.clone()))
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing(&self.clients, search).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let id = match subject.id {
            Some(id) => Some(id.to_owned()),
            None => {
                self.list.forget();
                self.by_reference(subject.token).await?.map(|check| check.id)
            }
        };
        let Some(id) = id else { return Ok(DeleteOutcome::Deleted) };
        let answer = self.clients.route53().await.delete_health_check().health_check_id(id).send().await;
        self.list.forget();
        match answer.map_err(|bad| fault_of("route53", "DeleteHealthCheck", bad)) {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            Err(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{Address, Kind};

    fn held(regions: &[&str], inverted: bool) -> HealthCheckConfig {
        let regions = regions.iter().map(|region| HealthCheckRegion::from(*region)).collect();
        let built = HealthCheckConfig::builder().r#type(HealthCheckType::Https).inverted(inverted);
        built.set_regions(Some(regions)).build().expect("a configuration")
    }

    /// What is shown of a check when the plan and an earlier run state these settings: regions, inverted, extras.
    fn seen(
        plan: &Value,
        before: &Value,
        config: HealthCheckConfig,
    ) -> (Option<Vec<String>>, Option<bool>, Vec<String>) {
        let (address, none) = (Address::new("routing", Kind::HealthCheck, "web"), Attributes::new());
        let subject = ResourceContext {
            stack: "s",
            address: &address,
            token: "t",
            spec: plan,
            id: Some("id"),
            attributes: &none,
            before: Some(before),
            former: None,
            thorough: false,
            seen_absent: false,
        };
        let (spec, extras) = spec_of(config, String::new(), BTreeMap::new(), &Asked(&subject));
        (spec.regions, spec.inverted, extras.into_iter().map(|extra| extra.path).collect())
    }

    #[test]
    fn settings_that_nobody_asked_for_are_extras_unless_they_are_the_default() {
        let (none, three) = (json!({}), ["eu-west-1", "sa-east-1", "us-east-1"]);
        let all = Some(three.map(str::to_owned).to_vec());
        assert_eq!(seen(&none, &none, held(&[], false)), (None, None, vec![]));
        assert_eq!(seen(&none, &none, held(&CHECKER_REGIONS, false)), (None, None, vec![]));
        let extras = vec!["inverted".to_owned(), "regions".to_owned()];
        assert_eq!(seen(&none, &none, held(&three, true)), (None, None, extras));
        // Given up by the plan: shown, so that they go back; at their defaults there is nothing to do.
        let before = json!({"regions": three, "inverted": true});
        assert_eq!(seen(&none, &before, held(&three, true)), (all.clone(), Some(true), vec![]));
        assert_eq!(seen(&none, &before, held(&CHECKER_REGIONS, false)), (None, None, vec![]));
        let plan = json!({"regions": ["us-east-1", "eu-west-1", "sa-east-1"], "inverted": false});
        assert_eq!(seen(&plan, &none, held(&three, true)), (all, Some(true), vec![]));
    }
}
