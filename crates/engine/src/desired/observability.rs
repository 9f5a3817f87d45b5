//! Grafana dashboards and Prometheus rules, as objects of the cluster that runs Grafana and Prometheus.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Builder, as_name, kubernetes};
use crate::plan::observability::{ObservabilityStep, RulesForm};
use crate::plan::{Step, yaml};
use crate::resource::manifest::{ManifestSpec, Readiness};
use crate::resource::syntax_check::{self, SettingsCheck};
use crate::resource::{Address, Kind, Level, Resource, link};

const AREA: &str = "observability";

/// The dashboards: the object, the file in it, the text.
const DASHBOARDS: [(&str, &str, &str); 2] = [
    (
        "grafana-dashboard-edge",
        "edge-dashboard.json",
        include_str!("../../../../templates/observability/grafana/edge.json"),
    ),
    (
        "grafana-dashboard-akidb",
        "akidb-edge.json",
        include_str!("../../../../templates/observability/grafana/akidb-edge.json"),
    ),
];

/// The object with the rules, and the files that they come from.
const RULES: &str = "akidb-edge-rules";
const RULE_FILES: [(&str, &str); 3] = [
    ("recording.yml", include_str!("../../../../templates/observability/recording.yml")),
    ("alerts.yml", include_str!("../../../../templates/observability/alerts.yml")),
    ("replica_alerts.yml", include_str!("../../../../templates/observability/replica_alerts.yml")),
];

/// The objects of a step.
pub fn objects(builder: &mut Builder<'_>, step: &Step, plan: &ObservabilityStep) {
    let cluster = kubernetes::named(plan.name.as_ref(), &plan.cluster);
    let Some(address) = kubernetes::cluster(builder, step, &cluster) else { return };
    let wrong = wrong(plan);
    if !wrong.is_empty() {
        return wrong.into_iter().for_each(|(field, problem, next)| builder.complain(step, &field, problem, next));
    }
    let Some(names) = Names::of(builder, step, plan) else { return };
    let dashboards = DASHBOARDS.iter().map(|(name, file, text)| {
        let data = json!({*file: names.filled(text, &plan.title)});
        ("v1", "ConfigMap", *name, json!({"metadata": {"labels": plan.dashboard_labels}, "data": data}))
    });
    let mut objects: Vec<(&str, &str, &str, Value)> = dashboards.collect();
    match rules(plan) {
        Ok(rules) => objects.extend(rules),
        Err(bad) => return builder.complain(step, "rules", bad, "this is a bug: please report it"),
    }
    for (api_version, kind, name, object) in objects {
        let spec = ManifestSpec {
            cluster: cluster.name.clone(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(plan.namespace.clone()),
            name: name.to_owned(),
            object,
            ready: Readiness::Taken,
            force_conflicts: false,
            recreate: false,
        };
        let at = Address::new(AREA, Kind::Manifest, &format!("{}-{name}", as_name(&cluster.name)));
        let resource = Resource::new(at, Kind::Manifest, &spec).needing(address.clone(), Level::Usable);
        builder.add(step, "", resource);
    }
}

/// What does not fit: the field, the problem, the next step.
fn wrong(plan: &ObservabilityStep) -> Vec<(String, String, &'static str)> {
    let mut look = SettingsCheck::default();
    look.must("namespace", &plan.namespace, syntax_check::label(&plan.namespace), syntax_check::OBJECT_NAME);
    for (field, labels) in [("dashboard_labels", &plan.dashboard_labels), ("rule_labels", &plan.rule_labels)] {
        for (key, value) in labels {
            let fits = syntax_check::label_key(key) && syntax_check::label_value(value);
            look.must(&format!("{field}.{key}"), &format!("{key}: {value}"), fits, syntax_check::LABEL);
        }
    }
    let problems = look.done().into_iter();
    problems
        .map(|wrong| (wrong.field.clone(), format!("{}: {}", wrong.field, wrong.problem), wrong.next_step))
        .collect()
}

/// What the dashboard of the edge shows.
struct Names {
    /// The ID of the distribution, or a reference to it; `*` for all of them.
    distribution: String,
    /// The name of the function; `*` for all of them.
    function: String,
}

impl Names {
    /// None when the plan names something that it does not have, which is told.
    fn of(builder: &mut Builder<'_>, step: &Step, plan: &ObservabilityStep) -> Option<Self> {
        let mut known = |field: &str, kind: Kind, area: &str, name: Option<&String>| {
            let Some(name) = name else { return Some(None) };
            let address = Address::new(area, kind, &as_name(name));
            if builder.built.desired.resources.contains_key(&address) {
                return Some(Some(address));
            }
            let problem = format!("no earlier step of the plan makes {address}");
            builder.unknown(step, field, problem, "correct the name, or move this step behind the one that makes it");
            None
        };
        let distribution = known("distribution", Kind::Distribution, "cdn", plan.distribution.as_ref())?;
        let function = known("function", Kind::Function, "edge", plan.function.as_ref())?;
        let name = |address: &Address| {
            let function = builder.built.desired.resources.get(address)?;
            function.spec.get("name").and_then(Value::as_str).map(str::to_owned)
        };
        let all = || "*".to_owned();
        Some(Self {
            distribution: distribution.map_or_else(all, |address| link(&address, "id")),
            function: function.as_ref().and_then(name).unwrap_or_else(all),
        })
    }

    /// A dashboard with these names. A title is a text within JSON.
    fn filled(&self, text: &str, title: &str) -> String {
        let quoted = Value::from(title).to_string();
        let title = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        let values =
            [("title", title), ("distribution", self.distribution.as_str()), ("function", self.function.as_str())];
        values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{ {name} }}}}"), value))
    }
}

/// The object with the rules; none when the plan wants none.
fn rules(plan: &ObservabilityStep) -> Result<Option<(&'static str, &'static str, &'static str, Value)>, String> {
    let labels = json!({"labels": plan.rule_labels});
    match plan.rules {
        RulesForm::None => Ok(None),
        RulesForm::ConfigMap => {
            let data: BTreeMap<&str, &str> = RULE_FILES.into();
            Ok(Some(("v1", "ConfigMap", RULES, json!({"metadata": labels, "data": data}))))
        }
        RulesForm::PrometheusRule => {
            let mut groups = Vec::new();
            for (file, text) in RULE_FILES {
                let read = yaml(text).map_err(|bad| format!("{file}: {bad}"))?;
                groups.extend(read["groups"].as_array().into_iter().flatten().cloned());
            }
            let object = json!({"metadata": labels, "spec": {"groups": groups}});
            Ok(Some(("monitoring.coreos.com/v1", "PrometheusRule", RULES, object)))
        }
    }
}
