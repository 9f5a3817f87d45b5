//! Text that others wrote, damaged, and read as the tool reads it: plans, inventories, journals, and what devices print. Runs in a
//! child process: see `child`.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Component, Path};

use akidb_edge::change::{DiffScope, diff};
use akidb_edge::check;
use akidb_edge::commands::SavedPlan;
use akidb_edge::delivery::desired_version::PointerTarget;
use akidb_edge::delivery::source::SourceEntry;
use akidb_edge::desired::build;
use akidb_edge::ledger::JournalCopy;
use akidb_edge::models::hub::RepoListing;
use akidb_edge::models::name::Repo;
use akidb_edge::plan::{self, PlanSettings, parse};
use akidb_edge::provider::device::{ClusterCredentials, DeviceFacts, DeviceLoad, printed_power_mode};
use akidb_edge::resource::{Observed, StackState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::dice::Dice;
use super::files::{Ended, ended};
use super::json;

/// Values that a plan, an inventory or a device may put where another one is.
const SCALARS: [&str; 40] = [
    "~",
    "true",
    "-1",
    "0x7fffffffffffffff",
    "1e400",
    ".nan",
    "18446744073709551616",
    "\"\"",
    "\"\\r\\e[2K\"",
    "\"\\u202e\"",
    "*anchor",
    "&anchor [*anchor, *anchor]",
    "!!binary AAAA",
    "!!python/object:os.system x",
    "{}",
    "[]",
    "[[[[[[[[[[[[]]]]]]]]]]]]",
    "{a: {a: {a: {a: 1}}}}",
    "|",
    ">-",
    "${var.region}",
    "${var.${var.region}}",
    "${var.",
    "${step.cdn.id}",
    "../../etc/passwd",
    "/",
    "-oProxyCommand=x",
    "a:b:c",
    "::1",
    "2001:db8::1",
    "127.0.0.1",
    "*.example.com",
    "example.com.",
    "xn--e1afmkfd.example",
    "a..b",
    "SHA256:abc",
    "P1D",
    "99999999999d",
    "arn:aws:iam::123456789012:role/x",
    "\u{feff}x",
];

/// What `tegrastats` prints on boards and releases.
const TEGRASTATS: [&str; 3] = [
    "RAM 2448/7620MB (lfb 4x1MB) SWAP 0/3810MB (cached 0MB) CPU [13%@305,0%@305,off,off] EMC_FREQ 0%@665 GR3D_FREQ 5%@[305,0] \
     cpu@45.312C soc2@44.031C gpu@-256C tj@45.312C VDD_IN 4018mW/4018mW VDD_CPU_GPU_CV 477mW/477mW",
    "RAM 1000/3956MB (lfb 1x4MB) IRAM 0/252kB(lfb 252kB) CPU [0%@102,off,off,0%@102] GR3D 0%@76 PLL@35C CPU@37.5C VDD_IN 1532/1532",
    "12-30-2025 10:00:00 RAM 1/2MB VIN_SYS_5V0 4200mW/4200mW",
];

/// What the script of facts prints.
const FACTS: &str = "hostname=edge-1\narchitecture=aarch64\nkernel=5.15.148-tegra\nos=Ubuntu 22.04\nmodel=NVIDIA Jetson Orin Nano\n\
    l4t_line=# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\nmemory_kib=7802880\nmemory_free_kib=5000000\n\
    swap_kib=0\ndisk_kib=60000000\ndisk_free_kib=30000000\nnvme=1\nmodule_overlay=1\niptables=iptables v1.8.7 (nf_tables)\n\
    rules_legacy=0\nrules_nft=12\nnvpmodel=NV Power Mode: 15W\npower_modes=15W 25W MAXN\nthermal_cpu=45312\nk3s=v1.36.1+k3s1\n\
    k3s_nvidia=1\nunit_k3s=active\nclock=1790000000\n";

/// What `nvpmodel -q` prints.
const NVPMODEL: &str = "NVPM WARN: fan mode is not set!\nNV Power Mode: MAXN_SUPER\n2\n";

/// As k3s writes it, with keys that are none.
const KUBECONFIG: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: \
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n    server: https://127.0.0.1:6443\n  \
    name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: \
    default\nkind: Config\npreferences: {}\nusers:\n- name: default\n  user:\n    client-certificate-data: \
    LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n    client-key-data: \
    LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCkFBQUEKLS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo=\n";

/// What a hub answers for a revision.
const LISTING: &str = r#"{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":612,
    "blobId":"0123456789abcdef0123456789abcdef01234567"},{"rfilename":"onnx/model.onnx","size":90,"lfs":{"size":90,
    "sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}]}"#;

/// `current.json` of model sync.
const POINTER: &str = r#"{"version":"one","root":"one","files":[{"path":"model.onnx","size":20,
    "sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},{"path":"1_Pooling/config.json","size":5,
    "sha256":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]}"#;

