//! Reading a queue: its URL by its name, then its attributes and its tags.

use futures::future;

use super::*;

/// A queue as SQS shows it.
pub struct CurrentQueue {
    pub url: String,
    pub arn: String,
    pub texts: QueueAttributes,
    pub tags: BTreeMap<String, String>,
}

/// The queue of a name.
pub async fn held(client: &Client, name: &str) -> Result<Option<CurrentQueue>, Fault> {
    let Some(url) = url(client, name).await? else { return Ok(None) };
    // It may go between the calls.
    let both = future::try_join(attributes(client, &url), tags(client, &url)).await;
    let Some((texts, tags)) = optional(both)? else { return Ok(None) };
    let missing = || Fault::unexpected("sqs", "GetQueueAttributes", "the answer has no QueueArn");
    let arn = texts.get("QueueArn").cloned().ok_or_else(missing)?;
    Ok(Some(CurrentQueue { url, arn, texts, tags }))
}

/// The URL of the queue of a name.
pub async fn url(client: &Client, name: &str) -> Result<Option<String>, Fault> {
    let answer = client.get_queue_url().queue_name(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("sqs", "GetQueueUrl", bad)))?;
    Ok(answer.and_then(|answer| answer.queue_url))
}

/// All attributes.
pub async fn attributes(client: &Client, url: &str) -> Result<QueueAttributes, Fault> {
    let answer = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
    let answer = answer.map_err(|bad| fault_of("sqs", "GetQueueAttributes", bad))?;
    let all = answer.attributes.unwrap_or_default();
    Ok(all.into_iter().map(|(name, text)| (name.as_str().to_owned(), text)).collect())
}

/// The tags.
pub async fn tags(client: &Client, url: &str) -> Result<BTreeMap<String, String>, Fault> {
    let answer = client.list_queue_tags().queue_url(url).send().await;
    let answer = answer.map_err(|bad| fault_of("sqs", "ListQueueTags", bad))?;
    Ok(answer.tags.unwrap_or_default().into_iter().collect())
}

/// What it makes known.
pub fn known(held: &CurrentQueue) -> Attributes {
    let name = parts(&held.arn).map_or_else(String::new, |(_, _, name)| name.to_owned());
    Attributes::from([
        ("arn".into(), held.arn.clone().into()),
        ("name".into(), name.into()),
        ("url".into(), held.url.clone().into()),
    ])
}

/// What was found, beside what is asked for.
pub fn found(subject: &ResourceContext<'_>, held: CurrentQueue) -> Result<ObservedResource, Fault> {
    let wanted: QueueSpec = subject.typed()?;
    let before: Option<QueueSpec> = stated::before(subject)?;
    let (owner, tags) = super::super::tags::read(subject, held.tags.clone());
    let (region, name) = place(Some(held.arn.as_str()), &wanted);
    let plain = QueueSpec { tags, ..settings::spec(&name, &region, &held.texts) };
    let usual = settings::usual(&plain, before.as_ref());
    let (mut spec, mut extras) = stated::parted(subject, &plain, &usual)?;
    extras.extend(settings::others(&held.texts));
    let policies = policies(&wanted, before.as_ref());
    let policy = policy::seen(held.texts.get("Policy").map(String::as_str), policies, &mut extras);
    if let (Some(fields), Some(policy)) = (spec.as_object_mut(), policy) {
        fields.insert("policy".to_owned(), policy);
    }
    Ok(ObservedResource { attributes: known(&held), id: held.arn, spec, owner, extras })
}
