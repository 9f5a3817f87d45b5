//! What cannot stay when something goes: everything that needs it, by a reference or by naming it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::{Address, Kind, Level, Record, Remembered, resolve};

/// The state in which each record that names another one's thing by its plain name or ARN needs it, as if it referred to
/// it.
#[must_use]
pub fn needs_by_name(mut remembered: Remembered) -> Remembered {
    let known = |address: &str, attribute: &str| remembered.attribute(address, attribute);
    let specs: Vec<(Address, Kind, Value)> = remembered
        .resources
        .iter()
        .map(|(address, record)| (address.clone(), record.kind, resolve(&record.spec, &known)))
        .collect();
    let mut found = Vec::new();
    for (named, record) in &remembered.resources {
        let names = Names::of(record, &specs, named);
        for (address, kind, spec) in specs.iter().filter(|(address, ..)| address != named) {
            let already = remembered.resources.get(address).is_some_and(|user| user.needs.contains_key(named));
            if !already && names.named_in(*kind, spec) && !leads(&remembered, named, address) {
                found.push((address.clone(), named.clone()));
            }
        }
    }
    for (address, named) in found {
        if let Some(record) = remembered.resources.get_mut(&address) {
            record.needs.insert(named, Level::Usable);
        }
    }
    remembered
}

/// Everything that needs what goes, directly or through others; each with one of those that it needs.
pub fn dependents(remembered: &Remembered, going: &BTreeSet<Address>) -> BTreeMap<Address, Address> {
    let mut found: BTreeMap<Address, Address> = BTreeMap::new();
    loop {
        let goes = |address: &Address| going.contains(address) || found.contains_key(address);
        let more: Vec<(Address, Address)> = remembered
            .resources
            .iter()
            .filter(|(address, _)| !goes(address))
            .filter_map(|(address, record)| {
                let need = record.needs.keys().find(|need| goes(need))?;
                Some((address.clone(), need.clone()))
            })
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// How others name a thing without a reference.
struct Names {
    /// Texts that stand for it wherever they are.
    anywhere: Vec<String>,
    /// The name of a bucket: also the beginning of its host names.
    bucket: Option<String>,
    /// The name of a function, in its versions.
    function: Option<String>,
}

impl Names {
    fn of(record: &Record, specs: &[(Address, Kind, Value)], address: &Address) -> Self {
        let own = specs.iter().find(|(one, ..)| one == address).map(|(_, _, spec)| spec);
        let name = own.and_then(|spec| spec.get("name")).and_then(Value::as_str).map(str::to_owned);
        let attribute = |key: &str| record.attributes.get(key).and_then(Value::as_str).map(str::to_owned);
        let id = record.id.clone();
        let anywhere = match record.kind {
            Kind::Zone
            | Kind::HealthCheck
            | Kind::OriginAccess
            | Kind::CachePolicy
            | Kind::OriginRequestPolicy
            | Kind::ResponseHeadersPolicy => vec![id],
            Kind::Distribution => vec![id, attribute("arn"), attribute("domain_name")],
            Kind::Certificate | Kind::FunctionVersion => vec![id, attribute("arn")],
            Kind::Bucket | Kind::Function | Kind::Role => vec![attribute("arn")],
            _ => Vec::new(),
        };
        let anywhere = anywhere.into_iter().flatten().filter(|text| text.len() > 3).collect();
        let of_kind = |kind: Kind| name.clone().filter(|_| record.kind == kind);
        Self { anywhere, bucket: of_kind(Kind::Bucket), function: of_kind(Kind::Function) }
    }

    fn named_in(&self, kind: Kind, spec: &Value) -> bool {
        let in_bucket = matches!(kind, Kind::Object | Kind::BucketPolicy | Kind::Replication);
        let text = |text: &str| {
            let bucket = self.bucket.as_deref().is_some_and(|name| {
                in_bucket && text == name
                    || text.strip_prefix(name).is_some_and(|rest| rest.starts_with(".s3.") || rest.starts_with(".s3-"))
            });
            let function = kind == Kind::FunctionVersion && self.function.as_deref() == Some(text);
            bucket || function || self.anywhere.iter().any(|name| name == text)
        };
        // The key of an object may read like the name of a bucket.
        match (kind, spec.get("bucket")) {
            (Kind::Object, Some(bucket)) => any_text(bucket, &text),
            _ => any_text(spec, &text),
        }
    }
}

fn any_text(value: &Value, wanted: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => wanted(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, wanted)),
        Value::Object(fields) => fields.values().any(|field| any_text(field, wanted)),
        _ => false,
    }
}

/// Whether one thing needs another, directly or through others.
fn leads(remembered: &Remembered, from: &Address, to: &Address) -> bool {
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(remembered.resources.get(at).into_iter().flat_map(|record| record.needs.keys()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Standing;

    fn record(kind: Kind, id: &str, spec: Value, needs: &[&str]) -> Record {
        let needs = needs.iter().map(|need| (need.parse().expect("an address"), Level::Usable)).collect();
        Record {
            kind,
            id: Some(id.to_owned()),
            generation: 0,
            spec,
            attributes: BTreeMap::new(),
            needs,
            step: String::new(),
            standing: Standing::Present,
            pending: None,
            made_at: None,
            origin: crate::resource::Origin::Made,
        }
    }

    #[test]
    fn what_refers_to_it_or_names_it_depends_on_it() {
        let mut state = Remembered::empty("s");
        let mut add = |address: &str, record: Record| {
            state.resources.insert(address.parse().expect("an address"), record);
        };
        add("m.bucket.b", record(Kind::Bucket, "data", json!({"name": "data"}), &[]));
        add("m.bucket.c", record(Kind::Bucket, "data2", json!({"name": "data2"}), &[]));
        add("p.object.o", record(Kind::Object, "data/k", json!({"bucket": "data", "key": "k"}), &[]));
        add("p.object.q", record(Kind::Object, "data2/k", json!({"bucket": "data2", "key": "data"}), &["p.object.r"]));
        let origin = json!({"origins": [{"host": "data.s3.us-east-1.amazonaws.com"}]});
        add("c.distribution.d", record(Kind::Distribution, "E1", origin, &[]));
        add("r.records.x", record(Kind::Records, "Z1/x", json!({"zone_id": "Z1"}), &["c.distribution.d"]));
        let state = needs_by_name(state);
        let going = BTreeSet::from(["m.bucket.b".parse().expect("an address")]);
        let found: Vec<String> = dependents(&state, &going).keys().map(ToString::to_string).collect();
        assert_eq!(found, ["c.distribution.d", "p.object.o", "r.records.x"]);
    }
}
