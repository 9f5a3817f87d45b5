//! Selects the objects of the requested state.

use jiff::Timestamp;

use super::{PlannedObject, RestoreFault, RestorePlan, RestorePoint};
use crate::calls::Calls;
use crate::chain::{Chain, Found, LookFault, PlanFault, published_at};
use crate::ltx::Name;
use crate::txid::Txid;

/// Chooses. The names are those of the plan's objects.
pub(super) async fn choose(
    calls: &Calls,
    at: RestorePoint,
    now: Timestamp,
) -> Result<(RestorePlan, Vec<Name>), RestoreFault> {
    let chain = Chain::list(calls).await?;
    let Some(newest) = chain.newest() else { return Err(RestoreFault::Empty { store: calls.name() }) };
    let wanted = match at {
        RestorePoint::Latest => None,
        RestorePoint::Txid(txid) if txid > newest => return Err(future(calls, &chain, txid.to_string()).await?),
        RestorePoint::Txid(txid) => Some(txid),
        RestorePoint::Time(time) if time > now => return Err(future(calls, &chain, time.to_string()).await?),
        RestorePoint::Time(time) => Some(by_then(calls, &chain, time).await?),
    };
    let said = wanted.map_or_else(|| newest.to_string(), |txid| txid.to_string());
    let objects = chain.plan(wanted).map_err(|bad| gone(calls, said, &bad))?;
    planned(calls, &objects).await
}

async fn planned(calls: &Calls, objects: &[Found]) -> Result<(RestorePlan, Vec<Name>), RestoreFault> {
    let Some(last) = objects.last() else { return Err(RestoreFault::Empty { store: calls.name() }) };
    let of = |one: &Found| PlannedObject {
        key: one.name.key(calls.layout()),
        min: one.name.min,
        max: one.name.max,
        size: one.size,
    };
    let plan = RestorePlan {
        txid: last.name.max,
        published_at: look(calls, last).await?,
        bytes: objects.iter().map(|one| one.size).sum(),
        objects: objects.iter().map(of).collect(),
    };
    Ok((plan, objects.iter().map(|one| one.name).collect()))
}

async fn by_then(calls: &Calls, chain: &Chain, time: Timestamp) -> Result<Txid, RestoreFault> {
    let found = chain.at(calls, time).await.map_err(|bad| looked(calls, bad))?;
    let why = "nothing that is kept was published by then";
    let none = || RestoreFault::Gone { store: calls.name(), wanted: time.to_string(), why: why.to_owned() };
    found.map(|(txid, _)| txid).ok_or_else(none)
}

async fn future(calls: &Calls, chain: &Chain, wanted: String) -> Result<RestoreFault, RestoreFault> {
    let newest = chain.objects.iter().max_by_key(|one| one.name.max);
    let Some(newest) = newest else { return Ok(RestoreFault::Empty { store: calls.name() }) };
    let published_at = look(calls, newest).await?;
    Ok(RestoreFault::Future { store: calls.name(), wanted, newest: newest.name.max, published_at })
}

async fn look(calls: &Calls, found: &Found) -> Result<Timestamp, RestoreFault> {
    published_at(calls, found).await.map_err(|bad| looked(calls, bad))
}

fn looked(calls: &Calls, bad: LookFault) -> RestoreFault {
    match bad {
        LookFault::Store(bad) => bad.into(),
        LookFault::Refused { key, why } => RestoreFault::Refused { store: calls.name(), key, why },
    }
}

fn gone(calls: &Calls, wanted: String, bad: &PlanFault) -> RestoreFault {
    RestoreFault::Gone { store: calls.name(), wanted, why: bad.to_string() }
}