/// Objects of a cluster, of kinds whose fields are known.
const OBJECTS: &str = r#"version: 1
stack: web
metadata: {name: web, title: t}
days:
- day: 1
  title: d
  steps:
  - id: web
    title: t
    kind: kubernetes
    with:
      name: web
      cluster: {kubeconfig: {context: west}}
      namespace: web
      force_conflicts: [Deployment/web]
      objects:
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, labels: {app: web}, annotations: {note: "x"}}
        spec:
          replicas: 2
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              containers:
              - name: web
                image: example/web:1
                ports: [{containerPort: 80, name: http}]
                env: [{name: A, value: "1"}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: k}}}]
                resources: {limits: {memory: 64Mi, cpu: 100m}}
              tolerations: [{key: gpu, operator: Exists, tolerationSeconds: 60}]
      - apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, {name: b, port: 81, targetPort: 8080}]}
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: page}
        data: {index.html: "<p>"}
        binaryData: {b: AAAA}
"#;

/// What all cases of a process share.
pub struct Parsers {
    plans: Vec<String>,
    short: Vec<String>,
    journals: Vec<String>,
    inventory: TempDir,
    /// Saved plans, made when the first is asked for.
    saved: OnceCell<Vec<Value>>,
}

fn texts(folders: &[&str], ending: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder of the repository").flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

impl Parsers {
    pub fn new() -> Self {
        let states = ["v1", "v2", "v3", "v4", "v5"].map(|version| format!("tests/fixtures/state/{version}"));
        let states: Vec<&str> = states.iter().map(String::as_str).collect();
        Self {
            plans: texts(&["plans", "tests/fixtures/plans"], "yaml"),
            short: texts(&["plans/examples"], "yaml").into_iter().chain([OBJECTS.to_owned()]).collect(),
            journals: texts(&states, "jsonl"),
            inventory: tempfile::tempdir().expect("a place for inventories"),
            saved: OnceCell::new(),
        }
    }

    /// A damaged plan: read, made a graph, and checked.
    pub fn plan(&self, dice: &mut Dice) -> Ended {
        // The long plan takes long, and most of it is not damaged: it is read once in eight cases.
        let plans = if dice.once_in(8) { &self.plans } else { &self.short };
        let text = damaged_yaml(dice.one::<String>(plans), dice);
        ended(|| read_plan(&text).map(drop))
    }

    /// A damaged file of devices beside a plan that names none.
    pub fn inventory(&self, dice: &mut Dice) -> Ended {
        const DEVICES: &str = "one:\n  address: 192.0.2.1\n  user: edge\n  port: 22\n  jump: [bastion@192.0.2.9]\n  host_key: \
            SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDL08hJnxJ4bQ5iM9k\n  labels: {region: asia}\ntwo:\n  address: edge-2.example\n";
        const PLAN: &str = "version: 1\nstack: fleet\nmetadata: {name: fleet, title: t}\ndays:\n- day: 1\n  title: d\n  steps:\n  - \
            {id: fleet, kind: jetson, title: t, with: {user: edge, hosts: {three: {address: 192.0.2.3, role: server}}}}\n";
        let file = self.inventory.path().join("inventory.yaml");
        std::fs::write(&file, damaged_yaml(DEVICES, dice)).expect("it can be written");
        ended(|| {
            let text = |why: plan::PlanErrors| why.to_string();
            let mut plan = parse("plan.yaml", PLAN, &PlanSettings::default()).map_err(text)?;
            plan.bring_devices(Some(&file.display().to_string()), None).map(drop).map_err(text)
        })
    }

    /// A damaged journal: read and folded. Mostly its checksums are made to fit the damage, so that what is behind them is reached.
    pub fn journal(&self, dice: &mut Dice) -> Ended {
        let fits = !dice.once_in(6);
        let mut lines: Vec<String> = dice.one(&self.journals).lines().map(str::to_owned).collect();
        let sealed = fits && lines.iter().all(|line| line.contains(SUM));
        if sealed {
            lines.iter_mut().for_each(|line| *line = without_sum(line));
        }
        for _ in 0..=dice.below(2) {
            let (at, to) = (dice.below(lines.len()), dice.below(lines.len()));
            match dice.below(6) {
                0 => drop(lines.remove(at)),
                1 => lines.swap(at, to),
                2 => lines.insert(at, lines[to].clone()),
                _ => lines[at] = damaged_json(&lines[at], dice),
            }
            if lines.is_empty() {
                break;
            }
        }
        if sealed {
            lines = with_sums(&lines);
        }
        let mut bytes = (lines.join("\n") + "\n").into_bytes();
        if dice.once_in(6) {
            dice.damage(&mut bytes);
        }
        ended(|| JournalCopy::read("journal.jsonl", "edge", &bytes).map(drop).map_err(|why| why.to_string()))
    }

    /// What a device that lies prints for its facts, its load and its power mode.
    pub fn device(&self, dice: &mut Dice) -> Ended {
        let lines = |text: &str, dice: &mut Dice| {
            let mut bytes = text.as_bytes().to_vec();
            dice.damage(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let facts = lines(FACTS, dice);
        let sample = *dice.one(&TEGRASTATS);
        let load = lines(sample, dice);
        let mode = lines(NVPMODEL, dice);
        ended(|| {
            let facts = DeviceFacts::read(&facts);
            let _ = (facts.jetpack(), format!("{facts:?}"));
            let _ = printed_power_mode(&mode).map(str::len);
            DeviceLoad::read(&load).map(|load| drop((load.hottest(), load))).ok_or_else(|| "no line of it".to_owned())
        })
    }
}

impl Parsers {
    /// A kubeconfig of a device that lies, taken and merged into the operator's own.
    pub fn kubeconfig(&self, dice: &mut Dice) -> Ended {
        let text = damaged_yaml(KUBECONFIG, dice);
        ended(|| ClusterCredentials::read(&text, plan::yaml).map(drop))
    }

    /// A damaged saved plan. Its code is looked at beside its journal, and only what fits it is carried out.
    pub fn saved(&self, dice: &mut Dice) -> Ended {
        let all = self.saved.get_or_init(|| self.short.iter().filter_map(|text| saved_plan(text)).collect());
        let mut whole = dice.one(all).clone();
        for _ in 0..=dice.below(2) {
            // Most of it is the graph and the difference.
            let key = *dice.one(&["desired", "changes", "changes", ""]);
            let place = if key.is_empty() { &mut whole } else { &mut whole[key] };
            json::mutate(place, &[], dice);
            // The whole may be another document now.
            if !whole.is_object() {
                break;
            }
        }
        let bytes = json::text(&whole, dice);
        ended(|| SavedPlan::parse("saved.plan.json", &bytes).map(drop).map_err(|why| why.to_string()))
    }

    /// What a hub says is in a repository.
    pub fn listing(&self, dice: &mut Dice) -> Ended {
        let text = damaged_json(LISTING, dice);
        let repo = Repo { owner: "owner".to_owned(), name: "name".to_owned() };
        ended(|| {
            let listing = RepoListing::read(text.as_bytes(), &repo, "main").map_err(|why| why.to_string())?;
            let remotes = listing.paths().into_iter().map(|path| listing.remote(path).map(drop));
            remotes.collect::<Result<(), _>>().map_err(|why| why.to_string())
        })
    }

    /// What a bucket of models says is the newest version.
    pub fn pointer(&self, dice: &mut Dice) -> Ended {
        let text = damaged_json(POINTER, dice);
        let listed = [("tiny/one/model.onnx", 20), ("tiny/one/1_Pooling/config.json", 5), ("tiny/model.onnx", 20)];
        let listed = listed.map(|(path, size)| SourceEntry { path: path.to_owned(), size, etag: "e".to_owned() });
        ended(|| {
            let pointer = SourceEntry { path: "tiny/current.json".to_owned(), size: 1, etag: "e".to_owned() };
            let pointed =
                PointerTarget::read("tiny", &pointer, text.as_bytes(), &listed).map_err(|why| why.to_string())?;
            let PointerTarget::Files(wanted) = pointed else { return Ok(()) };
            let leads_out = wanted.files.iter().any(|file| {
                !Path::new(file.place.as_str()).components().all(|part| matches!(part, Component::Normal(_)))
            });
            assert!(!leads_out && !wanted.id.contains('/'), "{wanted:?}");
            Ok(())
        })
    }
}

/// How the checksum begins that ends a line of a journal.
const SUM: &str = ",\"sum\":\"";

fn without_sum(line: &str) -> String {
    line.rsplit_once(SUM).map_or_else(|| line.to_owned(), |(open, _)| format!("{open}}}"))
}

/// The lines with checksums that fit, as docs/journal.md says.
fn with_sums(lines: &[String]) -> Vec<String> {
    let mut chain = [0_u8; 32];
    let seal = |line: &String| {
        chain = Sha256::new().chain_update(chain).chain_update(line.as_bytes()).finalize().into();
        format!("{}{SUM}{}\"}}", line.strip_suffix('}').unwrap_or(line), hex::encode(&chain[..8]))
    };
    lines.iter().map(seal).collect()
}

/// The document of a saved plan that would make everything of a plan; none when the plan needs files.
fn saved_plan(text: &str) -> Option<Value> {
    let plan = parse("plan.yaml", text, &PlanSettings::default()).ok()?;
    let built = build(&plan, &BTreeSet::new()).ok()?;
    let nothing = (StackState::empty(&plan.stack), Observed::default());
    let changes = diff(&built.desired, &nothing.0, &nothing.1, &DiffScope::default()).ok()?;
    Some(json!({
        "schema": "akidb-edge/plan/v2", "tool": "0.1.0", "plan": "plan.yaml", "stack": plan.stack, "account": "123456789012",
        "endpoint": "AWS", "command": "deploy", "requested": ["cutover"], "fallback": null, "sequence": 7, "code": "00",
        "only": null, "adopt": [], "state": "file:/state", "empty_buckets": false, "desired": built.desired, "later": built.later,
        "waiting": built.waiting, "files": [["00", "/model.onnx", 17]], "made": ["QUJD"], "changes": changes,
    }))
}

fn read_plan(text: &str) -> Result<(), String> {
    let words = |why: plan::PlanErrors| why.to_string();
    let plan = parse("plan.yaml", text, &PlanSettings::default()).map_err(words)?;
    if let Some(name) = plan.fallbacks.keys().next() {
        let _ = plan.with_fallback(name).map(|changed| build(&changed, &BTreeSet::new()).map(drop));
    }
    let built = build(&plan, &BTreeSet::new()).map_err(words)?;
    let _ = check::all(&built.desired, jiff::civil::date(2026, 11, 30));
    Ok(())
}

/// Other values, lines that are gone, doubled or moved, other indents; sometimes other bytes.
fn damaged_yaml(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(2) {
        let (at, to) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(10) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at].clone()),
            2 => lines[at].insert_str(0, &" ".repeat(1 + dice.below(3))),
            3 => lines[at] = lines[at].trim_start().to_owned(),
            4 => lines[at].push_str(dice.one::<&str>(&SCALARS)),
            _ => {
                let key = lines[at].split_once(": ").map_or_else(|| lines[at].clone(), |(key, _)| format!("{key}:"));
                lines[at] = format!("{key} {}", dice.one(&SCALARS));
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    let mut bytes = (lines.join("\n") + "\n").into_bytes();
    if dice.once_in(8) {
        dice.damage(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn damaged_json(line: &str, dice: &mut Dice) -> String {
    let Ok(mut whole) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    json::mutate(&mut whole, &[], dice);
    String::from_utf8_lossy(&json::text(&whole, dice)).into_owned()
}
