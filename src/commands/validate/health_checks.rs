//! How many of a stack's health checks Route 53 counts as healthy now.

use futures::future::join_all;

use super::measurements::Found;
use crate::commands::{Context, workflow};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::provider::aws;
use crate::resource::{Kind, ResourceStatus, StackState};

/// The `subject` of criteria about it: the health checks of steps of kind `routing`.
const SUBJECT: &str = "routing.health-check";

/// The finding; none for a stack that has no health check.
pub async fn measure(state: &StackState, context: &Context) -> Option<Found> {
    let all = state
        .resources
        .iter()
        .filter(|(_, record)| record.kind == Kind::HealthCheck && record.standing == ResourceStatus::Present);
    let all: Vec<(&str, &str)> =
        all.filter_map(|(address, record)| Some((address.name(), record.id.as_deref()?))).collect();
    if all.is_empty() {
        return None;
    }
    let wish = Wanted::new("regions that Route 53 counts as healthy", Unit::Count, Compare::AtLeast, all.len() as f64);
    let finding = match ask(&all, context).await {
        Ok(answers) => judged(&wish, &answers),
        Err(why) => verdict::unmeasured(&wish, why),
    };
    Some(Found { measure: "regions.healthy".to_owned(), of: Some(SUBJECT.to_owned()), finding })
}

/// Whether each is healthy; none before a checker has reported.
type Answers<'a> = Vec<(&'a str, Option<bool>)>;

async fn ask<'a>(all: &[(&'a str, &str)], context: &Context) -> Result<Answers<'a>, String> {
    let connected = workflow::connect(&context.session).await;
    let clients = connected.map_err(|bad| format!("Route 53 cannot be asked: {}", bad.problem.as_str()))?.clients;
    let clients = &clients;
    let one = |(name, id): &(&'a str, &str)| {
        let (name, id) = (*name, (*id).to_owned());
        async move { aws::health_check_status(clients, &id).await.map(|reports| (name, reports.is_healthy())) }
    };
    let answers: Result<Answers<'a>, _> = join_all(all.iter().map(one)).await.into_iter().collect();
    answers.map_err(|fault| format!("Route 53 cannot be asked (route53:GetHealthCheckStatus): {fault}"))
}

fn judged(wish: &Wanted, answers: &Answers<'_>) -> MeasuredFinding {
    let of = |wanted: Option<bool>| {
        let names = answers.iter().filter(|(_, healthy)| *healthy == wanted).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    let unknown = of(None);
    if !unknown.is_empty() {
        return verdict::unmeasured(wish, format!("no checker has reported yet on {unknown}"));
    }
    let healthy = answers.iter().filter(|(_, healthy)| *healthy == Some(true)).count();
    let finding = verdict::known(wish, healthy as f64);
    match of(Some(false)) {
        none if none.is_empty() => finding,
        some => finding.with_note(format!("unhealthy: {some}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::Verdict;

    #[test]
    fn a_region_that_nobody_has_looked_at_leaves_it_open() {
        let wish = Wanted::new("regions", Unit::Count, Compare::AtLeast, 2.0);
        let verdict = |answers: &[(&'static str, Option<bool>)]| judged(&wish, &answers.to_vec()).verdict;
        assert_eq!(verdict(&[("a", Some(true)), ("b", Some(true))]), Verdict::Pass);
        assert_eq!(verdict(&[("a", Some(true)), ("b", Some(false))]), Verdict::Fail);
        assert_eq!(verdict(&[("a", Some(true)), ("b", None)]), Verdict::Inconclusive);
    }
}
