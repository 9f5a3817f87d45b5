//! Resolves settings to the configuration: reports all problems at once.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::amount::{size, time};
use super::layers::{ConfigError, Layers, ValueOrigin};
use super::{Config, Connections, InvalidValue, RequestLimits};
use crate::inference::folder::{ModelOptions, Variant};
use crate::inference::onnx::provider::Device;
use crate::serve::activity::IdleTimeouts;
use crate::serve::admission::{AdmissionRules, cors};
use crate::serve::connection::HeaderLimits;
use crate::serve::health::HealthErrors;
use crate::serve::log::{LogFormat, LogLevel};
use crate::serve::trace::TraceSettings;

mod listeners;
mod pairs;

/// Reads values one by one and records what is wrong.
struct Reader<'a> {
    layers: &'a Layers,
    wrong: Vec<ConfigError>,
}

/// The configuration that these values are, for a machine of so many cores.
///
/// # Errors
/// Everything that is wrong.
pub fn resolve(layers: &Layers, cores: usize) -> Result<Config, Vec<ConfigError>> {
    let (config, wrong) = attempt(layers, cores);
    if wrong.is_empty() { Ok(config) } else { Err(wrong) }
}

/// The same with what is wrong beside it; a wrong value is replaced by one that can be looked at, and never served.
pub fn attempt(layers: &Layers, cores: usize) -> (Config, Vec<ConfigError>) {
    let mut read = Reader { layers, wrong: layers.wrong.clone() };
    let http = read.http();
    let grpc = read.grpc();
    let device = read.value("device", Device::Cpu, |text| text.parse());
    let (models, model, only) = read.model();
    let choice = read.choice();
    let tls = read.tls();
    let api_keys = read.path("api-keys");
    let guarded = api_keys.is_some() || tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    read.is_public_without_keys("http", http, guarded);
    if let Some(grpc) = grpc.filter(|grpc| grpc.ip() != http.ip()) {
        read.is_public_without_keys("grpc", grpc, guarded);
    }
    read.only_reads();
    let limits = read.limits();
    let config = Config {
        http,
        grpc,
        models,
        model,
        aliases: read.aliases(),
        only,
        dimension: read.number_or("model-dimension"),
        choice,
        device,
        fallback: read.fallback(),
        engine_cache: read.path("engine-cache"),
        workers: read.number_or("workers").unwrap_or(device.workers(cores)),
        alone_threads: read.number_or("single-request-threads").unwrap_or(cores),
        batch_tokens: read.number_or("max-batch-tokens"),
        onnxruntime: read.path("onnxruntime"),
        rules: read.rules(http, limits.body),
        limits,
        connections: read.connections(),
        offline_cdn: read.offline_cdn(),
        demo: read.demo(api_keys.is_some()),
        region: read.layers.text("region").to_owned(),
        cluster: read.layers.text("cluster").to_owned(),
        metadata: read.path("metadata"),
        peers: read.peers(),
        sync: read.optional("sync", str::parse),
        sync_interval: read.time_above_zero("sync-interval"),
        health_interval: read.time_above_zero("health-interval"),
        health_errors: read.health_errors(),
        traces: read.traces(),
        log_level: read.value("log-level", LogLevel::Info, str::parse),
        log_format: read.optional("log-format", str::parse).unwrap_or_else(LogFormat::usual),
        api_keys,
        tls,
    };
    (config, read.wrong)
}

