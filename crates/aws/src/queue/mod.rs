//! SQS queues: created in one call with all settings, identified by their ARN.
//!
//! SQS answers a create of what is there already, with the same attributes, as if it had made it, whosever it is. So the tags are
//! looked at before, and once more after. A queue goes with all that is in it: SQS refuses nothing, so this provider does.

mod calls;
mod listing;
mod policy;
mod read;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

pub use self::calls::{CODES, GRANTS};
use self::read::CurrentQueue;
use self::settings::QueueAttributes;
use super::fault::{optional, taken};
use super::validation::ValidationWaits;
use super::{Clients, fault_of, stated, tag_changes, tags};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Progress, Provider, ResourceContext};
use crate::resource::queue::{QueueSpec, parts};
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, OwnedResource, Owner};

/// A change of attributes is everywhere after so long at the latest (API reference, "SetQueueAttributes").
const SPREAD: Duration = Duration::from_secs(60);

/// Queues of the account, in any region.
pub struct Queues {
    clients: Arc<Clients>,
    /// Since when a change of them is waited for, by ARN.
    waits: ValidationWaits,
    /// Those whose messages the user gave up, by ARN.
    given_up: Mutex<BTreeSet<String>>,
}

impl Queues {
    /// Queues reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), waits: ValidationWaits::default(), given_up: Mutex::default() }
    }

    /// Where a subject's queue is, with a client for it, and its name: by its ARN, once that is known.
    fn at(&self, subject: &ResourceContext<'_>) -> Result<(Client, String), Fault> {
        let (region, name) = place(subject.id, &subject.typed()?);
        Ok((self.clients.sqs(&region)?, name))
    }

    /// Whether its messages were given up.
    fn is_given_up(&self, arn: &str) -> bool {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).contains(arn)
    }
}

/// Region and name of a queue.
fn place(arn: Option<&str>, spec: &QueueSpec) -> (String, String) {
    match arn.and_then(parts) {
        Some((region, _, name)) => (region.to_owned(), name.to_owned()),
        None => (spec.region.clone(), spec.name.clone()),
    }
}

/// The policies that the plan and an earlier run state.
fn policies<'a>(now: &'a QueueSpec, before: Option<&'a QueueSpec>) -> policy::StatedPolicy<'a> {
    policy::StatedPolicy { now: now.policy.as_ref(), before: before.and_then(|before| before.policy.as_ref()) }
}

/// Texts as the SDK takes them.
fn named(all: QueueAttributes) -> HashMap<QueueAttributeName, String> {
    all.into_iter().map(|(name, text)| (QueueAttributeName::from(name.as_str()), text)).collect()
}

/// It is made, and a read does not show it yet.
fn not_shown(what: &str, name: &str) -> Fault {
    Fault::new(
        FaultClass::Retry,
        "sqs",
        "CreateQueue",
        "NotVisible",
        format!("{what} of queue {name} is not shown yet"),
    )
}

