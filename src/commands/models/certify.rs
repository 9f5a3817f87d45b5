//! `models certify`: runs the same texts through every tier and signs a certificate of how similar the results are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::commands::certified::seconds_since_1970;
use crate::commands::edge::{NodeProcess, ProcessFault};
use crate::commands::{Context, read_bounded, write_private};
use crate::edge::certificate::{Certificate, INT8, REFERENCE, SkippedTier, Tier};
use crate::edge::parity::Answers;
use crate::edge::signature::{SignatureFault, Signer};
use crate::edge::suite::suite;
use crate::edge::unpack::unpack;
use crate::exit::{self, Failure, codes};
use crate::models::ModelStore;
use crate::report;
use crate::resource::shown;

/// The programs that ask a tier.
const PROGRAMS: &[(&str, &str)] = &[
    ("answers.mjs", include_str!("../../../templates/certify/answers.mjs")),
    ("package.mjs", include_str!("../../../templates/certify/package.mjs")),
    ("server.mjs", include_str!("../../../templates/certify/server.mjs")),
    ("worker.mjs", include_str!("../../../templates/certify/worker.mjs")),
];
/// A tier that takes longer is left out.
const TIME: Duration = Duration::from_secs(1800);
/// Tiers that this program knows.
const KNOWN: &[&str] = &[REFERENCE, INT8, "gpu", "edge", "static", "workers", "browser"];

/// What is certified.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tiers, the ones to compare with first
    #[arg(long, value_name = "TIER", value_delimiter = ',', default_value = "server-fp32,server-int8,edge,static")]
    tiers: Vec<String>,
    /// The model, in the store
    #[arg(long, value_name = "NAME", default_value = "all-MiniLM-L6-v2")]
    model: String,
    /// The package of the function at the edge
    #[arg(long, value_name = "FILE", default_value = "dist/akidb-edge-inference.zip")]
    package: PathBuf,
    /// The worker and Cloudflare's runtime, as templates/workers/install makes them
    #[arg(long, value_name = "FOLDER", default_value = "templates/workers")]
    worker: PathBuf,
    /// Responses of a tier that another program collected (the page in a browser): TIER=FILE.json
    #[arg(long, value_name = "TIER=FILE")]
    responses: Vec<String>,
    /// ONNX Runtime's library for the server's tiers
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH", hide_env_values = true)]
    onnxruntime: Option<PathBuf>,
    /// The private key that signs (PKCS#8); it is made when it is not there
    #[arg(long, value_name = "FILE", default_value = ".akidb-edge/certify.key")]
    key: PathBuf,
    /// The certificate
    #[arg(long, value_name = "FILE", default_value = "dist/parity.json")]
    out: PathBuf,
}

/// Asks every tier, compares, signs.
pub fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    if let Some(unknown) = args.tiers.iter().find(|tier| !KNOWN.contains(&tier.as_str())) {
        return Err(
            codes::ARGUMENT.refused(shown!("unknown tier {:?}", unknown), shown!("tiers are {}", KNOWN.join(", ")))
        );
    }
    let signer = signer(&args.key, context)?;
    let package = tempfile::tempdir().map_err(|why| unwritten(&args.package, &why))?;
    let unpacked = unpack(&args.package, package.path()).map_err(|bad| bad.to_string());
    let (mut answers, mut skipped) = (Vec::new(), Vec::new());
    for tier in &args.tiers {
        context.printer.talk(shown!("asking {} for {} vectors …", tier, suite().all().len()));
        match asked(args, store, tier, package.path(), &unpacked) {
            Ok(found) => answers.push(found),
            Err(reason) => {
                context.printer.remark(shown!("{} is left out: {}", tier, reason));
                skipped.push(SkippedTier { tier: tier.clone(), reason });
            }
        }
    }
    let certificate = Certificate::of(suite(), &answers, skipped, seconds_since_1970());
    need_comparison(&certificate)?;
    write(args, &certificate, &signer)?;
    tell(args, &certificate, &signer, context);
    let holds = certificate.skipped.is_empty() && certificate.tiers.iter().all(Tier::holds);
    Ok(if holds { exit::DONE } else { exit::ERROR })
}

