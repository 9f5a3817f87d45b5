//! Settings of a bucket that no plan can set: read only to show all differences.

use serde_json::{Value, json};

use super::*;

/// Whoever may not look at a setting is not told of it, nor of one that a region does not know; the rest is shown.
fn allowed<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Err(fault) if matches!(fault.class, FaultClass::Denied | FaultClass::Refused) => Ok(None),
        other => optional(other),
    }
}

/// Website, requester pays, acceleration, notifications and access logs, where they are not at AWS's default.
pub async fn extras(client: &Client, name: &str) -> Result<Vec<UnmanagedField>, Fault> {
    let (website, payer, speed, notices, logs) = future::try_join5(
        website(client, name),
        payer(client, name),
        acceleration(client, name),
        notifications(client, name),
        logging(client, name),
    )
    .await?;
    let all = [
        ("website", website),
        ("request_payer", payer),
        ("acceleration", speed),
        ("notifications", notices),
        ("logging", logs),
    ];
    let there = all.into_iter().filter_map(|(path, value)| Some((path, value?)));
    Ok(there.map(|(path, value)| UnmanagedField { path: path.to_owned(), value, theirs: false }).collect())
}

async fn website(client: &Client, name: &str) -> Result<Option<Value>, Fault> {
    let answer = client.get_bucket_website().bucket(name).send().await;
    let answer = allowed(answer.map_err(|bad| fault_of("s3", "GetBucketWebsite", bad)))?;
    Ok(answer.map(|site| {
        json!({
            "index": site.index_document.map(|index| index.suffix), "error": site.error_document.map(|error| error.key),
            "redirect_to": site.redirect_all_requests_to.map(|to| to.host_name),
        })
    }))
}

async fn payer(client: &Client, name: &str) -> Result<Option<Value>, Fault> {
    let answer = client.get_bucket_request_payment().bucket(name).send().await;
    let answer = allowed(answer.map_err(|bad| fault_of("s3", "GetBucketRequestPayment", bad)))?;
    let payer = answer.and_then(|answer| answer.payer).filter(|payer| *payer == s3::Payer::Requester);
    Ok(payer.map(|payer| payer.as_str().into()))
}

async fn acceleration(client: &Client, name: &str) -> Result<Option<Value>, Fault> {
    let answer = client.get_bucket_accelerate_configuration().bucket(name).send().await;
    let answer = allowed(answer.map_err(|bad| fault_of("s3", "GetBucketAccelerateConfiguration", bad)))?;
    let on = answer.and_then(|answer| answer.status).filter(|on| *on == s3::BucketAccelerateStatus::Enabled);
    Ok(on.map(|on| on.as_str().into()))
}

async fn notifications(client: &Client, name: &str) -> Result<Option<Value>, Fault> {
    let answer = client.get_bucket_notification_configuration().bucket(name).send().await;
    let answer = allowed(answer.map_err(|bad| fault_of("s3", "GetBucketNotificationConfiguration", bad)))?;
    Ok(answer.and_then(|all| {
        let mut to: Vec<String> = Vec::new();
        to.extend(all.topic_configurations.into_iter().flatten().map(|one| one.topic_arn));
        to.extend(all.queue_configurations.into_iter().flatten().map(|one| one.queue_arn));
        to.extend(all.lambda_function_configurations.into_iter().flatten().map(|one| one.lambda_function_arn));
        to.extend(all.event_bridge_configuration.map(|_| "EventBridge".to_owned()));
        (!to.is_empty()).then(|| to.into())
    }))
}

async fn logging(client: &Client, name: &str) -> Result<Option<Value>, Fault> {
    let answer = client.get_bucket_logging().bucket(name).send().await;
    let answer = allowed(answer.map_err(|bad| fault_of("s3", "GetBucketLogging", bad)))?;
    let on = answer.and_then(|answer| answer.logging_enabled);
    Ok(on.map(|on| json!({"bucket": on.target_bucket, "prefix": on.target_prefix})))
}
