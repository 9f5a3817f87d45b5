//! Interval logs: the files that HdrHistogram's own tools read (`HistogramLogProcessor`, HdrHistogramVisualizer, hlog plotters).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

use crate::latencies::{BadHistogram, Latencies};
use crate::recording::Recording;

/// The largest value of each line is written in milliseconds, as the tools expect it.
const MILLISECOND: f64 = 1e6;

/// A recording that cannot be written as an interval log.
#[derive(Debug, thiserror::Error)]
pub enum HlogError {
    /// One of its histograms cannot be read.
    #[error(transparent)]
    Histogram(#[from] BadHistogram),
    /// It cannot be written.
    #[error("the interval log cannot be written: {0}")]
    Write(String),
}

/// An interval log of a recording: one line for each interval, failures included at no less than the time-out. Values are nanoseconds.
///
/// # Errors
/// An interval whose histogram cannot be decoded.
pub fn write(recording: &Recording) -> Result<String, HlogError> {
    let milliseconds = u64::try_from(recording.started_ms).unwrap_or(0);
    let started: SystemTime = UNIX_EPOCH + Duration::from_millis(milliseconds);
    let plain = |c: &char| c.is_ascii_alphanumeric() || " -_.,:/".contains(*c);
    let vantage: String = recording.vantage.chars().filter(plain).collect();
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]");
    builder.add_comment(&format!(" {}, from {vantage}; values in nanoseconds", crate::USER_AGENT));
    builder.with_start_time(started).with_base_time(started).with_max_value_divisor(MILLISECOND);
    let failed = |error: &dyn std::fmt::Display| HlogError::Write(error.to_string());
    let mut log = builder.begin_log_with(&mut bytes, &mut serializer).map_err(|error| failed(&error))?;
    let width = Duration::from_millis(recording.intervals.width_ms);
    for interval in &recording.intervals.each {
        let latencies = Latencies::decode(&interval.histogram)?;
        if let Some(histogram) = latencies.histogram() {
            let written = log.write_histogram(histogram, width * interval.index, width, None);
            written.map_err(|error| failed(&error))?;
        }
    }
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    fn recording() -> Recording {
        let mut recording = Recording { vantage: "eu-west-1\n#[StartTime: 9".to_owned(), ..Recording::default() };
        recording.started_ms = 1_700_000_000_500;
        for second in 0..5_u32 {
            let mut latencies = Latencies::default();
            (1..=1000).for_each(|n| latencies.record(Duration::from_micros(n * u64::from(second + 1) * 20)));
            recording.intervals.add(second * 2, &latencies).unwrap();
        }
        recording
    }

    #[test]
    fn a_log_has_a_line_for_each_interval_and_all_values() {
        let text = write(&recording()).unwrap();
        assert!(text.starts_with("#[Histogram log format version 1.3]\n# akidb-edge/"), "{text}");
        assert_eq!(text.matches("#[StartTime: 1700000000.500").count(), 1, "{text}");
        assert_eq!(text.matches("StartTime: 9").count(), 1, "within its own comment");
        assert!(!text.contains("\n#[StartTime: 9"), "{text}");
        let entries: Vec<LogEntry> = IntervalLogIterator::new(text.as_bytes()).map(|entry| entry.unwrap()).collect();
        let intervals = entries.iter().filter_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let mut all = Latencies::default();
        let mut starts = Vec::new();
        for interval in intervals {
            starts.push(interval.start_timestamp().as_secs());
            all.merge(&Latencies::decode(interval.encoded_histogram()).unwrap());
        }
        assert_eq!(starts, [0, 2, 4, 6, 8]);
        assert_eq!(all.len(), 5_000);
    }

    /// Gil Tene's own implementation reads the log and finds the same values: `mvn dependency:get
    /// -Dartifact=org.hdrhistogram:HdrHistogram:2.2.2`, and the path of the jar in `AKIDB_EDGE_HDRHISTOGRAM_JAR`.
    #[test]
    #[ignore = "needs Java and the jar of HdrHistogram"]
    fn the_log_is_read_by_hdrhistogram_itself() {
        let jar = std::env::var("AKIDB_EDGE_HDRHISTOGRAM_JAR").expect("the path of HdrHistogram-2.2.2.jar");
        let (folder, recording) = (tempfile::tempdir().unwrap(), recording());
        let (log, out) = (folder.path().join("run.hlog"), folder.path().join("out"));
        std::fs::write(&log, write(&recording).unwrap()).unwrap();
        let mut java = std::process::Command::new("java");
        java.args(["-cp", &jar, "org.HdrHistogram.HistogramLogProcessor", "-csv", "-outputValueUnitRatio", "1"]);
        let status = java.arg("-i").arg(&log).arg("-o").arg(&out).status().unwrap();
        assert!(status.success());
        let mut all = Latencies::default();
        for interval in &recording.intervals.each {
            all.merge(&Latencies::decode(&interval.histogram).unwrap());
        }
        let text = std::fs::read_to_string(folder.path().join("out.hgrm")).unwrap();
        let mut compared = 0;
        for line in text.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            let [Ok(value), Ok(percentile)] = [fields[0].parse::<f64>(), fields.get(1).unwrap_or(&"").parse::<f64>()]
            else {
                continue;
            };
            let count: u64 = fields[2].parse().unwrap();
            // Percentile 0 is the lowest value that its first step can have there, and the highest one here.
            if percentile == 0.0 {
                continue;
            }
            let own = all.value_at_rank(count).unwrap().as_nanos() as f64;
            assert!((own - value).abs() < 0.5, "{line}: {own} ns here");
            let by_quantile = all.value_at(percentile).unwrap().as_nanos() as f64;
            assert!((by_quantile - value).abs() < 0.5, "{line}: {by_quantile} ns here, by the quantile");
            compared += 1;
        }
        assert!(compared > 20, "{text}");
        assert_eq!(all.len(), 5_000);
    }
}
