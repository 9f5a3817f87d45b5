//! `validate production`: the six checks of week 5 before a server takes traffic. Each is one request; nothing on the server is changed
//! but its count of requests.

use std::time::Duration;

use serde_json::Value;

use super::latency::HERE;
use super::measurements::{self, Found, Measurement};
use super::request::ConnectionArgs;
use super::steps::StepArgs;
use super::vector;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::load::{Exchange, once};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::measure::{Target, TrustedRoots};
use crate::plan::validation::{ProductionCheck, RequestPlan};
use crate::resource::shown;

/// A request that takes longer has failed: a cold model is loaded within it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The text that is embedded, as in week 5.
const TEXT: &str = "test";
/// The path that embeds.
const EMBED: &str = "/api/v1/embed";
/// The metric that every server has.
const REQUESTS: &str = "akidb_embed_requests_total";
/// Engines of TensorRT that were built, and found in the cache.
const BUILT: &str = "akidb_tensorrt_engine_builds_total";
const CACHED: &str = "akidb_tensorrt_engine_cache_hits_total";
/// Providers of ONNX Runtime that run on a GPU of NVIDIA.
const ON_GPU: [&str; 2] = ["cuda", "tensorrt"];

/// Run the six checks of week 5 on a server before it takes traffic.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Look at this server instead of the steps of a plan: http or https, and the host
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Numbers of a vector, with --url; as the server lists its model when left out
    #[arg(long, value_name = "N", requires = "url")]
    dimension: Option<usize>,
    /// Model that embeds, with --url; the server's default when left out
    #[arg(long, value_name = "NAME", requires = "url")]
    model: Option<String>,
    /// The server runs on the CPU: leave out the checks of the GPU and of TensorRT's cache, with --url
    #[arg(long, requires = "url")]
    cpu: bool,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// Runs them.
///
/// # Errors
/// When no request can be made at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if let Some(url) = &args.url {
        let (model, dimension) = (args.model.clone(), args.dimension);
        let check = ProductionCheck { host: host(url)?, model, dimension, gpu: !args.cpu };
        let found = measure(&check, &args.reach.clone().of_url(url)).await?;
        let all = [Measurement::now("production", None, vec![HERE.to_owned()], found)];
        return measurements::finish(&all, args.steps.output(None), context).await;
    }
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "production", |validation| validation.production())? {
        let found = measure(check, &args.reach).await?;
        all.push(Measurement::now("production", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// The host and port of an address that was typed.
fn host(url: &str) -> Result<String, Failure> {
    let read = url::Url::parse(url).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.username().is_empty()
    });
    let read = read.filter(|url| matches!(url.path(), "" | "/") && url.query().is_none());
    read.map(|url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()).ok_or_else(|| {
        codes::ARGUMENT.refused(
            shown!("--url {:?} is not the address of a server", url),
            "write --url https://HOST or http://HOST:PORT, without a path",
        )
    })
}

/// One server.
///
/// # Errors
/// When no request can be made at all.
pub async fn measure(check: &ProductionCheck, reach: &ConnectionArgs) -> Result<Vec<Found>, Failure> {
    let server = Server::of(check, reach)?;
    let health = server.get("/health").await?;
    let models = server.get("/models").await?;
    let embedding = server.ask(&server.embedding(reach)?).await;
    // Last, so that its own request is counted in it.
    let metrics = server.get("/metrics").await?;
    let model = models.as_ref().ok().and_then(|answer| listed(&json(answer), check.model.as_deref()));
    let mut found = vec![
        found("production.health", healthy(&health)),
        found("production.embedding", embedded(&embedding, check.dimension, model.as_ref())),
        found("production.models", listing(&models)),
        found("production.metrics", counted(&metrics)),
    ];
    if check.gpu {
        found.push(self::found("production.gpu", on_gpu(&models, model.as_ref())));
        found.push(self::found("production.engine_cache", cached(&metrics)));
    }
    Ok(found)
}

/// An answer, or why there is none.
type Answer = Result<Exchange, String>;

/// The server with the way to it.
struct Server<'a> {
    check: &'a ProductionCheck,
    reach: &'a ConnectionArgs,
    trust: TrustedRoots,
}

impl<'a> Server<'a> {
    fn of(check: &'a ProductionCheck, reach: &'a ConnectionArgs) -> Result<Self, Failure> {
        let trust = reach.trust(&target(check, reach, "/health")?)?;
        Ok(Self { check, reach, trust })
    }

    async fn get(&self, path: &str) -> Result<Answer, Failure> {
        Ok(self.ask(&target(self.check, self.reach, path)?).await)
    }

    fn embedding(&self, reach: &ConnectionArgs) -> Result<Target, Failure> {
        let request =
            RequestPlan { texts: vec![TEXT.to_owned()], model: self.check.model.clone(), ..request(self.check, EMBED) };
        // One text is one target.
        Ok(reach.posts(&request)?.remove(0))
    }

    async fn ask(&self, target: &Target) -> Answer {
        let answer = once(target, TIMEOUT, &self.trust).await.map_err(|bad| bad.to_string())?;
        match answer.status {
            401 | 403 => Err(format!("the server requires an API key (status {}): add --key-file FILE", answer.status)),
            _ => Ok(answer),
        }
    }
}

fn request(check: &ProductionCheck, path: &str) -> RequestPlan {
    RequestPlan { host: check.host.clone(), path: path.to_owned(), texts: Vec::new(), model: None }
}

