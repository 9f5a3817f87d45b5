//! Rules on the places of geolocation.

use super::route53::sets;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use crate::resource::places;
use crate::resource::records::{GeoLocation, RecordsSpec};

type Spec<'a> = CheckedResource<'a, RecordsSpec>;

pub(super) const RULES: &[CheckRule<RecordsSpec>] = &[
    error(
        "R5002-continent",
        "a continent is one of seven codes",
        "InvalidInput: Value at 'geoLocation.continentCode' failed to satisfy constraint",
        "write AF, AN, AS, EU, OC, NA or SA",
        continent,
    ),
    error(
        "R5003-place",
        "a place is a continent, or a country with or without a subdivision",
        "InvalidInput: a geolocation holds a continent, or a country, or a country and a subdivision",
        "write only `continent`, or `country` (two capital letters of ISO 3166-1, or \"*\"); `subdivision` only with US, a state (or with UA, a region)",
        place,
    ),
];

fn places(spec: &RecordsSpec) -> impl Iterator<Item = (String, &GeoLocation)> {
    sets(spec).filter_map(|(path, set)| set.geolocation.as_ref().map(|place| (format!("{path}.geolocation"), place)))
}

fn continent(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, place) in places(&seen.spec) {
        let path = format!("{path}.continent");
        match place.continent.as_deref() {
            None => {}
            Some(code) if places::continents().any(|known| known == code) => {}
            Some("*") => notes.add_with(
                path,
                "`*` is not a continent code",
                "the default place is country \"*\": write country: \"*\"",
            ),
            Some(other) => notes.add(path, format!("`{other}` is not a continent code")),
        }
    }
}

fn place(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, place) in places(&seen.spec) {
        let GeoLocation { continent, country, subdivision } = place;
        let country = country.as_deref();
        if let (Some(continent), Some(country)) = (continent, country) {
            notes.add(path.as_str(), format!("continent {continent} is set together with country {country}"));
        }
        let empty = continent.is_none() && country.is_none();
        notes.add_if(empty, path.as_str(), || "there is neither a continent nor a country".to_owned());
        match country {
            Some(code) if places::is_without_data(code) => {
                notes.add(format!("{path}.country"), format!("Route 53 has no data about the country {code}"));
            }
            Some(code) if code != "*" && places::continent_of(code).is_none() => {
                notes.add(format!("{path}.country"), format!("unknown country code `{code}`"));
            }
            _ => {}
        }
        if let Some(part) = subdivision.as_ref().filter(|part| !places::has_part(country.unwrap_or_default(), part)) {
            let country = country.unwrap_or("none");
            notes.add(format!("{path}.subdivision"), format!("unknown subdivision `{part}` of country {country}"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const GEO: &str = "routing.records.geo";
        vec![
            case("R5002-continent").set(GEO, "/sets/1/geolocation", json!({"continent": "XX"})),
            case("R5002-continent").set(GEO, "/sets/1/geolocation", json!({"continent": "*"})),
            case("R5003-place").set(GEO, "/sets/1/geolocation/country", json!("US")),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({"country": "usa"})),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({"country": "DE", "subdivision": "BY"})),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({})),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({"country": "XX"})),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({"country": "EH"})),
            case("R5003-place").set(GEO, "/sets/1/geolocation", json!({"country": "US", "subdivision": "ZZ"})),
        ]
    }
}
