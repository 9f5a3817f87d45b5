//! Steps of kind `kubernetes`, and the objects of the devices' cluster: what they want, in which order, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use akidb_edge_engine::check::{Severity, all};
use akidb_edge_engine::desired::{DesiredStack, build, jetson, together};
use akidb_edge_engine::plan::{Plan, PlanErrors, PlanSettings, load, parse};
use akidb_edge_engine::resource::cluster::{ClusterSpec, Reach};
use akidb_edge_engine::resource::manifest::{ManifestSpec, Readiness};
use akidb_edge_engine::resource::needs::Needs;
use akidb_edge_engine::resource::{Address, Kind};
use tempfile::TempDir;

const HEAD: &str =
    "version: 1\nstack: shop\nmetadata: {name: shop, title: Shop}\ndays:\n- day: 1\n  title: d\n  steps:\n";
/// The settings of a cluster.
const WEST: &str = "cluster: {kubeconfig: {context: west}}";
const SHOP: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

/// A folder with the files of a plan.
struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Writes a file; gives its path as a plan names it.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// A plan of these steps (id, kind, settings), as it lies in the folder.
    fn load(&self, steps: &[(&str, &str, &str)], settings: &PlanSettings) -> Result<Plan, PlanErrors> {
        let step = |(id, kind, with): &(&str, &str, &str)| {
            format!("  - {{id: {id}, title: {id}, kind: {kind}, with: {{{with}}}}}\n")
        };
        let text = format!("{HEAD}{}", steps.iter().map(step).collect::<String>());
        load(&self.file("plan.yaml", &text), settings)
    }

    fn plan(&self, steps: &[(&str, &str, &str)]) -> Plan {
        self.load(steps, &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"))
    }

    /// The plan of one step of kind `kubernetes` on the cluster.
    fn built(&self, with: &str) -> DesiredStack {
        let plan = self.plan(&[("one", "kubernetes", &format!("{WEST}, {with}"))]);
        build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"))
    }

    /// All that is said about such a plan, without the name of the folder.
    fn refused(&self, steps: &[(&str, &str, &str)]) -> String {
        let all = self.load(steps, &PlanSettings::default()).and_then(|plan| build(&plan, &BTreeSet::new()).map(drop));
        let folder = format!("{}/", self.0.path().display());
        all.expect_err("it is refused").to_string().replace(&folder, "")
    }
}

fn spec(built: &DesiredStack, address: &str) -> ManifestSpec {
    let address: Address = address.parse().expect("an address");
    let resource = built.desired.resources.get(&address);
    let resource = resource.unwrap_or_else(|| panic!("{address} among {:?}", built.desired.resources.keys()));
    resource.typed().expect("a manifest")
}

fn needs(built: &DesiredStack, address: &str) -> Vec<String> {
    let resource = &built.desired.resources[&address.parse::<Address>().expect("an address")];
    resource.needs.keys().map(ToString::to_string).collect()
}

/// The buckets and the registry come before the publisher and the followers, which start with arguments of `replicate`.
#[test]
fn the_example_of_metadata_has_a_publisher_and_followers() {
    let text = fs::read_to_string("../../plans/examples/metadata.yaml").expect("the example");
    let named = ["prefix", "image", "primary", "replica"];
    let mut variables: BTreeMap<String, String> =
        named.into_iter().map(|name| (name.to_owned(), format!("the-{name}"))).collect();
    for name in ["primary_oidc", "replica_oidc"] {
        let provider = format!("arn:aws:iam::123456789012:oidc-provider/{}.example/id/1", name.replace('_', "-"));
        variables.insert(name.to_owned(), provider);
    }
    let settings = PlanSettings { variables, ..PlanSettings::default() };
    let plan = parse("../../plans/examples/metadata.yaml", &text, &settings).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    let own: Vec<&str> = built
        .desired
        .resources
        .keys()
        .map(Address::as_str)
        .filter(|address| address.starts_with("metadata."))
        .collect();
    let expected = [
        "metadata.bucket.eu-central-1",
        "metadata.bucket.us-east-1",
        "metadata.object.registry",
        "metadata.role.follower",
        "metadata.role.publisher",
    ];
    assert_eq!(own, expected);
    for (name, verb) in [("primary", "metadata"), ("replica", "follow")] {
        let address = format!("kubernetes.manifest.{name}-statefulset-akidb-metadata-{name}");
        let resource = &built.desired.resources[&address.parse::<Address>().expect("an address")];
        assert!(resource.after.contains("metadata"), "{address}");
        let object = spec(&built, &address).object;
        let pod = &object["spec"]["template"]["spec"];
        let list = if name == "primary" { &pod["containers"] } else { &pod["initContainers"] };
        let words: Vec<&str> =
            list[0]["command"].as_array().expect("a command").iter().filter_map(|word| word.as_str()).collect();
        assert_eq!(words[..3], ["akidb-edge", "replicate", verb]);
    }
}

