//! `validate latency --from ssh:HOST,…`: the user's own machines send the requests. Each runs a small Python program from memory, which
//! is the same probe as the functions in regions; nothing is installed there and nothing is left.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use futures::future::join_all;

use super::measurements::{self, Measurement, Output};
use super::regions::{ProbeAnswer, RegionAnswer, RegionCheck};
use crate::commands::Context;
use crate::commands::workflow::AccessArgs;
use crate::exit::{Failure, codes};
use crate::provider::device::{self, Fleet};
use crate::resource::host::HostSpec;
use crate::resource::syntax_check;

/// What the names of machines begin with.
const SSH: &str = "ssh:";

/// Where to measure from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VantagePoint {
    /// This machine.
    Local,
    /// A machine: `HOST`, `USER@HOST` or `USER@HOST:PORT`, or a `Host` of the SSH configuration.
    Machine(HostSpec),
}

/// A text that names no place to measure from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write local, or ssh:HOST, ssh:USER@HOST or ssh:USER@HOST:PORT")]
pub struct BadVantagePoint;

impl FromStr for VantagePoint {
    type Err = BadVantagePoint;

    fn from_str(text: &str) -> Result<Self, BadVantagePoint> {
        if text == "local" {
            return Ok(Self::Local);
        }
        // `ssh:a,b` is two machines: the beginning stands before the first one, or before each.
        let named = text.strip_prefix(SSH).unwrap_or(text);
        let (user, rest) = named.split_once('@').map_or((None, named), |(user, rest)| (Some(user), rest));
        let (address, port) = match rest.rsplit_once(':') {
            // An address of IPv6 has several colons and no port behind it here.
            Some((address, port)) if !address.contains(':') => {
                (address, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(BadVantagePoint)?))
            }
            _ => (rest, None),
        };
        let spec = serde_json::json!({"name": named, "address": address, "user": user, "port": port});
        let spec: HostSpec = serde_json::from_value(spec).map_err(|_| BadVantagePoint)?;
        let fits = syntax_check::address(&spec.address) && spec.user.as_deref().is_none_or(syntax_check::login);
        if fits { Ok(Self::Machine(spec)) } else { Err(BadVantagePoint) }
    }
}

/// Measures checks from machines, and gives the exit code.
///
/// # Errors
/// When the password cannot be read, or the run is interrupted.
pub async fn run(
    checks: &[RegionCheck],
    from: &[VantagePoint],
    access: &AccessArgs,
    output: Output<'_>,
    context: &Context,
) -> Result<u8, Failure> {
    let hosts: BTreeMap<String, HostSpec> = from
        .iter()
        .filter_map(|place| match place {
            VantagePoint::Machine(spec) => Some((spec.name.clone(), spec.clone())),
            VantagePoint::Local => None,
        })
        .collect();
    if from.contains(&VantagePoint::Local) {
        return Err(codes::ARGUMENT.refused(
            "--from names this machine and others",
            "measure from this machine by a command of its own: leave ssh:… out",
        ));
    }
    let fleet = access.fleet_of(hosts.values().cloned(), context)?;
    let mut all = Vec::new();
    for one in checks {
        let answers = tokio::select! {
            answers = ask_all(&fleet, hosts.keys(), one) => answers,
            () = context.session.interrupts.asked() => {
                return Err(codes::MEASUREMENT.error("interrupted while the machines measured", "run the same command again"));
            }
        };
        let from = answers.keys().cloned().collect();
        all.push(Measurement::now(one.check, one.step.as_deref(), from, (one.found)(&answers)));
    }
    measurements::finish(&all, output, context).await
}

/// Asks all machines at once.
async fn ask_all<'a>(
    fleet: &Arc<Fleet>,
    names: impl Iterator<Item = &'a String>,
    check: &RegionCheck,
) -> BTreeMap<String, RegionAnswer> {
    let ask = |name: &String| {
        let name = name.clone();
        async move {
            let answer = ask(fleet, &name, check).await;
            (format!("{SSH}{name}"), answer)
        }
    };
    join_all(names.map(ask)).await.into_iter().collect()
}

async fn ask(fleet: &Fleet, name: &str, check: &RegionCheck) -> RegionAnswer {
    let order = check.order.json().map_err(|bad| bad.to_string())?;
    let answer = device::probe_latency(fleet, name, &order).await.map_err(|fault| fault.to_string())?;
    ProbeAnswer::read(&answer).map_err(|bad| bad.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_user_and_a_port_or_is_a_host_of_the_configuration() {
        let of = |text: &str| match VantagePoint::from_str(text) {
            Ok(VantagePoint::Machine(spec)) => Some((spec.user, spec.address, spec.port)),
            _ => None,
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("ssh:jetson01"), Some((None, "jetson01".to_owned(), None)));
        assert_eq!(of("jetson02"), Some((None, "jetson02".to_owned(), None)), "the second of a list");
        assert_eq!(of("ssh:nvidia@192.0.2.1:2222"), Some((some("nvidia"), "192.0.2.1".to_owned(), Some(2222))));
        assert_eq!(of("ssh:2001:db8::1"), Some((None, "2001:db8::1".to_owned(), None)));
        assert_eq!(VantagePoint::from_str("local"), Ok(VantagePoint::Local));
        for bad in ["", "ssh:", "ssh:-oProxyCommand=id", "ssh:a b", "ssh:a:0", "ssh:a:ssh", "ssh:@a", "ssh:-l@a"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
