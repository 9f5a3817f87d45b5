//! `edge invoke`: a package under AWS's own runtime interface emulator.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::event::{self, Question};
use super::process::{NodeProcess, ProcessFault};
use crate::commands::{Context, read_bounded};
use crate::edge::unpack::{UnpackFault, unpack};
use crate::exit::{self, Failure, codes};
use crate::report;
use crate::resource::shown;

/// The programs that start the emulator and, under it, the function.
const PROGRAMS: &[(&str, &str)] = &[
    ("invoke.mjs", include_str!("../../../templates/lambda/invoke/invoke.mjs")),
    ("runtime.mjs", include_str!("../../../templates/lambda/invoke/runtime.mjs")),
];
/// Beside the function's own time: to start, and to say so.
const SPARE: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The package, as `edge package` makes it
    #[arg(value_name = "FILE", default_value = "dist/akidb-edge-inference.zip")]
    file: PathBuf,
    /// A text to embed; several make one request
    #[arg(long, value_name = "TEXT", default_value = "An edge node answers within ten milliseconds.")]
    text: Vec<String>,
    /// By GET, whose answer CloudFront keeps
    #[arg(long)]
    get: bool,
    /// Which tier is asked for
    #[arg(long, value_name = "TIER", value_enum)]
    tier: Option<Tier>,
    /// A file with a CloudFront event, or a list of them, instead of texts
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["text", "get", "tier"])]
    event: Option<PathBuf>,
    /// How often; from the second time on the function is warm
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    times: u32,
    /// Memory of the function in MB, enforced by a control group
    #[arg(long, value_name = "MB", default_value_t = 1769, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    memory: u32,
    /// Time limit of the function in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=30))]
    timeout: u32,
    /// AWS's runtime interface emulator
    #[arg(long, value_name = "PROGRAM", default_value = "aws-lambda-rie")]
    emulator: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// The model
    Full,
    /// The static table
    Static,
    /// The model once it is loaded, the static table before
    Any,
}

impl Tier {
    const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Static => "static",
            Self::Any => "any",
        }
    }
}

/// Runs it.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let folder = tempfile::tempdir().map_err(|why| unusable(&args.file, &UnpackFault::Write(why)))?;
    unpack(&args.file, folder.path()).map_err(|bad| unusable(&args.file, &bad))?;
    let events = events(args)?;
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let arguments = arguments(args, folder.path());
    let time = SPARE + Duration::from_secs(u64::from(args.timeout)) * count;
    let process = NodeProcess { files: PROGRAMS, arguments: &arguments, modules: None, time };
    let found = process.run(&Value::from(events)).map_err(not_run)?;
    let failed = answers(&found).any(|answer| answer.get("failed").is_some());
    if context.printer.json {
        context.printer.json("edge-invoke", &found);
    } else {
        tell(&found, context);
    }
    Ok(if failed { exit::ERROR } else { exit::DONE })
}

fn arguments(args: &Args, folder: &Path) -> Vec<String> {
    let pairs = [
        ("--folder", folder.display().to_string()),
        ("--emulator", args.emulator.clone()),
        ("--memory", args.memory.to_string()),
        ("--timeout", args.timeout.to_string()),
    ];
    pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

fn events(args: &Args) -> Result<Vec<Value>, Failure> {
    let given = match &args.event {
        None => {
            let tier = args.tier.map(Tier::word);
            vec![event::of(&Question { texts: &args.text, tier, reads: args.get })]
        }
        Some(file) => {
            let bad = |why: String| {
                codes::ARGUMENT.refused(
                    shown!("{} contains no event: {}", file.display(), why),
                    "write one CloudFront event, or a list of them",
                )
            };
            let bytes = read_bounded(file).map_err(|why| bad(why.to_string()))?;
            match serde_json::from_slice(&bytes).map_err(|why| bad(why.to_string()))? {
                Value::Array(events) if !events.is_empty() => events,
                one @ Value::Object(_) => vec![one],
                _ => return Err(bad("it is neither an object nor a list".to_owned())),
            }
        }
    };
    Ok((0..args.times).flat_map(|_| given.clone()).collect())
}

fn answers(found: &Value) -> impl Iterator<Item = &Value> {
    found["answers"].as_array().into_iter().flatten()
}

fn tell(found: &Value, context: &Context) {
    for (number, answer) in answers(found).enumerate() {
        let report = &found["reports"][number];
        let billed = report["billed_duration_ms"].as_u64().unwrap_or_default();
        let warmth = if number == 0 { "cold" } else { "warm" };
        match answer.get("failed").and_then(Value::as_str) {
            Some(why) => context.printer.data(shown!("{}: failed: {}", warmth, why)),
            None => context.printer.data(shown!("{}: {}; billed {} ms", warmth, response(&answer["response"]), billed)),
        }
    }
    let memory = &found["memory"];
    match (memory["limit_mb"].as_u64(), memory["peak_bytes"].as_u64()) {
        (Some(limit), Some(peak)) => {
            context.printer.data(shown!("memory: {} at most, of {} MB", report::size(peak), limit));
        }
        _ => context.printer.remark("the memory was not limited: this user cannot make control groups"),
    }
}

/// A response, or the request that goes on to the origin, in a line.
fn response(response: &Value) -> String {
    let header = |name: &str| response["headers"][name][0]["value"].as_str().unwrap_or_default().to_owned();
    let Some(status) = response["status"].as_str() else { return "passed on to the origin".to_owned() };
    let body: Value = response["body"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    match body["embeddings"].as_array() {
        Some(vectors) => {
            let (count, dimension) =
                (report::counted(vectors.len(), "vector"), body["dimension"].as_u64().unwrap_or_default());
            let (tier, took) = (header("x-akidb-tier"), header("x-akidb-inference-time-ms"));
            format!("{status}, {count} of {dimension} numbers, tier {tier}, embedded in {took} ms")
        }
        None => format!("{status} {}", body["error"].as_str().or(body["status"].as_str()).unwrap_or_default()),
    }
}

fn unusable(file: &Path, bad: &UnpackFault) -> Failure {
    codes::ARGUMENT.refused(shown!("{} cannot be run: {}", file.display(), bad), "make it by akidb-edge edge package")
}

/// Where the emulator comes from stands in the next step: it is not a part of this program.
fn not_run(fault: ProcessFault) -> Failure {
    let next = match &fault {
        ProcessFault::Node(_) => "install Node.js 20 or newer",
        ProcessFault::TooLong(_) => "increase --timeout, or check what it waits for",
        ProcessFault::Failed(_) | ProcessFault::Io(_) | ProcessFault::Answer(_) => {
            "the emulator is AWS's: go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest; --emulator names another place"
        }
    };
    codes::PARITY.error(shown!("the package was not run: {}", fault), next)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_function_answers_is_said_in_a_line() {
        let vectors = json!({"embeddings": [[0.1, 0.2]], "dimension": 2}).to_string();
        let headers = json!({"x-akidb-tier": [{"value": "static"}], "x-akidb-inference-time-ms": [{"value": "0.4"}]});
        let answer = json!({"status": "200", "headers": headers, "body": vectors});
        assert_eq!(response(&answer), "200, 1 vector of 2 numbers, tier static, embedded in 0.4 ms");
        assert_eq!(response(&json!({"method": "POST", "uri": "/"})), "passed on to the origin");
        let refused = json!({"status": "400", "body": json!({"error": "tier is full, static or any"}).to_string()});
        assert_eq!(response(&refused), "400 tier is full, static or any");
    }
}
