//! The status of a Route 53 health check, as its checkers report it.

use super::{Clients, fault_of};
use crate::resource::Fault;

/// Route 53 counts an endpoint as healthy when more than this share of its checkers do (Developer Guide, "How Route 53 determines
/// whether a health check is healthy").
const HEALTHY: f64 = 0.18;

/// How many of the checkers reach the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckerReports {
    /// Those whose last check succeeded.
    pub succeeded: usize,
    /// Those that have reported.
    pub all: usize,
}

impl CheckerReports {
    /// Whether Route 53 counts it as healthy; none before any checker has reported.
    pub fn is_healthy(self) -> Option<bool> {
        (self.all > 0).then_some(self.succeeded as f64 > HEALTHY * self.all as f64)
    }
}

/// Asks for the last report of each checker.
///
/// # Errors
/// What Route 53 says.
pub async fn health_check_status(clients: &Clients, id: &str) -> Result<CheckerReports, Fault> {
    let call = clients.route53().await.get_health_check_status().health_check_id(id);
    let answer = call.send().await.map_err(|bad| fault_of("route53", "GetHealthCheckStatus", bad))?;
    let texts = answer.health_check_observations.iter().filter_map(|one| one.status_report.as_ref()?.status.as_deref());
    Ok(counted(texts))
}

/// A report begins with `Success` or `Failure`.
fn counted<'t>(texts: impl Iterator<Item = &'t str>) -> CheckerReports {
    texts.fold(CheckerReports { succeeded: 0, all: 0 }, |sum, text| CheckerReports {
        succeeded: sum.succeeded + usize::from(text.starts_with("Success")),
        all: sum.all + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_18_percent_of_the_checkers_decide() {
        let reports = |good: usize, bad: usize| {
            let good = std::iter::repeat_n("Success: HTTP Status Code 200, OK", good);
            counted(good.chain(std::iter::repeat_n("Failure: Connection refused.", bad)))
        };
        assert_eq!(reports(3, 13).is_healthy(), Some(true), "3 of 16 are 18.75 %");
        assert_eq!(reports(2, 14).is_healthy(), Some(false));
        assert_eq!(reports(0, 0).is_healthy(), None);
    }
}
