//! CORS rules. Ours carry an id of the tool; rules of others stay where they stand, for S3 takes the first that fits.

use super::*;

/// In front of the place of one of our rules, in its id.
const MARK: &str = "akidb-edge-";

/// What the plan says, and what an earlier run said.
#[derive(Clone, Copy)]
pub struct StatedCors<'a> {
    pub now: Option<&'a [CorsRule]>,
    pub before: Option<&'a [CorsRule]>,
}

impl<'a> StatedCors<'a> {
    pub fn of(spec: &'a BucketSpec, before: Option<&'a BucketSpec>) -> Self {
        Self { now: spec.cors.as_deref(), before: before.and_then(|before| before.cors.as_deref()) }
    }

    /// An empty list says that there is none: then every rule counts. Rules of older versions of the tool have no id.
    fn covers(&self, rule: &s3::CorsRule) -> bool {
        let all_go = self.now.is_some_and(<[_]>::is_empty);
        let stated = self.now.is_some() || self.before.is_some();
        let marked = stated && rule.id().is_some_and(|id| id.starts_with(MARK));
        let plain = told(rule);
        all_go || marked || [self.now, self.before].into_iter().flatten().flatten().any(|known| same(known, &plain))
    }
}

pub async fn held(client: &Client, name: &str) -> Result<Vec<s3::CorsRule>, Fault> {
    let answer = client.get_bucket_cors().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketCors", bad)))?;
    Ok(answer.and_then(|answer| answer.cors_rules).unwrap_or_default())
}

/// Our rules; none when there are none and the plan says nothing. The rest are extras.
pub fn seen(held: &[s3::CorsRule], stated: StatedCors<'_>, extras: &mut Vec<UnmanagedField>) -> Option<Vec<CorsRule>> {
    let (ours, others): (Vec<&s3::CorsRule>, Vec<&s3::CorsRule>) = held.iter().partition(|rule| stated.covers(rule));
    extras.extend(others.into_iter().enumerate().map(|(at, rule)| UnmanagedField {
        path: format!("cors.{}", rule.id().map_or_else(|| at.to_string(), str::to_owned)),
        value: serde_json::to_value(told(rule)).unwrap_or_default(),
        theirs: true,
    }));
    // The lists in a rule are sets: in another order they are what the plan says.
    let spelled = |(at, rule): (usize, &s3::CorsRule)| {
        let plain = told(rule);
        let wanted = stated.now.and_then(|now| now.get(at)).filter(|wanted| same(wanted, &plain));
        wanted.cloned().unwrap_or(plain)
    };
    (stated.now.is_some() || !ours.is_empty()).then(|| ours.into_iter().enumerate().map(spelled).collect())
}

fn same(one: &CorsRule, other: &CorsRule) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    let lists = |rule: &CorsRule| [&rule.origins, &rule.methods, &rule.headers, &rule.expose].map(|list| sorted(list));
    one.max_age_seconds == other.max_age_seconds && lists(one) == lists(other)
}

/// Writes our rules into what is there. The last rule goes with the configuration.
pub async fn write(client: &Client, name: &str, stated: StatedCors<'_>, fresh: bool) -> Result<(), Fault> {
    let held = if fresh { Vec::new() } else { held(client, name).await? };
    let none = held.is_empty();
    let rules = merged(held, stated)?;
    if rules.is_empty() {
        if none {
            return Ok(());
        }
        let answer = client.delete_bucket_cors().bucket(name).send().await;
        return answer.map(drop).map_err(|bad| fault_of("s3", "DeleteBucketCors", bad));
    }
    let config = s3::CorsConfiguration::builder().set_cors_rules(Some(rules)).build();
    let config = config.map_err(unbuilt("s3", "PutBucketCors"))?;
    let answer = client.put_bucket_cors().bucket(name).cors_configuration(config).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketCors", bad))
}

fn merged(held: Vec<s3::CorsRule>, stated: StatedCors<'_>) -> Result<Vec<s3::CorsRule>, Fault> {
    let ours = stated.now.into_iter().flatten().zip(1..).map(|(rule, place)| written(rule, place));
    let mut ours = Some(ours.collect::<Result<Vec<_>, _>>().map_err(unbuilt("s3", "PutBucketCors"))?);
    let mut all = Vec::new();
    for rule in held {
        if stated.covers(&rule) {
            all.extend(ours.take().into_iter().flatten());
        } else {
            all.push(rule);
        }
    }
    all.extend(ours.into_iter().flatten());
    Ok(all)
}

fn written(rule: &CorsRule, place: usize) -> Result<s3::CorsRule, aws_smithy_types::error::operation::BuildError> {
    s3::CorsRule::builder()
        .id(format!("{MARK}{place}"))
        .set_allowed_origins(Some(rule.origins.clone()))
        .set_allowed_methods(Some(rule.methods.clone()))
        .set_allowed_headers((!rule.headers.is_empty()).then(|| rule.headers.clone()))
        .set_expose_headers((!rule.expose.is_empty()).then(|| rule.expose.clone()))
        .set_max_age_seconds(rule.max_age_seconds)
        .build()
}

fn told(rule: &s3::CorsRule) -> CorsRule {
    CorsRule {
        origins: rule.allowed_origins.clone(),
        methods: rule.allowed_methods.clone(),
        headers: rule.allowed_headers.clone().unwrap_or_default(),
        expose: rule.expose_headers.clone().unwrap_or_default(),
        max_age_seconds: rule.max_age_seconds,
    }
}