#[test]
fn the_example_is_a_plan_of_a_cluster_and_its_objects() {
    let text = fs::read_to_string("../../plans/examples/kubernetes.yaml").expect("the example");
    let text = text.replace("default: plans/examples", "default: ../../plans/examples");
    let variables = [("context".to_owned(), "west".to_owned())].into();
    let settings = PlanSettings { variables, ..PlanSettings::default() };
    let plan = parse("../../plans/examples/kubernetes.yaml", &text, &settings).unwrap_or_else(|bad| panic!("{bad}"));
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(built.missing, []);
    let addresses: Vec<&str> = built.desired.resources.keys().map(Address::as_str).collect();
    assert_eq!(
        addresses,
        [
            "kubernetes.cluster.web",
            "kubernetes.manifest.web-configmap-web-page",
            "kubernetes.manifest.web-deployment-web-web",
            "kubernetes.manifest.web-horizontalpodautoscaler-web-web",
            "kubernetes.manifest.web-namespace-web",
            "kubernetes.manifest.web-poddisruptionbudget-web-web",
            "kubernetes.manifest.web-service-web-web",
        ]
    );
    let cluster = built.desired.resources.values().find(|resource| resource.kind == Kind::Cluster).expect("a cluster");
    let reach = Reach::Kubeconfig { context: "west".to_owned(), file: None };
    assert_eq!(cluster.typed(), Some(ClusterSpec { name: "web".to_owned(), reach }));
    let deployment = spec(&built, "kubernetes.manifest.web-deployment-web-web");
    assert_eq!((deployment.cluster.as_str(), deployment.ready), ("web", Readiness::RolledOut));
    assert_eq!(deployment.namespace.as_deref(), Some("web"), "the usual one of the step");
    assert_eq!(spec(&built, "kubernetes.manifest.web-namespace-web").namespace, None);
    assert_eq!(
        needs(&built, "kubernetes.manifest.web-service-web-web"),
        ["kubernetes.cluster.web", "kubernetes.manifest.web-namespace-web"]
    );
    let today = jiff_today();
    let errors: Vec<_> = all(&built.desired, today).into_iter().filter(|one| one.severity == Severity::Error).collect();
    assert_eq!(errors, []);
    assert!(!built.crosses(&plan), "it has nothing to do with devices");
}

fn jiff_today() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 30)
}

#[test]
fn an_object_comes_after_its_namespace_and_the_definition_of_its_kind() {
    let ground = Ground::new();
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: \
                      models.akidb.dev}\nspec: {group: akidb.dev, scope: Namespaced, names: {kind: Model, plural: models}}\n";
    let model = "apiVersion: akidb.dev/v1\nkind: Model\nmetadata: {name: small, namespace: shop, resourceVersion: \"7\"}\n\
                 status: {ready: true}\n";
    let file = ground.file("all.yaml", &format!("{model}---\n{definition}---\n{SHOP}"));
    let built = ground.built(&format!("files: [{file}], wait: false"));
    let crd = "kubernetes.manifest.west-customresourcedefinition-models-akidb-dev";
    let small = "kubernetes.manifest.west-model-akidb-dev-shop-small";
    assert_eq!(needs(&built, small), ["kubernetes.cluster.west", crd, "kubernetes.manifest.west-namespace-shop"]);
    assert_eq!(needs(&built, crd), ["kubernetes.cluster.west"]);
    assert_eq!(
        spec(&built, crd).ready,
        Readiness::RolledOut,
        "objects of the kind are refused until it is established"
    );
    assert_eq!(spec(&built, small).object, serde_json::json!({}), "what the server sets is left out");
    assert_eq!(Needs::of(&built.desired).cycle(), None);
}

