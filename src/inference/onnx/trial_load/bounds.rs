//! What a process may take that loads a model on trial.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};

/// Memory besides weights: the program, the runtime, and what texts of full length need.
const BASE: u64 = 2 << 30;
/// Copies of the weights that a load holds at most: the file, what the optimizers make of it, what is packed.
const COPIES: u64 = 4;

/// Bounds this process's memory; it ends with the one that started it, and first when memory is short.
pub fn apply(weights: u64) -> io::Result<()> {
    let most = most(weights, available());
    let to = |resource, bytes| setrlimit(resource, Rlimit { current: Some(bytes), maximum: Some(bytes) });
    to(Resource::Data, most)?;
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A process that leaves no core dumps may not write its own; this one holds nothing but a model.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
        fs::write("/proc/self/oom_score_adj", "1000")?;
    }
    Ok(())
}

/// Bytes that it may allocate.
fn most(weights: u64, available: Option<u64>) -> u64 {
    let wanted = BASE.saturating_add(weights.saturating_mul(COPIES));
    // The rest is for those who run beside it.
    available.map_or(wanted, |there| wanted.min(there / 10 * 8))
}

/// Bytes that can still be had: of the machine, and of the control group that this process is in.
fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_machine(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| of_group(&text));
    machine.into_iter().chain(group).min()
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Of the unified hierarchy.
fn of_group(cgroup: &str) -> Option<u64> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = Path::new("/sys/fs/cgroup").join(path);
    let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::{most, of_machine};

    #[test]
    fn weights_decide_and_the_machine_bounds() {
        const GIB: u64 = 1 << 30;
        assert_eq!(most(0, None), 2 * GIB);
        assert_eq!(most(GIB, Some(100 * GIB)), 6 * GIB);
        assert_eq!(most(u64::MAX, Some(10 * GIB)), 10 * GIB / 10 * 8);
        assert_eq!(of_machine("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2048 * 1024));
        assert_eq!(of_machine("MemTotal: 9 kB\n"), None);
    }
}