/// A certificate states how alike tiers are. Where no tier was compared with another one it would state nothing: none is written, and one
/// of an earlier run stays as it is.
fn need_comparison(certificate: &Certificate) -> Result<(), Failure> {
    if certificate.tiers.iter().any(|tier| tier.measured.is_some()) {
        return Ok(());
    }
    let skipped = certificate.skipped.iter().map(|one| format!("{} is left out: {}", one.tier, one.reason));
    let alone = certificate.tiers.iter().map(|tier| {
        let why = tier.misses.first().map_or("nothing was compared with it", String::as_str);
        format!("{}: {why}", tier.tier)
    });
    let why: Vec<String> = skipped.chain(alone).collect();
    Err(codes::PARITY.error(
        shown!("no tier was compared with another one, so no certificate is written: {}", why.join("; ")),
        shown!(
            "make {} or {} answer, and a tier to compare with it; akidb-edge models certify --help",
            REFERENCE,
            INT8
        ),
    ))
}

fn signer(key: &Path, context: &Context) -> Result<Signer, Failure> {
    let bad =
        |why: SignatureFault| codes::PARITY.error(shown!("{}: {}", key.display(), why), "name a PKCS#8 key by --key");
    if !key.exists() {
        if let Some(folder) = key.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|why| unwritten(key, &why))?;
        }
        write_private(key, &Signer::generate().map_err(bad)?).map_err(|why| unwritten(key, &why))?;
        context.printer.talk(shown!("made the key {}: keep it, and name its public part in plans", key.display()));
    }
    let bytes = read_bounded(key).map_err(|why| unwritten(key, &why))?;
    Signer::read(&bytes).map_err(bad)
}

/// The answers of a tier, or why there are none.
fn asked(
    args: &Args,
    store: &ModelStore,
    tier: &str,
    package: &Path,
    unpacked: &Result<(), String>,
) -> Result<Answers, String> {
    let given = args.responses.iter().find_map(|one| one.strip_prefix(tier)?.strip_prefix('='));
    if let Some(file) = given {
        let bytes = read_bounded(Path::new(file)).map_err(|why| format!("{file}: {why}"))?;
        return serde_json::from_slice(&bytes).map_err(|why| why.to_string()).and_then(|found| read(&found));
    }
    let of_package = matches!(tier, "edge" | "static" | "workers");
    if let (true, Err(why)) = (of_package, unpacked) {
        return Err(format!("{}: {why}", args.package.display()));
    }
    if tier == "browser" {
        return Err("a browser is asked by another program; give its responses by --responses browser=FILE".to_owned());
    }
    let arguments = arguments(args, store, tier, package).map_err(|why| why.to_string())?;
    let process = NodeProcess { files: PROGRAMS, arguments: &arguments, modules: None, time: TIME };
    let found = process.run(&json!(suite().all())).map_err(|fault: ProcessFault| fault.to_string())?;
    read(&found)
}

fn arguments(args: &Args, store: &ModelStore, tier: &str, package: &Path) -> std::io::Result<Vec<String>> {
    let mut pairs = vec![("--tier", tier.to_owned())];
    match tier {
        "edge" | "static" => pairs.push(("--package", package.display().to_string())),
        "workers" => {
            pairs.push(("--package", package.display().to_string()));
            pairs.push(("--worker", args.worker.canonicalize()?.display().to_string()));
        }
        _ => {
            pairs.push(("--program", std::env::current_exe()?.display().to_string()));
            pairs.push(("--models", store.root().canonicalize()?.display().to_string()));
            pairs.push(("--model", args.model.clone()));
            pairs.extend(args.onnxruntime.iter().map(|file| ("--onnxruntime", file.display().to_string())));
        }
    }
    Ok(pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect())
}

