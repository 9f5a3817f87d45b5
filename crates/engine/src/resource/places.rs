//! The locations that Route 53 distinguishes: continents, countries with their continents, states of the United States.
//!
//! Countries are those of ISO 3166-1 (Route 53 API reference, "GeoLocation"), without the four for which the service has
//! no data (Route 53 Developer Guide, "Values specific for geolocation records").

/// The continents, each with its countries.
const COUNTRIES: [(&str, &str); 7] = [
    (
        "AF",
        "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG \
         RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    ),
    ("AN", "AQ GS TF"),
    (
        "AS",
        "AE AF AM AZ BD BH BN BT CC CN CY GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM \
         PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE",
    ),
    (
        "EU",
        "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT \
         NL NO PL PT RO RS RU SE SI SJ SK SM UA VA",
    ),
    (
        "NA",
        "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT \
         US VC VG VI",
    ),
    ("OC", "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS"),
    ("SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE"),
];

/// Countries of ISO 3166-1 that Route 53 has no data for.
const WITHOUT_DATA: [&str; 4] = ["BV", "CX", "EH", "HM"];

/// States, the district and the possessions of the United States (United States Postal Service).
const STATES: &str = "AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC ND NE \
     NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UT VA VI VT WA WI WV WY";

/// The codes of the continents.
pub fn continents() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().map(|(continent, _)| *continent)
}

/// The continent of a country.
pub fn continent_of(country: &str) -> Option<&'static str> {
    let holds = |(_, countries): &&(&str, &str)| countries.split(' ').any(|code| code == country);
    COUNTRIES.iter().find(holds).map(|(continent, _)| *continent)
}

/// Whether it is a country that Route 53 has no data for.
pub fn is_without_data(country: &str) -> bool {
    WITHOUT_DATA.contains(&country)
}

/// Whether a country has this part. Ukraine has its regions by number.
pub fn has_part(country: &str, part: &str) -> bool {
    match country {
        "US" => STATES.split(' ').any(|state| state == part),
        "UA" => part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_country_stands_once() {
        let all: Vec<&str> = COUNTRIES.iter().flat_map(|(_, countries)| countries.split(' ')).collect();
        let unique: BTreeSet<&&str> = all.iter().collect();
        // ISO 3166-1 has 249.
        assert_eq!((all.len(), unique.len()), (249 - WITHOUT_DATA.len(), all.len()));
        assert!(all.iter().all(|code| code.len() == 2));
        assert_eq!(STATES.split(' ').count(), 50 + 1 + 5);
    }

    #[test]
    fn places_are_told_apart() {
        assert_eq!((continent_of("JP"), continent_of("XX"), continent_of("EU")), (Some("AS"), None, None));
        assert!(has_part("US", "CA") && has_part("UA", "43") && is_without_data("EH"));
        assert!(!has_part("US", "ZZ") && !has_part("DE", "BY") && !has_part("CA", "ON"));
    }
}
