//! CloudFront distributions: created in one call, changed by read-modify-write, disabled before they are deleted.

#[cfg(test)]
mod answers;
mod behavior;
mod calls;
mod errors;
mod listing;
mod origins;
mod read;
#[cfg(test)]
mod tests;
mod unmanaged;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types as cf;
use futures::future;

pub use self::calls::{CODES, GRANTS};
use super::edit::{lacking, quantity, taken, unbuilt};
use super::stated::{self, put};
use super::{Clients, fault_of, tags};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Progress, Provider, ResourceContext};
use crate::resource::distribution::DistributionSpec;
use crate::resource::records::CLOUDFRONT_ZONE_ID;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, OwnedResource, Owner};

/// CloudFront's word for a distribution that has reached every edge location.
const DEPLOYED: &str = "Deployed";

/// Distributions of the account.
pub struct Distributions {
    clients: Arc<Clients>,
}

impl Distributions {
    /// Distributions reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }

    fn client(&self) -> &Client {
        &self.clients.cloudfront
    }
}

fn made(distribution: cf::Distribution) -> Applied {
    Applied { attributes: attributes(&distribution), id: distribution.id }
}

fn attributes(distribution: &cf::Distribution) -> Attributes {
    Attributes::from([
        ("id".into(), distribution.id.clone().into()),
        ("arn".into(), distribution.arn.clone().into()),
        ("domain_name".into(), distribution.domain_name.clone().into()),
        ("zone_id".into(), CLOUDFRONT_ZONE_ID.into()),
    ])
}

#[async_trait]
impl Provider for Distributions {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let seen = match subject.id {
            Some(id) => read::by_id(self.client(), subject, id).await?,
            None => read::by_marks(self.client(), subject, &subject.typed()?).await?,
        };
        seen.map(|seen| read::found(subject, seen)).transpose()
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        const CALL: &str = "CreateDistributionWithTags";
        let spec: DistributionSpec = subject.typed()?;
        if let Some(made) = self.made_before_the_move(subject).await? {
            return Ok(made);
        }
        let config = cf::DistributionConfigWithTags::builder()
            .distribution_config(write::fresh(&spec, subject.token)?)
            .tags(write::tags(tags::wanted(subject, &spec.tags))?);
        let call = self.client().create_distribution_with_tags().distribution_config_with_tags(config.build());
        match call.send().await.map_err(|bad| fault_of("cloudfront", CALL, bad)) {
            Ok(answer) => Ok(made(answer.distribution.ok_or_else(lacking(CALL, "distribution"))?)),
            // The caller reference is taken, or one of the aliases.
            Err(fault) if fault.class == FaultClass::Exists => match self
                .read(&ResourceContext { id: None, ..*subject })
                .await?
            {
                Some(found) if found.owner == Owner::Ours => Ok(Applied { id: found.id, attributes: found.attributes }),
                _ => Err(taken(subject, fault)),
            },
            Err(fault) => Err(fault),
        }
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let is_tag = |field: &&FieldChange| field.path == "tags" || field.path.starts_with("tags.");
        let spec: DistributionSpec = subject.typed()?;
        let before: Option<DistributionSpec> = stated::before(subject)?;
        // What is taken over from somebody else needs our tags even when nothing else differs.
        let tagging = found.owner != Owner::Ours || fields.iter().any(|field| is_tag(&field));
        let configuring = fields.iter().any(|field| !is_tag(&field));
        // The tags and the configuration do not depend on each other.
        let (changed, ()) = future::try_join(
            async {
                if configuring {
                    Ok(Some(write::change(self.client(), &spec, before.as_ref(), &found.id).await?))
                } else {
                    Ok(None)
                }
            },
            async { if tagging { self.retag(subject, &spec, found, fields).await } else { Ok(()) } },
        )
        .await?;
        Ok(changed.map_or_else(|| Applied { id: found.id.clone(), attributes: found.attributes.clone() }, made))
    }

    /// Switches it off, and deletes it once that has reached every edge location: minutes at AWS, so a later call
    /// does the rest.
    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let id = match subject.id {
            Some(id) => id.to_owned(),
            None => match self.read(subject).await? {
                Some(found) if found.owner == Owner::Ours => found.id,
                _ => return Ok(DeleteOutcome::Deleted),
            },
        };
        match write::remove(self.client(), &id).await {
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.code == "DistributionNotDisabled" || fault.code.ends_with("InUse") => {
                Ok(DeleteOutcome::Deferred(fault.message))
            }
            other => other,
        }
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing::listing(&self.clients, search).await
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let Some(id) = subject.id.filter(|_| level == Level::Propagated) else {
            return Ok(Progress::Ready(Attributes::new()));
        };
        let (distribution, _) = read::get(self.client(), id).await?;
        Ok(if distribution.status == DEPLOYED {
            Progress::Ready(attributes(&distribution))
        } else {
            Progress::NotYet(distribution.status.into(), Duration::from_secs(2))
        })
    }
}

impl Distributions {
    /// The one that a lost call made under a former address of the plan, with its marks renewed: its caller reference is
    /// another one, so CloudFront would make a second distribution.
    async fn made_before_the_move(&self, subject: &ResourceContext<'_>) -> Result<Option<Applied>, Fault> {
        let Some(former) = subject.former else { return Ok(None) };
        let there = ResourceContext { address: former, former: None, id: None, ..*subject };
        let Some(found) = self.read(&there).await?.filter(|found| found.owner == Owner::Ours) else { return Ok(None) };
        let spec: DistributionSpec = subject.typed()?;
        self.retag(subject, &spec, &found, &[]).await?;
        Ok(Some(Applied { id: found.id, attributes: found.attributes }))
    }

    /// Writes the wanted tags and takes away those that the plan dropped; the tags of others stay.
    async fn retag(
        &self,
        subject: &ResourceContext<'_>,
        spec: &DistributionSpec,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<(), Fault> {
        let arn = found.attributes.get("arn").and_then(serde_json::Value::as_str);
        let arn = arn.ok_or_else(lacking("GetDistribution", "ARN"))?;
        let wanted = write::tags(tags::wanted(subject, &spec.tags))?;
        // One after the other: both write the same set of tags.
        let put = self.client().tag_resource().resource(arn).tags(wanted).send().await;
        put.map_err(|bad| fault_of("cloudfront", "TagResource", bad))?;
        let gone = fields.iter().filter(|field| field.new.is_none());
        let gone: Vec<String> = gone.filter_map(|field| field.path.strip_prefix("tags.")).map(str::to_owned).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let keys = cf::TagKeys::builder().set_items(Some(gone)).build();
        let take = self.client().untag_resource().resource(arn).tag_keys(keys).send().await;
        take.map(drop).map_err(|bad| fault_of("cloudfront", "UntagResource", bad))
    }
}
