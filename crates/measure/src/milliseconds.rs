//! A duration in JSON: milliseconds, with a fraction.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// The longest duration that is read: ten years, so that sums of some stay a duration.
const MOST: f64 = 315_360_000_000.0;

/// The milliseconds of a duration.
pub(crate) fn of(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// The duration of so many milliseconds; `None` for what is none.
pub(crate) fn duration(milliseconds: f64) -> Option<Duration> {
    let fine = milliseconds.is_finite() && (0.0..=MOST).contains(&milliseconds);
    fine.then(|| Duration::from_nanos((milliseconds * 1e6).round() as u64))
}

pub(crate) fn serialize<S: Serializer>(of: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(self::of(*of))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let milliseconds = f64::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("{milliseconds} is not a duration in milliseconds"));
    duration(milliseconds).ok_or_else(wrong)
}
