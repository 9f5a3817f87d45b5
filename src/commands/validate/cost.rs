//! `validate cost`: what the account pays for a month, from its billing metric, with what the plan says is paid elsewhere.

use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use crate::commands::{Context, workflow};
use crate::exit::Failure;
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Verdict, Wanted, Window};
use crate::plan::validation::CostCheck;
use crate::provider::aws::{self, Charges};

/// Where the figures come from.
pub const BILLING: &str = "the account's billing metric";
/// The measure.
const MEASURE: &str = "cost.month";
/// A month cannot be told from fewer days.
const LEAST_DAYS: f64 = 3.0;
const DAY: i64 = 24 * 3600;

/// Compare what the account pays for this month with the plan.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
}

/// Asks and compares.
///
/// # Errors
/// When the plan cannot be read.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "cost", |validation| validation.cost())? {
        all.push(Measurement::now("cost", Some(&step.id), vec![BILLING.to_owned()], measure(check, context).await));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// One check.
pub async fn measure(check: &CostCheck, context: &Context) -> Vec<Found> {
    let wish = Wanted::new("cost of this month", Unit::Usd, Compare::AtMost, check.usd);
    let (month, now) = (Month::now(), jiff::Timestamp::now().as_second());
    let finding = match charges(&month, now, context).await {
        Err(why) => verdict::unmeasured(&wish, why),
        Ok(None) => verdict::unmeasured(
            &wish,
            "CloudWatch has no EstimatedCharges of this month: enable billing alerts in the account's billing preferences; in an \
             organization, ask the payer's account",
        ),
        Ok(Some(charges)) => judged(&wish, &charges, &month, check.outside_usd.values().sum()),
    };
    vec![Found { measure: MEASURE.to_owned(), of: None, finding }]
}

async fn charges(month: &Month, now: i64, context: &Context) -> Result<Option<Charges>, String> {
    let connected = workflow::connect(&context.session).await;
    let clients = connected.map_err(|bad| format!("CloudWatch cannot be asked: {}", bad.problem.as_str()))?.clients;
    // The end is not part of the period: a value of this second is.
    let charges = aws::estimated_charges(&clients, (month.from, now + 1)).await;
    charges.map_err(|fault| format!("CloudWatch cannot be asked (cloudwatch:GetMetricStatistics): {fault}"))
}

/// A month of AWS's bills, in UTC: its beginning in seconds since 1970, and its days.
struct Month {
    from: i64,
    days: i64,
}

impl Month {
    fn now() -> Self {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let first = today.first_of_month();
        let from = first.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |at| at.timestamp().as_second());
        Self { from, days: i64::from(today.days_in_month()) }
    }
}

/// The month at the pace so far. What was charged already is the least; before three days nothing bounds the most.
fn judged(wish: &Wanted, charges: &Charges, month: &Month, outside: f64) -> MeasuredFinding {
    let days = (charges.at.saturating_sub(month.from) as f64 / DAY as f64).max(0.0);
    let note = format!(
        "{:.2} USD charged in {days:.1} of {} days, by the whole account; {outside:.2} USD of the month are paid elsewhere",
        charges.usd, month.days
    );
    let so_far = charges.usd + outside;
    let window = Window { from_ms: month.from * 1000, to_ms: charges.at * 1000 };
    let finding = if days < LEAST_DAYS {
        let (verdict, why) = match wish.compare.holds(so_far, wish.threshold) {
            true => (Verdict::Inconclusive, "fewer than three days are billed"),
            false => (Verdict::Fail, "more is charged already"),
        };
        MeasuredFinding { verdict, low: Some(so_far), samples: 1, ..verdict::unmeasured(wish, why) }
    } else {
        verdict::known(wish, charges.usd * month.days as f64 / days + outside)
    };
    finding.with_note(note).within(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_told_from_three_days() {
        let wish = Wanted::new("cost", Unit::Usd, Compare::AtMost, 3470.0);
        let of =
            |usd: f64, days: i64| judged(&wish, &Charges { usd, at: days * DAY }, &Month { from: 0, days: 30 }, 350.0);
        let good = of(1000.0, 10);
        assert_eq!((good.verdict, good.value), (Verdict::Pass, Some(3350.0)));
        assert_eq!(of(1100.0, 10).verdict, Verdict::Fail);
        assert_eq!((of(10.0, 2).verdict, of(10.0, 2).value), (Verdict::Inconclusive, None));
        assert_eq!(of(4000.0, 2).verdict, Verdict::Fail, "it is spent already");
    }
}
