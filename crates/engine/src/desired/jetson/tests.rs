//! What the graph of a fleet costs, counted and not timed.

use super::*;
use crate::plan::{PlanSettings, parse};
use crate::resource::node::NodeSpec;

/// A plan of a cluster of so many devices, of which the last is the server.
fn fleet(devices: usize) -> Plan {
    let head = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - id: fleet\n    \
                title: t\n    kind: jetson\n    with:\n      k3s: {version: v1.36.3+k3s1}\n      gpu: {cuda_test_image: \"registry.k8s.io/pause:3.10\"}\n      hosts:\n";
    let host = |number: usize| {
        let role = if number == devices { ", role: server" } else { "" };
        format!("        d{number:05}: {{address: \"d{number}.example.com\"{role}}}\n")
    };
    let text: String = (1..=devices).map(host).collect();
    parse("plan.yaml", &format!("{head}{text}"), &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn each_device_is_looked_at_once_for_the_server() {
    for devices in [10, 300] {
        let plan = fleet(devices);
        let fleets = Fleet::all(&plan);
        let built = draft_with(&plan, &fleets).whole().unwrap_or_else(|bad| panic!("{bad}"));
        let nodes = built.desired.resources.values().filter(|resource| resource.kind == Kind::Node);
        assert_eq!(nodes.count(), devices);
        assert_eq!(fleets.iter().map(|fleet| fleet.looked_at.get()).sum::<usize>(), devices);
    }
}

#[test]
fn two_names_of_one_machine_are_refused() {
    let mut plan = fleet(3);
    let Some(StepConfig::Jetson(jetson)) = plan.steps.first_mut().map(|step| &mut step.work) else { panic!("devices") };
    for host in jetson.hosts.values_mut().take(2) {
        host.address = "d1.example.com".to_owned();
    }
    let refused = build(&plan).expect_err("it is one machine").to_string();
    assert!(refused.contains("d00002 has the address and the port of d00001, plan.yaml:"), "{refused}");
}

/// What the nodes of two devices are started with: the server is reached in this way by SSH, and says this.
fn nodes(server: &str) -> Vec<NodeSpec> {
    let head = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - id: fleet\n    \
                title: t\n    kind: jetson\n    with:\n      k3s: {version: v1.36.3+k3s1, registry: {}}\n      hosts:\n";
    let text = format!("{head}        a: {server}\n        b: {{address: 10.0.0.2, node_ip: 192.168.7.2}}\n");
    let plan = parse("plan.yaml", &text, &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan).unwrap_or_else(|bad| panic!("{bad}"));
    built.desired.resources.values().filter_map(|one| (one.kind == Kind::Node).then(|| one.typed())?).collect()
}

#[test]
fn the_server_is_reached_by_its_address_among_the_devices() {
    for (server, url, registry, names) in [
        ("{address: 10.0.0.1}", "https://10.0.0.1:6443", "10.0.0.1:5000", &["10.0.0.1"][..]),
        ("{address: \"fd78::11\"}", "https://[fd78::11]:6443", "[fd78::11]:5000", &["fd78::11"]),
        (
            "{address: edge-alias, node_ip: 192.168.7.1}",
            "https://192.168.7.1:6443",
            "192.168.7.1:5000",
            &["192.168.7.1", "edge-alias"],
        ),
        (
            "{address: \"fe80::1%eth0\", node_ip: 192.168.7.1}",
            "https://192.168.7.1:6443",
            "192.168.7.1:5000",
            &["192.168.7.1"],
        ),
    ] {
        let nodes = nodes(server);
        let (first, second) = (&nodes[0], &nodes[1]);
        assert_eq!(first.tls_san, names, "{server}");
        assert!(second.tls_san.is_empty(), "an agent has no certificate of its own to name");
        for node in [first, second] {
            assert_eq!((node.server_url.as_str(), node.registry.as_deref()), (url, Some(registry)), "{server}");
        }
        assert_eq!(second.node_ip.as_deref(), Some("192.168.7.2"));
    }
}

/// The deployment of an app with these settings besides; else what is refused.
fn app(settings: &str) -> Result<serde_json::Value, String> {
    let head = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - id: fleet\n    \
                title: t\n    kind: jetson\n    with:\n      k3s: {version: v1.36.3+k3s1}\n      hosts: {a: {address: 10.0.0.1}}\n  \
                - id: app\n    title: t\n    kind: jetson-app\n    with: {name: app, image: \"akidb/rest:v1\"";
    let plan = parse("plan.yaml", &format!("{head}{settings}}}\n"), &PlanSettings::default())
        .map_err(|bad| bad.to_string())?;
    let built = build(&plan).map_err(|bad| bad.to_string())?;
    let deployment = built.desired.resources.values().find(|one| one.address.as_str().ends_with("deployment-app"));
    Ok(deployment.map(|one| one.spec["object"].clone()).unwrap_or_default())
}

/// A server that others reach does not start without keys: the pod would end at once, again and again.
#[test]
fn a_pod_that_could_not_start_is_refused() {
    let refused = app("").expect_err("without a key");
    assert!(
        refused.contains("does not start there without keys") && refused.contains("api_keys_secret: NAME"),
        "{refused}"
    );
    let both = app(", api_keys_secret: keys, without_keys: true").expect_err("which is it?");
    assert!(both.contains("contradicts"), "{both}");
    let folder = app(", without_keys: true, sync: \"file:/models\"").expect_err("a folder of the node");
    assert!(folder.contains("s3://BUCKET/PREFIX"), "{folder}");
    assert!(app(", environment: {AKIDB_API_KEYS: /keys}").is_ok(), "brought in another way");
}

#[test]
fn a_value_of_the_environment_is_a_text_whatever_it_holds() {
    let hostile = "a \"b' : # {{ c }} %h $HOME $(id) \\ - x: y";
    let written = serde_json::to_string(hostile).expect("JSON");
    let object = app(&format!(", without_keys: true, environment: {{NOTE: {written}}}"));
    let object = object.unwrap_or_else(|bad| panic!("{bad}"));
    let all = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array().cloned().unwrap_or_default();
    let notes: Vec<&serde_json::Value> = all.iter().filter(|one| one["name"] == "NOTE").collect();
    assert_eq!(notes, [&serde_json::json!({"name": "NOTE", "value": hostile})]);
}

#[test]
fn a_pod_has_what_its_server_starts_with() {
    let settings = ", api_keys_secret: keys, sync: \"s3://bucket/models\", sync_region: eu-central-1, sync_credentials_secret: reader, \
                    environment: {AKIDB_DRAIN_TIME: 9s}";
    let object = app(settings).unwrap_or_else(|bad| panic!("{bad}"));
    let pod = &object["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let env = |name: &str| {
        let all = container["env"].as_array().into_iter().flatten();
        all.filter(|one| one["name"] == name)
            .map(|one| (one["value"].clone(), one["valueFrom"].clone()))
            .collect::<Vec<_>>()
    };
    let value =
        |name: &str| env(name).first().and_then(|(value, _)| value.as_str().map(str::to_owned)).unwrap_or_default();
    assert_eq!(value("AKIDB_API_KEYS"), "/run/secrets/akidb-edge/api-keys");
    let warned = crate::resource::literal_secret::literal_secrets(&object);
    assert!(warned.is_empty(), "the path of a file with keys is no secret: {warned:?}");
    assert_eq!(
        (value("AKIDB_MODEL_SYNC"), value("AWS_REGION")),
        ("s3://bucket/models".to_owned(), "eu-central-1".to_owned())
    );
    assert_eq!((value("AKIDB_CLUSTER").as_str(), value("AKIDB_GRPC_PORT").as_str()), ("fleet-devices", "9090"));
    // What the plan says goes before, and is there once.
    assert_eq!((env("AKIDB_DRAIN_TIME").len(), value("AKIDB_DRAIN_TIME").as_str()), (1, "9s"));
    assert_eq!(env("AWS_SECRET_ACCESS_KEY")[0].1["secretKeyRef"]["name"], "reader", "no secret stands in the journal");
    let mounts: Vec<&str> = container["volumeMounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mount| mount["mountPath"].as_str())
        .collect();
    assert_eq!(mounts, ["/tmp", "/models", "/run/secrets/akidb-edge"]);
    assert_eq!(
        (&pod["terminationGracePeriodSeconds"], &container["lifecycle"]["preStop"]["sleep"]["seconds"]),
        (&45.into(), &5.into())
    );
    // Models of the image stay visible.
    let object = app(", without_keys: true").unwrap_or_else(|bad| panic!("{bad}"));
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    assert!(!container["volumeMounts"].to_string().contains("/models"), "{container}");
    assert!(container["env"].to_string().contains("AKIDB_ALLOW_PUBLIC_WITHOUT_KEYS"), "{container}");
}

/// The API server refuses a pod whose runtime class is not there, and only a plan with GPUs makes one.
#[test]
fn a_pod_without_a_gpu_asks_for_nothing_of_nvidia() {
    let without = app(", without_keys: true, gpus: 0").unwrap_or_else(|bad| panic!("{bad}"));
    let pod = &without["spec"]["template"]["spec"];
    assert_eq!(pod.get("runtimeClassName"), None, "{pod}");
    assert_eq!(pod["securityContext"].get("supplementalGroups"), None, "{pod}");
    assert!(!pod.to_string().contains("nvidia"), "{pod}");
    // No GPU has to become free first: the new pod is ready before the old one ends.
    let rolling = &without["spec"]["strategy"]["rollingUpdate"];
    assert_eq!(*rolling, serde_json::json!({"maxSurge": 1, "maxUnavailable": 0}));

    let with = app(", without_keys: true").unwrap_or_else(|bad| panic!("{bad}"));
    let pod = &with["spec"]["template"]["spec"];
    assert_eq!(
        (&pod["runtimeClassName"], &pod["securityContext"]["supplementalGroups"]),
        (&"nvidia".into(), &serde_json::json!([44]))
    );
    assert_eq!(pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], "1");
    let rolling = &with["spec"]["strategy"]["rollingUpdate"];
    assert_eq!(*rolling, serde_json::json!({"maxSurge": 0, "maxUnavailable": 1}));
}
