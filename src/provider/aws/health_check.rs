//! Route 53 health checks.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_route53::types::{HealthCheck, HealthCheckConfig, HealthCheckType, TagResourceType};

use super::route53::{read_tags, tag_change, write_tags};
use super::shared::Shared;
use super::{Clients, fault_of, owned, tags};
use crate::provider::{Gone, Made, Provider, Search, Subject};
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Owned, Owner};

/// The tag that the console shows as the name.
const NAME_TAG: &str = "Name";

/// Most health checks that one list call gives.
const PAGE: i32 = 1_000;

/// Health checks of the account.
pub struct HealthChecks {
    clients: Arc<Clients>,
    /// All checks of the account: what is not known yet is looked for by its reference, and that needs the whole list.
    list: Shared<Arc<Vec<HealthCheck>>>,
}

fn made(id: String) -> Made {
    Made { attributes: Attributes::from([("id".into(), id.clone().into())]), id }
}

fn config_of(spec: &HealthCheckSpec) -> Result<HealthCheckConfig, Fault> {
    // SNI is left to the service, which turns it on for HTTPS (Terraform's and Pulumi's documentation of `enable_sni`);
    // MiniStack answers a check with SNI stated by `True`, which is no boolean in XML, and the SDK refuses that.
    HealthCheckConfig::builder()
        .r#type(HealthCheckType::from(spec.protocol.as_str()))
        .fully_qualified_domain_name(&spec.host)
        .port(spec.port)
        .resource_path(&spec.path)
        .request_interval(spec.interval_seconds)
        .failure_threshold(spec.failure_threshold)
        .build()
        .map_err(|bad| Fault::unexpected("route53", "CreateHealthCheck", bad.to_string()))
}

fn spec_of(config: HealthCheckConfig, name: String, tags: BTreeMap<String, String>) -> HealthCheckSpec {
    HealthCheckSpec {
        name,
        protocol: config.r#type.as_str().to_owned(),
        host: config.fully_qualified_domain_name.unwrap_or_default(),
        port: config.port.unwrap_or_default(),
        path: config.resource_path.unwrap_or_default(),
        interval_seconds: config.request_interval.unwrap_or_default(),
        failure_threshold: config.failure_threshold.unwrap_or_default(),
        tags,
    }
}

fn all_tags(subject: &Subject<'_>, spec: &HealthCheckSpec) -> BTreeMap<String, String> {
    let mut all = tags::wanted(subject, &spec.tags);
    all.insert(NAME_TAG.to_owned(), spec.name.clone());
    all
}

impl HealthChecks {
    /// Health checks reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), list: Shared::default() }
    }

    async fn get(&self, id: &str) -> Result<Option<HealthCheck>, Fault> {
        let answer = self.clients.route53().await.get_health_check().health_check_id(id).send().await;
        match answer.map_err(|bad| fault_of("route53", "GetHealthCheck", bad)) {
            Ok(answer) => Ok(answer.health_check),
            Err(fault) if fault.class == Class::Missing => Ok(None),
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
        loop {
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
    async fn settings(&self, id: &str, spec: &HealthCheckSpec) -> Result<(), Fault> {
        let call = self.clients.route53().await.update_health_check().health_check_id(id);
        let call = call.fully_qualified_domain_name(&spec.host).port(spec.port).resource_path(&spec.path);
        let answer = call.failure_threshold(spec.failure_threshold).send().await;
        self.list.forget();
        answer.map(drop).map_err(|bad| fault_of("route53", "UpdateHealthCheck", bad))
    }

    /// The reference was used before with other settings: the check is brought up to date, when it is still there.
    async fn take_up(&self, subject: &Subject<'_>, spec: &HealthCheckSpec, fault: Fault) -> Result<String, Fault> {
        let Some(held) = self.by_reference(subject.token).await? else {
            return Err(fault.next("a deleted health check keeps its reference for good: replace it under a new name"));
        };
        let config = held.health_check_config.as_ref();
        let fixed = config.map(|config| (config.r#type.as_str(), config.request_interval));
        if fixed != Some((spec.protocol.as_str(), Some(spec.interval_seconds))) {
            return Err(fault.next(format!("delete the health check {} first, then run this again", held.id)));
        }
        self.settings(&held.id, spec).await?;
        Ok(held.id)
    }
}

#[async_trait]
impl Provider for HealthChecks {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let check = match subject.id {
            Some(id) => self.get(id).await?,
            None => self.by_reference(subject.token).await?,
        };
        let Some(check) = check else { return Ok(None) };
        let held = match read_tags(&self.clients, TagResourceType::Healthcheck, &check.id).await {
            // Deleted between the two calls.
            Err(fault) if fault.class == Class::Missing => return Ok(None),
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
        let spec = serde_json::to_value(spec_of(config, name, tags));
        let spec = spec.map_err(|bad| Fault::unexpected("route53", "read", bad.to_string()))?;
        let Made { id, attributes } = made(check.id);
        Ok(Some(Found { id, spec, attributes, owner, extras: Vec::new() }))
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec: HealthCheckSpec = subject.typed()?;
        let call = self.clients.route53().await.create_health_check().caller_reference(subject.token);
        let answer = call.health_check_config(config_of(&spec)?).send().await;
        // Even a lost answer may have made it.
        self.list.forget();
        let id = match answer.map_err(|bad| fault_of("route53", "CreateHealthCheck", bad)) {
            Ok(answer) => answer.health_check.map(|check| check.id),
            Err(fault) if fault.class == Class::Exists => Some(self.take_up(subject, &spec, fault).await?),
            Err(fault) => return Err(fault),
        };
        let id = id.ok_or_else(|| Fault::unexpected("route53", "CreateHealthCheck", "the answer has no id"))?;
        write_tags(&self.clients, TagResourceType::Healthcheck, &id, all_tags(subject, &spec), &[]).await?;
        Ok(made(id))
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        let spec: HealthCheckSpec = subject.typed()?;
        if fields.iter().any(|field| field.path != "name" && !field.path.starts_with("tags")) {
            self.settings(&found.id, &spec).await?;
        }
        let change = tag_change(subject, &spec.tags, fields);
        if change.is_some() || fields.iter().any(|field| field.path == "name") {
            let remove = change.map(|(_, remove)| remove).unwrap_or_default();
            let all = all_tags(subject, &spec);
            write_tags(&self.clients, TagResourceType::Healthcheck, &found.id, all, &remove).await?;
        }
        Ok(made(found.id.clone()))
    }

    async fn list_owned(&self, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
        owned::health_checks(&self.clients, search).await
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let id = match subject.id {
            Some(id) => Some(id.to_owned()),
            None => {
                self.list.forget();
                self.by_reference(subject.token).await?.map(|check| check.id)
            }
        };
        let Some(id) = id else { return Ok(Gone::Gone) };
        let answer = self.clients.route53().await.delete_health_check().health_check_id(id).send().await;
        self.list.forget();
        match answer.map_err(|bad| fault_of("route53", "DeleteHealthCheck", bad)) {
            Ok(_) => Ok(Gone::Gone),
            Err(fault) if fault.class == Class::Missing => Ok(Gone::Gone),
            Err(fault) => Err(fault),
        }
    }
}