/// Answers as the programs write them: ids as lists, vectors as 32-bit floats in base64.
fn read(found: &Value) -> Result<Answers, String> {
    let list = |name: &str| found[name].as_array().ok_or_else(|| format!("the answer has no {name}"));
    let ids = list("ids")?.iter().map(|one| serde_json::from_value(one.clone())).collect::<Result<Vec<Vec<u32>>, _>>();
    let vectors =
        list("vectors")?.iter().map(|one| floats(one.as_str().unwrap_or_default())).collect::<Option<Vec<_>>>();
    Ok(Answers {
        tier: found["tier"].as_str().unwrap_or_default().to_owned(),
        identity: serde_json::from_value(found.clone()).map_err(|why| why.to_string())?,
        ids: ids.map_err(|why| why.to_string())?,
        vectors: vectors.ok_or("a vector is not base64 of 32-bit floats")?,
    })
}

fn floats(text: &str) -> Option<Vec<f32>> {
    let bytes = STANDARD.decode(text).ok()?;
    let whole = bytes.len() % 4 == 0 && !bytes.is_empty();
    whole.then(|| bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}

fn write(args: &Args, certificate: &Certificate, signer: &Signer) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(&signer.sign(certificate)).unwrap_or_default();
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|why| unwritten(&args.out, &why))?;
    }
    write_private(&args.out, &text).map_err(|why| unwritten(&args.out, &why))
}

fn tell(args: &Args, certificate: &Certificate, signer: &Signer, context: &Context) {
    if context.printer.json {
        let body = json!({"file": args.out.display().to_string(), "key": signer.public(), "certificate": certificate});
        return context.printer.json("models-certify", &body);
    }
    let header = ["tier", "compared with", "ids", "cosine mean", "worst", "ten nearest", "recall@10", "holds"];
    let rows: Vec<Vec<String>> = certificate.tiers.iter().map(row).collect();
    context.printer.data(report::rows_table(&header, &rows, &[], context.screen()));
    for tier in &certificate.tiers {
        for missed in &tier.misses {
            context.printer.remark(shown!("{}: {}", tier.tier, missed));
        }
    }
    context.printer.data(shown!("{}: {} texts, key {}", args.out.display(), certificate.texts, signer.public()));
}

fn row(tier: &Tier) -> Vec<String> {
    let holds = if tier.holds() { "yes" } else { "no" }.to_owned();
    let name = tier.tier.clone();
    let Some(found) = &tier.measured else {
        let dash = || "-".to_owned();
        return vec![name, dash(), dash(), dash(), dash(), dash(), dash(), holds];
    };
    let ids = if found.ids_differ == 0 { "same".to_owned() } else { format!("{} differ", found.ids_differ) };
    vec![
        name,
        tier.compared_with.clone().unwrap_or_default(),
        ids,
        format!("{:.6}", found.cosine_mean),
        format!("{:.5}", found.cosine_worst),
        format!("{:.1} %", 100.0 * found.top10_overlap),
        format!("{:.3} of {:.3}", found.recall10, found.recall10_of_reference),
        holds,
    ]
}

fn unwritten(file: &Path, why: &std::io::Error) -> Failure {
    codes::PARITY.error(shown!("{}: {}", file.display(), why.to_string()), "name a place that can be read and written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_wrong_ones_refused() {
        let vector = STANDARD.encode([0.5_f32.to_le_bytes(), (-1.0_f32).to_le_bytes()].concat());
        let good = json!({"tier": "edge", "model": "m", "version": "v", "files": {"graph": "g"}, "runs_on": "node 24",
                          "ids": [[101, 102]], "vectors": [vector]});
        let found = read(&good).expect("answers");
        assert_eq!((found.tier.as_str(), found.identity.files["graph"].as_str()), ("edge", "g"));
        assert_eq!((found.ids, found.vectors), (vec![vec![101, 102]], vec![vec![0.5, -1.0]]));
        for (name, value) in
            [("vectors", json!(["AAA="])), ("vectors", json!([3])), ("ids", json!([["a"]])), ("model", json!(1))]
        {
            let mut bad = good.clone();
            bad[name] = value;
            assert!(read(&bad).is_err(), "{name}");
        }
    }
}
