use super::*;
use crate::inference::folder::Pooling;

fn with(flags: &[(&str, &str)]) -> Result<Config, Vec<ConfigError>> {
    let flag = |name: &str| flags.iter().find(|(known, _)| *known == name).map(|(_, text)| vec![(*text).to_owned()]);
    resolve(&Layers::read(flag, |_| None, None), 2)
}

#[test]
fn the_defaults_are_what_the_types_say() {
    let config = with(&[]).unwrap();
    assert_eq!(config.limits, RequestLimits::default());
    assert_eq!(config.connections, Connections::default());
    assert_eq!(config.rules, AdmissionRules { metrics_open: true, ..AdmissionRules::default() });
    assert_eq!(config.http.to_string(), "127.0.0.1:8080");
}

#[test]
fn every_problem_is_told_at_once() {
    let wrong = with(&[
        ("rest-port", "70000"),
        ("embedding-provider", "candle"),
        ("device", "tpu"),
        ("max-body", "0"),
        ("request-timeout", "soon"),
        ("max-texts", "-1"),
        ("tls-cert", "a.pem"),
        ("cors-origin", "example.com"),
    ])
    .unwrap_err();
    let places: Vec<_> = wrong.iter().map(|wrong| wrong.place.split(' ').next().unwrap_or_default()).collect();
    for place in [
        "rest-port",
        "embedding-provider",
        "device",
        "max-body",
        "request-timeout",
        "max-texts",
        "tls-key",
        "cors-origin",
    ] {
        assert!(places.contains(&place), "{place}: {wrong:?}");
    }
}

#[test]
fn a_public_address_needs_keys() {
    let public = ("host", "0.0.0.0");
    let wrong = with(&[public]).unwrap_err();
    assert!(wrong.len() == 1 && wrong[0].why.contains("--allow-public-without-keys"), "{wrong:?}");
    assert!(!with(&[public, ("api-keys", "keys")]).unwrap().rules.metrics_open);
    assert!(with(&[public, ("allow-public-without-keys", "true")]).is_ok());
    let tls = [("tls-cert", "c"), ("tls-key", "k")];
    assert!(with(&[public, tls[0], tls[1]]).is_err(), "encryption alone keeps nobody out");
    assert!(with(&[public, tls[0], tls[1], ("tls-client-ca", "a")]).is_ok());
    assert!(with(&[("http", "[::]:80")]).is_err() && with(&[("http", "[::1]:80")]).is_ok());
}

#[test]
fn what_is_said_nearer_wins() {
    let flag = |name: &str| (name == "host").then(|| vec!["127.0.0.2".to_owned()]);
    let variable = |name: &str| (name == "AKIDB_HTTP").then(|| "127.0.0.3:1".to_owned());
    assert_eq!(resolve(&Layers::read(flag, variable, None), 2).unwrap().http.to_string(), "127.0.0.2:8080");
    assert_eq!(resolve(&Layers::read(|_| None, variable, None), 2).unwrap().http.to_string(), "127.0.0.3:1");
}

#[test]
fn a_graph_names_its_folder_and_its_variant() {
    let config = with(&[("model-path", "/m/tiny/onnx/model_int8.onnx")]).unwrap();
    assert_eq!((config.only, config.model.as_str()), (Some("/m/tiny".into()), "tiny"));
    assert_eq!(config.choice.graph.as_deref(), Some("onnx/model_int8.onnx"));
    let config = with(&[("model-path", "/m/tiny/other.onnx"), ("pooling", "cls")]).unwrap();
    assert_eq!((config.choice.graph.as_deref(), config.choice.pooling), (Some("other.onnx"), Some(Pooling::Cls)));
    assert!(with(&[("pooling", "sum")]).unwrap_err()[0].why.contains("weighted-mean"));
}

#[test]
fn times_and_sizes() {
    assert_eq!([time("500ms"), time("2m"), time("3")], [500, 120_000, 3000].map(|ms| Ok(Duration::from_millis(ms))));
    assert!(
        time("-1s").is_err()
            && time("1d").is_err()
            && time("25h").is_err()
            && time("").is_err()
            && time("NaN").is_err()
    );
    assert_eq!([size("64KiB"), size("8MB"), size("9")], [Ok(65_536), Ok(8_000_000), Ok(9)]);
    assert!(size("").is_err() && size("0").is_err() && size("99999999999GiB").is_err() && size("1.5MiB").is_err());
}

#[test]
fn aliases_are_pairs() {
    let read = |text: &[&str]| {
        let texts: Vec<String> = text.iter().map(|text| (*text).to_owned()).collect();
        let flag = |name: &str| (name == "model-alias").then(|| texts.clone());
        resolve(&Layers::read(flag, |_| None, None), 2).map(|config| config.aliases)
    };
    let known = read(&["text-embedding-3-small=tiny", "a/b=tiny", "a/b=tiny"]).unwrap();
    assert_eq!(known, [("a/b", "tiny"), ("text-embedding-3-small", "tiny")].map(|(a, b)| (a.into(), b.into())).into());
    for wrong in [&["tiny"][..], &["=tiny"], &["a="], &["a=b", "a=c"]] {
        assert!(read(wrong).unwrap_err()[0].place.starts_with("model-alias"), "{wrong:?}");
    }
}
