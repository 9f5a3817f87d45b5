//! Lifecycle rules. Ours are told from those of others by their ids; what others set on one of ours stays.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;

/// What a bucket has.
#[derive(Default)]
pub struct CurrentLifecycle {
    rules: Vec<s3::LifecycleRule>,
    /// A setting of the whole configuration, which a write without it would reset.
    least_size: Option<s3::TransitionDefaultMinimumObjectSize>,
}

/// What the plan says, and what an earlier run said.
#[derive(Clone, Copy)]
pub struct StatedLifecycle<'a> {
    pub now: Option<&'a [LifecycleRule]>,
    pub before: Option<&'a [LifecycleRule]>,
}

impl<'a> StatedLifecycle<'a> {
    pub fn of(spec: &'a BucketSpec, before: Option<&'a BucketSpec>) -> Self {
        Self { now: spec.lifecycle.as_deref(), before: before.and_then(|before| before.lifecycle.as_deref()) }
    }

    fn ids(&self) -> BTreeSet<&'a str> {
        [self.now, self.before].into_iter().flatten().flatten().map(|rule| rule.id.as_str()).collect()
    }

    /// An empty list says that there is none: then every rule counts.
    fn covers(&self, rule: &s3::LifecycleRule) -> bool {
        self.now.is_some_and(<[_]>::is_empty) || rule.id().is_some_and(|id| self.ids().contains(id))
    }

    fn wanted(&self, rule: &s3::LifecycleRule) -> Option<&'a LifecycleRule> {
        self.now.into_iter().flatten().find(|wanted| Some(wanted.id.as_str()) == rule.id())
    }
}

pub async fn held(client: &Client, name: &str) -> Result<CurrentLifecycle, Fault> {
    let answer = client.get_bucket_lifecycle_configuration().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketLifecycleConfiguration", bad)))?;
    Ok(answer.map_or_else(CurrentLifecycle::default, |answer| CurrentLifecycle {
        rules: answer.rules.unwrap_or_default(),
        least_size: answer.transition_default_minimum_object_size,
    }))
}

/// Our rules in the plan's order; none when there are none and the plan says nothing. The rest are extras.
pub fn seen(
    held: &CurrentLifecycle,
    stated: StatedLifecycle<'_>,
    extras: &mut Vec<UnmanagedField>,
) -> Option<Vec<LifecycleRule>> {
    let place = |rule: &s3::LifecycleRule| {
        let all = stated.now.unwrap_or_default();
        all.iter().position(|wanted| Some(wanted.id.as_str()) == rule.id()).unwrap_or(usize::MAX)
    };
    let mut ours: Vec<&s3::LifecycleRule> = held.rules.iter().filter(|rule| stated.covers(rule)).collect();
    ours.sort_by_key(|rule| place(rule));
    for rule in &ours {
        let id = rule.id().unwrap_or("unnamed");
        extras.extend(unknown(rule).into_iter().map(|(part, value)| UnmanagedField {
            path: format!("lifecycle.{id}.{part}"),
            value,
            theirs: false,
        }));
    }
    let others = held.rules.iter().filter(|rule| !stated.covers(rule));
    extras.extend(others.map(|rule| {
        let mut value = serde_json::to_value(told(rule, None)).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.extend(unknown(rule));
        }
        UnmanagedField { path: format!("lifecycle.{}", rule.id().unwrap_or("unnamed")), value, theirs: true }
    }));
    let rules: Vec<LifecycleRule> = ours.into_iter().map(|rule| told(rule, stated.wanted(rule))).collect();
    (stated.now.is_some() || !rules.is_empty()).then_some(rules)
}

/// Writes our rules into what is there. The last rule goes with the configuration.
pub async fn write(client: &Client, name: &str, stated: StatedLifecycle<'_>, fresh: bool) -> Result<(), Fault> {
    let held = if fresh { CurrentLifecycle::default() } else { held(client, name).await? };
    let none = held.rules.is_empty();
    let (rules, least_size) = (merged(held.rules, stated)?, held.least_size);
    if rules.is_empty() {
        if none {
            return Ok(());
        }
        let answer = client.delete_bucket_lifecycle().bucket(name).send().await;
        return answer.map(drop).map_err(|bad| fault_of("s3", "DeleteBucketLifecycle", bad));
    }
    let config = s3::BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(unbuilt("s3", "PutBucketLifecycleConfiguration"))?;
    let call = client
        .put_bucket_lifecycle_configuration()
        .bucket(name)
        .set_transition_default_minimum_object_size(least_size)
        .lifecycle_configuration(config);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketLifecycleConfiguration", bad))
}

fn merged(held: Vec<s3::LifecycleRule>, stated: StatedLifecycle<'_>) -> Result<Vec<s3::LifecycleRule>, Fault> {
    let there: BTreeSet<String> = held.iter().filter_map(|rule| rule.id.clone()).collect();
    let mut all = Vec::new();
    for rule in held {
        match stated.wanted(&rule) {
            Some(wanted) => all.push(written(wanted, rule)),
            None if stated.covers(&rule) => {}
            None => all.push(rule),
        }
    }
    for wanted in stated.now.into_iter().flatten().filter(|wanted| !there.contains(&wanted.id)) {
        let bare = s3::LifecycleRule::builder().id(&wanted.id).status(s3::ExpirationStatus::Enabled).build();
        all.push(written(wanted, bare.map_err(unbuilt("s3", "PutBucketLifecycleConfiguration"))?));
    }
    Ok(all)
}

