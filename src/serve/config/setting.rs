//! Every setting, one row each: the flag, the variable of the environment, the key of the file and the default come from here.

use super::former;

/// How a setting is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SettingKind {
    /// One value, with the word that stands for it in the help.
    One(&'static str),
    /// Yes or no; the flag alone means yes.
    Switch,
    /// Several values.
    Many(&'static str),
}

/// A setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Setting {
    /// The flag without its dashes, and the key of the file.
    pub name: &'static str,
    /// The variable of the environment.
    pub variable: &'static str,
    /// How it is written.
    pub kind: SettingKind,
    /// The default; empty for none.
    pub default: &'static str,
    /// One line for a person.
    pub help: &'static str,
}

const fn row(
    name: &'static str,
    variable: &'static str,
    kind: SettingKind,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, variable, kind, default, help }
}

use SettingKind::{Many, One, Switch};

/// All of them, in the order of the help.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    row("http", "AKIDB_HTTP", One("ADDRESS:PORT"), "", "Where REST listens [default: --host and --rest-port]"),
    row("host", "AKIDB_HOST", One("ADDRESS"), "127.0.0.1", "Address to listen on"),
    row("rest-port", "AKIDB_REST_PORT", One("PORT"), "8080", "Port of REST"),
    row("grpc", "AKIDB_GRPC", One("ADDRESS:PORT"), "", "Where gRPC listens, or off [default: --host and --grpc-port]"),
    row("grpc-port", "AKIDB_GRPC_PORT", One("PORT"), "9090", "Port of gRPC"),
    row("models", "AKIDB_MODELS", One("FOLDER"), "models", "Folder with the models"),
    row("model", "AKIDB_MODEL_NAME", One("NAME"), "all-MiniLM-L6-v2", "Default model: used by requests that name none"),
    row("model-alias", "AKIDB_MODEL_ALIASES", Many("NAME=MODEL"), "", "Another name of a model (repeatable)"),
    row("model-path", "AKIDB_MODEL_PATH", One("PATH"), "", "Serve only this model: its folder, or its graph"),
    row("tokenizer-path", "AKIDB_TOKENIZER_PATH", One("FILE"), "", "Its tokenizer, which is next to it"),
    row("model-dimension", "AKIDB_MODEL_DIMENSION", One("N"), "", "Refuse to start when the model's vectors have another length"),
    row("embedding-provider", "AKIDB_EMBEDDING_PROVIDER", One("NAME"), "onnx", "Embedding backend: onnx"),
    row("variant", "AKIDB_MODEL_VARIANT", One("VARIANT"), "auto", "Graph variant: auto, fp32 or int8"),
    row("graph", "AKIDB_MODEL_GRAPH", One("FILE"), "", "Graph of the default model, as a path in its folder; takes precedence over --variant"),
    row("pooling", "AKIDB_MODEL_POOLING", One("MODE"), "", "Pooling of models whose files do not specify it: mean, cls, last-token, max, mean-sqrt-len or weighted-mean"),
    row("device", "AKIDB_ONNX_EXECUTION_PROVIDER", One("PROVIDER"), "cpu", "Execution provider: cpu, cuda, tensorrt or openvino"),
    row("fallback", "AKIDB_FALLBACK", One("PROVIDER"), "", "Provider to use when the device is unavailable: cpu [default: the model is not loaded]"),
    row("engine-cache", "AKIDB_TENSORRT_CACHE", One("FOLDER"), "", "Folder for TensorRT engines"),
    row("workers", "AKIDB_WORKERS", One("N"), "", "Threads that run batches [default: as many as suit the device]"),
    row("single-request-threads", "AKIDB_SINGLE_REQUEST_THREADS", One("N"), "", "Threads for a single request [default: one for each core]"),
    row("max-batch-tokens", "AKIDB_MAX_BATCH_TOKENS", One("N"), "", "Tokens in a batch [default: measured at start]"),
    row("onnxruntime", "ORT_DYLIB_PATH", One("FILE"), "", "Library of ONNX Runtime, or its folder"),
    row("offline-cdn", "AKIDB_OFFLINE_CDN", One("URL"), "", "Redirect model downloads to this CDN [default: they are served from the folder]"),
    row("demo", "AKIDB_DEMO", Switch, "false", "Serve the browser page at /demo/, with this server's models"),
    row("demo-page", "AKIDB_DEMO_PAGE", One("FOLDER"), "templates/browser/dist", "Folder of that page; templates/browser/build makes it"),
    row("model-memory", "AKIDB_MODEL_MEMORY", One("SIZE"), "8GiB", "Maximum memory of all loaded models"),
    row("vector-cache", "AKIDB_VECTOR_CACHE", One("SIZE"), "32MiB", "Memory of the vector cache; 0 disables it"),
    row("max-loaded-models", "AKIDB_MAX_LOADED_MODELS", One("N"), "3", "Maximum models in memory"),
    row("sync", "AKIDB_MODEL_SYNC", One("SOURCE"), "", "Source of new model versions: s3://BUCKET/PREFIX or file:FOLDER"),
    row("sync-interval", "AKIDB_MODEL_SYNC_INTERVAL", One("TIME"), "300s", "Interval of model sync"),
    row("metadata", "AKIDB_DB_PATH", One("FILE"), "", "SQLite file that lists the models to serve"),
    row("metadata-readonly", "AKIDB_DB_READONLY", Switch, "true", "The file is only read; any other value is refused"),
    row("region", "AKIDB_REGION", One("NAME"), "unknown", "Region that this server reports"),
    row("cluster", "AKIDB_CLUSTER", One("NAME"), "unknown", "Cluster that this server reports"),
    row("environment", "ENVIRONMENT", One("NAME"), "", "Environment in traces: production, staging"),
    row("peer", "AKIDB_PEERS", Many("NAME=URL"), "", "Server of another region whose health is checked (repeatable)"),
    row("health-interval", "AKIDB_HEALTH_INTERVAL", One("TIME"), "10s", "Interval of the checks of /health"),
    row("health-strict", "AKIDB_HEALTH_STRICT", Switch, "false", "/health answers 503 when a check of this server failed or is still loading; not for liveness probes"),
    row("health-restart-after", "AKIDB_HEALTH_RESTART_AFTER", One("TIME"), "5m", "/health answers 503 when a loaded model has failed every canary for this long, so that a liveness probe restarts the server; 0s: never"),
    row("otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", One("URL"), "", "OTLP collector (gRPC) for traces"),
    row("trace-sample-ratio", "OTEL_TRACES_SAMPLER_ARG", One("SHARE"), "0.1", "Share of requests that are traced, 0 to 1; a caller's own decision takes precedence"),
    row("log-level", "AKIDB_LOG_LEVEL", One("LEVEL"), "info", "error, warn, info or debug (every request)"),
    row("log-format", "AKIDB_LOG_FORMAT", One("FORMAT"), "", "json or text [default: text when stderr is a terminal]"),
    row("api-keys", "AKIDB_API_KEYS", One("FILE"), "", "Hashes of API keys, reloaded when the file changes; every request then needs a key"),
    row("public-metrics", "AKIDB_PUBLIC_METRICS", Switch, "", "Whether /metrics needs no key [default: only on loopback]"),
    row("allow-public-without-keys", "AKIDB_ALLOW_PUBLIC_WITHOUT_KEYS", Switch, "false", "Serve all clients that can reach the address, without keys"),
    row("tls-cert", "AKIDB_TLS_CERT", One("FILE"), "", "Certificate (PEM), reloaded when it changes"),
    row("tls-key", "AKIDB_TLS_KEY", One("FILE"), "", "Private key (PEM)"),
    row("tls-client-ca", "AKIDB_TLS_CLIENT_CA", One("FILE"), "", "Clients need a certificate of this CA"),
    row("cors-origin", "AKIDB_CORS_ORIGIN", Many("URL"), "", "Allowed CORS origin (repeatable)"),
    row("max-body", "AKIDB_MAX_BODY", One("SIZE"), "8MiB", "Maximum size of a request body"),
    row("max-texts", "AKIDB_MAX_TEXTS", One("N"), "2048", "Maximum texts per request"),
    row("max-text-bytes", "AKIDB_MAX_TEXT_BYTES", One("SIZE"), "1MiB", "Maximum size of a text"),
    row("max-header-bytes", "AKIDB_MAX_HEADER_BYTES", One("SIZE"), "32KiB", "Maximum size of request headers"),
    row("max-headers", "AKIDB_MAX_HEADERS", One("N"), "100", "Maximum headers per request"),
    row("max-connections", "AKIDB_MAX_CONNECTIONS", One("N"), "4096", "Maximum concurrent connections"),
    row("max-in-flight", "AKIDB_MAX_IN_FLIGHT", One("N"), "2048", "Maximum concurrent requests"),
    row("max-in-flight-bytes", "AKIDB_MAX_IN_FLIGHT_BYTES", One("SIZE"), "128MiB", "Maximum bytes of all request bodies in progress and their texts"),
    row("max-streams", "AKIDB_MAX_STREAMS", One("N"), "512", "Maximum concurrent gRPC streams, and as many health watches"),
    row("rate-limit", "AKIDB_RATE_LIMIT", One("N"), "0", "Requests per second of a key without a rate of its own; 0: no limit"),
    row("rate-limit-burst", "AKIDB_RATE_LIMIT_BURST", One("N"), "0", "Requests that may arrive at once; 0: those of one second"),
    row("rate-limit-per-address", "AKIDB_RATE_LIMIT_PER_ADDRESS", One("N"), "0", "Requests per second of an address that shows no key; 0: no limit"),
    row("request-timeout", "AKIDB_REQUEST_TIMEOUT", One("TIME"), "30s", "Request timeout"),
    row("header-timeout", "AKIDB_HEADER_TIMEOUT", One("TIME"), "10s", "Header read timeout"),
    row("body-timeout", "AKIDB_BODY_TIMEOUT", One("TIME"), "30s", "Body read timeout"),
    row("max-stream-duration", "AKIDB_MAX_STREAM_DURATION", One("TIME"), "1h", "Maximum lifetime of a gRPC stream"),
    row("idle-timeout", "AKIDB_IDLE_TIMEOUT", One("TIME"), "75s", "Idle timeout of a connection"),
    row("max-queue-wait", "AKIDB_MAX_QUEUE_WAIT", One("TIME"), "330ms", "Maximum queue wait; a request that would wait longer is rejected"),
    row("max-queue-tokens", "AKIDB_MAX_QUEUE_TOKENS", One("N"), "1048576", "Maximum queued tokens per model"),
    row("shutdown-time", "AKIDB_SHUTDOWN_TIME", One("TIME"), "30s", "Grace period for in-flight requests at shutdown"),
    row("drain-time", "AKIDB_DRAIN_TIME", One("TIME"), "0s", "Time before that during which the server is not ready but accepts connections"),
];

