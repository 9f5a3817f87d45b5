//! Metrics of the process, from Linux. On other systems they are not exported.

use std::fs;

/// The kernel counts in these for programs, whatever its own clock.
const TICKS_A_SECOND: f64 = 100.0;

/// What the system says of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessStats {
    /// User and system time in seconds.
    pub cpu: f64,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// Its threads.
    pub threads: u64,
    /// Its open files.
    pub files: usize,
}

impl ProcessStats {
    /// Looks.
    pub fn look() -> Option<Self> {
        let booted = fs::read_to_string("/proc/stat").ok()?;
        let booted = booted.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        let files = fs::read_dir("/proc/self/fd").ok()?.count();
        parse(&fs::read_to_string("/proc/self/stat").ok()?, booted, files)
    }
}

/// Reads `/proc/PID/stat`; the program's name in it may hold anything, even brackets.
fn parse(stat: &str, booted: f64, files: usize) -> Option<ProcessStats> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok());
    let seconds = |ticks: u64| ticks as f64 / TICKS_A_SECOND;
    Some(ProcessStats {
        cpu: seconds(field(14)? + field(15)?),
        started: booted + seconds(field(22)?),
        threads: field(20)?,
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 7 0 5000 1 2 3";
        let process = parse(stat, 1000.0, 9).unwrap();
        assert_eq!(process, ProcessStats { cpu: 4.0, started: 1050.0, threads: 7, files: 9 });
        assert_eq!(parse("42 (x) S 1 2", 0.0, 1), None);
    }

    #[test]
    fn this_process_is_alive() {
        let process = ProcessStats::look().unwrap();
        assert!(process.started > 1.6e9 && process.files > 2 && process.threads > 0, "{process:?}");
    }
}
