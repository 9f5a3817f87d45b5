//! The memory that clients can make a server use, besides the models: the sum of its limits.

use super::Config;
use crate::serve::admission::{OPEN, REFUSALS};
use crate::serve::connection::{FRAMES, SEND_BUFFER, STREAM_WINDOW};

/// Bytes of a connection besides its headers: TLS, buffers, tables of HTTP/2.
const CONNECTION: usize = 48 << 10;
/// Bytes of a request besides its headers, its body and its answer.
const REQUEST: usize = 8 << 10;

/// The most that something holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CacheBound {
    /// What it is, for a person.
    pub what: &'static str,
    /// Bytes.
    pub bytes: usize,
}

/// Each thing that clients make a server with this configuration hold, with its bound.
pub fn bounds(config: &Config) -> Vec<CacheBound> {
    let bound = |what, bytes| CacheBound { what, bytes };
    let (rules, connections) = (&config.rules, &config.connections);
    let all = rules.in_flight.saturating_add(OPEN).saturating_add(REFUSALS);
    // Those of open addresses are answered at once.
    let with_headers = rules.in_flight.saturating_add(REFUSALS);
    vec![
        bound("bodies and the texts in them", rules.bytes),
        bound("answers and the vectors in them", rules.bytes),
        bound("cached vectors", config.limits.vector_cache),
        bound(
            "connections",
            connections.most.saturating_mul(connections.header_limits.bytes.saturating_add(CONNECTION)),
        ),
        bound("headers of requests", with_headers.saturating_mul(connections.header_limits.bytes)),
        bound("requests", all.saturating_mul(REQUEST)),
        bound("streams of gRPC", rules.streams.saturating_mul(STREAM_WINDOW as usize + SEND_BUFFER + FRAMES)),
    ]
}

/// All of them together, in bytes.
pub fn sum(config: &Config) -> usize {
    bounds(config).iter().fold(0, |sum, bound| sum.saturating_add(bound.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::config::layers::Layers;
    use crate::serve::config::resolve;

    const GIB: usize = 1 << 30;

    fn config(settings: &[(&str, &str)]) -> Config {
        let flag =
            |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, text)| vec![(*text).to_owned()]);
        resolve(&Layers::read(flag, |_| None, None), 4).unwrap()
    }

    #[test]
    fn strangers_hold_less_than_a_gibibyte_of_a_server_with_its_defaults() {
        let config = config(&[]);
        assert!(sum(&config) < GIB, "{:#?} are {}", bounds(&config), sum(&config));
        assert!(sum(&config) > config.rules.bytes * 2);
    }

    #[test]
    fn every_setting_that_bounds_something_counts() {
        let usual = sum(&config(&[]));
        for (name, more) in [
            ("max-connections", "8192"),
            ("max-in-flight", "4096"),
            ("max-header-bytes", "64KiB"),
            ("max-in-flight-bytes", "256MiB"),
            ("max-streams", "1024"),
            ("vector-cache", "64MiB"),
        ] {
            assert!(sum(&config(&[(name, more)])) > usual, "{name}");
        }
    }

    /// The size behind a key of a text of ours, in bytes.
    fn size(text: &str, key: &str) -> usize {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("no {key}"));
        let value = line.trim_start_matches([':', '=']).trim();
        let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap());
        let unit = match unit {
            "GiB" | "G" | "g" => GIB,
            "MiB" | "M" | "m" => 1 << 20,
            other => panic!("{key}: {other}"),
        };
        number.parse::<usize>().unwrap() * unit
    }

    #[test]
    fn the_limits_of_what_we_ship_hold_the_models_and_the_sum() {
        let compose = include_str!("../../../templates/docker/compose.yml");
        let models = size(compose, "AKIDB_MODEL_MEMORY");
        assert!(size(compose, "mem_limit") >= models + sum(&config(&[])));
        let unit = include_str!("../../../templates/jetson/akidb-edge-serve.service");
        let models = size(include_str!("../../../templates/jetson/serve.env"), "AKIDB_MODEL_MEMORY");
        assert!(size(unit, "MemoryMax") >= models + sum(&config(&[])));
        // The pod of week 13 runs the image for JetPack 6.
        let image = include_str!("../../../templates/docker/Dockerfile.jetson-jp6").replace(" \\\n", "\n");
        let models = size(&image, "AKIDB_MODEL_MEMORY");
        let (_, pod) =
            include_str!("../../../plans/week13.yaml").split_once("name: akidb-rest-jetson").expect("the pod");
        let (_, limit) = pod.split_once("memory_mib: {request: 2048, limit: ").expect("its memory");
        let limit: usize = limit.split('}').next().unwrap().parse().unwrap();
        assert!(limit << 20 >= models + sum(&config(&[])));
    }
}