fn target(check: &ProductionCheck, reach: &ConnectionArgs, path: &str) -> Result<Target, Failure> {
    // Without texts there is one target.
    Ok(reach.gets(&request(check, path))?.remove(0))
}

fn found(measure: &str, finding: MeasuredFinding) -> Found {
    Found { measure: measure.to_owned(), of: None, finding }
}

fn json(answer: &Exchange) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn point(name: &str) -> Wanted {
    Wanted::new(name, Unit::Count, Compare::AtLeast, 1.0)
}

/// A server that does not answer is not healthy; of the other checks nothing is known then.
fn healthy(answer: &Answer) -> MeasuredFinding {
    let name = "GET /health is healthy";
    match answer {
        Err(why) => measurements::point(name, false).with_note(why.as_str()),
        Ok(answer) => {
            let status = json(answer)["status"].as_str().map(str::to_owned);
            let said = status.as_deref().unwrap_or("no word");
            let note = format!("it says {:?} with status {}", said.chars().take(60).collect::<String>(), answer.status);
            measurements::point(name, said == "healthy" && answer.status == 200).with_note(note)
        }
    }
}

/// The vector of one text has the numbers that are wanted, each of them finite.
fn embedded(answer: &Answer, wanted: Option<usize>, model: Option<&Value>) -> MeasuredFinding {
    let listed = model.and_then(|model| model["dimension"].as_u64()).and_then(|count| usize::try_from(count).ok());
    let name = "POST /api/v1/embed gives a vector";
    let Some(wanted) = wanted.or(listed) else {
        return verdict::unmeasured(&point(name), "neither the check nor GET /models gives the dimension of a vector");
    };
    let name = format!("{name} of {wanted} numbers");
    match answer {
        Err(why) => verdict::unmeasured(&point(&name), why.as_str()),
        Ok(answer) => match vector::numbers(&answer.body) {
            Some(count) => measurements::point(name, count == wanted).with_note(format!("it has {count} numbers")),
            None => measurements::point(name, false).with_note(format!("no vector, but status {}", answer.status)),
        },
    }
}

fn listing(answer: &Answer) -> MeasuredFinding {
    let wish = point("models that GET /models lists");
    match answer {
        Err(why) => verdict::unmeasured(&wish, why.as_str()),
        Ok(answer) => match json(answer)["models"].as_array() {
            Some(models) => verdict::known(&wish, models.len() as f64),
            None => verdict::known(&wish, 0.0).with_note(format!("no list, but status {}", answer.status)),
        },
    }
}

/// The model of a name, or the default one, in the list of a server.
fn listed(list: &Value, name: Option<&str>) -> Option<Value> {
    let models = list["models"].as_array()?;
    let fits = |model: &&Value| match name {
        Some(name) => {
            model["name"] == name || model["aliases"].as_array().is_some_and(|all| all.contains(&name.into()))
        }
        None => model["default"] == true,
    };
    models.iter().find(fits).or(models.first().filter(|_| name.is_none())).cloned()
}

fn counted(answer: &Answer) -> MeasuredFinding {
    let name = format!("GET /metrics has {REQUESTS}");
    match answer {
        Err(why) => verdict::unmeasured(&point(&name), why.as_str()),
        Ok(answer) => measurements::point(name, metric(&answer.body, REQUESTS).is_some()),
    }
}

/// The model runs on a GPU. That one is there is not enough: ONNX Runtime falls back to the CPU where its provider cannot be loaded.
fn on_gpu(models: &Answer, model: Option<&Value>) -> MeasuredFinding {
    let name = "the model runs on a GPU";
    if let Err(why) = models {
        return verdict::unmeasured(&point(name), why.as_str());
    }
    let provider = model.and_then(|model| model["execution_provider"].as_str());
    match provider {
        None => verdict::unmeasured(&point(name), "GET /models names no execution_provider: the model is not loaded"),
        Some(provider) => {
            let word = provider.split(' ').next().unwrap_or_default();
            let note = format!("execution_provider is {:?}", provider.chars().take(60).collect::<String>());
            measurements::point(name, ON_GPU.contains(&word)).with_note(note)
        }
    }
}

/// TensorRT found its engines in the cache. The first start has to build them, so that none was found never fails, as in week 5.
fn cached(metrics: &Answer) -> MeasuredFinding {
    let wish = point("TensorRT engines found in the cache");
    let body = match metrics {
        Err(why) => return verdict::unmeasured(&wish, why.as_str()),
        Ok(answer) => &answer.body,
    };
    match (metric(body, CACHED), metric(body, BUILT)) {
        (Some(hits), _) if hits > 0.0 => verdict::known(&wish, hits),
        (_, Some(built)) if built > 0.0 => {
            verdict::unmeasured(&wish, format!("{built} built at this start, as on the first one; restart the server"))
        }
        _ => verdict::unmeasured(&wish, "the server does not run TensorRT with a cache (serve --engine-cache FOLDER)"),
    }
}

/// The sum of a metric over its labels, in the text format of Prometheus; none when there is no such line.
fn metric(body: &[u8], name: &str) -> Option<f64> {
    let text = String::from_utf8_lossy(body);
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = match rest.strip_prefix('{') {
            // A label may hold a brace, the value behind the last one does not.
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    let values: Vec<f64> = text.lines().filter_map(value).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

#[cfg(test)]
#[path = "production_tests.rs"]
mod tests;
