//! CloudWatch metrics of a distribution: the number of viewer requests, the cache hit rate, and the share of failed requests.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Statistic};

use super::{Clients, fault_of};
use crate::resource::Fault;

const NAMESPACE: &str = "AWS/CloudFront";
/// CloudFront's metrics are those of the whole world, kept in us-east-1 (CloudFront, "Viewing CloudFront and edge function metrics").
const REGION: (&str, &str) = ("Region", "Global");
/// Seconds of the shortest period that is asked for.
const PERIOD: i64 = 300;
/// The most values of one answer of `GetMetricStatistics`.
const MOST_VALUES: i64 = 1440;

/// A share of the requests of viewers in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewerShare {
    /// Requests of all methods.
    pub requests: f64,
    /// The share of them, from 0 to 1: each period's rate, weighted by its requests.
    pub share: f64,
    /// In how many periods there were requests with a rate.
    pub periods: usize,
    /// Requests in periods that have no rate.
    pub without_rate: f64,
}

/// Which share of the requests of viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerRate {
    /// Those that a cache answered. CloudFront counts GET and HEAD without errors as cacheable, so POST is in the requests and not in
    /// the rate. One of the additional metrics, which a distribution has only with `monitoring: true`.
    CacheHits,
    /// Those that were answered with a status of 500 to 599.
    ServerErrors,
}

impl ViewerRate {
    const fn metric(self) -> &'static str {
        match self {
            Self::CacheHits => "CacheHitRate",
            Self::ServerErrors => "5xxErrorRate",
        }
    }
}

/// What CloudWatch counted from one time to another, in seconds since 1970; none where it has no request with a rate: nobody came, or
/// the additional metrics of the distribution are off.
///
/// # Errors
/// What CloudWatch says.
pub async fn viewer_share(
    clients: &Clients,
    distribution: &str,
    rate: ViewerRate,
    (from, to): (i64, i64),
) -> Result<Option<ViewerShare>, Fault> {
    let requests = values(clients, distribution, "Requests", Statistic::Sum, (from, to));
    let rates = values(clients, distribution, rate.metric(), Statistic::Average, (from, to));
    let (requests, rates) = tokio::try_join!(requests, rates)?;
    Ok(weighted(&requests, &rates))
}

/// A metric's values by the time of their period.
async fn values(
    clients: &Clients,
    distribution: &str,
    metric: &str,
    statistic: Statistic,
    (from, to): (i64, i64),
) -> Result<BTreeMap<i64, f64>, Fault> {
    let dimension = |(name, value): (&str, &str)| Dimension::builder().name(name).value(value).build();
    let call = clients.cloudwatch().get_metric_statistics();
    let call = call.namespace(NAMESPACE).metric_name(metric).statistics(statistic.clone());
    let call = call.dimensions(dimension(("DistributionId", distribution))).dimensions(dimension(REGION));
    let call = call.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to));
    let call = call.period(i32::try_from(period(to.saturating_sub(from))).unwrap_or(i32::MAX));
    let answer = call.send().await.map_err(|bad| fault_of("cloudwatch", "GetMetricStatistics", bad))?;
    let value = |point: aws_sdk_cloudwatch::types::Datapoint| {
        let value = if statistic == Statistic::Sum { point.sum } else { point.average };
        Some((point.timestamp?.secs(), value.filter(|value| value.is_finite())?))
    };
    Ok(answer.datapoints.unwrap_or_default().into_iter().filter_map(value).collect())
}

/// The shortest period of which one answer has all values.
fn period(seconds: i64) -> i64 {
    let most = PERIOD * MOST_VALUES;
    PERIOD * ((seconds.max(1) + most - 1) / most)
}

fn weighted(requests: &BTreeMap<i64, f64>, rates: &BTreeMap<i64, f64>) -> Option<ViewerShare> {
    let (mut with, mut share, mut periods) = (0.0, 0.0, 0);
    for (at, count) in requests.iter().filter(|(_, count)| **count > 0.0) {
        if let Some(rate) = rates.get(at) {
            with += count;
            share += count * (rate / 100.0).clamp(0.0, 1.0);
            periods += 1;
        }
    }
    let all: f64 = requests.values().sum();
    (with > 0.0).then(|| ViewerShare {
        requests: with,
        share: share / with,
        periods,
        without_rate: (all - with).max(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rate_weighs_as_much_as_its_requests() {
        let requests = [(0, 100.0), (300, 900.0), (600, 50.0), (900, 0.0)].into();
        let rates = [(0, 50.0), (300, 100.0), (900, 10.0), (1200, 100.0)].into();
        let hits = weighted(&requests, &rates).expect("hits");
        assert_eq!(hits, ViewerShare { requests: 1000.0, share: 0.95, periods: 2, without_rate: 50.0 });
        assert_eq!(weighted(&requests, &BTreeMap::new()), None, "the additional metrics are off");
        assert_eq!(weighted(&BTreeMap::new(), &rates), None, "nobody came");
    }

    #[test]
    fn one_answer_has_all_values() {
        for hours in [1, 24, 120, 121, 336] {
            let seconds = hours * 3600;
            assert!(seconds / period(seconds) <= MOST_VALUES && period(seconds) % PERIOD == 0, "{hours}");
        }
        assert_eq!((period(24 * 3600), period(336 * 3600)), (300, 900));
    }
}