/// The plan's rule over the one that is there.
fn written(wanted: &LifecycleRule, mut rule: s3::LifecycleRule) -> s3::LifecycleRule {
    rule.status =
        if wanted.enabled.unwrap_or(true) { s3::ExpirationStatus::Enabled } else { s3::ExpirationStatus::Disabled };
    rule.filter = Some(filter(&wanted.prefix, rule.filter.take()));
    let days = rule.expiration.as_ref().and_then(|expiry| expiry.days);
    if wanted.expire_days != days {
        rule.expiration = wanted.expire_days.map(|days| s3::LifecycleExpiration::builder().days(days).build());
    }
    let old = rule.noncurrent_version_expiration.take();
    rule.noncurrent_version_expiration = wanted.expire_old_versions_days.map(|days| {
        let kept = old.and_then(|old| old.newer_noncurrent_versions);
        let expiry = s3::NoncurrentVersionExpiration::builder().noncurrent_days(days);
        expiry.set_newer_noncurrent_versions(kept).build()
    });
    rule.abort_incomplete_multipart_upload = wanted
        .abort_uploads_days
        .map(|days| s3::AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    rule
}

/// The plan's prefix beside the tags and sizes that others put into the filter.
fn filter(prefix: &str, held: Option<s3::LifecycleRuleFilter>) -> s3::LifecycleRuleFilter {
    let (tags, above, below) = held.as_ref().map_or_else(Default::default, conditions);
    let prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
    let parts = tags.len() + usize::from(above.is_some()) + usize::from(below.is_some());
    if parts == 0 {
        return s3::LifecycleRuleFilter::builder().prefix(prefix.unwrap_or_default()).build();
    }
    let plain = s3::LifecycleRuleFilter::builder();
    if parts == 1 && prefix.is_none() {
        let plain = plain.set_tag(tags.into_iter().next());
        return plain.set_object_size_greater_than(above).set_object_size_less_than(below).build();
    }
    let both = s3::LifecycleRuleAndOperator::builder()
        .set_prefix(prefix)
        .set_tags((!tags.is_empty()).then_some(tags))
        .set_object_size_greater_than(above)
        .set_object_size_less_than(below);
    plain.and(both.build()).build()
}

/// Tags and sizes of a filter, alone or together with others.
fn conditions(filter: &s3::LifecycleRuleFilter) -> (Vec<s3::Tag>, Option<i64>, Option<i64>) {
    let both = filter.and.as_ref();
    let mut tags: Vec<s3::Tag> = filter.tag.iter().cloned().collect();
    tags.extend(both.and_then(|both| both.tags.clone()).unwrap_or_default());
    let size = |alone: Option<i64>, together: Option<i64>| alone.or(together).filter(|bytes| *bytes > 0);
    let above = size(filter.object_size_greater_than, both.and_then(|both| both.object_size_greater_than));
    let below = size(filter.object_size_less_than, both.and_then(|both| both.object_size_less_than));
    (tags, above, below)
}

/// A rule in the plan's words. What the plan leaves to the default, and is at the default, is not told: rules are
/// compared to the letter.
fn told(rule: &s3::LifecycleRule, like: Option<&LifecycleRule>) -> LifecycleRule {
    let on = rule.status == s3::ExpirationStatus::Enabled;
    let filter = rule.filter.as_ref();
    let prefix = filter.and_then(|filter| filter.prefix.as_ref().or_else(|| filter.and.as_ref()?.prefix.as_ref()));
    LifecycleRule {
        id: rule.id.clone().unwrap_or_default(),
        prefix: prefix.cloned().unwrap_or_default(),
        enabled: Some(on).filter(|on| !on || like.is_some_and(|like| like.enabled.is_some())),
        expire_days: rule.expiration.as_ref().and_then(|expiry| expiry.days),
        expire_old_versions_days: rule.noncurrent_version_expiration.as_ref().and_then(|expiry| expiry.noncurrent_days),
        abort_uploads_days: rule
            .abort_incomplete_multipart_upload
            .as_ref()
            .and_then(|abort| abort.days_after_initiation),
    }
}

/// What a rule has beyond the plan's words.
fn unknown(rule: &s3::LifecycleRule) -> Map<String, Value> {
    let (tags, above, below) = rule.filter.as_ref().map_or_else(Default::default, conditions);
    let tags: Map<String, Value> = tags.into_iter().map(|tag| (tag.key, tag.value.into())).collect();
    let expiry = rule.expiration.as_ref();
    let kept = rule.noncurrent_version_expiration.as_ref().and_then(|expiry| expiry.newer_noncurrent_versions);
    let to = |days: Option<i32>, class: Option<&str>| json!({"days": days, "storage_class": class});
    let moves = rule.transitions.iter().flatten();
    let moves: Vec<Value> =
        moves.map(|one| to(one.days, one.storage_class.as_ref().map(s3::TransitionStorageClass::as_str))).collect();
    let old = rule.noncurrent_version_transitions.iter().flatten();
    let old: Vec<Value> = old
        .map(|one| to(one.noncurrent_days, one.storage_class.as_ref().map(s3::TransitionStorageClass::as_str)))
        .collect();
    let all = [
        ("tags", (!tags.is_empty()).then(|| tags.into())),
        ("object_size_greater_than", above.map(Value::from)),
        ("object_size_less_than", below.map(Value::from)),
        ("expire_date", expiry.and_then(|expiry| expiry.date).map(|date| date.to_string().into())),
        (
            "expire_delete_markers",
            expiry.and_then(|expiry| expiry.expired_object_delete_marker).filter(|on| *on).map(Value::from),
        ),
        ("keep_old_versions", kept.map(Value::from)),
        ("transitions", (!moves.is_empty()).then(|| moves.into())),
        ("old_version_transitions", (!old.is_empty()).then(|| old.into())),
    ];
    all.into_iter().filter_map(|(part, value)| Some((part.to_owned(), value?))).collect()
}
