//! Times and sizes as people write them.

use std::time::Duration;

use super::InvalidValue;

/// `500ms`, `30s`, `2m`, `1h`; a number alone is seconds. Longer than a day is an error of typing.
///
/// # Errors
/// It is something else.
pub fn time(text: &str) -> Result<Duration, InvalidValue> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * seconds).filter(|seconds| (0.0..=86_400.0).contains(seconds))
    });
    parsed
        .map(Duration::from_secs_f64)
        .ok_or_else(|| InvalidValue::new(text, "a duration up to a day, such as 500ms, 30s or 2m"))
}

/// `8MiB`, `64KiB`, `1GiB`, `8MB`; a number alone is bytes.
///
/// # Errors
/// It is something else.
pub fn size(text: &str) -> Result<usize, InvalidValue> {
    let units = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1000),
        ("B", 1),
        ("", 1),
    ];
    let parsed = units.iter().find_map(|(unit, bytes): &(_, usize)| {
        let number: usize = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*bytes).filter(|bytes| *bytes > 0)
    });
    parsed.ok_or_else(|| InvalidValue::new(text, "a size such as 65536, 8MiB or 2GiB, above zero"))
}
