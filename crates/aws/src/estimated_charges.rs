//! What the account has to pay so far this month, as CloudWatch's billing metric says it.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Statistic};

use super::{Clients, fault_of};
use crate::resource::Fault;

/// Billing metrics are kept in us-east-1, and only when billing alerts are enabled in the account (CloudWatch User Guide, "Create a
/// billing alarm to monitor your estimated AWS charges").
const NAMESPACE: &str = "AWS/Billing";
const METRIC: &str = "EstimatedCharges";
/// Seconds of a period: the metric comes several times a day.
const PERIOD: i32 = 6 * 3600;

/// What the account has to pay so far this month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charges {
    /// US dollars since the month began.
    pub usd: f64,
    /// The beginning of the latest period with a value, in seconds since 1970.
    pub at: i64,
}

/// The latest value from one time to another, in seconds since 1970; none where CloudWatch has none: billing alerts are off, or the
/// account is a member of an organization whose payer gets the metric.
///
/// # Errors
/// What CloudWatch says.
pub async fn estimated_charges(clients: &Clients, (from, to): (i64, i64)) -> Result<Option<Charges>, Fault> {
    let currency = Dimension::builder().name("Currency").value("USD").build();
    let call = clients.cloudwatch().get_metric_statistics().namespace(NAMESPACE).metric_name(METRIC);
    let call = call.dimensions(currency).statistics(Statistic::Maximum).period(PERIOD);
    let call = call.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
    let answer = call.send().await.map_err(|bad| fault_of("cloudwatch", "GetMetricStatistics", bad))?;
    let points = answer.datapoints.unwrap_or_default().into_iter();
    let charges = points.filter_map(|point| {
        Some(Charges { usd: point.maximum.filter(|usd| usd.is_finite())?, at: point.timestamp?.secs() })
    });
    Ok(charges.max_by_key(|charges| charges.at))
}
