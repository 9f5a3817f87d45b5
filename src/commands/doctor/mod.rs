//! `doctor`: checks the caller, the endpoints, the state, and missing permissions. Changes nothing.

mod check;
mod permissions;
mod state;

use serde_json::{Value, json};

use super::Context;
use super::workflow::{self, AccountConnection, PlanArgs};
use crate::exit::Failure;
use crate::plan::Plan;
use crate::provider::aws::{CallerIdentity, ConnectionDescription};
use crate::resource::{SafeText, shown};
use check::DoctorCheck;

pub use permissions::needed;

/// Look for what is in the way of a deploy: credentials, endpoints, proxy, state, permissions. Nothing is changed; a bucket
/// for the state gets an object for a moment. Exit code 1: a deploy cannot work, 2: warnings.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; permissions are not checked then
    #[arg(long)]
    stack: Option<String>,
}

/// Looks.
///
/// # Errors
/// When the plan cannot be read.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let by_plan = args.stack.is_none() && args.plan.plan.is_some();
    let plan = if by_plan { Some(args.plan.load(context)?) } else { None };
    let stack = args.stack.clone().or_else(|| plan.as_ref().map(|plan| plan.stack.clone()));
    let mut checks = Vec::new();
    let connection = match workflow::connect(&context.session).await {
        Ok(connection) => Some(connection),
        Err(failure) => {
            checks.push(DoctorCheck::failed("connection", &failure));
            None
        }
    };
    let described = connection.as_ref().and_then(AccountConnection::description);
    checks.extend(described.iter().flat_map(through_what));
    let identity = match &connection {
        Some(connection) => who(connection, &mut checks).await,
        None => None,
    };
    let found = match &stack {
        Some(stack) => Some(state::look(stack, connection.as_ref(), identity.as_ref(), context).await),
        None => None,
    };
    let (state_checks, state) = found.map_or_else(nothing_named, |found| (found.checks, found.data));
    checks.extend(state_checks);
    let (permitted, simulation) = may(plan.as_ref(), connection.as_ref(), identity.as_ref(), context).await;
    checks.push(permitted);
    let code = check::code(&checks);
    if context.printer.json {
        let caller = identity.map(|identity| json!({"account": identity.account, "arn": identity.arn}));
        context.printer.json(
            "doctor-account",
            &json!({"exit": code, "checks": checks, "connection": described, "caller": caller, "state": state,
                    "permissions": simulation}),
        );
    } else {
        context.printer.data(check::text(&checks, context.session.color));
    }
    Ok(code)
}

fn nothing_named() -> (Vec<DoctorCheck>, Value) {
    (vec![DoctorCheck::skipped("state", "skipped: add --plan or --stack")], Value::Null)
}

/// Through what the account is reached.
fn through_what(described: &ConnectionDescription) -> Vec<DoctorCheck> {
    let profile = described.profile.as_ref().map_or_else(SafeText::default, |profile| shown!(" (profile {})", profile));
    let mut checks = vec![DoctorCheck::good("credentials", shown!("{}{}", described.credentials.source, profile))];
    if let Some(region) = &described.region {
        checks.push(DoctorCheck::good("region", shown!("{} ({})", region.name, region.setting)));
    }
    let kinds = [(described.fips, "FIPS"), (described.dual_stack, "dual stack")];
    let kinds: Vec<&str> = kinds.into_iter().filter_map(|(on, word)| on.then_some(word)).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    checks.push(DoctorCheck::good("endpoint", shown!("{}{}", described.endpoint, kinds)));
    checks.extend(proxy(described));
    if let Some(bundle) = &described.ca_bundle {
        checks.push(DoctorCheck::good("CA bundle", shown!("{} ({})", bundle.file.display(), bundle.setting)));
    }
    checks
}

/// The proxies in use, and the hosts that are reached directly. None without a proxy.
fn proxy(described: &ConnectionDescription) -> Option<DoctorCheck> {
    let proxies = &described.proxies;
    let each = [("https", &proxies.https), ("http", &proxies.http)];
    let mut lines: Vec<SafeText> = each
        .into_iter()
        .filter_map(|(scheme, proxy)| Some((scheme, proxy.as_ref()?)))
        .map(|(scheme, proxy)| shown!("{} for {} ({})", proxy.url, scheme, proxy.variable))
        .collect();
    let direct = proxies.no_proxy.as_ref().filter(|_| !lines.is_empty());
    lines.extend(direct.map(|hosts| shown!("not for {} (NO_PROXY)", hosts)));
    (!lines.is_empty()).then(|| DoctorCheck::good("proxy", SafeText::join(&lines, "\n")))
}

async fn who(connection: &AccountConnection, checks: &mut Vec<DoctorCheck>) -> Option<CallerIdentity> {
    match connection.identity().await {
        Ok(identity) => {
            checks.push(DoctorCheck::good("caller", shown!("{}, account {}", identity.arn, identity.account)));
            Some(identity)
        }
        Err(failure) => {
            checks.push(DoctorCheck::failed("caller", &failure));
            None
        }
    }
}

/// What the caller may do of what the plan needs.
async fn may(
    plan: Option<&Plan>,
    connection: Option<&AccountConnection>,
    identity: Option<&CallerIdentity>,
    context: &Context,
) -> (DoctorCheck, Value) {
    match (plan, connection, identity) {
        (Some(plan), Some(connection), Some(identity)) => permissions::look(plan, connection, identity, context).await,
        (Some(_), ..) => (DoctorCheck::skipped("permissions", "skipped: the caller is unknown"), Value::Null),
        (None, ..) => (DoctorCheck::skipped("permissions", "skipped: add --plan"), Value::Null),
    }
}
