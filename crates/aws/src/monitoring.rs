//! CloudFront metrics subscriptions: at most one for each distribution, known by the distribution's id.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudfront::types as cf;

use super::{Clients, fault_of};
use crate::permissions::{Grant, LOOK, MAKE, context};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::monitoring::MonitoringSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, ObservedResource, Owner};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant {
        sid: MAKE,
        on: context::everything,
        actions: &["cloudfront:CreateMonitoringSubscription", "cloudfront:DeleteMonitoringSubscription"],
    },
    Grant { sid: LOOK, on: context::everything, actions: &["cloudfront:GetMonitoringSubscription"] },
];

/// Metrics subscriptions of the account.
pub struct Monitoring {
    clients: Arc<Clients>,
}

impl Monitoring {
    /// Subscriptions reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }

    /// Whether the extra metrics are on.
    async fn is_on(&self, distribution: &str) -> Result<bool, Fault> {
        let answer = self.clients.cloudfront.get_monitoring_subscription().distribution_id(distribution).send().await;
        let answer = match answer.map_err(|bad| fault_of("cloudfront", "GetMonitoringSubscription", bad)) {
            Err(fault) if fault.class == FaultClass::Missing => return Ok(false),
            other => other?,
        };
        let config = answer.monitoring_subscription.and_then(|all| all.realtime_metrics_subscription_config);
        Ok(config.is_some_and(|config| {
            config.realtime_metrics_subscription_status == cf::RealtimeMetricsSubscriptionStatus::Enabled
        }))
    }

    async fn switch_on(&self, distribution: &str) -> Result<(), Fault> {
        let config = cf::RealtimeMetricsSubscriptionConfig::builder()
            .realtime_metrics_subscription_status(cf::RealtimeMetricsSubscriptionStatus::Enabled)
            .build()
            .map_err(super::edit::unbuilt)?;
        let all = cf::MonitoringSubscription::builder().realtime_metrics_subscription_config(config).build();
        let call = self.clients.cloudfront.create_monitoring_subscription().distribution_id(distribution);
        let answer = call.monitoring_subscription(all).send().await;
        answer.map(drop).map_err(|bad| fault_of("cloudfront", "CreateMonitoringSubscription", bad))
    }

    async fn remove(&self, distribution: &str) -> Result<(), Fault> {
        let call = self.clients.cloudfront.delete_monitoring_subscription().distribution_id(distribution);
        match call.send().await.map_err(|bad| fault_of("cloudfront", "DeleteMonitoringSubscription", bad)) {
            Err(fault) if fault.class != FaultClass::Missing => Err(fault),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Provider for Monitoring {
    /// A subscription carries no mark; who owns the distribution owns it. One that is switched off is none.
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: MonitoringSpec = subject.typed()?;
        let id = subject.id.unwrap_or(&spec.distribution_id).to_owned();
        let on = self.is_on(&id).await?;
        let spec = serde_json::json!({"distribution_id": id});
        Ok(on.then(|| ObservedResource {
            id,
            spec,
            attributes: Attributes::new(),
            owner: Owner::Ours,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let id = subject.typed::<MonitoringSpec>()?.distribution_id;
        match self.switch_on(&id).await {
            Err(fault) if fault.class == FaultClass::Exists => {
                // There is no update: one that is switched off goes before it can be switched on.
                if !self.is_on(&id).await? {
                    self.remove(&id).await?;
                    self.switch_on(&id).await?;
                }
            }
            other => other?,
        }
        Ok(Applied { id, attributes: Attributes::new() })
    }

    /// Its only field is its identity.
    async fn update(
        &self,
        _: &ResourceContext<'_>,
        found: &ObservedResource,
        _: &[FieldChange],
    ) -> Result<Applied, Fault> {
        Ok(Applied { id: found.id.clone(), attributes: Attributes::new() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: MonitoringSpec = subject.typed()?;
        self.remove(subject.id.unwrap_or(&spec.distribution_id)).await?;
        Ok(DeleteOutcome::Deleted)
    }
}
