//! The client's deadline: the header `grpc-timeout`.

use std::time::Duration;

use tonic::metadata::MetadataMap;

use crate::inference::fault::{EmbedFault, ErrorCode};

/// The time that a client gives; nothing when it gives none.
///
/// # Errors
/// A header that says no time.
pub fn time(metadata: &MetadataMap) -> Result<Option<Duration>, EmbedFault> {
    let Some(value) = metadata.get("grpc-timeout") else { return Ok(None) };
    let time = value.to_str().ok().and_then(parse);
    time.map(Some).ok_or_else(|| {
        let message = "grpc-timeout is invalid: write at most eight digits and one of H, M, S, m, u, n";
        EmbedFault::new(ErrorCode::InvalidRequest, message)
    })
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn every_unit_is_read() {
        let read: Vec<_> = ["2H", "2M", "2S", "2m", "2u", "2n", "99999999H"].into_iter().map(parse).collect();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let nanos = |nanos| Some(Duration::from_nanos(nanos));
        let longest = seconds(99_999_999 * 3600);
        assert_eq!(read, [seconds(7200), seconds(120), seconds(2), nanos(2_000_000), nanos(2_000), nanos(2), longest]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "1", "S", "+1S", "1s", "123456789S", "1.5S", "1ü", "-1S"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
