//! Steps that bring dashboards and rules into the cluster that runs Grafana and Prometheus.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::kubernetes::ClusterPlan;

/// Grafana dashboards as ConfigMaps, which the sidecar of Grafana's Helm chart loads, and Prometheus rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservabilityStep {
    /// What the cluster is called in this stack; none: as its context or the EKS cluster. Steps with the same name are about
    /// the same cluster.
    #[serde(default)]
    pub name: Option<String>,
    /// The cluster with Grafana and Prometheus, and the credentials for it.
    pub cluster: ClusterPlan,
    /// The namespace of the objects. It must exist: Grafana and Prometheus are in it.
    #[serde(default = "monitoring")]
    pub namespace: String,
    /// Title of the dashboard of the edge.
    #[serde(default = "title")]
    pub title: String,
    /// The distribution whose cache hit rate and errors are shown, by its name in the plan; none: those panels show all distributions.
    #[serde(default)]
    pub distribution: Option<String>,
    /// The function at the edge whose calls are shown, by its name in the plan; none: that panel shows all functions.
    #[serde(default)]
    pub function: Option<String>,
    /// Labels by which Grafana's sidecar finds a dashboard.
    #[serde(default = "dashboard_labels")]
    pub dashboard_labels: BTreeMap<String, String>,
    /// How the rules get to Prometheus.
    #[serde(default)]
    pub rules: RulesForm,
    /// Labels of the object with the rules; the Helm chart kube-prometheus-stack wants `release: NAME` by default.
    #[serde(default)]
    pub rule_labels: BTreeMap<String, String>,
}

/// The object that alerts and recording rules are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RulesForm {
    /// A PrometheusRule of the Prometheus Operator.
    #[default]
    PrometheusRule,
    /// A ConfigMap with rule files, for a Prometheus that mounts it.
    ConfigMap,
    /// No rules.
    None,
}

fn monitoring() -> String {
    "monitoring".to_owned()
}

fn title() -> String {
    "AkiDB Edge Deployment".to_owned()
}

fn dashboard_labels() -> BTreeMap<String, String> {
    [("grafana_dashboard".to_owned(), "1".to_owned())].into()
}
