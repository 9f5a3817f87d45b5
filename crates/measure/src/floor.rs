//! The physical lower bound of latency: light in a fiber along the shortest path, and the measured network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::milliseconds;

/// Kilometers per millisecond in a fiber: the speed of light by the group index of standard fiber (ITU-T G.652) at 1550 nm, 1.468.
const KILOMETERS_PER_MILLISECOND: f64 = 299.792_458 / 1.468;
/// The mean radius of the Earth.
const RADIUS: f64 = 6_371.0;

/// A region and where it is. AWS names a city, a state or a country; the coordinates are those of the place in brackets. The data centers are up
/// to 100 km away from it, which is 1 ms there and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// As AWS calls it.
    pub name: &'static str,
    /// Where it is.
    pub place: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

const fn region(name: &'static str, place: &'static str, latitude: f64, longitude: f64) -> Region {
    Region { name, place, latitude, longitude }
}

/// The regions, by the names in AWS's "AWS Regions" (docs.aws.amazon.com/global-infrastructure), coordinates of the places by GeoNames.
pub const REGIONS: &[Region] = &[
    region("us-east-1", "N. Virginia (Ashburn)", 39.04, -77.49),
    region("us-east-2", "Ohio (Columbus)", 39.96, -83.00),
    region("us-west-1", "N. California (San Jose)", 37.34, -121.89),
    region("us-west-2", "Oregon (Boardman)", 45.84, -119.70),
    region("ca-central-1", "Canada (Montreal)", 45.51, -73.59),
    region("ca-west-1", "Canada (Calgary)", 51.05, -114.09),
    region("mx-central-1", "Mexico (Queretaro)", 20.59, -100.39),
    region("sa-east-1", "Sao Paulo", -23.55, -46.64),
    region("eu-west-1", "Ireland (Dublin)", 53.33, -6.25),
    region("eu-west-2", "London", 51.51, -0.13),
    region("eu-west-3", "Paris", 48.85, 2.35),
    region("eu-central-1", "Frankfurt", 50.12, 8.68),
    region("eu-central-2", "Zurich", 47.37, 8.55),
    region("eu-north-1", "Stockholm", 59.33, 18.07),
    region("eu-south-1", "Milan", 45.46, 9.19),
    region("eu-south-2", "Spain (Zaragoza)", 41.66, -0.88),
    region("af-south-1", "Cape Town", -33.93, 18.42),
    region("me-south-1", "Bahrain (Manama)", 26.23, 50.59),
    region("me-central-1", "UAE (Dubai)", 25.08, 55.31),
    region("il-central-1", "Tel Aviv", 32.08, 34.78),
    region("ap-south-1", "Mumbai", 19.07, 72.88),
    region("ap-south-2", "Hyderabad", 17.38, 78.46),
    region("ap-southeast-1", "Singapore", 1.29, 103.85),
    region("ap-southeast-2", "Sydney", -33.87, 151.21),
    region("ap-southeast-3", "Jakarta", -6.21, 106.85),
    region("ap-southeast-4", "Melbourne", -37.81, 144.96),
    region("ap-southeast-5", "Malaysia (Kuala Lumpur)", 3.139, 101.687),
    region("ap-southeast-7", "Thailand (Bangkok)", 13.75, 100.50),
    region("ap-northeast-1", "Tokyo", 35.69, 139.69),
    region("ap-northeast-2", "Seoul", 37.57, 126.98),
    region("ap-northeast-3", "Osaka", 34.69, 135.50),
    region("ap-east-1", "Hong Kong", 22.28, 114.17),
    region("ap-east-2", "Taipei", 25.05, 121.53),
];

/// The ten regions that are measured from.
pub const VANTAGE_REGIONS: [&str; 10] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-1",
    "ap-northeast-1",
    "sa-east-1",
    "ap-south-1",
    "ca-central-1",
    "af-south-1",
];

/// The region of this name.
pub fn find(name: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.name == name)
}