#[test]
fn lists_are_expanded_and_each_object_knows_its_place() {
    let ground = Ground::new();
    let service = |name: &str| format!("- {{apiVersion: v1, kind: Service, metadata: {{name: {name}}}}}\n");
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}{}", service("a"), service("b"));
    let file = ground.file("list.yaml", &list);
    let built = ground.built(&format!("files: [{file}]"));
    assert_eq!(spec(&built, "kubernetes.manifest.west-service-default-a").namespace.as_deref(), Some("default"));
    assert_eq!(spec(&built, "kubernetes.manifest.west-service-default-b").ready, Readiness::Taken);
    ground.file("list.yaml", &format!("{list}{}", service("a")));
    let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, files: [{file}]"))]);
    assert!(said.starts_with("list.yaml:6:"), "{said}");
    assert!(said.contains("duplicate object Service a in namespace default: it is also in list.yaml:4"), "{said}");
}

#[test]
fn one_object_in_two_versions_of_its_api_is_one_and_two_names_get_two_addresses() {
    let ground = Ground::new();
    let object = |api: &str, kind: &str, name: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: \"{name}\"}}\n")
    };
    let both = format!("{}---\n{}", object("apps/v1", "Deployment", "a"), object("apps/v1beta1", "Deployment", "a"));
    let file = ground.file("a.yaml", &both);
    let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, files: [{file}]"))]);
    assert!(said.contains("duplicate object"), "{said}");
    let rbac = "rbac.authorization.k8s.io/v1";
    let both = format!("{}---\n{}", object(rbac, "ClusterRole", "shop:read"), object(rbac, "ClusterRole", "shop-read"));
    ground.file("a.yaml", &both);
    let built = ground.built(&format!("files: [{file}]"));
    assert_eq!(built.desired.resources.len(), 3, "{:?}", built.desired.resources.keys());
}

#[test]
fn what_no_journal_or_cluster_should_hold_is_refused_at_its_line() {
    let ground = Ground::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: hunter2-hunter2}\n";
    for (text, line, words, next) in [
        (secret, 4, "Secret login holds stringData", "kubectl create secret"),
        ("kind: Pod\nmetadata: {name: a}\n", 1, "apiVersion is missing from this object", "as kubectl takes it"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: a-\n", 4, "generateName", "write metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: A_b}\n", 3, "\"A_b\" is not allowed here", "small letters"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
            2,
            "a kustomize file",
            "kubectl kustomize",
        ),
        ("- a\n- b\n", 1, "not a mapping", "apiVersion, kind and metadata.name"),
        ("apiVersion: v1\nkind: List\nitems: []\n", 3, "not a list of objects", "items"),
    ] {
        let file = ground.file("a.yaml", text);
        let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, files: [{file}]"))]);
        assert!(said.starts_with(&format!("a.yaml:{line}:")), "{text}: {said}");
        assert!(said.contains(words) && said.contains(next), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let large =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{a: {}}}\n", "x".repeat(1 << 20));
    let file = ground.file("a.yaml", &large);
    let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, files: [{file}]"))]);
    assert!(said.contains("1.5 MiB") && said.len() < 2_000, "{said}");
    // Without values in it, a secret may be named: something in the cluster fills it.
    let file =
        ground.file("a.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {fill: b}}\ndata: {}\n");
    ground.built(&format!("files: [{file}]"));
}

#[test]
fn an_object_in_the_plan_is_refused_at_its_line_there() {
    let ground = Ground::new();
    let secret = "objects: [{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {b: Yw==}}]";
    let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, {secret}"))]);
    assert!(said.starts_with("plan.yaml:8:") && said.contains("Secret a"), "{said}");
    let octal = "objects: [{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {mode: 0400}}]";
    let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, {octal}"))]);
    assert!(said.contains("0400 is octal for kubectl"), "{said}");
    let said = ground.refused(&[("one", "kubernetes", WEST)]);
    assert!(said.contains("it has no objects"), "{said}");
    let lines = "objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {b: \"one\\n\\ttwo\\n\"}}]";
    assert_eq!(ground.built(lines).desired.resources.len(), 2);
}