/// Other variables that count where a setting's own is not there: manifests that were written for other servers of the stack have them.
const ALSO: [(&str, &str); 2] = [("region", "REGION"), ("cluster", "CLUSTER_NAME")];

/// The variables of a setting, in the order in which they count; the former ones come last.
pub fn variables(setting: &Setting) -> impl Iterator<Item = &'static str> {
    let own = setting.name;
    let also = ALSO.iter().filter(move |(name, _)| *name == own).map(|(_, variable)| *variable);
    std::iter::once(setting.variable).chain(also).chain(former::of(setting).filter_map(|row| row.variable))
}

/// The setting of a name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The known name that is nearest to another, when one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let distances = SETTINGS.iter().map(|setting| (distance(name, setting.name), setting.name));
    distances.min().filter(|(distance, known)| *distance <= 1 + known.len() / 4).map(|(_, known)| known)
}

/// Letters to put in, leave out or change.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (place, wanted) in other.bytes().enumerate() {
            let changed = corner + usize::from(letter != wanted);
            corner = row[place + 1];
            row[place + 1] = changed.min(row[place] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_variables_are_there_once() {
        for (at, setting) in SETTINGS.iter().enumerate() {
            let twice = |other: &&Setting| other.name == setting.name || other.variable == setting.variable;
            assert!(SETTINGS[at + 1..].iter().find(twice).is_none(), "{}", setting.name);
        }
        for (name, variable) in ALSO {
            assert!(find(name).is_some() && SETTINGS.iter().all(|setting| setting.variable != variable), "{name}");
        }
    }

    #[test]
    fn a_typing_error_is_recognized() {
        assert_eq!(nearest("max-txts"), Some("max-texts"));
        assert_eq!(nearest("api_keys"), Some("api-keys"));
        assert_eq!(nearest("colour"), None);
    }
}
