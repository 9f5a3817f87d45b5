//! What the SDK retries by itself, and its request rate.
//!
//! The SDK repeats single calls that do no harm when they take effect twice. A call that makes something is tried once: when
//! its answer is lost, the engine looks before it calls again. Each service has a rate of its own that falls when the service
//! throttles and recovers after that.

use std::time::Duration;

use aws_sdk_s3::config::retry::{ClientRateLimiter, RetryConfig, RetryMode, RetryPartition};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Tries of a call that may be repeated, where `AWS_MAX_ATTEMPTS` does not say another number.
pub const TRIES: u32 = 3;
/// Calls a second from which the first fall begins; after that the rate is measured.
const FIRST_RATE: f64 = 50.0;
/// Beginnings of operations that can take effect twice and are the same as once.
const HARMLESS: &[&str] =
    &["Get", "List", "Describe", "Head", "Put", "Delete", "Tag", "Untag", "AddTags", "RemoveTags", "ChangeTags"];
/// It may be on the condition that it does not exist yet: the second time there is.
const CONDITIONAL: &str = "PutObject";

/// How the SDK tries, so often at most: adaptive, so that it learns from throttling.
pub fn config(tries: u32) -> RetryConfig {
    let backoff = RetryConfig::adaptive().with_initial_backoff(Duration::from_millis(100));
    backoff.with_max_backoff(Duration::from_secs(2)).with_max_attempts(tries)
}

/// A rate of its own for one service.
pub fn rate(service: &'static str) -> RetryPartition {
    let limiter = ClientRateLimiter::builder().tokens_retrieved_per_second(FIRST_RATE).build();
    RetryPartition::custom(service).client_rate_limiter(limiter).build()
}

/// Lets a call that makes something be tried once.
#[derive(Debug)]
pub struct OnceUnlessHarmless;

#[dyn_dispatch_hint]
impl Intercept for OnceUnlessHarmless {
    fn name(&self) -> &'static str {
        "OnceUnlessHarmless"
    }

    // Earlier, the name of the operation is not known yet.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The journal in a bucket has a way of its own: its writes are on a condition.
        let ours = settings.load::<RetryConfig>().is_some_and(|config| config.mode() == RetryMode::Adaptive);
        if ours && !settings.load::<Metadata>().is_some_and(|call| may_be_repeated(call.name())) {
            settings.interceptor_state().store_put(config(1));
        }
        Ok(())
    }
}

fn may_be_repeated(operation: &str) -> bool {
    operation != CONDITIONAL && HARMLESS.iter().any(|start| operation.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_something_is_tried_once() {
        for harmless in ["ListHostedZones", "PutBucketPolicy", "HeadObject", "DeleteRole", "ChangeTagsForResource"] {
            assert!(may_be_repeated(harmless), "{harmless}");
        }
        for once in ["CreateRole", "RequestCertificate", "PublishVersion", "ChangeResourceRecordSets", "PutObject"] {
            assert!(!may_be_repeated(once), "{once}");
        }
    }
}