#[test]
fn a_cluster_has_one_name() {
    let ground = Ground::new();
    let object = |name: &str| format!("objects: [{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}}}]");
    let step = |with: &str, name: &str| format!("{with}, {}", object(name));
    let same = ground.plan(&[("one", "kubernetes", &step(WEST, "a")), ("two", "kubernetes", &step(WEST, "b"))]);
    let built = build(&same, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(built.desired.resources.len(), 3, "two objects in one cluster");
    assert_eq!(needs(&built, "kubernetes.manifest.west-service-default-b"), ["kubernetes.cluster.west"]);

    let east = "name: west, cluster: {eks: {cluster: east, region: eu-central-1}}";
    let renamed = "name: other, cluster: {kubeconfig: {context: west}}";
    for (second, words) in [(east, "calls another cluster west"), (renamed, "calls the same cluster west")] {
        let said =
            ground.refused(&[("one", "kubernetes", &step(WEST, "a")), ("two", "kubernetes", &step(second, "b"))]);
        assert!(said.starts_with("plan.yaml:9:") && said.contains(words), "{said}");
    }
    let hosts = "hosts: {west: {address: 192.0.2.1}}";
    let said = ground.refused(&[("fleet", "jetson", hosts), ("one", "kubernetes", &step(WEST, "a"))]);
    assert!(said.contains("a device is called west, too"), "{said}");
    let eks = "cluster: {eks: {cluster: \"-x\", region: Nowhere}}";
    let said = ground.refused(&[("one", "kubernetes", &step(eks, "a"))]);
    assert!(said.contains("aws eks list-clusters") && said.contains("write a region"), "{said}");
    // A context of EKS is an ARN: the cluster is called as its last part.
    let arn = "cluster: {kubeconfig: {context: \"arn:aws:eks:eu-central-1:123456789012:cluster/akidb-eu\"}}";
    let plan = ground.plan(&[("one", "kubernetes", &step(arn, "a"))]);
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert_eq!(spec(&built, "kubernetes.manifest.akidb-eu-service-default-a").cluster, "akidb-eu");
}

#[test]
fn a_plan_names_no_kubeconfig_by_itself() {
    let ground = Ground::new();
    let (own, object) =
        (ground.file("kubeconfig", "{}"), "objects: [{apiVersion: v1, kind: Service, metadata: {name: a}}]");
    let with = format!("cluster: {{kubeconfig: {{context: west, file: {own}}}}}, {object}");
    let said = ground.refused(&[("one", "kubernetes", &with)]);
    assert!(said.contains("a kubeconfig can start programs") && said.contains("--var kubeconfig=FILE"), "{said}");
    let allowed = PlanSettings { outside: true, ..PlanSettings::default() };
    assert!(ground.load(&[("one", "kubernetes", &with)], &allowed).is_ok());
    let plan = format!("{HEAD}  - {{id: one, title: one, kind: kubernetes, with: {{{with}}}}}\n");
    let plan = plan.replacen("days:", "variables: {kubeconfig: {}}\ndays:", 1).replace(&own, "\"${var.kubeconfig}\"");
    let named = PlanSettings { variables: [("kubeconfig".to_owned(), own)].into(), ..PlanSettings::default() };
    let plan = load(&ground.file("plan.yaml", &plan), &named).unwrap_or_else(|bad| panic!("{bad}"));
    build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
}

#[test]
fn files_and_folders_are_read_where_the_plan_may_read() {
    let ground = Ground::new();
    ground.file("k8s/b.yaml", SHOP);
    ground.file("k8s/more/a.json", "{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"a\"}}");
    ground.file("k8s/README.md", "no object");
    let built = ground.built(&format!("files: [{}]", ground.path("k8s")));
    assert_eq!(built.desired.resources.len(), 3);
    let namespace =
        &built.desired.resources[&"kubernetes.manifest.west-namespace-shop".parse::<Address>().expect("one")];
    assert_eq!(namespace.sources, [ground.path("k8s/b.yaml")], "the preview says where it comes from");

    let nowhere = ground.built(&format!("files: [{}]", ground.path("none.yaml")));
    let missing: Vec<&str> = nowhere.missing.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(missing, [ground.path("none.yaml")]);
    fs::create_dir_all(Path::new(&ground.path("empty"))).expect("a folder");
    for (entry, words) in [
        (ground.path("empty"), "no file below empty ends in .yaml, .yml, .json"),
        (ground.file("nothing.yaml", "# nothing\n"), "it contains no object"),
        ("/etc/passwd".to_owned(), "outside of the plan's folder"),
        (ground.file("x.yaml", "kind: [\n"), "x.yaml:"),
    ] {
        let said = ground.refused(&[("one", "kubernetes", &format!("{WEST}, files: [{entry}]"))]);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_fallback_brings_no_files_that_were_not_read() {
    let ground = Ground::new();
    let (own, other) = (ground.file("own.yaml", SHOP), ground.file("other.yaml", SHOP));
    let plan = |set: &str| {
        let fallbacks = format!("fallbacks:\n  less:\n    title: Less\n    only: [kubernetes]\n    set: {{{set}}}\n");
        let step = format!("  - {{id: one, title: one, kind: kubernetes, with: {{{WEST}, files: [{own}]}}}}\n");
        let file = ground.file("plan.yaml", &format!("{HEAD}{step}{fallbacks}"));
        let plan = load(&file, &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
        plan.with_fallback("less").unwrap_or_else(|bad| panic!("{bad}"))
    };
    let said = build(&plan(&format!("one.files: [{other}]")), &BTreeSet::new()).expect_err("it is refused").to_string();
    assert!(said.contains("other.yaml was not read"), "{said}");
    assert!(build(&plan("one.wait: false"), &BTreeSet::new()).is_ok());
}

#[test]
fn objects_may_refer_to_other_resources_and_scripts_stay() {
    let ground = Ground::new();
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  url: ${queues.queue.jobs#url}\n  run.sh: |\n    \
                echo ${name#prefix} ${#list} ${path##*/}\n";
    let file = ground.file("a.yaml", text);
    let queues = "queues: {jobs: {name: jobs, region: eu-central-1}}";
    let plan = ground.plan(&[("q", "queues", queues), ("one", "kubernetes", &format!("{WEST}, files: [{file}]"))]);
    let built = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    let object = "kubernetes.manifest.west-configmap-default-a";
    assert_eq!(needs(&built, object), ["kubernetes.cluster.west", "queues.queue.jobs"]);
    assert_eq!(all(&built.desired, jiff_today()), []);
}

/// Devices with a cluster.
const FLEET: &str =
    "k3s: {version: v1.36.3+k3s1}, hosts: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2, role: server}}";

#[test]
fn objects_of_the_devices_cluster_come_after_its_server() {
    let ground = Ground::new();
    let file = ground.file(
        "own.yaml",
        &format!("{SHOP}---\napiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: shop}}\n"),
    );
    let plan = ground.plan(&[("fleet", "jetson", &format!("{FLEET}, manifests: [{file}]"))]);
    let built = jetson::build(&plan).unwrap_or_else(|bad| panic!("{bad}"));
    let service = "jetson.manifest.service-shop-a";
    assert_eq!(spec(&built, service).cluster, "b", "the machine of the server");
    assert_eq!(needs(&built, service), ["jetson.host.b", "jetson.manifest.namespace-shop", "jetson.node.b"]);
    let alone =
        ground.plan(&[("fleet", "jetson", &format!("hosts: {{a: {{address: 192.0.2.1}}}}, manifests: [{file}]"))]);
    let said = jetson::build(&alone).expect_err("there is no cluster").to_string();
    assert!(said.contains("its manifests need a cluster"), "{said}");
}

#[test]
fn objects_of_clusters_are_in_the_journal_of_the_stack_and_those_of_devices_in_theirs() {
    let ground = Ground::new();
    let file = ground.file("own.yaml", SHOP);
    let plan = ground.plan(&[
        ("fleet", "jetson", &format!("{FLEET}, manifests: [{file}]")),
        ("west", "kubernetes", &format!("{WEST}, files: [{file}]")),
    ]);
    let built = together(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    let stack = |address: &str| built.desired.stack_of(&address.parse().expect("an address")).to_owned();
    assert_eq!(stack("kubernetes.manifest.west-namespace-shop"), "shop");
    assert_eq!(stack("kubernetes.cluster.west"), "shop");
    assert_eq!(stack("jetson.manifest.namespace-shop"), "shop-devices");
    let own = build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(own.desired.resources.keys().all(|address| !address.is_of_devices()));
    assert!(!own.crosses(&plan));
}

#[test]
fn a_step_of_devices_may_come_after_objects_of_a_cluster() {
    let ground = Ground::new();
    let object = format!("{WEST}, objects: [{{apiVersion: v1, kind: Service, metadata: {{name: a}}}}]");
    let text = format!(
        "{HEAD}  - {{id: west, title: w, kind: kubernetes, with: {{{object}}}}}\n  - {{id: fleet, title: f, kind: jetson, needs: \
         [west], with: {{hosts: {{a: {{address: 192.0.2.1}}}}}}}}\n"
    );
    let plan = load(&ground.file("plan.yaml", &text), &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"));
    let devices = jetson::build(&plan).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(devices.crosses(&plan), "what it comes after is in the stack's own graph");
    let host = &devices.desired.resources[&"jetson.host.a".parse::<Address>().expect("an address")];
    assert_eq!(host.after, BTreeSet::from(["west".to_owned()]));
}

/// The data of a ConfigMap, as JSON.
fn dashboard(spec: &ManifestSpec, file: &str) -> serde_json::Value {
    let text = spec.object["data"][file].as_str().unwrap_or_else(|| panic!("{file} in {}", spec.object));
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn dashboards_and_rules_are_objects_of_the_cluster_with_grafana() {
    let ground = Ground::new();
    let of = |more: &str| {
        let plan = ground.plan(&[("dash", "observability", &format!("{WEST}, title: 'Our \"edge\"'{more}"))]);
        build(&plan, &BTreeSet::new()).unwrap_or_else(|bad| panic!("{bad}"))
    };
    let built = of(", rule_labels: {release: prom}");
    let edge = "observability.manifest.west-grafana-dashboard-edge";
    assert_eq!(needs(&built, edge), ["kubernetes.cluster.west"]);
    let edge = spec(&built, edge);
    assert_eq!((edge.kind.as_str(), edge.namespace.as_deref()), ("ConfigMap", Some("monitoring")));
    assert_eq!(edge.object["metadata"]["labels"]["grafana_dashboard"], "1");
    let shown = dashboard(&edge, "edge-dashboard.json");
    assert_eq!(
        (&shown["title"], &shown["panels"][1]["title"]),
        (&"Our \"edge\"".into(), &"Cache hit rate of CloudFront".into())
    );
    assert!(!shown.to_string().contains("{{ "), "a value is left open");
    let server = spec(&built, "observability.manifest.west-grafana-dashboard-akidb");
    assert_eq!(dashboard(&server, "akidb-edge.json")["uid"], "akidb-edge");
    let rules = spec(&built, "observability.manifest.west-akidb-edge-rules");
    assert_eq!((rules.api_version.as_str(), rules.kind.as_str()), ("monitoring.coreos.com/v1", "PrometheusRule"));
    assert_eq!(rules.object["metadata"]["labels"]["release"], "prom");
    let groups = rules.object["spec"]["groups"].as_array().expect("groups");
    assert!(groups.len() >= 3 && groups.iter().all(|group| group["rules"][0]["expr"].is_string()), "{groups:?}");
    let files = spec(&of(", rules: config-map"), "observability.manifest.west-akidb-edge-rules").object;
    assert!(files["data"]["alerts.yml"].as_str().is_some_and(|text| text.contains("HighLatency")), "{files}");
    assert_eq!(of(", rules: none").desired.resources.len(), 3, "the cluster and two dashboards");

    let wrong = ground.refused(&[("dash", "observability", &format!("{WEST}, namespace: No, distribution: main"))]);
    assert!(wrong.contains("namespace: \"No\" is not allowed here"), "{wrong}");
    let wrong = ground.refused(&[("dash", "observability", &format!("{WEST}, distribution: main"))]);
    assert!(wrong.contains("no earlier step of the plan makes cdn.distribution.main"), "{wrong}");
    let login = format!("cluster: {{kubeconfig: {{context: west, file: {}}}}}", ground.file("config", "{}"));
    let wrong = ground.refused(&[("dash", "observability", &login)]);
    assert!(wrong.contains("set it by a variable"), "{wrong}");
}