impl Reader<'_> {
    fn wrong(&mut self, name: &str, why: impl Into<String>) {
        let origin = self.layers.origin(name);
        let place = if *origin == ValueOrigin::Default { name.to_owned() } else { format!("{name} ({origin})") };
        self.wrong.push(ConfigError { place, why: why.into() });
    }

    fn value<T, E: fmt::Display>(&mut self, name: &str, otherwise: T, parse: impl Fn(&str) -> Result<T, E>) -> T {
        match parse(self.layers.text(name)) {
            Ok(value) => value,
            Err(why) => {
                self.wrong(name, why.to_string());
                otherwise
            }
        }
    }

    /// A whole number above zero, or nothing.
    fn number_or(&mut self, name: &str) -> Option<usize> {
        if self.layers.text(name).is_empty() { None } else { Some(self.number(name)) }
    }

    /// A whole number above zero.
    fn number(&mut self, name: &str) -> usize {
        self.value(name, 1, |text| match text.parse() {
            Ok(0) | Err(_) => Err(InvalidValue::new(text, "a whole number above zero")),
            Ok(number) => Ok(number),
        })
    }

    fn rate(&mut self, name: &str) -> u32 {
        self.value(name, 0, |text| text.parse().map_err(|_| InvalidValue::new(text, "a whole number")))
    }

    fn size(&mut self, name: &str) -> usize {
        self.value(name, 1, size)
    }

    /// A size, or 0 for nothing.
    fn size_or_none(&mut self, name: &str) -> usize {
        self.value(name, 0, |text| if text == "0" { Ok(0) } else { size(text) })
    }

    fn time(&mut self, name: &str) -> Duration {
        self.value(name, Duration::ZERO, time)
    }

    /// A time that has to pass.
    fn time_above_zero(&mut self, name: &str) -> Duration {
        self.value(name, Duration::ZERO, |text| match time(text) {
            Ok(none) if none.is_zero() => Err(InvalidValue::new(
                text,
                "a duration above zero, such as 500ms, 30s or \
                 2m",
            )),
            other => other,
        })
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.layers.text(name)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    fn offline_cdn(&mut self) -> Option<String> {
        let base = self.layers.text("offline-cdn").to_owned();
        self.value("offline-cdn", None, |text| match text.parse::<http::Uri>() {
            _ if text.is_empty() => Ok(None),
            Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none() => {
                Ok(Some(base.clone()))
            }
            _ => Err(InvalidValue::new(text, "an address that begins with https:// or http:// and has no ?")),
        })
    }

    /// The folder of the page that embeds in the browser, when it is to be served.
    fn demo(&mut self, keys: bool) -> Option<PathBuf> {
        if self.switch("demo") != Some(true) {
            return None;
        }
        if keys {
            self.wrong("demo", "a page cannot keep an API key: leave out --demo or --api-keys");
        }
        let folder = PathBuf::from(self.layers.text("demo-page"));
        if !folder.join("index.html").is_file() {
            let why = format!("{} has no index.html; templates/browser/build makes the page", folder.display());
            self.wrong("demo-page", why);
        }
        Some(folder)
    }

    fn switch(&mut self, name: &str) -> Option<bool> {
        if self.layers.text(name).is_empty() {
            return None;
        }
        Some(self.value(name, false, |text| match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(InvalidValue::new(text, "true or false")),
        }))
    }

    /// The store, the default model, and the folder of the only one.
    fn model(&mut self) -> (PathBuf, String, Option<PathBuf>) {
        let provider = self.layers.text("embedding-provider");
        if provider != "onnx" {
            let why = format!("unknown embedding provider {provider:?}; the only one is onnx");
            self.wrong("embedding-provider", why);
        }
        let models = PathBuf::from(self.layers.text("models"));
        let name = self.layers.text("model").to_owned();
        let Some(path) = self.path("model-path") else { return (models, name, None) };
        let folder = if path.extension().is_some_and(|extension| extension == "onnx") {
            let beside = path.parent().unwrap_or(Path::new("."));
            // Hubs put graphs into a folder of their own.
            if beside.ends_with("onnx") { beside.parent().unwrap_or(beside) } else { beside }.to_owned()
        } else {
            path
        };
        self.tokenizer(&folder);
        let of_folder = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let named = *self.layers.origin("model") != ValueOrigin::Default;
        (models, if named { name } else { of_folder.unwrap_or(name) }, Some(folder))
    }

    fn tokenizer(&mut self, folder: &Path) {
        let Some(file) = self.path("tokenizer-path") else { return };
        let beside = folder.join("tokenizer.json");
        let same =
            std::fs::canonicalize(&file).ok().zip(std::fs::canonicalize(&beside).ok()).is_some_and(|(a, b)| a == b);
        if !same {
            let why = format!(
                "a model's tokenizer has to be in its folder: copy or link {} to {}",
                file.display(),
                beside.display()
            );
            self.wrong("tokenizer-path", why);
        }
    }

    /// Which graph is served, and the pooling of models that do not say theirs.
    fn choice(&mut self) -> ModelOptions {
        let variant = self.value("variant", Variant::Auto, |text| match text {
            "auto" => Ok(Variant::Auto),
            "fp32" => Ok(Variant::Fp32),
            "int8" => Ok(Variant::Int8),
            _ => Err(InvalidValue::new(text, "auto, fp32 or int8")),
        });
        // The graph that is named by its file is the one that is served.
        let path = self.path("model-path").filter(|path| path.extension().is_some_and(|end| end == "onnx"));
        let file = path.as_deref().and_then(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some(if path.parent()?.ends_with("onnx") { format!("onnx/{name}") } else { name })
        });
        let graph = Some(self.layers.text("graph").to_owned()).filter(|name| !name.is_empty()).or(file);
        ModelOptions { variant, graph, pooling: self.optional("pooling", str::parse) }
    }

    fn fallback(&mut self) -> bool {
        self.value("fallback", false, |text| match text {
            "" => Ok(false),
            "cpu" => Ok(true),
            _ => Err(InvalidValue::new(text, "cpu")),
        })
    }

    /// A value, or nothing.
    fn optional<T, E: fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.value(name, None, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
    }

    fn health_errors(&mut self) -> HealthErrors {
        let restart = self.time("health-restart-after");
        HealthErrors {
            strict: self.switch("health-strict").unwrap_or(false),
            restart_after: Some(restart).filter(|time| !time.is_zero()),
        }
    }

    fn traces(&mut self) -> TraceSettings {
        let share = |text: &str| {
            let share: Option<f64> = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| InvalidValue::new(text, "a number from 0 to 1"))
        };
        TraceSettings {
            collector: Some(self.layers.text("otlp").to_owned()).filter(|url| !url.is_empty()),
            share: self.value("trace-sample-ratio", 0.1, share),
            region: self.layers.text("region").to_owned(),
            cluster: self.layers.text("cluster").to_owned(),
            environment: Some(self.layers.text("environment").to_owned()).filter(|name| !name.is_empty()),
        }
    }

    /// The replica is another program's: it is never written.
    fn only_reads(&mut self) {
        if self.switch("metadata-readonly") == Some(false) {
            self.wrong(
                "metadata-readonly",
                "the metadata replica is only read: remove this setting, or set it to \
                 true",
            );
        }
    }

    fn limits(&mut self) -> RequestLimits {
        RequestLimits {
            body: self.size("max-body"),
            texts: self.number("max-texts"),
            text: self.size("max-text-bytes"),
            time: self.time_above_zero("request-timeout"),
            queue_wait: self.time_above_zero("max-queue-wait"),
            queue_tokens: self.number("max-queue-tokens"),
            vector_cache: self.size_or_none("vector-cache"),
            model_bytes: u64::try_from(self.size("model-memory")).unwrap_or(u64::MAX),
            models_loaded: self.number("max-loaded-models"),
        }
    }

    fn rules(&mut self, http: SocketAddr, body: usize) -> AdmissionRules {
        let origins = self.layers.texts("cors-origin").to_vec();
        for origin in origins.iter().filter(|origin| !cors::is_origin(origin)) {
            let why = InvalidValue::new(origin, "an origin, such as https://app.example.com");
            self.wrong("cors-origin", why.to_string());
        }
        let bytes = self.size("max-in-flight-bytes");
        // A body and the texts in it are held at the same time.
        if bytes < body.saturating_mul(2) {
            self.wrong(
                "max-in-flight-bytes",
                format!(
                    "{bytes} bytes are too few for a body of --max-body, {body} bytes, and its texts: at least \
                         twice that is needed"
                ),
            );
        }
        AdmissionRules {
            metrics_open: self.switch("public-metrics").unwrap_or(http.ip().to_canonical().is_loopback()),
            body,
            body_time: self.time_above_zero("body-timeout"),
            in_flight: self.number("max-in-flight"),
            bytes,
            streams: self.number("max-streams"),
            stream_time: self.time_above_zero("max-stream-duration"),
            rate: self.rate("rate-limit"),
            burst: self.rate("rate-limit-burst"),
            rate_by_address: self.rate("rate-limit-per-address"),
            origins,
        }
    }

    fn connections(&mut self) -> Connections {
        let idle = self.time_above_zero("idle-timeout");
        let stalled = time(self.layers.text("request-timeout")).unwrap_or_default() + idle;
        let bytes = self.size("max-header-bytes");
        if bytes < 8192 {
            self.wrong("max-header-bytes", "HTTP needs at least 8KiB");
        }
        Connections {
            most: self.number("max-connections"),
            timeouts: IdleTimeouts { headers: self.time_above_zero("header-timeout"), idle, stalled },
            header_limits: HeaderLimits { bytes: bytes.max(8192), count: self.number("max-headers") },
            drain: self.time("drain-time"),
            last: self.time_above_zero("shutdown-time"),
        }
    }
}

#[cfg(test)]
mod tests;