#[async_trait]
impl Provider for Queues {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let (client, name) = self.at(subject)?;
        let held = read::held(&client, &name).await?;
        held.map(|held| read::found(subject, held)).transpose()
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: QueueSpec = subject.typed()?;
        let client = self.clients.sqs(&spec.region)?;
        if !subject.seen_absent
            && let Some(held) = read::held(&client, &spec.name).await?
        {
            return ours(subject, &spec, &held);
        }
        let call = client
            .create_queue()
            .queue_name(&spec.name)
            .set_attributes(Some(named(settings::fresh(&spec))).filter(|all| !all.is_empty()))
            .set_tags(Some(tags::wanted(subject, &spec.tags).into_iter().collect()));
        match call.send().await.map_err(|bad| fault_of("sqs", "CreateQueue", bad)) {
            // One with other settings came since it was looked for.
            Err(fault) if fault.class == FaultClass::Exists => {}
            Err(fault) => return Err(fault),
            Ok(_) => {}
        }
        match read::held(&client, &spec.name).await? {
            Some(held) if held.tags.is_empty() && subject.seen_absent => Err(not_shown("the mark", &spec.name)),
            Some(held) => ours(subject, &spec, &held),
            None => Err(not_shown("the URL", &spec.name)),
        }
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let made = Applied { id: found.id.clone(), attributes: found.attributes.clone() };
        if fields.is_empty() {
            return Ok(made);
        }
        let spec: QueueSpec = subject.typed()?;
        let before: Option<QueueSpec> = stated::before(subject)?;
        let (region, name) = place(Some(found.id.as_str()), &spec);
        let client = self.clients.sqs(&region)?;
        let Some(url) = read::url(&client, &name).await? else {
            return Err(not_shown("the URL", &name));
        };
        let changed: BTreeSet<&str> = fields.iter().filter_map(|field| field.path.split('.').next()).collect();
        if changed.iter().any(|path| *path != "tags") {
            // What is there is asked for anew: statements of others may have come.
            let held = read::attributes(&client, &url).await?;
            let all = settings::changed(&spec, &changed, &held, policies(&spec, before.as_ref()));
            write(&client, &url, all).await?;
        }
        retag(&client, &url, tag_changes::of(subject, &spec.tags, fields)).await?;
        Ok(made)
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let (client, name) = self.at(subject)?;
        let Some(held) = read::held(&client, &name).await? else { return Ok(DeleteOutcome::Deleted) };
        // Without its ARN it was never finished: what is there is ours only by its mark.
        if subject.id.is_none() && tags::read(subject, held.tags.clone()).0 != Owner::Ours {
            return Ok(DeleteOutcome::Deleted);
        }
        let messages = settings::messages(&held.texts);
        if messages > 0 && !self.is_given_up(&held.arn) {
            return Err(not_empty(&name, messages));
        }
        let answer = client.delete_queue().queue_url(&held.url).send().await;
        optional(answer.map_err(|bad| fault_of("sqs", "DeleteQueue", bad)))?;
        // For up to a minute SQS may go on to show it: the next run would take it for a queue that stands.
        match read::url(&client, &name).await? {
            None => Ok(DeleteOutcome::Deleted),
            Some(_) => {
                let words = format!("queue {name} is deleted and still shown");
                Err(Fault::new(FaultClass::Retry, "sqs", "DeleteQueue", "StillVisible", words))
            }
        }
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let Some(arn) = subject.id.filter(|_| level != Level::Accepted) else {
            return Ok(Progress::Ready(Attributes::new()));
        };
        let begun = self.waits.since(arn);
        let (client, name) = self.at(subject)?;
        let not_yet = |word: &str| Progress::NotYet(word.into(), Duration::from_millis(500));
        let Some(held) = read::held(&client, &name).await? else { return Ok(not_yet("not shown yet")) };
        let shown = settings::shows(&held.texts, &subject.typed()?) || begun >= SPREAD;
        Ok(if shown { Progress::Ready(read::known(&held)) } else { not_yet("its settings are not shown yet") })
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing::listing(&self.clients, search).await
    }

    async fn data(&self, subject: &ResourceContext<'_>, _going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        let (client, name) = self.at(subject)?;
        let Some(url) = read::url(&client, &name).await? else { return Ok(None) };
        let messages = optional(read::attributes(&client, &url).await)?.map_or(0, |held| settings::messages(&held));
        Ok((messages > 0).then(|| format!("about {messages}")))
    }

    /// Nothing is asked of SQS: the messages go with the queue.
    async fn empty(&self, subject: &ResourceContext<'_>) -> Result<(), Fault> {
        let arn = subject.id.map(str::to_owned);
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).extend(arn);
        Ok(())
    }
}

/// A queue that is there: ours by its mark, or somebody else's.
fn ours(subject: &ResourceContext<'_>, spec: &QueueSpec, held: &CurrentQueue) -> Result<Applied, Fault> {
    match tags::read(subject, held.tags.clone()).0 {
        Owner::Ours => Ok(Applied { id: held.arn.clone(), attributes: read::known(held) }),
        Owner::Foreign(whose) | Owner::Contested(whose) => {
            let what = format!("queue {} in {}", spec.name, spec.region);
            Err(taken("sqs", "CreateQueue", "QueueAlreadyExists", &what, &whose, subject.address))
        }
    }
}

/// Messages are lost with their queue.
fn not_empty(name: &str, messages: u64) -> Fault {
    let words = format!("queue {name} holds messages, about {messages}");
    Fault::new(FaultClass::Refused, "sqs", "DeleteQueue", "QueueNotEmpty", words)
        .next("let their receivers finish, or add --empty-buckets to delete them")
}

async fn write(client: &Client, url: &str, all: QueueAttributes) -> Result<(), Fault> {
    if all.is_empty() {
        return Ok(());
    }
    let answer = client.set_queue_attributes().queue_url(url).set_attributes(Some(named(all))).send().await;
    answer.map(drop).map_err(|bad| fault_of("sqs", "SetQueueAttributes", bad))
}

async fn retag(client: &Client, url: &str, changes: tag_changes::TagChanges) -> Result<(), Fault> {
    if !changes.set.is_empty() {
        let set = changes.set.into_iter().collect();
        let answer = client.tag_queue().queue_url(url).set_tags(Some(set)).send().await;
        answer.map_err(|bad| fault_of("sqs", "TagQueue", bad))?;
    }
    if !changes.drop.is_empty() {
        let answer = client.untag_queue().queue_url(url).set_tag_keys(Some(changes.drop)).send().await;
        answer.map_err(|bad| fault_of("sqs", "UntagQueue", bad))?;
    }
    Ok(())
}
