//! AWS regions as data: CloudFront price class, zone of the application load balancers.
//!
//! As of 2026-11. Price classes from the CloudFront developer guide, mapped to regions by country; zones of load
//! balancers only where they were seen in public samples.

/// One region.
pub(super) struct Region {
    /// Its name.
    pub name: &'static str,
    /// Its country or city, for messages.
    pub place: &'static str,
    /// The smallest price class that covers it; none outside CloudFront's own network.
    pub class: Option<PriceClass>,
}

/// Price classes, the smaller first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PriceClass {
    /// North America, Europe, Israel.
    C100,
    /// Also South Africa, Kenya, Middle East, most of Asia, Nigeria, Egypt, Türkiye.
    C200,
    /// Everywhere.
    All,
}

impl PriceClass {
    /// The class by its name in the API.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "PriceClass_100" => Some(Self::C100),
            "PriceClass_200" => Some(Self::C200),
            "PriceClass_All" => Some(Self::All),
            _ => None,
        }
    }

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::C100 => "PriceClass_100",
            Self::C200 => "PriceClass_200",
            Self::All => "PriceClass_All",
        }
    }
}

const fn in_100(name: &'static str, place: &'static str) -> Region {
    Region { name, place, class: Some(PriceClass::C100) }
}

const fn in_200(name: &'static str, place: &'static str) -> Region {
    Region { name, place, class: Some(PriceClass::C200) }
}

const fn in_all(name: &'static str, place: &'static str) -> Region {
    Region { name, place, class: Some(PriceClass::All) }
}

const fn apart(name: &'static str, place: &'static str) -> Region {
    Region { name, place, class: None }
}

/// All regions.
pub(super) const REGIONS: &[Region] = &[
    in_100("us-east-1", "Virginia"),
    in_100("us-east-2", "Ohio"),
    in_100("us-west-1", "California"),
    in_100("us-west-2", "Oregon"),
    in_100("ca-central-1", "Montreal"),
    in_100("ca-west-1", "Calgary"),
    in_100("mx-central-1", "Mexico"),
    in_100("eu-central-1", "Frankfurt"),
    in_100("eu-central-2", "Zurich"),
    in_100("eu-north-1", "Stockholm"),
    in_100("eu-south-1", "Milan"),
    in_100("eu-south-2", "Spain"),
    in_100("eu-west-1", "Ireland"),
    in_100("eu-west-2", "London"),
    in_100("eu-west-3", "Paris"),
    in_100("il-central-1", "Israel"),
    in_200("af-south-1", "South Africa"),
    in_200("ap-east-1", "Hong Kong"),
    in_200("ap-east-2", "Taiwan"),
    in_200("ap-northeast-1", "Tokyo"),
    in_200("ap-northeast-2", "South Korea"),
    in_200("ap-northeast-3", "Osaka"),
    in_200("ap-south-1", "Mumbai"),
    in_200("ap-south-2", "Hyderabad"),
    in_200("ap-southeast-1", "Singapore"),
    in_200("ap-southeast-3", "Indonesia"),
    in_200("ap-southeast-5", "Malaysia"),
    in_200("ap-southeast-7", "Thailand"),
    in_200("me-central-1", "United Arab Emirates"),
    in_200("me-south-1", "Bahrain"),
    in_all("ap-southeast-2", "Sydney"),
    in_all("ap-southeast-4", "Melbourne"),
    in_all("ap-southeast-6", "New Zealand"),
    in_all("sa-east-1", "Brazil"),
    apart("cn-north-1", "Beijing"),
    apart("cn-northwest-1", "Ningxia"),
    apart("us-gov-east-1", "GovCloud East"),
    apart("us-gov-west-1", "GovCloud West"),
];

/// The region of this name.
pub(super) fn region(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// Whether the text has the form of a region name: a new region is not an error.
pub(super) fn is_region_form(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let words = parts.len().checked_sub(1).and_then(|last| parts.split_at_checked(last));
    words.is_some_and(|(words, number)| {
        (2..=3).contains(&words.len())
            && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
            && number.iter().all(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Hosted zone ids of application load balancers, by region.
pub(super) const LOAD_BALANCER_ZONES: &[(&str, &str)] =
    &[("us-east-1", "Z35SXDOTRQ7X7K"), ("eu-central-1", "Z215JYRZR1TBD5"), ("ap-northeast-1", "Z14GRHDCWA56QT")];

/// The region in a load balancer's name: `<name>-<id>.<region>.elb.amazonaws.com`. Capitals do not matter in a name.
pub(super) fn load_balancer_region(host: &str) -> Option<&'static str> {
    let host = host.to_ascii_lowercase();
    let before = host.strip_suffix(".elb.amazonaws.com")?;
    before.rsplit('.').next().and_then(region).map(|region| region.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_known_and_formed() {
        assert!(REGIONS.iter().all(|region| is_region_form(region.name)));
        assert!(
            !is_region_form("us-east") && !is_region_form("US-EAST-1") && !is_region_form("") && !is_region_form("eu")
        );
        assert_eq!(load_balancer_region("a-1.eu-central-1.elb.amazonaws.com"), Some("eu-central-1"));
        assert_eq!(load_balancer_region("a-1.EU-CENTRAL-1.ELB.amazonaws.com"), Some("eu-central-1"));
        assert_eq!(load_balancer_region("akidb-rest-alb-us-east-1.elb.amazonaws.com"), None);
    }
}