/// The shortest time there and back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// Along the surface.
    pub kilometers: f64,
    /// There and back.
    pub round_trip: Duration,
}

/// The floor between two places.
pub fn between(one: &Region, other: &Region) -> Floor {
    let (a, b) = (one.latitude.to_radians(), other.latitude.to_radians());
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let haversine = half(b - a) + a.cos() * b.cos() * half((other.longitude - one.longitude).to_radians());
    let kilometers = 2.0 * RADIUS * haversine.sqrt().min(1.0).asin();
    let round_trip = milliseconds::duration(2.0 * kilometers / KILOMETERS_PER_MILLISECOND).unwrap_or_default();
    Floor { kilometers, round_trip }
}

/// The nearest of some regions.
pub fn nearest(to: &Region, among: &[&str]) -> Option<(&'static Region, Floor)> {
    let all = among.iter().filter_map(|name| find(name)).map(|region| (region, between(to, region)));
    all.min_by(|one, other| one.1.kilometers.total_cmp(&other.1.kilometers))
}

/// How many round trips a request takes before its answer can begin.
pub fn round_trips(is_new_connection: bool, is_tls: bool) -> u32 {
    // The request itself; TCP; TLS 1.3.
    1 + u32::from(is_new_connection) + u32::from(is_new_connection && is_tls)
}

/// Who does not allow a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForbiddenBy {
    /// The speed of light.
    Physics,
    /// The network as it is today, by its measured round trips.
    Network,
}

/// A limit that no program behind this network can keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Who does not allow it.
    pub by: ForbiddenBy,
    /// The least time that a request takes on its way.
    #[serde(with = "milliseconds")]
    pub least: Duration,
    /// The region that would help, when one of the candidates does.
    pub nearer: Option<String>,
    /// All of it in words.
    pub text: String,
}

/// Where a request goes from and to, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<'a> {
    /// The region that it is sent from.
    pub from: Option<&'a Region>,
    /// The region that answers.
    pub to: Option<&'a Region>,
    /// The shortest round trip that was measured.
    pub measured: Option<Duration>,
    /// Round trips until the answer can begin.
    pub round_trips: u32,
}

/// What has to be said beside a limit that the way alone does not allow. The candidates are regions where an origin may be put.
pub fn note(limit: Duration, path: &Path<'_>, candidates: &[&str]) -> Option<Note> {
    let trips = path.round_trips.max(1);
    let ways = path.from.zip(path.to).map(|(from, to)| (from, to, between(from, to)));
    let physical = ways.map(|(_, _, floor)| floor.round_trip * trips);
    let measured = path.measured.map(|round_trip| round_trip * trips);
    let (by, least) = match (physical, measured) {
        (Some(least), _) if least >= limit => (ForbiddenBy::Physics, least),
        (_, Some(least)) if least >= limit => (ForbiddenBy::Network, least),
        _ => return None,
    };
    let nearer = path.from.and_then(|from| nearest(from, candidates));
    let nearer = nearer.filter(|(_, floor)| floor.round_trip * trips < limit).map(|(region, _)| region);
    let counted = if trips == 1 { "one round trip".to_owned() } else { format!("{trips} round trips") };
    let (needed, most) = (milliseconds::of(least), milliseconds::of(limit));
    let why = match (by, ways) {
        (ForbiddenBy::Physics, Some((from, to, floor))) => format!(
            "physics forbids {most} ms: light in a fiber needs {needed:.1} ms for {counted} from {} to {} over {:.0} km",
            from.name, to.name, floor.kilometers
        ),
        _ => format!("the network does not allow {most} ms: {needed:.1} ms for {counted}, as measured"),
    };
    let fix = match nearer {
        Some(region) => format!("an origin in {} would be near enough", region.name),
        None => "only an answer from an edge cache, a device or the browser can be faster".to_owned(),
    };
    Some(Note { by, least, nearer: nearer.map(|region| region.name.to_owned()), text: format!("{why}; {fix}") })
}

#[cfg(test)]
#[path = "floor_tests.rs"]
mod tests;
