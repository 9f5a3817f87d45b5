//! `validate browser`: the deployed page in real browsers. The suite of `tests/browsers` drives them; without it, the step is skipped
//! with the reason, and only the page itself is asked for.

mod findings;
mod suite;

use std::path::PathBuf;

use super::latency::HERE;
use super::measurements::{self, Found, Measurement};
use super::request::ConnectionArgs;
use super::steps::StepArgs;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::Target;
use crate::measure::load::once;
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::validation::BrowserCheck;
use crate::resource::shown;

use suite::BrowserSuite;

/// The page has to come within this.
const PAGE_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Open the page in the browsers of this machine: does it embed, how fast, and also without the network.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    pub suite: SuiteArgs,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// What drives the browsers, and which page.
#[derive(Clone, Debug, clap::Args)]
pub struct SuiteArgs {
    /// Address of the page, instead of the plan's
    #[arg(long = "page", value_name = "URL")]
    page: Option<String>,
    /// Folder of the browser suite, after its `install` has run; without it browsers are skipped
    #[arg(
        long = "browser-suite",
        value_name = "FOLDER",
        default_value = "tests/browsers",
        env = "AKIDB_EDGE_BROWSER_SUITE"
    )]
    suite: PathBuf,
}

impl SuiteArgs {
    /// Whether it is known where the page of a check is.
    pub const fn has_page(&self, check: &BrowserCheck) -> bool {
        self.page.is_some() || check.url.is_some()
    }
}

/// Opens it.
///
/// # Errors
/// When the plan cannot be read, or the page's address cannot be used.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "browser", |validation| validation.browser())? {
        let found = measure(check, &args.suite, &args.reach, context).await?;
        all.push(Measurement::now("browser", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// One check from this machine.
///
/// # Errors
/// When there is no address of a page, or it cannot be used, or the run is interrupted.
pub async fn measure(
    check: &BrowserCheck,
    args: &SuiteArgs,
    reach: &ConnectionArgs,
    context: &Context,
) -> Result<Vec<Found>, Failure> {
    let Some(url) = args.page.as_deref().or(check.url.as_deref()) else {
        return Err(codes::ARGUMENT.refused(
            "the step of kind validate has no address of the page",
            "name it with --page https://HOST/, or write url: in the step",
        ));
    };
    let mut found = vec![status(url, reach).await?];
    let suite = BrowserSuite { folder: args.suite.clone(), url: url.to_owned(), check };
    let report = tokio::select! {
        report = suite.run() => report,
        () = context.session.interrupts.asked() => {
            return Err(codes::MEASUREMENT.error("interrupted", "run the same command again"));
        }
    };
    found.extend(match report {
        Ok(report) => findings::of(check, &report),
        Err(why) => findings::skipped(check, &why.to_string()),
    });
    Ok(found)
}

/// What the address of the page answers.
async fn status(url: &str, reach: &ConnectionArgs) -> Result<Found, Failure> {
    let target = Target::get(url);
    target.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "write --page https://HOST/"))?;
    let trust = reach.trust(&target)?;
    let wish = Wanted::new("status of the page", Unit::Count, Compare::AtMost, 200.0);
    let finding = match once(&target, PAGE_WITHIN, &trust).await {
        Ok(answer) => verdict::known(&wish, f64::from(answer.status)),
        Err(bad) => verdict::unmeasured(&wish, bad.to_string()),
    };
    Ok(Found { measure: "page.status".to_owned(), of: None, finding })
}
