use super::*;

fn path(from: &str, to: &str, round_trips: u32) -> Path<'static> {
    Path { from: find(from), to: find(to), measured: None, round_trips }
}

/// Distances on the ellipsoid by geographiclib 2 (WGS84); the globe is a sphere here.
#[test]
fn distances_are_those_of_the_globe() {
    for (from, to, kilometers) in [
        ("us-east-1", "eu-west-1", 5_477.0),
        ("us-east-1", "eu-central-1", 6_566.0),
        ("eu-central-1", "ap-northeast-1", 9_354.0),
        ("us-west-2", "ap-northeast-1", 7_990.0),
        ("ap-southeast-2", "sa-east-1", 13_376.0),
        ("us-east-1", "us-east-1", 0.0),
    ] {
        let found = between(find(from).unwrap(), find(to).unwrap());
        assert!((found.kilometers - kilometers).abs() <= 0.005 * kilometers, "{from} {to}: {found:?}");
    }
    let ocean = between(find("us-east-1").unwrap(), find("eu-west-1").unwrap()).round_trip;
    assert!((50.0..57.0).contains(&milliseconds::of(ocean)), "{ocean:?}");
}

#[test]
fn all_regions_are_on_the_globe_and_once() {
    for (at, region) in REGIONS.iter().enumerate() {
        assert!(region.latitude.abs() <= 90.0 && region.longitude.abs() <= 180.0, "{region:?}");
        assert!(REGIONS[..at].iter().all(|other| other.name != region.name), "{region:?}");
    }
    assert!(VANTAGE_REGIONS.iter().all(|name| find(name).is_some()));
}

#[test]
fn a_limit_that_light_does_not_allow_is_called_so_with_what_would_help() {
    let limit = Duration::from_millis(25);
    let over_the_ocean = note(limit, &path("sa-east-1", "us-east-1", 1), &["us-east-1", "eu-central-1"]).unwrap();
    assert_eq!((over_the_ocean.by, over_the_ocean.nearer), (ForbiddenBy::Physics, None));
    let said = &over_the_ocean.text;
    assert!(said.starts_with("physics forbids 25 ms: light in a fiber needs 7"), "{said}");
    assert!(said.contains(" ms for one round trip from sa-east-1 to us-east-1 over 7"), "{said}");
    assert!(over_the_ocean.text.ends_with("only an answer from an edge cache, a device or the browser can be faster"));
    let far = note(limit, &path("ap-northeast-1", "us-east-1", 1), &["us-east-1", "ap-northeast-1"]).unwrap();
    assert_eq!(far.nearer.as_deref(), Some("ap-northeast-1"));
    assert!(far.text.ends_with("an origin in ap-northeast-1 would be near enough"), "{}", far.text);
}

#[test]
fn a_new_connection_with_tls_takes_three_round_trips() {
    assert_eq!([round_trips(false, true), round_trips(true, false), round_trips(true, true)], [1, 2, 3]);
    // Dublin and Frankfurt: 11 ms there and back.
    let limit = Duration::from_millis(25);
    assert_eq!(note(limit, &path("eu-west-1", "eu-central-1", 1), &[]), None);
    assert_eq!(note(limit, &path("eu-west-1", "eu-central-1", 3), &[]).unwrap().by, ForbiddenBy::Physics);
}

#[test]
fn the_network_as_measured_has_its_say_where_nobody_knows_the_places() {
    let measured = |milliseconds| Path { measured: Some(Duration::from_millis(milliseconds)), ..Path::default() };
    let found = note(Duration::from_millis(25), &measured(30), &["eu-west-1"]).unwrap();
    assert_eq!(found.by, ForbiddenBy::Network);
    let said = &found.text;
    assert!(said.starts_with("the network does not allow 25 ms: 30.0 ms for one round trip, as measured; "), "{said}");
    assert_eq!(note(Duration::from_millis(25), &measured(10), &[]), None);
    assert_eq!(note(Duration::from_millis(25), &Path::default(), &[]), None);
}
