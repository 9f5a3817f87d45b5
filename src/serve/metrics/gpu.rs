//! GPU metrics, read every few seconds where a GPU runs the models. Without an answer there are no metrics.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::process::Command;

use super::gauges::Real;
use super::names;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// A driver that hangs is not waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// One GPU at one moment.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    gpu: String,
    memory: Option<f64>,
    busy: Option<f64>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByGpu {
    gpu: String,
}

/// The last readings.
pub struct GpuReadings {
    last: ArcSwap<Vec<Reading>>,
}

impl GpuReadings {
    /// None so far.
    pub fn new() -> Self {
        Self { last: ArcSwap::default() }
    }

    /// Looks again and again.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let readings = match by_driver().await {
                readings if !readings.is_empty() => readings,
                _ => jetson(Path::new("/")).into_iter().collect(),
            };
            self.last.store(Arc::new(readings));
        }
    }

    /// Shown where there is something.
    pub fn register(&self, registry: &mut Registry) {
        let (memory, busy): (Family<ByGpu, Real>, Family<ByGpu, Real>) = Default::default();
        for reading in self.last.load().iter() {
            let by = ByGpu { gpu: reading.gpu.clone() };
            if let Some(bytes) = reading.memory {
                memory.get_or_create(&by).set(bytes);
            }
            if let Some(percent) = reading.busy {
                busy.get_or_create(&by).set(percent);
            }
        }
        // A family without a series is not written.
        names::GPU_MEMORY.register(registry, memory);
        names::GPU_UTILIZATION.register(registry, busy);
    }
}

async fn by_driver() -> Vec<Reading> {
    let mut command = Command::new("nvidia-smi");
    command.args(["--query-gpu=index,memory.used,utilization.gpu", "--format=csv,noheader,nounits"]).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(said)) if said.status.success() => parse(&String::from_utf8_lossy(&said.stdout)),
        _ => Vec::new(),
    }
}

/// Lines of `INDEX, MIB, PERCENT`; what a GPU does not tell is `[N/A]`.
fn parse(said: &str) -> Vec<Reading> {
    let line = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        let gpu = fields.next().filter(|index| index.parse::<u32>().is_ok())?.to_owned();
        let mut number = || fields.next().and_then(|text| text.parse::<f64>().ok());
        let (memory, busy) = (number().map(|mebibytes| mebibytes * 1_048_576.0), number());
        (memory.is_some() || busy.is_some()).then_some(Reading { gpu, memory, busy })
    };
    said.lines().filter_map(line).collect()
}

/// A Jetson: its load in thousandths, and what the kernel's allocator of the GPU holds. Memory is shared with the processor
/// there, so that this is the GPU's part of it.
fn jetson(root: &Path) -> Option<Reading> {
    let loads =
        ["sys/devices/gpu.0/load", "sys/devices/platform/gpu.0/load", "sys/devices/platform/bus@0/17000000.gpu/load"];
    let number = |file: &str| std::fs::read_to_string(root.join(file)).ok()?.trim().parse::<f64>().ok();
    let busy = loads.into_iter().find_map(number).map(|thousandths| thousandths / 10.0);
    let memory = std::fs::read_to_string(root.join("sys/kernel/debug/nvmap/iovmm/clients")).ok();
    let memory = memory.as_deref().and_then(nvmap_total);
    (busy.is_some() || memory.is_some()).then_some(Reading { gpu: "0".to_owned(), memory, busy })
}

/// The line `total  123456K` at the end of nvmap's list.
fn nvmap_total(clients: &str) -> Option<f64> {
    let line = clients.lines().rev().find(|line| line.trim_start().starts_with("total"))?;
    let size = line.split_whitespace().last()?;
    size.strip_suffix('K')?.parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_s_lines_are_read_and_gaps_stay_gaps() {
        let readings = parse("0, 1024, 37\n1, [N/A], 5\n2, [N/A], [N/A]\nNo devices were found\n");
        let reading = |gpu: &str, memory, busy| Reading { gpu: gpu.to_owned(), memory, busy };
        assert_eq!(readings, [reading("0", Some(1_073_741_824.0), Some(37.0)), reading("1", None, Some(5.0))]);
    }

    #[test]
    fn a_jetson_is_read_from_its_files() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(jetson(root.path()), None);
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        put("sys/devices/platform/bus@0/17000000.gpu/load", "455\n");
        put("sys/kernel/debug/nvmap/iovmm/clients", "CLIENT PROCESS PID SIZE\nuser serve 7 100K\ntotal 2048K\n");
        let reading = Reading { gpu: "0".to_owned(), memory: Some(2_097_152.0), busy: Some(45.5) };
        assert_eq!(jetson(root.path()), Some(reading));
    }

    #[test]
    fn without_a_reading_there_is_no_name() {
        let mut registry = Registry::default();
        let gpu = GpuReadings::new();
        gpu.register(&mut registry);
        let text = super::super::text::write(&[&registry], super::super::TextFormat::Plain);
        assert_eq!(text, "");
        gpu.last.store(Arc::new(parse("0, 2, 3")));
        let mut registry = Registry::default();
        gpu.register(&mut registry);
        let text = super::super::text::write(&[&registry], super::super::TextFormat::Plain);
        assert!(text.contains("akidb_gpu_memory_used_bytes{gpu=\"0\"} 2097152.0"), "{text}");
        assert!(text.contains("akidb_gpu_utilization_percent{gpu=\"0\"} 3.0"), "{text}");
    }
}
